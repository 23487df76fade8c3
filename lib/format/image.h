/* image - PNG and JPEG bytes to U8 pixels [H,W,C]. The only includer of png.h and jpeglib.h.
 *
 * What comes out:
 *   grey            -> C = 1
 *   all other kinds -> C = 3, RGB: palette, RGB, JPEG's YCbCr, CMYK and YCCK (Adobe's inverted inks
 *                      understood; converted without an ink profile: R = 255 * (1-C) * (1-K))
 *   transparency    -> (alpha, or a transparent colour) is laid over white
 *   16 bit          -> rounded to 8; 1, 2, 4 bit spread over 0..255
 * Gamma, colour profiles and EXIF rotation are left alone, as Keras and PyTorch loaders do.
 * A file that ends early, fails a checksum or holds impossible codes is an error, never a picture
 * that is half grey. Nothing here prints or exits.
 */
#ifndef HOP_FORMAT_IMAGE_H
#define HOP_FORMAT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* Refused before memory is taken: sides and areas that only a damaged file has. */
enum { HOP_IMAGE_MAX_SIDE = 1 << 16, HOP_IMAGE_MAX_PIXELS = 1 << 26 };

struct hop_image {
    int64_t h, w, c; /* c is 1 or 3 */
    uint8_t *pixels; /* [h,w,c], owned */
};

/* hop_image_is_known - do the first bytes say PNG or JPEG? (Names do not count.) */
bool hop_image_is_known(const void *bytes, size_t n);

/* hop_image_decode - n bytes of a PNG or JPEG file. Err: HOP_EFORMAT at where, HOP_ENOMEM.
 * img is empty on failure. */
int hop_image_decode(const void *bytes, size_t n, const char *where, struct hop_image *img,
                     struct hop_err *e) HOP_MUSTUSE;

/* hop_image_read - a file of at most HOP_IMAGE_MAX_BYTES. */
enum { HOP_IMAGE_MAX_BYTES = 1 << 28 };
int hop_image_read(const char *path, struct hop_image *img, struct hop_err *e) HOP_MUSTUSE;

/* hop_image_resize - img becomes [h,w,c], stretched, by a triangle filter whose width follows the
 * reduction (so small pictures are averages, not samples: no aliasing). The numbers are those of
 * Pillow's BILINEAR resize: integer weights of 22 bits, rows first, equal on every machine. */
int hop_image_resize(struct hop_image *img, int64_t h, int64_t w, struct hop_err *e) HOP_MUSTUSE;

/* hop_image_set_channels - 1 -> 3 by repeating; 3 -> 1 by luma (299 R + 587 G + 114 B) / 1000. */
int hop_image_set_channels(struct hop_image *img, int64_t c, struct hop_err *e) HOP_MUSTUSE;

void hop_image_clear(struct hop_image *img);

#endif

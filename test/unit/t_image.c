/* Pictures of every kind, made here with libpng and libjpeg, and what damage does to them.
 * t_image --write DIR writes the samples as files, for test/hop-shard.bats. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <png.h>
#include <jpeglib.h>
#include <zlib.h>

#include "format/image.h"
#include "tap.h"

enum { W = 8, H = 6 };

struct bytes {
    uint8_t *v;
    size_t n;
};

/* ---- making pictures ---- */

static void
on_write(png_structp png, png_bytep p, size_t n)
{
    struct bytes *b = png_get_io_ptr(png);

    b->v = realloc(b->v, b->n + n);
    memcpy(b->v + b->n, p, n);
    b->n += n;
}

/* rows: H rows of `stride` bytes, packed as PNG has them. */
static struct bytes
make_png(int color, int depth, int interlace, const uint8_t *rows, size_t stride, int n_palette,
         const png_byte *alpha, int n_alpha, const png_color_16 *clear)
{
    struct bytes b = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep row[H];
    png_color palette[256];
    int i;

    for (i = 0; i < n_palette; i++)
        palette[i] = (png_color){(png_byte)(i * 60), (png_byte)(255 - i * 60), (png_byte)(i * 17)};
    for (i = 0; i < H; i++)
        row[i] = (png_bytep)rows + (size_t)i * stride;
    png_set_write_fn(png, &b, on_write, NULL);
    png_set_IHDR(png, info, W, H, depth, color, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (n_palette)
        png_set_PLTE(png, info, palette, n_palette);
    if (n_alpha || clear)
        png_set_tRNS(png, info, alpha, n_alpha, clear);
    png_write_info(png, info);
    png_write_image(png, row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return b;
}

/* px: n_comp values per pixel. */
static struct bytes
make_jpeg(J_COLOR_SPACE in, J_COLOR_SPACE file, int n_comp, bool has_adobe, bool is_progressive,
          const uint8_t *px)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr mgr;
    unsigned char *out = NULL;
    unsigned long n = 0;
    struct bytes b;

    c.err = jpeg_std_error(&mgr);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, &n);
    c.image_width = W;
    c.image_height = H;
    c.input_components = n_comp;
    c.in_color_space = in;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, file);
    jpeg_set_quality(&c, 98, TRUE);
    c.write_Adobe_marker = has_adobe;
    if (is_progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = (JSAMPROW)px + (size_t)c.next_scanline * W * (size_t)n_comp;

        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    b.v = malloc(n);
    b.n = n;
    memcpy(b.v, out, n);
    free(out);
    return b;
}

/* A flat picture: one pixel of n values, everywhere. */
static struct bytes
flat_jpeg(J_COLOR_SPACE in, J_COLOR_SPACE file, int n, bool has_adobe, bool is_progressive,
          const uint8_t *pixel)
{
    uint8_t px[W * H * 4];
    int i;

    for (i = 0; i < W * H * n; i++)
        px[i] = pixel[i % n];
    return make_jpeg(in, file, n, has_adobe, is_progressive, px);
}

/* Decode b and compare all pixels with the one given. */
static void
expect_flat(const char *name, struct bytes b, int64_t c, const uint8_t *want, int tolerance)
{
    struct hop_image img;
    struct hop_err e = {0};
    int rc = hop_image_decode(b.v, b.n, name, &img, &e), worst = 0, d;
    int64_t i;

    for (i = 0; !rc && i < W * H * img.c; i++) {
        d = abs(img.pixels[i] - want[i % c]);
        worst = d > worst ? d : worst;
    }
    ok(!rc && img.h == H && img.w == W && img.c == c && worst <= tolerance,
       "%s: %d channels, off by %d at most %s", name, (int)c, worst, e.what);
    hop_image_clear(&img);
    free(b.v);
}

static struct bytes
flat_png(int color, int depth, int interlace, const uint8_t *pixel, size_t n_pixel, int n_palette,
         const png_byte *alpha, int n_alpha, const png_color_16 *clear)
{
    uint8_t rows[W * H * 8];
    size_t i, stride = depth < 8 ? W * (size_t)depth / 8 : W * n_pixel;

    for (i = 0; i < stride * H; i++)
        rows[i] = pixel[i % n_pixel];
    return make_png(color, depth, interlace, rows, stride, n_palette, alpha, n_alpha, clear);
}

static struct bytes
gradient_png(void)
{
    uint8_t px[W * H * 3];
    int i;

    for (i = 0; i < W * H * 3; i++)
        px[i] = (uint8_t)(i * 7);
    return make_png(PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, px, W * 3, 0, NULL, 0, NULL);
}

static struct bytes
gradient_jpeg(bool is_progressive)
{
    uint8_t px[W * H * 3];
    int i;

    for (i = 0; i < W * H * 3; i++)
        px[i] = (uint8_t)(i * 5);
    return make_jpeg(JCS_RGB, JCS_YCbCr, 3, false, is_progressive, px);
}

/* ---- 1 kinds ---- */

static void
test_png(void)
{
    const png_byte half[3] = {255, 128, 0};
    const png_color_16 clear_grey = {.gray = 7}, clear_rgb = {.red = 1, .green = 2, .blue = 3};
    const uint8_t white[3] = {255, 255, 255};
#define P(...) (const uint8_t[]){__VA_ARGS__}
    expect_flat("grey 8", flat_png(0, 8, 0, P(77), 1, 0, NULL, 0, NULL), 1, P(77), 0);
    expect_flat("grey 1 bit", flat_png(0, 1, 0, P(0xFF), 1, 0, NULL, 0, NULL), 1, P(255), 0);
    expect_flat("grey 2 bit", flat_png(0, 2, 0, P(0x55), 1, 0, NULL, 0, NULL), 1, P(85), 0);
    /* 0x00FF / 65535 * 255 = 0.99: rounded to 1, where cutting the low byte would give 0 */
    expect_flat("grey 16", flat_png(0, 16, 0, P(0x00, 0xFF), 2, 0, NULL, 0, NULL), 1, P(1), 0);
    expect_flat("grey + alpha", flat_png(4, 8, 0, P(100, 51), 2, 0, NULL, 0, NULL), 1, P(224), 0);
    expect_flat("grey, one clear", flat_png(0, 8, 0, P(7), 1, 0, NULL, 0, &clear_grey), 1, white,
                0);
    expect_flat("rgb 8", flat_png(2, 8, 0, P(1, 2, 3), 3, 0, NULL, 0, NULL), 3, P(1, 2, 3), 0);
    expect_flat("rgb interlaced", flat_png(2, 8, 1, P(9, 8, 7), 3, 0, NULL, 0, NULL), 3, P(9, 8, 7),
                0);
    expect_flat("rgb 16", flat_png(2, 16, 0, P(10, 0, 20, 0, 30, 255), 6, 0, NULL, 0, NULL), 3,
                P(10, 20, 31), 0);
    expect_flat("rgb, one clear", flat_png(2, 8, 0, P(1, 2, 3), 3, 0, NULL, 0, &clear_rgb), 3,
                white, 0);
    expect_flat("rgba", flat_png(6, 8, 0, P(0, 100, 255, 128), 4, 0, NULL, 0, NULL), 3,
                P(127, 177, 255), 0);
    expect_flat("rgba, all clear", flat_png(6, 8, 0, P(1, 2, 3, 0), 4, 0, NULL, 0, NULL), 3, white,
                0);
    expect_flat("palette 8", flat_png(3, 8, 0, P(2), 1, 3, NULL, 0, NULL), 3, P(120, 135, 34), 0);
    expect_flat("palette 2 bit", flat_png(3, 2, 0, P(0x55), 1, 4, NULL, 0, NULL), 3, P(60, 195, 17),
                0);
    expect_flat("palette + alpha", flat_png(3, 8, 0, P(1), 1, 3, half, 3, NULL), 3,
                P(157, 225, 136), 0);
}

static void
test_jpeg(void)
{
    expect_flat("jpeg grey", flat_jpeg(JCS_GRAYSCALE, JCS_GRAYSCALE, 1, false, false, P(90)), 1,
                P(90), 1);
    expect_flat("jpeg colour", flat_jpeg(JCS_RGB, JCS_YCbCr, 3, false, false, P(200, 30, 90)), 3,
                P(200, 30, 90), 3);
    expect_flat("jpeg progressive", flat_jpeg(JCS_RGB, JCS_YCbCr, 3, false, true, P(20, 130, 90)),
                3, P(20, 130, 90), 3);
    expect_flat("jpeg rgb, Adobe", flat_jpeg(JCS_RGB, JCS_RGB, 3, true, false, P(200, 30, 90)), 3,
                P(200, 30, 90), 2);
    /* inks inverted as Adobe writes them: C 0, M 255 - 100, Y 255 - 200, K 255 - 128 */
    expect_flat("cmyk, Adobe", flat_jpeg(JCS_CMYK, JCS_CMYK, 4, true, false, P(255, 100, 200, 128)),
                3, P(128, 50, 100), 2);
    expect_flat("ycck, Adobe", flat_jpeg(JCS_CMYK, JCS_YCCK, 4, true, false, P(255, 100, 200, 128)),
                3, P(128, 50, 100), 3);
    expect_flat("cmyk, plain", flat_jpeg(JCS_CMYK, JCS_CMYK, 4, false, false, P(0, 155, 55, 127)),
                3, P(128, 50, 100), 2);
}

/* ---- 2 damage ---- */

static int
decode(const uint8_t *v, size_t n)
{
    struct hop_image img;
    struct hop_err e = {0};
    /* An own block of just n bytes, so that a sanitizer sees one byte too many. */
    uint8_t *copy = malloc(n ? n : 1);
    int rc;

    memcpy(copy, v, n);
    rc = hop_image_decode(copy, n, "x", &img, &e);
    if (rc && (img.pixels || e.code != rc || !e.what[0]))
        rc = 1; /* a failure must leave nothing and say something */
    hop_image_clear(&img);
    free(copy);
    return rc;
}

static void
test_cut(const char *name, struct bytes b)
{
    size_t i, n_bad = 0, n_said = 0;

    ok(decode(b.v, b.n) == 0, "%s: whole", name);
    for (i = 0; i < b.n; i++) {
        int rc = decode(b.v, i);

        n_bad += rc == HOP_OK;
        n_said += rc == HOP_EFORMAT;
    }
    ok(n_bad == 0 && n_said == b.n, "%s: cut at each of %zu bytes is an error (%zu passed)", name,
       b.n, n_bad);
    free(b.v);
}

/* With checksums none may decode but for flips in the last `n_free` bytes: libpng 1.6.45 and later
 * forgive a wrong checksum of the empty last chunk, behind all pictures. */
static void
test_flip(const char *name, struct bytes b, bool has_checksums, size_t n_free)
{
    size_t i, n_passed = 0, n_odd = 0, n_undetected = 0;
    int k, rc;

    for (i = 0; i < b.n; i++)
        for (k = 0; k < 8; k++) {
            b.v[i] ^= (uint8_t)(1 << k);
            rc = decode(b.v, b.n);
            n_passed += rc == HOP_OK;
            n_undetected += rc == HOP_OK && i + n_free < b.n;
            n_odd += rc != HOP_OK && rc != HOP_EFORMAT;
            b.v[i] ^= (uint8_t)(1 << k);
        }
    ok(n_odd == 0 && (!has_checksums || n_undetected == 0),
       "%s: each bit flipped: %zu of %zu still decode", name, n_passed, 8 * b.n);
    free(b.v);
}

/* Refused for its size, that is before memory is taken for it. */
static bool
is_too_large(struct bytes b)
{
    struct hop_image img;
    struct hop_err e = {0};

    return hop_image_decode(b.v, b.n, "x", &img, &e) == HOP_EFORMAT && strstr(e.what, "too large");
}

static void
put32(uint8_t *p, uint32_t v)
{
    int i;

    for (i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void
test_huge(void)
{
    struct bytes png = gradient_png(), jpeg = gradient_jpeg(false);
    size_t i;

    put32(png.v + 16, 60000);
    put32(png.v + 20, 60000);
    put32(png.v + 29, (uint32_t)crc32(0, png.v + 12, 17));
    ok(is_too_large(png), "a PNG that claims 60000x60000 is refused");
    put32(png.v + 16, 0x7FFFFFFF);
    put32(png.v + 29, (uint32_t)crc32(0, png.v + 12, 17));
    ok(decode(png.v, png.n) == HOP_EFORMAT, "a PNG that claims 2147483647x60000 is refused");
    for (i = 2; i + 9 < jpeg.n && !(jpeg.v[i] == 0xFF && jpeg.v[i + 1] == 0xC0); i++)
        ;
    memset(jpeg.v + i + 5, 0xF0, 4); /* height and width of the frame */
    ok(is_too_large(jpeg), "a JPEG that claims 61680x61680 is refused");
    free(png.v);
    free(jpeg.v);
    ok(decode((const uint8_t *)"", 0) == HOP_EFORMAT, "an empty file is refused");
    ok(decode((const uint8_t *)"GIF89a", 6) == HOP_EFORMAT, "a GIF is refused");
}

/* ---- 3 size and channels ---- */

/* What Pillow 13 gives for resize((w, h), BILINEAR) of the picture below. */
static const uint8_t to_3x2[] = {110, 135, 141, 133, 129, 134};
static const uint8_t to_4x5[] = {19,  77,  145, 203, 117, 195, 103, 109, 203, 108,
                                 107, 180, 57,  150, 206, 121, 150, 149, 44,  110};
static const uint8_t to_9x6[] = {
    0,   25,  53,  82,  111, 140, 169, 197, 222, 68,  99,  136, 172, 209, 96,  90,  126, 157,
    144, 182, 161, 123, 168, 88,  97,  142, 180, 113, 159, 146, 108, 131, 143, 164, 164, 139,
    40,  93,  144, 164, 123, 166, 185, 145, 55,  108, 167, 196, 158, 28,  26,  75,  114, 113};

static void
test_resize(void)
{
    struct hop_image a = {.h = 5, .w = 7, .c = 1, .pixels = malloc(35)}, b, c;
    struct hop_err e = {0};
    int x, y;

    for (y = 0; y < 5; y++)
        for (x = 0; x < 7; x++)
            a.pixels[y * 7 + x] = (uint8_t)(x * 37 + y * 91 + (x * y) % 7 * 13);
    b = a;
    b.pixels = malloc(35);
    memcpy(b.pixels, a.pixels, 35);
    c = a;
    c.pixels = malloc(35);
    memcpy(c.pixels, a.pixels, 35);
    ok(!hop_image_resize(&a, 2, 3, &e) && a.h == 2 && a.w == 3 && !memcmp(a.pixels, to_3x2, 6),
       "7x5 to 3x2 as Pillow has it");
    ok(!hop_image_resize(&b, 5, 4, &e) && !memcmp(b.pixels, to_4x5, 20), "7x5 to 4x5 as Pillow");
    ok(!hop_image_resize(&c, 6, 9, &e) && !memcmp(c.pixels, to_9x6, 54), "7x5 to 9x6 as Pillow");
    ok(!hop_image_set_channels(&a, 3, &e) && a.c == 3 && a.pixels[3] == to_3x2[1] &&
           a.pixels[5] == to_3x2[1],
       "grey to colour repeats");
    ok(!hop_image_set_channels(&a, 1, &e) && !memcmp(a.pixels, to_3x2, 6), "and back");
    hop_image_clear(&a);
    hop_image_clear(&b);
    hop_image_clear(&c);
    a = (struct hop_image){.h = 3, .w = 3, .c = 3, .pixels = malloc(27)};
    memset(a.pixels, 201, 27);
    ok(!hop_image_resize(&a, 11, 1, &e) && a.pixels[0] == 201 && a.pixels[32] == 201,
       "a flat picture stays flat");
    hop_image_clear(&a);
}

/* ---- samples as files ---- */

static void
save(const char *dir, const char *name, struct bytes b)
{
    char path[1000];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    if (!f || fwrite(b.v, 1, b.n, f) != b.n || fclose(f)) {
        perror(path);
        exit(1);
    }
    free(b.v);
}

static int
write_samples(const char *dir)
{
    const png_byte half[3] = {255, 128, 0};

    save(dir, "grey.png", flat_png(0, 8, 0, P(77), 1, 0, NULL, 0, NULL));
    save(dir, "grey16.png", flat_png(0, 16, 0, P(50, 0), 2, 0, NULL, 0, NULL));
    save(dir, "alpha.png", flat_png(6, 8, 0, P(0, 100, 255, 128), 4, 0, NULL, 0, NULL));
    save(dir, "palette.png", flat_png(3, 8, 0, P(1), 1, 3, half, 3, NULL));
    save(dir, "rgb.png", gradient_png());
    save(dir, "grey.jpg", flat_jpeg(JCS_GRAYSCALE, JCS_GRAYSCALE, 1, false, false, P(90)));
    save(dir, "rgb.jpg", gradient_jpeg(false));
    save(dir, "progressive.jpg", gradient_jpeg(true));
    save(dir, "cmyk.jpg", flat_jpeg(JCS_CMYK, JCS_CMYK, 4, true, false, P(255, 100, 200, 128)));
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--write"))
        return write_samples(argv[2]);
    test_png();
    test_jpeg();
    test_cut("png", gradient_png());
    test_cut("interlaced png", flat_png(2, 8, 1, P(9, 8, 7), 3, 0, NULL, 0, NULL));
    test_cut("palette png", flat_png(3, 8, 0, P(2), 1, 3, NULL, 0, NULL));
    test_cut("jpeg", gradient_jpeg(false));
    test_cut("progressive jpeg", gradient_jpeg(true));
    test_flip("png", gradient_png(), true, 4);
    test_flip("jpeg", gradient_jpeg(false), false, 0);
    test_flip("progressive jpeg", gradient_jpeg(true), false, 0);
    test_huge();
    test_resize();
    return tap_end();
}

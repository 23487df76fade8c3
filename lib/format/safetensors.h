/* safetensors - the one container for shards and models.
 *
 * Layout: 8 bytes little-endian header length H; H bytes of JSON, one member per tensor
 * {"dtype","shape","data_offsets":[begin,end]} plus "__metadata__" (strings only); then the data
 * area. Ours keep two digests in the metadata: "hop.digest" = XXH3-128 (32 hex digits) of the
 * data area, and "hop.header" = XXH3-128 of the header's JSON with that value's 32 digits
 * written as zeros, so that no byte of a file can change unseen.
 * Source: https://github.com/huggingface/safetensors (format section of the README).
 *
 * The reader checks before anything is used: header size against the file, JSON, dtypes, shapes,
 * products, offsets (in bounds, no overlap, no hole), then the digests where there are any.
 */
#ifndef HOP_FORMAT_SAFETENSORS_H
#define HOP_FORMAT_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/io.h"

enum hop_dtype { HOP_U8, HOP_I32, HOP_F32, HOP_OTHER_DTYPE };

enum { HOP_MAX_DIMS = 8, HOP_DIGEST_LEN = 32 };

struct hop_tensor {
    const char *name;
    enum hop_dtype dtype;
    char dtype_name[12];
    int n_dims;
    int64_t dims[HOP_MAX_DIMS];
    const void *data; /* n_bytes little-endian values, row-major */
    size_t n_bytes;
};

struct hop_meta {
    const char *key, *value;
};

/* A parsed file. Everything in it is borrowed from the bytes given to hop_st_parse and from
 * `private_`; both must outlive its use. */
struct hop_st {
    struct hop_tensor *tensors; /* in order of their data */
    size_t n_tensors;
    struct hop_meta *meta;
    size_t n_meta;
    const void *data; /* the data area */
    size_t n_data_bytes;
    struct hop_map map; /* of hop_st_open, else empty */
    void *private_;
};

/* hop_st_parse - check and index n bytes. want_data_digest: also hash the data area (reads all of
 * it). Err: HOP_EFORMAT at where@BYTE. Free with hop_st_close. */
int hop_st_parse(const void *bytes, size_t n, const char *where, bool want_data_digest,
                 struct hop_st *st, struct hop_err *e) HOP_MUSTUSE;

/* A file's bytes, read from a descriptor. All zero: none yet. */
struct hop_st_input {
    char *bytes; /* [n] and a NUL; freed by the owner */
    size_t n, cap;
    char digest[HOP_DIGEST_LEN + 1]; /* of the data area; "" if they end before it */
};

/* hop_st_input_read - all of fd in place of what was in `in`, whose memory is used again. The digest is
 * made on the way, while the bytes are in the processor's cache: reading a file twice takes as long
 * again. wait (or NULL): called before each read, fails with a code to end it.
 * Err: HOP_EIO; HOP_EFORMAT longer than max_bytes; HOP_ENOMEM. `in` stays to be freed or used again. */
int hop_st_input_read(struct hop_st_input *in, int fd, const char *where, size_t max_bytes,
                      int (*wait)(void *arg, int fd, struct hop_err *e), void *arg,
                      struct hop_err *e) HOP_MUSTUSE;

/* hop_st_parse_input - hop_st_parse of what was read, its digest compared. */
int hop_st_parse_input(const struct hop_st_input *in, const char *where, struct hop_st *st,
                       struct hop_err *e) HOP_MUSTUSE;

/* hop_st_open - map a file and parse it. */
int hop_st_open(const char *path, bool want_data_digest, struct hop_st *st, struct hop_err *e)
    HOP_MUSTUSE;
void hop_st_close(struct hop_st *st);

const struct hop_tensor *hop_st_find(const struct hop_st *st, const char *name); /* or NULL */
const char *hop_st_meta(const struct hop_st *st, const char *key);               /* or NULL */

/* hop_st_header - the bytes before the data area for tensors whose data follow one another in the
 * given order: 8-byte length and JSON, padded with spaces to a multiple of 64 so that the data
 * are aligned. `digest` is the data area's (HOP_DIGEST_LEN hex digits). `data` of the tensors is
 * not read. The caller frees *out. */
int hop_st_header(const struct hop_tensor *tensors, size_t n_tensors, const struct hop_meta *meta,
                  size_t n_meta, const char *digest, char **out, size_t *n_out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_st_write - header and data to fd. */
int hop_st_write(int fd, const char *where, const struct hop_tensor *tensors, size_t n_tensors,
                 const struct hop_meta *meta, size_t n_meta, struct hop_err *e) HOP_MUSTUSE;

/* hop_st_write_known - the same with the data area's digest, which the caller has. */
int hop_st_write_known(int fd, const char *where, const struct hop_tensor *tensors,
                       size_t n_tensors, const struct hop_meta *meta, size_t n_meta,
                       const char *digest, struct hop_err *e) HOP_MUSTUSE;

/* Digests piece by piece. */
struct hop_digest;
struct hop_digest *hop_digest_new(struct hop_err *e);
void hop_digest_add(struct hop_digest *d, const void *bytes, size_t n);
void hop_digest_end(struct hop_digest *d, char hex[HOP_DIGEST_LEN + 1]); /* frees d */
void hop_digest_of(const void *bytes, size_t n, char hex[HOP_DIGEST_LEN + 1]);

#endif

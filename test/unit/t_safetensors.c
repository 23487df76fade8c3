/* The container: what is written comes back; whatever is cut, altered or impossible is refused. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "format/safetensors.h"
#include "tap.h"

static char *file;
static size_t n_file;

static void
make_file(void)
{
    static const int32_t y[3] = {1, -2, 3};
    static const uint8_t x[6] = {9, 8, 7, 6, 5, 4};
    static const float none[1];
    const struct hop_tensor t[] = {
        {.name = "y",
         .dtype = HOP_I32,
         .dtype_name = "I32",
         .n_dims = 1,
         .dims = {3},
         .data = y,
         .n_bytes = 12},
        {.name = "x/\"a\"",
         .dtype = HOP_U8,
         .dtype_name = "U8",
         .n_dims = 2,
         .dims = {3, 2},
         .data = x,
         .n_bytes = 6},
        {.name = "empty",
         .dtype = HOP_F32,
         .dtype_name = "F32",
         .n_dims = 2,
         .dims = {0, 5},
         .data = none,
         .n_bytes = 0},
    };
    const struct hop_meta m[] = {{"hop.kind", "test/1"}, {"k", "line\n\"quoted\""}};
    struct hop_err e = {0};
    char path[] = "/tmp/hop-t-safetensors.XXXXXX";
    int fd = mkstemp(path);

    ok(fd >= 0 && !hop_st_write(fd, path, t, 3, m, 2, &e) && !lseek(fd, 0, SEEK_SET) &&
           !hop_read_fd(fd, path, 1 << 20, &file, &n_file, &e),
       "written: %zu bytes %s", n_file, e.what);
    close(fd);
    unlink(path);
}

/* Parse a copy in a block of just n bytes; st may be NULL. */
static int
parse(const void *bytes, size_t n, struct hop_err *e)
{
    struct hop_st st = {0};
    void *copy = malloc(n ? n : 1);
    int rc;

    memcpy(copy, bytes, n);
    rc = hop_st_parse(copy, n, "f", true, &st, e);
    if (!rc)
        hop_st_close(&st);
    free(copy);
    return rc;
}

static void
test_round_trip(void)
{
    struct hop_st st = {0};
    struct hop_err e = {0};
    const struct hop_tensor *x, *y;

    ok(!hop_st_parse(file, n_file, "f", true, &st, &e), "parsed %s", e.what);
    x = hop_st_find(&st, "x/\"a\"");
    y = hop_st_find(&st, "y");
    ok(st.n_tensors == 3 && x && y && x->n_dims == 2 && x->dims[1] == 2 && x->dtype == HOP_U8 &&
           !memcmp(x->data, "\x09\x08\x07\x06\x05\x04", 6) && ((const int32_t *)y->data)[1] == -2,
       "tensors come back");
    ok((uintptr_t)((const char *)st.data - file) % 64 == 0, "data start at a multiple of 64");
    ok(!strcmp(hop_st_meta(&st, "k"), "line\n\"quoted\"") && !hop_st_meta(&st, "none"),
       "metadata come back");
    ok(strlen(hop_st_meta(&st, "hop.digest")) == 32, "digest is there");
    hop_st_close(&st);
}

static void
test_damage(void)
{
    struct hop_err e;
    size_t i, n_passed = 0, n_unplaced = 0;
    char *copy = malloc(n_file + 1);
    int k;

    for (i = 0; i < n_file; i++) {
        e = (struct hop_err){0};
        n_passed += parse(file, i, &e) != HOP_EFORMAT;
        n_unplaced += !e.where[0];
    }
    ok(n_passed == 0 && n_unplaced == 0, "cut at each byte is refused");
    memcpy(copy, file, n_file);
    copy[n_file] = 0;
    e = (struct hop_err){0};
    ok(parse(copy, n_file + 1, &e) == HOP_EFORMAT, "one byte too many is refused: %s", e.what);
    for (n_passed = i = 0; i < n_file; i++)
        for (k = 0; k < 8; k++) {
            copy[i] ^= (char)(1 << k);
            e = (struct hop_err){0};
            /* A bit in the key "hop.header" or "hop.digest" itself only renames it. */
            if (parse(copy, n_file, &e) == HOP_OK) {
                struct hop_st st = {0};

                n_passed += !hop_st_parse(copy, n_file, "f", true, &st, &e) &&
                            hop_st_meta(&st, "hop.digest") && hop_st_meta(&st, "hop.header");
                hop_st_close(&st);
            }
            copy[i] ^= (char)(1 << k);
        }
    ok(n_passed == 0, "each bit flipped is refused, or loses a digest that our readers demand");
    free(copy);
}

/* n bytes read into `in` through a pipe, in pieces of `piece` (0: from a file), and parsed. */
static int
parse_input(struct hop_st_input *in, const void *bytes, size_t n, size_t piece, struct hop_err *e)
{
    struct hop_st st = {0};
    FILE *file_of = tmpfile();
    int fds[2] = {fileno(file_of), -1}, rc;
    size_t at, put;

    if (piece && pipe(fds) < 0)
        return HOP_EIO;
    if (piece && !fork()) {
        for (at = 0; at < n; at += put) {
            put = n - at < piece ? n - at : piece;
            if (write(fds[1], (const char *)bytes + at, put) != (ssize_t)put)
                _exit(1);
        }
        _exit(0);
    }
    if (piece)
        close(fds[1]);
    else if (write(fds[0], bytes, n) != (ssize_t)n || lseek(fds[0], 0, SEEK_SET))
        return HOP_EIO;
    rc = hop_st_input_read(in, fds[0], "f", 1 << 24, NULL, NULL, e);
    if (!rc && !(rc = hop_st_parse_input(in, "f", &st, e)))
        hop_st_close(&st);
    if (piece) {
        close(fds[0]);
        wait(NULL);
    }
    fclose(file_of);
    return rc;
}

static void
test_input(void)
{
    enum { N_DATA = 3000001 };
    static const size_t pieces[] = {0, 1 << 20, 4097, 7};
    struct hop_tensor t = {.name = "x", .dtype = HOP_U8, .dtype_name = "U8", .n_dims = 1,
                           .dims = {N_DATA}, .data = calloc(1, N_DATA), .n_bytes = N_DATA};
    struct hop_st_input in = {0};
    struct hop_err e = {0};
    char *big, path[] = "/tmp/hop-t-safetensors.XXXXXX";
    size_t n_big, i, n_bad = 0;
    int fd = mkstemp(path);

    for (i = 0; i < N_DATA; i++)
        ((unsigned char *)t.data)[i] = (unsigned char)(i * i >> 3);
    ok(fd >= 0 && !hop_st_write(fd, path, &t, 1, NULL, 0, &e) && !lseek(fd, 0, SEEK_SET) &&
           !hop_read_fd(fd, path, 1 << 24, &big, &n_big, &e),
       "%zu bytes %s", n_big, e.what);
    for (i = 0; i < HOP_LEN(pieces); i++) {
        size_t n = pieces[i] == 7 ? n_file : n_big;
        const char *bytes = pieces[i] == 7 ? file : big;

        ok(!parse_input(&in, bytes, n, pieces[i], &e) && in.n == n && !memcmp(in.bytes, bytes, n),
           "read in pieces of %zu %s", pieces[i], e.what);
    }
    for (i = n_big - N_DATA; i < n_big; i += 299999, e = (struct hop_err){0}) {
        big[i] ^= 16;
        n_bad += parse_input(&in, big, n_big, i % 2 ? 65536 : 0, &e) != HOP_EFORMAT;
        big[i] ^= 16;
    }
    ok(n_bad == 0, "a bit of the data flipped is seen");
    for (i = n_bad = 0; i < n_file; i++, e = (struct hop_err){0})
        n_bad += parse_input(&in, file, i, 0, &e) != HOP_EFORMAT || !e.where[0];
    ok(n_bad == 0, "cut at each byte is refused");
    ok(!parse_input(&in, file, n_file, 0, &e), "and then a whole one is read %s", e.what);
    fd = open("/dev/zero", O_RDONLY);
    ok(hop_st_input_read(&in, fd, "f", 1 << 20, NULL, NULL, &e) == HOP_EFORMAT, "no end: %s", e.what);
    close(fd);
    unlink(path);
    free(in.bytes);
    free(big);
    free((void *)t.data);
}

/* A file with this header text and n_data bytes of data. */
static int
parse_header(const char *header, size_t n_data, struct hop_err *e)
{
    size_t n = strlen(header);
    char *b = calloc(1, 8 + n + n_data);
    int rc;

    hop_put_le64(b, n);
    memcpy(b + 8, header, n);
    rc = parse(b, 8 + n + n_data, e);
    free(b);
    return rc;
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void
test_headers(void)
{
    static const struct {
        const char *what, *header;
        size_t n_data;
    } bad[] = {
        {"overlap", "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[4]", "[2,6]") "}", 6},
        {"overlap and rest that make the sum right",
         "{\"a\":" T("U8", "[4]", "[0,4]") ",\"b\":" T("U8", "[4]", "[2,6]") "}", 8},
        {"hole", "{\"a\":" T("U8", "[2]", "[0,2]") ",\"b\":" T("U8", "[2]", "[4,6]") "}", 6},
        {"hole in front", "{\"a\":" T("U8", "[2]", "[2,4]") "}", 4},
        {"rest", "{\"a\":" T("U8", "[2]", "[0,2]") "}", 4},
        {"outside", "{\"a\":" T("U8", "[8]", "[0,8]") "}", 4},
        {"begin behind end", "{\"a\":" T("U8", "[2]", "[4,2]") "}", 4},
        {"negative", "{\"a\":" T("U8", "[2]", "[-2,0]") "}", 2},
        {"shape and offsets", "{\"a\":" T("F32", "[2]", "[0,4]") "}", 4},
        {"product over 64 bits",
         "{\"a\":" T("F32", "[4294967296,4294967296,4294967296]", "[0,4]") "}", 4},
        {"product wraps to 0", "{\"a\":" T("U8", "[4294967296,4294967296]", "[0,0]") "}", 0},
        {"huge dimension", "{\"a\":" T("F32", "[9223372036854775807]", "[0,4]") "}", 4},
        {"dimension over 64 bits", "{\"a\":" T("F32", "[99999999999999999999]", "[0,4]") "}", 4},
        {"negative dimension", "{\"a\":" T("U8", "[-4]", "[0,4]") "}", 4},
        {"real dimension", "{\"a\":" T("U8", "[4.0]", "[0,4]") "}", 4},
        {"9 dimensions", "{\"a\":" T("U8", "[1,1,1,1,1,1,1,1,4]", "[0,4]") "}", 4},
        {"unknown dtype", "{\"a\":" T("F31", "[1]", "[0,4]") "}", 4},
        {"dtype is a number", "{\"a\":{\"dtype\":3,\"shape\":[4],\"data_offsets\":[0,4]}}", 4},
        {"no offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4},
        {"three offsets", "{\"a\":" T("U8", "[4]", "[0,4,4]") "}", 4},
        {"offsets are text", "{\"a\":" T("U8", "[4]", "[\"0\",\"4\"]") "}", 4},
        {"a key too many",
         "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1}}", 4},
        {"tensor is a number", "{\"a\":4}", 4},
        {"the same name twice",
         "{\"a\":" T("U8", "[2]", "[0,2]") ",\"a\":" T("U8", "[2]", "[2,4]") "}", 4},
        {"metadata not text", "{\"__metadata__\":{\"k\":1}}", 0},
        {"metadata not an object", "{\"__metadata__\":[]}", 0},
        {"false digest", "{\"__metadata__\":{\"hop.digest\":\"00\"}}", 0},
        {"false header digest",
         "{\"__metadata__\":{\"hop.header\":\"00000000000000000000000000000000\"}}", 0},
        {"header digest of another length", "{\"__metadata__\":{\"hop.header\":\"00\"}}", 0},
        {"not an object", "[]", 0},
        {"not JSON", "{\"a\"", 0},
        {"two values", "{}{}", 0},
    };
    struct hop_err e = {0};
    size_t i;

    ok(!parse_header("{\"a\":" T("U8", "[4]", "[0,4]") "}", 4, &e), "a plain file of others %s",
       e.what);
    ok(!parse_header("{\"a\":" T("U8", "[]", "[0,1]") ",\"b\":" T("F64", "[1,0]", "[1,1]") "}", 1,
                     &e),
       "a scalar and an empty tensor %s", e.what);
    for (i = 0; i < HOP_LEN(bad); i++) {
        e = (struct hop_err){0};
        ok(parse_header(bad[i].header, bad[i].n_data, &e) == HOP_EFORMAT, "%s: %s: %s", bad[i].what,
           e.where, e.what);
    }
}

static void
test_lengths(void)
{
    static const uint64_t lengths[] = {
        0, 1, 3, 1000, (uint64_t)1 << 31, (uint64_t)1 << 62, UINT64_MAX, UINT64_MAX - 7};
    struct hop_err e;
    char b[16] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}', ' ', ' ', 0, 0, 0, 0};
    size_t i;

    for (i = 0; i < HOP_LEN(lengths); i++) {
        hop_put_le64(b, lengths[i]);
        e = (struct hop_err){0};
        ok(parse(b, 12, &e) == HOP_EFORMAT, "header length %llu: %s",
           (unsigned long long)lengths[i], e.what);
    }
}

static void
test_full(void)
{
    const struct hop_tensor t = {.name = "y",
                                 .dtype = HOP_U8,
                                 .dtype_name = "U8",
                                 .n_dims = 1,
                                 .dims = {1},
                                 .data = "x",
                                 .n_bytes = 1};
    struct hop_err e = {0};
    int fd = open("/dev/full", O_WRONLY);

    ok(hop_st_write(fd, "/dev/full", &t, 1, NULL, 0, &e) == HOP_EIO, "a full disk: %s", e.what);
    close(fd);
}

int
main(void)
{
    make_file();
    test_round_trip();
    test_damage();
    test_input();
    test_headers();
    test_lengths();
    test_full();
    free(file);
    return tap_end();
}

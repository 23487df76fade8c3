#include "format/safetensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include HOP_XXHASH /* xxhash.h, or where the library has it its choice by the processor */

#include "base/mem.h"
#include "base/str.h"
#include "format/json.h"

enum { MAX_HEADER_BYTES = 100 << 20, ALIGN_BYTES = 64 };

static const struct {
    const char *name;
    enum hop_dtype dtype;
    size_t bytes;
} dtypes[] = {
    {"U8", HOP_U8, 1},           {"I32", HOP_I32, 4},         {"F32", HOP_F32, 4},
    {"BOOL", HOP_OTHER_DTYPE, 1}, {"I8", HOP_OTHER_DTYPE, 1},  {"I16", HOP_OTHER_DTYPE, 2},
    {"U16", HOP_OTHER_DTYPE, 2}, {"F16", HOP_OTHER_DTYPE, 2}, {"BF16", HOP_OTHER_DTYPE, 2},
    {"U32", HOP_OTHER_DTYPE, 4}, {"I64", HOP_OTHER_DTYPE, 8}, {"U64", HOP_OTHER_DTYPE, 8},
    {"F64", HOP_OTHER_DTYPE, 8},
};

/* Contents: 1 digests, 2 reading, 3 parsing, 4 writing */

/* ---- 1 digests ---- */

struct hop_digest {
    XXH3_state_t *state;
};

static void
to_hex(XXH128_hash_t h, char hex[HOP_DIGEST_LEN + 1])
{
    snprintf(hex, HOP_DIGEST_LEN + 1, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
}

struct hop_digest *
hop_digest_new(struct hop_err *e)
{
    struct hop_digest *d = hop_alloc(1, sizeof *d, e);

    if (d && (!(d->state = XXH3_createState()) || XXH3_128bits_reset(d->state) != XXH_OK)) {
        hop_fail(e, HOP_ENOMEM, NULL, NULL, "out of memory");
        free(d);
        return NULL;
    }
    return d;
}

void
hop_digest_add(struct hop_digest *d, const void *bytes, size_t n)
{
    XXH3_128bits_update(d->state, bytes, n);
}

void
hop_digest_end(struct hop_digest *d, char hex[HOP_DIGEST_LEN + 1])
{
    to_hex(XXH3_128bits_digest(d->state), hex);
    XXH3_freeState(d->state);
    free(d);
}

void
hop_digest_of(const void *bytes, size_t n, char hex[HOP_DIGEST_LEN + 1])
{
    to_hex(XXH3_128bits(bytes, n), hex);
}

/* Where the 32 digits of "hop.header" stand in the header text, or NULL. */
static char *
header_digest_place(const char *text, size_t n)
{
    static const char key[] = "\"hop.header\":\"";
    const size_t len = sizeof key - 1;
    size_t i;

    for (i = 0; i + len + HOP_DIGEST_LEN < n; i++)
        if (text[i] == '"' && !memcmp(text + i, key, len) && (i == 0 || text[i - 1] != '\\'))
            return text[i + len + HOP_DIGEST_LEN] == '"' ? (char *)text + i + len : NULL;
    return NULL;
}

/* ---- 2 reading ---- */

/* Larger reads gain nothing, and half of it is in the second-level cache when it is digested. */
enum { READ_BYTES = 512 << 10 };

/* Digest what has come of the data area, which begins at byte *at; SIZE_MAX: not known yet. */
static void
digest_some(const struct hop_st_input *in, size_t *at, struct hop_digest *d)
{
    if (*at == SIZE_MAX && in->n >= 8) {
        uint64_t n_header = hop_get_le64(in->bytes);

        *at = n_header > MAX_HEADER_BYTES ? SIZE_MAX - 1 : (size_t)n_header + 8;
    }
    if (*at < in->n) {
        hop_digest_add(d, in->bytes + *at, in->n - *at);
        *at = in->n;
    }
}

int
hop_st_input_read(struct hop_st_input *in, int fd, const char *where, size_t max_bytes,
                  int (*wait)(void *arg, int fd, struct hop_err *e), void *arg, struct hop_err *e)
{
    struct hop_digest *d = hop_digest_new(e);
    size_t at = SIZE_MAX, room;
    struct stat st;
    ssize_t got = 1;
    int rc = d ? HOP_OK : HOP_ENOMEM;

    in->n = 0;
    if (!rc && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        (uint64_t)st.st_size < max_bytes)
        rc = hop_grow(&in->bytes, &in->cap, (size_t)st.st_size + 2, 1, e);
    while (!rc && got) {
        if ((rc = hop_grow(&in->bytes, &in->cap, in->n + (in->n < 65536 ? 65536 : 2), 1, e)) ||
            (wait && (rc = wait(arg, fd, e))))
            break;
        room = in->cap - in->n - 1;
        got = read(fd, in->bytes + in->n, room < READ_BYTES ? room : READ_BYTES);
        if (got < 0 && errno != EINTR && (errno != EAGAIN || !wait))
            rc = hop_fail_errno(e, where, NULL, "cannot read");
        in->n += got > 0 ? (size_t)got : 0;
        if (!rc && in->n > max_bytes)
            rc = hop_fail(e, HOP_EFORMAT, where, NULL, "longer than %zu bytes", max_bytes);
        if (!rc && got > 0)
            digest_some(in, &at, d);
    }
    if (d)
        hop_digest_end(d, in->digest);
    if (!rc)
        in->bytes[in->n] = '\0';
    return rc;
}

/* ---- 3 parsing ---- */

struct private_ {
    struct hop_json *header;
};

static int
bad(struct hop_err *e, const char *where, size_t at, const char *hint, const char *what)
{
    char place[640];

    snprintf(place, sizeof place, "%s@%zu", where, at);
    return hop_fail(e, HOP_EFORMAT, place, hint, "%s", what);
}

static int
bad_tensor(struct hop_err *e, const char *where, const char *name, const char *what)
{
    return hop_fail(e, HOP_EFORMAT, where, "the file is damaged or not a safetensors file",
                    "tensor \"%.100s\": %s", name, what);
}

static int
read_tensor(const char *name, const struct hop_json *v, const uint8_t *data, size_t n_data,
            const char *where, struct hop_tensor *t, struct hop_err *e)
{
    const char *dtype = hop_json_str(hop_json_get(v, "dtype"));
    const struct hop_json *shape = hop_json_get(v, "shape"), *off = hop_json_get(v, "data_offsets");
    size_t i, n_dims = hop_json_len(shape), bytes = 0;
    int64_t d, begin, end;
    const struct hop_json *x;

    if (hop_json_kind(v) != HOP_JSON_OBJECT || hop_json_len(v) != 3 || !dtype ||
        hop_json_kind(shape) != HOP_JSON_ARRAY || hop_json_kind(off) != HOP_JSON_ARRAY ||
        hop_json_len(off) != 2)
        return bad_tensor(e, where, name, "needs dtype, shape, data_offsets and nothing else");
    for (i = 0; i < HOP_LEN(dtypes) && strcmp(dtype, dtypes[i].name); i++)
        ;
    if (i == HOP_LEN(dtypes))
        return bad_tensor(e, where, name, "unknown dtype");
    if (n_dims > HOP_MAX_DIMS)
        return bad_tensor(e, where, name, "more than 8 dimensions");
    t->name = name;
    t->dtype = dtypes[i].dtype;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s", dtype);
    t->n_dims = (int)n_dims;
    bytes = dtypes[i].bytes;
    for (i = 0; i < n_dims; i++) {
        x = hop_json_at(shape, i);
        d = hop_json_int(x);
        if (hop_json_kind(x) != HOP_JSON_INT || d < 0)
            return bad_tensor(e, where, name, "a dimension is not a whole number");
        t->dims[i] = d;
        if (d && bytes > SIZE_MAX / 2 / (size_t)d)
            return bad_tensor(e, where, name, "the shape is too large");
        bytes *= (size_t)d;
    }
    if (hop_json_kind(hop_json_at(off, 0)) != HOP_JSON_INT ||
        hop_json_kind(hop_json_at(off, 1)) != HOP_JSON_INT)
        return bad_tensor(e, where, name, "data_offsets are not whole numbers");
    begin = hop_json_int(hop_json_at(off, 0));
    end = hop_json_int(hop_json_at(off, 1));
    if (begin < 0 || end < begin || (uint64_t)end > n_data)
        return bad_tensor(e, where, name, "data_offsets lie outside the file");
    if ((size_t)(end - begin) != bytes)
        return bad_tensor(e, where, name, "dtype and shape do not match data_offsets");
    t->data = data + begin;
    t->n_bytes = bytes;
    return HOP_OK;
}

static int
by_place(const void *a, const void *b)
{
    const struct hop_tensor *x = a, *y = b;

    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

/* All members of the header into st; then: no overlap, no hole. */
static int
index_header(struct hop_st *st, const struct hop_json *header, const char *where,
             struct hop_err *e)
{
    const struct hop_json *v, *meta = hop_json_get(header, "__metadata__");
    const uint8_t *at = st->data;
    void *it;
    size_t i;
    int rc;

    if (meta && hop_json_kind(meta) != HOP_JSON_OBJECT)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "__metadata__ is %s, should be an object",
                        hop_json_kind_name(meta));
    st->tensors = hop_alloc(hop_json_len(header), sizeof *st->tensors, e);
    st->meta = hop_alloc(hop_json_len(meta), sizeof *st->meta, e);
    if (!st->tensors || !st->meta)
        return HOP_ENOMEM;
    for (it = hop_json_first(meta); it; it = hop_json_next(meta, it)) {
        v = hop_json_it_value(it);
        if (!hop_json_str(v))
            return hop_fail(e, HOP_EFORMAT, where, NULL, "metadata \"%.100s\" is not a string",
                            hop_json_it_key(it));
        st->meta[st->n_meta].key = hop_json_it_key(it);
        st->meta[st->n_meta++].value = hop_json_str(v);
    }
    for (it = hop_json_first(header); it; it = hop_json_next(header, it)) {
        v = hop_json_it_value(it);
        if (v == meta)
            continue;
        if ((rc = read_tensor(hop_json_it_key(it), v, st->data, st->n_data_bytes, where,
                              &st->tensors[st->n_tensors], e)))
            return rc;
        st->n_tensors++;
    }
    qsort(st->tensors, st->n_tensors, sizeof *st->tensors, by_place);
    for (i = 0; i < st->n_tensors; i++) {
        if ((const uint8_t *)st->tensors[i].data != at)
            return bad_tensor(e, where, st->tensors[i].name,
                              (const uint8_t *)st->tensors[i].data < at
                                  ? "overlaps the tensor before it"
                                  : "leaves a hole after the tensor before it");
        at += st->tensors[i].n_bytes;
    }
    if (at != (const uint8_t *)st->data + st->n_data_bytes)
        return bad(e, where, (size_t)(at - (const uint8_t *)st->data), NULL,
                   "bytes of the data area belong to no tensor");
    return HOP_OK;
}

static int
check_header_digest(const char *text, size_t n, const char *want, const char *where,
                    struct hop_err *e)
{
    char hex[HOP_DIGEST_LEN + 1], *copy, *place;
    int rc = HOP_OK;

    copy = hop_alloc(n + 1, 1, e);
    if (!copy)
        return HOP_ENOMEM;
    memcpy(copy, text, n);
    place = header_digest_place(copy, n);
    if (place) {
        memset(place, '0', HOP_DIGEST_LEN);
        hop_digest_of(copy, n, hex);
    }
    if (!place || strcmp(hex, want))
        rc = bad(e, where, 8, "the file was altered; make or fetch it again",
                 "the header does not match its digest hop.header");
    free(copy);
    return rc;
}

/* known: the data area's digest, where it was made before. */
static int
parse(const void *bytes, size_t n, const char *where, bool want_data_digest, const char *known,
      struct hop_st *st, struct hop_err *e)
{
    const uint8_t *p = bytes;
    struct private_ *pr;
    struct hop_map map = st->map;
    const char *digest;
    char hex[HOP_DIGEST_LEN + 1];
    uint64_t n_header;
    int rc;

    *st = (struct hop_st){.map = map};
    if (n < 8)
        return bad(e, where, n, "the file was cut", "ends inside the 8-byte header length");
    n_header = hop_get_le64(p);
    if (n_header > MAX_HEADER_BYTES)
        return bad(e, where, 0, "is this a safetensors file?", "impossible header length");
    if (n_header > n - 8)
        return bad(e, where, n, "the file was cut", "ends inside the header");
    if (n_header == 0 || p[8] != '{')
        return bad(e, where, 8, "is this a safetensors file?", "the header is not a JSON object");
    if (!(pr = hop_alloc(1, sizeof *pr, e)))
        return HOP_ENOMEM;
    st->private_ = pr;
    st->data = p + 8 + n_header;
    st->n_data_bytes = n - 8 - (size_t)n_header;
    rc = hop_json_parse((const char *)p + 8, (size_t)n_header, where, &pr->header, e);
    if (!rc)
        rc = index_header(st, pr->header, where, e);
    if (!rc && (digest = hop_st_meta(st, "hop.header")))
        rc = check_header_digest((const char *)p + 8, (size_t)n_header, digest, where, e);
    if (!rc && want_data_digest && (digest = hop_st_meta(st, "hop.digest"))) {
        if (!known)
            hop_digest_of(st->data, st->n_data_bytes, hex);
        if (strcmp(known ? known : hex, digest))
            rc = bad(e, where, 8 + (size_t)n_header, "the file was altered; make or fetch it again",
                     "the data from this byte on do not match their digest hop.digest");
    }
    if (rc) {
        st->map = (struct hop_map){0};
        hop_st_close(st);
    }
    return rc;
}

int
hop_st_parse(const void *bytes, size_t n, const char *where, bool want_data_digest,
             struct hop_st *st, struct hop_err *e)
{
    return parse(bytes, n, where, want_data_digest, NULL, st, e);
}

int
hop_st_parse_input(const struct hop_st_input *in, const char *where, struct hop_st *st,
                   struct hop_err *e)
{
    *st = (struct hop_st){0};
    return parse(in->bytes, in->n, where, true, in->digest, st, e);
}

int
hop_st_open(const char *path, bool want_data_digest, struct hop_st *st, struct hop_err *e)
{
    struct hop_map map;
    int rc;

    *st = (struct hop_st){0};
    if ((rc = hop_map_open(path, &map, e)))
        return rc;
    st->map = map;
    if ((rc = hop_st_parse(map.bytes, map.n_bytes, path, want_data_digest, st, e)))
        hop_map_close(&map);
    return rc;
}

void
hop_st_close(struct hop_st *st)
{
    struct private_ *pr = st->private_;

    if (pr)
        hop_json_free(pr->header);
    free(pr);
    free(st->tensors);
    free(st->meta);
    hop_map_close(&st->map);
    *st = (struct hop_st){0};
}

const struct hop_tensor *
hop_st_find(const struct hop_st *st, const char *name)
{
    size_t i;

    for (i = 0; i < st->n_tensors; i++)
        if (!strcmp(st->tensors[i].name, name))
            return &st->tensors[i];
    return NULL;
}

const char *
hop_st_meta(const struct hop_st *st, const char *key)
{
    size_t i;

    for (i = 0; i < st->n_meta; i++)
        if (!strcmp(st->meta[i].key, key))
            return st->meta[i].value;
    return NULL;
}

/* ---- 4 writing ---- */

static struct hop_json *
header_json(const struct hop_tensor *tensors, size_t n_tensors, const struct hop_meta *meta,
            size_t n_meta, const char *digest)
{
    struct hop_json *o = hop_json_object(), *m = hop_json_object(), *t, *a;
    int64_t at = 0;
    size_t i;
    int k;

    hop_json_set_str(m, "hop.digest", digest);
    hop_json_set_str(m, "hop.header", "00000000000000000000000000000000");
    for (i = 0; i < n_meta; i++)
        hop_json_set_str(m, meta[i].key, meta[i].value);
    hop_json_set(o, "__metadata__", m);
    for (i = 0; i < n_tensors; i++) {
        t = hop_json_object();
        hop_json_set_str(t, "dtype", tensors[i].dtype_name);
        a = hop_json_array();
        for (k = 0; k < tensors[i].n_dims; k++)
            hop_json_push(a, hop_json_new_int(tensors[i].dims[k]));
        hop_json_set(t, "shape", a);
        a = hop_json_array();
        hop_json_push(a, hop_json_new_int(at));
        at += (int64_t)tensors[i].n_bytes;
        hop_json_push(a, hop_json_new_int(at));
        hop_json_set(t, "data_offsets", a);
        hop_json_set(o, tensors[i].name, t);
    }
    return o;
}

int
hop_st_header(const struct hop_tensor *tensors, size_t n_tensors, const struct hop_meta *meta,
              size_t n_meta, const char *digest, char **out, size_t *n_out, struct hop_err *e)
{
    struct hop_str s = {0};
    struct hop_json *o = header_json(tensors, n_tensors, meta, n_meta, digest);
    char hex[HOP_DIGEST_LEN + 1], *place;
    int rc;

    *out = NULL;
    hop_str_add_n(&s, "\0\0\0\0\0\0\0\0", 8);
    rc = hop_json_dump(o, &s, e);
    hop_json_free(o);
    while (s.n % ALIGN_BYTES && !s.is_oom)
        hop_str_add(&s, " ");
    if (rc || (rc = hop_str_check(&s, e))) {
        hop_str_clear(&s);
        return rc;
    }
    hop_put_le64(s.s, s.n - 8);
    place = header_digest_place(s.s + 8, s.n - 8);
    HOP_BUG_ON(!place);
    hop_digest_of(s.s + 8, s.n - 8, hex);
    memcpy(place, hex, HOP_DIGEST_LEN);
    *out = s.s;
    *n_out = s.n;
    return HOP_OK;
}

int
hop_st_write_known(int fd, const char *where, const struct hop_tensor *tensors, size_t n_tensors,
                   const struct hop_meta *meta, size_t n_meta, const char *digest,
                   struct hop_err *e)
{
    char *header;
    size_t i, n;
    int rc;

    if ((rc = hop_st_header(tensors, n_tensors, meta, n_meta, digest, &header, &n, e)))
        return rc;
    rc = hop_write_fd(fd, where, header, n, e);
    free(header);
    for (i = 0; i < n_tensors && !rc; i++)
        rc = hop_write_fd(fd, where, tensors[i].data, tensors[i].n_bytes, e);
    return rc;
}

int
hop_st_write(int fd, const char *where, const struct hop_tensor *tensors, size_t n_tensors,
             const struct hop_meta *meta, size_t n_meta, struct hop_err *e)
{
    struct hop_digest *d = hop_digest_new(e);
    char hex[HOP_DIGEST_LEN + 1];
    size_t i;

    if (!d)
        return HOP_ENOMEM;
    for (i = 0; i < n_tensors; i++)
        hop_digest_add(d, tensors[i].data, tensors[i].n_bytes);
    hop_digest_end(d, hex);
    return hop_st_write_known(fd, where, tensors, n_tensors, meta, n_meta, hex, e);
}

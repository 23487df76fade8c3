#include "format/shard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Contents: 1 dataset information, 2 reading a shard */

/* ---- 1 dataset information ---- */

static bool
is_digest(const char *s)
{
    return strlen(s) == HOP_DIGEST_LEN && strspn(s, "0123456789abcdef") == HOP_DIGEST_LEN;
}

/* Names of classes or targets: *n grows with what is in *names. */
static int
read_names(const struct hop_json *a, const char *key, const char *where, char ***names,
           int64_t *n, struct hop_err *e)
{
    size_t i, len = hop_json_len(a);
    const char *name;

    if (hop_json_kind(a) != HOP_JSON_ARRAY || len == 0 || len > HOP_MAX_CLASSES)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "%s: not an array of 1 to %d names", key,
                        HOP_MAX_CLASSES);
    if (!(*names = hop_alloc(len, sizeof **names, e)))
        return HOP_ENOMEM;
    for (i = 0; i < len; i++) {
        if (!(name = hop_json_str(hop_json_at(a, i))))
            return hop_fail(e, HOP_EFORMAT, where, NULL, "%s: name %zu is %s", key, i,
                            hop_json_kind_name(hop_json_at(a, i)));
        if (!((*names)[i] = hop_dup(name, e)))
            return HOP_ENOMEM;
        *n = (int64_t)i + 1;
    }
    return HOP_OK;
}

/* How many train examples each class has, where that is known. */
static int
read_per_class(const struct hop_json *a, const char *where, struct hop_dataset_info *d,
               struct hop_err *e)
{
    int64_t i;

    if (hop_json_kind(a) == HOP_JSON_NULL)
        return HOP_OK;
    if (hop_json_kind(a) != HOP_JSON_ARRAY || hop_json_len(a) != (size_t)d->n_classes)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "per_class: not an array of %lld numbers",
                        (long long)d->n_classes);
    if (!(d->per_class = hop_alloc((size_t)d->n_classes, sizeof *d->per_class, e)))
        return HOP_ENOMEM;
    for (i = 0; i < d->n_classes; i++) {
        d->per_class[i] = hop_json_int(hop_json_at(a, (size_t)i));
        if (hop_json_kind(hop_json_at(a, (size_t)i)) != HOP_JSON_INT || d->per_class[i] < 0 ||
            d->per_class[i] > (int64_t)1e15)
            return hop_fail(e, HOP_EFORMAT, where, NULL, "per_class: number %lld is impossible",
                            (long long)i);
    }
    return HOP_OK;
}

/* Names of a table's columns, where they are known. */
static int
read_columns(const struct hop_json *a, const char *where, struct hop_dataset_info *d,
             struct hop_err *e)
{
    int rc;

    if (hop_json_kind(a) == HOP_JSON_NULL)
        return HOP_OK;
    if ((rc = read_names(a, "columns", where, &d->columns, &d->n_columns, e)))
        return rc;
    if (d->n_dims != 1 || d->n_columns != d->n_channels)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "columns: %lld names for %lld columns",
                        (long long)d->n_columns, (long long)(d->n_dims == 1 ? d->n_channels : 0));
    return HOP_OK;
}

/* Classes with their counts, or targets; exactly one of them. */
static int
read_labels(const struct hop_json *classes, const struct hop_json *per_class,
            const struct hop_json *targets, const char *where, struct hop_dataset_info *d,
            struct hop_err *e)
{
    int rc;

    if (targets && classes)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "has both classes and targets");
    if (targets)
        return read_names(targets, "targets", where, &d->targets, &d->n_targets, e);
    rc = read_names(classes, "classes", where, &d->classes, &d->n_classes, e);
    return rc ? rc : read_per_class(per_class, where, d, e);
}

/* An array of exactly n finite numbers, none below `min`. */
static int
read_floats(const struct hop_json *a, const char *key, int64_t n, double min, const char *where,
            float **out, struct hop_err *e)
{
    const struct hop_json *v;
    enum hop_json_kind kind;
    int64_t i;

    if (hop_json_kind(a) != HOP_JSON_ARRAY || hop_json_len(a) != (size_t)n)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "%s: not an array of %lld numbers", key,
                        (long long)n);
    if (!(*out = hop_alloc((size_t)n, sizeof **out, e)))
        return HOP_ENOMEM;
    for (i = 0; i < n; i++) {
        v = hop_json_at(a, (size_t)i);
        kind = hop_json_kind(v);
        (*out)[i] = (float)hop_json_real(v);
        if ((kind != HOP_JSON_INT && kind != HOP_JSON_REAL) || !isfinite((*out)[i]) ||
            (*out)[i] < min)
            return hop_fail(e, HOP_EFORMAT, where, NULL, "%s: number %lld is impossible", key,
                            (long long)i);
    }
    return HOP_OK;
}

/* n_dims, dims and is_u8 are set: check them and set n_channels. */
static int
check_shape(struct hop_dataset_info *d, const char *where, struct hop_err *e)
{
    int64_t n = 1;
    int i;

    if (d->n_dims != (d->is_u8 ? 3 : 1))
        return hop_fail(e, HOP_EFORMAT, where, NULL,
                        "an example has %d dimensions (pictures have 3, table rows 1)", d->n_dims);
    for (i = 0; i < d->n_dims; i++) {
        if (d->dims[i] < 1 || d->dims[i] > INT32_MAX || n > INT32_MAX / d->dims[i])
            return hop_fail(e, HOP_EFORMAT, where, NULL, "dimension %lld is impossible",
                            (long long)d->dims[i]);
        n *= d->dims[i];
    }
    d->n_channels = d->dims[d->n_dims - 1];
    return HOP_OK;
}

static int
set_digest(struct hop_dataset_info *d, const char *digest, const char *where, struct hop_err *e)
{
    if (!is_digest(digest))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "dataset \"%.40s\" is not a digest", digest);
    memcpy(d->dataset, digest, HOP_DIGEST_LEN + 1);
    return HOP_OK;
}

static struct hop_json *
floats_json(const float *v, int64_t n)
{
    struct hop_json *a = hop_json_array();
    int64_t i;

    for (i = 0; i < n; i++)
        hop_json_push(a, hop_json_new_real(v[i]));
    return a;
}

static struct hop_json *
names_json(char *const *names, int64_t n)
{
    struct hop_json *a = hop_json_array();
    int64_t i;

    for (i = 0; i < n; i++)
        hop_json_push(a, hop_json_new_str(names[i]));
    return a;
}

struct hop_json *
hop_dataset_info_json(const struct hop_dataset_info *d)
{
    struct hop_json *o = hop_json_object(), *a = hop_json_array();
    int64_t i;

    hop_json_set_str(o, "dataset", d->dataset);
    for (i = 0; i < d->n_dims; i++)
        hop_json_push(a, hop_json_new_int(d->dims[i]));
    hop_json_set(o, "shape", a);
    hop_json_set_str(o, "dtype", d->is_u8 ? "U8" : "F32");
    if (d->n_targets)
        hop_json_set(o, "targets", names_json(d->targets, d->n_targets));
    else
        hop_json_set(o, "classes", names_json(d->classes, d->n_classes));
    if (d->n_columns)
        hop_json_set(o, "columns", names_json(d->columns, d->n_columns));
    if (d->per_class) {
        a = hop_json_array();
        for (i = 0; i < d->n_classes; i++)
            hop_json_push(a, hop_json_new_int(d->per_class[i]));
        hop_json_set(o, "per_class", a);
    }
    hop_json_set(o, "mean", floats_json(d->mean, d->n_channels));
    hop_json_set(o, "std", floats_json(d->std, d->n_channels));
    return o;
}

int
hop_dataset_info_parse(const struct hop_json *j, const char *where, struct hop_dataset_info *d,
                       struct hop_err *e)
{
    const struct hop_json *shape = hop_json_get(j, "shape");
    const char *digest = NULL, *dtype = NULL;
    size_t i, n_dims = hop_json_len(shape);
    int rc;

    *d = (struct hop_dataset_info){0};
    if (hop_json_kind(j) != HOP_JSON_OBJECT)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "the dataset is %s, should be an object",
                        hop_json_kind_name(j));
    if ((rc = hop_json_get_str(j, "dataset", true, where, &digest, e)) ||
        (rc = hop_json_get_str(j, "dtype", true, where, &dtype, e)) ||
        (rc = set_digest(d, digest, where, e)))
        return rc;
    d->is_u8 = !strcmp(dtype, "U8");
    if (!d->is_u8 && strcmp(dtype, "F32"))
        return hop_fail(e, HOP_EFORMAT, where, "U8 or F32", "unknown dtype \"%.40s\"", dtype);
    if (hop_json_kind(shape) != HOP_JSON_ARRAY || n_dims > HOP_LEN(d->dims))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "shape: not an array of 1 or 3 numbers");
    d->n_dims = (int)n_dims;
    for (i = 0; i < n_dims; i++)
        d->dims[i] = hop_json_int(hop_json_at(shape, i));
    if (!(rc = check_shape(d, where, e)) &&
        !(rc = read_labels(hop_json_get(j, "classes"), hop_json_get(j, "per_class"),
                           hop_json_get(j, "targets"), where, d, e)) &&
        !(rc = read_columns(hop_json_get(j, "columns"), where, d, e)) &&
        !(rc = read_floats(hop_json_get(j, "mean"), "mean", d->n_channels, -INFINITY, where,
                           &d->mean, e)))
        rc = read_floats(hop_json_get(j, "std"), "std", d->n_channels, 0, where, &d->std, e);
    if (rc)
        hop_dataset_info_clear(d);
    return rc;
}

void
hop_dataset_info_clear(struct hop_dataset_info *d)
{
    int64_t i;

    for (i = 0; i < d->n_classes; i++)
        free(d->classes[i]);
    for (i = 0; i < d->n_targets; i++)
        free(d->targets[i]);
    for (i = 0; i < d->n_columns; i++)
        free(d->columns[i]);
    free(d->classes);
    free(d->targets);
    free(d->columns);
    free(d->per_class);
    free(d->mean);
    free(d->std);
    *d = (struct hop_dataset_info){0};
}

/* ---- 2 reading a shard ---- */

/* The metadata string of `key`, needed. */
static int
meta_text(const struct hop_shard *s, const char *key, const char *where, const char **out,
          struct hop_err *e)
{
    *out = hop_st_meta(&s->st, key);
    if (!*out)
        return hop_fail(e, HOP_EFORMAT, where, "is this a shard made by hop-shard?",
                        "metadata \"%s\" is missing", key);
    return HOP_OK;
}

/* A metadata string that holds JSON; the caller frees *out. */
static int
meta_json(const struct hop_shard *s, const char *key, const char *where, struct hop_json **out,
          struct hop_err *e)
{
    const char *text;
    char place[700];
    int rc;

    *out = NULL;
    if ((rc = meta_text(s, key, where, &text, e)))
        return rc;
    snprintf(place, sizeof place, "%s: %s", where, key);
    return hop_json_parse(text, strlen(text), place, out, e);
}

static int
meta_int(const struct hop_shard *s, const char *key, int64_t min, const char *where, int64_t *out,
         struct hop_err *e)
{
    struct hop_json *j;
    int rc = meta_json(s, key, where, &j, e);

    if (rc)
        return rc;
    *out = hop_json_int(j);
    if (hop_json_kind(j) != HOP_JSON_INT || *out < min || *out > INT32_MAX)
        rc = hop_fail(e, HOP_EFORMAT, where, NULL, "metadata \"%s\" is impossible", key);
    hop_json_free(j);
    return rc;
}

/* Kind, split and number. */
static int
read_place(struct hop_shard *s, const char *where, struct hop_err *e)
{
    const char *kind, *split, *dummy;
    int rc;

    if ((rc = meta_text(s, "hop.kind", where, &kind, e)))
        return rc;
    if (strcmp(kind, "shard/1"))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "this is a \"%.40s\", not a \"shard/1\"",
                        kind);
    /* Without its digests a file could change unseen, so a shard must have both. */
    if ((rc = meta_text(s, "hop.digest", where, &dummy, e)) ||
        (rc = meta_text(s, "hop.header", where, &dummy, e)) ||
        (rc = meta_text(s, "hop.split", where, &split, e)) ||
        (rc = meta_int(s, "hop.index", 0, where, &s->index, e)) ||
        (rc = meta_int(s, "hop.count", 1, where, &s->count, e)))
        return rc;
    if (strcmp(split, "train") && strcmp(split, "val"))
        return hop_fail(e, HOP_EFORMAT, where, "train or val", "unknown split \"%.40s\"", split);
    if (s->index >= s->count)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "this is shard %lld of only %lld",
                        (long long)s->index, (long long)s->count);
    snprintf(s->split, sizeof s->split, "%s", split);
    snprintf(s->name, sizeof s->name, "%s-%03lld", split, (long long)s->index);
    return HOP_OK;
}

/* x, y and the shape of an example. */
static int
read_tensors(struct hop_shard *s, const char *where, struct hop_err *e)
{
    const struct hop_tensor *x = hop_st_find(&s->st, "x"), *y = hop_st_find(&s->st, "y");
    int i;

    if (!x || !y)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "tensor \"%s\" is missing", x ? "y" : "x");
    if (!(x->dtype == HOP_U8 && x->n_dims == 4) && !(x->dtype == HOP_F32 && x->n_dims == 2))
        return hop_fail(
            e, HOP_EFORMAT, where, NULL,
            "tensor \"x\" is %s with %d dimensions, should be U8 [N,H,W,C] or F32 [N,D]",
            x->dtype_name, x->n_dims);
    if (!(y->dtype == HOP_I32 && y->n_dims == 1) && !(y->dtype == HOP_F32 && y->n_dims == 2))
        return hop_fail(e, HOP_EFORMAT, where, NULL,
                        "tensor \"y\" is %s with %d dimensions, should be I32 [N] or F32 [N,K]",
                        y->dtype_name, y->n_dims);
    if (x->dims[0] != y->dims[0] || x->dims[0] < 1)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "%lld examples in \"x\", %lld in \"y\"",
                        (long long)x->dims[0], (long long)y->dims[0]);
    if ((uintptr_t)y->data % 4 || (x->dtype == HOP_F32 && (uintptr_t)x->data % 4))
        return hop_fail(e, HOP_EFORMAT, where, "make it again with hop-shard",
                        "the data are not aligned to 4 bytes");
    s->n = x->dims[0];
    s->x = x->data;
    if (y->dtype == HOP_I32)
        s->y = y->data;
    else
        s->t = y->data;
    s->info.is_u8 = x->dtype == HOP_U8;
    s->info.n_dims = x->n_dims - 1;
    for (i = 0; i < s->info.n_dims; i++)
        s->info.dims[i] = x->dims[i + 1];
    return check_shape(&s->info, where, e);
}

/* What the tensor y holds, and the columns of x. */
static int
read_y_info(struct hop_shard *s, const char *where, struct hop_err *e)
{
    struct hop_json *names = NULL, *per_class = NULL, *columns = NULL;
    int rc = meta_json(s, s->t ? "hop.targets" : "hop.classes", where, &names, e);

    if (!rc && s->y && hop_st_meta(&s->st, "hop.per_class"))
        rc = meta_json(s, "hop.per_class", where, &per_class, e);
    if (!rc)
        rc = read_labels(s->y ? names : NULL, per_class, s->t ? names : NULL, where, &s->info, e);
    if (!rc && s->t && hop_st_find(&s->st, "y")->dims[1] != s->info.n_targets)
        rc = hop_fail(e, HOP_EFORMAT, where, NULL, "%lld numbers in a row of \"y\", %lld targets",
                      (long long)hop_st_find(&s->st, "y")->dims[1], (long long)s->info.n_targets);
    if (!rc && hop_st_meta(&s->st, "hop.columns") &&
        !(rc = meta_json(s, "hop.columns", where, &columns, e)))
        rc = read_columns(columns, where, &s->info, e);
    hop_json_free(names);
    hop_json_free(columns);
    hop_json_free(per_class);
    return rc;
}

static int
read_info(struct hop_shard *s, const char *where, struct hop_err *e)
{
    struct hop_dataset_info *d = &s->info;
    struct hop_json *mean = NULL, *std = NULL;
    const char *digest;
    int rc;

    if (!(rc = meta_text(s, "hop.dataset", where, &digest, e)) &&
        !(rc = set_digest(d, digest, where, e)) && !(rc = read_y_info(s, where, e)) &&
        !(rc = meta_json(s, "hop.mean", where, &mean, e)) &&
        !(rc = read_floats(mean, "hop.mean", d->n_channels, -INFINITY, where, &d->mean, e)) &&
        !(rc = meta_json(s, "hop.std", where, &std, e)))
        rc = read_floats(std, "hop.std", d->n_channels, 0, where, &d->std, e);
    hop_json_free(mean);
    hop_json_free(std);
    return rc;
}

static int
check_labels(const struct hop_shard *s, const char *where, struct hop_err *e)
{
    char place[700];
    int64_t i;

    for (i = 0; s->t && i < s->n * s->info.n_targets; i++) {
        if (isfinite(s->t[i]))
            continue;
        snprintf(place, sizeof place, "%s@%zu", where,
                 (size_t)((const uint8_t *)(s->t + i) - s->st.map.bytes));
        return hop_fail(e, HOP_EFORMAT, place, NULL, "target \"%.60s\" of example %lld is not finite",
                        s->info.targets[i % s->info.n_targets],
                        (long long)(i / s->info.n_targets));
    }
    for (i = 0; s->y && i < s->n; i++) {
        if (s->y[i] >= 0 && s->y[i] < s->info.n_classes)
            continue;
        snprintf(place, sizeof place, "%s@%zu", where,
                 (size_t)((const uint8_t *)(s->y + i) - s->st.map.bytes));
        return hop_fail(e, HOP_EFORMAT, place, NULL,
                        "example %lld has class %d, but there are %lld classes", (long long)i,
                        (int)s->y[i], (long long)s->info.n_classes);
    }
    return HOP_OK;
}

static int
open_shard(const char *path, bool want_all, struct hop_shard *s, struct hop_err *e)
{
    int rc;

    *s = (struct hop_shard){0};
    if ((rc = hop_st_open(path, want_all, &s->st, e)))
        return rc;
    if (!(rc = read_place(s, path, e)) && !(rc = read_tensors(s, path, e)) &&
        !(rc = read_info(s, path, e)) && want_all)
        rc = check_labels(s, path, e);
    if (rc)
        hop_shard_close(s);
    return rc;
}

int
hop_shard_open(const char *path, struct hop_shard *s, struct hop_err *e)
{
    return open_shard(path, true, s, e);
}

int
hop_shard_peek(const char *path, struct hop_shard *s, struct hop_err *e)
{
    return open_shard(path, false, s, e);
}

void
hop_shard_close(struct hop_shard *s)
{
    hop_dataset_info_clear(&s->info);
    hop_st_close(&s->st);
    *s = (struct hop_shard){0};
}

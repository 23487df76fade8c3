#include "net/param.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { MAX_DEPTH = 64, MAX_REPEATS = 1000, MAX_VALUES = 1000000 };

struct filler {
    const struct hop_json *config;
    const char *where;
    struct hop_str path; /* of the value being filled: "config.layers[2].config.units" */
    int depth;
    long n_values; /* written so far: repeats of repeats must end */
};

static int fail(const struct filler *f, const char *hint, struct hop_err *e, const char *fmt, ...)
    HOP_PRINTF(4, 5);

static int
fail(const struct filler *f, const char *hint, struct hop_err *e, const char *fmt, ...)
{
    char where[700], what[300];
    va_list ap;

    snprintf(where, sizeof where, "%.300s: %.300s", f->where, hop_str_c(&f->path));
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return hop_fail(e, HOP_EFORMAT, where, hint, "%s", what);
}

static bool
has_places(const struct hop_json *j, int depth)
{
    size_t i;
    void *it;

    if (depth > MAX_DEPTH)
        return true; /* hop_param_fill refuses it */
    for (it = hop_json_kind(j) == HOP_JSON_OBJECT ? hop_json_first(j) : NULL; it;
         it = hop_json_next(j, it))
        if (!strcmp(hop_json_it_key(it), "$param") || !strcmp(hop_json_it_key(it), "$repeat") ||
            has_places(hop_json_it_value(it), depth + 1))
            return true;
    for (i = 0; hop_json_kind(j) == HOP_JSON_ARRAY && i < hop_json_len(j); i++)
        if (has_places(hop_json_at(j, i), depth + 1))
            return true;
    return false;
}

static int
check_keys(const struct filler *f, const struct hop_json *j, const char *const *known,
           struct hop_err *e)
{
    size_t i;
    void *it;

    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        for (i = 0; known[i] && strcmp(known[i], hop_json_it_key(it)); i++)
            ;
        if (!known[i])
            return fail(f, NULL, e, "unknown key \"%.60s\"", hop_json_it_key(it));
    }
    return HOP_OK;
}

static bool
is_number(const struct hop_json *j)
{
    return hop_json_kind(j) == HOP_JSON_INT || hop_json_kind(j) == HOP_JSON_REAL;
}

/* {"$param":..} */
static int
fill_place(const struct filler *f, const struct hop_json *j, struct hop_json **out,
           struct hop_err *e)
{
    static const char *const known[] = {"$param", "default", "times", NULL};
    const char *name = hop_json_str(hop_json_get(j, "$param"));
    const struct hop_json *times = hop_json_get(j, "times"), *v;
    double product;
    int rc;

    if (!name)
        return fail(f, "{\"$param\":\"units\"}", e, "\"$param\" should be a name");
    if ((rc = check_keys(f, j, known, e)))
        return rc;
    if (!(v = hop_json_get(f->config, name)) && !(v = hop_json_get(j, "default")))
        return fail(f, "the space gives it, or the net a \"default\"", e,
                    "the config has no \"%.60s\"", name);
    if (!times) {
        *out = hop_json_copy(v);
        return HOP_OK;
    }
    if (!is_number(v) || !is_number(times))
        return fail(f, NULL, e, "\"%.60s\" and \"times\" should be numbers", name);
    product = hop_json_real(v) * hop_json_real(times);
    *out = hop_json_kind(v) == HOP_JSON_INT && product == floor(product) && fabs(product) < 9e15
               ? hop_json_new_int((int64_t)product)
               : hop_json_new_real(product);
    return HOP_OK;
}

/* The k-th time (from 1) a layer comes, it has another name. */
static void
rename_layer(struct hop_json *layer, long k)
{
    struct hop_json *config;
    const char *name = hop_json_str(hop_json_get(layer, "name"));
    struct hop_str s = {0};

    if (name) {
        hop_str_addf(&s, "%s_%ld", name, k);
        hop_json_set_str(layer, "name", hop_str_c(&s));
    }
    name = hop_json_str(hop_json_get(hop_json_get(layer, "config"), "name"));
    if (name) {
        s.n = 0;
        hop_str_addf(&s, "%s_%ld", name, k);
        config = hop_json_copy(hop_json_get(layer, "config"));
        hop_json_set_str(config, "name", hop_str_c(&s));
        hop_json_set(layer, "config", config);
    }
    hop_str_clear(&s);
}

static int fill(struct filler *f, const struct hop_json *j, struct hop_json **out,
                struct hop_err *e);

/* The value below the present one, called `key` or numbered i. */
static int
fill_below(struct filler *f, const char *key, size_t i, const struct hop_json *j,
           struct hop_json **out, struct hop_err *e)
{
    size_t n = f->path.n;
    int rc;

    if (key)
        hop_str_addf(&f->path, "%s%s", n ? "." : "", key);
    else
        hop_str_addf(&f->path, "[%zu]", i);
    rc = hop_str_check(&f->path, e);
    if (!rc)
        rc = fill(f, j, out, e);
    if (!rc) { /* else it says where */
        f->path.n = n;
        f->path.s[n] = 0;
    }
    return rc;
}

static int
read_times(struct filler *f, const struct hop_json *j, long *out, struct hop_err *e)
{
    struct hop_json *n = NULL;
    int rc = fill_below(f, "$repeat", 0, hop_json_get(j, "$repeat"), &n, e);
    double v = hop_json_kind(n) == HOP_JSON_BOOL ? hop_json_bool(n) : hop_json_real(n);

    if (!rc && ((hop_json_kind(n) != HOP_JSON_BOOL && !is_number(n)) || v < 0 || v > MAX_REPEATS ||
                v != floor(v)))
        rc = fail(f, NULL, e, "\"$repeat\" should be a whole number from 0 to 1000");
    hop_json_free(n);
    *out = rc ? 0 : (long)v;
    return rc;
}

/* {"$repeat":..} among the items of a list. */
static int
repeat(struct filler *f, const struct hop_json *j, struct hop_json *list, struct hop_err *e)
{
    static const char *const known[] = {"$repeat", "layers", NULL};
    const struct hop_json *layers = hop_json_get(j, "layers");
    struct hop_json *part, *item;
    size_t i;
    long n, k;
    int rc;

    if ((rc = check_keys(f, j, known, e)) || (rc = read_times(f, j, &n, e)))
        return rc;
    if (hop_json_kind(layers) != HOP_JSON_ARRAY)
        return fail(f, NULL, e, "\"layers\" should be a list");
    for (k = 1; k <= n; k++) {
        if ((rc = fill_below(f, "layers", 0, layers, &part, e)))
            return rc;
        for (i = 0; i < hop_json_len(part); i++) {
            item = hop_json_copy(hop_json_at(part, i));
            if (hop_json_kind(item) == HOP_JSON_OBJECT)
                rename_layer(item, k);
            hop_json_push(list, item);
        }
        hop_json_free(part);
    }
    return HOP_OK;
}

static int
fill_list(struct filler *f, const struct hop_json *j, struct hop_json *out, struct hop_err *e)
{
    struct hop_json *one;
    size_t i, n = f->path.n;
    int rc;

    for (i = 0; i < hop_json_len(j); i++) {
        const struct hop_json *item = hop_json_at(j, i);

        if (hop_json_kind(item) == HOP_JSON_OBJECT && hop_json_get(item, "$repeat")) {
            hop_str_addf(&f->path, "[%zu]", i);
            if ((rc = hop_str_check(&f->path, e)) || (rc = repeat(f, item, out, e)))
                return rc;
            f->path.n = n;
            f->path.s[n] = 0;
        } else {
            if ((rc = fill_below(f, NULL, i, item, &one, e)))
                return rc;
            hop_json_push(out, one);
        }
    }
    return HOP_OK;
}

static int
fill_members(struct filler *f, const struct hop_json *j, struct hop_json *out, struct hop_err *e)
{
    struct hop_json *one;
    void *it;
    int rc;

    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        if ((rc = fill_below(f, hop_json_it_key(it), 0, hop_json_it_value(it), &one, e)))
            return rc;
        hop_json_set(out, hop_json_it_key(it), one);
    }
    return HOP_OK;
}

static int
fill(struct filler *f, const struct hop_json *j, struct hop_json **out, struct hop_err *e)
{
    enum hop_json_kind kind = hop_json_kind(j);
    int rc = HOP_OK;

    *out = NULL;
    if (++f->depth > MAX_DEPTH || ++f->n_values > MAX_VALUES)
        return fail(f, NULL, e, "the net nests too deep, or repeats too often");
    if (kind == HOP_JSON_OBJECT && hop_json_get(j, "$repeat")) {
        rc = fail(f, NULL, e, "\"$repeat\" belongs into a list");
    } else if (kind == HOP_JSON_OBJECT && hop_json_get(j, "$param")) {
        rc = fill_place(f, j, out, e);
    } else if (kind == HOP_JSON_OBJECT) {
        *out = hop_json_object();
        rc = fill_members(f, j, *out, e);
    } else if (kind == HOP_JSON_ARRAY) {
        *out = hop_json_array();
        rc = fill_list(f, j, *out, e);
    } else {
        *out = hop_json_copy(j);
    }
    f->depth--;
    if (rc) {
        hop_json_free(*out);
        *out = NULL;
    }
    return rc;
}

int
hop_param_fill(struct hop_json **architecture, const struct hop_json *config, const char *where,
               struct hop_err *e)
{
    struct filler f = {.config = config, .where = where};
    struct hop_json *filled;
    int rc;

    if (!has_places(*architecture, 0))
        return HOP_OK;
    rc = fill(&f, *architecture, &filled, e);
    hop_str_clear(&f.path);
    if (rc)
        return rc;
    hop_json_free(*architecture);
    *architecture = filled;
    return HOP_OK;
}

/* NNI: {"lr":{"_type":"loguniform","_value":[1e-4,0.1]}}. Bounds are values; randint's upper one is
 * not drawn; quniform rounds to multiples of q; a choice may hold {"_name":..} with a space of its
 * own. Source: NNI, docs/source/hpo/search_space.rst. */
#include <string.h>

#include "search/import.h"

enum { MAX_DEPTH = 16 };

static bool
is_nni(const struct hop_json *j)
{
    const struct hop_json *first = hop_json_it_value(hop_json_first(j));

    return hop_json_len(j) && hop_json_str(hop_json_get(first, "_type"));
}

static int read_space(const struct hop_json *j, const struct hop_import_at *at, int depth,
                      struct hop_json *space, struct hop_err *e);

static int
read_choice(const struct hop_json *values, const struct hop_import_at *at, int depth,
            struct hop_json **out, struct hop_err *e)
{
    const struct hop_json *v;
    struct hop_json *branch, *list;
    struct hop_import_at below;
    size_t i;
    int rc = HOP_OK;

    if (hop_json_kind(values) != HOP_JSON_ARRAY || !hop_json_len(values))
        return hop_import_fail(at, NULL, e, "\"_value\" should be a list of choices");
    list = hop_json_array();
    for (i = 0; i < hop_json_len(values) && !rc; i++) {
        v = hop_json_at(values, i);
        if (hop_json_kind(v) != HOP_JSON_OBJECT) {
            hop_json_push(list, hop_json_copy(v));
            continue;
        }
        below = hop_import_below(at, NULL, i);
        branch = hop_json_object();
        rc = read_space(v, &below, depth + 1, branch, e);
        hop_json_push(list, branch);
    }
    *out = rc ? NULL : hop_import_choice(list, NULL);
    /* One branch alone is still a branch. */
    if (!rc && hop_json_kind(*out) == HOP_JSON_OBJECT && hop_json_get(*out, "_name")) {
        hop_json_free(*out);
        *out = hop_json_copy(list);
    }
    hop_json_free(list);
    return rc;
}

static int
read_bounds(const struct hop_json *values, size_t n, const struct hop_import_at *at, double *b,
            struct hop_err *e)
{
    size_t i;
    int rc;

    if (hop_json_kind(values) != HOP_JSON_ARRAY || hop_json_len(values) != n)
        return hop_import_fail(at, NULL, e, "\"_value\" should be a list of %zu numbers", n);
    for (i = 0; i < n; i++)
        if ((rc = hop_import_number(hop_json_at(values, i), "a bound", at, &b[i], e)))
            return rc;
    if (b[0] > b[1])
        return hop_import_fail(at, NULL, e, "low %.9g > high %.9g", b[0], b[1]);
    return HOP_OK;
}

static int
read_one(const struct hop_json *j, const struct hop_import_at *at, int depth,
         struct hop_json **out, struct hop_err *e)
{
    const char *type = hop_json_str(hop_json_get(j, "_type"));
    const struct hop_json *values = hop_json_get(j, "_value");
    bool is_q;
    double b[3];
    int rc;

    if (!type)
        return hop_import_fail(at, NULL, e, "\"_type\" is missing");
    if (!strcmp(type, "choice"))
        return read_choice(values, at, depth, out, e);
    is_q = type[0] == 'q';
    if (strcmp(type + is_q, "uniform") && strcmp(type + is_q, "loguniform") && strcmp(type, "randint"))
        return hop_import_fail(at, "choice, uniform, loguniform, quniform, qloguniform, randint", e,
                               "\"%.60s\" has no counterpart", type);
    if ((rc = read_bounds(values, is_q ? 3 : 2, at, b, e)))
        return rc;
    if (is_q)
        return hop_import_multiples(type + 1, b[0], b[1], b[2], at, out, e);
    if (strcmp(type, "randint"))
        *out = hop_import_range(type, b[0], b[1], 0);
    else if (b[0] < b[1])
        *out = hop_import_range("int", b[0], b[1] - 1, 0);
    else
        return hop_import_fail(at, "the upper bound of randint is not drawn", e,
                               "there is no number from %.9g to below %.9g", b[0], b[1]);
    return HOP_OK;
}

static int
read_space(const struct hop_json *j, const struct hop_import_at *at, int depth,
           struct hop_json *space, struct hop_err *e)
{
    struct hop_import_at below;
    struct hop_json *one = NULL;
    const char *key;
    void *it;
    int rc;

    if (depth > MAX_DEPTH)
        return hop_import_fail(at, NULL, e, "choices nest too deep");
    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        key = hop_json_it_key(it);
        below = hop_import_below(at, key, 0);
        if (depth && !strcmp(key, "_name"))
            one = hop_json_copy(hop_json_it_value(it));
        else if ((rc = read_one(hop_json_it_value(it), &below, depth, &one, e)))
            return rc;
        hop_json_set(space, key, one);
    }
    return HOP_OK;
}

static int
read_nni(const struct hop_json *j, const char *where, struct hop_json *space, struct hop_err *e)
{
    struct hop_import_at at = {.file = where};

    return read_space(j, &at, 0, space, e);
}

const struct hop_importer hop_import_nni = {"nni", "NNI's search_space.json", is_nni, read_nni};

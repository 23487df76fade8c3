/* Optuna's distributions, as its JSON has them, the long form {"name":"FloatDistribution",
 * "attributes":{"low","high","log","step"}} and the short one {"type":"float","low",...}; and the
 * names of before 3.0. Bounds are values and included, steps begin at low.
 * Source: optuna/distributions.py (json_to_distribution). */
#include <string.h>

#include "search/import.h"

/* What is not said by these names, members say. */
static const struct kind {
    const char *name;
    enum { FLOAT, INT, CATEGORICAL } of;
    bool is_log;
} kinds[] = {{"float", FLOAT, false},
             {"int", INT, false},
             {"categorical", CATEGORICAL, false},
             {"FloatDistribution", FLOAT, false},
             {"IntDistribution", INT, false},
             {"CategoricalDistribution", CATEGORICAL, false},
             {"UniformDistribution", FLOAT, false},
             {"LogUniformDistribution", FLOAT, true},
             {"DiscreteUniformDistribution", FLOAT, false},
             {"IntUniformDistribution", INT, false},
             {"IntLogUniformDistribution", INT, true}};

static const struct kind *
kind_of(const char *name)
{
    size_t i;

    for (i = 0; name && i < HOP_LEN(kinds); i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    return NULL;
}

/* Ours have a type "int", too, but neither "log" nor "step". */
static bool
is_optuna(const struct hop_json *j)
{
    const struct hop_json *v;
    const char *type;
    void *it;

    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        v = hop_json_it_value(it);
        type = hop_json_str(hop_json_get(v, "type"));
        if (kind_of(hop_json_str(hop_json_get(v, "name"))) && hop_json_get(v, "attributes"))
            return true;
        if (type && (!strcmp(type, "float") || !strcmp(type, "categorical") ||
                     (!strcmp(type, "int") && (hop_json_get(v, "log") || hop_json_get(v, "step")))))
            return true;
    }
    return false;
}

static int
read_range(const struct hop_json *a, const struct kind *kind, const struct hop_import_at *at,
           struct hop_json **out, struct hop_err *e)
{
    bool is_log = kind->is_log || hop_json_bool(hop_json_get(a, "log"));
    const struct hop_json *step = hop_json_get(a, "step");
    double low, high, q = 0;
    int rc;

    if (!step || hop_json_kind(step) == HOP_JSON_NULL)
        step = hop_json_get(a, "q");
    if ((rc = hop_import_number(hop_json_get(a, "low"), "\"low\"", at, &low, e)) ||
        (rc = hop_import_number(hop_json_get(a, "high"), "\"high\"", at, &high, e)) ||
        (step && (rc = hop_import_number(step, "\"step\"", at, &q, e))))
        return rc;
    if (low > high)
        return hop_import_fail(at, NULL, e, "low %.9g > high %.9g", low, high);
    if (is_log && q > 0 && kind->of == FLOAT)
        return hop_import_fail(at, NULL, e, "\"step\" and \"log\" exclude each other");
    *out = hop_import_range(kind->of == INT ? is_log ? "logint" : "int"
                            : is_log ? "loguniform" : "uniform",
                            low, high, q > high - low ? 0 : q);
    /* A step beyond high leaves low alone. */
    if (q > high - low && low < high) {
        hop_json_free(*out);
        *out = hop_import_range(kind->of == INT ? "int" : "uniform", low, low, 0);
    }
    return HOP_OK;
}

static int
read_one(const struct hop_json *j, const struct hop_import_at *at, struct hop_json **out,
         struct hop_err *e)
{
    const struct hop_json *a = hop_json_get(j, "attributes");
    const char *name = hop_json_str(hop_json_get(j, a ? "name" : "type"));
    const struct kind *kind = kind_of(name);
    const struct hop_json *choices;

    if (!kind)
        return hop_import_fail(at, "float, int or categorical", e, "\"%.60s\" is no distribution",
                               name ? name : "");
    if (!a)
        a = j;
    if (kind->of != CATEGORICAL)
        return read_range(a, kind, at, out, e);
    choices = hop_json_get(a, "choices");
    if (hop_json_kind(choices) != HOP_JSON_ARRAY || !hop_json_len(choices))
        return hop_import_fail(at, NULL, e, "\"choices\" should be a list that is not empty");
    *out = hop_import_choice(choices, NULL);
    return HOP_OK;
}

static int
read_optuna(const struct hop_json *j, const char *where, struct hop_json *space, struct hop_err *e)
{
    struct hop_import_at at = {.file = where}, below;
    struct hop_json *one = NULL;
    void *it;
    int rc;

    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        below = hop_import_below(&at, hop_json_it_key(it), 0);
        if ((rc = read_one(hop_json_it_value(it), &below, &one, e)))
            return rc;
        hop_json_set(space, hop_json_it_key(it), one);
    }
    return HOP_OK;
}

const struct hop_importer hop_import_optuna = {"optuna", "Optuna's distributions", is_optuna,
                                               read_optuna};

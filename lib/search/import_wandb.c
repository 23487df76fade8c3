/* Weights & Biases sweeps, as JSON: {"method":..,"metric":..,"parameters":{"lr":{"distribution":
 * "log_uniform_values","min":1e-4,"max":0.1},"batch_size":{"values":[32,64]}}}. Bounds of log_uniform
 * are exponents of e, those of log_uniform_values are values; q_... round to multiples of q; nested
 * parameters are called OUTER.INNER. Source: wandb/sweeps, src/sweeps/config/schema.json. */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "search/import.h"

enum { MAX_DEPTH = 16 };

static const struct row {
    const char *name, *ours;
    bool is_q, is_exponent;
} rows[] = {{"uniform", "uniform", false, false},
            {"q_uniform", "uniform", true, false},
            {"int_uniform", "int", false, false},
            {"log_uniform", "loguniform", false, true},
            {"log_uniform_values", "loguniform", false, false},
            {"q_log_uniform", "loguniform", true, true},
            {"q_log_uniform_values", "loguniform", true, false}};

/* Ours may have a dimension called parameters, but that says its type. */
static bool
is_wandb(const struct hop_json *j)
{
    const struct hop_json *p = hop_json_get(j, "parameters");

    return hop_json_kind(p) == HOP_JSON_OBJECT && !hop_json_str(hop_json_get(p, "type"));
}

static bool
is_int(const struct hop_json *j)
{
    return hop_json_kind(j) == HOP_JSON_INT;
}

static int
read_range(const struct hop_json *j, const char *name, const struct hop_import_at *at,
           struct hop_json **out, struct hop_err *e)
{
    const struct hop_json *min = hop_json_get(j, "min"), *max = hop_json_get(j, "max");
    const struct hop_json *q = hop_json_get(j, "q");
    double low, high, step = 1;
    size_t i;
    int rc;

    if (!name)
        name = is_int(min) && is_int(max) ? "int_uniform" : "uniform";
    for (i = 0; i < HOP_LEN(rows) && strcmp(rows[i].name, name); i++)
        ;
    if (i == HOP_LEN(rows))
        return hop_import_fail(at, "constant, categorical, uniform, int_uniform, log_uniform, "
                               "log_uniform_values, and q_ of these", e,
                               "\"%.60s\" has no counterpart", name);
    if ((rc = hop_import_number(min, "\"min\"", at, &low, e)) ||
        (rc = hop_import_number(max, "\"max\"", at, &high, e)) ||
        (rows[i].is_q && q && (rc = hop_import_number(q, "\"q\"", at, &step, e))))
        return rc;
    if (low > high)
        return hop_import_fail(at, NULL, e, "low %.9g > high %.9g", low, high);
    if (rows[i].is_exponent) {
        low = exp(low);
        high = exp(high);
    }
    if (rows[i].is_q)
        return hop_import_multiples(rows[i].ours, low, high, step, at, out, e);
    *out = hop_import_range(rows[i].ours, low, high, 0);
    return HOP_OK;
}

static int
read_one(const struct hop_json *j, const struct hop_import_at *at, struct hop_json **out,
         struct hop_err *e)
{
    const char *name = hop_json_str(hop_json_get(j, "distribution"));
    const struct hop_json *values = hop_json_get(j, "values");

    if (hop_json_get(j, "value")) {
        *out = hop_json_copy(hop_json_get(j, "value"));
        return HOP_OK;
    }
    if (!values && (!name || strncmp(name, "categorical", 11)))
        return read_range(j, name, at, out, e);
    if (hop_json_kind(values) != HOP_JSON_ARRAY || !hop_json_len(values))
        return hop_import_fail(at, NULL, e, "\"values\" should be a list that is not empty");
    *out = hop_import_choice(values, hop_json_get(j, "probabilities"));
    return HOP_OK;
}

static int
read_parameters(const struct hop_json *j, const char *prefix, const struct hop_import_at *at,
                int depth, struct hop_json *space, struct hop_err *e)
{
    struct hop_import_at below;
    struct hop_str key = {0};
    struct hop_json *one = NULL;
    const struct hop_json *v, *inner;
    void *it;
    int rc = HOP_OK;

    if (depth > MAX_DEPTH)
        return hop_import_fail(at, NULL, e, "parameters nest too deep");
    for (it = hop_json_first(j); it && !rc; it = hop_json_next(j, it)) {
        v = hop_json_it_value(it);
        key.n = 0;
        hop_str_addf(&key, "%s%s", prefix, hop_json_it_key(it));
        below = hop_import_below(at, hop_json_it_key(it), 0);
        inner = hop_json_get(v, "parameters");
        if ((rc = hop_str_check(&key, e)))
            break;
        if (hop_json_kind(inner) == HOP_JSON_OBJECT) {
            hop_str_add(&key, ".");
            rc = read_parameters(inner, hop_str_c(&key), &below, depth + 1, space, e);
        } else if (hop_json_kind(v) != HOP_JSON_OBJECT) {
            rc = hop_import_fail(&below, "{\"value\":3}", e, "this is %s, should be an object",
                                 hop_json_kind_name(v));
        } else if (!(rc = read_one(v, &below, &one, e))) {
            hop_json_set(space, hop_str_c(&key), one);
        }
    }
    hop_str_clear(&key);
    return rc;
}

static int
read_wandb(const struct hop_json *j, const char *where, struct hop_json *space, struct hop_err *e)
{
    struct hop_import_at at = {.file = where}, below = hop_import_below(&at, "parameters", 0);
    const struct hop_json *p = hop_json_get(j, "parameters");

    if (hop_json_kind(p) != HOP_JSON_OBJECT)
        return hop_import_fail(&at, NULL, e, "\"parameters\" is missing");
    return read_parameters(p, "", &below, 0, space, e);
}

const struct hop_importer hop_import_wandb = {"wandb", "a Weights & Biases sweep, as JSON", is_wandb,
                                              read_wandb};

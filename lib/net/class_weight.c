#include "net/class_weight.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int
check_weight(const struct hop_json *v, const char *where, struct hop_err *e)
{
    bool is_number = hop_json_kind(v) == HOP_JSON_INT || hop_json_kind(v) == HOP_JSON_REAL;
    double w = hop_json_real(v);

    if (!is_number || !(w >= 0) || !isfinite((float)w))
        return hop_fail(e, HOP_EFORMAT, where, "numbers from 0 up",
                        "class_weight: %s is no weight",
                        is_number ? "a number under 0 or without end" : hop_json_kind_name(v));
    return HOP_OK;
}

int
hop_class_weight_check(const struct hop_json *config, const char *where, struct hop_err *e)
{
    const struct hop_json *j = hop_json_get(config, "class_weight");
    const char *text = hop_json_str(j);
    size_t i;
    void *it;
    int rc = HOP_OK;

    switch (hop_json_kind(j)) {
    case HOP_JSON_NULL:
        return HOP_OK;
    case HOP_JSON_ARRAY:
        for (i = 0; i < hop_json_len(j) && !rc; i++)
            rc = check_weight(hop_json_at(j, i), where, e);
        return rc;
    case HOP_JSON_OBJECT:
        for (it = hop_json_first(j); it && !rc; it = hop_json_next(j, it))
            rc = check_weight(hop_json_it_value(it), where, e);
        return rc;
    default:
        if (text && !strcmp(text, "balanced"))
            return HOP_OK;
        return hop_fail(e, HOP_EFORMAT, where,
                        "\"balanced\", an array by class, or an object by name",
                        "class_weight is %s", text ? "another word" : hop_json_kind_name(j));
    }
}

static int
balance(const struct hop_dataset_info *d, const char *where, float *out, struct hop_err *e)
{
    double n = 0, k = (double)d->n_classes;
    int64_t c;

    if (!d->per_class)
        return hop_fail(e, HOP_EFORMAT, where, "make the shards again with hop-shard",
                        "class_weight \"balanced\" needs hop.per_class, which these shards lack");
    for (c = 0; c < d->n_classes; c++)
        n += (double)d->per_class[c];
    for (c = 0; c < d->n_classes; c++)
        out[c] = d->per_class[c] ? (float)(n / (k * (double)d->per_class[c])) : 0.0f;
    return HOP_OK;
}

static int
by_name(const struct hop_json *j, const struct hop_dataset_info *d, const char *where, float *out,
        struct hop_err *e)
{
    const char *name;
    int64_t c;
    void *it;

    for (c = 0; c < d->n_classes; c++)
        out[c] = 1;
    for (it = hop_json_first(j); it; it = hop_json_next(j, it)) {
        name = hop_json_it_key(it);
        for (c = 0; c < d->n_classes && strcmp(name, d->classes[c]); c++)
            ;
        if (c == d->n_classes)
            return hop_fail(e, HOP_EFORMAT, where, NULL,
                            "class_weight: the data have no class \"%.100s\"", name);
        out[c] = (float)hop_json_real(hop_json_it_value(it));
    }
    return HOP_OK;
}

int
hop_class_weight_read(const struct hop_json *config, const struct hop_dataset_info *d,
                      const char *where, float **out, struct hop_err *e)
{
    const struct hop_json *j = hop_json_get(config, "class_weight");
    int64_t c;
    int rc = HOP_OK;

    *out = NULL;
    if (hop_json_kind(j) == HOP_JSON_NULL)
        return HOP_OK;
    if (!d->n_classes)
        return hop_fail(e, HOP_EFORMAT, where, NULL,
                        "class_weight needs classes, the data have targets");
    if (hop_json_kind(j) == HOP_JSON_ARRAY && (int64_t)hop_json_len(j) != d->n_classes)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "class_weight has %zu weights for %lld classes",
                        hop_json_len(j), (long long)d->n_classes);
    if (!(*out = hop_alloc_floats((size_t)d->n_classes, e)))
        return HOP_ENOMEM;
    if (hop_json_str(j))
        rc = balance(d, where, *out, e);
    else if (hop_json_kind(j) == HOP_JSON_OBJECT)
        rc = by_name(j, d, where, *out, e);
    else
        for (c = 0; c < d->n_classes; c++)
            (*out)[c] = (float)hop_json_real(hop_json_at(j, (size_t)c));
    if (rc) {
        free(*out);
        *out = NULL;
    }
    return rc;
}

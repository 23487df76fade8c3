/* Normalization: y = (x - mean) / max(sqrt(variance), 1e-7), per channel or for all.
 *
 * Kept as y = x * scale + offset (struct hop_rescaling). Keras writes mean and variance into the
 * JSON only when they were given to the constructor; adapted ones are weights and must be put in.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/layer.h"

static const char *const keys[] = {"axis", "mean", "variance", "invert", NULL};

/* "mean" may be 0.5, [0.1, 0.2] or [[[[0.1, 0.2]]]]. */
static const struct hop_json *
unwrap(const struct hop_json *v)
{
    while (hop_json_kind(v) == HOP_JSON_ARRAY && hop_json_len(v) == 1 &&
           hop_json_kind(hop_json_at(v, 0)) == HOP_JSON_ARRAY)
        v = hop_json_at(v, 0);
    return v;
}

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_rescaling *p = l->params;
    const struct hop_json *mean = unwrap(hop_json_get(c, "mean"));
    const struct hop_json *var = unwrap(hop_json_get(c, "variance"));
    const struct hop_json *m, *v;
    double sd;
    int64_t i;
    int rc = hop_layer_only(c, "invert", "false", where, e);

    if (rc)
        return rc;
    if (hop_json_kind(mean) == HOP_JSON_NULL || hop_json_kind(var) == HOP_JSON_NULL)
        return hop_fail(e, HOP_EFORMAT, where,
                        "write \"mean\" and \"variance\" into its config, or leave the layer out: "
                        "hop normalises by itself",
                        "has no mean and variance");
    p->n = hop_json_kind(mean) == HOP_JSON_ARRAY ? (int64_t)hop_json_len(mean) : 1;
    if (p->n < 1 || (p->n > 1 && (int64_t)hop_json_len(var) != p->n))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "mean and variance differ in length");
    if (!(p->scale = hop_alloc((size_t)p->n, sizeof(float), e)) ||
        !(p->offset = hop_alloc((size_t)p->n, sizeof(float), e)))
        return HOP_ENOMEM;
    for (i = 0; i < p->n; i++) {
        m = hop_json_kind(mean) == HOP_JSON_ARRAY ? hop_json_at(mean, (size_t)i) : mean;
        v = hop_json_kind(var) == HOP_JSON_ARRAY ? hop_json_at(var, (size_t)i) : var;
        if ((hop_json_kind(m) != HOP_JSON_INT && hop_json_kind(m) != HOP_JSON_REAL) ||
            (hop_json_kind(v) != HOP_JSON_INT && hop_json_kind(v) != HOP_JSON_REAL) ||
            hop_json_real(v) < 0)
            return hop_fail(e, HOP_EFORMAT, where, NULL, "mean or variance is not a number");
        sd = sqrt(hop_json_real(v));
        p->scale[i] = (float)(1.0 / (sd > 1e-7 ? sd : 1e-7));
        p->offset[i] = (float)(-hop_json_real(m) / (sd > 1e-7 ? sd : 1e-7));
    }
    return HOP_OK;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_rescaling *p = l->params;

    (void)net;
    l->out_shape = l->in_shape;
    l->flops = 2.0 * (double)hop_shape_len(&l->in_shape);
    if (p->n != 1 && p->n != l->in_shape.d[l->in_shape.n_dims - 1])
        return hop_fail(e, HOP_EFORMAT, where, NULL, "has %lld means for %lld channels",
                        (long long)p->n, (long long)l->in_shape.d[l->in_shape.n_dims - 1]);
    return HOP_OK;
}

static void
free_params(void *params)
{
    struct hop_rescaling *p = params;

    free(p->scale);
    free(p->offset);
}

const struct hop_layer_kind hop_layer_normalization = {
    "Normalization", NULL, "Rescaling", "normalization", keys, sizeof(struct hop_rescaling), parse, shape,
    free_params,
};

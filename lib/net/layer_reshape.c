/* Reshape: the same values in another shape; one size may be -1. */
#include "net/layer.h"

static const char *const keys[] = {"target_shape", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    size_t n = hop_json_len(hop_json_get(c, "target_shape"));

    (void)l;
    return n >= 1 && n <= 3 ? HOP_OK
                            : hop_fail(e, HOP_EFORMAT, where, "[h, w, c] or [n]",
                                       "\"target_shape\" has %zu numbers", n);
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_json *target = hop_json_get(l->config, "target_shape");
    int64_t known = 1, n = hop_shape_len(&l->in_shape), d;
    int i, open = -1;

    (void)net;
    l->out_shape.n_dims = (int)hop_json_len(target);
    for (i = 0; i < l->out_shape.n_dims; i++) {
        d = hop_json_int(hop_json_at(target, (size_t)i));
        if (d == -1 && open < 0)
            open = i;
        else if (d < 1 || d > n)
            return hop_fail(e, HOP_EFORMAT, where, NULL, "\"target_shape\" is no shape of %lld values",
                            (long long)n);
        else
            known *= d;
        l->out_shape.d[i] = d;
    }
    if (open >= 0)
        l->out_shape.d[open] = known ? n / known : 0;
    if (hop_shape_len(&l->out_shape) != n)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"target_shape\" is no shape of %lld values",
                        (long long)n);
    return HOP_OK;
}

const struct hop_layer_kind hop_layer_reshape = {
    "Reshape", NULL, "Flatten", "reshape", keys, 0, parse, shape, NULL,
};

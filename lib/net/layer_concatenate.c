/* Concatenate: its inputs side by side along the last axis. */
#include "net/layer.h"

static const char *const keys[] = {"axis", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    int64_t axis = -1;
    int rc = hop_json_get_int(c, "axis", false, -4, 4, where, &axis, e);

    if (!rc && axis != -1 && axis != l->in_shape.n_dims)
        rc = hop_fail(e, HOP_EFORMAT, where, "only the last, -1", "\"axis\" %lld is not supported",
                      (long long)axis);
    return rc;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    int last = l->in_shape.n_dims - 1, k, i;
    bool is_fitting;

    (void)net;
    l->out_shape = l->in_shape;
    for (k = 1; k < l->n_in; k++) {
        is_fitting = l->in_shapes[k].n_dims == l->in_shape.n_dims;
        for (i = 0; i < last && is_fitting; i++)
            is_fitting = l->in_shapes[k].d[i] == l->in_shape.d[i];
        if (!is_fitting)
            return hop_fail(e, HOP_EFORMAT, where, "all but the last axis must be equal",
                            "its inputs have shapes that do not fit");
        l->out_shape.d[last] += l->in_shapes[k].d[last];
    }
    return HOP_OK;
}

const struct hop_layer_kind hop_layer_concatenate = {
    "Concatenate", NULL, "Concatenate", "concatenate", keys, 0, parse, shape, NULL, true,
};

/* Flatten: [H,W,C] -> [H*W*C], channels last. */
#include "net/layer.h"

static const char *const keys[] = {"data_format", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    (void)c;
    (void)where;
    (void)l;
    (void)e;
    return HOP_OK;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    (void)net;
    (void)where;
    (void)e;
    l->out_shape = (struct hop_shape){1, {hop_shape_len(&l->in_shape)}};
    return HOP_OK;
}

const struct hop_layer_kind hop_layer_flatten = {
    "Flatten", NULL, "Flatten", "flatten", keys, 0, parse, shape, NULL,
};

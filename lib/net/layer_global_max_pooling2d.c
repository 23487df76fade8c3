/* GlobalMaxPooling2D: [H,W,C] -> [C]. */
#include "net/layer.h"

static const char *const keys[] = {"data_format", "keepdims", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    (void)l;
    return hop_layer_only(c, "keepdims", "false", where, e);
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    int rc = hop_layer_image(l, where, e);

    (void)net;
    l->out_shape = (struct hop_shape){1, {l->in_shape.d[2]}};
    l->flops = (double)hop_shape_len(&l->in_shape);
    return rc;
}

const struct hop_layer_kind hop_layer_global_max_pooling2d = {
    "GlobalMaxPooling2D", "GlobalMaxPool2D", "GlobalMaxPooling2D", "global_max_pooling2d", keys, 0, parse, shape,
    NULL,
};

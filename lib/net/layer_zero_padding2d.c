/* ZeroPadding2D: rows and columns of zeros around an image. */
#include "net/layer.h"

static const char *const keys[] = {"padding", "data_format", NULL};

/* 3, [3, 3] or [[top, bottom], [left, right]]. */
static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_zero_padding2d *p = l->params;
    int64_t *const out[2][2] = {{&p->top, &p->bottom}, {&p->left, &p->right}};
    const struct hop_json *v = hop_json_get(c, "padding"), *side, *x;
    size_t i, k;

    for (i = 0; i < 2; i++)
        for (k = 0; k < 2; k++) {
            side = hop_json_kind(v) == HOP_JSON_ARRAY ? hop_json_at(v, i) : v;
            x = hop_json_kind(side) == HOP_JSON_ARRAY ? hop_json_at(side, k) : side;
            if (v && (hop_json_kind(x) != HOP_JSON_INT || hop_json_int(x) < 0 ||
                      hop_json_int(x) > 1 << 16))
                return hop_fail(e, HOP_EFORMAT, where, "3, [3, 3] or [[top, bottom], [left, right]]",
                                "\"padding\" is no padding");
            *out[i][k] = v ? hop_json_int(x) : 1;
        }
    return HOP_OK;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_zero_padding2d *p = l->params;
    int rc = hop_layer_image(l, where, e);

    (void)net;
    l->out_shape = l->in_shape;
    l->out_shape.d[0] += p->top + p->bottom;
    l->out_shape.d[1] += p->left + p->right;
    return rc;
}

const struct hop_layer_kind hop_layer_zero_padding2d = {
    "ZeroPadding2D", NULL, "ZeroPadding2D", "zero_padding2d", keys,
    sizeof(struct hop_zero_padding2d), parse, shape, NULL,
};

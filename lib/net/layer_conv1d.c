/* Conv1D: Conv2D of an image of one row; also causal padding, all of it before the first value. */
#include "net/conv.h"

#include <string.h>

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    int64_t k[2] = {1, 0}, s[2] = {1, 1}, d[2] = {1, 1};
    int rc;

    if ((rc = hop_layer_size(c, "kernel_size", 0, where, &k[1], e)) ||
        (rc = hop_layer_size(c, "strides", 1, where, &s[1], e)) ||
        (rc = hop_layer_size(c, "dilation_rate", 1, where, &d[1], e)))
        return rc;
    return hop_conv_parse(c, where, l, k, s, d, e);
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    int64_t window = (p->kw - 1) * p->dilation_w + 1, before = 0;
    const char *padding = "";
    bool is_same = false;
    int rc;

    if ((rc = hop_layer_sequence(l, where, e)) ||
        (rc = hop_json_get_str(l->config, "padding", false, where, &padding, e)))
        return rc;
    if (!strcmp(padding, "causal"))
        before = window - 1;
    else if ((rc = hop_layer_padding(l->config, where, &is_same, e)))
        return rc;
    if ((rc = hop_layer_window(l->in_shape.d[0] + before, window, p->stride_w, is_same, where,
                               &l->out_shape.d[0], &p->pad_left, &p->pad_right, e)))
        return rc;
    p->pad_left += before;
    l->out_shape.n_dims = 2;
    return hop_conv_weights(net, l, where, e);
}

const struct hop_layer_kind hop_layer_conv1d = {
    "Conv1D", "Convolution1D", "Conv2D", "conv1d", hop_conv_keys, sizeof(struct hop_conv2d), parse,
    shape, NULL,
};

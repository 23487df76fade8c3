/* Conv2D: cross-correlation, channels last, strides or dilation, groups, same or valid padding. */
#include "net/conv.h"

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    int64_t k[2], s[2], d[2];
    int rc;

    if ((rc = hop_layer_pair(c, "kernel_size", 0, where, k, e)) ||
        (rc = hop_layer_pair(c, "strides", 1, where, s, e)) ||
        (rc = hop_layer_pair(c, "dilation_rate", 1, where, d, e)))
        return rc;
    return hop_conv_parse(c, where, l, k, s, d, e);
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    bool is_same;
    int rc;

    if ((rc = hop_layer_image(l, where, e)) ||
        (rc = hop_layer_padding(l->config, where, &is_same, e)) ||
        (rc = hop_conv2d_window(l, is_same, where, e)))
        return rc;
    return hop_conv_weights(net, l, where, e);
}

const struct hop_layer_kind hop_layer_conv2d = {
    "Conv2D", "Convolution2D", "Conv2D", "conv2d", hop_conv_keys, sizeof(struct hop_conv2d), parse,
    shape, NULL,
};

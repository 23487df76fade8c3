/* Conv2D: cross-correlation, channels last, strides, same or valid padding. */
#include "net/layer.h"

static const char *const keys[] = {
    "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups",
    "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
    "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    int64_t k[2], s[2], d[2];
    int rc;

    p->use_bias = true;
    if ((rc = hop_json_get_int(c, "filters", true, 1, 1 << 20, where, &p->filters, e)) ||
        (rc = hop_layer_pair(c, "kernel_size", 0, where, k, e)) ||
        (rc = hop_layer_pair(c, "strides", 1, where, s, e)) ||
        (rc = hop_layer_pair(c, "dilation_rate", 1, where, d, e)) ||
        (rc = hop_json_get_bool(c, "use_bias", false, where, &p->use_bias, e)) ||
        (rc = hop_layer_only(c, "groups", "1", where, e)) ||
        (rc = hop_layer_only(c, "bias_regularizer", "null", where, e)) ||
        (rc = hop_layer_only(c, "activity_regularizer", "null", where, e)) ||
        (rc = hop_layer_only(c, "kernel_constraint", "null", where, e)) ||
        (rc = hop_layer_only(c, "bias_constraint", "null", where, e)))
        return rc;
    if (!k[0])
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"kernel_size\" is missing");
    if (d[0] != 1 || d[1] != 1)
        return hop_fail(e, HOP_EFORMAT, where, "only 1", "\"dilation_rate\" is not supported");
    p->kh = k[0];
    p->kw = k[1];
    p->stride_h = s[0];
    p->stride_w = s[1];
    return HOP_OK;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    const struct hop_shape *in = &l->in_shape;
    struct hop_weight kernel = {.is_trainable = true}, bias = {.is_trainable = true};
    bool is_same;
    int rc;

    if ((rc = hop_layer_image(l, where, e)) ||
        (rc = hop_layer_padding(l->config, where, &is_same, e)) ||
        (rc = hop_layer_window(in->d[0], p->kh, p->stride_h, is_same, where, &l->out_shape.d[0],
                               &p->pad_top, &p->pad_bottom, e)) ||
        (rc = hop_layer_window(in->d[1], p->kw, p->stride_w, is_same, where, &l->out_shape.d[1],
                               &p->pad_left, &p->pad_right, e)) ||
        (rc = hop_layer_init(l->config, "kernel_initializer", "glorot_uniform", where, &kernel.init,
                             e)) ||
        (rc = hop_layer_init(l->config, "bias_initializer", "zeros", where, &bias.init, e)) ||
        (rc = hop_layer_l2(l->config, "kernel_regularizer", where, &kernel.l2, e)))
        return rc;
    l->out_shape.n_dims = 3;
    l->out_shape.d[2] = p->filters;
    kernel.shape = (struct hop_shape){4, {p->kh, p->kw, in->d[2], p->filters}};
    kernel.fan_in = p->kh * p->kw * in->d[2];
    kernel.fan_out = p->kh * p->kw * p->filters;
    bias.shape = (struct hop_shape){1, {p->filters}};
    bias.fan_in = bias.fan_out = p->filters;
    l->flops = 2.0 * (double)kernel.fan_in * (double)hop_shape_len(&l->out_shape);
    rc = hop_layer_weight(net, l, "kernel", &kernel, where, e);
    return rc || !p->use_bias ? rc : hop_layer_weight(net, l, "bias", &bias, where, e);
}

const struct hop_layer_kind hop_layer_conv2d = {
    "Conv2D", "Convolution2D", "conv2d", keys, sizeof(struct hop_conv2d), parse, shape, NULL,
};

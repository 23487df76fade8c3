/* Conv2D: cross-correlation, channels last, strides or dilation, groups, same or valid padding. */
#include "net/conv.h"

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
    p->groups = 1;
    if ((rc = hop_json_get_int(c, "filters", true, 1, 1 << 20, where, &p->filters, e)) ||
        (rc = hop_layer_pair(c, "kernel_size", 0, where, k, e)) ||
        (rc = hop_layer_pair(c, "strides", 1, where, s, e)) ||
        (rc = hop_layer_pair(c, "dilation_rate", 1, where, d, e)) ||
        (rc = hop_json_get_bool(c, "use_bias", false, where, &p->use_bias, e)) ||
        (rc = hop_json_get_int(c, "groups", false, 1, 1 << 20, where, &p->groups, e)) ||
        (rc = hop_layer_only(c, "activity_regularizer", "null", where, e)) ||
        (rc = hop_layer_only(c, "kernel_constraint", "null", where, e)) ||
        (rc = hop_layer_only(c, "bias_constraint", "null", where, e)))
        return rc;
    if (!k[0])
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"kernel_size\" is missing");
    p->dilation_h = d[0];
    p->dilation_w = d[1];
    if ((d[0] > 1 || d[1] > 1) && (s[0] > 1 || s[1] > 1))
        return hop_fail(e, HOP_EFORMAT, where, "one of them must be 1",
                        "has both strides and dilation_rate");
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
        (rc = hop_conv2d_window(l, is_same, where, e)) ||
        (rc = hop_layer_init(l->config, "kernel_initializer", "glorot_uniform", where, &kernel.init,
                             e)) ||
        (rc = hop_layer_init(l->config, "bias_initializer", "zeros", where, &bias.init, e)) ||
        (rc = hop_layer_reg(l->config, "kernel_regularizer", where, &kernel, e)) ||
        (rc = hop_layer_reg(l->config, "bias_regularizer", where, &bias, e)))
        return rc;
    if (in->d[2] % p->groups || p->filters % p->groups)
        return hop_fail(e, HOP_EFORMAT, where, "groups must divide channels and filters",
                        "%lld groups for %lld channels and %lld filters", (long long)p->groups,
                        (long long)in->d[2], (long long)p->filters);
    l->out_shape.d[2] = p->filters;
    kernel.shape = (struct hop_shape){4, {p->kh, p->kw, in->d[2] / p->groups, p->filters}};
    kernel.fan_in = p->kh * p->kw * in->d[2] / p->groups;
    kernel.fan_out = p->kh * p->kw * p->filters;
    bias.shape = (struct hop_shape){1, {p->filters}};
    bias.fan_in = bias.fan_out = p->filters;
    l->flops = 2.0 * (double)kernel.fan_in * (double)hop_shape_len(&l->out_shape);
    rc = hop_layer_weight(net, l, "kernel", &kernel, where, e);
    return rc || !p->use_bias ? rc : hop_layer_weight(net, l, "bias", &bias, where, e);
}

const struct hop_layer_kind hop_layer_conv2d = {
    "Conv2D", "Convolution2D", "Conv2D", "conv2d", keys, sizeof(struct hop_conv2d), parse, shape, NULL,
};

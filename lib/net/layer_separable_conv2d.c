/* SeparableConv2D: a depthwise convolution without bias, then an inner 1x1 convolution with
 * "pointwise_kernel" [1,1,C*m,filters] and the bias. */
#include "net/conv.h"

static const char *const keys[] = {
    "filters", "kernel_size", "strides", "padding", "depth_multiplier", "data_format",
    "dilation_rate", "groups", "activation", "use_bias", "depthwise_initializer",
    "pointwise_initializer", "bias_initializer", "depthwise_regularizer", "pointwise_regularizer",
    "bias_regularizer", "activity_regularizer", "depthwise_constraint", "pointwise_constraint",
    "bias_constraint", "kernel_initializer", "kernel_regularizer", "kernel_constraint", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                struct hop_err *e)
{
    int rc = hop_depthwise_parse(c, where, l, e);

    ((struct hop_conv2d *)l->params)->use_bias = false; /* it is the pointwise half's */
    return rc;
}

static int
parse_pointwise(const struct hop_json *c, const char *where, struct hop_layer *l,
                struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    int rc;

    *p = (struct hop_conv2d){.kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1,
                             .dilation_w = 1, .groups = 1, .use_bias = true};
    rc = hop_json_get_int(c, "filters", true, 1, 1 << 20, where, &p->filters, e);
    return rc ? rc : hop_json_get_bool(c, "use_bias", false, where, &p->use_bias, e);
}

static int
shape_pointwise(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    int64_t C = l->in_shape.d[2];
    struct hop_weight kernel = {.is_trainable = true, .shape = {4, {1, 1, C, p->filters}},
                                .fan_in = C, .fan_out = p->filters};
    int rc;

    if ((rc = hop_layer_init(l->config, "pointwise_initializer", "glorot_uniform", where,
                             &kernel.init, e)) ||
        (rc = hop_layer_reg(l->config, "pointwise_regularizer", where, &kernel, e)))
        return rc;
    l->out_shape = l->in_shape;
    l->out_shape.d[2] = p->filters;
    l->flops = 2.0 * (double)C * (double)hop_shape_len(&l->out_shape);
    rc = hop_layer_weight(net, l, "pointwise_kernel", &kernel, where, e);
    return rc || !p->use_bias ? rc : hop_conv_bias(net, l, p->filters, where, e);
}

static const struct hop_layer_kind pointwise = {
    "Pointwise", NULL, "Conv2D", "pointwise", keys, sizeof(struct hop_conv2d),
    parse_pointwise, shape_pointwise, NULL,
};

const struct hop_layer_kind hop_layer_separable_conv2d = {
    "SeparableConv2D", "SeparableConvolution2D", "Conv2D", "separable_conv2d", keys,
    sizeof(struct hop_conv2d), parse,
    hop_depthwise_shape, NULL, false, &pointwise,
};

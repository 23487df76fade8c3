#include "net/conv.h"

const char *const hop_conv_keys[] = {
    "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups",
    "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
    "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint", NULL};

int
hop_conv_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
               const int64_t k[2], const int64_t s[2], const int64_t d[2], struct hop_err *e)
{
    static const char *const refused[] = {"activity_regularizer", "kernel_constraint",
                                          "bias_constraint"};
    struct hop_conv2d *p = l->params;
    size_t i;
    int rc;

    *p = (struct hop_conv2d){.kh = k[0], .kw = k[1], .stride_h = s[0], .stride_w = s[1],
                             .dilation_h = d[0], .dilation_w = d[1], .groups = 1,
                             .use_bias = true};
    if ((rc = hop_json_get_int(c, "filters", true, 1, 1 << 20, where, &p->filters, e)) ||
        (rc = hop_json_get_bool(c, "use_bias", false, where, &p->use_bias, e)) ||
        (rc = hop_json_get_int(c, "groups", false, 1, 1 << 20, where, &p->groups, e)))
        return rc;
    for (i = 0; i < HOP_LEN(refused); i++)
        if ((rc = hop_layer_only(c, refused[i], "null", where, e)))
            return rc;
    if (!k[1])
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"kernel_size\" is missing");
    if ((d[0] > 1 || d[1] > 1) && (s[0] > 1 || s[1] > 1))
        return hop_fail(e, HOP_EFORMAT, where, "one of them must be 1",
                        "has both strides and dilation_rate");
    return HOP_OK;
}

int
hop_conv_weights(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    int last = l->out_shape.n_dims - 1;
    int64_t C = l->in_shape.d[last];
    struct hop_weight kernel = {.is_trainable = true};
    int rc;

    if ((rc = hop_layer_init(l->config, "kernel_initializer", "glorot_uniform", where, &kernel.init,
                             e)) ||
        (rc = hop_layer_reg(l->config, "kernel_regularizer", where, &kernel, e)))
        return rc;
    if (C % p->groups || p->filters % p->groups)
        return hop_fail(e, HOP_EFORMAT, where, "groups must divide channels and filters",
                        "%lld groups for %lld channels and %lld filters", (long long)p->groups,
                        (long long)C, (long long)p->filters);
    l->out_shape.d[last] = p->filters;
    kernel.shape = last == 1 ? (struct hop_shape){3, {p->kw, C / p->groups, p->filters}}
                             : (struct hop_shape){4, {p->kh, p->kw, C / p->groups, p->filters}};
    kernel.fan_in = p->kh * p->kw * C / p->groups;
    kernel.fan_out = p->kh * p->kw * p->filters;
    l->flops = 2.0 * (double)kernel.fan_in * (double)hop_shape_len(&l->out_shape);
    rc = hop_layer_weight(net, l, "kernel", &kernel, where, e);
    return rc || !p->use_bias ? rc : hop_conv_bias(net, l, p->filters, where, e);
}

int
hop_conv2d_window(struct hop_layer *l, bool is_same, const char *where, struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    int64_t h = (p->kh - 1) * p->dilation_h + 1, w = (p->kw - 1) * p->dilation_w + 1;
    int rc;

    l->out_shape.n_dims = 3;
    if ((rc = hop_layer_window(l->in_shape.d[0], h, p->stride_h, is_same, where,
                               &l->out_shape.d[0], &p->pad_top, &p->pad_bottom, e)))
        return rc;
    return hop_layer_window(l->in_shape.d[1], w, p->stride_w, is_same, where, &l->out_shape.d[1],
                            &p->pad_left, &p->pad_right, e);
}

int
hop_depthwise_parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    static const char *const refused[] = {"activity_regularizer", "depthwise_constraint",
                                          "pointwise_constraint", "bias_constraint"};
    struct hop_conv2d *p = l->params;
    int64_t k[2], s[2], d[2];
    size_t i;
    int rc;

    p->use_bias = true;
    p->filters = 1;
    if ((rc = hop_json_get_int(c, "depth_multiplier", false, 1, 1 << 10, where, &p->filters, e)) ||
        (rc = hop_layer_pair(c, "kernel_size", 0, where, k, e)) ||
        (rc = hop_layer_pair(c, "strides", 1, where, s, e)) ||
        (rc = hop_layer_pair(c, "dilation_rate", 1, where, d, e)) ||
        (rc = hop_json_get_bool(c, "use_bias", false, where, &p->use_bias, e)))
        return rc;
    for (i = 0; i < HOP_LEN(refused); i++)
        if ((rc = hop_layer_only(c, refused[i], "null", where, e)))
            return rc;
    if (!k[0])
        return hop_fail(e, HOP_EFORMAT, where, NULL, "\"kernel_size\" is missing");
    *p = (struct hop_conv2d){.filters = p->filters, .kh = k[0], .kw = k[1], .stride_h = s[0],
                             .stride_w = s[1], .dilation_h = d[0], .dilation_w = d[1],
                             .groups = 1, .use_bias = p->use_bias};
    return HOP_OK;
}

int
hop_conv_bias(struct hop_net *net, struct hop_layer *l, int64_t n, const char *where,
         struct hop_err *e)
{
    struct hop_weight bias = {.is_trainable = true, .shape = {1, {n}}, .fan_in = n, .fan_out = n};
    int rc = hop_layer_init(l->config, "bias_initializer", "zeros", where, &bias.init, e);

    if (!rc)
        rc = hop_layer_reg(l->config, "bias_regularizer", where, &bias, e);
    return rc ? rc : hop_layer_weight(net, l, "bias", &bias, where, e);
}

int
hop_depthwise_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    struct hop_conv2d *p = l->params;
    int64_t C = l->in_shape.d[2], m = p->filters;
    struct hop_weight kernel = {.is_trainable = true};
    bool is_same;
    int rc;

    if ((rc = hop_layer_image(l, where, e)) ||
        (rc = hop_layer_padding(l->config, where, &is_same, e)) ||
        (rc = hop_conv2d_window(l, is_same, where, e)) ||
        (rc = hop_layer_init(l->config, "depthwise_initializer", "glorot_uniform", where,
                             &kernel.init, e)) ||
        (rc = hop_layer_reg(l->config, "depthwise_regularizer", where, &kernel, e)))
        return rc;
    p->filters = C * m;
    p->groups = C;
    l->out_shape.d[2] = C * m;
    kernel.shape = (struct hop_shape){4, {p->kh, p->kw, C, m}};
    kernel.fan_in = p->kh * p->kw * C; /* as Keras counts: the kernel's last two axes */
    kernel.fan_out = p->kh * p->kw * m;
    l->flops = 2.0 * (double)(p->kh * p->kw) * (double)hop_shape_len(&l->out_shape);
    rc = hop_layer_weight(net, l, "depthwise_kernel", &kernel, where, e);
    return rc || !p->use_bias ? rc : hop_conv_bias(net, l, C * m, where, e);
}

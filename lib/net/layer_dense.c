/* Dense: y = x W + b. */
#include "net/layer.h"

static const char *const keys[] = {
    "units", "activation", "use_bias", "kernel_initializer", "bias_initializer",
    "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
    "bias_constraint", "lora_rank", "quantization_config", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_dense *p = l->params;
    int rc;

    p->use_bias = true;
    if ((rc = hop_json_get_int(c, "units", true, 1, 1 << 24, where, &p->units, e)) ||
        (rc = hop_json_get_bool(c, "use_bias", false, where, &p->use_bias, e)) ||
        (rc = hop_layer_only(c, "activity_regularizer", "null", where, e)) ||
        (rc = hop_layer_only(c, "kernel_constraint", "null", where, e)) ||
        (rc = hop_layer_only(c, "bias_constraint", "null", where, e)) ||
        (rc = hop_layer_only(c, "lora_rank", "null", where, e)))
        return rc;
    return hop_layer_only(c, "quantization_config", "null", where, e);
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_dense *p = l->params;
    struct hop_weight kernel = {.is_trainable = true}, bias = {.is_trainable = true};
    int rc;

    if ((rc = hop_layer_flat(l, where, e)) ||
        (rc = hop_layer_init(l->config, "kernel_initializer", "glorot_uniform", where, &kernel.init,
                             e)) ||
        (rc = hop_layer_init(l->config, "bias_initializer", "zeros", where, &bias.init, e)) ||
        (rc = hop_layer_reg(l->config, "kernel_regularizer", where, &kernel, e)) ||
        (rc = hop_layer_reg(l->config, "bias_regularizer", where, &bias, e)))
        return rc;
    l->out_shape = (struct hop_shape){1, {p->units}};
    kernel.shape = (struct hop_shape){2, {l->in_shape.d[0], p->units}};
    kernel.fan_in = l->in_shape.d[0];
    kernel.fan_out = p->units;
    bias.shape = l->out_shape;
    bias.fan_in = bias.fan_out = p->units;
    l->flops = 2.0 * (double)l->in_shape.d[0] * (double)p->units;
    rc = hop_layer_weight(net, l, "kernel", &kernel, where, e);
    return rc || !p->use_bias ? rc : hop_layer_weight(net, l, "bias", &bias, where, e);
}

const struct hop_layer_kind hop_layer_dense = {
    "Dense", NULL, "Dense", "dense", keys, sizeof(struct hop_dense), parse, shape, NULL,
};

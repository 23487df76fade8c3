/* LayerNormalization over the last axis. Source: Ba, Kiros, Hinton, arXiv:1607.06450, equation 4. */
#include "net/layer.h"

static const char *const keys[] = {
    "axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
    "beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint", "rms_scaling",
    NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    static const char *const refused[] = {"beta_constraint", "gamma_constraint"};
    struct hop_layer_norm *p = l->params;
    size_t i;
    int rc;

    *p = (struct hop_layer_norm){0.001, true, true};
    if ((rc = hop_json_get_real(c, "epsilon", false, 1e-12, 1e3, where, &p->epsilon, e)) ||
        (rc = hop_json_get_bool(c, "center", false, where, &p->has_center, e)) ||
        (rc = hop_json_get_bool(c, "scale", false, where, &p->has_scale, e)) ||
        (rc = hop_layer_only(c, "rms_scaling", "false", where, e)))
        return rc;
    for (i = 0; i < HOP_LEN(refused) && !rc; i++)
        rc = hop_layer_only(c, refused[i], "null", where, e);
    return rc;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_layer_norm *p = l->params;
    int64_t n = l->in_shape.d[l->in_shape.n_dims - 1];
    struct hop_weight w = {.shape = {1, {n}}, .is_trainable = true, .fan_in = n, .fan_out = n};
    int rc = hop_layer_last_axis(l, where, e);

    if (!rc && p->has_scale &&
        !(rc = hop_layer_init(l->config, "gamma_initializer", "ones", where, &w.init, e)) &&
        !(rc = hop_layer_reg(l->config, "gamma_regularizer", where, &w, e)))
        rc = hop_layer_weight(net, l, "gamma", &w, where, e);
    if (!rc && p->has_center &&
        !(rc = hop_layer_init(l->config, "beta_initializer", "zeros", where, &w.init, e)) &&
        !(rc = hop_layer_reg(l->config, "beta_regularizer", where, &w, e)))
        rc = hop_layer_weight(net, l, "beta", &w, where, e);
    l->out_shape = l->in_shape;
    l->flops = 6.0 * (double)hop_shape_len(&l->in_shape);
    return rc;
}

const struct hop_layer_kind hop_layer_layer_normalization = {
    "LayerNormalization", NULL, "LayerNormalization", "layer_normalization", keys,
    sizeof(struct hop_layer_norm), parse, shape, NULL,
};

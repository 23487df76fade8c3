/* BatchNormalization over the last axis. Source: Ioffe and Szegedy, arXiv:1502.03167, algorithm 1.
 *
 * Training normalises by the batch's mean and biased variance. As in Keras 2, the moving variance
 * takes the unbiased variance for images (its fused kernel) and the biased one for flat inputs and
 * sequences.
 */
#include "net/layer.h"

static const char *const keys[] = {
    "axis", "momentum", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
    "moving_mean_initializer", "moving_variance_initializer", "beta_regularizer",
    "gamma_regularizer", "beta_constraint", "gamma_constraint", "renorm", "fused",
    "virtual_batch_size", "synchronized", "renorm_clipping", "renorm_momentum", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_batch_norm *p = l->params;
    int rc;

    *p = (struct hop_batch_norm){0.99, 0.001, true, true};
    if ((rc = hop_json_get_real(c, "momentum", false, 0, 1, where, &p->momentum, e)) ||
        (rc = hop_json_get_real(c, "epsilon", false, 1e-12, 1e3, where, &p->epsilon, e)) ||
        (rc = hop_json_get_bool(c, "center", false, where, &p->has_center, e)) ||
        (rc = hop_json_get_bool(c, "scale", false, where, &p->has_scale, e)) ||
        (rc = hop_layer_only(c, "beta_constraint", "null", where, e)) ||
        (rc = hop_layer_only(c, "gamma_constraint", "null", where, e)) ||
        (rc = hop_layer_only(c, "renorm", "false", where, e)) ||
        (rc = hop_layer_only(c, "virtual_batch_size", "null", where, e)))
        return rc;
    return hop_layer_only(c, "synchronized", "false", where, e);
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    static const struct {
        const char *name, *key, *dflt, *reg; /* reg: key of its regularizer, or "" */
        bool is_trainable;
    } rows[4] = {{"gamma", "gamma_initializer", "ones", "gamma_regularizer", true},
                 {"beta", "beta_initializer", "zeros", "beta_regularizer", true},
                 {"moving_mean", "moving_mean_initializer", "zeros", "", false},
                 {"moving_variance", "moving_variance_initializer", "ones", "", false}};
    const struct hop_batch_norm *p = l->params;
    int64_t n = l->in_shape.d[l->in_shape.n_dims - 1];
    struct hop_weight w;
    int i, rc = hop_layer_last_axis(l, where, e);

    for (i = 0; i < 4 && !rc; i++) {
        if ((i == 0 && !p->has_scale) || (i == 1 && !p->has_center))
            continue;
        w = (struct hop_weight){.shape = {1, {n}}, .is_trainable = rows[i].is_trainable,
                                .fan_in = n, .fan_out = n};
        rc = hop_layer_init(l->config, rows[i].key, rows[i].dflt, where, &w.init, e);
        if (!rc)
            rc = hop_layer_reg(l->config, rows[i].reg, where, &w, e);
        if (!rc)
            rc = hop_layer_weight(net, l, rows[i].name, &w, where, e);
    }
    l->out_shape = l->in_shape;
    l->flops = 4.0 * (double)hop_shape_len(&l->in_shape);
    return rc;
}

const struct hop_layer_kind hop_layer_batch_normalization = {
    "BatchNormalization", "BatchNormalizationV1", "BatchNormalization", "batch_normalization", keys,
    sizeof(struct hop_batch_norm), parse, shape, NULL,
};

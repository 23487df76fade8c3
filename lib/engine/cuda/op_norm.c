/* BatchNormalization and LayerNormalization over the last axis. aux: BatchNormalization's mean [C] and
 * 1 / sd [C]; LayerNormalization's both for every row. */
#include "engine/cuda/plan.h"

static int64_t
width(const struct hop_layer *l)
{
    return l->in_shape.d[l->in_shape.n_dims - 1];
}

static int64_t
rows(const struct hop_layer *l)
{
    return hop_shape_len(&l->in_shape) / width(l);
}

/* ---- batch ---- */

/* Weights: gamma, beta, if any; moving mean, moving variance. */
static int
gamma_place(const struct hop_layer *l)
{
    return ((const struct hop_batch_norm *)l->params)->has_scale ? 0 : -1;
}

static int
beta_place(const struct hop_layer *l)
{
    const struct hop_batch_norm *p = l->params;

    return p->has_center ? p->has_scale : -1;
}

static int
moving_place(const struct hop_layer *l)
{
    const struct hop_batch_norm *p = l->params;

    return p->has_scale + p->has_center;
}

/* The batch's statistics into aux, the moving ones brought up to date. */
static void
batch_statistics(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_batch_norm *p = l->params;
    int64_t C = width(l), n = g->n * rows(l), chunk = hop_cuda_chunk(g, rows(l)), m = n / chunk;
    float count = (float)n;
    struct k_f32 part = hop_cuda_new(g, m * C), part2 = hop_cuda_new(g, m * C);
    struct k_bn_sums_args sums = {hop_cuda_in(g, i, 0), {NULL, 0}, part, chunk, C};
    struct k_bn_mean_args mean = {part, g->aux[i].a, m, C, count};
    struct k_bn_spread_args spread = {
        part2, g->aux[i].a, g->aux[i].b, hop_cuda_weight(g, i, moving_place(l)),
        hop_cuda_weight(g, i, moving_place(l) + 1), m, C, count, (float)(1.0 - p->momentum),
        /* Keras 2's fused kernel for images takes the unbiased variance here. */
        l->in_shape.n_dims == 3 && n > 1 ? count / (count - 1) : 1, (float)p->epsilon};

    hop_cuda_launch_v(g, K_bn_sums, part.n, &sums);
    mean.part = hop_cuda_shrink(g, part, &mean.n, C);
    hop_cuda_launch(g, K_bn_mean, C, &mean);
    sums.mean = mean.mean;
    sums.part = part2;
    hop_cuda_launch_v(g, K_bn_sums, part2.n, &sums);
    spread.part = hop_cuda_shrink(g, part2, &spread.n, C);
    hop_cuda_launch(g, K_bn_spread, C, &spread);
}

static void
forward_batch(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_batch_norm *p = l->params;
    struct k_f32 mean = hop_cuda_new(g, width(l)), inv_sd = hop_cuda_new(g, width(l));
    struct k_bn_moving_args moving = {hop_cuda_weight(g, i, moving_place(l)),
                                      hop_cuda_weight(g, i, moving_place(l) + 1), mean, inv_sd,
                                      (float)p->epsilon};
    struct k_bn_apply_args apply = {hop_cuda_in(g, i, 0), mean, inv_sd,
                                    hop_cuda_weight(g, i, gamma_place(l)),
                                    hop_cuda_weight(g, i, beta_place(l)), hop_cuda_new_out(g, i),
                                    width(l)};

    g->aux[i] = (struct hop_cuda_aux){mean, inv_sd};
    if (g->is_training && !l->is_frozen)
        batch_statistics(g, i);
    else
        hop_cuda_launch(g, K_bn_moving, width(l), &moving);
    hop_cuda_launch_v(g, K_bn_apply, apply.y.n, &apply);
}

static void
backward_frozen(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    struct k_bn_dx_frozen_args a = {dy, g->aux[i].b, hop_cuda_weight(g, i, gamma_place(l)),
                                    hop_cuda_new_like(g, dy), width(l)};

    hop_cuda_launch_v(g, K_bn_dx_frozen, dy.n, &a);
    hop_cuda_give(g, i, 0, a.dx);
}

static void
backward_batch(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    int64_t C = width(l);
    struct k_val x = hop_cuda_in(g, i, 0);
    struct k_f32 mean = g->aux[i].a, inv_sd = g->aux[i].b;
    struct k_f32 dgamma = hop_cuda_weight_gradient(g, i, gamma_place(l));
    struct k_f32 dbeta = hop_cuda_weight_gradient(g, i, beta_place(l));
    int64_t chunk = hop_cuda_chunk(g, rows(l)), m = g->n * rows(l) / chunk;
    struct k_bn_sums_back_args sums = {x, dy, mean, inv_sd, hop_cuda_new(g, m * C),
                                       hop_cuda_new(g, m * C), chunk, C};
    struct k_bn_dx_args dx = {x, dy, mean, inv_sd, hop_cuda_weight(g, i, gamma_place(l)), dgamma,
                              dbeta, {NULL, 0}, C, (float)(g->n * rows(l))};

    if (l->is_frozen) {
        backward_frozen(g, i, dy);
        return;
    }
    dx.dgamma = dgamma.n ? dgamma : hop_cuda_new(g, C); /* dx needs both sums in any case */
    dx.dbeta = dbeta.n ? dbeta : hop_cuda_new(g, C);
    hop_cuda_launch_v(g, K_bn_sums_back, sums.part.n, &sums);
    hop_cuda_sum_rows(g, sums.part, m, C, dx.dbeta);
    hop_cuda_sum_rows(g, sums.part2, m, C, dx.dgamma);
    if (!hop_cuda_wants(g, i, 0))
        return;
    dx.dx = hop_cuda_new_like(g, x);
    hop_cuda_launch_v(g, K_bn_dx, x.n, &dx);
    hop_cuda_give(g, i, 0, dx.dx);
}

/* ---- layer ---- */

static int
ln_beta_place(const struct hop_layer *l)
{
    const struct hop_layer_norm *p = l->params;

    return p->has_center ? p->has_scale : -1;
}

static int
ln_gamma_place(const struct hop_layer *l)
{
    return ((const struct hop_layer_norm *)l->params)->has_scale ? 0 : -1;
}

static void
forward_layer(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_layer_norm *p = l->params;
    struct k_val x = hop_cuda_in(g, i, 0);
    struct k_ln_stats_args stats = {x, hop_cuda_new(g, 2 * g->n * rows(l)), width(l),
                                    (float)p->epsilon};
    struct k_ln_apply_args apply = {x, stats.stats, hop_cuda_weight(g, i, ln_gamma_place(l)),
                                    hop_cuda_weight(g, i, ln_beta_place(l)),
                                    hop_cuda_new_out(g, i), width(l)};

    g->aux[i].a = stats.stats;
    hop_cuda_launch_v(g, K_ln_stats, g->n * rows(l), &stats);
    hop_cuda_launch_v(g, K_ln_apply, x.n, &apply);
}

static void
backward_layer(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    int64_t C = width(l);
    struct k_val x = hop_cuda_in(g, i, 0);
    struct k_f32 stats = g->aux[i].a;
    struct k_f32 gamma = hop_cuda_weight(g, i, ln_gamma_place(l));
    struct k_f32 dgamma = hop_cuda_weight_gradient(g, i, ln_gamma_place(l));
    struct k_f32 dbeta = hop_cuda_weight_gradient(g, i, ln_beta_place(l));
    int64_t chunk = hop_cuda_chunk(g, rows(l)), m = g->n * rows(l) / chunk;
    struct k_ln_sums_back_args sums = {x, dy, stats, hop_cuda_new(g, m * C),
                                       hop_cuda_new(g, m * C), chunk, C};
    struct k_ln_row_back_args row = {x, dy, stats, gamma, {NULL, 0}, C};
    struct k_ln_dx_args dx = {x, dy, stats, gamma, {NULL, 0}, {NULL, 0}, C};

    if (dgamma.n || dbeta.n)
        hop_cuda_launch_v(g, K_ln_sums_back, sums.part.n, &sums);
    if (dbeta.n)
        hop_cuda_sum_rows(g, sums.part, m, C, dbeta);
    if (dgamma.n)
        hop_cuda_sum_rows(g, sums.part2, m, C, dgamma);
    if (!hop_cuda_wants(g, i, 0))
        return;
    row.sums = dx.sums = hop_cuda_new(g, stats.n);
    dx.dx = hop_cuda_new_like(g, x);
    hop_cuda_launch_v(g, K_ln_row_back, g->n * rows(l), &row);
    hop_cuda_launch_v(g, K_ln_dx, x.n, &dx);
    hop_cuda_give(g, i, 0, dx.dx);
}

const struct hop_cuda_op hop_cuda_op_batch_normalization = {"BatchNormalization", forward_batch,
                                                            backward_batch};
const struct hop_cuda_op hop_cuda_op_layer_normalization = {"LayerNormalization", forward_layer,
                                                            backward_layer};

/* From the net's output to the loss and back, and the update. */
#include "engine/cuda/plan.h"
#include "net/loss.h"

_Static_assert((int)K_RULE_SOFTMAX == HOP_LOSS_SOFTMAX && (int)K_RULE_SIGMOID == HOP_LOSS_SIGMOID &&
                   (int)K_RULE_SQUARE == HOP_LOSS_SQUARE &&
                   (int)K_RULE_ABSOLUTE == HOP_LOSS_ABSOLUTE && (int)K_RULE_HUBER == HOP_LOSS_HUBER,
               "the kernels' losses are loss.h's");

/* The numbers that the loss reads. */
static int
logits(const struct hop_cuda_prog *g)
{
    const struct hop_net *net = g->plan->spec.net;

    return hop_loss_is_fused(&g->plan->spec.loss, net) ? net->layers[net->n_layers - 1].in[0] + 1
                                                       : net->n_layers;
}

/* Predictions of the numbers z that the loss reads, in float32: the net's output, or what the loss's link
 * makes of it. */
static struct k_f32
predict(struct hop_cuda_prog *g, struct k_f32 z)
{
    const struct hop_net *net = g->plan->spec.net;
    enum hop_act link = hop_loss_link(&g->plan->spec.loss);
    bool is_fused = hop_loss_is_fused(&g->plan->spec.loss, net);
    struct k_softmax_args softmax = {{(struct k_value *)(void *)z.p, z.n}, {NULL, 0},
                                     net->output.d[0]};
    struct k_link_sigmoid_args sigmoid = {z, {NULL, 0}};

    if (is_fused && !g->plan->is_fast)
        return hop_cuda_f32(g->values[net->n_layers]);
    if (link == HOP_LINEAR)
        return z;
    sigmoid.p = hop_cuda_new(g, z.n);
    softmax.y = (struct k_val){(struct k_value *)(void *)sigmoid.p.p, z.n};
    if (link == HOP_SOFTMAX)
        hop_cuda_launch(g, K_softmax, g->n, &softmax);
    else
        hop_cuda_launch(g, K_link_sigmoid, z.n, &sigmoid);
    return sigmoid.p;
}

/* Few enough numbers for the one thread that adds them up in the end. */
static struct k_f64
shrink(struct hop_cuda_prog *g, struct k_f64 x)
{
    struct k_sums_f64_args a = {x, {NULL, 0}, 32};

    while (g->plan->is_fast && a.x.n > a.chunk) {
        a.y.n = (a.x.n + a.chunk - 1) / a.chunk;
        a.y.p = hop_cuda_new_bytes(g, (size_t)a.y.n * sizeof(double));
        hop_cuda_launch(g, K_sums_f64, a.y.n, &a);
        a.x = a.y;
    }
    return a.x;
}

void
hop_cuda_loss_forward(struct hop_cuda_prog *g)
{
    struct hop_plan *p = g->plan;
    struct k_f32 z = hop_cuda_widen(g, g->values[logits(g)]);
    struct k_put_args put = {p->now, predict(g, z), g->loss.K};
    struct k_loss_args loss = {p->now, g->loss, z, put.p, hop_cuda_new(g, g->n),
                               {hop_cuda_new_bytes(g, (size_t)g->n * sizeof(int32_t)), g->n}};
    struct k_penalty_args penalty = {p->regularised, p->w, p->penalty};
    struct k_score_args score = {p->now, loss.loss, loss.hit, p->penalty};

    g->predictions = put.p;
    hop_cuda_launch(g, K_loss, g->n, &loss);
    hop_cuda_launch(g, K_penalty, p->regularised.n, &penalty);
    score.penalty = shrink(g, p->penalty);
    hop_cuda_launch(g, K_score, 1, &score);
    if (!g->is_training)
        hop_cuda_launch(g, K_put, put.p.n, &put);
}

void
hop_cuda_loss_backward(struct hop_cuda_prog *g)
{
    struct k_loss_back_args back = {g->plan->now, g->loss, g->predictions, {NULL, 0}, g->n};
    struct k_narrow_args narrow;
    int v = logits(g);

    if (!g->wants[v])
        return;
    back.dz = hop_cuda_new(g, g->values[v].n);
    hop_cuda_launch(g, K_loss_back, back.dz.n, &back);
    g->grads[v] = (struct k_val){(struct k_value *)(void *)back.dz.p, back.dz.n};
    if (!g->plan->is_half)
        return;
    narrow = (struct k_narrow_args){back.dz, hop_cuda_new_like(g, g->values[v])};
    hop_cuda_launch_v(g, K_narrow, back.dz.n, &narrow);
    g->grads[v] = narrow.y;
}

void
hop_cuda_penalty_backward(struct hop_cuda_prog *g)
{
    struct hop_plan *p = g->plan;
    struct k_penalty_back_args back = {p->parts, p->w, p->g};

    if (p->regularised.n)
        hop_cuda_launch(g, K_penalty_back, (int64_t)p->spec.net->n_trainable, &back);
}

#define CHECK_STEP(name, n_slots)                                                                  \
    _Static_assert((int)K_step_##name - (int)K_step_sgd == (int)HOP_RULE_##name,                   \
                   "kernels of steps are in the order of their rules");
HOP_OPTIM_RULES(CHECK_STEP)

/* One of the three ways to clip, as in Keras: with several, the first of this order counts. */
static void
clip(struct hop_cuda_prog *g)
{
    struct hop_plan *p = g->plan;
    const double *hyper = p->spec.optim_conf;
    bool is_global = hyper[HOP_HYPER_GLOBAL_CLIPNORM] > 0;
    double limit = hyper[is_global ? HOP_HYPER_GLOBAL_CLIPNORM : HOP_HYPER_CLIPNORM];
    struct k_squares_args squares = {p->pieces, p->g, p->squares};
    struct k_factors_args factors = {p->parts, p->pieces, p->squares, p->factors, limit, is_global};
    struct k_clip_norm_args norm = {p->parts, p->g, p->factors, is_global};
    struct k_clip_value_args value = {p->parts, p->g, (float)hyper[HOP_HYPER_CLIPVALUE]};

    if (limit > 0) {
        hop_cuda_launch(g, K_squares, p->pieces.n, &squares);
        hop_cuda_launch(g, K_factors, is_global ? 1 : p->parts.n, &factors);
        hop_cuda_launch(g, K_clip_norm, (int64_t)p->spec.net->n_trainable, &norm);
    } else if (value.limit > 0) {
        hop_cuda_launch(g, K_clip_value, (int64_t)p->spec.net->n_trainable, &value);
    }
}

void
hop_cuda_update(struct hop_cuda_prog *g)
{
    struct hop_plan *p = g->plan;
    struct k_step_args step = {p->now, p->parts, p->w, p->g, p->slots[0], p->slots[1], p->slots[2]};

    clip(g);
    hop_cuda_launch(g, (enum hop_cuda_kernel)(K_step_sgd + p->rule),
                    (int64_t)p->spec.net->n_trainable, &step);
    hop_cuda_linear_refresh(p, g, &g->err);
}

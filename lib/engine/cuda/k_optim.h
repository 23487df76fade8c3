/* k_optim - regularizers' gradients, clipping, the optimizer's step: over all trainable weights at
 * once. Item j is place j of a slot arena; parts say which weight that is. */
#ifndef HOP_ENGINE_CUDA_K_OPTIM_H
#define HOP_ENGINE_CUDA_K_OPTIM_H

#include "engine/cuda/k_loss.h"

#define K_OPTIM(X, V)                                                                              \
    X(penalty_back) X(squares) X(factors) X(clip_norm) X(clip_value)                                            \
    X(step_sgd) X(step_sgd_momentum) X(step_sgd_nesterov) X(step_adam) X(step_amsgrad)             \
    X(step_nadam) X(step_lion) X(step_adagrad) X(step_adadelta) X(step_rmsprop)                    \
    X(step_rmsprop_centered) X(step_rmsprop_momentum) X(step_rmsprop_momentum_centered)

/* The number of the part that holds place j of a slot arena; parts are in order, without gaps. */
K_FN int64_t
k_part_of(struct k_parts parts, int64_t j)
{
    int64_t low = 0, high = parts.n - 1, mid;

    while (low < high) {
        mid = (low + high + 1) / 2;
        if (AT(parts, mid).slot_offset <= j)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

/* g += 2 l2 w, then l1 sign(w); 0 has no sign. */
struct k_penalty_back_args {
    struct k_parts parts;
    struct k_f32 w, g;
};
#define K_penalty_back_SPANS(S, k) S(k, parts, 'r') S(k, w, 'r') S(k, g, 'u')
K_BODY
k_penalty_back(const struct k_penalty_back_args *a, int64_t j)
{
    const struct k_part *part = &AT(a->parts, k_part_of(a->parts, j));
    int64_t i = part->offset + j - part->slot_offset;
    float w = AT(a->w, i);

    if (part->l2 != 0)
        AT(a->g, i) += (float)(2 * part->l2) * w;
    if (part->l1 != 0)
        AT(a->g, i) += (float)part->l1 * (float)((w > 0) - (w < 0));
}

/* Item: a piece: the sum of its gradient's squares, in order. Exact plans have one piece for each part,
 * fast ones many, since one thread adds up a piece. */
struct k_squares_args {
    struct k_parts pieces;
    struct k_f32 g;
    struct k_f64 squares;
};
#define K_squares_SPANS(S, k) S(k, pieces, 'r') S(k, g, 'r') S(k, squares, 'w')
K_BODY
k_squares(const struct k_squares_args *a, int64_t i)
{
    const struct k_part *piece = &AT(a->pieces, i);
    double sum = 0;
    int64_t j;

    for (j = piece->offset; j < piece->offset + piece->n; j++)
        sum += (double)AT(a->g, j) * (double)AT(a->g, j);
    AT(a->squares, i) = sum;
}

/* Item: a part, or (is_global) the one item for all: what its gradient is multiplied with to have at most
 * the norm `limit`; 1 where it has. Pieces are added in order. */
struct k_factors_args {
    struct k_parts parts, pieces;
    struct k_f64 squares;
    struct k_f32 factors;
    double limit;
    int is_global;
};
#define K_factors_SPANS(S, k)                                                                      \
    S(k, parts, 'r') S(k, pieces, 'r') S(k, squares, 'r') S(k, factors, 'w')
K_BODY
k_factors(const struct k_factors_args *a, int64_t i)
{
    const struct k_part *part = &AT(a->parts, i);
    int64_t k = a->is_global ? 0 : k_part_of(a->pieces, part->slot_offset);
    double sum = 0, norm;

    for (; k < a->pieces.n && (a->is_global ||
                               AT(a->pieces, k).slot_offset < part->slot_offset + part->n); k++)
        sum += AT(a->squares, k);
    norm = sqrt(sum);
    AT(a->factors, i) = norm > a->limit ? (float)(a->limit / norm) : 1.0f;
}

/* Each weight's gradient, or (is_global) all, by its factor. */
struct k_clip_norm_args {
    struct k_parts parts;
    struct k_f32 g, factors;
    int is_global;
};
#define K_clip_norm_SPANS(S, k) S(k, parts, 'r') S(k, g, 'u') S(k, factors, 'r')
K_BODY
k_clip_norm(const struct k_clip_norm_args *a, int64_t j)
{
    int64_t i = k_part_of(a->parts, j);
    const struct k_part *part = &AT(a->parts, i);
    float factor = AT(a->factors, a->is_global ? 0 : i);

    if (factor != 1)
        AT(a->g, part->offset + j - part->slot_offset) *= factor;
}

struct k_clip_value_args {
    struct k_parts parts;
    struct k_f32 g;
    float limit;
};
#define K_clip_value_SPANS(S, k) S(k, parts, 'r') S(k, g, 'u')
K_BODY
k_clip_value(const struct k_clip_value_args *a, int64_t j)
{
    const struct k_part *part = &AT(a->parts, k_part_of(a->parts, j));
    float *g = &AT(a->g, part->offset + j - part->slot_offset);

    *g = *g > a->limit ? a->limit : *g < -a->limit ? -a->limit : *g;
}

/* The step of every rule of lib/net/optim_rule.h, after weight decay; slots that a rule lacks are
 * {NULL, 0}. All rules have the same arguments. */
struct k_step_args {
    struct k_nows now;
    struct k_parts parts;
    struct k_f32 w, g, s0, s1, s2;
};
#define K_STEP_SPANS(S, k)                                                                         \
    S(k, now, 'r') S(k, parts, 'r') S(k, w, 'u') S(k, g, 'r') S(k, s0, 'u') S(k, s1, 'u')          \
    S(k, s2, 'u')
#define K_STEP(name, n_slots)                                                                      \
    K_BODY k_step_##name(const struct k_step_args *a, int64_t j)                                   \
    {                                                                                              \
        const struct k_now *now = &AT(a->now, 0);                                                  \
        const struct k_rate *rate = &AT(now->rates, now->i_step);                                  \
        const struct k_part *part = &AT(a->parts, k_part_of(a->parts, j));                         \
        int64_t i = part->offset + j - part->slot_offset;                                          \
        float w = AT(a->w, i), none = 0;                                                           \
                                                                                                   \
        if (rate->shrink > 0)                                                                      \
            w -= w * rate->shrink;                                                                 \
        hop_rule_##name(rate->c, &w, AT(a->g, i), n_slots > 0 ? &AT(a->s0, j) : &none,             \
                        n_slots > 1 ? &AT(a->s1, j) : &none, n_slots > 2 ? &AT(a->s2, j) : &none); \
        AT(a->w, i) = w;                                                                           \
    }
HOP_OPTIM_RULES(K_STEP)

#define k_step_sgd_args k_step_args
#define K_step_sgd_SPANS K_STEP_SPANS
#define k_step_sgd_momentum_args k_step_args
#define K_step_sgd_momentum_SPANS K_STEP_SPANS
#define k_step_sgd_nesterov_args k_step_args
#define K_step_sgd_nesterov_SPANS K_STEP_SPANS
#define k_step_adam_args k_step_args
#define K_step_adam_SPANS K_STEP_SPANS
#define k_step_amsgrad_args k_step_args
#define K_step_amsgrad_SPANS K_STEP_SPANS
#define k_step_nadam_args k_step_args
#define K_step_nadam_SPANS K_STEP_SPANS
#define k_step_lion_args k_step_args
#define K_step_lion_SPANS K_STEP_SPANS
#define k_step_adagrad_args k_step_args
#define K_step_adagrad_SPANS K_STEP_SPANS
#define k_step_adadelta_args k_step_args
#define K_step_adadelta_SPANS K_STEP_SPANS
#define k_step_rmsprop_args k_step_args
#define K_step_rmsprop_SPANS K_STEP_SPANS
#define k_step_rmsprop_centered_args k_step_args
#define K_step_rmsprop_centered_SPANS K_STEP_SPANS
#define k_step_rmsprop_momentum_args k_step_args
#define K_step_rmsprop_momentum_SPANS K_STEP_SPANS
#define k_step_rmsprop_momentum_centered_args k_step_args
#define K_step_rmsprop_momentum_centered_SPANS K_STEP_SPANS

#endif

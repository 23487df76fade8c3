/* k_loss - losses: the arithmetic of lib/engine/ref/ref_loss.c, examples side by side, their sum in
 * order. */
#ifndef HOP_ENGINE_CUDA_K_LOSS_H
#define HOP_ENGINE_CUDA_K_LOSS_H

#include "engine/cuda/k.h"

#define K_LOSS(X, V) X(link_sigmoid) X(loss) X(loss_back) X(penalty) X(score)

enum { /* enum hop_loss_rule of net/loss.h, in its order; loss.c makes sure */
    K_RULE_SOFTMAX, K_RULE_SIGMOID, K_RULE_SQUARE, K_RULE_ABSOLUTE, K_RULE_HUBER
};

/* A loss over K outputs, and what a batch is compared with: classes y [n] or targets t [n,K],
 * whichever the bound examples have. */
struct k_loss_of {
    struct k_i32 y;
    struct k_f32 t;
    int64_t K;
    int rule;
    float smoothing, delta;
};

struct k_link_sigmoid_args {
    struct k_f32 z, p;
};
#define K_link_sigmoid_SPANS(S, k) S(k, z, 'r') S(k, p, 'w')
K_BODY
k_link_sigmoid(const struct k_link_sigmoid_args *a, int64_t i)
{
    AT(a->p, i) = 1 / (1 + hop_expf(-AT(a->z, i)));
}

K_FN float
k_target(const struct k_now *now, const struct k_loss_of *l, int64_t i, int64_t k)
{
    if (now->t.n)
        return AT(l->t, i * l->K + k);
    return l->K == 1 ? (float)AT(l->y, i) : k == AT(l->y, i) ? 1 : 0;
}

K_FN float
k_smooth(float t, float s, float even)
{
    return s > 0 ? t * (1 - s) + s * even : t;
}

K_FN float
k_loss_softmax(const struct k_now *now, const struct k_loss_of *l, struct k_f32 z, int64_t i)
{
    int64_t first = i * l->K, k;
    float max = AT(z, first), sum = 0, log_z, t;

    for (k = 1; k < l->K; k++)
        max = AT(z, first + k) > max ? AT(z, first + k) : max;
    for (k = 0; k < l->K; k++)
        sum += hop_expf(AT(z, first + k) - max);
    log_z = hop_logf(sum);
    for (k = 0, sum = 0; k < l->K; k++) {
        t = k_smooth(k_target(now, l, i, k), l->smoothing, 1 / (float)l->K);
        if (t != 0)
            sum += t * (log_z - (AT(z, first + k) - max));
    }
    return sum;
}

/* One output's term of the other losses. */
K_FN float
k_loss_term(const struct k_loss_of *l, float z, float t)
{
    float d = z - t, delta = l->delta;

    if (l->rule == K_RULE_SIGMOID) {
        t = k_smooth(t, l->smoothing, (float)0.5);
        d = z < 0 ? z : -z;
        return (z > 0 ? z : z != z ? z : 0) - z * t + hop_logf(1 + hop_expf(d));
    }
    if (l->rule == K_RULE_SQUARE)
        return d * d;
    d = d < 0 ? -d : d;
    if (l->rule == K_RULE_ABSOLUTE)
        return d;
    return d > delta ? delta * d - (float)0.5 * delta * delta : (float)0.5 * d * d;
}

K_FN float
k_class_weight(const struct k_now *now, const struct k_loss_of *l, int64_t i)
{
    return now->class_weight.n && now->y.n ? AT(now->class_weight, AT(l->y, i)) : 1;
}

/* Item: an example: its loss of z [n,K], and whether p [n,K] is greatest at its class. */
struct k_loss_args {
    struct k_nows now;
    struct k_loss_of l;
    struct k_f32 z, p, loss; /* loss [n] */
    struct k_i32 hit;        /* [n] */
};
#define K_loss_SPANS(S, k)                                                                         \
    S(k, now, 'r') S(k, l.y, 'r') S(k, l.t, 'r') S(k, z, 'r') S(k, p, 'r') S(k, loss, 'w')         \
    S(k, hit, 'w')
K_BODY
k_loss(const struct k_loss_args *a, int64_t i)
{
    const struct k_now *now = &AT(a->now, 0);
    int64_t K = a->l.K, first = i * K, best, k;
    float sum = 0;

    if (a->l.rule == K_RULE_SOFTMAX) {
        sum = k_loss_softmax(now, &a->l, a->z, i);
    } else {
        for (k = 0; k < K; k++)
            sum += k_loss_term(&a->l, AT(a->z, first + k), k_target(now, &a->l, i, k));
        sum = sum / (float)K;
    }
    AT(a->loss, i) = k_class_weight(now, &a->l, i) * sum;
    AT(a->hit, i) = 0;
    if (!now->y.n)
        return;
    best = K == 1 ? AT(a->p, first) > (float)0.5 : 0;
    for (k = 1; k < K; k++)
        best = AT(a->p, first + k) > AT(a->p, first + best) ? k : best;
    AT(a->hit, i) = best == AT(a->l.y, i);
}

K_FN float
k_loss_slope(const struct k_loss_of *l, float p, float t)
{
    float s = l->smoothing, K = (float)l->K, d = p - t;

    switch (l->rule) {
    case K_RULE_SOFTMAX:
        return p - k_smooth(t, s, 1 / K);
    case K_RULE_SIGMOID:
        return (p - k_smooth(t, s, (float)0.5)) / K;
    case K_RULE_SQUARE:
        return 2 * d / K;
    case K_RULE_ABSOLUTE:
        return (d > 0 ? 1 : d < 0 ? -1 : d) / K; /* a NaN stays one */
    }
    return (d > l->delta ? l->delta : d < -l->delta ? -l->delta : d) / K;
}

/* Item: an output's gradient, of the batch's mean loss. */
struct k_loss_back_args {
    struct k_nows now;
    struct k_loss_of l;
    struct k_f32 p, dz;
    int64_t n;
};
#define K_loss_back_SPANS(S, k)                                                                    \
    S(k, now, 'r') S(k, l.y, 'r') S(k, l.t, 'r') S(k, p, 'r') S(k, dz, 'w')
K_BODY
k_loss_back(const struct k_loss_back_args *a, int64_t j)
{
    const struct k_now *now = &AT(a->now, 0);
    int64_t K = a->l.K, i = j / K, k;
    float sum = 1, slope;

    /* Of targets that do not add up to 1, a softmax has the slope p * sum - t. */
    if (now->t.n && a->l.rule == K_RULE_SOFTMAX)
        for (k = 0, sum = 0; k < K; k++)
            sum += k_smooth(AT(a->l.t, i * K + k), a->l.smoothing, 1 / (float)K);
    slope = k_loss_slope(&a->l, AT(a->p, j) * sum, k_target(now, &a->l, i, j % K));
    AT(a->dz, j) = k_class_weight(now, &a->l, i) * slope / (float)a->n;
}

/* A weight: its place among the parameters and, if trainable, in a slot; its regularizer. */
struct k_part {
    int64_t offset, slot_offset, n;
    double l1, l2;
};
struct k_parts { struct k_part *p; int64_t n; };

/* Item: a regularised weight: what it adds to the loss, in order. */
struct k_penalty_args {
    struct k_parts parts;
    struct k_f32 w;
    struct k_f64 penalty;
};
#define K_penalty_SPANS(S, k) S(k, parts, 'r') S(k, w, 'r') S(k, penalty, 'w')
K_BODY
k_penalty(const struct k_penalty_args *a, int64_t i)
{
    const struct k_part *part = &AT(a->parts, i);
    double sum1 = 0, sum2 = 0, v;
    int64_t j;

    for (j = 0; j < part->n; j++) {
        v = (double)AT(a->w, part->offset + j);
        sum1 += v < 0 ? -v : v;
        sum2 += v * v;
    }
    AT(a->penalty, i) = part->l1 * sum1 + part->l2 * sum2;
}

/* One item: the batch's loss and hits into the pass's. penalty: {NULL, 0} or one for each weight. */
struct k_score_args {
    struct k_nows now;
    struct k_f32 loss;
    struct k_i32 hit;
    struct k_f64 penalty;
};
#define K_score_SPANS(S, k) S(k, now, 'u') S(k, loss, 'r') S(k, hit, 'r') S(k, penalty, 'r')
K_BODY
k_score(const struct k_score_args *a, int64_t i)
{
    struct k_now *now = &AT(a->now, i);
    double sum = 0, penalty = 0;
    int64_t k;

    for (k = 0; k < a->loss.n; k++)
        sum += (double)AT(a->loss, k);
    for (k = 0; k < a->penalty.n; k++)
        penalty += AT(a->penalty, k);
    now->loss += sum + penalty * (double)a->loss.n;
    for (k = 0; k < a->hit.n; k++)
        now->n_correct += AT(a->hit, k);
}

#endif

/* k_batch - a batch from the examples, its predictions back, the end of a step; small helpers. */
#ifndef HOP_ENGINE_CUDA_K_BATCH_H
#define HOP_ENGINE_CUDA_K_BATCH_H

#include "engine/cuda/k.h"

#define K_BATCH(X, V) X(pick) V(gather) X(put) X(advance) X(copy) V(add) X(transpose) X(tree)

/* Item e: which example is number e of the batch, its class and targets. */
struct k_pick_args {
    struct k_nows now;
    struct k_i64 from; /* [n] */
    struct k_i32 y;    /* [n] */
    struct k_f32 t;    /* [n,K] */
    int64_t K;
};
#define K_pick_SPANS(S, k) S(k, now, 'r') S(k, from, 'w') S(k, y, 'u') S(k, t, 'u')
K_BODY
k_pick(const struct k_pick_args *a, int64_t e)
{
    const struct k_now *now = &AT(a->now, 0);
    int64_t at = now->at + e, from = at, k;

    if (now->is_shuffled)
        from = (int64_t)hop_perm_at(&now->perm, (uint64_t)at);
    AT(a->from, e) = from;
    if (now->y.n)
        AT(a->y, e) = AT(now->y, from);
    for (k = 0; now->t.n && k < a->K; k++)
        AT(a->t, e * a->K + k) = AT(now->t, from * a->K + k);
}

/* Item: a value of the batch [n,len], normalised; C values have a mean each. With `wide` > C, every C
 * values are followed by wide - C zeros: C = 3 keeps libraries off tensor cores. */
struct k_gather_args {
    struct k_nows now;
    struct k_i64 from; /* [n] */
    struct k_val x;    /* [n,len] */
    int64_t len, C, wide; /* len: of an example in the shard */
};
#define K_gather_SPANS(S, k) S(k, now, 'r') S(k, from, 'r') S(k, x, 'w')
K_BODY
k_gather(const struct k_gather_args *a, int64_t i, int h)
{
    const struct k_now *now = &AT(a->now, 0);
    int64_t c = i % a->wide, pixel = i / a->wide, n_pixels = a->len / a->C, at;
    float v;

    if (c >= a->C) {
        PUT(a->x, i, 0);
        return;
    }
    at = AT(a->from, pixel / n_pixels) * a->len + pixel % n_pixels * a->C + c;
    v = now->x8.n ? (float)AT(now->x8, at) : AT(now->x32, at);
    PUT(a->x, i, (v - AT(now->mean, c)) * AT(now->inv_std, c));
}

/* Item: a prediction of the batch [n,K], to its place in the pass's. */
struct k_put_args {
    struct k_nows now;
    struct k_f32 p;
    int64_t K;
};
#define K_put_SPANS(S, k) S(k, now, 'r') S(k, p, 'r')
K_BODY
k_put(const struct k_put_args *a, int64_t i)
{
    const struct k_now *now = &AT(a->now, 0);

    if (now->out.n)
        AT(now->out, now->at * a->K + i) = AT(a->p, i);
}

/* One item: n examples are done. */
struct k_advance_args {
    struct k_nows now;
    int64_t n, is_training;
};
#define K_advance_SPANS(S, k) S(k, now, 'u')
K_BODY
k_advance(const struct k_advance_args *a, int64_t i)
{
    struct k_now *now = &AT(a->now, i);

    now->at += a->n;
    now->i_step += a->is_training;
    now->t_step += a->is_training;
}

struct k_copy_args {
    struct k_f32 x, y;
};
#define K_copy_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_copy(const struct k_copy_args *a, int64_t i)
{
    AT(a->y, i) = AT(a->x, i);
}

/* y = x + x2: two gradients of one value. */
struct k_add_args {
    struct k_val x, x2, y;
};
#define K_add_SPANS(S, k) S(k, x, 'r') S(k, x2, 'r') S(k, y, 'w')
K_BODY
k_add(const struct k_add_args *a, int64_t i, int h)
{
    PUT(a->y, i, GET(a->x, i) + GET(a->x2, i));
}

/* x [n,rows,cols] to y [n,cols,rows]; item: a value of y. */
struct k_transpose_args {
    struct k_f32 x, y;
    int64_t rows, cols;
};
#define K_transpose_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_transpose(const struct k_transpose_args *a, int64_t i)
{
    int64_t r = i % a->rows, c = i / a->rows % a->cols, m = i / (a->rows * a->cols);

    AT(a->y, i) = AT(a->x, (m * a->rows + r) * a->cols + c);
}

/* Item i: y[i] = the sum by the tree of x [n,stride] over n, at place first + i. */
struct k_tree_args {
    struct k_f32 x, y;
    int64_t n, stride, first;
};
#define K_tree_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_tree(const struct k_tree_args *a, int64_t i)
{
    float level[K_TREE_HEIGHT];
    int64_t m;

    for (m = 0; m < a->n; m++)
        k_tree_add(level, m, AT(a->x, m * a->stride + a->first + i));
    AT(a->y, i) = k_tree_end(level, a->n);
}

#endif

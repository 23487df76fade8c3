/* k_activation - activations: the arithmetic of lib/engine/ref/ref_activation.c. */
#ifndef HOP_ENGINE_CUDA_K_ACTIVATION_H
#define HOP_ENGINE_CUDA_K_ACTIVATION_H

#include "engine/cuda/k.h"

#define K_ACTIVATION(X, V) V(act) V(act_back) V(softmax) V(softmax_back)

enum { /* enum hop_act of net/net.h, in its order; op_activation.c makes sure */
    K_LINEAR_ACT, K_RELU, K_ELU, K_TANH, K_SIGMOID, K_SOFTMAX_ACT, K_LEAKY_RELU, K_GELU, K_SWISH,
    K_SELU, K_SOFTPLUS
};

#define K_SELU_SCALE ((float)1.05070098735548049342)
#define K_SELU_ALPHA ((float)1.67326324235437728481)

K_FN float
k_sigmoid(float x)
{
    return 1 / (1 + hop_expf(-x));
}

/* The share of a normal distribution below x. */
K_FN float
k_normal_below(float x)
{
    return (float)0.5 * (1 + hop_erff(x * (float)0.70710678118654752));
}

K_FN float
k_act_value(int act, float alpha, float max, float x)
{
    switch (act) {
    case K_RELU: /* a NaN stays a NaN */
        return x < 0 ? 0 : x;
    case K_ELU:
        return x < 0 ? alpha * hop_expm1f(x) : x;
    case K_TANH:
        return hop_tanhf(x);
    case K_SIGMOID:
        return k_sigmoid(x);
    case K_LEAKY_RELU:
        return x > max ? max : x < 0 ? alpha * x : x;
    case K_GELU:
        return x * k_normal_below(x);
    case K_SWISH:
        return x * k_sigmoid(x);
    case K_SELU:
        return K_SELU_SCALE * (x < 0 ? K_SELU_ALPHA * hop_expm1f(x) : x);
    case K_SOFTPLUS:
        return (x > 0 ? x : 0) + hop_logf(1 + hop_expf(x > 0 ? -x : x));
    }
    return x;
}

K_FN float
k_gelu_slope(float x)
{
    return k_normal_below(x) + x * (float)0.39894228040143268 * hop_expf((float)-0.5 * x * x);
}

K_FN float
k_swish_slope(float x)
{
    float s = k_sigmoid(x);

    return s + x * s * (1 - s);
}

K_FN float
k_act_slope(int act, float alpha, float max, float x, float y, float dy)
{
    switch (act) {
    case K_RELU:
        return x > 0 ? dy : 0;
    case K_ELU:
        return x < 0 ? dy * (y + alpha) : dy;
    case K_TANH:
        return dy * (1 - y * y);
    case K_SIGMOID:
        return dy * (y * (1 - y));
    case K_LEAKY_RELU:
        return x >= max ? 0 : x > 0 ? dy : alpha * dy;
    case K_GELU:
        return dy * k_gelu_slope(x);
    case K_SWISH:
        return dy * k_swish_slope(x);
    case K_SELU:
        return dy * (x < 0 ? y + K_SELU_SCALE * K_SELU_ALPHA : K_SELU_SCALE);
    case K_SOFTPLUS:
        return dy * k_sigmoid(x);
    }
    return dy;
}

/* Item: a value. */
struct k_act_args {
    struct k_val x, y;
    int act;
    float alpha, max;
};
#define K_act_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_act(const struct k_act_args *a, int64_t i, int h)
{
    PUT(a->y, i, k_act_value(a->act, a->alpha, a->max, GET(a->x, i)));
}

struct k_act_back_args {
    struct k_val x, y, dy, dx;
    int act;
    float alpha, max;
};
#define K_act_back_SPANS(S, k) S(k, x, 'r') S(k, y, 'r') S(k, dy, 'r') S(k, dx, 'w')
K_BODY
k_act_back(const struct k_act_back_args *a, int64_t i, int h)
{
    PUT(a->dx, i, k_act_slope(a->act, a->alpha, a->max, GET(a->x, i), GET(a->y, i), GET(a->dy, i)));
}

/* Item: a row of m values. */
struct k_softmax_args {
    struct k_val x, y;
    int64_t m;
};
#define K_softmax_SPANS(S, k) S(k, x, 'r') S(k, y, 'w')
K_BODY
k_softmax(const struct k_softmax_args *a, int64_t row, int h)
{
    int64_t first = row * a->m, last = first + a->m, i;
    float max = GET(a->x, first), sum = 0;

    for (i = first + 1; i < last; i++)
        max = GET(a->x, i) > max ? GET(a->x, i) : max;
    for (i = first; i < last; i++)
        sum += hop_expf(GET(a->x, i) - max);
    for (i = first; i < last; i++)
        PUT(a->y, i, hop_expf(GET(a->x, i) - max) / sum);
}

struct k_softmax_back_args {
    struct k_val y, dy, dx;
    int64_t m;
};
#define K_softmax_back_SPANS(S, k) S(k, y, 'r') S(k, dy, 'r') S(k, dx, 'w')
K_BODY
k_softmax_back(const struct k_softmax_back_args *a, int64_t row, int h)
{
    int64_t first = row * a->m, last = first + a->m, i;
    float sum = 0;

    for (i = first; i < last; i++)
        sum = fmaf(GET(a->dy, i), GET(a->y, i), sum);
    for (i = first; i < last; i++)
        PUT(a->dx, i, (GET(a->dy, i) - sum) * GET(a->y, i));
}

#endif

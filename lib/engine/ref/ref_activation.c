/* Activations, softmax over the last axis. SELU's constants are Keras's. */
#include "engine/ref/loss.h"
#include "engine/ref/ref.h"

#define SELU_SCALE ((real)1.05070098735548049342)
#define SELU_ALPHA ((real)1.67326324235437728481)

static real
sigmoid(real x)
{
    return 1 / (1 + real_exp(-x));
}

/* log(1 + e^x), without overflow. */
static real
softplus(real x)
{
    return (x > 0 ? x : 0) + real_log(1 + real_exp(x > 0 ? -x : x));
}

static real
leaky(real x, real alpha, real max)
{
    return x > max ? max : x < 0 ? alpha * x : x;
}

/* Phi(x), the share of a normal distribution below x. */
static real
normal_below(real x)
{
    return (real)0.5 * (1 + real_erf(x * (real)0.70710678118654752));
}

static real
gelu_slope(real x)
{
    return normal_below(x) + x * (real)0.39894228040143268 * real_exp((real)-0.5 * x * x);
}

static real
swish_slope(real x)
{
    real s = sigmoid(x);

    return s + x * s * (1 - s);
}

void
REF_NAME(softmax_row)(const real *x, real *y, int64_t n)
{
    real max = x[0], sum = 0;
    int64_t i;

    for (i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (i = 0; i < n; i++) {
        y[i] = real_exp(x[i] - max);
        sum += y[i];
    }
    for (i = 0; i < n; i++)
        y[i] = y[i] / sum;
}

static void
forward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
        real *y, real *aux)
{
    const struct hop_activation *p = l->params;
    int64_t n = s->n * hop_shape_len(&l->in_shape), m = l->in_shape.d[l->in_shape.n_dims - 1], i;
    real alpha = (real)p->alpha;

    (void)w;
    (void)aux;
    switch (p->act) {
    case HOP_LINEAR:
        for (i = 0; i < n; i++)
            y[i] = x[i];
        break;
    case HOP_RELU: /* a NaN stays a NaN, so that divergence is seen */
        for (i = 0; i < n; i++)
            y[i] = x[i] < 0 ? 0 : x[i];
        break;
    case HOP_ELU:
        for (i = 0; i < n; i++)
            y[i] = x[i] < 0 ? alpha * real_expm1(x[i]) : x[i];
        break;
    case HOP_TANH:
        for (i = 0; i < n; i++)
            y[i] = real_tanh(x[i]);
        break;
    case HOP_SIGMOID:
        for (i = 0; i < n; i++)
            y[i] = sigmoid(x[i]);
        break;
    case HOP_LEAKY_RELU:
        for (i = 0; i < n; i++)
            y[i] = leaky(x[i], alpha, (real)p->max_value);
        break;
    case HOP_GELU:
        for (i = 0; i < n; i++)
            y[i] = x[i] * normal_below(x[i]);
        break;
    case HOP_SWISH:
        for (i = 0; i < n; i++)
            y[i] = x[i] * sigmoid(x[i]);
        break;
    case HOP_SELU:
        for (i = 0; i < n; i++)
            y[i] = SELU_SCALE * (x[i] < 0 ? SELU_ALPHA * real_expm1(x[i]) : x[i]);
        break;
    case HOP_SOFTPLUS:
        for (i = 0; i < n; i++)
            y[i] = softplus(x[i]);
        break;
    case HOP_SOFTMAX:
        for (i = 0; i < n; i += m)
            REF_NAME(softmax_row)(x + i, y + i, m);
        break;
    }
}

static void
softmax_backward_row(const real *y, const real *dy, real *dx, int64_t n)
{
    real sum = 0;
    int64_t i;

    for (i = 0; i < n; i++)
        sum = real_fma(dy[i], y[i], sum);
    for (i = 0; i < n; i++)
        dx[i] = (dy[i] - sum) * y[i];
}

static void
backward(const struct ref_step *s, const struct hop_layer *l, real *const *w, const real *x,
         const real *y, const real *aux, const real *dy, real *dx, real *const *dw)
{
    const struct hop_activation *p = l->params;
    int64_t n = s->n * hop_shape_len(&l->in_shape), m = l->in_shape.d[l->in_shape.n_dims - 1], i;
    real alpha = (real)p->alpha;

    (void)w;
    (void)aux;
    (void)dw;
    if (!dx)
        return;
    switch (p->act) {
    case HOP_LINEAR:
        for (i = 0; i < n; i++)
            dx[i] = dy[i];
        break;
    case HOP_RELU:
        for (i = 0; i < n; i++)
            dx[i] = x[i] > 0 ? dy[i] : 0;
        break;
    case HOP_ELU:
        for (i = 0; i < n; i++)
            dx[i] = x[i] < 0 ? dy[i] * (y[i] + alpha) : dy[i];
        break;
    case HOP_TANH:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * (1 - y[i] * y[i]);
        break;
    case HOP_SIGMOID:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * (y[i] * (1 - y[i]));
        break;
    case HOP_LEAKY_RELU:
        for (i = 0; i < n; i++)
            dx[i] = x[i] >= (real)p->max_value ? 0 : x[i] > 0 ? dy[i] : alpha * dy[i];
        break;
    case HOP_GELU:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * gelu_slope(x[i]);
        break;
    case HOP_SWISH:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * swish_slope(x[i]);
        break;
    case HOP_SELU:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * (x[i] < 0 ? y[i] + SELU_SCALE * SELU_ALPHA : SELU_SCALE);
        break;
    case HOP_SOFTPLUS:
        for (i = 0; i < n; i++)
            dx[i] = dy[i] * sigmoid(x[i]);
        break;
    case HOP_SOFTMAX:
        for (i = 0; i < n; i += m)
            softmax_backward_row(y + i, dy + i, dx + i, m);
        break;
    }
}

const struct ref_op REF_NAME(op_activation) = {"Activation", NULL, forward, backward};

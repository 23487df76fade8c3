/* The seam of fast.h as plain loops, for the device "cuda-host" of the tests: factors of the plan's
 * precision, sums in float32. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/driver_host.h"
#include "engine/cuda/kernels.h"
#include "engine/ref/real.h"

struct hop_cuda_fast_plan {
    struct hop_cuda_context *context;
    struct hop_cuda_host_call call;
};

/* ---- numbers ---- */

/* To 10 bits of fraction. */
static float
to_tf32(float v)
{
    uint32_t u = hop_f32_bits(v);

    if ((u & 0x7F800000u) == 0x7F800000u)
        return v;
    return hop_bits_f32((u + 0xFFFu + (u >> 13 & 1)) & 0xFFFFE000u);
}

static float
value(const void *p, int64_t i, enum hop_cuda_precision precision)
{
    return precision == HOP_CUDA_BF16 ? k_get(p, i, 1) : ((const float *)p)[i];
}

/* n values as floats that a tensor core would multiply. */
static float *
factors(const void *p, int64_t n, enum hop_cuda_precision precision)
{
    float *out = hop_alloc_floats((size_t)n, NULL);
    int64_t i;

    HOP_BUG_ON(!out);
    for (i = 0; i < n; i++)
        out[i] = precision == HOP_CUDA_TF32 ? to_tf32(value(p, i, precision))
                                            : value(p, i, precision);
    return out;
}

static void
put(void *p, int64_t i, enum hop_cuda_precision precision, float v)
{
    k_put_value(p, i, precision == HOP_CUDA_BF16, v);
}

/* ---- sizes, in values ---- */

static int64_t
size_x(const struct hop_cuda_conv *c)
{
    return c->n * c->H * c->W * c->C;
}

static int64_t
size_y(const struct hop_cuda_conv *c)
{
    return c->n * c->P * c->Q * c->K;
}

static int64_t
size_w(const struct hop_cuda_conv *c)
{
    return c->K * c->kh * c->kw * (c->C / c->groups);
}

void
hop_cuda_host_fast_sizes(const struct hop_cuda_host_call *a, size_t bytes[4])
{
    const struct hop_cuda_conv *c = &a->conv;
    int64_t x = size_x(c), y = size_y(c), w = size_w(c), size = a->precision == HOP_CUDA_BF16 ? 2 : 4;

    bytes[0] = (size_t)((c->pass == HOP_CUDA_DATA_GRADIENT ? y : x) * size);
    bytes[1] = (size_t)((c->pass == HOP_CUDA_WEIGHT_GRADIENT ? y : w) * size);
    bytes[2] = (size_t)(c->has_bias ? c->K * size : 0);
    bytes[3] = (size_t)((c->pass == HOP_CUDA_FORWARD ? y : c->pass == HOP_CUDA_DATA_GRADIENT ? x : w) *
                        size);
}

/* ---- loops ---- */

/* For every product of the convolution, in any pass: fn over the input channels of one group, once for
 * each (image, output position, tap, output channel). x, w, y: of the first of them. */
#define TAPS(c, x, w, y, DO)                                                                       \
    do {                                                                                           \
        int64_t Cg = (c)->C / (c)->groups, Kg = (c)->K / (c)->groups, m_, p_, q_, r_, s_, k_;      \
        for (m_ = 0; m_ < (c)->n; m_++)                                                            \
            for (p_ = 0; p_ < (c)->P; p_++)                                                        \
                for (q_ = 0; q_ < (c)->Q; q_++)                                                    \
                    for (r_ = 0; r_ < (c)->kh; r_++)                                               \
                        for (s_ = 0; s_ < (c)->kw; s_++) {                                         \
                            int64_t iy = p_ * (c)->stride_h + r_ * (c)->dilation_h - (c)->pad_top; \
                            int64_t ix = q_ * (c)->stride_w + s_ * (c)->dilation_w - (c)->pad_left;\
                            int64_t y, x, w, j_;                                                   \
                            if (iy < 0 || iy >= (c)->H || ix < 0 || ix >= (c)->W)                  \
                                continue;                                                          \
                            for (k_ = 0; k_ < (c)->K; k_++) {                                      \
                                y = ((m_ * (c)->P + p_) * (c)->Q + q_) * (c)->K + k_;              \
                                x = ((m_ * (c)->H + iy) * (c)->W + ix) * (c)->C + k_ / Kg * Cg;    \
                                w = ((k_ * (c)->kh + r_) * (c)->kw + s_) * Cg;                     \
                                for (j_ = 0; j_ < Cg; j_++)                                        \
                                    DO;                                                            \
                            }                                                                      \
                        }                                                                          \
    } while (0)

/* Of the forward pass the sums over channels are split into eight, which compilers vectorise. */
REF_HOT static void
forward(const struct hop_cuda_conv *c, const float *in, const float *in2, float *out)
{
    int64_t n = size_y(c) * 8, i;
    float *sums = hop_alloc_floats((size_t)n, NULL);

    HOP_BUG_ON(!sums);
    memset(sums, 0, (size_t)n * sizeof *sums);
    TAPS(c, x, w, y, sums[y * 8 + (j_ & 7)] += in[x + j_] * in2[w + j_]);
    for (i = 0; i < n; i++)
        out[i / 8] += sums[i];
    free(sums);
}

REF_HOT static void
data_gradient(const struct hop_cuda_conv *c, const float *in, const float *in2, float *out)
{
    TAPS(c, x, w, y, out[x + j_] += in[y] * in2[w + j_]);
}

REF_HOT static void
weight_gradient(const struct hop_cuda_conv *c, const float *in, const float *in2, float *out)
{
    TAPS(c, x, w, y, out[w + j_] += in[x + j_] * in2[y]);
}

void
hop_cuda_host_fast_run(const struct hop_cuda_host_call *a)
{
    static void (*const passes[])(const struct hop_cuda_conv *c, const float *in, const float *in2,
                                  float *out) = {forward, data_gradient, weight_gradient};
    const struct hop_cuda_conv *c = &a->conv;
    size_t bytes[4], size = a->precision == HOP_CUDA_BF16 ? 2 : 4;
    float *in, *in2, *out, v;
    int64_t n, i;

    hop_cuda_host_fast_sizes(a, bytes);
    n = (int64_t)(bytes[3] / size);
    in = factors(a->in, (int64_t)(bytes[0] / size), a->precision);
    in2 = factors(a->in2, (int64_t)(bytes[1] / size), a->precision);
    out = hop_alloc_floats((size_t)n, NULL);
    HOP_BUG_ON(!out);
    memset(out, 0, (size_t)n * sizeof *out);
    passes[c->pass](c, in, in2, out);
    for (i = 0; i < n; i++) {
        v = c->has_bias ? out[i] + value(a->bias, i % c->K, a->precision) : out[i];
        put(a->out, i, a->precision, c->has_relu && v < 0 ? 0 : v);
    }
    free(in);
    free(in2);
    free(out);
}

/* ---- the seam ---- */

static const char *
version(struct hop_err *e)
{
    (void)e;
    return "loops 1";
}

static int64_t
channels(int64_t c, int64_t groups, enum hop_cuda_precision precision)
{
    return precision == HOP_CUDA_BF16 && groups == 1 ? (c + 7) / 8 * 8 : c;
}

static int
plan_new(struct hop_cuda_context *c, const struct hop_cuda_conv *conv,
         enum hop_cuda_precision precision, struct hop_cuda_fast_plan **out,
         size_t *workspace_bytes, struct hop_err *e)
{
    static const size_t workspaces[] = {0, 500, 5000};

    *out = NULL;
    HOP_BUG_ON(conv->pass != HOP_CUDA_FORWARD && (conv->has_bias || conv->has_relu));
    if (hop_cuda_host_enter(HOP_EDEV, "plan_new", e))
        return HOP_EDEV;
    if (!(*out = hop_alloc(1, sizeof **out, e)))
        return HOP_ENOMEM;
    hop_cuda_host_counts.n_plans++;
    (*out)->context = c;
    (*out)->call = (struct hop_cuda_host_call){.conv = *conv, .precision = precision,
                                               .workspace_bytes = workspaces[conv->pass]};
    *workspace_bytes = workspaces[conv->pass];
    return HOP_OK;
}

static uint64_t
plan_digest(const struct hop_cuda_fast_plan *p)
{
    return (uint64_t)p->call.conv.pass + 1;
}

static void
plan_free(struct hop_cuda_fast_plan *p)
{
    hop_cuda_host_counts.n_plans -= p != NULL;
    free(p);
}

static int
run(struct hop_cuda_fast_plan *p, struct hop_cuda_stream *s, const void *in, const void *in2,
    const void *bias, void *out, void *workspace, struct hop_err *e)
{
    struct hop_cuda_host_call a = p->call;

    a.in = in;
    a.in2 = in2;
    a.bias = bias;
    a.out = out;
    a.workspace = workspace;
    return hop_cuda_host_call(p->context, s, &a, e);
}

const struct hop_cuda_fast hop_cuda_host_fast = {version, channels, plan_new, plan_digest,
                                                 plan_free, run};

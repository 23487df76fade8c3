/* t_conv_gpu - cuDNN's convolutions on a real GPU, through fast.h: against plain loops in double, run
 * three times, captured, and from a plan set. Skipped where there is no GPU. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/cuda/gpu/context.h"
#include "engine/cuda/gpu/cudnn.h"

static const struct hop_cuda_driver *const drv = &hop_cuda_driver_real;
static struct hop_cuda_context *gpu;
static struct hop_cuda_stream *stream;
static struct hop_str told; /* plans that were chosen */
static int n_told;

static void
on_plan(const char *line)
{
    hop_str_add(&told, line);
    n_told++;
}

__attribute__((noreturn)) static void
die(const char *what, const struct hop_err *e)
{
    printf("Bail out! %s: %s: %s (%s)\n", what, e->where, e->what, e->hint);
    exit(1);
}

static uint16_t
to_bf16(float v)
{
    uint32_t bits = hop_f32_bits(v);

    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static double
from_bf16(uint16_t v)
{
    return hop_bits_f32((uint32_t)v << 16);
}

/* Numbers in -1..1 that bfloat16 holds, random enough. */
static uint16_t *
draw(size_t n, uint32_t seed)
{
    uint16_t *v = malloc(n * sizeof *v);
    size_t i;

    for (i = 0; v && i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        v[i] = to_bf16((float)(seed >> 8) / 8388608.0f - 1.0f);
    }
    return v;
}

/* What the tensors of a pass hold, in elements. */
static void
sizes(const struct hop_cuda_conv *c, size_t *n_in, size_t *n_in2, size_t *n_out)
{
    size_t x = (size_t)(c->n * c->H * c->W * c->C), y = (size_t)(c->n * c->P * c->Q * c->K);
    size_t w = (size_t)(c->K * c->kh * c->kw * c->C / c->groups);

    *n_in = c->pass == HOP_CUDA_DATA_GRADIENT ? y : x;
    *n_in2 = c->pass == HOP_CUDA_WEIGHT_GRADIENT ? y : w;
    *n_out = c->pass == HOP_CUDA_FORWARD ? y : c->pass == HOP_CUDA_DATA_GRADIENT ? x : w;
}

/* Every product of the convolution goes to where its pass adds it; |sum| of the terms to scale. */
static void
naive(const struct hop_cuda_conv *c, const uint16_t *in, const uint16_t *in2, const uint16_t *bias,
      double *out, double *scale, size_t n_out)
{
    int64_t n, p, q, k, r, s, ci, h, w, cg = c->C / c->groups, kg = c->K / c->groups;

    memset(out, 0, n_out * sizeof *out);
    memset(scale, 0, n_out * sizeof *scale);
    for (n = 0; n < c->n; n++)
        for (p = 0; p < c->P; p++)
            for (q = 0; q < c->Q; q++)
                for (k = 0; k < c->K; k++)
                    for (r = 0; r < c->kh; r++)
                        for (s = 0; s < c->kw; s++)
                            for (ci = 0; ci < cg; ci++) {
                                size_t x, y, f, o;
                                double t;

                                h = p * c->stride_h + r * c->dilation_h - c->pad_top;
                                w = q * c->stride_w + s * c->dilation_w - c->pad_left;
                                if (h < 0 || h >= c->H || w < 0 || w >= c->W)
                                    continue;
                                x = (size_t)(((n * c->H + h) * c->W + w) * c->C + k / kg * cg + ci);
                                y = (size_t)(((n * c->P + p) * c->Q + q) * c->K + k);
                                f = (size_t)(((k * c->kh + r) * c->kw + s) * cg + ci);
                                o = c->pass == HOP_CUDA_FORWARD ? y : c->pass == HOP_CUDA_DATA_GRADIENT ? x : f;
                                t = from_bf16(in[c->pass == HOP_CUDA_DATA_GRADIENT ? y : x]) *
                                    from_bf16(in2[c->pass == HOP_CUDA_WEIGHT_GRADIENT ? y : f]);
                                out[o] += t;
                                scale[o] += fabs(t);
                            }
    for (size_t i = 0; c->pass == HOP_CUDA_FORWARD && i < n_out; i++) {
        out[i] += c->has_bias ? from_bf16(bias[i % (size_t)c->K]) : 0;
        out[i] = c->has_relu && out[i] < 0 ? 0 : out[i];
    }
}

struct buffers {
    void *in, *in2, *bias, *out, *workspace;
};

static void *
upload(const void *from, size_t bytes)
{
    struct hop_err e = {0};
    void *p;

    if (drv->alloc(gpu, bytes, &p, &e) || (from && drv->copy_in(gpu, stream, p, from, bytes, &e)))
        die("upload", &e);
    return p;
}

/* Run (captured or not) into a poisoned output; the result comes back. */
static void
run_once(struct hop_cuda_fast_plan *plan, const struct buffers *b, bool is_captured, uint16_t *out,
         size_t n_out)
{
    struct hop_cuda_graph *graph = NULL;
    struct hop_err e = {0};

    if (drv->set(gpu, stream, b->out, 0xff, n_out * 2, &e) ||
        (is_captured && drv->capture_begin(gpu, stream, &e)) ||
        hop_cuda_fast_table->run(plan, stream, b->in, b->in2, b->bias, b->out, b->workspace, &e))
        die("run", &e);
    if (is_captured && (drv->capture_end(gpu, stream, &graph, &e) || drv->graph_launch(gpu, graph, stream, &e)))
        die("graph", &e);
    if (drv->copy_out(gpu, stream, out, b->out, n_out * 2, &e) || drv->stream_sync(gpu, stream, &e))
        die("result", &e);
    drv->graph_free(gpu, graph);
}

static void
test_case(const char *name, struct hop_cuda_conv c, enum hop_cuda_pass pass)
{
    static const char *const words[] = {"fprop", "dgrad", "wgrad"};
    struct hop_cuda_fast_plan *plan, *again;
    size_t n_in, n_in2, n_out, bytes, i;
    struct hop_err e = {0};
    struct buffers b;
    uint16_t *in, *in2, *bias, *out[4];
    double *want, *scale, worst = 0, d;

    c.pass = pass;
    if (pass != HOP_CUDA_FORWARD)
        c.has_bias = c.has_relu = 0;
    sizes(&c, &n_in, &n_in2, &n_out);
    in = draw(n_in, 1);
    in2 = draw(n_in2, 2);
    bias = draw((size_t)c.K, 3);
    want = malloc(n_out * sizeof *want);
    scale = malloc(n_out * sizeof *scale);
    hop_cuda_fast_plans("", on_plan);
    if (hop_cuda_fast_table->plan_new(gpu, &c, HOP_CUDA_BF16, &plan, &bytes, &e))
        die(name, &e);
    hop_cuda_fast_plans(hop_str_c(&told), on_plan);
    n_told = 0;
    if (hop_cuda_fast_table->plan_new(gpu, &c, HOP_CUDA_BF16, &again, &bytes, &e))
        die(name, &e);
    ok(n_told == 0, "%s %s: the second plan is the set's", name, words[pass]);
    b = (struct buffers){upload(in, n_in * 2), upload(in2, n_in2 * 2), upload(bias, (size_t)c.K * 2),
                         upload(NULL, n_out * 2), bytes ? upload(NULL, bytes) : NULL};
    for (i = 0; i < HOP_LEN(out); i++) {
        out[i] = malloc(n_out * 2);
        run_once(i == 3 ? again : plan, &b, i == 2, out[i], n_out);
    }
    naive(&c, in, in2, bias, want, scale, n_out);
    for (i = 0; i < n_out; i++) {
        d = fabs(from_bf16(out[0][i]) - want[i]) / (fabs(want[i]) + 1e-3 * scale[i] + 1e-6);
        worst = d > worst || d != d ? d : worst;
    }
    /* half a unit of 8 bits of fraction is 2^-9; float32 sums add little */
    ok(worst < 1.0 / 200, "%s %s: relative error %.1e", name, words[pass], worst);
    ok(!memcmp(out[0], out[1], n_out * 2), "%s %s: the same bits again", name, words[pass]);
    ok(!memcmp(out[0], out[2], n_out * 2), "%s %s: the same bits in a graph", name, words[pass]);
    ok(!memcmp(out[0], out[3], n_out * 2), "%s %s: the same bits from the plan set", name, words[pass]);
    hop_cuda_fast_table->plan_free(plan);
    hop_cuda_fast_table->plan_free(again);
    for (i = 0; i < HOP_LEN(out); i++)
        free(out[i]);
    drv->free(gpu, b.in);
    drv->free(gpu, b.in2);
    drv->free(gpu, b.bias);
    drv->free(gpu, b.out);
    drv->free(gpu, b.workspace);
    free(in);
    free(in2);
    free(bias);
    free(want);
    free(scale);
}

int
main(void)
{
    static const struct {
        const char *name;
        struct hop_cuda_conv conv;
    } rows[] = {
        {"first layer", {0, 5, 16, 16, 8, 32, 3, 3, 16, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {"3x3", {0, 4, 16, 16, 32, 64, 3, 3, 14, 14, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0}},
        {"stride 2, uneven padding", {0, 4, 16, 16, 16, 32, 3, 3, 8, 8, 2, 2, 1, 1, 0, 0, 1, 1, 1, 0, 0}},
        {"dilation", {0, 3, 16, 16, 16, 16, 3, 3, 12, 12, 1, 1, 2, 2, 0, 0, 0, 0, 1, 1, 1}},
        {"dense 128 to 10", {0, 53, 1, 1, 128, 10, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0}},
        {"depthwise", {0, 4, 16, 16, 16, 16, 3, 3, 16, 16, 1, 1, 1, 1, 1, 1, 1, 1, 16, 0, 0}},
    };
    struct hop_err e = {0};
    size_t i;
    int n;

    if (drv->count(&n, &e) || !*hop_cuda_fast_version(&e)) {
        ok(true, "convolutions # skip %s", e.what);
        return tap_end();
    }
    if (drv->open(0, &gpu, &e) || drv->stream_new(gpu, &stream, &e))
        die("GPU", &e);
    for (i = 0; i < HOP_LEN(rows); i++)
        for (int pass = HOP_CUDA_FORWARD; pass <= HOP_CUDA_WEIGHT_GRADIENT; pass++)
            test_case(rows[i].name, rows[i].conv, pass);
    drv->stream_free(gpu, stream);
    drv->close(gpu);
    return tap_end();
}

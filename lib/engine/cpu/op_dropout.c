/* Dropout and SpatialDropout2D. The mask is drawn by counters of canonical element numbers, kept as
 * bytes in canonical order for backward, and looked up wherever a layout put the element. */
#include <string.h>
#include "engine/cpu/mask.h"
#include "engine/cpu/plan.h"

struct dropout {
    int64_t n, hw, c, block; /* examples, positions, channels; as hop_dn_md_block */
    uint32_t i_layer, limit;
    float scale;
    bool is_bf16;  /* x, dy, y, dx are; else float32 */
    uint8_t *drawn;      /* room for the mask */
    const uint8_t *mask; /* [n, hw, c]: 1 = kept; of the last forward pass */
    const void *x, *dy;
    void *y, *dx;
};

static void
draw_mask(struct dropout *s, int64_t n_each, const struct hop_cpu_now *now)
{
    s->mask = hop_cpu_mask(now->dropout_key, s->i_layer, now->t, s->limit, now->first * n_each,
                           s->n * n_each, s->drawn);
}

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void
keep_f32(const uint8_t *mask, float scale, int64_t n, const float *x, float *y)
{
    HOP_CPU_IN_PLACE
    for (int64_t i = 0; i < n; i++) {
        float kept = x[i] * scale;

        y[i] = mask[i] ? kept : 0.0f;
    }
}

ALWAYS void
keep_bf16(const uint8_t *mask, float scale, int64_t n, const uint16_t *x, uint16_t *y)
{
    HOP_CPU_IN_PLACE
    for (int64_t i = 0; i < n; i++) {
        uint16_t kept = hop_cpu_to_bf16(hop_cpu_from_bf16(x[i]) * scale);

        y[i] = mask[i] ? kept : 0;
    }
}

/* A block of 16 channels, which compilers make one channel at a time of. Vectors by name. */
enum { L = 16 };
typedef float reals __attribute__((vector_size(4 * L)));
typedef int32_t words __attribute__((vector_size(4 * L)));
typedef uint16_t halves __attribute__((vector_size(2 * L)));
typedef uint8_t bytes __attribute__((vector_size(L)));

ALWAYS void
keep_block(const uint8_t *mask, float scale, bool is_bf16, int64_t at, const void *x, void *y)
{
    words w, is_kept;
    halves h;
    reals v;
    bytes m;

    memcpy(&m, mask, sizeof m);
    is_kept = -__builtin_convertvector(m, words);
    if (is_bf16) {
        memcpy(&h, (const uint16_t *)x + at, sizeof h);
        for (int k = 0; k < L; k++)
            h[k] = hop_cpu_to_bf16(hop_cpu_from_bf16(h[k]) * scale);
        h &= __builtin_convertvector(is_kept, halves);
        memcpy((uint16_t *)y + at, &h, sizeof h);
    } else {
        memcpy(&v, (const float *)x + at, sizeof v);
        v *= scale;
        memcpy(&w, &v, sizeof w);
        w &= is_kept;
        memcpy((float *)y + at, &w, sizeof w);
    }
}

/* n elements at `at` of x and y, of which those from n_real are padding. */
ALWAYS void
keep(const struct dropout *s, const uint8_t *mask, int64_t n_real, int64_t n, int64_t at,
     const void *x, void *y)
{
    if (s->is_bf16) {
        uint16_t *out = (uint16_t *)y + at;

        keep_bf16(mask, s->scale, n_real, (const uint16_t *)x + at, out);
        for (int64_t k = n_real; k < n; k++)
            out[k] = 0;
    } else {
        float *out = (float *)y + at;

        keep_f32(mask, s->scale, n_real, (const float *)x + at, out);
        for (int64_t k = n_real; k < n; k++)
            out[k] = 0.0f;
    }
}

/* Example i of x to that of y, which may be the same memory. */
HOP_CPU_HOT static void
apply_example(const struct dropout *s, int64_t i, const void *x, void *y)
{
    int64_t b = s->block, size = s->hw * s->c, padded = (s->c + b - 1) / b * b * s->hw;
    int64_t at = i * padded;

    if (b == s->c || (s->c % b == 0 && s->hw == 1)) {
        keep(s, s->mask + i * size, size, size, at, x, y);
        return;
    }
    for (int64_t c0 = 0; c0 < s->c; c0 += b) {
        const uint8_t *mask = s->mask + i * size + c0;
        int64_t n = s->c - c0 < b ? s->c - c0 : b;

        if (b == L && n == L && s->is_bf16)
            for (int64_t j = 0; j < s->hw; j++, at += L)
                keep_block(mask + j * s->c, s->scale, true, at, x, y);
        else if (b == L && n == L)
            for (int64_t j = 0; j < s->hw; j++, at += L)
                keep_block(mask + j * s->c, s->scale, false, at, x, y);
        else
            for (int64_t j = 0; j < s->hw; j++, at += b)
                keep(s, mask + j * s->c, n, b, at, x, y);
    }
}

static void
apply(const struct dropout *s, const void *x, void *y)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s->n; i++)
        apply_example(s, i, x, y);
}

static void
run_forward(void *arg, const struct hop_cpu_now *now)
{
    struct dropout *s = arg;

    draw_mask(s, s->hw * s->c, now);
    apply(s, s->x, s->y);
}

static void
run_backward(void *arg, const struct hop_cpu_now *now)
{
    const struct dropout *s = arg;

    (void)now;
    apply(s, s->dy, s->dx);
}

/* ---- SpatialDropout2D: number i * C + c decides on channel c of example i ---- */

static void
apply_spatial(const struct dropout *s, const float *x, float *y)
{
    int64_t b = s->block;
    float factor[64];

    for (int64_t i = 0; i < s->n; i++)
        for (int64_t c0 = 0, m; c0 < s->c; c0 += m) {
            int64_t at = c0 % b;

            /* Up to 64 channels at once of a block that may be all of them. */
            m = b - at < 64 ? b - at : 64;
            for (int64_t k = 0; k < m; k++)
                factor[k] = c0 + k < s->c && s->mask[i * s->c + c0 + k] ? s->scale : 0.0f;
            for (int64_t j = 0; j < s->hw; j++)
                for (int64_t k = 0; k < m; k++) {
                    float kept = x[j * b + at + k] * factor[k];

                    y[j * b + at + k] = factor[k] != 0.0f ? kept : 0.0f;
                }
            if (at + m == b) {
                x += s->hw * b;
                y += s->hw * b;
            }
        }
}

static void
run_spatial(void *arg, const struct hop_cpu_now *now)
{
    struct dropout *s = arg;

    draw_mask(s, s->c, now);
    apply_spatial(s, s->x, s->y);
}

static void
run_spatial_backward(void *arg, const struct hop_cpu_now *now)
{
    const struct dropout *s = arg;

    (void)now;
    apply_spatial(s, s->dy, s->dx);
}

static bool
is_spatial(const struct hop_cpu_prog *g, int i)
{
    return !strcmp(g->plan->spec.net->layers[i].kind->op, "SpatialDropout2D");
}

/* ---- both ---- */

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_dropout *conf = g->plan->spec.net->layers[i].params;
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    struct dropout *s;

    g->nodes[i].is_input_free = true;
    if ((rc = is_spatial(g, i) ? hop_cpu_value_f32(g, v, e) : hop_cpu_value_any(g, v, e)))
        return rc;
    /* Over a ReLU's output, too: its backward asks only where it was positive, and where dropout
     * put a zero the gradient is zero already. */
    if (!g->is_training || conf->rate == 0 || hop_cpu_can_overwrite(g, v, HOP_CPU_KEEP_SIGN))
        hop_cpu_value_alias(g, v, i + 1);
    else if ((rc = hop_cpu_value_new(g, i + 1, x->md, e)))
        return rc;
    if (!g->is_training || conf->rate == 0)
        return HOP_OK;
    if (!(s = hop_cpu_own(g, sizeof *s, e)))
        return HOP_ENOMEM;
    *s = (struct dropout){.n = x->n,
                          .hw = x->h * x->w,
                          .c = x->c,
                          .i_layer = (uint32_t)i,
                          .block = hop_dn_md_block(x->md),
                          .is_bf16 = hop_dn_md_is_bf16(x->md),
                          .x = x->buf->p,
                          .y = y->buf->p};
    s->limit = (uint32_t)(conf->rate * 4294967296.0);
    s->scale = (float)(1.0 / (1.0 - conf->rate));
    if (!(s->drawn =
              hop_cpu_own(g, (size_t)(s->n * (is_spatial(g, i) ? 1 : s->hw) * s->c + HOP_CPU_MASK_SPARE), e)))
        return HOP_ENOMEM;
    g->nodes[i].aux = s;
    return hop_cpu_call(g, HOP_CPU_FORWARD, is_spatial(g, i) ? run_spatial : run_forward, s, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_dn_md *md = g->values[i + 1].made;
    struct dropout *s = g->nodes[i].aux;
    struct hop_cpu_buf *dy, *dx;
    int rc = hop_cpu_grad_take(g, i + 1, md, &dy, e);

    if (rc || !s)
        return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), md, dy, e);
    if (!(dx = hop_cpu_grad_over(g, dy, md, e)))
        return HOP_ENOMEM;
    s->dy = dy->p;
    s->dx = dx->p;
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, is_spatial(g, i) ? run_spatial_backward : run_backward,
                      s, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), md, dx, e);
}

const struct hop_cpu_op hop_cpu_op_dropout = {"Dropout", forward, backward};
const struct hop_cpu_op hop_cpu_op_spatial_dropout2d = {"SpatialDropout2D", forward, backward};

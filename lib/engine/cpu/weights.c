/* The model's numbers: canonical order outside, oneDNN's layouts inside. 1 layout  2 load and store
 * 3 regularisation and optimizer */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/num.h"
#include "engine/cpu/plan.h"

/* ---- 1 layout ---- */

void
hop_cpu_weights_free(struct hop_plan *p)
{
    for (int i = 0; p->weights && i < p->spec.net->n_weights; i++)
        free(p->weights[i].at[0]);
    free(p->weights);
    free(p->parts);
}

/* oneDNN's axis of canonical axis i: kernels are [kh,kw,C,K] or [kw,C,K] here and [K,C,kh,kw]
 * there, dense kernels [D,units] and [units,D]. */
static int
dn_axis(int n_dims, int i)
{
    static const int conv[] = {2, 3, 1, 0};

    return n_dims > 2 ? conv[4 - n_dims + i] : n_dims - 1 - i;
}

/* The same for [G,K/G,C/G,kh,kw]: canonical output channel k is number k % (K/G) of group
 * k / (K/G). A depthwise kernel [kh,kw,C,m] has the bytes of [kh,kw,1,C*m]. */
static bool
grouped_table(struct hop_cpu_weight *w, const struct hop_dn_md *md, const int64_t *dims)
{
    int64_t *inner = w->at[3], at;

    if (!hop_dn_md_axis(md, 3, w->at[0]) || !hop_dn_md_axis(md, 4, w->at[1]) ||
        !hop_dn_md_axis(md, 2, w->at[2]) || !hop_dn_md_axis(md, 1, inner))
        return false;
    /* From the last group to the first, which is read until then. */
    for (int64_t g = dims[0] - 1; g >= 0; g--) {
        if (!hop_dn_md_axis_at(md, 0, g, &at))
            return false;
        for (int64_t k = dims[1] - 1; k >= 0; k--)
            inner[g * dims[1] + k] = at + inner[k];
    }
    return true;
}

static int
make_tables(struct hop_cpu_weight *w, const struct hop_weight *net_w, const struct hop_dn_md *md,
            struct hop_err *e)
{
    int n_dims = net_w->shape.n_dims, lead = 4 - n_dims;
    int64_t n = 0, dims[6];
    bool is_grouped = hop_dn_md_dims(md, dims) == 5;

    for (int i = 0; i < 4; i++)
        w->dims[i] = i < lead ? 1 : net_w->shape.d[i - lead];
    if (is_grouped) {
        w->dims[2] = dims[2];
        w->dims[3] = dims[0] * dims[1];
    }
    for (int i = 0; i < 4; i++)
        n += w->dims[i];
    if (!(w->at[0] = hop_alloc((size_t)n, sizeof **w->at, e)))
        return HOP_ENOMEM;
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            w->at[i] = w->at[i - 1] + w->dims[i - 1];
        if (!is_grouped && i >= lead && !hop_dn_md_axis(md, dn_axis(n_dims, i - lead), w->at[i]))
            return hop_fail(e, HOP_EFAIL, "device cpu", "use --device=ref",
                            "oneDNN keeps %s in a layout of its own", net_w->name);
    }
    if (is_grouped && !grouped_table(w, md, dims))
        return hop_fail(e, HOP_EFAIL, "device cpu", "use --device=ref",
                        "oneDNN keeps %s in a layout of its own", net_w->name);
    return HOP_OK;
}

int
hop_cpu_weight_place(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, struct hop_err *e)
{
    const struct hop_weight *net_w = &g->plan->spec.net->weights[i];
    struct hop_cpu_weight *w = &g->plan->weights[i];
    size_t bytes = hop_dn_md_bytes(md);
    int n_arrays = 1, rc;

    if (w->md)
        return HOP_OK;
    w->n = bytes / sizeof(float);
    if (!(w->v = hop_arena_get(&g->plan->arena, bytes, e)))
        return HOP_ENOMEM;
    if (g->plan->spec.is_training && net_w->is_trainable) {
        if (!(w->g = hop_arena_get(&g->plan->arena, bytes, e)))
            return HOP_ENOMEM;
        for (int k = 0; k < g->plan->n_slots; k++)
            if (!(w->slots[k] = hop_arena_get(&g->plan->arena, bytes, e)))
                return HOP_ENOMEM;
        n_arrays += 1 + g->plan->n_slots;
        if (hop_cpu_slices(g->plan, true).n[0] < g->plan->spec.batch_size) {
            if (!(w->sum = hop_arena_get(&g->plan->arena, bytes, e)))
                return HOP_ENOMEM;
            n_arrays++;
        }
    }
    if ((rc = make_tables(w, net_w, md, e)))
        return rc;
    g->plan->bytes += (size_t)n_arrays * bytes;
    w->md = hop_dn_md_copy(g->plan->set, md, e);
    return w->md ? HOP_OK : HOP_ENOMEM;
}

/* ---- 2 load and store ---- */

/* Copies, not library reorders: every bit of every float must come back as it went in. Most layouts
 * have blocks of 16 along the last axis. */
enum { RUN = 16 };

static bool
has_runs(const struct hop_cpu_weight *w)
{
    for (int64_t k = 0; k < w->dims[3]; k++)
        if (w->dims[3] % RUN || w->at[3][k] != w->at[3][k / RUN * RUN] + k % RUN)
            return false;
    return true;
}

static void
copy_row_in(const struct hop_cpu_weight *w, bool is_in_runs, const float *from, float *row)
{
    if (is_in_runs)
        for (int64_t k = 0; k < w->dims[3]; k += RUN)
            memcpy(row + w->at[3][k], from + k, RUN * sizeof *from);
    else
        for (int64_t k = 0; k < w->dims[3]; k++)
            row[w->at[3][k]] = from[k];
}

static void
copy_row_out(const struct hop_cpu_weight *w, bool is_in_runs, const float *row, float *to)
{
    if (is_in_runs)
        for (int64_t k = 0; k < w->dims[3]; k += RUN)
            memcpy(to + k, row + w->at[3][k], RUN * sizeof *to);
    else
        for (int64_t k = 0; k < w->dims[3]; k++)
            to[k] = row[w->at[3][k]];
}

static void
copy_in(const struct hop_cpu_weight *w, const float *from, float *to)
{
    const int64_t *d = w->dims;
    bool is_in_runs = has_runs(w);

    for (int64_t a = 0; a < d[0]; a++)
        for (int64_t b = 0; b < d[1]; b++)
            for (int64_t c = 0; c < d[2]; c++, from += d[3])
                copy_row_in(w, is_in_runs, from, to + w->at[0][a] + w->at[1][b] + w->at[2][c]);
}

static void
copy_out(const struct hop_cpu_weight *w, const float *from, float *to)
{
    const int64_t *d = w->dims;
    bool is_in_runs = has_runs(w);

    for (int64_t a = 0; a < d[0]; a++)
        for (int64_t b = 0; b < d[1]; b++)
            for (int64_t c = 0; c < d[2]; c++, to += d[3])
                copy_row_out(w, is_in_runs, from + w->at[0][a] + w->at[1][b] + w->at[2][c], to);
}

int
hop_cpu_load(struct hop_plan *p, const struct hop_state *s, struct hop_err *e)
{
    (void)e;
    hop_arena_fill(&p->arena);
    for (int i = 0; i < p->spec.net->n_weights; i++) {
        const struct hop_weight *net_w = &p->spec.net->weights[i];

        copy_in(&p->weights[i], s->weights + net_w->offset, p->weights[i].v);
        for (int k = 0; k < p->n_slots && net_w->is_trainable; k++)
            copy_in(&p->weights[i], s->slots[k] + net_w->slot_offset, p->weights[i].slots[k]);
    }
    p->step = s->step;
    p->n_changes++;
    return HOP_OK;
}

int
hop_cpu_store(struct hop_plan *p, struct hop_state *s, struct hop_err *e)
{
    (void)e;
    for (int i = 0; i < p->spec.net->n_weights; i++) {
        const struct hop_weight *net_w = &p->spec.net->weights[i];

        copy_out(&p->weights[i], p->weights[i].v, s->weights + net_w->offset);
        for (int k = 0; k < p->n_slots && net_w->is_trainable; k++)
            copy_out(&p->weights[i], p->weights[i].slots[k], s->slots[k] + net_w->slot_offset);
    }
    s->step = p->step;
    return HOP_OK;
}

void
hop_cpu_gradient_out(const struct hop_plan *p, float *gradient)
{
    memset(gradient, 0, p->spec.net->n_params * sizeof *gradient);
    for (int i = 0; i < p->spec.net->n_weights; i++)
        if (p->weights[i].g)
            copy_out(&p->weights[i], p->weights[i].g, gradient + p->spec.net->weights[i].offset);
}

HOP_CPU_HOT static void
add(float *restrict sum, const float *restrict g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += g[i];
}

void
hop_cpu_sum_gradients(struct hop_plan *p, int64_t i, int64_t n)
{
    for (int k = 0; k < p->spec.net->n_weights && n > 1; k++) {
        struct hop_cpu_weight *w = &p->weights[k];

        if (!w->g)
            continue;
        if (i == 0)
            memcpy(w->sum, w->g, w->n * sizeof *w->g);
        else if (i < n - 1)
            add(w->sum, w->g, w->n);
        else
            add(w->g, w->sum, w->n);
    }
}

/* ---- 3 regularisation and optimizer ---- */

enum { LANES = 8 };

/* What a layout pads weights with is zero: it adds nothing to sums, and has no sign. */
HOP_CPU_HOT static double
sum_of_squares(const float *v, size_t n)
{
    double sum[LANES] = {0}, total = 0;
    size_t i;

    for (i = 0; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sum[k] += (double)v[i + (size_t)k] * (double)v[i + (size_t)k];
    for (; i < n; i++)
        total += (double)v[i] * (double)v[i];
    for (int k = 0; k < LANES; k++)
        total += sum[k];
    return total;
}

HOP_CPU_HOT static double
sum_of_sizes(const float *v, size_t n)
{
    double sum[LANES] = {0}, total = 0;
    size_t i;

    for (i = 0; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            sum[k] += (double)fabsf(v[i + (size_t)k]);
    for (; i < n; i++)
        total += (double)fabsf(v[i]);
    for (int k = 0; k < LANES; k++)
        total += sum[k];
    return total;
}

double
hop_cpu_penalty(const struct hop_plan *p)
{
    double total = 0;

    for (int i = 0; i < p->spec.net->n_weights; i++) {
        const struct hop_weight *w = &p->spec.net->weights[i];

        if (w->l1 != 0)
            total += w->l1 * sum_of_sizes(p->weights[i].v, p->weights[i].n);
        if (w->l2 != 0)
            total += w->l2 * sum_of_squares(p->weights[i].v, p->weights[i].n);
    }
    return total;
}

HOP_CPU_HOT static void
add_scaled(float *restrict g, const float *restrict v, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g[i] += scale * v[i];
}

HOP_CPU_HOT static void
add_signs(float *restrict g, const float *restrict v, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g[i] += v[i] > 0 ? scale : v[i] < 0 ? -scale : 0;
}

void
hop_cpu_add_penalty_gradient(struct hop_plan *p)
{
    for (int i = 0; i < p->spec.net->n_weights; i++) {
        const struct hop_weight *w = &p->spec.net->weights[i];
        struct hop_cpu_weight *at = &p->weights[i];

        if (w->l2 != 0 && at->g)
            add_scaled(at->g, at->v, (float)(2 * w->l2), at->n);
        if (w->l1 != 0 && at->g)
            add_signs(at->g, at->v, (float)w->l1, at->n);
    }
}

double
hop_cpu_update(struct hop_plan *p)
{
    size_t n = 0;
    double lr;

    for (int i = 0; i < p->spec.net->n_weights; i++) {
        struct hop_cpu_weight *w = &p->weights[i];

        if (!w->g)
            continue;
        p->parts[n] = (struct hop_optim_part){w->n, w->v, w->g, {NULL}};
        memcpy(p->parts[n++].slots, w->slots, sizeof w->slots);
    }
    lr = hop_optim_update(p->spec.optim, p->spec.optim_conf, &p->spec.lr, p->step + 1, p->parts, n);
    p->step++;
    p->n_changes++;
    return lr;
}

HOP_CPU_HOT static bool
all_finite(const float *v, size_t n)
{
    uint32_t n_bad = 0;

    for (size_t i = 0; i < n; i++)
        n_bad |= (hop_f32_bits(v[i]) & 0x7F800000u) == 0x7F800000u;
    return !n_bad;
}

bool
hop_cpu_weights_are_finite(const struct hop_plan *p)
{
    for (int i = 0; i < p->spec.net->n_weights; i++)
        if (!all_finite(p->weights[i].v, p->weights[i].n))
            return false;
    return true;
}

/* Add and Multiply: several values of one shape, in order. Add writes over one of its inputs where
 * it may, does a ReLU that follows in the same loop, and hands its gradient to all inputs uncopied.
 */
#include <string.h>
#include "engine/cpu/plan.h"

enum { CHUNK = 512 }; /* floats summed at once, on the stack */

struct merge {
    size_t n;
    int n_in;
    bool has_relu;
    bool is_bf16; /* Add only: x and y are */
    const float *x[HOP_NET_INPUTS];
    float *y; /* may be one of x */
    int skip; /* of a gradient of Multiply: the input whose it is */
    const float *dy;
};

/* y = x[0] + x[1] + ..., then the ReLU; a NaN stays one. */
HOP_CPU_HOT static void
run_add(void *arg, const struct hop_cpu_now *now)
{
    const struct merge *s = arg;
    float acc[CHUNK];

    (void)now;
    for (size_t at = 0, m; at < s->n; at += m) {
        m = s->n - at < CHUNK ? s->n - at : CHUNK;
        for (size_t i = 0; i < m; i++)
            acc[i] = s->x[0][at + i] + s->x[1][at + i];
        for (int k = 2; k < s->n_in; k++)
            for (size_t i = 0; i < m; i++)
                acc[i] += s->x[k][at + i];
        if (s->has_relu)
            for (size_t i = 0; i < m; i++)
                acc[i] = acc[i] < 0.0f ? 0.0f : acc[i];
        memcpy(s->y + at, acc, m * sizeof *acc);
    }
}

/* y = x[0] * x[1] * ... */
HOP_CPU_HOT static void
run_multiply(void *arg, const struct hop_cpu_now *now)
{
    const struct merge *s = arg;

    (void)now;
    memcpy(s->y, s->x[0], s->n * sizeof *s->y);
    for (int k = 1; k < s->n_in; k++)
        for (size_t i = 0; i < s->n; i++)
            s->y[i] = s->y[i] * s->x[k][i];
}

/* y = dy * the product of all inputs but one. */
HOP_CPU_HOT static void
run_multiply_back(void *arg, const struct hop_cpu_now *now)
{
    const struct merge *s = arg;

    (void)now;
    memcpy(s->y, s->dy, s->n * sizeof *s->y);
    for (int k = 0; k < s->n_in; k++)
        for (size_t i = 0; k != s->skip && i < s->n; i++)
            s->y[i] = s->y[i] * s->x[k][i];
}

/* The same of bfloat16, summed in float32. */
HOP_CPU_HOT static void
run_add_bf16(void *arg, const struct hop_cpu_now *now)
{
    const struct merge *s = arg;
    uint16_t *y = (uint16_t *)s->y;
    float acc[CHUNK];

    (void)now;
    for (size_t at = 0, m; at < s->n; at += m) {
        m = s->n - at < CHUNK ? s->n - at : CHUNK;
        for (size_t i = 0; i < m; i++)
            acc[i] = hop_cpu_from_bf16(((const uint16_t *)s->x[0])[at + i]);
        for (int k = 1; k < s->n_in; k++)
            for (size_t i = 0; i < m; i++)
                acc[i] += hop_cpu_from_bf16(((const uint16_t *)s->x[k])[at + i]);
        if (s->has_relu)
            for (size_t i = 0; i < m; i++)
                acc[i] = acc[i] < 0.0f ? 0.0f : acc[i];
        for (size_t i = 0; i < m; i++)
            y[at + i] = hop_cpu_to_bf16(acc[i]);
    }
}

static struct merge *
new_merge(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, struct hop_err *e)
{
    struct merge *s = hop_cpu_own(g, sizeof *s, e);

    if (s)
        *s = (struct merge){.n = hop_dn_md_bytes(md) / (hop_dn_md_is_bf16(md) ? 2 : sizeof(float)),
                            .is_bf16 = hop_dn_md_is_bf16(md),
                            .n_in = g->plan->spec.net->layers[i].n_in,
                            .skip = -1};
    return s;
}

/* All inputs in layout md; the caller drops them. */
static int
read_inputs(struct hop_cpu_prog *g, enum hop_cpu_list list, int i, const struct hop_dn_md *md,
            struct merge *s, struct hop_cpu_buf **bufs, struct hop_err *e)
{
    int rc = HOP_OK;

    for (int k = 0; k < s->n_in && !rc; k++)
        if (!(rc = hop_cpu_value_as(g, list, hop_cpu_in(g, i, k), md, &bufs[k], e)))
            s->x[k] = bufs[k]->p;
    return rc;
}

static void
drop_inputs(const struct merge *s, struct hop_cpu_buf **bufs)
{
    for (int k = 0; k < s->n_in; k++)
        hop_cpu_buf_put(bufs[k]);
}

/* Which input gives its memory to the output; -1: none. */
static int
give_up(struct hop_cpu_prog *g, int i)
{
    for (int k = g->plan->spec.net->layers[i].n_in - 1; k >= 0; k--) {
        int v = hop_cpu_in(g, i, k);

        if (g->values[v].md && hop_dn_md_block(g->values[v].md) &&
            hop_cpu_can_overwrite(g, v, HOP_CPU_FREE))
            return v;
    }
    return -1;
}

static int
forward_add(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_buf *bufs[HOP_NET_INPUTS] = {NULL};
    struct hop_cpu_node *next = NULL;
    const struct hop_activation *act = hop_cpu_next_act(g, i, &next);
    int over = give_up(g, i), v = over >= 0 ? over : hop_cpu_in(g, i, 0), rc;
    const struct hop_dn_md *md;
    struct merge *s;

    if ((rc = hop_cpu_value_any(g, v, e)))
        return rc;
    md = g->values[v].md;
    if (!(s = new_merge(g, i, md, e)))
        return HOP_ENOMEM;
    if ((rc = read_inputs(g, HOP_CPU_FORWARD, i, md, s, bufs, e)))
        return rc;
    if (over >= 0)
        hop_cpu_value_alias(g, over, i + 1);
    else if ((rc = hop_cpu_value_new(g, i + 1, md, e)))
        return rc;
    s->y = g->values[i + 1].buf->p;
    s->has_relu = act && act->act == HOP_RELU;
    if (s->has_relu)
        next->is_fused = true;
    g->nodes[i].is_input_free = true;
    drop_inputs(s, bufs);
    return hop_cpu_call(g, HOP_CPU_FORWARD, s->is_bf16 ? run_add_bf16 : run_add, s, e);
}

static int
backward_add(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_dn_md *md = g->values[i + 1].made;
    struct hop_cpu_buf *dy;
    int rc = hop_cpu_grad_take(g, i + 1, md, &dy, e);

    for (int k = 0; k < g->plan->spec.net->layers[i].n_in && !rc; k++) {
        dy->n_refs++;
        rc = hop_cpu_grad_give(g, hop_cpu_in(g, i, k), md, dy, e);
    }
    if (!rc)
        hop_cpu_buf_put(dy);
    return rc;
}

static int
forward_multiply(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_buf *bufs[HOP_NET_INPUTS] = {NULL};
    int v = hop_cpu_in(g, i, 0), rc = hop_cpu_value_f32(g, v, e);
    struct merge *s;

    if (rc)
        return rc;
    if (!(s = new_merge(g, i, g->values[v].md, e)))
        return HOP_ENOMEM;
    if ((rc = read_inputs(g, HOP_CPU_FORWARD, i, g->values[v].md, s, bufs, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, g->values[v].md, e)))
        return rc;
    s->y = g->values[i + 1].buf->p;
    drop_inputs(s, bufs);
    return hop_cpu_call(g, HOP_CPU_FORWARD, run_multiply, s, e);
}

/* The gradient of input number k. */
static int
multiply_back(struct hop_cpu_prog *g, int i, int k, const struct hop_cpu_buf *dy, struct hop_err *e)
{
    const struct hop_dn_md *md = g->values[i + 1].made;
    struct hop_cpu_buf *bufs[HOP_NET_INPUTS] = {NULL}, *dx;
    struct merge *s = new_merge(g, i, md, e);
    int rc;

    if (!s)
        return HOP_ENOMEM;
    if ((rc = read_inputs(g, HOP_CPU_BACKWARD, i, md, s, bufs, e)))
        return rc;
    if (!(dx = hop_cpu_grad_new(g, md, e)))
        return HOP_ENOMEM;
    s->skip = k;
    s->dy = dy->p;
    s->y = dx->p;
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_multiply_back, s, e);
    drop_inputs(s, bufs);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, k), md, dx, e);
}

static int
backward_multiply(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_buf *dy;
    int rc = hop_cpu_grad_take(g, i + 1, g->values[i + 1].made, &dy, e);

    for (int k = 0; k < g->plan->spec.net->layers[i].n_in && !rc; k++)
        if (g->values[hop_cpu_in(g, i, k)].wants_grad)
            rc = multiply_back(g, i, k, dy, e);
    if (!rc)
        hop_cpu_buf_put(dy);
    return rc;
}

const struct hop_cpu_op hop_cpu_op_add = {"Add", forward_add, backward_add};
const struct hop_cpu_op hop_cpu_op_multiply = {"Multiply", forward_multiply, backward_multiply};

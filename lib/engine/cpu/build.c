/* What the op_*.c need to append their steps. 1 memory  2 steps  3 values  4 gradients  5 weights
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "engine/cpu/plan.h"

/* ---- 1 memory ---- */

void *
hop_cpu_own(struct hop_cpu_prog *g, size_t bytes, struct hop_err *e)
{
    g->bytes += bytes;
    return hop_arena_get(&g->owned, bytes, e);
}

struct hop_cpu_buf *
hop_cpu_buf_get(struct hop_plan *p, size_t bytes, struct hop_err *e)
{
    struct hop_cpu_buf *best = NULL, *b;

    for (b = p->pool; b; b = b->next) {
        /* Not one much too large: it would be missed by a later, larger value. */
        if (!b->n_refs && b->bytes >= bytes && b->bytes / 4 <= bytes &&
            (!best || b->bytes < best->bytes))
            best = b;
    }
    if (best) {
        best->n_refs = 1;
        return best;
    }
    if (!(b = hop_alloc(1, sizeof *b, e)))
        return NULL;
    if (!(b->p = hop_arena_get(&p->arena, bytes, e))) {
        free(b);
        return NULL;
    }
    b->bytes = bytes;
    b->n_refs = 1;
    b->next = p->pool;
    p->pool = b;
    p->bytes += bytes;
    return b;
}

void
hop_cpu_buf_put(struct hop_cpu_buf *b)
{
    if (!b)
        return;
    HOP_BUG_ON(b->n_refs <= 0);
    b->n_refs--;
}

const struct hop_dn_md *
hop_cpu_md(struct hop_cpu_prog *g, const struct hop_cpu_value *v, enum hop_dn_tag tag,
           struct hop_err *e)
{
    int64_t dims[] = {v->n, v->c, v->h, v->w};

    return hop_dn_md_new(g->set, tag == HOP_DN_NC ? 2 : 4, dims, tag, e);
}

const struct hop_dn_md *
hop_cpu_md_typed(struct hop_cpu_prog *g, const struct hop_cpu_value *v, enum hop_dn_tag tag,
                 const struct hop_dn_md *md, struct hop_err *e)
{
    const struct hop_dn_md *f32 = hop_cpu_md(g, v, tag, e);

    return f32 ? hop_dn_md_typed(g->set, f32, hop_dn_md_is_bf16(md), e) : NULL;
}

const struct hop_dn_md *
hop_cpu_md_last(struct hop_cpu_prog *g, const struct hop_cpu_value *v, struct hop_err *e)
{
    return hop_cpu_md(g, v, v->is_flat ? HOP_DN_NC : HOP_DN_NHWC, e);
}

/* ---- 2 steps ---- */

static int
append(struct hop_cpu_prog *g, enum hop_cpu_list list, struct hop_cpu_step step, struct hop_err *e)
{
    int rc = hop_grow(&g->lists[list], &g->cap_steps[list], g->n_steps[list] + 1, sizeof step, e);

    if (!rc)
        g->lists[list][g->n_steps[list]++] = step;
    return rc;
}

int
hop_cpu_exec(struct hop_cpu_prog *g, enum hop_cpu_list list, const struct hop_dn_prim *p,
             const struct hop_dn_bind *b, int n, struct hop_err *e)
{
    static const char *const lists[] = {"prepare", "forward", "backward"};
    struct hop_cpu_step step = {0};
    int rc = hop_dn_exec_new(g->set, p, b, n, &step.exec, e);

    hop_log(HOP_LOG_DEBUG, "device cpu: batch %lld, %s %s: %s", (long long)g->n, lists[list],
            g->plan->spec.net->layers[g->i_layer].name, hop_dn_prim_impl(p));
    return rc ? rc : append(g, list, step, e);
}

int
hop_cpu_call(struct hop_cpu_prog *g, enum hop_cpu_list list,
             void (*fn)(void *arg, const struct hop_cpu_now *now), void *arg, struct hop_err *e)
{
    return append(g, list, (struct hop_cpu_step){.fn = fn, .arg = arg}, e);
}

static int
reorder(struct hop_cpu_prog *g, enum hop_cpu_list list, const struct hop_dn_md *from_md,
        float *from, const struct hop_dn_md *to_md, float *to, struct hop_err *e)
{
    struct hop_dn_bind b[] = {{HOP_DN_SRC, from_md, from}, {HOP_DN_DST, to_md, to}};
    struct hop_dn_prim *prim;
    int rc = hop_dn_reorder(g->set, from_md, to_md, &prim, e);

    return rc ? rc : hop_cpu_exec(g, list, prim, b, 2, e);
}

/* ---- 3 values ---- */

int
hop_cpu_in(const struct hop_cpu_prog *g, int i, int k)
{
    return g->plan->spec.net->layers[i].in[k] + 1;
}

int
hop_cpu_value_new(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, struct hop_err *e)
{
    struct hop_cpu_value *v = &g->values[i];

    if (!(v->buf = hop_cpu_buf_get(g->plan, hop_dn_md_bytes(md), e)))
        return HOP_ENOMEM;
    v->md = md;
    return HOP_OK;
}

/* The input has no layout until its first reader asks for one. */
static int
place(struct hop_cpu_prog *g, int i, const struct hop_dn_md *wish, struct hop_err *e)
{
    const struct hop_dn_md *md = wish;

    if (g->values[i].md)
        return HOP_OK;
    if ((!md || !hop_dn_md_block(md)) && !(md = hop_cpu_md_last(g, &g->values[i], e)))
        return HOP_ENOMEM;
    md = hop_dn_md_typed(g->set, md, false, e);
    return md ? hop_cpu_value_new(g, i, md, e) : HOP_ENOMEM;
}

int
hop_cpu_value_as(struct hop_cpu_prog *g, enum hop_cpu_list list, int i, const struct hop_dn_md *md,
                 struct hop_cpu_buf **out, struct hop_err *e)
{
    struct hop_cpu_value *v = &g->values[i];
    int rc = place(g, i, md, e);

    *out = NULL;
    if (rc)
        return rc;
    if (hop_dn_md_equal(v->md, md)) {
        v->buf->n_refs++;
        *out = v->buf;
        return HOP_OK;
    }
    if (!(*out = hop_cpu_buf_get(g->plan, hop_dn_md_bytes(md), e)))
        return HOP_ENOMEM;
    return reorder(g, list, v->md, v->buf->p, md, (*out)->p, e);
}

/* From now on value i is its copy in layout md. */
static int
move_to(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, struct hop_err *e)
{
    struct hop_cpu_value *v = &g->values[i];
    struct hop_cpu_buf *copy;
    int rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, i, md, &copy, e);

    if (rc)
        return rc;
    hop_cpu_buf_put(v->buf);
    v->buf = copy;
    v->md = md;
    return HOP_OK;
}

int
hop_cpu_value_any(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_value *v = &g->values[i];
    const struct hop_dn_md *md;
    int rc = place(g, i, NULL, e);

    if (rc || hop_dn_md_block(v->md))
        return rc;
    if (!(md = hop_cpu_md_last(g, v, e)))
        return HOP_ENOMEM;
    return move_to(g, i, md, e);
}

int
hop_cpu_value_f32(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_dn_md *md;
    int rc = hop_cpu_value_any(g, i, e);

    if (rc || !hop_dn_md_is_bf16(g->values[i].md))
        return rc;
    md = hop_dn_md_typed(g->set, g->values[i].md, false, e);
    return md ? move_to(g, i, md, e) : HOP_ENOMEM;
}

void
hop_cpu_value_alias(struct hop_cpu_prog *g, int from, int to)
{
    struct hop_cpu_value *x = &g->values[from], *y = &g->values[to];

    y->md = x->md;
    y->buf = x->buf;
    y->buf->n_refs++;
    y->keep = x->keep;
    y->is_shared = y->is_shared || x->is_shared;
}

bool
hop_cpu_can_overwrite(const struct hop_cpu_prog *g, int v, enum hop_cpu_keep max)
{
    return !g->values[v].is_shared && (!g->is_training || g->values[v].keep <= max);
}

/* ---- 4 gradients ---- */

struct hop_cpu_buf *
hop_cpu_grad_new(struct hop_cpu_prog *g, const struct hop_dn_md *md, struct hop_err *e)
{
    return hop_cpu_buf_get(g->plan, hop_dn_md_bytes(md), e);
}

struct hop_cpu_buf *
hop_cpu_grad_over(struct hop_cpu_prog *g, struct hop_cpu_buf *dy, const struct hop_dn_md *md,
                  struct hop_err *e)
{
    if (dy->n_refs > 1)
        return hop_cpu_grad_new(g, md, e);
    dy->n_refs++;
    return dy;
}

struct sum {
    size_t n;
    const void *a, *b;
    void *out; /* may be a or b */
};

HOP_CPU_HOT static void
run_sum(void *arg, const struct hop_cpu_now *now)
{
    const struct sum *s = arg;
    const float *a = s->a, *b = s->b;
    float *out = s->out;

    (void)now;
    HOP_CPU_IN_PLACE
    for (size_t i = 0; i < s->n; i++)
        out[i] = a[i] + b[i];
}

HOP_CPU_HOT static void
run_sum_bf16(void *arg, const struct hop_cpu_now *now)
{
    const struct sum *s = arg;
    const uint16_t *a = s->a, *b = s->b;
    uint16_t *out = s->out;

    (void)now;
    HOP_CPU_IN_PLACE
    for (size_t i = 0; i < s->n; i++)
        out[i] = hop_cpu_to_bf16(hop_cpu_from_bf16(a[i]) + hop_cpu_from_bf16(b[i]));
}

/* The gradient that v has, plus `take` in layout md. */
static int
accumulate(struct hop_cpu_prog *g, struct hop_cpu_value *v, const struct hop_dn_md *md,
           struct hop_cpu_buf *take, struct hop_err *e)
{
    bool is_bf16 = hop_dn_md_is_bf16(v->grad_md);
    struct sum *s = hop_cpu_own(g, sizeof *s, e);
    struct hop_cpu_buf *both;
    int rc;

    if (!s)
        return HOP_ENOMEM;
    if (!hop_dn_md_equal(md, v->grad_md)) {
        if (!(both = hop_cpu_grad_new(g, v->grad_md, e)))
            return HOP_ENOMEM;
        if ((rc = reorder(g, HOP_CPU_BACKWARD, md, take->p, v->grad_md, both->p, e)))
            return rc;
        hop_cpu_buf_put(take);
        take = both;
    }
    both = take->n_refs == 1 ? take : v->grad;
    if (!(both = hop_cpu_grad_over(g, both, v->grad_md, e)))
        return HOP_ENOMEM;
    *s = (struct sum){hop_dn_md_bytes(v->grad_md) / (is_bf16 ? 2 : sizeof(float)), v->grad->p,
                      take->p, both->p};
    hop_cpu_buf_put(v->grad);
    hop_cpu_buf_put(take);
    v->grad = both;
    return hop_cpu_call(g, HOP_CPU_BACKWARD, is_bf16 ? run_sum_bf16 : run_sum, s, e);
}

int
hop_cpu_grad_give(struct hop_cpu_prog *g, int v, const struct hop_dn_md *md,
                  struct hop_cpu_buf *take, struct hop_err *e)
{
    struct hop_cpu_value *x = &g->values[v];

    if (x->wants_grad && x->grad)
        return accumulate(g, x, md, take, e);
    if (!x->wants_grad) {
        hop_cpu_buf_put(take);
        return HOP_OK;
    }
    x->grad_md = md;
    x->grad = take;
    return HOP_OK;
}

int
hop_cpu_grad_take(struct hop_cpu_prog *g, int v, const struct hop_dn_md *md,
                  struct hop_cpu_buf **out, struct hop_err *e)
{
    struct hop_cpu_value *x = &g->values[v];
    int rc;

    HOP_BUG_ON(!x->grad);
    if (hop_dn_md_equal(x->grad_md, md)) {
        *out = x->grad;
        x->grad = NULL;
        return HOP_OK;
    }
    if (!(*out = hop_cpu_grad_new(g, md, e)))
        return HOP_ENOMEM;
    if ((rc = reorder(g, HOP_CPU_BACKWARD, x->grad_md, x->grad->p, md, (*out)->p, e)))
        return rc;
    hop_cpu_buf_put(x->grad);
    x->grad = NULL;
    return HOP_OK;
}

/* ---- 5 weights ---- */

/* The weight's copy in layout md; a new one if it has none. NULL: HOP_ENOMEM. */
static struct hop_cpu_copy *
copy_of(struct hop_plan *p, struct hop_cpu_weight *w, const struct hop_dn_md *md, struct hop_err *e)
{
    struct hop_cpu_copy *c;

    for (c = w->copies; c; c = c->next)
        if (hop_dn_md_equal(c->md, md))
            return c;
    if (!(c = hop_arena_get(&p->arena, sizeof *c, e)) ||
        !(c->p = hop_arena_get(&p->arena, hop_dn_md_bytes(md), e)) ||
        !(c->md = hop_dn_md_copy(p->set, md, e)))
        return NULL;
    p->bytes += hop_dn_md_bytes(md);
    c->next = w->copies;
    return w->copies = c;
}

int
hop_cpu_weight_as(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, float **out,
                  struct hop_err *e)
{
    struct hop_cpu_weight *w = &g->plan->weights[i];
    struct hop_cpu_copy *c;
    int rc;

    if (hop_dn_md_equal(w->md, md)) {
        *out = w->v;
        return HOP_OK;
    }
    if (!(c = copy_of(g->plan, w, md, e)))
        return HOP_ENOMEM;
    *out = c->p;
    if ((rc = reorder(g, HOP_CPU_PREPARE, w->md, w->v, md, c->p, e)))
        return rc;
    g->lists[HOP_CPU_PREPARE][g->n_steps[HOP_CPU_PREPARE] - 1].at = &c->at;
    return HOP_OK;
}

int
hop_cpu_weight_gradient(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, float **out,
                        struct hop_err *e)
{
    if (hop_dn_md_equal(g->plan->weights[i].md, md))
        *out = g->plan->weights[i].g;
    else
        *out = hop_cpu_own(g, hop_dn_md_bytes(md), e);
    return *out ? HOP_OK : HOP_ENOMEM;
}

int
hop_cpu_weight_gradient_done(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, float *dw,
                             struct hop_err *e)
{
    const struct hop_cpu_weight *w = &g->plan->weights[i];

    return dw == w->g ? HOP_OK : reorder(g, HOP_CPU_BACKWARD, md, dw, w->md, w->g, e);
}

int
hop_cpu_gradient_or_scratch(struct hop_cpu_prog *g, const struct hop_cpu_weight *w, float **out,
                            struct hop_err *e)
{
    *out = !w ? NULL : w->g ? w->g : hop_cpu_own(g, w->n * sizeof(float), e);
    return w && !*out ? HOP_ENOMEM : HOP_OK;
}

const struct hop_activation *
hop_cpu_next_act(const struct hop_cpu_prog *g, int i, struct hop_cpu_node **node)
{
    const struct hop_cpu_value *y = &g->values[i + 1];
    const struct hop_layer *next;
    const struct hop_activation *a;

    if (y->n_readers != 1 || y->i_reader >= g->plan->n_ops)
        return NULL;
    next = &g->plan->spec.net->layers[y->i_reader];
    a = next->params;
    if (strcmp(next->kind->op, "Activation") || !hop_dn_has_eltwise(a) ||
        (g->is_training && hop_dn_eltwise_reads_input(a)))
        return NULL;
    *node = &g->nodes[y->i_reader];
    return a;
}

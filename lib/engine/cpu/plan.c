/* Plans and programs of the device "cpu". 1 layers  2 programs  3 plans */
#include "engine/cpu/plan.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "engine/cpu/precision.h"

/* ---- 1 layers ---- */

/* To add a layer here: op_NAME.c and a row. */
#define ROWS(X)                                                                                    \
    X(activation)                                                                                  \
    X(add)                                                                                         \
    X(augment)                                                                                     \
    X(average_pooling2d)                                                                           \
    X(batch_normalization)                                                                         \
    X(concatenate)                                                                                 \
    X(conv2d)                                                                                      \
    X(dense)                                                                                       \
    X(dropout)                                                                                     \
    X(flatten)                                                                                     \
    X(global_average_pooling2d)                                                                    \
    X(global_max_pooling2d)                                                                        \
    X(layer_normalization)                                                                         \
    X(max_pooling2d)                                                                               \
    X(multiply)                                                                                    \
    X(rescaling)                                                                                   \
    X(spatial_dropout2d)                                                                           \
    X(zero_padding2d)

#define DECLARE(name) extern const struct hop_cpu_op hop_cpu_op_##name;
#define POINT(name)   &hop_cpu_op_##name,
ROWS(DECLARE)
static const struct hop_cpu_op *const ops[] = {ROWS(POINT)};

static int
find_op(const struct hop_layer *l, const struct hop_cpu_op **out, struct hop_err *e)
{
    for (size_t i = 0; i < HOP_LEN(ops); i++) {
        if (!strcmp(ops[i]->name, l->kind->op)) {
            *out = ops[i];
            return HOP_OK;
        }
    }
    return hop_fail(e, HOP_EFORMAT, l->name, "choose another --device",
                    "device cpu has no layer %s", l->kind->name);
}

/* ---- 2 programs ---- */

static void
prog_free(struct hop_cpu_prog *g)
{
    if (!g)
        return;
    hop_dn_set_free(g->set);
    hop_arena_clear(&g->owned);
    for (int i = 0; i < HOP_CPU_N_LISTS; i++)
        free(g->lists[i]);
    free(g);
}

static struct hop_cpu_value
describe(const struct hop_shape *s, int64_t n)
{
    struct hop_cpu_value v = {.n = n, .c = s->d[s->n_dims - 1], .h = 1, .w = 1};

    v.is_flat = s->n_dims == 1;
    for (int i = 0; i + 1 < s->n_dims; i++) {
        if (i + 2 < s->n_dims)
            v.h *= s->d[i];
        else
            v.w = s->d[i];
    }
    return v;
}

static bool
has_trainable(const struct hop_net *net, const struct hop_layer *l)
{
    for (int k = 0; k < l->n_weights; k++)
        if (net->weights[l->i_weight + k].is_trainable)
            return true;
    return false;
}

/* Values without memory yet, who reads them, and which of them need a gradient. */
static void
describe_values(struct hop_cpu_prog *g)
{
    const struct hop_net *net = g->plan->spec.net;

    g->values[0] = describe(&net->input, g->n);
    for (int i = 0; i < g->plan->n_ops; i++) {
        struct hop_cpu_value *y = &g->values[i + 1], *x;

        *y = describe(&net->layers[i].out_shape, g->n);
        y->wants_grad = g->is_training && has_trainable(net, &net->layers[i]);
        for (int k = 0; k < net->layers[i].n_in; k++) {
            x = &g->values[hop_cpu_in(g, i, k)];
            x->i_reader = i;
            x->n_left = ++x->n_readers;
            x->is_shared = x->n_readers > 1;
            y->wants_grad = y->wants_grad || x->wants_grad;
        }
    }
}

/* Layer i reads value v no more while forward goes on. Free its memory if it was the last to read it
 * and nothing backward will. */
static void
end_read(struct hop_cpu_prog *g, int i, int v)
{
    struct hop_cpu_value *x = &g->values[v];

    x->is_kept = x->is_kept || (g->values[i + 1].wants_grad && !g->nodes[i].is_input_free);
    if (--x->n_left > 0 || (g->is_training && (x->is_kept || x->keep != HOP_CPU_FREE || v == 0)))
        return;
    hop_cpu_buf_put(x->buf);
    if (g->is_training)
        x->buf = NULL; /* who reads it all the same is found at once */
}

static int
build_forward(struct hop_cpu_prog *g, struct hop_err *e)
{
    const struct hop_net *net = g->plan->spec.net;
    const struct hop_cpu_op *op = NULL;
    int rc;

    for (int i = 0; i < g->plan->n_ops; i++) {
        g->i_layer = i;
        if ((rc = find_op(&net->layers[i], &op, e)) || (rc = op->forward(g, i, e)))
            return rc;
        g->values[i + 1].made = g->values[i + 1].md;
        for (int k = 0; k < net->layers[i].n_in; k++)
            end_read(g, i, hop_cpu_in(g, i, k));
    }
    return hop_cpu_value_f32(g, g->plan->n_ops, e);
}

static int
build_backward(struct hop_cpu_prog *g, struct hop_err *e)
{
    const struct hop_net *net = g->plan->spec.net;
    struct hop_cpu_value *z = &g->values[g->plan->n_ops];
    const struct hop_cpu_op *op = NULL;
    int rc;

    if (!z->wants_grad)
        return HOP_OK;
    if (!(z->grad = hop_cpu_grad_new(g, z->md, e)))
        return HOP_ENOMEM;
    z->grad_md = z->md;
    g->dz = z->grad->p;
    for (int i = g->plan->n_ops - 1; i >= 0; i--) {
        g->i_layer = i;
        if (g->values[i + 1].wants_grad &&
            ((rc = find_op(&net->layers[i], &op, e)) || (rc = op->backward(g, i, e))))
            return rc;
        hop_cpu_buf_put(g->values[i + 1].buf);
    }
    return HOP_OK;
}

/* Programs run one at a time, and none leaves anything there. */
static int
place_scratch(struct hop_cpu_prog *g, struct hop_err *e)
{
    size_t bytes = hop_dn_set_scratch_bytes(g->set);
    struct hop_plan *p = g->plan;

    bytes = bytes > g->scratch_bytes ? bytes : g->scratch_bytes;
    if (bytes > p->scratch_bytes) {
        if (!(p->scratch = hop_arena_get(&p->arena, bytes, e)))
            return HOP_ENOMEM;
        p->scratch_bytes = bytes;
        p->bytes += bytes;
    }
    g->scratch = p->scratch;
    return hop_dn_set_scratch(g->set, g->scratch, e);
}

static int
build(struct hop_cpu_prog *g, struct hop_err *e)
{
    size_t n_ops = (size_t)g->plan->n_ops;
    int64_t k = g->plan->spec.net->output.d[0];
    int rc;

    /* Programs run one at a time, so each may use all of the pool. */
    for (struct hop_cpu_buf *b = g->plan->pool; b; b = b->next)
        b->n_refs = 0;
    if (!(g->set = hop_dn_set_new(g->plan->d->dn, g->plan->is_bf16, e)) ||
        !(g->values = hop_cpu_own(g, (n_ops + 1) * sizeof *g->values, e)) ||
        !(g->nodes = hop_cpu_own(g, n_ops * sizeof *g->nodes, e)) ||
        !(g->y = hop_cpu_own(g, (size_t)g->n * sizeof *g->y, e)) ||
        !(g->t = hop_cpu_own(g, (size_t)(g->n * k) * sizeof *g->t, e)) ||
        !(g->p = hop_cpu_own(g, (size_t)(g->n * k) * sizeof *g->p, e)))
        return HOP_ENOMEM;
    describe_values(g);
    if ((rc = build_forward(g, e)) || (g->is_training && (rc = build_backward(g, e))))
        return rc;
    return place_scratch(g, e);
}

/* Shards differ little in size, so few sizes of the last slice ever come: keep the program of the
 * whole slice and some more, and drop those not used for longest. */
static void
drop_old_progs(struct hop_plan *p)
{
    struct hop_cpu_prog *g = p->progs, *old;

    for (int i = 0; g && i < 2; i++)
        g = g->next;
    while (g && g->next && g->next->next) {
        old = g->next;
        g->next = old->next;
        prog_free(old);
    }
}

int
hop_cpu_prog_get(struct hop_plan *p, int64_t n, bool is_training, struct hop_cpu_prog **out,
                 struct hop_err *e)
{
    struct hop_cpu_prog *g, **at;
    int rc;

    *out = NULL;
    for (at = &p->progs; (g = *at); at = &g->next) {
        if (g->n != n || g->is_training != is_training)
            continue;
        if (g->next) { /* the first one made stays the last */
            *at = g->next;
            g->next = p->progs;
            p->progs = g;
        }
        *out = g;
        return HOP_OK;
    }
    if (!(g = hop_alloc(1, sizeof *g, e)))
        return HOP_ENOMEM;
    g->plan = p;
    g->n = n;
    g->is_training = is_training;
    if ((rc = build(g, e))) {
        prog_free(g);
        return rc;
    }
    drop_old_progs(p);
    g->next = p->progs;
    p->progs = g;
    *out = g;
    return HOP_OK;
}

int
hop_cpu_prog_run(const struct hop_cpu_prog *g, enum hop_cpu_list list,
                 const struct hop_cpu_now *now, struct hop_err *e)
{
    int rc = HOP_OK;

    for (size_t i = 0; i < g->n_steps[list] && !rc; i++) {
        const struct hop_cpu_step *s = &g->lists[list][i];

        if (s->at && *s->at == g->plan->n_changes)
            continue;
        if (s->exec)
            rc = hop_dn_exec_run(s->exec, e);
        else
            s->fn(s->arg, now);
        if (s->at)
            *s->at = g->plan->n_changes;
    }
    return rc;
}

/* ---- 3 plans ---- */

enum { MOST_SLICE = 48 }; /* of up to two threads */

void
hop_cpu_plan_free(struct hop_plan *p)
{
    if (!p)
        return;
    for (struct hop_cpu_prog *g = p->progs, *next; g; g = next) {
        next = g->next;
        prog_free(g);
    }
    for (struct hop_cpu_buf *b = p->pool, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    hop_cpu_weights_free(p);
    hop_arena_clear(&p->arena);
    hop_dn_set_free(p->set);
    free(p);
}

size_t
hop_cpu_plan_bytes(const struct hop_plan *p)
{
    size_t bytes = p->bytes;

    for (const struct hop_cpu_prog *g = p->progs; g; g = g->next)
        bytes += g->bytes;
    return bytes;
}

const char *
hop_cpu_precision(const struct hop_plan *p)
{
    return p->is_bf16 ? "bf16" : "fp32";
}

/* Slices of 24 to 48 examples a thread fit the caches and are the fastest (net 1, one thread: 16 to 64
 * within 5 %, 8 and 128 slower by 10 to 20 %), and those that divide the batch want one program. */
static void
choose_slices(int64_t batch_size, int n_threads, struct hop_cpu_split *out)
{
    int64_t most = (n_threads <= 2 ? MOST_SLICE : MOST_SLICE / 2 * (int64_t)n_threads);
    int64_t count = (batch_size + most - 1) / most, n = (batch_size + count - 1) / count;

    for (int64_t k = n; k <= most && 2 * k > most; k++)
        if (batch_size % k == 0)
            n = k;
    for (int64_t k = n - 1; batch_size % n && 2 * k >= most; k--)
        if (batch_size % k == 0)
            n = k;
    *out = (struct hop_cpu_split){{n, batch_size % n}, {batch_size / n, batch_size % n > 0}};
}

struct hop_cpu_split
hop_cpu_slices(const struct hop_plan *p, bool is_training)
{
    const struct hop_net *net = p->spec.net;

    for (int i = 0; i < net->n_layers && is_training; i++)
        if (!strcmp(net->layers[i].kind->op, "BatchNormalization") && !net->layers[i].is_frozen)
            return (struct hop_cpu_split){{p->spec.batch_size, 0}, {1, 0}};
    return p->slices;
}

int
hop_cpu_compile(struct hop_device *d, const struct hop_plan_spec *spec, struct hop_plan **out,
                struct hop_err *e)
{
    const struct hop_net *net = spec->net;
    struct hop_cpu_prog *g;
    struct hop_plan *p;
    bool is_bf16;
    int rc;

    *out = NULL;
    if ((rc = hop_cpu_precision_choose(spec->precision, net, &is_bf16, e)))
        return rc;
    if (!(p = hop_alloc(1, sizeof *p, e)))
        return HOP_ENOMEM;
    hop_dn_threads(d->n_threads);
    p->is_bf16 = is_bf16;
    p->n_changes = 1;
    p->d = d;
    p->spec = *spec;
    p->n_ops = net->n_layers - hop_loss_is_fused(&spec->loss, net);
    choose_slices(spec->batch_size, d->n_threads, &p->slices);
    if (spec->is_training)
        p->n_slots = spec->optim->slots(spec->optim_conf, NULL);
    p->weights = hop_alloc((size_t)net->n_weights, sizeof *p->weights, e);
    p->parts = hop_alloc((size_t)net->n_weights, sizeof *p->parts, e);
    p->set = hop_dn_set_new(d->dn, p->is_bf16, e);
    rc = p->weights && p->parts && p->set
             ? hop_cpu_prog_get(p, hop_cpu_slices(p, spec->is_training).n[0], spec->is_training, &g, e)
             : HOP_ENOMEM;
    if (rc)
        hop_cpu_plan_free(p);
    else
        *out = p;
    return rc;
}

/* Programs: building, places in the arena, running. Contents: 1 the table of operations, 2 places,
 * 3 building, 4 running. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/cuda/arena.h"
#include "engine/cuda/plan.h"

/* ---- 1 the table of operations: to add one, op_KIND.c and a row ---- */

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

#define DECLARE(name) extern const struct hop_cuda_op hop_cuda_op_##name;
#define POINT(name)   &hop_cuda_op_##name,
ROWS(DECLARE)
static const struct hop_cuda_op *const ops[] = {ROWS(POINT)};

static const struct hop_cuda_op *
op_of(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    size_t k;

    for (k = 0; k < HOP_LEN(ops); k++)
        if (!strcmp(ops[k]->name, l->kind->op))
            return ops[k];
    hop_fail(&g->err, HOP_EFORMAT, g->plan->spec.net->name, "choose another --device",
             "device cuda has no layer %s", l->kind->name);
    return NULL;
}

/* ---- 2 places ---- */

/* The number of the buffer that p promises (build.c), or -1 for an address. */
static int
promised(const void *p)
{
    uintptr_t v = (uintptr_t)p;

    return v >> 62 == 1 ? (int)(v >> 8 & 0xFFFFFFFF) - 1 : -1;
}

/* Call fn for every promised buffer of every step. */
static void
each_promise(struct hop_cuda_prog *g, struct hop_cuda_piece *pieces,
             void (*fn)(struct hop_cuda_prog *g, struct hop_cuda_piece *piece, int i_step, char mode,
                        void **p))
{
    const struct hop_cuda_kernel_row *row;
    struct k_span span;
    char *at;
    size_t i;
    int k;

    for (i = 0; i < g->n_steps; i++) {
        row = &hop_cuda_kernel_rows[g->steps[i].kernel];
        for (k = 0; k < K_MAX_SPANS && row->spans[k].element; k++) {
            at = (char *)g->steps[i].args + row->spans[k].offset;
            memcpy(&span, at, sizeof span);
            if (promised(span.p) < 0)
                continue;
            fn(g, &pieces[promised(span.p)], (int)i, row->spans[k].mode, &span.p);
            memcpy(at, &span, sizeof span);
        }
    }
}

static void
see(struct hop_cuda_prog *g, struct hop_cuda_piece *piece, int i_step, char mode, void **p)
{
    (void)g;
    (void)p;
    if (piece->first > piece->last) {
        HOP_BUG_ON(mode == 'r'); /* nobody has written it */
        piece->first = i_step;
    }
    piece->last = i_step;
}

static void
settle(struct hop_cuda_prog *g, struct hop_cuda_piece *piece, int i_step, char mode, void **p)
{
    (void)i_step;
    (void)mode;
    *p = (char *)g->arena + piece->offset;
}

/* Every buffer's place, from the steps that need it; the plan's first arena serves all programs that
 * fit, as they never run at once. */
static int
place(struct hop_cuda_prog *g)
{
    struct hop_device *d = g->plan->device;
    struct hop_cuda_piece *pieces = hop_alloc(g->n_buffers, sizeof *pieces, &g->err);
    struct hop_cuda_prog *other;
    size_t i;
    int rc;

    if (!pieces)
        return HOP_ENOMEM;
    for (i = 0; i < g->n_buffers; i++)
        pieces[i] = (struct hop_cuda_piece){.bytes = g->buffers[i], .first = 0, .last = -1};
    each_promise(g, pieces, see);
    rc = hop_cuda_arena_plan(pieces, (int)g->n_buffers, &g->arena_bytes, &g->err);
    for (other = g->plan->progs; other && !rc && !g->arena; other = other->next)
        if (other->owns_arena && other->arena_bytes >= g->arena_bytes)
            g->arena = other->arena;
    if (!rc && !g->arena) {
        rc = d->driver->alloc(d->context, g->arena_bytes, &g->arena, &g->err);
        g->owns_arena = !rc;
        g->plan->bytes += rc ? 0 : g->arena_bytes;
    }
    if (!rc)
        each_promise(g, pieces, settle);
    free(pieces);
    return rc;
}

/* ---- 3 building ---- */

static void
prog_free(struct hop_cuda_prog *g)
{
    struct hop_device *d = g->plan->device;
    struct hop_cuda_owned *o;
    size_t i;

    d->driver->graph_free(d->context, g->graph);
    while ((o = g->owned)) {
        g->owned = o->next;
        d->driver->free(d->context, o->p);
        free(o);
    }
    if (g->owns_arena)
        d->driver->free(d->context, g->arena);
    for (i = 0; i < g->n_steps; i++) {
        free(g->steps[i].args);
        if (g->steps[i].fast)
            d->driver->fast->plan_free(g->steps[i].fast);
    }
    free(g->steps);
    free(g->buffers);
    free(g->values);
    free(g->grads);
    free(g->wants);
    free(g->is_done);
    free(g->aux);
    free(g);
}

void
hop_cuda_progs_free(struct hop_plan *p)
{
    struct hop_cuda_prog *g;

    while ((g = p->progs)) {
        p->progs = g->next;
        prog_free(g);
    }
}

/* Which values have something that learns at or behind them. */
static void
set_wants(struct hop_cuda_prog *g)
{
    const struct hop_net *net = g->plan->spec.net;
    int i, k;

    for (i = 0; i < net->n_layers && g->is_training; i++) {
        for (k = 0; k < net->layers[i].n_in; k++)
            g->wants[i + 1] = g->wants[i + 1] || hop_cuda_wants(g, i, k);
        for (k = 0; k < net->layers[i].n_weights; k++)
            g->wants[i + 1] =
                g->wants[i + 1] || net->weights[net->layers[i].i_weight + k].is_trainable;
    }
}

/* What the batch is compared with. */
static void
set_loss(struct hop_cuda_prog *g)
{
    const struct hop_loss *l = &g->plan->spec.loss;
    int64_t K = g->plan->spec.net->output.d[0];

    g->loss.y = (struct k_i32){hop_cuda_new_bytes(g, (size_t)g->n * sizeof(int32_t)), g->n};
    g->loss.t = hop_cuda_new(g, g->n * K);
    g->loss.K = K;
    g->loss.rule = (int)l->kind->rule;
    g->loss.smoothing = (float)l->label_smoothing;
    g->loss.delta = (float)l->delta;
}

/* The batch: which examples, their classes or targets, their normalised values. */
static void
append_input(struct hop_cuda_prog *g)
{
    const struct hop_net *net = g->plan->spec.net;
    int64_t K = net->output.d[0], len = hop_shape_len(&net->input);
    struct k_i64 from = {hop_cuda_new_bytes(g, (size_t)g->n * sizeof(int64_t)), g->n};
    struct k_pick_args pick = {g->plan->now, from, g->loss.y, g->loss.t, K};
    int64_t C = net->input.d[net->input.n_dims - 1];
    struct k_gather_args gather = {g->plan->now, from, {NULL, 0}, len, C, g->input_wide};

    gather.x = hop_cuda_new_value(g, g->n * len / C * gather.wide);
    hop_cuda_launch(g, K_pick, g->n, &pick);
    hop_cuda_launch_v(g, K_gather, gather.x.n, &gather);
    g->values[0] = gather.x;
}

static void
append_steps(struct hop_cuda_prog *g)
{
    const struct hop_net *net = g->plan->spec.net;
    struct k_advance_args advance = {g->plan->now, g->n, g->is_training};
    const struct hop_cuda_op *op;
    int i;

    g->input_wide = hop_cuda_linear_input_wide(g);
    append_input(g);
    if (g->plan->is_fast && hop_loss_is_fused(&g->plan->spec.loss, net))
        g->is_done[net->n_layers - 1] = true; /* the loss does it, in float32 */
    for (i = 0; i < net->n_layers && (op = op_of(g, i)); i++)
        if (!g->is_done[i])
            op->forward(g, i);
    if (g->err.code)
        return;
    hop_cuda_loss_forward(g);
    if (g->is_training) {
        hop_cuda_loss_backward(g);
        for (i = net->n_layers - 1; i >= 0; i--)
            if (g->wants[i + 1] && g->grads[i + 1].n)
                op_of(g, i)->backward(g, i, g->grads[i + 1]);
        hop_cuda_linear_weights_back(g);
        hop_cuda_penalty_backward(g);
    }
    g->n_batch = g->n_steps;
    if (g->is_training)
        hop_cuda_update(g);
    hop_cuda_launch(g, K_advance, 1, &advance);
}

static int
build(struct hop_plan *p, int64_t n, bool is_training, struct hop_cuda_prog **out,
      struct hop_err *e)
{
    struct hop_cuda_prog *g = hop_alloc(1, sizeof *g, e);
    size_t n_values = (size_t)p->spec.net->n_layers + 1;

    if (!g)
        return HOP_ENOMEM;
    g->plan = p;
    g->n = n;
    g->is_training = is_training;
    g->values = hop_alloc(n_values, sizeof *g->values, &g->err);
    g->grads = hop_alloc(n_values, sizeof *g->grads, &g->err);
    g->wants = hop_alloc(n_values, sizeof *g->wants, &g->err);
    g->is_done = hop_alloc(n_values, sizeof *g->is_done, &g->err);
    g->aux = hop_alloc(n_values, sizeof *g->aux, &g->err);
    set_loss(g);
    if (!g->err.code) {
        set_wants(g);
        append_steps(g);
    }
    if (!g->err.code)
        place(g);
    if (g->err.code) {
        hop_fail(e, g->err.code, g->err.where, g->err.hint, "%s", g->err.what);
        prog_free(g);
        return e->code;
    }
    hop_log(HOP_LOG_DEBUG, "device %s: batch %lld, %zu launches, %zu buffers in %zu bytes",
            p->device->driver->name, (long long)n, g->n_steps, g->n_buffers, g->arena_bytes);
    *out = g;
    return HOP_OK;
}

/* Tails differ from shard to shard: a few programs are kept, the one used last at the end of the list.
 * Those that others' buffers may lie in stay. */
static void
drop_one(struct hop_plan *p)
{
    struct hop_cuda_prog **at, *g;
    int n = 0;

    for (g = p->progs; g; g = g->next)
        n++;
    for (at = &p->progs; n > 8 && *at; at = &(*at)->next)
        if (!(*at)->owns_arena) {
            g = *at;
            *at = g->next;
            prog_free(g);
            return;
        }
}

int
hop_cuda_prog_get(struct hop_plan *p, int64_t n, bool is_training, struct hop_cuda_prog **out,
                  struct hop_err *e)
{
    struct hop_cuda_prog *g, **at = &p->progs;
    int rc;

    while (*at && ((*at)->n != n || (*at)->is_training != is_training))
        at = &(*at)->next;
    if ((g = *at)) {
        *at = g->next;
    } else {
        if ((rc = build(p, n, is_training, &g, e)))
            return rc;
        drop_one(p);
    }
    for (at = &p->progs; *at; at = &(*at)->next)
        ;
    g->next = NULL;
    *at = g;
    *out = g;
    return HOP_OK;
}

/* ---- 4 running ---- */

static int
launch_step(const struct hop_device *d, const struct hop_cuda_step *s, struct hop_err *e)
{
    const struct k_fast_args *a = s->args;

    if (s->fast)
        return d->driver->fast->run(s->fast, d->stream, a->in.p, a->in2.p, a->bias.p, a->out.p,
                                    a->workspace.p, e);
    return d->driver->launch(d->context, d->stream, s->kernel, s->n, s->args, e);
}

static int
launch(struct hop_cuda_prog *g, size_t n, struct hop_err *e)
{
    size_t i;
    int rc = HOP_OK;

    for (i = 0; i < n && !rc; i++)
        rc = launch_step(g->plan->device, &g->steps[i], e);
    return rc;
}

/* The first run, launch by launch, has loaded every kernel: nothing but launches happens here. */
static int
capture(struct hop_cuda_prog *g, struct hop_err *e)
{
    struct hop_device *d = g->plan->device;
    struct hop_err again = {0};
    int rc = d->driver->capture_begin(d->context, d->stream, e), rc2;

    if (rc)
        return rc;
    rc = launch(g, g->n_steps, e);
    rc2 = d->driver->capture_end(d->context, d->stream, &g->graph, rc ? &again : e);
    return rc ? rc : rc2;
}

int
hop_cuda_prog_run(struct hop_cuda_prog *g, struct hop_err *e)
{
    struct hop_device *d = g->plan->device;
    int rc = HOP_OK;

    if (!g->n_runs++)
        return launch(g, g->n_steps, e);
    if (!g->graph)
        rc = capture(g, e);
    return rc ? rc : d->driver->graph_launch(d->context, g->graph, d->stream, e);
}

int
hop_cuda_prog_run_batch(struct hop_cuda_prog *g, struct hop_err *e)
{
    return launch(g, g->n_batch, e);
}

#include "schedule/improve.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

static const uint32_t nobody = (uint32_t)-1;
/* Each round begins with the best plan. At its begin changes are taken that cost up to this part of
 * it: small plans have few ways from one to the other, large ones must not fall apart. */
static const double first_thresholds[] = {0.8, 0.4, 0.2, 0.1, 0.4, 0.2, 0.05, 0.01};

/* Where a config or a slot is in time, and which visit it is there for. */
struct at {
    double s;
    uint32_t step;
};

struct search {
    const struct hop_sched_in *in;
    struct hop_sched_visit *v; /* [n] the present sequence, */
    struct hop_sched_visit *best; /* [n] and the best so far */
    struct hop_sched_visit *window, *later; /* [n] for changes of order */
    size_t n;
    uint32_t *before;          /* [n] the visit whose end is the beginning of this one */
    bool *is_by_slot;          /* [n] and is that one in the same slot? else it is of the config */
    struct at *state, *tested; /* [n_tasks] as in hop_sched_reckon */
    struct at *slots;          /* those of worker w from first[w] on */
    size_t *first;             /* [n_workers + 1] */
    uint32_t last;             /* the visit that ends last */
    double makespan_s, best_s;
    uint32_t n_drawn;
    uint32_t u[4];             /* random numbers of this try */
};

/* ---- 1 times ---- */

static bool
is_later(const struct at *a, const struct at *b)
{
    return a->s > b->s;
}

/* The end of visit i, given all before it. */
static double
place_visit(struct search *f, uint32_t i)
{
    const struct hop_sched_visit *v = &f->v[i];
    size_t k, best = f->first[v->worker], end = f->first[v->worker + 1];
    struct at *config = &f->state[v->task], begin;

    for (k = best + 1; k < end; k++)
        if (f->slots[k].s < f->slots[best].s)
            best = k;
    if (!v->is_eval && is_later(&f->tested[v->task], config))
        config = &f->tested[v->task];
    f->is_by_slot[i] = f->slots[best].step != nobody && !is_later(config, &f->slots[best]);
    begin = f->is_by_slot[i] ? f->slots[best] : *config;
    f->before[i] = begin.step;
    begin.s += v->expect_s;
    begin.step = i;
    f->slots[best] = begin;
    if (!v->is_eval)
        f->state[v->task] = begin;
    else if (is_later(&begin, &f->tested[v->task]))
        f->tested[v->task] = begin;
    return begin.s;
}

static void
reckon(struct search *f)
{
    const struct at start = {0, nobody};
    double end_s;
    size_t i;

    for (i = 0; i < f->in->n_tasks; i++)
        f->state[i] = f->tested[i] = start;
    for (i = 0; i < f->first[f->in->n_workers]; i++)
        f->slots[i] = start;
    f->makespan_s = 0;
    for (i = 0; i < f->n; i++) {
        end_s = place_visit(f, (uint32_t)i);
        if (end_s >= f->makespan_s) {
            f->makespan_s = end_s;
            f->last = (uint32_t)i;
        }
    }
}

/* ---- 2 changes ---- */

/* What was changed, so that it can be taken back. */
struct change {
    enum { NONE, ORDER, SHARDS, WORKER } what;
    size_t a, b; /* ORDER: those from a to b; SHARDS: a and b; WORKER: a */
    uint32_t worker;
    double expect_s;
};

/* Must visit x stay before visit y, which comes after it? */
static bool
is_bound(const struct hop_sched_visit *x, const struct hop_sched_visit *y)
{
    return x->task == y->task && !(x->is_eval && y->is_eval && x->visit == y->visit);
}

/* Two visits of one worker, a before b: b comes to stand before a. What follows from a goes behind b
 * with it. */
static struct change
put_before(struct search *f, size_t a, size_t b)
{
    struct hop_sched_visit *v = f->v;
    size_t i, k, n_first = 0, n_later = 0;

    if (a == b)
        return (struct change){.what = NONE};
    memcpy(f->window, &v[a], (b - a + 1) * sizeof *v);
    f->later[n_later++] = v[a];
    for (i = a + 1; i < b; i++) {
        for (k = 0; k < n_later; k++)
            if (is_bound(&f->later[k], &v[i]) || f->later[k].worker == v[i].worker)
                break;
        if (k < n_later)
            f->later[n_later++] = v[i];
        else
            v[a + n_first++] = v[i];
    }
    for (k = 0; k < n_later && !is_bound(&f->later[k], &v[b]);)
        k++;
    if (k < n_later) {
        memcpy(&v[a], f->window, (b - a + 1) * sizeof *v);
        return (struct change){.what = NONE};
    }
    v[a + n_first] = v[b];
    memcpy(&v[a + n_first + 1], f->later, n_later * sizeof *v);
    return (struct change){.what = ORDER, .a = a, .b = b};
}

/* Does the planner choose the shard of v? */
static bool
is_chosen(const struct search *f, const struct hop_sched_visit *v)
{
    const struct hop_sched_task *t = &f->in->tasks[v->task];

    return f->in->is_free && !v->is_eval &&
           !(t->order && (size_t)(v->visit - t->visits) <= t->n_order);
}

static bool
may_swap(const struct search *f, const struct hop_sched_visit *x, const struct hop_sched_visit *y)
{
    return x->iteration == y->iteration && is_chosen(f, x) && is_chosen(f, y);
}

static void
swap_shards(struct search *f, size_t a, size_t b)
{
    struct hop_sched_visit *x = &f->v[a], *y = &f->v[b], keep = *x;

    x->shard = y->shard;
    x->worker = y->worker;
    x->expect_s = y->expect_s;
    y->shard = keep.shard;
    y->worker = keep.worker;
    y->expect_s = keep.expect_s;
}

/* Two visits of one config change shards. */
static struct change
swap_in_config(struct search *f, size_t a, size_t b)
{
    swap_shards(f, a, b);
    return (struct change){.what = SHARDS, .a = a, .b = b};
}

static struct change
go_elsewhere(struct search *f, size_t at)
{
    struct hop_sched_visit *v = &f->v[at];
    const struct hop_sched_shard *s = &f->in->shards[v->shard];
    struct change c = {.what = WORKER, .a = at, .worker = v->worker, .expect_s = v->expect_s};

    v->worker = s->workers[f->u[3] % (s->n_workers - 1)];
    if (v->worker == c.worker)
        v->worker = s->workers[s->n_workers - 1];
    v->expect_s = hop_sched_cost(f->in, v->task, v->shard, v->worker, v->is_eval);
    return c;
}

static void
take_back(struct search *f, const struct change *c)
{
    if (c->what == ORDER) {
        memcpy(&f->v[c->a], f->window, (c->b - c->a + 1) * sizeof *f->v);
    } else if (c->what == SHARDS) {
        swap_shards(f, c->a, c->b);
    } else if (c->what == WORKER) {
        f->v[c->a].worker = c->worker;
        f->v[c->a].expect_s = c->expect_s;
    }
}

/* Before which visit of its worker is i to come? Mostly the one that holds it up. */
static size_t
find_earlier(const struct search *f, size_t i)
{
    size_t k = f->u[3] % 3 + 1, at = i;

    if (f->is_by_slot[i] && f->u[1] % 4)
        return f->before[i];
    while (k && at-- > 0)
        k -= f->v[at].worker == f->v[i].worker;
    return k ? i : at;
}

/* With which visit of its config may i change shards? Mostly the one that holds it up; i = none. */
static uint32_t
find_partner(const struct search *f, uint32_t i)
{
    uint32_t k, n = 0, partner = i;

    if (!f->is_by_slot[i] && f->u[1] % 4 && may_swap(f, &f->v[f->before[i]], &f->v[i]))
        return f->before[i];
    for (k = 0; k < f->n && is_chosen(f, &f->v[i]); k++)
        if (k != i && f->v[k].task == f->v[i].task && may_swap(f, &f->v[k], &f->v[i]) &&
            f->u[3] % ++n == 0)
            partner = k;
    return partner;
}

/* Change something of the chain that the plan is as long as. */
static struct change
change_something(struct search *f)
{
    uint32_t i, n = 0, k;

    hop_philox(f->in->seed, f->n_drawn++, 0, 0, 0x494d50, f->u);
    for (i = f->last; i != nobody; i = f->before[i])
        n++;
    for (i = f->last, k = f->u[0] % n; k; k--)
        i = f->before[i];
    if (f->in->shards[f->v[i].shard].n_workers > 1 && f->u[1] % 2)
        return go_elsewhere(f, i);
    if (f->before[i] == nobody)
        return (struct change){.what = NONE};
    k = find_partner(f, i);
    if (k != i && (f->u[1] >> 1) % 4 < (f->is_by_slot[i] ? 1 : 3))
        return swap_in_config(f, k, i);
    return put_before(f, find_earlier(f, i), i);
}

/* ---- 3 search ---- */

static void
keep_best(struct search *f)
{
    memcpy(f->best, f->v, f->n * sizeof *f->v);
    f->best_s = f->makespan_s;
}

/* One round: what a change may cost falls from a part of the plan's length to nothing. */
static void
go_round(struct search *f, double first, size_t n_tries, double enough_s)
{
    struct change c;
    double now_s, threshold_s, x;
    size_t i;

    memcpy(f->v, f->best, f->n * sizeof *f->v);
    reckon(f);
    for (i = 0; i < n_tries && f->best_s > enough_s; i++) {
        now_s = f->makespan_s;
        c = change_something(f);
        if (c.what == NONE)
            continue;
        reckon(f);
        x = (double)f->u[2] / 4294967296.0;
        threshold_s = first * now_s * (1 - (double)i / (double)n_tries) * x * x;
        if (f->makespan_s < f->best_s * (1 - 1e-12))
            keep_best(f);
        if (f->makespan_s > now_s + threshold_s) {
            take_back(f, &c);
            reckon(f);
        }
    }
}

static int
init(struct search *f, const struct hop_sched_in *in, const struct hop_sched *plan,
     struct hop_err *e)
{
    size_t i;

    *f = (struct search){.in = in, .n = plan->n};
    f->v = hop_alloc(f->n, sizeof *f->v, e);
    f->best = hop_alloc(f->n, sizeof *f->best, e);
    f->window = hop_alloc(f->n, sizeof *f->window, e);
    f->later = hop_alloc(f->n, sizeof *f->later, e);
    f->before = hop_alloc(f->n, sizeof *f->before, e);
    f->is_by_slot = hop_alloc(f->n, sizeof *f->is_by_slot, e);
    f->state = hop_alloc(in->n_tasks, sizeof *f->state, e);
    f->tested = hop_alloc(in->n_tasks, sizeof *f->tested, e);
    f->first = hop_alloc(in->n_workers + 1, sizeof *f->first, e);
    for (i = 0; f->first && i < in->n_workers; i++)
        f->first[i + 1] = f->first[i] + in->workers[i].n_slots;
    f->slots = f->first ? hop_alloc(f->first[in->n_workers], sizeof *f->slots, e) : NULL;
    return f->v && f->best && f->window && f->later && f->before && f->is_by_slot && f->state && f->tested && f->slots
               ? HOP_OK
               : HOP_ENOMEM;
}

static void
clear(struct search *f)
{
    free(f->v);
    free(f->best);
    free(f->window);
    free(f->later);
    free(f->before);
    free(f->is_by_slot);
    free(f->state);
    free(f->tested);
    free(f->slots);
    free(f->first);
}

int
hop_improve(const struct hop_sched_in *in, struct hop_sched *plan, size_t n_tries,
            struct hop_err *e)
{
    struct search f;
    size_t i;
    int rc = init(&f, in, plan, e);

    if (!rc && plan->n) {
        memcpy(f.v, plan->v, plan->n * sizeof *plan->v);
        reckon(&f);
        keep_best(&f);
        for (i = 0; i < HOP_LEN(first_thresholds); i++)
            go_round(&f, first_thresholds[i], n_tries / HOP_LEN(first_thresholds),
                     plan->lower_bound_s * (1 + 1e-9));
        memcpy(plan->v, f.best, plan->n * sizeof *plan->v);
    }
    clear(&f);
    return rc;
}

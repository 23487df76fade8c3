#include "schedule/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

size_t
hop_cyclic_shard(size_t place, int64_t visit, size_t p)
{
    return (place % p + (size_t)(visit - 1) % p) % p;
}

size_t
hop_cyclic_next(const char *seen, size_t shard, size_t p)
{
    size_t i;

    for (i = 0; seen && i < p; i++)
        if (!seen[(shard + i) % p])
            return (shard + i) % p;
    return shard % p;
}

bool
hop_eval_is_due(int64_t iteration, int64_t until, int64_t every)
{
    return every > 0 && (iteration % every == 0 || iteration >= until);
}

int
hop_sched_add(struct hop_sched *plan, const struct hop_sched_visit *v, struct hop_err *e)
{
    if (hop_grow(&plan->v, &plan->cap, plan->n + 1, sizeof *plan->v, e))
        return HOP_ENOMEM;
    plan->v[plan->n++] = *v;
    return HOP_OK;
}

void
hop_sched_clear(struct hop_sched *plan)
{
    free(plan->v);
    *plan = (struct hop_sched){0};
}

int
hop_sched_make(const struct hop_policy *policy, const struct hop_sched_in *in,
               struct hop_sched *plan, struct hop_err *e)
{
    int rc;

    *plan = (struct hop_sched){.has_barriers = policy->has_barriers};
    if ((rc = policy->fill(in, plan, e)) || (rc = hop_sched_check(in, plan, e)) ||
        (rc = hop_sched_reckon(in, plan, e)))
        hop_sched_clear(plan);
    return rc;
}

double
hop_sched_cost(const struct hop_sched_in *in, size_t task, size_t shard, size_t worker,
               bool is_eval)
{
    const struct hop_sched_task *t = &in->tasks[task];
    const struct hop_sched_worker *w = &in->workers[worker];
    double work_s = !is_eval && in->cost_s
                        ? in->cost_s[task * in->n_train + shard]
                        : (double)in->shards[shard].examples * (is_eval ? t->eval_s : t->train_s);

    return in->visit_s + w->visit_s + t->bytes * w->s_per_byte * (is_eval ? 1 : 2) + work_s / w->speed;
}

/* ---- 1 the rules ---- */

/* What hop_sched_check remembers of a config. */
struct last {
    int64_t visit;                 /* trained so far */
    int64_t trained_in, tested_in; /* sub-epochs */
};

struct checking {
    const struct hop_sched_in *in;
    bool has_barriers;
    struct last *tasks;
    char *seen;       /* [n_tasks][n_train] in the iteration under way */
    int64_t *busy_in; /* [n_workers] the sub-epoch of its last visit, */
    size_t *n_busy;   /* and how many it has there */
};

static int
refuse(const struct hop_sched_in *in, const struct hop_sched_visit *v, const char *why,
       struct hop_err *e)
{
    return hop_fail(e, HOP_EFORMAT, in->tasks[v->task].id, NULL,
                    "visit %lld on %s in sub-epoch %lld: %s", (long long)v->visit,
                    in->shards[v->shard].name, (long long)v->subepoch, why);
}

static int
check_worker(struct checking *c, const struct hop_sched_visit *v, struct hop_err *e)
{
    if (c->busy_in[v->worker] != v->subepoch)
        c->n_busy[v->worker] = 0;
    c->busy_in[v->worker] = v->subepoch;
    if (++c->n_busy[v->worker] <= c->in->workers[v->worker].n_slots)
        return HOP_OK;
    return refuse(c->in, v, c->in->workers[v->worker].n_slots == 1 ? "its worker has two visits"
                            : "its worker has more visits than slots", e);
}

static int
check_visit(struct checking *c, const struct hop_sched_visit *v, struct hop_err *e)
{
    const struct hop_sched_in *in = c->in;
    struct last *task = &c->tasks[v->task];
    char *seen = c->seen + v->task * in->n_train;
    int rc;

    if (c->has_barriers && (rc = check_worker(c, v, e)))
        return rc;
    if (v->is_eval) {
        if (v->visit != task->visit || (c->has_barriers && task->trained_in == v->subepoch))
            return refuse(in, v, "evaluates a state that is not there", e);
        task->tested_in = v->subepoch;
        return HOP_OK;
    }
    if (v->visit != task->visit + 1)
        return refuse(in, v, "out of order", e);
    if (c->has_barriers && (task->trained_in == v->subepoch || task->tested_in == v->subepoch))
        return refuse(in, v, "its config is elsewhere then", e);
    if (v->shard >= in->n_train)
        return refuse(in, v, "not a shard to train on", e);
    if (task->visit % (int64_t)in->n_train == 0)
        memset(seen, 0, in->n_train);
    if (seen[v->shard])
        return refuse(in, v, "it was on this shard in this iteration", e);
    seen[v->shard] = 1;
    task->visit = v->visit;
    task->trained_in = v->subepoch;
    return HOP_OK;
}

int
hop_sched_check(const struct hop_sched_in *in, const struct hop_sched *plan, struct hop_err *e)
{
    struct checking c = {in, plan->has_barriers, hop_alloc(in->n_tasks, sizeof *c.tasks, e),
                         hop_alloc(in->n_tasks, in->n_train, e),
                         hop_alloc(in->n_workers, sizeof *c.busy_in, e),
                         hop_alloc(in->n_workers, sizeof *c.n_busy, e)};
    int64_t before = 1;
    size_t i;
    int rc = c.tasks && c.seen && c.busy_in && c.n_busy ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < in->n_tasks && !rc; i++) {
        c.tasks[i].visit = in->tasks[i].visits;
        if (in->tasks[i].seen)
            memcpy(c.seen + i * in->n_train, in->tasks[i].seen, in->n_train);
    }
    for (i = 0; i < plan->n && !rc; i++) {
        if (c.has_barriers && plan->v[i].subepoch < before)
            rc = refuse(in, &plan->v[i], "sub-epochs must rise", e);
        else
            rc = check_visit(&c, &plan->v[i], e);
        before = plan->v[i].subepoch;
    }
    free(c.tasks);
    free(c.seen);
    free(c.busy_in);
    free(c.n_busy);
    return rc;
}

/* ---- 2 times ---- */

/* Where a config or a slot is in time, and how long the chain of visits to there is. */
struct at {
    double s;
    int64_t depth;
};

struct reckoning {
    const struct hop_sched_in *in;
    struct hop_sched *plan;
    double *alone;     /* [n_workers] seconds of work that only it can do */
    double *tasks;     /* [n_tasks] of each config, as if it had all workers to itself */
    double *tests;     /* [n_tasks] the longest evaluation since the last training */
    struct at *state;  /* [n_tasks] when the last training is over, */
    struct at *tested; /* [n_tasks] and the evaluations since */
    struct at *slots;  /* all slots; those of worker w from first[w] on */
    size_t *first;     /* [n_workers + 1] */
    double all, sum;   /* work: at the least, and of this plan */
};

static void
reckoning_clear(struct reckoning *r)
{
    free(r->alone);
    free(r->tasks);
    free(r->tests);
    free(r->state);
    free(r->tested);
    free(r->slots);
    free(r->first);
}

static int
reckoning_init(struct reckoning *r, const struct hop_sched_in *in, struct hop_sched *plan,
               struct hop_err *e)
{
    size_t i;

    *r = (struct reckoning){.in = in, .plan = plan};
    r->alone = hop_alloc(in->n_workers, sizeof *r->alone, e);
    r->tasks = hop_alloc(in->n_tasks, sizeof *r->tasks, e);
    r->tests = hop_alloc(in->n_tasks, sizeof *r->tests, e);
    r->state = hop_alloc(in->n_tasks, sizeof *r->state, e);
    r->tested = hop_alloc(in->n_tasks, sizeof *r->tested, e);
    r->first = hop_alloc(in->n_workers + 1, sizeof *r->first, e);
    for (i = 0; r->first && i < in->n_workers; i++)
        r->first[i + 1] = r->first[i] + in->workers[i].n_slots;
    r->slots = r->first ? hop_alloc(r->first[in->n_workers], sizeof *r->slots, e) : NULL;
    return r->alone && r->tasks && r->tests && r->state && r->tested && r->slots ? HOP_OK
                                                                                 : HOP_ENOMEM;
}

/* What v adds to the lower bounds; where several workers hold the shard, the fastest counts. */
static void
add_work(struct reckoning *r, const struct hop_sched_visit *v)
{
    const struct hop_sched_shard *s = &r->in->shards[v->shard];
    double cost, least = v->expect_s;
    size_t i;

    for (i = 0; s->n_workers > 1 && i < s->n_workers; i++) {
        cost = hop_sched_cost(r->in, v->task, v->shard, s->workers[i], v->is_eval);
        least = cost < least ? cost : least;
    }
    if (s->n_workers == 1)
        r->alone[v->worker] += least;
    r->all += least;
    r->sum += v->expect_s;
    if (!v->is_eval) {
        r->tasks[v->task] += r->tests[v->task] + least;
        r->tests[v->task] = 0;
    } else if (least > r->tests[v->task]) {
        r->tests[v->task] = least;
    }
}

static void
lift(struct at *a, double s, int64_t depth)
{
    a->s = s > a->s ? s : a->s;
    a->depth = depth > a->depth ? depth : a->depth;
}

/* As early as the visits before it let v begin. */
static void
place_visit(struct reckoning *r, struct hop_sched_visit *v)
{
    size_t i, best = r->first[v->worker], end = r->first[v->worker + 1];
    struct at begin = r->state[v->task];

    for (i = best + 1; i < end; i++)
        if (r->slots[i].s < r->slots[best].s)
            best = i;
    lift(&begin, r->slots[best].s, r->slots[best].depth);
    if (!v->is_eval)
        lift(&begin, r->tested[v->task].s, r->tested[v->task].depth);
    v->slot = (uint16_t)(best - r->first[v->worker]);
    v->start_s = begin.s;
    if (!r->plan->has_barriers)
        v->subepoch = begin.depth + 1;
    r->slots[best] = (struct at){begin.s + v->expect_s, begin.depth + 1};
    lift(v->is_eval ? &r->tested[v->task] : &r->state[v->task], begin.s + v->expect_s,
          begin.depth + 1);
}

static void
set_times(struct reckoning *r)
{
    struct hop_sched *plan = r->plan;
    double barrier_s = 0;
    struct hop_sched_visit *v;
    size_t i, k;

    for (i = 0; i < plan->n; i++) {
        v = &plan->v[i];
        if (plan->has_barriers && i && v->subepoch != v[-1].subepoch) {
            barrier_s = plan->makespan_s;
            for (k = 0; k < r->first[r->in->n_workers]; k++)
                r->slots[k].s = barrier_s;
        }
        if (plan->has_barriers && (!i || v->subepoch != v[-1].subepoch))
            plan->n_subepochs++;
        if (v->expect_s <= 0)
            v->expect_s = hop_sched_cost(r->in, v->task, v->shard, v->worker, v->is_eval);
        place_visit(r, v);
        if (!plan->has_barriers && v->subepoch > plan->n_subepochs)
            plan->n_subepochs = v->subepoch;
        if (v->start_s + v->expect_s > plan->makespan_s)
            plan->makespan_s = v->start_s + v->expect_s;
        plan->n_train_visits += !v->is_eval;
        add_work(r, v);
    }
}

static int
by_start(const void *a, const void *b)
{
    const struct hop_sched_visit *x = a, *y = b;

    if (x->start_s != y->start_s)
        return x->start_s < y->start_s ? -1 : 1;
    if (x->subepoch != y->subepoch) /* visits that take no time */
        return x->subepoch < y->subepoch ? -1 : 1;
    return x->worker != y->worker ? (x->worker < y->worker ? -1 : 1) : x->slot - y->slot;
}

static bool
is_sorted(const struct hop_sched *plan)
{
    size_t i;

    for (i = 1; i < plan->n; i++)
        if (by_start(&plan->v[i - 1], &plan->v[i]) > 0)
            return false;
    return true;
}

static int
reckon_once(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    struct reckoning r;
    double bound;
    size_t i;
    int rc = reckoning_init(&r, in, plan, e);

    plan->n_subepochs = 0;
    plan->n_train_visits = 0;
    plan->makespan_s = 0;
    if (!rc) {
        set_times(&r);
        bound = r.all / (double)r.first[in->n_workers];
        for (i = 0; i < in->n_workers; i++)
            if (r.alone[i] / (double)in->workers[i].n_slots > bound)
                bound = r.alone[i] / (double)in->workers[i].n_slots;
        for (i = 0; i < in->n_tasks; i++)
            if (r.tasks[i] + r.tests[i] > bound)
                bound = r.tasks[i] + r.tests[i];
        plan->lower_bound_s = bound;
        plan->idle_frac = plan->makespan_s > 0
                              ? 1 - r.sum / ((double)r.first[in->n_workers] * plan->makespan_s)
                              : 0;
    }
    reckoning_clear(&r);
    return rc;
}

static bool
has_slots(const struct hop_sched_in *in)
{
    size_t i;

    for (i = 0; i < in->n_workers; i++)
        if (in->workers[i].n_slots > 1)
            return true;
    return false;
}

/* In the order of their starts visits may find better slots, and then begin earlier, in another
 * order. No start becomes later, so this ends; but for rounding, hence at most so often. */
int
hop_sched_reckon(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    int i, rc = reckon_once(in, plan, e);

    for (i = 0; !rc && i < 8 && !plan->has_barriers && !is_sorted(plan); i++) {
        qsort(plan->v, plan->n, sizeof *plan->v, by_start);
        if (has_slots(in))
            rc = reckon_once(in, plan, e);
    }
    return rc;
}

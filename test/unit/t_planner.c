/* The planner against what is known of the best: brute force on small instances, the lower bound on
 * Cerebro's simulated settings and on equal costs; and law 4 over all kinds of input. The laws and
 * the search here share no code with the library. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "schedule/plan.h"
#include "schedule/policies.h"
#include "tap.h"

enum { MAX = 5, MAX_SHARDS = 8, MAX_WORKERS = 5, MAX_ORDER = 2 * MAX };

/* ---- 1 instances ---- */

/* Costs are whole numbers, so that sums of them are exact. */
struct scene {
    struct hop_sched_task tasks[MAX];
    struct hop_sched_shard shards[MAX_SHARDS];
    struct hop_sched_worker workers[MAX_WORKERS];
    uint32_t holders[MAX_SHARDS][MAX_WORKERS];
    char seen[MAX][MAX_SHARDS], todo[MAX][MAX_SHARDS];
    double cost[MAX * MAX_SHARDS];
    uint32_t order[MAX][MAX_ORDER];
    double rank[MAX][MAX_ORDER];
    struct hop_sched_in in;
};

static const char *const names[] = {"c0", "c1", "c2", "c3", "c4"};
static const char *const shard_names[] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"};

/* n configs of p shards, each with a worker of its own, one iteration, every visit 1 s. */
static void
set_scene(struct scene *s, size_t n, size_t p)
{
    size_t i;

    memset(s, 0, sizeof *s);
    for (i = 0; i < p; i++) {
        s->holders[i][0] = (uint32_t)i;
        s->shards[i] = (struct hop_sched_shard){shard_names[i], 1, s->holders[i], 1, false};
        s->workers[i] = (struct hop_sched_worker){.n_slots = 1, .speed = 1};
    }
    for (i = 0; i < n; i++)
        s->tasks[i] = (struct hop_sched_task){.id = names[i], .place = i, .until = 1,
                                              .next_shard = i % p, .train_s = 1, .eval_s = 1};
    for (i = 0; i < n * p; i++)
        s->cost[i] = 1;
    s->in = (struct hop_sched_in){.tasks = s->tasks, .n_tasks = n, .shards = s->shards,
                                  .n_shards = p, .n_train = p, .workers = s->workers,
                                  .n_workers = p, .cost_s = s->cost, .seed = 1};
}

static uint64_t chance = 7;

/* 0 to n - 1 */
static unsigned
roll(unsigned n)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((chance >> 33) % n);
}

/* ---- 2 brute force ---- */

/* All schedules, op after op in the order of their starts; each op as early as it can. */
struct search {
    const struct scene *s;
    size_t n, p;
    double config_at[MAX], slot_at[MAX_WORKERS][4];
    double config_left[MAX];
    int left[MAX][MAX_SHARDS]; /* visits */
    int n_done[MAX];           /* in this iteration */
    size_t turn[MAX];          /* cyclic: the next shard */
    double best;
    long n_nodes;
};

static const long too_many = 20000000;

/* Nothing better can come of this: some config or some worker alone takes too long. */
static bool
is_hopeless(const struct search *f)
{
    const struct hop_sched_in *in = &f->s->in;
    size_t i, j, w, n;
    double at;

    for (i = 0; i < f->n; i++)
        if (f->config_at[i] + f->config_left[i] >= f->best)
            return true;
    for (w = 0; w < in->n_workers; w++) {
        n = in->workers[w].n_slots;
        for (i = 0, at = 0; i < n; i++)
            at += f->slot_at[w][i];
        for (j = 0; j < f->p; j++)
            for (i = 0; i < f->n && in->shards[j].n_workers == 1 && f->s->holders[j][0] == w; i++)
                at += f->left[i][j] * f->s->cost[i * f->p + j];
        if (at / (double)n >= f->best)
            return true;
    }
    return false;
}

/* May config i go to shard j now? */
static bool
may_go(const struct search *f, size_t i, size_t j)
{
    size_t k;

    for (k = 0; k < f->p; k++) /* each shard once per iteration */
        if (f->left[i][k] > f->left[i][j])
            return false;
    return f->left[i][j] && (f->s->in.is_free || f->turn[i] == j);
}

static void dig(struct search *f, size_t n_left, double last, double end);

/* Config i on shard j of worker w next, unless that would begin before `last`. */
static void
dig_one(struct search *f, size_t i, size_t j, size_t w, size_t n_left, double last, double end)
{
    double cost = f->s->cost[i * f->p + j], config_was = f->config_at[i], slot_was, begin;
    size_t turn_was = f->turn[i], slot = 0, k;

    for (k = 1; k < f->s->workers[w].n_slots; k++)
        if (f->slot_at[w][k] < f->slot_at[w][slot])
            slot = k;
    slot_was = f->slot_at[w][slot];
    begin = config_was > slot_was ? config_was : slot_was;
    if (begin < last)
        return;
    f->slot_at[w][slot] = f->config_at[i] = begin + cost;
    f->config_left[i] -= cost;
    f->left[i][j]--;
    f->turn[i] = (j + 1) % f->p;
    dig(f, n_left - 1, begin, begin + cost > end ? begin + cost : end);
    f->turn[i] = turn_was;
    f->left[i][j]++;
    f->config_left[i] += cost;
    f->config_at[i] = config_was;
    f->slot_at[w][slot] = slot_was;
}

static void
dig(struct search *f, size_t n_left, double last, double end)
{
    size_t i, j, k;

    if (!n_left)
        f->best = end < f->best ? end : f->best;
    if (!n_left || ++f->n_nodes > too_many || is_hopeless(f))
        return;
    for (i = 0; i < f->n; i++)
        for (j = 0; j < f->p; j++)
            for (k = 0; k < f->s->shards[j].n_workers && may_go(f, i, j); k++)
                dig_one(f, i, j, f->s->holders[j][k], n_left, last, end);
}

/* The best makespan below `known`, or `known`. */
static double
optimum(const struct scene *s, double known, bool *is_sure)
{
    struct search f = {.s = s, .n = s->in.n_tasks, .p = s->in.n_train, .best = known};
    size_t i, j, n = 0;

    for (i = 0; i < f.n; i++) {
        f.turn[i] = s->tasks[i].next_shard;
        for (j = 0; j < f.p; j++) {
            f.left[i][j] = (int)s->tasks[i].until;
            n += (size_t)f.left[i][j];
            f.config_left[i] += f.left[i][j] * s->cost[i * f.p + j];
        }
    }
    dig(&f, n, 0, 0);
    *is_sure = f.n_nodes <= too_many;
    return f.best;
}


/* ---- 3 auto is the optimum ---- */

struct tally {
    int n, n_off, n_unsure;
    double worst;
};

/* One instance; the worker and slots of s are as they are. */
static void
compare(struct scene *s, struct tally *t)
{
    struct hop_sched plan;
    struct hop_err e = {0};
    bool is_sure;
    double least;

    if (hop_sched_make(&hop_policy_auto, &s->in, &plan, &e)) {
        ok(false, "auto: %s %s", e.where, e.what);
        exit(1);
    }
    least = optimum(s, plan.makespan_s, &is_sure);
    t->n++;
    t->n_unsure += !is_sure;
    t->n_off += least < plan.makespan_s;
    t->worst = plan.makespan_s / least > t->worst ? plan.makespan_s / least : t->worst;
    hop_sched_clear(&plan);
}

static void
report(const struct tally *t, const char *what, size_t n, size_t p, int64_t it, bool is_free)
{
    if (!ok(t->n > 0 && !t->n_off && !t->n_unsure,
            "%s order, %zu configs, %zu shards, %lld iterations, %s: the optimum, %d times",
            is_free ? "free" : "cyclic", n, p, (long long)it, what, t->n))
        printf("# %d missed, %d not known, worst %.4f\n", t->n_off, t->n_unsure, t->worst);
}

/* All matrices of costs 1 to n_values. */
static void
test_all(size_t n, size_t p, int64_t it, unsigned n_values, bool is_free)
{
    struct tally t = {.worst = 1};
    struct scene s;
    unsigned long k, x, n_all = 1;
    size_t i;

    for (i = 0; i < n * p; i++)
        n_all *= n_values;
    for (k = 0; k < n_all; k++) {
        set_scene(&s, n, p);
        s.in.is_free = is_free;
        for (i = 0; i < n; i++)
            s.tasks[i].until = it;
        for (i = 0, x = k; i < n * p; i++, x /= n_values)
            s.cost[i] = 1 + (double)(x % n_values);
        compare(&s, &t);
    }
    report(&t, "all costs", n, p, it, is_free);
}

enum { PLAIN, FEW_WORKERS, SLOTS, REPLICAS };

static void
test_some(size_t n, size_t p, int64_t it, int kind, int n_draws, bool is_free)
{
    static const char *const kinds[] = {"random costs", "fewer workers", "two slots", "replicas"};
    struct tally t = {.worst = 1};
    struct scene s;
    size_t i;

    while (t.n < n_draws) {
        set_scene(&s, n, p);
        s.in.is_free = is_free;
        for (i = 0; i < n; i++)
            s.tasks[i].until = it;
        for (i = 0; i < n * p; i++)
            s.cost[i] = 1 + roll(t.n % 2 ? 3 : 9);
        if (kind != PLAIN) /* the last shard is where the first is */
            s.holders[p - 1][kind == REPLICAS] = 0;
        if (kind == REPLICAS)
            s.shards[p - 1].n_workers = 2;
        else if (kind != PLAIN)
            s.in.n_workers = p - 1;
        if (kind == SLOTS)
            s.workers[0].n_slots = 2;
        compare(&s, &t);
    }
    report(&t, kinds[kind], n, p, it, is_free);
}

static void
test_optimum(bool is_free)
{
    size_t n, p;
    int kind;

    test_all(2, 2, 1, 4, is_free);
    test_all(2, 2, 2, 3, is_free);
    test_all(2, 3, 1, 3, is_free);
    test_all(3, 2, 1, 3, is_free);
    test_all(2, 4, 1, 2, is_free);
    test_all(4, 2, 1, 2, is_free);
    test_all(3, 3, 1, 2, is_free);
    for (n = 2; n <= 4; n++)
        for (p = 2; p <= 4; p++)
            test_some(n, p, 1, PLAIN, 60, is_free);
    test_some(2, 3, 2, PLAIN, 60, is_free);
    test_some(3, 2, 2, PLAIN, 60, is_free);
    test_some(4, 2, 2, PLAIN, 60, is_free);
    for (kind = FEW_WORKERS; kind <= REPLICAS; kind++) {
        test_some(3, 3, 1, kind, 60, is_free);
        test_some(4, 3, 1, kind, 60, is_free);
        test_some(2, 3, 2, kind, 60, is_free);
    }
}

/* ---- 4 law 4 ---- */

static char why[700];

static bool
no(const char *what, const struct hop_sched_visit *v)
{
    if (v)
        snprintf(why, sizeof why, "%s (config %u, visit %lld, shard %u, worker %u, %g s)", what,
                 v->task, (long long)v->visit, v->shard, v->worker, v->start_s);
    else
        snprintf(why, sizeof why, "%s", what);
    return false;
}

static bool
is_near(double a, double b)
{
    double gap = a > b ? a - b : b - a;

    return gap <= 1e-9 * (1 + a);
}

static double
end_of(const struct hop_sched_visit *v)
{
    return v->start_s + v->expect_s;
}

static double
cost_of(const struct hop_sched_in *in, const struct hop_sched_visit *v)
{
    const struct hop_sched_task *t = &in->tasks[v->task];
    double s = (double)in->shards[v->shard].examples * (v->is_eval ? t->eval_s : t->train_s);

    if (!v->is_eval && in->cost_s)
        s = in->cost_s[v->task * in->n_train + v->shard];
    s = s / in->workers[v->worker].speed + in->visit_s + in->workers[v->worker].visit_s;
    return s + t->bytes * in->workers[v->worker].s_per_byte * (v->is_eval ? 1 : 2);
}

/* The shard that config i must train on next, with `seen` of this iteration and k visits after those
 * that were done; -1 = any that is not seen. */
static long
must_go(const struct hop_sched_in *in, size_t i, const char *seen, size_t k, size_t next)
{
    const struct hop_sched_task *t = &in->tasks[i];
    size_t p = in->n_train, n;

    if (t->order && k < t->n_order)
        return (long)t->order[k];
    if (in->is_free)
        return -1;
    for (n = 0; n < p && seen[next]; n++)
        next = (next + 1) % p;
    return (long)next;
}

static bool
is_due(const struct hop_sched_in *in, const struct hop_sched_task *t, int64_t visit, size_t shard)
{
    int64_t p = (int64_t)in->n_train;

    if (visit == t->visits)
        return t->eval_todo && t->eval_todo[shard];
    return in->shards[shard].is_eval && visit % p == 0 && in->eval_every &&
           (visit / p % in->eval_every == 0 || visit / p == t->until);
}

/* Config c's visits, in the order of their starts: complete, one after another, in lawful order;
 * each state evaluated where it is due, between two of them. */
static bool
is_config_lawful(const struct hop_sched_in *in, const struct hop_sched *plan, uint32_t c)
{
    const struct hop_sched_task *t = &in->tasks[c];
    int64_t p = (int64_t)in->n_train, visit = t->visits;
    char seen[MAX_SHARDS] = {0}, tested[MAX_SHARDS] = {0};
    double trained_s = 0, tested_s = 0;
    size_t i, k, next = t->next_shard;
    long must;

    if (t->seen && visit % p)
        memcpy(seen, t->seen, (size_t)p);
    for (i = 0; i <= plan->n; i++) {
        const struct hop_sched_visit *v = i < plan->n ? &plan->v[i] : NULL;

        if (v && v->task != c)
            continue;
        if (v && v->is_eval) {
            if (v->visit != visit || v->start_s < trained_s - 1e-9 || tested[v->shard]++)
                return no("evaluation of a state that is not there, or twice", v);
            tested_s = end_of(v) > tested_s ? end_of(v) : tested_s;
            continue;
        }
        for (k = 0; k < in->n_shards; k++)
            if (tested[k] != is_due(in, t, visit, k))
                return no(tested[k] ? "evaluation that is not due" : "no evaluation", v);
        if (!v)
            break;
        memset(tested, 0, sizeof tested);
        must = must_go(in, c, seen, (size_t)(visit - t->visits), next);
        if (v->start_s < trained_s - 1e-9 || v->start_s < tested_s - 1e-9)
            return no("visits of a config overlap", v);
        if (v->visit != visit + 1 || v->iteration != visit / p + 1)
            return no("visit or iteration is not the next", v);
        if (v->shard >= in->n_train || seen[v->shard] || (must >= 0 && v->shard != must))
            return no("not a shard to go to", v);
        seen[v->shard] = 1;
        next = (v->shard + 1) % in->n_train;
        if (++visit % p == 0)
            memset(seen, 0, sizeof seen);
        trained_s = end_of(v);
    }
    return visit >= t->until * p ? true : no("visits are missing", NULL);
}

/* Each visit is where its shard lies and takes its time, in a slot that has no other. */
static bool
are_slots_lawful(const struct hop_sched_in *in, const struct hop_sched *plan)
{
    const struct hop_sched_visit *a, *b;
    size_t i, j;

    for (i = 0; i < plan->n; i++) {
        a = &plan->v[i];
        for (j = 0; j < in->shards[a->shard].n_workers; j++)
            if (in->shards[a->shard].workers[j] == a->worker)
                break;
        if (j == in->shards[a->shard].n_workers)
            return no("its shard is not there", a);
        if (a->slot >= in->workers[a->worker].n_slots)
            return no("no such slot", a);
        if (!is_near(a->expect_s, cost_of(in, a)))
            return no("takes another time", a);
        for (j = 0; j < i; j++) {
            b = &plan->v[j];
            if (b->worker == a->worker && b->slot == a->slot &&
                b->start_s < end_of(a) - 1e-9 && a->start_s < end_of(b) - 1e-9)
                return no("a slot has two visits", a);
            if (plan->has_barriers && b->subepoch < a->subepoch && end_of(b) > a->start_s + 1e-9)
                return no("begins before the sub-epoch", a);
            if (!plan->has_barriers && b->start_s > a->start_s + 1e-9)
                return no("not in the order of starts", a);
        }
    }
    return true;
}

static bool
are_sums_right(const struct hop_sched_in *in, const struct hop_sched *plan)
{
    double end_s = 0, work_s = 0;
    size_t i, n_slots = 0, n_train = 0;

    for (i = 0; i < plan->n; i++) {
        end_s = end_of(&plan->v[i]) > end_s ? end_of(&plan->v[i]) : end_s;
        work_s += plan->v[i].expect_s;
        n_train += !plan->v[i].is_eval;
    }
    for (i = 0; i < in->n_workers; i++)
        n_slots += in->workers[i].n_slots;
    if (!is_near(plan->makespan_s, end_s) || plan->n_train_visits != n_train)
        return no("makespan or number of visits", NULL);
    if (plan->lower_bound_s > plan->makespan_s * (1 + 1e-9))
        return no("the lower bound is above the makespan", NULL);
    if (end_s > 0 && !is_near(1 - work_s / ((double)n_slots * end_s) + 1, plan->idle_frac + 1))
        return no("idle part", NULL);
    return true;
}

static bool
is_lawful(const struct hop_sched_in *in, const struct hop_sched *plan)
{
    uint32_t c;

    for (c = 0; c < in->n_tasks; c++)
        if (!is_config_lawful(in, plan, c))
            return false;
    return are_slots_lawful(in, plan) && are_sums_right(in, plan);
}

static size_t
n_running(const struct hop_sched *plan, uint32_t worker, double at_s)
{
    size_t i, n = 0;

    for (i = 0; i < plan->n; i++)
        n += plan->v[i].worker == worker && plan->v[i].start_s <= at_s + 1e-9 &&
             end_of(&plan->v[i]) > at_s + 1e-9;
    return n;
}

/* Was a slot of the worker idle for a while from begin to end? */
static bool
is_idle(const struct hop_sched_in *in, const struct hop_sched *plan, uint32_t worker, double begin,
        double end)
{
    size_t i, n = in->workers[worker].n_slots;
    double at_s;

    if (begin < end - 1e-9 && n_running(plan, worker, begin) < n)
        return true;
    for (i = 0; i < plan->n; i++) {
        at_s = end_of(&plan->v[i]);
        if (plan->v[i].worker == worker && at_s > begin && at_s < end - 1e-9 &&
            n_running(plan, worker, at_s) < n)
            return true;
    }
    return false;
}

/* Before v, a training visit, its config waited only for slots that were busy all the time. */
static bool
did_wait(const struct hop_sched_in *in, const struct hop_sched *plan,
         const struct hop_sched_visit *v)
{
    const struct hop_sched_task *t = &in->tasks[v->task];
    const struct hop_sched_visit *a;
    char seen[MAX_SHARDS] = {0};
    size_t i, k, next = t->next_shard;
    double ready_s = 0;
    long must;

    if (t->seen && v->iteration == t->visits / (int64_t)in->n_train + 1 &&
        t->visits % (int64_t)in->n_train)
        memcpy(seen, t->seen, in->n_train);
    for (i = 0; i < plan->n; i++) {
        a = &plan->v[i];
        if (a->task != v->task || a->visit >= v->visit)
            continue;
        ready_s = end_of(a) > ready_s ? end_of(a) : ready_s;
        if (!a->is_eval && a->iteration == v->iteration)
            seen[a->shard] = 1;
        if (!a->is_eval && a->visit == v->visit - 1)
            next = (a->shard + 1) % in->n_train;
    }
    must = must_go(in, v->task, seen, (size_t)(v->visit - 1 - t->visits), next);
    for (i = 0; i < in->n_train; i++)
        for (k = 0; k < in->shards[i].n_workers && !seen[i] && (must < 0 || (size_t)must == i); k++)
            if (is_idle(in, plan, in->shards[i].workers[k], ready_s, v->start_s))
                return no("a slot was idle that could have taken it before", v);
    return true;
}

static bool
is_dense(const struct hop_sched_in *in, const struct hop_sched *plan)
{
    size_t i;

    for (i = 0; i < plan->n; i++)
        if (!plan->v[i].is_eval && !did_wait(in, plan, &plan->v[i]))
            return false;
    return true;
}

static void
shuffle(uint32_t *v, size_t n)
{
    uint32_t keep;
    size_t k;

    while (n > 1) {
        k = roll((unsigned)n--);
        keep = v[n];
        v[n] = v[k];
        v[k] = keep;
    }
}

/* What the next visits are to be, in part or in full; and when. */
static void
invent_order(struct scene *s, size_t i)
{
    struct hop_sched_task *t = &s->tasks[i];
    size_t p = s->in.n_train, k, n = 0, all = (size_t)(t->until * (int64_t)p - t->visits);
    uint32_t round[MAX_SHARDS];
    size_t in_round = 0;

    for (k = 0; k < p; k++)
        if (!(t->visits % (int64_t)p) || !s->seen[i][k])
            round[in_round++] = (uint32_t)k;
    for (n = 0; n < all && n < MAX_ORDER;) {
        shuffle(round, in_round);
        for (k = 0; k < in_round && n < all && n < MAX_ORDER; k++) {
            s->order[i][n] = round[k];
            s->rank[i][n] = (n ? s->rank[i][n - 1] : 0) + roll(20);
            n++;
        }
        for (in_round = 0; in_round < p; in_round++)
            round[in_round] = (uint32_t)in_round;
    }
    t->n_order = n ? roll((unsigned)n + 1) : 0;
    t->order = roll(2) ? s->order[i] : NULL;
    t->rank = s->rank[i];
}

static void
invent_task(struct scene *s, size_t i)
{
    struct hop_sched_task *t = &s->tasks[i];
    size_t p = s->in.n_train, k, done;
    uint32_t past[MAX_SHARDS];

    t->until = 1 + roll(2);
    t->train_s = 0.1 * (1 + roll(9));
    t->eval_s = 0.05 * (1 + roll(3));
    t->bytes = 1000 * roll(3);
    t->visits = roll(2) ? 0 : roll((unsigned)(t->until * (int64_t)p) + 1);
    t->place = roll(7);
    t->next_shard = (t->place + (size_t)t->visits) % p;
    done = (size_t)t->visits % p;
    for (k = 0; k < p; k++)
        past[k] = (uint32_t)((t->place + k + (size_t)t->visits - done) % p);
    if (s->in.is_free || roll(8) == 0) { /* a free past */
        shuffle(past, p);
        t->next_shard = done ? (past[done - 1] + 1) % p : roll((unsigned)p);
    }
    for (k = 0; k < done; k++)
        s->seen[i][past[k]] = 1;
    t->seen = s->seen[i];
    t->eval_todo = s->todo[i];
    for (k = 0; k < s->in.n_shards && t->visits && !done; k++)
        s->todo[i][k] = s->shards[k].is_eval && roll(2);
    if (roll(3) == 0)
        invent_order(s, i);
}

/* Anything that a planner may be given. */
static void
invent(struct scene *s)
{
    size_t n = roll(MAX + 1), p = 1 + roll(4), n_val = roll(3), w = 1 + roll(MAX_WORKERS), i, k;
    uint32_t all[MAX_WORKERS];

    set_scene(s, n, p);
    s->in.n_workers = w;
    s->in.n_shards = p + n_val;
    s->in.is_free = roll(2);
    s->in.eval_every = roll(3);
    s->in.visit_s = 0.1 * roll(2);
    s->in.seed = roll(1000);
    for (i = 0; i < w; i++) {
        all[i] = (uint32_t)i;
        s->workers[i] = (struct hop_sched_worker){1 + (roll(4) ? 0 : roll(3)), 0.5 * (1 + roll(4)),
                                                  0.0001 * roll(2), 0.1 * roll(2)};
    }
    for (i = 0; i < p + n_val; i++) {
        shuffle(all, w);
        s->shards[i] = (struct hop_sched_shard){shard_names[i], 1 + roll(5), s->holders[i],
                                                roll(3) ? 1 : 1 + roll((unsigned)w),
                                                i >= p || roll(4) == 0};
        for (k = 0; k < w; k++)
            s->holders[i][k] = all[k];
    }
    for (i = 0; i < n * p; i++)
        s->cost[i] = 0.25 * (1 + roll(12));
    if (roll(2))
        s->in.cost_s = NULL;
    for (i = 0; i < n; i++)
        invent_task(s, i);
}

static bool
is_same_plan(const struct hop_sched *a, const struct hop_sched *b)
{
    size_t i;

    for (i = 0; i < a->n && a->n == b->n; i++)
        if (a->v[i].task != b->v[i].task || a->v[i].shard != b->v[i].shard ||
            a->v[i].worker != b->v[i].worker || a->v[i].slot != b->v[i].slot ||
            a->v[i].visit != b->v[i].visit || a->v[i].is_eval != b->v[i].is_eval ||
            !is_near(a->v[i].start_s, b->v[i].start_s))
            return false;
    return a->n == b->n;
}

/* The same input, the same plan; reckoned once more, the same length. */
static bool
is_settled(const struct scene *s, const struct hop_sched *plan)
{
    struct hop_sched again;
    struct hop_err e = {0};
    bool is_good;

    if (hop_sched_make(&hop_policy_auto, &s->in, &again, &e))
        return no(e.what, NULL);
    is_good = is_same_plan(plan, &again) || no("not the same again", NULL);
    if (hop_sched_reckon(&s->in, &again, &e))
        return no(e.what, NULL);
    is_good = is_good && is_lawful(&s->in, &again) &&
              (is_near(plan->makespan_s, again.makespan_s) ||
               no("reckoned anew: another makespan", NULL));
    hop_sched_clear(&again);
    return is_good;
}

/* A policy keeps the law; lists leave nothing idle; auto, which is last, is never the longest. */
static bool
hold_one(const struct scene *s, const struct hop_policy *policy, double *least_s)
{
    struct hop_sched plan;
    struct hop_err e = {0};
    bool is_good;

    if (hop_sched_make(policy, &s->in, &plan, &e))
        return no(e.what, NULL);
    is_good = is_lawful(&s->in, &plan);
    if (policy == &hop_policy_random || policy == &hop_policy_longest_first)
        is_good = is_good && is_dense(&s->in, &plan);
    if (policy == &hop_policy_auto)
        is_good = is_good && is_settled(s, &plan) &&
                  (plan.makespan_s <= *least_s * (1 + 1e-9) ||
                   no("auto is longer than another policy", NULL));
    /* --policy FILE has an order of its own to keep */
    if (policy != &hop_policy_file && plan.makespan_s < *least_s)
        *least_s = plan.makespan_s;
    hop_sched_clear(&plan);
    return is_good;
}

static bool
hold(const struct scene *s)
{
    double least_s = 1e300;
    size_t i = 0;

    while (hop_policies[i])
        i++;
    while (i-- > 0)
        if (!hold_one(s, hop_policies[i], &least_s)) {
            printf("# %s\n", hop_policies[i]->name);
            return false;
        }
    return true;
}

static void
test_law_4(int n_scenes)
{
    struct scene s;
    uint64_t begin = 0;
    int i;

    for (i = 0; i < n_scenes; i++) {
        begin = chance;
        invent(&s);
        if (!hold(&s))
            break;
    }
    if (!ok(i == n_scenes, "law 4 holds in %d scenes by all policies, auto is never the longer", i))
        printf("# %s; chance = %llu; %zu configs, %zu + %zu shards, %zu workers, %s\n", why,
               (unsigned long long)begin, s.in.n_tasks, s.in.n_train,
               s.in.n_shards - s.in.n_train, s.in.n_workers, s.in.is_free ? "free" : "cyclic");
}

/* The checker sees what breaks the law. */
static void
test_checker(void)
{
    struct scene s;
    struct hop_sched plan;
    struct hop_err e = {0};
    struct hop_sched_visit keep;

    set_scene(&s, 3, 3);
    if (!ok(!hop_sched_make(&hop_policy_longest_first, &s.in, &plan, &e) && plan.n == 9 &&
                is_lawful(&s.in, &plan), "a lawful plan"))
        return;
    keep = plan.v[4];
    plan.v[4].start_s -= 0.5;
    ok(!is_lawful(&s.in, &plan), "%s", why);
    plan.v[4] = keep;
    plan.v[4].worker = (keep.worker + 1) % 3;
    ok(!is_lawful(&s.in, &plan), "%s", why);
    plan.v[4] = keep;
    plan.v[4].shard = (keep.shard + 1) % 3;
    ok(!is_lawful(&s.in, &plan), "%s", why);
    plan.v[4] = keep;
    plan.v[4].expect_s = 0.9;
    ok(!is_lawful(&s.in, &plan), "%s", why);
    plan.v[4] = keep;
    plan.n--;
    ok(!is_lawful(&s.in, &plan), "%s", why);
    plan.n++;
    plan.v[8].start_s++;
    ok(!is_lawful(&s.in, &plan), "%s", why);
    hop_sched_clear(&plan);
}

/* ---- 5 many visits ---- */

static const double gpu_speeds[] = {5.6, 9.3, 12.1, 18.7};

struct many {
    struct hop_sched_task tasks[256];
    struct hop_sched_shard shards[40];
    struct hop_sched_worker workers[40];
    uint32_t holder[40];
    double cost[256 * 40];
    struct hop_sched_in in;
};

static void
set_many(struct many *m, size_t n, size_t p)
{
    size_t i;

    memset(m, 0, sizeof *m);
    for (i = 0; i < p; i++) {
        m->holder[i] = (uint32_t)i;
        m->shards[i] = (struct hop_sched_shard){"s", 1, &m->holder[i], 1, false};
        m->workers[i] = (struct hop_sched_worker){.n_slots = 1, .speed = 1};
    }
    for (i = 0; i < n; i++)
        m->tasks[i] = (struct hop_sched_task){.id = "c", .place = i, .until = 1,
                                              .next_shard = i % p};
    for (i = 0; i < n * p; i++)
        m->cost[i] = 1;
    m->in = (struct hop_sched_in){.tasks = m->tasks, .n_tasks = n, .shards = m->shards,
                                  .n_shards = p, .n_train = p, .workers = m->workers,
                                  .n_workers = p, .cost_s = m->cost, .seed = 1};
}

static double
uniform(double from, double to)
{
    return from + (to - from) * roll(1000000) / 1e6;
}

enum { EQUAL, NOISE, FAST_SLOW, CNN, N_SETTINGS };
static const char *const settings[] = {"equal", "10 % noise", "20 % are 8 times slower",
                                       "CNNs on four kinds of GPU"};

/* Cerebro's simulated settings. */
static void
set_costs(struct many *m, int setting)
{
    size_t i, j, n = m->in.n_tasks, p = m->in.n_train;
    double length, speed[40];

    for (j = 0; j < p; j++)
        speed[j] = gpu_speeds[roll(4)];
    for (i = 0; i < n; i++) {
        length = setting == CNN ? uniform(360, 21000) : setting == FAST_SLOW && !roll(5) ? 8 : 1;
        for (j = 0; j < p; j++)
            m->cost[i * p + j] = setting == NOISE ? uniform(0.9, 1.1)
                                 : setting == CNN ? length / speed[j] : length;
    }
}

/* Makespan over lower bound; *is_worse: round-robin is shorter. */
static double
ratio_of(const struct many *m, bool *is_worse)
{
    struct hop_sched plan, other;
    struct hop_err e = {0};
    double ratio;

    if (hop_sched_make(&hop_policy_auto, &m->in, &plan, &e) ||
        hop_sched_make(&hop_policy_round_robin, &m->in, &other, &e)) {
        ok(false, "%s %s", e.where, e.what);
        exit(1);
    }
    *is_worse = plan.makespan_s > other.makespan_s * (1 + 1e-9);
    ratio = plan.makespan_s / plan.lower_bound_s;
    hop_sched_clear(&plan);
    hop_sched_clear(&other);
    return ratio;
}

/* Free order: on average within 2 % of the lower bound; any order: not longer than round-robin. */
static void
test_setting(struct many *m, int setting, size_t n, size_t p, bool is_free)
{
    double sum = 0, worst = 1, ratio;
    int i, n_draws = 10, n_worse = 0;
    bool is_worse;

    for (i = 0; i < n_draws; i++) {
        set_many(m, n, p);
        set_costs(m, setting);
        m->in.is_free = is_free;
        ratio = ratio_of(m, &is_worse);
        sum += ratio;
        worst = ratio > worst ? ratio : worst;
        n_worse += is_worse;
    }
    ok((!is_free || sum / n_draws <= 1.02) && !n_worse,
       "%s, %zu configs, %zu workers, %s order: mean %.4f, worst %.4f of the lower bound, "
       "%d times longer than round-robin",
       settings[setting], n, p, is_free ? "free" : "cyclic", sum / n_draws, worst, n_worse);
}

static void
test_cerebro(struct many *m, bool is_free)
{
    size_t p;
    int setting;

    for (setting = EQUAL; setting < N_SETTINGS; setting++)
        for (p = 4; p <= 16; p *= 2) {
            test_setting(m, setting, p, p, is_free);
            test_setting(m, setting, 2 * p, p, is_free);
            test_setting(m, setting, 8 * p, p, is_free);
            if (p > 4) /* as in VLDB 2020 */
                test_setting(m, setting, 256, p, is_free);
        }
}

/* Cyclic order, equal costs: no order does better, for any number of configs and shards. */
static void
test_equal(struct many *m)
{
    size_t n, p, i, n_all = 0;
    double worst = 1, ratio;
    bool is_worse;
    int64_t it;

    for (it = 1; it <= 3; it++)
        for (p = 1; p <= 40; p += p < 20 ? 1 : 5)
            for (n = 1; n <= 100; n += n < 40 ? 1 : 13) {
                set_many(m, n, p);
                for (i = 0; i < n; i++)
                    m->tasks[i].until = it;
                ratio = ratio_of(m, &is_worse);
                worst = ratio > worst ? ratio : worst;
                n_all++;
            }
    ok(worst <= 1.01, "equal costs, cyclic order: %.4f of the lower bound at worst of %zu", worst,
       n_all);
}

int
main(void)
{
    static struct many m;

    test_checker();
    test_law_4(1500);
    test_optimum(false);
    test_optimum(true);
    test_equal(&m);
    test_cerebro(&m, true);
    test_cerebro(&m, false);
    return tap_end();
}

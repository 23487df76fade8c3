/* Law 4 over all schedules with barriers (round-robin; t_planner.c has the others) of up to 5 configs x 5 shards x 5 workers x 3 iterations, with and
 * without evaluation and interruption: completeness, isolation, exclusivity, rotation; and that
 * the number of workers changes no config's order. The checks here share no code with the
 * library's own. */
#include <stdlib.h>
#include <string.h>

#include "schedule/plan.h"
#include "schedule/policies.h"
#include "tap.h"

enum { MAX = 5, MAX_SHARDS = 2 * MAX, MAX_VISITS = 64 };

static char why[1400];

struct scene {
    struct hop_sched_task tasks[MAX];
    struct hop_sched_shard shards[MAX_SHARDS];
    struct hop_sched_worker workers[MAX];
    uint32_t holder[MAX_SHARDS];
    char todo[MAX][MAX_SHARDS];
    struct hop_sched_in in;
    long n_train, n_val;
};

static const char *const names[MAX] = {"c0", "c1", "c2", "c3", "c4"};
static const char *const shard_names[MAX_SHARDS] = {"train-000", "train-001", "train-002",
                                                    "train-003", "train-004", "val-000", "val-001",
                                                    "val-002", "val-003", "val-004"};

/* `done`: visits that config i has had already are done * (i + 1), so they differ. */
static void
set_scene(struct scene *s, size_t n_configs, size_t n_train, size_t n_val, size_t n_workers,
          int64_t n_iterations, int64_t done)
{
    size_t i;
    int64_t max = n_iterations * (int64_t)n_train;

    memset(s, 0, sizeof *s);
    for (i = 0; i < n_train + n_val; i++) {
        s->holder[i] = (uint32_t)((i < n_train ? i : i - n_train) % n_workers);
        s->shards[i] = (struct hop_sched_shard){
            i < n_train ? shard_names[i] : shard_names[MAX + i - n_train], 10, &s->holder[i], 1,
            i >= n_train};
    }
    for (i = 0; i < n_workers; i++)
        s->workers[i] = (struct hop_sched_worker){.n_slots = 1, .speed = 1};
    for (i = 0; i < n_configs; i++) {
        int64_t v = done * (int64_t)(i + 1);

        s->tasks[i] = (struct hop_sched_task){.id = names[i],
                                              .place = i,
                                              .visits = v > max ? max : v,
                                              .until = n_iterations,
                                              .eval_todo = s->todo[i],
                                              .train_s = 0.01 * (double)(i + 1),
                                              .eval_s = 0.003};
        s->tasks[i].next_shard = hop_cyclic_shard(i, s->tasks[i].visits + 1, n_train);
        /* An interruption may leave part of an evaluation undone. */
        if (v && n_val && s->tasks[i].visits % (int64_t)n_train == 0)
            s->todo[i][n_train + n_val - 1] = 1;
    }
    s->in = (struct hop_sched_in){.tasks = s->tasks, .n_tasks = n_configs, .shards = s->shards,
                                  .n_shards = n_train + n_val, .n_train = n_train,
                                  .workers = s->workers, .n_workers = n_workers,
                                  .eval_every = n_val ? 2 : 0, .visit_s = 0.1, .seed = 1};
}

static bool
no(const char *what, size_t config, int64_t visit)
{
    snprintf(why, sizeof why, "%s (config %zu, visit %lld)", what, config, (long long)visit);
    return false;
}

/* Follow one config through the plan. */
static bool
follow(const struct scene *s, const struct hop_sched *plan, size_t c)
{
    const struct hop_sched_task *t = &s->tasks[c];
    int64_t visit = t->visits, p = (int64_t)s->in.n_train, last_subepoch = 0, k;
    long last_shard = visit ? (long)((c + (size_t)visit - 1) % s->in.n_train) : -1;
    int seen[MAX_VISITS + 1][MAX_SHARDS] = {{0}}; /* evaluations by state */
    size_t i, j;

    for (i = 0; i < plan->n; i++) {
        const struct hop_sched_visit *v = &plan->v[i];

        if (v->task != c)
            continue;
        if (v->is_eval) {
            if (v->visit != visit || v->subepoch <= last_subepoch)
                return no("evaluated while it trains, or in another state", c, v->visit);
            if (seen[visit][v->shard]++)
                return no("evaluated twice on a shard", c, visit);
            continue;
        }
        if (v->visit != visit + 1)
            return no("visits are not one after the other", c, v->visit);
        if (v->subepoch <= last_subepoch)
            return no("visits overlap", c, v->visit);
        for (j = i; j-- > 0 && plan->v[j].subepoch == v->subepoch;)
            if (plan->v[j].task == c)
                return no("is in two places", c, v->visit);
        for (j = i + 1; j < plan->n && plan->v[j].subepoch == v->subepoch; j++)
            if (plan->v[j].task == c)
                return no("is in two places", c, v->visit);
        if (v->shard != (c + (size_t)visit) % s->in.n_train)
            return no("not the shard that the rotation says", c, v->visit);
        if (p > 1 && (long)v->shard == last_shard)
            return no("the same shard twice running", c, v->visit);
        if (v->iteration != visit / p + 1)
            return no("wrong iteration", c, v->visit);
        visit++;
        last_shard = (long)v->shard;
        last_subepoch = v->subepoch;
    }
    if (visit != t->until * p)
        return no("not all visits", c, visit);
    for (k = t->visits; k <= visit; k++)
        for (j = 0; j < s->in.n_shards; j++) {
            int64_t it = k / p;
            bool is_due = k == t->visits ? s->todo[c][j] != 0
                                         : s->shards[j].is_eval && k % p == 0 &&
                                               (it % 2 == 0 || it == t->until);
            if (seen[k][j] != is_due)
                return no("evaluation missing or not asked for", c, k);
        }
    return true;
}

/* Every shard once per iteration, over the whole life of the config (the past is by rotation). */
static bool
counts_shards(const struct scene *s, const struct hop_sched *plan, size_t c)
{
    const struct hop_sched_task *t = &s->tasks[c];
    int n[8][MAX] = {{0}};
    int64_t k, it;
    size_t i, j;

    for (k = 1; k <= t->visits; k++)
        n[(k - 1) / (int64_t)s->in.n_train][(c + (size_t)k - 1) % s->in.n_train]++;
    for (i = 0; i < plan->n; i++)
        if (plan->v[i].task == c && !plan->v[i].is_eval)
            n[plan->v[i].iteration - 1][plan->v[i].shard]++;
    for (it = 0; it < t->until; it++)
        for (j = 0; j < s->in.n_train; j++)
            if (n[it][j] != 1)
                return no("a shard not exactly once per iteration", c, it);
    return true;
}

static bool
workers_are_exclusive(const struct scene *s, const struct hop_sched *plan)
{
    size_t i, j;

    for (i = 0; i < plan->n; i++) {
        if (plan->v[i].worker != s->holder[plan->v[i].shard])
            return no("a visit where its shard is not", plan->v[i].task, plan->v[i].visit);
        for (j = i + 1; j < plan->n && plan->v[j].subepoch == plan->v[i].subepoch; j++)
            if (plan->v[j].worker == plan->v[i].worker)
                return no("a worker with two visits", plan->v[i].task, plan->v[i].visit);
    }
    return true;
}

static bool
times_are_sane(const struct scene *s, const struct hop_sched *plan)
{
    double end_s = 0;
    size_t i, j;

    for (i = 0; i < plan->n; i++) {
        const struct hop_sched_visit *v = &plan->v[i];

        if (v->start_s + v->expect_s > end_s)
            end_s = v->start_s + v->expect_s;
        for (j = 0; j < i; j++) /* a barrier after each sub-epoch */
            if (plan->v[j].subepoch < v->subepoch &&
                plan->v[j].start_s + plan->v[j].expect_s > v->start_s + 1e-9)
                return no("starts before the sub-epoch", v->task, v->visit);
    }
    if (plan->makespan_s < end_s - 1e-9 || plan->makespan_s > end_s + 1e-9)
        return no("makespan is not the last end", 0, 0);
    if (plan->lower_bound_s > plan->makespan_s + 1e-9)
        return no("lower bound above makespan", 0, 0);
    return s->in.n_workers && plan->idle_frac > -1e-9 && plan->idle_frac < 1;
}

static bool
holds(struct scene *s, struct hop_sched *plan)
{
    struct hop_err e = {0};
    size_t c;
    bool is_ok = !hop_sched_make(&hop_policy_round_robin, &s->in, plan, &e);

    if (!is_ok)
        snprintf(why, sizeof why, "%s %s", e.where, e.what);
    for (c = 0; c < s->in.n_tasks && is_ok; c++)
        is_ok = follow(s, plan, c) && counts_shards(s, plan, c);
    return is_ok && workers_are_exclusive(s, plan) && times_are_sane(s, plan);
}

static void
test_law_4(size_t n_configs)
{
    struct scene s;
    struct hop_sched plan;
    size_t p, w, n_val, n = 0;
    int64_t it, done;

    for (p = 1; p <= MAX; p++)
        for (w = 1; w <= MAX; w++)
            for (it = 1; it <= 3; it++)
                for (n_val = 0; n_val <= 3; n_val += 3)
                    for (done = 0; done <= 2; done++) {
                        set_scene(&s, n_configs, p, n_val, w, it, done);
                        n++;
                        if (!holds(&s, &plan)) {
                            ok(false, "%zu configs, %zu shards, %zu val, %zu workers, %lld "
                               "iterations, done %lld: %s", n_configs, p, n_val, w,
                               (long long)it, (long long)done, why);
                            return;
                        }
                        hop_sched_clear(&plan);
                    }
    ok(true, "law 4 holds in %zu schedules of %zu configs", n, n_configs);
}

/* As many configs as shards and workers: nobody waits. */
static void
test_ring(void)
{
    struct scene s;
    struct hop_sched plan;
    size_t n, i;

    for (n = 1; n <= MAX; n++) {
        set_scene(&s, n, n, 0, n, 3, 0);
        for (i = 0; i < n; i++)
            s.tasks[i].train_s = 0.01;
        if (!ok(holds(&s, &plan) && plan.n_subepochs == (int64_t)(3 * n) &&
                    plan.idle_frac < 1e-9 && plan.makespan_s - plan.lower_bound_s < 1e-9,
                "%zu configs on %zu workers: no idle sub-epoch", n, n))
            printf("# %lld sub-epochs, idle %g, %g s, at least %g s\n",
                   (long long)plan.n_subepochs, plan.idle_frac, plan.makespan_s,
                   plan.lower_bound_s);
        hop_sched_clear(&plan);
    }
}

/* The library's own check refuses what breaks the rules. */
static void
test_check(void)
{
    struct scene s;
    struct hop_sched plan;
    struct hop_err e = {0};
    struct hop_sched_visit keep;

    set_scene(&s, 3, 3, 0, 3, 1, 0);
    if (!ok(holds(&s, &plan) && plan.n == 9, "a plan of nine visits"))
        return;
    keep = plan.v[4];
    plan.v[4].worker = plan.v[3].worker;
    ok(hop_sched_check(&s.in, &plan, &e) == HOP_EFORMAT, "two visits on a worker: %s", e.what);
    plan.v[4] = keep;
    hop_err_clear(&e);
    plan.v[4].visit++;
    ok(hop_sched_check(&s.in, &plan, &e) == HOP_EFORMAT, "a visit left out: %s", e.what);
    plan.v[4] = keep;
    hop_err_clear(&e);
    plan.v[4].task = plan.v[3].task;
    plan.v[4].visit = plan.v[3].visit + 1;
    ok(hop_sched_check(&s.in, &plan, &e) == HOP_EFORMAT, "a config in two places: %s", e.what);
    plan.v[4] = keep;
    hop_err_clear(&e);
    ok(hop_sched_check(&s.in, &plan, &e) == HOP_OK, "and the plan itself passes");
    hop_sched_clear(&plan);
}

int
main(void)
{
    size_t n;

    for (n = 0; n <= MAX; n++)
        test_law_4(n);
    test_ring();
    test_check();
    return tap_end();
}

#include "schedule/plan.h"

#include <stdlib.h>

#include "base/mem.h"

size_t
hop_cyclic_shard(size_t place, int64_t visit, size_t p)
{
    return (place % p + (size_t)(visit - 1) % p) % p;
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

    *plan = (struct hop_sched){0};
    if ((rc = policy->fill(in, plan, e)) || (rc = hop_sched_check(in, plan, e)) ||
        (rc = hop_sched_reckon(in, plan, e)))
        hop_sched_clear(plan);
    return rc;
}

/* What hop_sched_check remembers of a config and a worker. */
struct last {
    int64_t visit;                 /* trained so far */
    int64_t trained_in, tested_in; /* sub-epochs */
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
check_visit(const struct hop_sched_in *in, const struct hop_sched_visit *v, struct last *task,
            int64_t *busy_in, struct hop_err *e)
{
    if (*busy_in == v->subepoch)
        return refuse(in, v, "its worker has two visits", e);
    *busy_in = v->subepoch;
    if (v->is_eval) {
        if (v->visit != task->visit || task->trained_in == v->subepoch)
            return refuse(in, v, "evaluates a state that is not there", e);
        task->tested_in = v->subepoch;
        return HOP_OK;
    }
    if (v->visit != task->visit + 1)
        return refuse(in, v, "out of order", e);
    if (task->trained_in == v->subepoch || task->tested_in == v->subepoch)
        return refuse(in, v, "its config is elsewhere then", e);
    if (v->shard >= in->n_train)
        return refuse(in, v, "not a shard to train on", e);
    task->visit = v->visit;
    task->trained_in = v->subepoch;
    return HOP_OK;
}

int
hop_sched_check(const struct hop_sched_in *in, const struct hop_sched *plan, struct hop_err *e)
{
    struct last *tasks = hop_alloc(in->n_tasks, sizeof *tasks, e);
    int64_t *busy_in = hop_alloc(in->n_workers, sizeof *busy_in, e), before = 1;
    size_t i;
    int rc = tasks && busy_in ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < in->n_tasks && !rc; i++)
        tasks[i].visit = in->tasks[i].visits;
    for (i = 0; i < plan->n && !rc; i++) {
        if (plan->v[i].subepoch < before)
            rc = refuse(in, &plan->v[i], "sub-epochs must rise", e);
        else
            rc = check_visit(in, &plan->v[i], &tasks[plan->v[i].task],
                             &busy_in[plan->v[i].worker], e);
        before = plan->v[i].subepoch;
    }
    free(tasks);
    free(busy_in);
    return rc;
}

/* Seconds of work of each worker, and of each config as if it had all workers to itself. */
struct work {
    double *workers, *tasks, *tests; /* tests: the longest evaluation since the last training */
};

static void
add_work(struct work *w, const struct hop_sched_visit *v)
{
    w->workers[v->worker] += v->expect_s;
    if (!v->is_eval) {
        w->tasks[v->task] += w->tests[v->task] + v->expect_s;
        w->tests[v->task] = 0;
    } else if (v->expect_s > w->tests[v->task]) {
        w->tests[v->task] = v->expect_s;
    }
}

static void
set_times(const struct hop_sched_in *in, struct hop_sched *plan, struct work *w)
{
    double start_s = 0, longest_s = 0, sum_s = 0;
    struct hop_sched_visit *v;
    size_t i;

    for (i = 0; i < plan->n; i++) {
        v = &plan->v[i];
        if (i && v->subepoch != v[-1].subepoch) {
            start_s += longest_s;
            longest_s = 0;
        }
        if (!i || v->subepoch != v[-1].subepoch)
            plan->n_subepochs++;
        if (v->expect_s <= 0)
            v->expect_s = in->visit_s + (double)in->shards[v->shard].examples *
                                            (v->is_eval ? in->tasks[v->task].eval_s
                                                        : in->tasks[v->task].train_s);
        v->start_s = start_s;
        longest_s = v->expect_s > longest_s ? v->expect_s : longest_s;
        sum_s += v->expect_s;
        plan->n_train_visits += !v->is_eval;
        add_work(w, v);
    }
    plan->makespan_s = start_s + longest_s;
    plan->idle_frac =
        plan->makespan_s > 0 ? 1 - sum_s / ((double)in->n_workers * plan->makespan_s) : 0;
}

int
hop_sched_reckon(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    struct work w = {hop_alloc(in->n_workers, sizeof(double), e),
                     hop_alloc(in->n_tasks, sizeof(double), e),
                     hop_alloc(in->n_tasks, sizeof(double), e)};
    size_t i;
    int rc = w.workers && w.tasks && w.tests ? HOP_OK : HOP_ENOMEM;

    plan->n_subepochs = 0;
    plan->n_train_visits = 0;
    plan->lower_bound_s = 0;
    if (!rc) {
        set_times(in, plan, &w);
        for (i = 0; i < in->n_workers; i++)
            if (w.workers[i] > plan->lower_bound_s)
                plan->lower_bound_s = w.workers[i];
        for (i = 0; i < in->n_tasks; i++)
            if (w.tasks[i] + w.tests[i] > plan->lower_bound_s)
                plan->lower_bound_s = w.tasks[i] + w.tests[i];
    }
    free(w.workers);
    free(w.tasks);
    free(w.tests);
    return rc;
}

/* round-robin - in each sub-epoch every worker takes, of the configs whose next shard lies with
 * it, the one that has had the fewest visits; evaluations come before training, then the place in
 * the batch decides.
 *
 * With as many configs as workers and one shard per worker this is the ring of model hopper
 * parallelism, every worker busy all the time; more configs wait their turn in it.
 * Source: Kumar et al., "Cerebro: A Layered Data Platform for Scalable Deep Learning", CIDR 2021
 * (model hopper parallelism); the tie-breaking is ours.
 */
#include "schedule/policies.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct state { /* of one config */
    size_t i_task;
    size_t place;
    int64_t visits, target;
    size_t next_shard;
    char *todo; /* [n_shards] evaluations: 1 = to do, 2 = in this sub-epoch */
    size_t n_todo;
    bool is_training; /* in this sub-epoch */
};

static int
by_need(const void *a, const void *b)
{
    const struct state *const *x = a, *const *y = b;

    if ((*x)->visits != (*y)->visits)
        return (*x)->visits < (*y)->visits ? -1 : 1;
    if (!(*x)->n_todo != !(*y)->n_todo)
        return (*x)->n_todo ? -1 : 1;
    if ((*x)->place != (*y)->place)
        return (*x)->place < (*y)->place ? -1 : 1;
    return (*x)->i_task < (*y)->i_task ? -1 : (*x)->i_task > (*y)->i_task;
}

static void
start(const struct hop_sched_in *in, size_t i_task, struct state *s, char *todo)
{
    const struct hop_sched_task *t = &in->tasks[i_task];
    size_t i;

    *s = (struct state){i_task, t->place, t->visits, t->until * (int64_t)in->n_train,
                        t->next_shard, todo, 0, false};
    for (i = 0; i < in->n_shards && t->eval_todo; i++)
        if ((todo[i] = t->eval_todo[i]))
            s->n_todo++;
}

/* Put one visit of s on the worker of `shard` in slots, if that is free. */
static bool
offer(const struct hop_sched_in *in, struct state *s, size_t shard, int64_t subepoch,
      struct hop_sched_visit *slots)
{
    size_t w = in->shards[shard].worker;
    bool is_eval = s->n_todo > 0;

    if (slots[w].subepoch == subepoch)
        return false;
    slots[w] = (struct hop_sched_visit){
        .task = s->i_task,
        .shard = shard,
        .worker = w,
        .visit = s->visits + !is_eval,
        .iteration = is_eval ? s->visits / (int64_t)in->n_train
                             : s->visits / (int64_t)in->n_train + 1,
        .subepoch = subepoch,
        .is_eval = is_eval};
    return true;
}

/* Give s what it can get in this sub-epoch. */
static void
serve(const struct hop_sched_in *in, struct state *s, int64_t subepoch,
      struct hop_sched_visit *slots)
{
    size_t i;

    if (!s->n_todo) {
        s->is_training = s->visits < s->target && offer(in, s, s->next_shard, subepoch, slots);
        return;
    }
    for (i = 0; i < in->n_shards; i++)
        if (s->todo[i] && offer(in, s, i, subepoch, slots))
            s->todo[i] = 2;
}

/* The sub-epoch is over. */
static void
advance(const struct hop_sched_in *in, struct state *s)
{
    int64_t p = (int64_t)in->n_train;
    size_t i;

    for (i = 0; i < in->n_shards && s->n_todo; i++)
        if (s->todo[i] == 2) {
            s->todo[i] = 0;
            s->n_todo--;
        }
    if (!s->is_training)
        return;
    s->is_training = false;
    s->visits++;
    s->next_shard = (s->next_shard + 1) % in->n_train;
    if (s->visits % p || !hop_eval_is_due(s->visits / p, s->target / p, in->eval_every))
        return;
    for (i = 0; i < in->n_shards; i++)
        if (in->shards[i].is_eval) {
            s->todo[i] = 1;
            s->n_todo++;
        }
}

static int
run(const struct hop_sched_in *in, struct state *states, struct state **order,
    struct hop_sched_visit *slots, struct hop_sched *plan, struct hop_err *e)
{
    int64_t subepoch;
    size_t i, n_before;

    for (subepoch = 1;; subepoch++) {
        n_before = plan->n;
        qsort(order, in->n_tasks, sizeof *order, by_need);
        for (i = 0; i < in->n_tasks; i++)
            serve(in, order[i], subepoch, slots);
        for (i = 0; i < in->n_workers; i++)
            if (slots[i].subepoch == subepoch && hop_sched_add(plan, &slots[i], e))
                return HOP_ENOMEM;
        if (plan->n == n_before)
            return HOP_OK;
        for (i = 0; i < in->n_tasks; i++)
            advance(in, &states[i]);
    }
}

static int
fill(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    struct state *states = hop_alloc(in->n_tasks, sizeof *states, e);
    struct state **order = hop_alloc(in->n_tasks, sizeof *order, e);
    char *todo = hop_alloc(in->n_tasks, in->n_shards, e);
    struct hop_sched_visit *slots = hop_alloc(in->n_workers, sizeof *slots, e);
    size_t i;
    int rc = states && order && todo && slots ? HOP_OK : HOP_ENOMEM;

    if (!rc) {
        for (i = 0; i < in->n_tasks; i++) {
            start(in, i, &states[i], todo + i * in->n_shards);
            order[i] = &states[i];
        }
        rc = run(in, states, order, slots, plan, e);
    }
    free(states);
    free(order);
    free(todo);
    free(slots);
    return rc;
}

const struct hop_policy hop_policy_round_robin = {
    "round-robin", "the config with the fewest visits first, in cyclic order", fill};

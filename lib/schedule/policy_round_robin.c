/* round-robin - in each sub-epoch every slot of a worker takes, of the configs whose next shard
 * lies with it, the one that has had the fewest visits; evaluations come before training, then the
 * place in the batch decides. There is a barrier after each sub-epoch, and shards come in rotation
 * (or as given).
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
    const struct hop_sched_task *given;
    char *seen; /* [n_train] in the iteration under way */
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
start(const struct hop_sched_in *in, size_t i_task, struct state *s, char *todo, char *seen)
{
    const struct hop_sched_task *t = &in->tasks[i_task];
    size_t i;

    *s = (struct state){i_task, t->place, t->visits, t->until * (int64_t)in->n_train,
                        t->next_shard, t, seen, todo, 0, false};
    if (t->seen)
        memcpy(seen, t->seen, in->n_train);
    for (i = 0; i < in->n_shards && t->eval_todo; i++)
        if ((todo[i] = t->eval_todo[i]))
            s->n_todo++;
}

/* All slots of all workers; those of worker w from first[w] on. */
struct slots {
    struct hop_sched_visit *v;
    size_t *first; /* [n_workers + 1] */
};

/* A slot of a worker that holds the shard and has no visit in this sub-epoch, or NULL. */
static struct hop_sched_visit *
find_slot(const struct hop_sched_in *in, size_t shard, int64_t subepoch, const struct slots *slots,
          uint32_t *worker)
{
    size_t i, k;

    for (i = 0; i < in->shards[shard].n_workers; i++) {
        *worker = in->shards[shard].workers[i];
        for (k = slots->first[*worker]; k < slots->first[*worker + 1]; k++)
            if (slots->v[k].subepoch != subepoch)
                return &slots->v[k];
    }
    return NULL;
}

/* Put one visit of s on a worker of `shard`, if one is free. */
static bool
offer(const struct hop_sched_in *in, struct state *s, size_t shard, int64_t subepoch,
      const struct slots *slots)
{
    bool is_eval = s->n_todo > 0;
    uint32_t worker = 0;
    struct hop_sched_visit *slot = find_slot(in, shard, subepoch, slots, &worker);

    if (!slot)
        return false;
    *slot = (struct hop_sched_visit){
        .task = (uint32_t)s->i_task,
        .shard = (uint32_t)shard,
        .worker = worker,
        .visit = s->visits + !is_eval,
        .iteration = is_eval ? s->visits / (int64_t)in->n_train
                             : s->visits / (int64_t)in->n_train + 1,
        .subepoch = subepoch,
        .is_eval = is_eval};
    return true;
}

/* Where s trains next. */
static size_t
next_shard(const struct hop_sched_in *in, const struct state *s)
{
    size_t k = (size_t)(s->visits - s->given->visits);

    if (s->given->order && k < s->given->n_order)
        return s->given->order[k];
    return hop_cyclic_next(s->seen, s->next_shard, in->n_train);
}

/* Give s what it can get in this sub-epoch. */
static void
serve(const struct hop_sched_in *in, struct state *s, int64_t subepoch, const struct slots *slots)
{
    size_t i, at;

    if (!s->n_todo && s->visits < s->target) {
        at = next_shard(in, s);
        s->is_training = offer(in, s, at, subepoch, slots);
        if (s->is_training)
            s->next_shard = at;
    }
    if (!s->n_todo)
        return;
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
    s->seen[s->next_shard] = 1;
    if (s->visits % p == 0)
        memset(s->seen, 0, in->n_train);
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
    const struct slots *slots, struct hop_sched *plan, struct hop_err *e)
{
    int64_t subepoch;
    size_t i, n_before;

    for (subepoch = 1;; subepoch++) {
        n_before = plan->n;
        qsort(order, in->n_tasks, sizeof *order, by_need);
        for (i = 0; i < in->n_tasks; i++)
            serve(in, order[i], subepoch, slots);
        for (i = 0; i < slots->first[in->n_workers]; i++)
            if (slots->v[i].subepoch == subepoch && hop_sched_add(plan, &slots->v[i], e))
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
    char *seen = hop_alloc(in->n_tasks, in->n_train, e);
    struct slots slots = {NULL, hop_alloc(in->n_workers + 1, sizeof *slots.first, e)};
    size_t i;
    int rc;

    for (i = 0; slots.first && i < in->n_workers; i++)
        slots.first[i + 1] = slots.first[i] + in->workers[i].n_slots;
    slots.v = slots.first ? hop_alloc(slots.first[in->n_workers], sizeof *slots.v, e) : NULL;
    rc = states && order && todo && seen && slots.v ? HOP_OK : HOP_ENOMEM;
    for (i = 0; i < in->n_tasks && !rc; i++) {
        start(in, i, &states[i], todo + i * in->n_shards, seen + i * in->n_train);
        order[i] = &states[i];
    }
    if (!rc)
        rc = run(in, states, order, &slots, plan, e);
    free(states);
    free(order);
    free(todo);
    free(seen);
    free(slots.v);
    free(slots.first);
    return rc;
}

const struct hop_policy hop_policy_round_robin = {
    "round-robin", "sub-epochs with barriers: the config with the fewest visits first", fill, true};

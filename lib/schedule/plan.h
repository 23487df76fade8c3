/* plan - who trains what, where and when: the planner's input and output, and the policies.
 *
 * A plan is a sequence of visits. Each begins as soon as the visits before it in the sequence let
 * it: those of its config, and those that hold the slots of its worker (hop_sched_reckon). A policy
 * with barriers also has sub-epochs, sets of visits of which none begins before all of the set
 * before have ended. Rules (hop_sched_check tests them):
 *   1. a config visits every train shard exactly once per iteration, one visit after another;
 *   2. a slot of a worker has one visit at a time;
 *   3. a config is never in two places, but evaluations of one state may run side by side;
 *   4. a state is evaluated before the config trains on.
 */
#ifndef HOP_SCHEDULE_PLAN_H
#define HOP_SCHEDULE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* A config as planners see it. */
struct hop_sched_task {
    const char *id;
    size_t place;          /* in the batch: gives the first shard, and breaks ties */
    int64_t visits;        /* done so far */
    int64_t until;         /* iterations that it must have in total */
    size_t next_shard;     /* of visit visits + 1 in cyclic order */
    const char *seen;      /* [n_train] 1 = visited in the iteration under way; NULL = none */
    const uint32_t *order; /* [n_order] the shards of the coming visits, where they are given */
    const double *rank;    /* [n_order] and when these come (lowest first), for --policy FILE */
    size_t n_order;
    bool is_born;          /* has a model file */
    const char *eval_todo; /* [n_shards] 1 = to be evaluated in the present state; or NULL */
    double train_s, eval_s; /* expected seconds per example of a shard, at speed 1 */
    double bytes;          /* size of the model file: what hops */
};

struct hop_sched_shard {
    const char *name;
    int64_t examples;
    const uint32_t *workers; /* [n_workers] those that hold it, one at least */
    size_t n_workers;
    bool is_eval; /* configs are evaluated on it */
};

enum { HOP_MAX_WORKER_SLOTS = 64 };

struct hop_sched_worker {
    size_t n_slots;    /* visits at a time; 1 to HOP_MAX_WORKER_SLOTS */
    double speed;      /* relative to that of the tasks' train_s and eval_s */
    double s_per_byte; /* of moving a model there, and the same again back */
    double visit_s;    /* of each visit there, besides struct hop_sched_in's */
};

struct hop_sched_in {
    const struct hop_sched_task *tasks;
    size_t n_tasks;
    const struct hop_sched_shard *shards; /* [n_shards], the n_train to train on first */
    size_t n_shards, n_train;
    const struct hop_sched_worker *workers; /* [n_workers] */
    size_t n_workers;
    int64_t eval_every; /* iterations between evaluations, besides the last; 0 = never */
    double visit_s;     /* expected seconds of a visit besides its examples */
    const double *cost_s; /* [n_tasks][n_train] of training visits at speed 1, instead of
                             examples * train_s; or NULL */
    bool is_free;       /* planners choose the order of a config's shards; else it is cyclic */
    uint64_t seed;      /* of whatever is random */
};

struct hop_sched_visit {
    uint32_t task, shard, worker; /* indices */
    uint16_t slot;                /* of the worker */
    bool is_eval;
    int64_t visit;     /* from 1; of an evaluation: the visit after which it is */
    int64_t iteration; /* from 1 */
    int64_t subepoch;  /* from 1; without barriers: the longest chain of visits that leads here */
    double start_s, expect_s;
};

struct hop_sched {
    struct hop_sched_visit *v; /* with barriers by sub-epoch, then worker; else by start */
    size_t n, cap;
    bool has_barriers;
    int64_t n_subepochs;
    size_t n_train_visits;
    double makespan_s, lower_bound_s, idle_frac;
};

/* hop_cyclic_shard - the shard of visit `visit` (from 1) of the config at `place`, of p shards:
 * the rotation goes on across iterations. */
size_t hop_cyclic_shard(size_t place, int64_t visit, size_t p);

/* hop_cyclic_next - the first shard from `shard` on, in rotation, that `seen` (or NULL) lacks; all
 * are lacking when all are there (a new iteration). */
size_t hop_cyclic_next(const char *seen, size_t shard, size_t p);

/* hop_eval_is_due - is a config to be evaluated after this iteration? */
bool hop_eval_is_due(int64_t iteration, int64_t until, int64_t every);

/* One policy: one file policy_NAME.c and one row in policies.c. */
struct hop_policy {
    const char *name;
    const char *summary;
    /* Fill plan->v with visits (task, shard, worker, visit, iteration, is_eval; with barriers
     * subepoch), each after those that it needs. */
    int (*fill)(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e);
    bool has_barriers;
};
extern const struct hop_policy *const hop_policies[]; /* NULL-ended; the first is the default */

/* hop_policy_find - by name. Err: HOP_EARG listing the known ones. */
int hop_policy_find(const char *name, const struct hop_policy **out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_sched_make - fill, check, and reckon times. Err: HOP_EFORMAT when a task's given order
 * breaks rule 1. */
int hop_sched_make(const struct hop_policy *policy, const struct hop_sched_in *in,
                  struct hop_sched *plan, struct hop_err *e) HOP_MUSTUSE;

/* hop_sched_add - append a visit. */
int hop_sched_add(struct hop_sched *plan, const struct hop_sched_visit *v, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_sched_check - the rules above; 2 and 3 where there are barriers (without, reckoning makes it
 * so). Err: HOP_EFORMAT naming the visit. */
int hop_sched_check(const struct hop_sched_in *in, const struct hop_sched *plan, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_sched_cost - expected seconds of a visit of `task` to `shard` on `worker`: overhead, the
 * model's way there and back, the examples. */
double hop_sched_cost(const struct hop_sched_in *in, size_t task, size_t shard, size_t worker,
                      bool is_eval);

/* hop_sched_reckon - expect_s of visits that have none, slots, start_s, without barriers subepoch;
 * makespan, idle part of all slots, and the lower bound: the busiest worker's work (that no other
 * could do), all work over all slots, or the longest config's work, whichever is most. Without
 * barriers visits are then in the order of their start. */
int hop_sched_reckon(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
    HOP_MUSTUSE;
void hop_sched_clear(struct hop_sched *plan);

#endif

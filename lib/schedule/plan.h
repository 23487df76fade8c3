/* plan - who trains what, where and when: the planner's input and output, and the policies.
 *
 * Time is cut into sub-epochs, sets of visits that run side by side with a barrier after each. A
 * policy fills them under these rules (hop_sched_check tests them):
 *   1. a config's visits follow its order of shards: every shard once per iteration;
 *   2. a worker has at most one visit per sub-epoch;
 *   3. a config has at most one training visit per sub-epoch, and none together with evaluations
 *      of it; evaluations of one state may run side by side;
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
    size_t next_shard;     /* of visit visits + 1 */
    bool is_born;          /* has a model file */
    const char *eval_todo; /* [n_shards] 1 = to be evaluated in the present state; or NULL */
    double train_s, eval_s; /* expected seconds per example of a shard */
};

struct hop_sched_shard {
    const char *name;
    int64_t examples;
    size_t worker;
    bool is_eval; /* configs are evaluated on it */
};

struct hop_sched_in {
    const struct hop_sched_task *tasks;
    size_t n_tasks;
    const struct hop_sched_shard *shards; /* [n_shards], the n_train to train on first */
    size_t n_shards, n_train;
    size_t n_workers;
    int64_t eval_every; /* iterations between evaluations, besides the last; 0 = never */
    double visit_s;     /* expected seconds of a visit besides its examples */
};

struct hop_sched_visit {
    size_t task, shard, worker; /* indices */
    int64_t visit;              /* from 1; of an evaluation: the visit after which it is */
    int64_t iteration;          /* from 1 */
    int64_t subepoch;           /* from 1 */
    bool is_eval;
    double start_s, expect_s;
};

struct hop_sched {
    struct hop_sched_visit *v; /* by sub-epoch, then worker */
    size_t n, cap;
    int64_t n_subepochs;
    size_t n_train_visits;
    double makespan_s, lower_bound_s, idle_frac;
};

/* hop_cyclic_shard - the shard of visit `visit` (from 1) of the config at `place`, of p shards:
 * the rotation goes on across iterations. */
size_t hop_cyclic_shard(size_t place, int64_t visit, size_t p);

/* hop_eval_is_due - is a config to be evaluated after this iteration? */
bool hop_eval_is_due(int64_t iteration, int64_t until, int64_t every);

/* One policy: one file policy_NAME.c and one row in policies.c. */
struct hop_policy {
    const char *name;
    const char *summary;
    /* Fill plan->v with visits (task, shard, worker, visit, iteration, subepoch, is_eval), in order
     * of sub-epochs. */
    int (*fill)(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e);
};
extern const struct hop_policy *const hop_policies[]; /* NULL-ended; the first is the default */

/* hop_policy_find - by name. Err: HOP_EARG listing the known ones. */
int hop_policy_find(const char *name, const struct hop_policy **out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_sched_make - fill, check, and reckon times. */
int hop_sched_make(const struct hop_policy *policy, const struct hop_sched_in *in,
                  struct hop_sched *plan, struct hop_err *e) HOP_MUSTUSE;

/* hop_sched_add - append a visit. */
int hop_sched_add(struct hop_sched *plan, const struct hop_sched_visit *v, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_sched_check - rules 1 (order of visits), 2 and 3. Err: HOP_EFORMAT naming the visit. */
int hop_sched_check(const struct hop_sched_in *in, const struct hop_sched *plan, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_sched_reckon - expect_s of visits that have none, start_s, makespan, idle part, and the
 * lower bound: the busiest worker's or the longest config's work, whichever is more. */
int hop_sched_reckon(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
    HOP_MUSTUSE;
void hop_sched_clear(struct hop_sched *plan);

#endif

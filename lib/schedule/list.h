/* list - event-driven list scheduling: whenever a slot is free it takes, of the configs that wait
 * for a shard that lies there, the one that the rule prefers. No slot is idle while any config
 * could use it. A plan of V visits of n configs takes O(V log n) steps (each over n_shards / 64
 * words).
 * Source: Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17 (1969).
 */
#ifndef HOP_SCHEDULE_LIST_H
#define HOP_SCHEDULE_LIST_H

#include "base/err.h"
#include "schedule/plan.h"

enum hop_list_key {
    HOP_LIST_FEWEST,  /* the config that has had the fewest visits; then who waits longest */
    HOP_LIST_LONGEST, /* the one with most seconds left */
    HOP_LIST_RANDOM,
    HOP_LIST_RANK     /* the lowest rank (hop_sched_task), where it has one */
};

struct hop_list_rule {
    enum hop_list_key key;
    bool is_rotating; /* shards in rotation, even where in->is_free */
    uint32_t stream;  /* of random numbers, besides in->seed */
    double noise;     /* LONGEST: seconds left times 1 - noise to 1 + noise */
    /* [n_tasks] rotating: where a config that begins an iteration now begins; NULL: next_shard */
    const uint32_t *first;
};

struct hop_list; /* the memory of runs over one input */

/* hop_list_new - NULL with HOP_ENOMEM in e. `in` must outlive it. */
struct hop_list *hop_list_new(const struct hop_sched_in *in, struct hop_err *e);
void hop_list_free(struct hop_list *l);

/* hop_list_run - fill plan->v (emptied first) under the rule, in the order of starts.
 * Err: HOP_ENOMEM; HOP_EFORMAT when a given order breaks rule 1 of plan.h. */
int hop_list_run(struct hop_list *l, const struct hop_list_rule *rule, struct hop_sched *plan,
                 struct hop_err *e) HOP_MUSTUSE;

/* hop_list_once - new, run, free: what a policy of one rule does. */
int hop_list_once(const struct hop_sched_in *in, const struct hop_list_rule *rule,
                  struct hop_sched *plan, struct hop_err *e) HOP_MUSTUSE;

#endif

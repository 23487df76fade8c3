/* improve - small changes of a plan that make it shorter: local search over its sequence of visits.
 *
 * A plan is as long as a chain of visits, each waiting for the one before it, because they share a
 * config or a slot. Only a change of that chain can make the plan shorter: two visits of a slot
 * change places; two visits of a config change shards, where the planner may choose them; a visit
 * goes to another worker that holds its shard. Changes that make it a little longer are taken at
 * first, too, less and less so.
 * Sources: van Laarhoven, Aarts, Lenstra, "Job shop scheduling by simulated annealing", Operations
 * Research 40 (1992), for the changes; Dueck, Scheuer, "Threshold accepting", Journal of
 * Computational Physics 90 (1990), for which ones are taken.
 */
#ifndef HOP_SCHEDULE_IMPROVE_H
#define HOP_SCHEDULE_IMPROVE_H

#include "base/err.h"
#include "schedule/plan.h"

/* hop_improve - change a plan without barriers, one that hop_sched_reckon has seen, so that it is
 * not longer: n_tries times, or until the lower bound is met. Its visits then are in an order that
 * hop_sched_reckon is to see again. Same input, same plan. Err: HOP_ENOMEM. */
int hop_improve(const struct hop_sched_in *in, struct hop_sched *plan, size_t n_tries,
                struct hop_err *e) HOP_MUSTUSE;

#endif

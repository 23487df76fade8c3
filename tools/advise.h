/* advise - what hop-schedule tells people about a plan. */
#ifndef HOP_ADVISE_H
#define HOP_ADVISE_H

#include <stdbool.h>
#include "schedule/numerics.h"
#include "schedule/plan.h"
#include "schedule/tasks.h"

/* tool_advise - on stderr: with --verbose what the plan comes to; what is wasted when there are
 * fewer configs than slots, and what to do; by how much free order would be faster than cyclic
 * when that is over a tenth. */
void tool_advise(const struct hop_sched_in *in, const struct hop_sched *plan,
                 const struct hop_tasks *tasks);

/* tool_advise_numerics - on stderr: that configs will hop between workers whose numbers differ in their
 * bits; if that is forbidden, also that it is not known, and the process ends with status 1. */
void tool_advise_numerics(const struct hop_numerics_in *in, bool is_forbidden);

#endif

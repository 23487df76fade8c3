/* replay - visit lines back into a plan, so that they can be looked at, edited, and emitted in
 * another form; what was done meanwhile is left out. */
#ifndef HOP_SCHEDULE_REPLAY_H
#define HOP_SCHEDULE_REPLAY_H

#include "base/err.h"
#include "run/run.h"
#include "schedule/plan.h"
#include "schedule/workers.h"

/* hop_replay_read - the input of hop-schedule: config/1 lines go to `configs`; visit/1 lines to
 * *visits, an array (NULL when there are none); of plan/1 lines only "barriers" is read.
 * Err: HOP_EFORMAT at where:LINE, also when both kinds come. */
int hop_replay_read(int fd, const char *where, struct hop_configs *configs,
                    struct hop_json **visits, bool *has_barriers, struct hop_err *e) HOP_MUSTUSE;

/* hop_replay_configs - the lines of `listed` that `visits` name, in the order of `listed`, copied
 * to `configs`. Err: HOP_EFORMAT for an id that is not listed. */
int hop_replay_configs(const struct hop_json *visits, const struct hop_configs *listed,
                       const char *where, struct hop_configs *configs, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_replay_plan - with or without barriers between sub-epochs, the visits that are still to be done of in->tasks (their eval_todo says which
 * evaluations), checked and reckoned. Err: HOP_EFORMAT for unknown workers or shards, and visits
 * that break the rules of plan.h. */
int hop_replay_plan(const struct hop_json *visits, bool has_barriers,
                    const struct hop_sched_in *in, const struct hop_workers *workers,
                    const char *where, struct hop_sched *plan, struct hop_err *e) HOP_MUSTUSE;

#endif

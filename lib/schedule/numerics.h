/* numerics - would a plan's configs hop between workers whose numbers differ in their bits?
 *
 * What decides is the fingerprint (engine.h) without the plans that a library chose for one net: "cuda
 * fast sm_90 132 cudnn 9.19.0 bf16". A worker's is that of its last visit in the models' histories, if it
 * was made in the precision that is planned, else what `hop-schedule probe` wrote into the workers' file.
 * ref and exact GPUs have the same bits, so they are the same here.
 */
#ifndef HOP_SCHEDULE_NUMERICS_H
#define HOP_SCHEDULE_NUMERICS_H

#include "base/err.h"
#include "base/str.h"
#include "schedule/plan.h"
#include "schedule/tasks.h"
#include "schedule/workers.h"

struct hop_numerics_in {
    const struct hop_workers *workers;
    const struct hop_tasks *tasks;
    const struct hop_sched *plan;
    const char *precision, *device; /* of workers that name none; or NULL */
};

struct hop_numerics {
    struct hop_str kinds; /* "FINGERPRINT (WORKER, WORKER), FINGERPRINT (WORKER)" */
    size_t n_kinds;       /* that are known, past and planned */
    const char *unknown;  /* a worker with visits of which nothing is known and that is not like all others,
                             or NULL; borrowed */
};

/* hop_numerics_of - look at the workers that have training visits in the plan, and at those of the past.
 * Cleared with hop_numerics_clear. */
int hop_numerics_of(const struct hop_numerics_in *in, struct hop_numerics *out,
                    struct hop_err *e) HOP_MUSTUSE;
void hop_numerics_clear(struct hop_numerics *n);

/* hop_numerics_kind - a fingerprint as it is compared, added to *out. */
void hop_numerics_kind(const char *fingerprint, struct hop_str *out);

#endif

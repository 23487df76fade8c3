/* measure - how many visits side by side pay on a device. */
#ifndef HOP_MEASURE_H
#define HOP_MEASURE_H

#include "format/json.h"
#include "train_job.h"

/* tool_measure - train t's net on invented examples in 1, 2, 4, ... threads of this process, at most as
 * many as the device has slots, each with a plan of its own, about a second in all for small nets; until
 * more bring less than a twentieth more. *n_slots: the fewest that come within a twentieth of the best;
 * *rates: [{"slots":1,"examples_per_s":...}, ...], of the caller. Err: of the device, with one thread. */
int tool_measure(const struct train_options *o, const struct hop_training *t, int *n_slots,
                 struct hop_json **rates, struct hop_err *e) HOP_MUSTUSE;

#endif

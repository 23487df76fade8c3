/* flow - the part of a script that runs a plan without barriers. */
#ifndef HOP_SCHEDULE_FLOW_H
#define HOP_SCHEDULE_FLOW_H

#include "base/err.h"
#include "base/str.h"
#include "schedule/emitters.h"

/* hop_emit_flow - POSIX shell behind what emit_sh.c begins with (say, clock, catch, $joblog, $run,
 * $retries, $n_visits): each config's visits one after another, each begun as soon as a slot of its
 * worker is free, those that the plan begins earlier first. */
int hop_emit_flow(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e) HOP_MUSTUSE;

#endif

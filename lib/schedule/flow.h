/* flow - the part of a script that runs a plan without barriers, and what is added to it while it runs. */
#ifndef HOP_SCHEDULE_FLOW_H
#define HOP_SCHEDULE_FLOW_H

#include "base/err.h"
#include "base/str.h"
#include "schedule/emitters.h"

/* hop_emit_flow - POSIX shell behind what emit_sh.c begins with (say, clock, catch, $joblog, $run,
 * $retries, $n_visits): each config's visits one after another, each begun as soon as a slot of its
 * worker is free, those that the plan begins earlier first.
 *
 * With HOP_MORE in its environment the script runs that command whenever a config has had all its visits,
 * one at a time, beside the visits: on stdin the ids of configs that the script still has, a line each;
 * on stdout hop_emit_flow_more's text for others, or nothing. */
int hop_emit_flow(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e) HOP_MUSTUSE;

/* hop_emit_flow_more - a plan as shell text that hop_emit_flow's script reads (".") while it runs: births,
 * and visits behind those that wait there. The configs must not be the script's; the workers must be, else
 * the script takes none of it. Err: HOP_EARG for a plan with barriers. */
int hop_emit_flow_more(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e)
    HOP_MUSTUSE;

#endif

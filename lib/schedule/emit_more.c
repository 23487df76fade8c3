/* more - what a script of emit_sh.c is to do besides, while it runs (flow.h). */
#include "schedule/emitters.h"
#include "schedule/flow.h"

const struct hop_emitter hop_emitter_more = {
    "more", "for a script of sh that runs: more to do", hop_emit_flow_more, true};

/* plan - the plan/1 line alone: how long it would take, without saying how. */
#include "schedule/emitters.h"

const struct hop_emitter hop_emitter_plan = {"plan", "the plan/1 line alone", hop_emit_plan, false};

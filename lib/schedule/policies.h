/* policies - what the table of policies lists. */
#ifndef HOP_SCHEDULE_POLICIES_H
#define HOP_SCHEDULE_POLICIES_H

#include "schedule/plan.h"

extern const struct hop_policy hop_policy_auto, hop_policy_file, hop_policy_longest_first,
    hop_policy_random, hop_policy_round_robin;

#endif

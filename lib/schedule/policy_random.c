/* random - a free worker takes a random config of those that it could train; under --order free that
 * is Cerebro's default.
 * Source: Nakandala et al., "Cerebro: A Data System for Optimized Deep Learning Model Selection",
 * PVLDB 13 (2020), section 5 (randomized scheduling).
 */
#include "schedule/list.h"
#include "schedule/policies.h"

static int
fill(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    static const struct hop_list_rule rule = {.key = HOP_LIST_RANDOM};

    return hop_list_once(in, &rule, plan, e);
}

const struct hop_policy hop_policy_random = {"random", "a random config of those that wait", fill,
                                             false};

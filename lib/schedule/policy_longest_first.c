/* longest-first - a free worker takes, of the configs that it could train, the one with most
 * seconds left: the longest must not be left to the end.
 * Source: Nagrecha and Kumar, "Hydra: A System for Large Multi-Model Deep Learning" (2021),
 * section 4 (Sharded-LRTF).
 */
#include "schedule/list.h"
#include "schedule/policies.h"

static int
fill(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    static const struct hop_list_rule rule = {.key = HOP_LIST_LONGEST};

    return hop_list_once(in, &rule, plan, e);
}

const struct hop_policy hop_policy_longest_first = {
    "longest-first", "the config with most seconds left", fill, false};

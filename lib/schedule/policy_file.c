/* file - visits in the order of a file's lines (--policy FILE); under --order free each config's
 * shards are in that order, too. What the file does not have comes last. */
#include "schedule/list.h"
#include "schedule/policies.h"

static int
fill(const struct hop_sched_in *in, struct hop_sched *plan, struct hop_err *e)
{
    static const struct hop_list_rule rule = {.key = HOP_LIST_RANK};

    return hop_list_once(in, &rule, plan, e);
}

const struct hop_policy hop_policy_file = {"FILE", "in the order of --policy FILE", fill, false};

/* The table of policies: one row per policy_NAME.c. */
#include "schedule/policies.h"

#include <string.h>

#include "base/str.h"

const struct hop_policy *const hop_policies[] = {
    &hop_policy_auto,          &hop_policy_round_robin, &hop_policy_random,
    &hop_policy_longest_first, &hop_policy_file,        NULL};

int
hop_policy_find(const char *name, const struct hop_policy **out, struct hop_err *e)
{
    struct hop_str known = {0};
    size_t i;
    int rc;

    for (i = 0; hop_policies[i]; i++) {
        if (!strcmp(hop_policies[i]->name, name)) {
            *out = hop_policies[i];
            hop_str_clear(&known);
            return HOP_OK;
        }
        hop_str_addf(&known, "%s%s", i ? ", " : "known: ", hop_policies[i]->name);
    }
    rc = hop_fail(e, HOP_EARG, "--policy", hop_str_c(&known), "unknown policy \"%s\"", name);
    hop_str_clear(&known);
    return rc;
}

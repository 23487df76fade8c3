/* The table of methods: one row per method_NAME.c; and what all methods share. */
#include "search/methods.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "search/results.h"

const struct hop_method *const hop_methods[] = {
    &hop_method_grid, &hop_method_random, &hop_method_sobol, &hop_method_hyperband,
    &hop_method_asha, &hop_method_tpe,    &hop_method_bohb,  &hop_method_pbt,
    NULL};

int
hop_method_find(const char *name, const struct hop_method **out, struct hop_err *e)
{
    struct hop_str known = {0};
    size_t i;
    int rc;

    for (i = 0; hop_methods[i]; i++) {
        if (!strcmp(hop_methods[i]->name, name)) {
            *out = hop_methods[i];
            hop_str_clear(&known);
            return HOP_OK;
        }
        hop_str_addf(&known, "%s, ", hop_methods[i]->name);
    }
    rc = hop_fail(e, HOP_EARG, NULL, NULL, "unknown method \"%s\" (known: %sselect)", name,
                  hop_str_c(&known));
    hop_str_clear(&known);
    return rc;
}

int
hop_search_run(const struct hop_method *m, struct hop_search_in *in, struct hop_search_out *out,
               struct hop_err *e)
{
    int rc;

    *out = (struct hop_search_out){.configs = hop_json_array()};
    if (!(rc = hop_results_make(in, e)))
        rc = m->next(in, out, e);
    hop_results_clear(in);
    if (rc) {
        hop_json_free(out->configs);
        out->configs = NULL;
    }
    return rc;
}

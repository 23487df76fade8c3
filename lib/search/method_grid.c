/* grid - every combination of all choices and levels; the first key of the space varies slowest.
 *
 * The combinations are walked like the readings of a counter whose digits are the dimensions that
 * are active: the last digit that can is raised, those behind it start again at 0.
 */
#include "search/methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static const char *const takes[] = {"iterations", NULL};

/* The point of a reading. */
static void
read_digits(const struct hop_space *s, const size_t *at, double *x)
{
    size_t i;

    for (i = 0; i < s->n_all; i++)
        x[i] = hop_space_is_active(s->all[i], x) ? hop_dim_level(s->all[i], at[i]) : NAN;
}

/* On to the next reading; false when all were read. */
static bool
raise(const struct hop_space *s, const double *x, size_t *at)
{
    size_t i;

    for (i = s->n_all; i-- > 0;) {
        if (isnan(x[i]))
            continue;
        if (++at[i] < hop_dim_levels(s->all[i]))
            return true;
        at[i] = 0;
    }
    return false;
}

static int
check(const struct hop_search_in *in, struct hop_err *e)
{
    double n = hop_space_count(in->space);
    char where[700];
    size_t i;

    for (i = 0; i < in->space->n_all; i++)
        if (!hop_dim_levels(in->space->all[i])) {
            snprintf(where, sizeof where, "%s: %s", in->where, in->space->all[i]->path);
            return hop_fail(e, HOP_EFORMAT, where, "[0.001, 0.01, 0.1], or steps of \"q\"",
                            "grid needs a list of values, not a distribution");
        }
    if (n > HOP_MAX_CONFIGS)
        return hop_fail(e, HOP_EFORMAT, in->where, "random and others draw from it",
                        "%.9g configs are more than %d", n, (int)HOP_MAX_CONFIGS);
    return HOP_OK;
}

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    int64_t until = in->options->iterations ? in->options->iterations : 1;
    size_t number = 1, *at = hop_alloc(in->space->n_all, sizeof *at, e);
    double *x = hop_search_alloc_point(in, e);
    int rc = at && x ? check(in, e) : HOP_ENOMEM;

    if (!rc)
        do {
            read_digits(in->space, at, x);
            rc = hop_search_ask(in, out, number++, x, until, e);
        } while (!rc && raise(in->space, x, at));
    free(at);
    free(x);
    return rc;
}

const struct hop_method hop_method_grid = {"grid", "every combination of all lists", takes, next, NULL, true};

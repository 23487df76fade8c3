/* grid - every combination of all choices; the first key of the space varies slowest.
 *
 * The combinations are walked like the readings of a counter whose digits are the choices met on
 * the way: the last digit that can is raised, those behind it start again at 0. Since a branch has
 * digits of its own, their number differs from one combination to the next.
 */
#include "search/methods.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { MAX_CONFIGS = 100000, MAX_DIGITS = 1024 };

struct digits {
    size_t at[MAX_DIGITS], radix[MAX_DIGITS];
    size_t n;    /* digits of the last reading */
    size_t n_met; /* so far in this one */
    bool is_too_many;
};

static double
pick(void *ctx, const struct hop_dim *d)
{
    struct digits *g = ctx;
    size_t i = g->n_met;

    if (i == MAX_DIGITS) {
        g->is_too_many = true;
        return 0;
    }
    if (i >= g->n)
        g->at[i] = 0;
    g->radix[i] = d->n_choices;
    g->n_met++;
    return (double)g->at[i];
}

/* On to the next reading; false when all were read. */
static bool
raise(struct digits *g)
{
    for (g->n = g->n_met; g->n; g->n--)
        if (++g->at[g->n - 1] < g->radix[g->n - 1])
            return true;
    return false;
}

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    const struct hop_dim *d = hop_space_distribution(in->space);
    struct digits *g;
    size_t number = 1;
    int rc;

    if (d) {
        char where[700];

        snprintf(where, sizeof where, "%s: %s", in->where, d->path);
        return hop_fail(e, HOP_EFORMAT, where, "[0.001, 0.01, 0.1]",
                        "grid needs a list of values, not a distribution");
    }
    if (!(g = hop_alloc(1, sizeof *g, e)))
        return HOP_ENOMEM;
    do {
        g->n_met = 0;
        rc = hop_search_offer(in, hop_search_config(in, number, pick, g), out, e);
        if (!rc && (number++ > MAX_CONFIGS || g->is_too_many))
            rc = hop_fail(e, HOP_EFORMAT, in->where, NULL, "more than %d configs", MAX_CONFIGS);
    } while (!rc && raise(g));
    free(g);
    return rc;
}

const struct hop_method hop_method_grid = {"grid", "every combination of all lists", next};

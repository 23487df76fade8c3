/* hyperband - many configs for a few iterations, the best of them for more; brackets.h has the plan. */
#include "search/halving.h"

static const char *const takes[] = {"max-iterations", "eta", "shape", "added", "table", NULL};

static int
draw(const struct hop_halving *h, int diagonal, size_t number, double *x, struct hop_err *e)
{
    (void)diagonal;
    (void)e;
    hop_search_random(h->in, number, x);
    return HOP_OK;
}

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    return hop_halving_next(in, out, draw, e);
}

const struct hop_method hop_method_hyperband = {
    "hyperband", "many configs for few iterations, the best for more", takes, next,
    hop_halving_table};

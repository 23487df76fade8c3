/* sobol - configs that fill the space evenly: a choice takes each value as often as its weight says, and
 * pairs of dimensions are spread, too. Config k is the same whatever N and the log are. */
#include "search/methods.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "search/sobol.h"

static const char *const takes[] = {"num-configs", "iterations", NULL};

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    uint64_t key = hop_rng_key(in->options->seed, "_sobol", HOP_FOR_SEARCH);
    int64_t n = in->options->num_configs ? in->options->num_configs : 10;
    int64_t until = in->options->iterations ? in->options->iterations : 1;
    const struct hop_dim *d;
    double *x;
    size_t k, i;
    int rc = HOP_OK;

    if (in->space->n_all > HOP_SOBOL_MAX_DIMS)
        return hop_fail(e, HOP_EFORMAT, in->where, "random has no such limit",
                        "%zu dimensions are more than the %d of sobol", in->space->n_all,
                        HOP_SOBOL_MAX_DIMS);
    if (!(x = hop_search_alloc_point(in, e)))
        return HOP_ENOMEM;
    for (k = 1; !rc && k <= (size_t)n; k++) {
        for (i = 0; i < in->space->n_all; i++) {
            d = in->space->all[i];
            x[i] = hop_space_is_active(d, x)
                       ? hop_dim_from_unit(d, hop_sobol_at(key, (uint32_t)(k - 1), (int)i))
                       : NAN;
        }
        rc = hop_search_ask(in, out, k, x, until, e);
    }
    free(x);
    return rc;
}

const struct hop_method hop_method_sobol = {"sobol", "configs that fill the space evenly", takes,
                                            next, NULL, true};

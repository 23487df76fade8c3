/* random - every config drawn by itself. Config k is the same whatever N and the log are. */
#include "search/methods.h"

#include <stdlib.h>

static const char *const takes[] = {"num-configs", "iterations", NULL};

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    double *x = hop_search_alloc_point(in, e);
    int64_t n = in->options->num_configs ? in->options->num_configs : 10;
    int64_t until = in->options->iterations ? in->options->iterations : 1;
    int rc = x ? HOP_OK : HOP_ENOMEM;
    size_t k;

    for (k = 1; !rc && k <= (size_t)n; k++) {
        hop_search_random(in, k, x);
        rc = hop_search_ask(in, out, k, x, until, e);
    }
    free(x);
    return rc;
}

const struct hop_method hop_method_random = {"random", "configs drawn from the space", takes, next, NULL, true};

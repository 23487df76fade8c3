#include "search/patience.h"

#include <math.h>

bool
hop_patience_apply(const struct hop_patience *p, const struct hop_point *curve, size_t n,
                   int64_t *until)
{
    int64_t improved_at = 0, last, every = p->eval_every;
    double best = INFINITY;
    size_t i;

    if (!p->iterations)
        return false;
    for (i = 0; i < n; i++) {
        if (curve[i].loss + p->min_delta < best) {
            best = curve[i].loss;
            improved_at = curve[i].iteration;
        }
        if (curve[i].iteration - improved_at >= p->iterations)
            return true;
    }
    /* The first evaluation improves on nothing, so the first stop is one later. */
    last = (improved_at ? improved_at : every) + p->iterations;
    last = (last + every - 1) / every * every;
    if (last < *until)
        *until = last;
    return false;
}

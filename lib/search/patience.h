/* patience - which configs are given up before their last iteration. Keras's EarlyStopping. */
#ifndef HOP_SEARCH_PATIENCE_H
#define HOP_SEARCH_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "search/objective.h"

struct hop_patience {
    int64_t iterations; /* without improvement that end a config; 0 = none is given up */
    double min_delta;   /* >= 0; only what is better by more is an improvement */
    int64_t eval_every; /* iterations between evaluations, >= 1 */
};

/* hop_patience_apply - go through a config's evaluations curve[0..n), iterations ascending: true
 * when one came p->iterations or more after the last improvement, whatever came after it. Else
 * *until, the iterations that it is to have in all, is lowered to the first evaluated one at which
 * it may have to stop. So it is never trained further than that, whenever one asks: a search that
 * was killed ends as one that was not. */
bool hop_patience_apply(const struct hop_patience *p, const struct hop_point *curve, size_t n,
                        int64_t *until);

#endif

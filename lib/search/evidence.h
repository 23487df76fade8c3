/* evidence - what other searches in the same log (other ids) found out about configs that are points of
 * this space: a narrowed space's first trials (narrow.h). */
#ifndef HOP_SEARCH_EVIDENCE_H
#define HOP_SEARCH_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "search/methods.h"

struct hop_evidence {
    double *x;    /* [n][space->n_all] */
    double *loss; /* [n]: in->objective's at the first evaluation at `until` or later, else at the last
                     one; INFINITY of diverged configs */
    int64_t *iteration; /* [n]: of that evaluation; INT64_MAX of diverged configs */
    size_t n;     /* in the log's order */
};

/* hop_evidence_gather - in: as methods see it. Every repeat counts by itself. Err: HOP_ENOMEM. */
int hop_evidence_gather(const struct hop_search_in *in, int64_t until, struct hop_evidence *out,
                        struct hop_err *e) HOP_MUSTUSE;
void hop_evidence_clear(struct hop_evidence *v);

#endif

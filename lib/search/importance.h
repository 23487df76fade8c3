/* importance - what each member of the configs matters for their values.
 *
 * A member is looked at when the configs differ in it; "hop", "id", "until" and "seed" are none.
 * Numbers are ordered, and where they have more than 64 values are put into 64 groups of about as
 * many configs; texts and all else are not ordered, and where they have more than 64 values the
 * rarer ones count as one. A config without the member (another branch's) takes part with the
 * value that most have, so a branch's member does not stand for the branch. Shares are forest.h's.
 */
#ifndef HOP_SEARCH_IMPORTANCE_H
#define HOP_SEARCH_IMPORTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "format/json.h"

struct hop_importance_row {
    const char *key; /* borrowed from the configs; NULL = all interactions */
    double share, se;
    size_t n_values;             /* that it has in the configs */
    const struct hop_json *best; /* the value whose mean is best, others as they are; borrowed */
    double best_mean;
};

struct hop_importance {
    struct hop_importance_row *v; /* [n], largest share first, of equals by key; interactions last */
    size_t n;
    size_t n_configs;
};

/* hop_importance_make - configs [n] with finite values [n]. Fewer than two configs, or values that
 * are all alike, explain nothing: n is 0. */
int hop_importance_make(const struct hop_json *const *configs, const double *values, size_t n,
                        bool is_less_better, uint64_t seed, struct hop_importance *out,
                        struct hop_err *e) HOP_MUSTUSE;
void hop_importance_clear(struct hop_importance *m);

/* hop_importance_record - row i as {"hop":"importance/1",...}; metric "val.accuracy". The caller's.
 */
struct hop_json *hop_importance_record(const struct hop_importance *m, size_t i,
                                       const char *metric);

#endif

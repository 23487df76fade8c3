/* median - which configs are given up because most of the others did better at the same iteration.
 *
 * A config that has been evaluated at iteration t is given up when its best loss so far is above the
 * median of the others' mean losses up to t: of those that had been evaluated at t before it, at least
 * five. So a decision never changes, whatever comes later: the log fixes it.
 * Source: Golovin et al., "Google Vizier", KDD 2017, 3.2.2.
 */
#ifndef HOP_SEARCH_MEDIAN_H
#define HOP_SEARCH_MEDIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "search/objective.h"

struct hop_median_in {
    const struct hop_point *curve; /* [n], iterations ascending */
    size_t n;
};

/* hop_median_apply - is_given_up[i] of v[n], judged at iteration `from` and later. Err: HOP_ENOMEM. */
int hop_median_apply(const struct hop_median_in *v, size_t n, int64_t from, bool *is_given_up,
                     struct hop_err *e) HOP_MUSTUSE;

/* hop_median_until - the iterations that such a config is to have: those of the next evaluation from
 * `from` on, made every `every` iterations, at most `until`. */
int64_t hop_median_until(const struct hop_median_in *v, int64_t from, int64_t every, int64_t until);

#endif

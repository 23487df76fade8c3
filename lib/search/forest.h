/* forest - how much of a value's variance each of several features explains.
 *
 * A random forest of regression trees is fitted to the rows, then each tree, which is constant on
 * boxes, is taken apart exactly: with f the tree and every feature drawn independently with the
 * frequencies that its levels have among the rows,
 *
 *     mean = E f,   V = E (f - mean)^2,   a_j(l) = E (f | feature j has level l),
 *     V_j = sum over l of p_j(l) (a_j(l) - mean)^2,   share of j = V_j / V,
 *
 * and shares are averages over the trees. What is left to 1 are interactions of two and more.
 * Source: Hutter, Hoos, Leyton-Brown, "An efficient approach for assessing hyperparameter
 * importance", ICML 2014, sections 3.1 to 3.3 (fANOVA). There features are uniform over their
 * domain; here, over what was tried, so a log scale needs no mention.
 *
 * Trees: bootstrap of the rows, all features at every node, grown until nothing is left to gain; a
 * split of an ordered feature is a threshold, one of an unordered feature a set of levels (by their
 * means). Draws are Philox's, so the same rows and seed give the same numbers.
 */
#ifndef HOP_SEARCH_FOREST_H
#define HOP_SEARCH_FOREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum { HOP_FOREST_TREES = 64, HOP_FOREST_LEVELS = 64 };

struct hop_feature {
    const uint8_t *level; /* [n_rows], each below n_levels */
    int n_levels;         /* 1..HOP_FOREST_LEVELS */
    bool is_ordered;
};

struct hop_share {
    double share; /* 0..1, mean over the trees; NAN when the rows' values do not vary */
    double se;    /* its standard error, as the trees differ */
    double mean[HOP_FOREST_LEVELS]; /* a_j(l), mean over the trees */
};

/* hop_forest_shares - out[n_features + 1]: of each feature, and last of all interactions (whose
 * means are not set). values [n_rows] are finite.
 * Err: HOP_ENOMEM. */
int hop_forest_shares(const struct hop_feature *f, size_t n_features, const double *values,
                      size_t n_rows, uint64_t seed, struct hop_share *out,
                      struct hop_err *e) HOP_MUSTUSE;

#endif

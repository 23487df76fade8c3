/* brackets - the plan of Hyperband: how many configs begin in each bracket, and how many of them get to
 * which iteration.
 *
 * Bracket s (s_max first, 0 last) has rungs 0 .. s; at rung i its n_i best configs are trained to
 * R / eta^(s - i) iterations, rounded to the nearest whole number, halves up. s_max is the largest s with
 * eta^s <= R, in whole numbers (logarithms lose a bracket of R = 243, eta = 3). Shapes:
 *   A  n_0 = floor((s_max + 1) / (s + 1)) eta^s     MADlib, HpBandSter, the tables that people know
 *   B  n_0 = ceil((s_max + 1) eta^s / (s + 1))      the formula of the paper
 * and n_i = floor(n_0 / eta^i).
 *
 * Diagonal d (0 .. s_max) is what can train together: of brackets s_max .. s_max - d the rungs that end
 * at the same iteration, R / eta^(s_max - d). It needs results of earlier diagonals alone.
 *
 * Sources: Li et al., "Hyperband", JMLR 18 (2018), algorithm 1; diagonals: Apache MADlib 1.17.
 */
#ifndef HOP_SEARCH_BRACKETS_H
#define HOP_SEARCH_BRACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum { HOP_MAX_BRACKETS = 40 }; /* 2^30 > 1e9 iterations */

struct hop_bracket {
    int s;
    int64_t first;                   /* number of its first config, from 1 */
    int64_t n[HOP_MAX_BRACKETS];     /* [s + 1] configs of each rung */
    int64_t until[HOP_MAX_BRACKETS]; /* [s + 1] iterations that they have after it, in all */
};

struct hop_brackets {
    int n, s_max; /* n = s_max + 1: all brackets */
    int64_t R, eta, n_configs;
    int64_t r[HOP_MAX_BRACKETS]; /* [s_max + 1] iterations of diagonal d, rising to R */
    bool is_added;
    struct hop_bracket v[HOP_MAX_BRACKETS]; /* in the order of their configs: s_max, ..., 0 */
};

/* hop_brackets_make - of shape "A" or "B". is_added: a rung's iterations come on top of those that the
 * config had, as in MADlib (a survivor of R = 81 gets 1 + 3 + 9 + 27 + 81).
 * Err: HOP_EARG for R < 1, eta < 2, another shape, more than a million configs. */
int hop_brackets_make(int64_t R, int64_t eta, const char *shape, bool is_added,
                      struct hop_brackets *out, struct hop_err *e) HOP_MUSTUSE;

/* hop_brackets_rungs - into rungs[HOP_MAX_BRACKETS] R / eta^k, ..., R, in whole numbers as above, but
 * none below `min`; returns how many. For methods with one bracket. R >= min >= 1, eta >= 2. */
int hop_brackets_rungs(int64_t R, int64_t eta, int64_t min, int64_t *rungs);

/* hop_brackets_work - iterations that a diagonal adds, summed over its configs. */
int64_t hop_brackets_work(const struct hop_brackets *b, int diagonal);

/* hop_brackets_table - rungs by brackets, then the diagonals, as text. */
void hop_brackets_table(const struct hop_brackets *b, struct hop_str *out);

#endif

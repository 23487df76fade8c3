/* narrow - a space refined around the good configs of a log: the second act of a search.
 *
 * Evidence are the ranking's rows that are configs of the space and have a value. Good are the
 * first `top` of them, or the first ceil(quantile * n). Then of every dimension, with n good
 * configs in which it is active:
 *
 *   choice        an option stays when at least half as many good configs have it as chance would
 *                 give it (n * weight / 2), or the best config has it. What is in the branch of an
 *                 option that goes is gone, that of one that stays is narrowed by its own good ones.
 *   distribution  on its own axis (logarithm, ..., dim.h) from the smallest to the largest good
 *                 value, and on both sides (largest - smallest) / (n - 1) more, which is what the
 *                 ends of an even spread lie outside of its sample on average; a quarter of the old
 *                 range with one good config alone. At least a tenth of the old range wide, never
 *                 outside of it. Bounds are rounded outward to two digits (of the value, of 1 - x,
 *                 of a uniform range's width, as the axis is), quantised ones to their levels.
 *
 * A choice of one becomes a constant where it is no branch. All else stays as it is written. The
 * same log and space give the same answer.
 */
#ifndef HOP_SEARCH_NARROW_H
#define HOP_SEARCH_NARROW_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "search/rank.h"
#include "search/space.h"

struct hop_narrowed {
    struct hop_json *space;   /* the caller's */
    struct hop_json *reasons; /* array of texts, one per dimension that became less; the caller's */
    size_t n_evidence, n_good;
    size_t n_strangers; /* rows that are no configs of the space */
    size_t n_inside;    /* evidence that the new space holds, too */
    double worst_good;  /* value of the last good one */
};

/* hop_narrow - r: all rows, best first. top 0 = by quantile, 0 < quantile <= 1.
 * Err: HOP_EFORMAT at `where` when there is no evidence. */
int hop_narrow(const struct hop_space *s, const struct hop_ranking *r, int64_t top,
               double quantile, const char *where, struct hop_narrowed *out,
               struct hop_err *e) HOP_MUSTUSE;
void hop_narrow_clear(struct hop_narrowed *n);

#endif

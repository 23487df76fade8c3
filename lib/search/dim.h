/* dim - one dimension of a search space: a choice or a distribution, and what is drawn from it.
 *
 * Each distribution has an axis on which it is uniform: the value, its logarithm, or -log(1 - x).
 * Of quantised ones, int and logint included, every level owns the interval of half a step around
 * it, so [low - q/2, high + q/2] is what is drawn from (only [low, ...] where half a step less is
 * outside of the axis, and so at the other end).
 */
#ifndef HOP_SEARCH_DIM_H
#define HOP_SEARCH_DIM_H

#include <stddef.h>
#include "base/err.h"
#include "format/json.h"

enum hop_dim_kind {
    HOP_DIM_CONSTANT, HOP_DIM_CHOICE, HOP_DIM_UNIFORM, HOP_DIM_LOGUNIFORM, HOP_DIM_LOGNEARONE,
    HOP_DIM_INT, HOP_DIM_LOGINT
};

struct hop_space;

struct hop_choice {
    const struct hop_json *value; /* what is written under the dimension's key */
    struct hop_space *branch;     /* further dimensions while this is chosen, or NULL */
    double weight;                /* > 0, of a sum of 1 */
};

struct hop_dim {
    const char *key;
    char *path; /* "optimizer[1].lr": errors, and the name of its stream of random numbers */
    enum hop_dim_kind kind;
    const struct hop_json *value; /* CONSTANT */
    struct hop_choice *choices;   /* CHOICE: [n_choices] */
    size_t n_choices;
    double low, high, q; /* distributions; q 0 = none (int and logint: at least 1); high is a level */
    size_t index;        /* in points; not of constants */
    const struct hop_dim *parent; /* the choice that must have taken ... */
    size_t i_parent;              /* ... this index for the dimension to be there; or NULL */
};

/* hop_dim_check - bounds and q of a distribution, just read: ints get their q, high becomes a level.
 * Err: HOP_EFORMAT at `where`. */
int hop_dim_check(struct hop_dim *d, const char *where, struct hop_err *e) HOP_MUSTUSE;

/* hop_dim_from_unit - the value at u, from 0 to 1, of d's distribution: even over u is d's own
 * distribution, weights included. Rounded to 9 digits, as configs are written. */
double hop_dim_from_unit(const struct hop_dim *d, double u);

/* hop_dim_to_unit - the other way: from 0 to 1; of a level or choice the middle of what it owns. */
double hop_dim_to_unit(const struct hop_dim *d, double value);

/* hop_dim_levels - how many values d can have; 0 = no end of them. */
size_t hop_dim_levels(const struct hop_dim *d);
double hop_dim_level(const struct hop_dim *d, size_t i); /* the i-th from below; choices: i */

/* The axis of a distribution on which it is uniform: hop_dim_axis - the place of a value;
 * hop_dim_value - the value at a place, snapped and rounded to 9 digits; hop_dim_range - the axis's ends;
 * hop_dim_bin - the part that the level `value` owns. Of a choice all are the index. */
double hop_dim_axis(const struct hop_dim *d, double value);
double hop_dim_value(const struct hop_dim *d, double place);
void hop_dim_range(const struct hop_dim *d, double *low, double *high);
void hop_dim_bin(const struct hop_dim *d, double value, double *low, double *high);

#endif

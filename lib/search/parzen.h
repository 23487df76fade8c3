/* parzen - a density estimate over a box of numbers and categories, as TPE uses it twice: one mixture
 * component for each observation, and a wide one for what is not known (the prior).
 *
 * Each component is a product over the dimensions: of a number a normal distribution cut off at the
 * bounds, of a category a probability for each. Numbers are modelled on their own scale (logarithms of
 * loguniform ones, of 1 - x of lognearone ones); with a step q the probability is that of the bin of
 * q around the value.
 * Weights: the newest 25 observations and the prior weigh 1; older ones less, linearly down to 1 / n.
 *
 * Sources: Bergstra et al., "Algorithms for hyper-parameter optimization", 2011; the numbers are those
 * of Optuna (5.0: JOINT; up to 4.8: UNIVARIATE and MULTIVARIATE) and hyperopt 0.2, with which
 * test/unit/t_parzen.c compares.
 */
#ifndef HOP_SEARCH_PARZEN_H
#define HOP_SEARCH_PARZEN_H

#include <stddef.h>
#include "base/err.h"

enum hop_parzen_scale { HOP_SCALE_CATEGORY, HOP_SCALE_LINEAR, HOP_SCALE_LOG, HOP_SCALE_NEAR_ONE };

struct hop_parzen_dim {
    enum hop_parzen_scale scale;
    size_t n_categories;  /* CATEGORY: values are 0 .. n_categories - 1 */
    double low, high, q;  /* numbers: values from low to high, with q > 0 at low, low + q, ... */
};

/* How wide the normal distributions are, never less than 1 / min(100, n + 2) of the range:
 *   JOINT         the larger gap to a neighbour (bounds count only for a single observation)
 *   UNIVARIATE    the same with the middle of the range among the observations
 *   MULTIVARIATE  0.2 n^(-1 / (dimensions + 4)) of the range, for all
 *   HYPEROPT      UNIVARIATE; half the range for a single observation. Weights of components are those
 *                 before they are cut off; categories are counted, with one more of each.
 */
enum hop_parzen_rule { HOP_PARZEN_JOINT, HOP_PARZEN_UNIVARIATE, HOP_PARZEN_MULTIVARIATE,
                       HOP_PARZEN_HYPEROPT };

struct hop_parzen;

/* hop_parzen_new - from n observations x[n][n_dims], oldest first, which are copied; all inside the
 * bounds. Err: HOP_ENOMEM. */
int hop_parzen_new(const struct hop_parzen_dim *dims, size_t n_dims, const double *x, size_t n,
                   enum hop_parzen_rule rule, struct hop_parzen **out, struct hop_err *e) HOP_MUSTUSE;
void hop_parzen_free(struct hop_parzen *p);

/* hop_parzen_log - the logarithm of the density at x[n_dims], on the scale of each dimension. */
double hop_parzen_log(struct hop_parzen *p, const double *x);

/* hop_uniform_fn - the next number of a stream, inside (0, 1). */
typedef double hop_uniform_fn(void *ctx);

/* hop_parzen_draw - x[n_dims] from the estimate. */
void hop_parzen_draw(const struct hop_parzen *p, hop_uniform_fn *uniform, void *ctx, double *x);

/* hop_parzen_propose - the best by log `below` - log `above` of n_candidates drawn from `below`: x. */
int hop_parzen_propose(struct hop_parzen *below, struct hop_parzen *above, int n_candidates,
                       hop_uniform_fn *uniform, void *ctx, double *x, struct hop_err *e) HOP_MUSTUSE;

/* hop_parzen_width - of the normal distribution of observation i (n: the prior) in a dimension of
 * numbers: for tests. */
double hop_parzen_width(const struct hop_parzen *p, size_t dim, size_t i);

#endif

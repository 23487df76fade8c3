/* tpe - where to look next, by tree-structured Parzen estimates: one density of the good trials, one of
 * the rest, and the most promising of some points drawn from the first (parzen.h).
 *
 * Dimensions that are there together, those of the space itself or those of one branch, are one group:
 * a group is estimated from the trials that have it, and its numbers are chosen together (JOINT,
 * MULTIVARIATE) or one by one. Groups come in the space's order, so a branch after its choice.
 */
#ifndef HOP_SEARCH_TPE_H
#define HOP_SEARCH_TPE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "search/parzen.h"
#include "search/space.h"

struct hop_tpe_rule {
    const char *name;
    enum hop_parzen_rule widths;
    bool is_joint;
    int n_startup;   /* trials to be drawn at random before it begins */
    double gamma;    /* of n trials ceil(gamma n), or ceil(gamma sqrt(n)), are good; at most 25 */
    bool is_of_root;
};
extern const struct hop_tpe_rule hop_tpe_rules[]; /* name NULL at the end; the first is the default */

/* hop_tpe_rule_find - by name; NULL = the default. Err: HOP_EARG at --rule, listing the known ones. */
int hop_tpe_rule_find(const char *name, const struct hop_tpe_rule **out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_tpe_good - how many of n finished trials are good. */
size_t hop_tpe_good(const struct hop_tpe_rule *rule, size_t n);

struct hop_tpe_trial {
    const double *x;  /* [s->n_all], a point of the space */
    double loss;      /* less is better; not finite = worst */
    bool is_running;  /* no loss yet: it counts as bad, so that others look elsewhere ("constant liar") */
};

/* hop_tpe_propose - x from v[n], oldest first, of which the n_good best finished are good. Equal losses:
 * the older is better. Err: HOP_ENOMEM. */
int hop_tpe_propose(const struct hop_space *s, const struct hop_tpe_rule *rule,
                    const struct hop_tpe_trial *v, size_t n, size_t n_good, int n_candidates,
                    hop_uniform_fn *uniform, void *ctx, double *x, struct hop_err *e) HOP_MUSTUSE;

#endif

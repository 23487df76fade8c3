/* space - a search space: one JSON object whose members are the dimensions.
 *
 *   "batch_size": [32, 64]                                   a choice
 *   "batch_size": {"type":"choice","values":[32, 64],        the same, 32 three times as often
 *                  "weights":[3, 1]}
 *   "momentum": 0.9                                          a constant
 *   "lr": {"type":"loguniform","low":1e-4,"high":1e-1}       a distribution; with "q" only
 *                                                            low + k * q
 *   "optimizer": [{"_name":"sgd","lr":[0.1,0.01]},           a choice of branches: the members of
 *                 {"_name":"adam","lr":[0.001]}]             the one chosen join the config
 * Distributions: uniform, loguniform, lognearone (1 - x is loguniform), int, logint. Bounds are
 * values, and both are included.
 *
 * For methods a space is a vector: its choices and distributions, those of all branches, numbered
 * from 0 (d->index). A point is double x[s->n_all]: of a choice the index, of a distribution the
 * value as configs have it, of a dimension in a branch that is not chosen NAN.
 */
#ifndef HOP_SEARCH_SPACE_H
#define HOP_SEARCH_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "format/json.h"
#include "search/dim.h"

struct hop_space {
    struct hop_dim *dims; /* [n] in the order of the file */
    size_t n;
    /* Of the outermost space alone: */
    const struct hop_dim **all; /* [n_all] by index: parents before what depends on them */
    size_t n_all;
    struct hop_json *json; /* what everything borrows from */
};

/* hop_space_read - from a file, which may be one of those that import.h knows. Err: HOP_EIO; HOP_EFORMAT at "FILE: PATH". */
int hop_space_read(const char *path, struct hop_space **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_space_parse - from `take`, which becomes the space's, also on failure. */
int hop_space_parse(struct hop_json *take, const char *where, struct hop_space **out,
                    struct hop_err *e) HOP_MUSTUSE;
void hop_space_free(struct hop_space *s);

/* hop_space_count - how many configs there are; INFINITY with a distribution that has no levels. */
double hop_space_count(const struct hop_space *s);

/* ---- points ---- */

/* hop_space_is_active - is the branch of d chosen in x? Needs x of d's parents alone. */
bool hop_space_is_active(const struct hop_dim *d, const double *x);

/* hop_space_config - add the members of the config that x is; what is not active is not read. */
void hop_space_config(const struct hop_space *s, const double *x, struct hop_json *config);

/* hop_space_point - the point x that `config` is; false, and x undefined, when it is none of this
 * space: a constant differs, a value is no choice or out of bounds, a member is missing. Members that
 * the space does not know do not matter. Numbers are compared as they are written, by 9 digits. */
bool hop_space_point(const struct hop_space *s, const struct hop_json *config, double *x);

#endif

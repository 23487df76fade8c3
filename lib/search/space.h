/* space - a search space: one JSON object whose members are the dimensions.
 *
 *   "batch_size": [32, 64]                                   a choice
 *   "batch_size": {"type":"choice","values":[32, 64]}        the same
 *   "momentum": 0.9                                          a constant
 *   "lr": {"type":"loguniform","low":1e-4,"high":1e-1}       a distribution; "q" = multiples of q
 *                                                            above low
 *   "optimizer": [{"_name":"sgd","lr":[0.1,0.01]},           a choice of branches: the members of
 *                 {"_name":"adam","lr":[0.001]}]             the one chosen join the config
 * Distributions: uniform, loguniform, lognearone (1 - x is loguniform), int, logint. Bounds are
 * values, and both are included.
 */
#ifndef HOP_SEARCH_SPACE_H
#define HOP_SEARCH_SPACE_H

#include <stdbool.h>
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
};

struct hop_dim {
    const char *key;
    char *path; /* "optimizer[1].lr", for errors */
    enum hop_dim_kind kind;
    const struct hop_json *value; /* CONSTANT */
    struct hop_choice *choices;   /* CHOICE: [n_choices] */
    size_t n_choices;
    double low, high, q; /* distributions; q 0 = none */
};

struct hop_space {
    struct hop_dim *dims; /* [n] in the order of the file */
    size_t n;
    struct hop_json *json; /* of the outermost space: what everything borrows from */
};

/* hop_space_read - from a file. Err: HOP_EIO; HOP_EFORMAT at "FILE: PATH". */
int hop_space_read(const char *path, struct hop_space **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_space_parse - from `take`, which becomes the space's, also on failure. */
int hop_space_parse(struct hop_json *take, const char *where, struct hop_space **out,
                    struct hop_err *e) HOP_MUSTUSE;
void hop_space_free(struct hop_space *s);

/* hop_pick_fn - a method's say on a dimension that is active: the index of a choice, or a number
 * between low and high. Called in the file's order, a branch's dimensions right after their
 * choice. */
typedef double hop_pick_fn(void *ctx, const struct hop_dim *d);

/* hop_space_fill - add the members that the picks make to `config`. */
void hop_space_fill(const struct hop_space *s, hop_pick_fn *pick, void *ctx,
                    struct hop_json *config);

/* hop_space_distribution - the first dimension (branches included) that is neither constant nor
 * choice, or NULL. */
const struct hop_dim *hop_space_distribution(const struct hop_space *s);

#endif

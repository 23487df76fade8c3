/* methods - how to search: a method is one file method_NAME.c and one row in methods.c, a pure
 * function of space, options and log. */
#ifndef HOP_SEARCH_METHODS_H
#define HOP_SEARCH_METHODS_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "search/patience.h"
#include "search/space.h"
#include "search/trials.h"

struct hop_search_in {
    const struct hop_space *space;
    const struct hop_trials *trials;
    const char *where;   /* the space's file, for errors */
    int64_t iterations;  /* for each config */
    uint64_t seed;
    struct hop_patience patience;
};

struct hop_search_out {
    struct hop_json *configs; /* array of config/1 lines to train next; empty = it is over */
    size_t n_all, n_done, n_diverged, n_stopped; /* configs of the search so far; done are also
                                                    those that diverged or lost patience */
};

struct hop_method {
    const char *name, *summary;
    /* Push configs and count. Err: HOP_EFORMAT. */
    int (*next)(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e);
};
extern const struct hop_method *const hop_methods[]; /* NULL-ended */
extern const struct hop_method hop_method_grid;

/* hop_method_find - by name. Err: HOP_EARG listing the known ones. */
int hop_method_find(const char *name, const struct hop_method **out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_search_run - the method's answer, each config checked as training will read it. out->configs
 * is the caller's to free. Err: HOP_EFORMAT. */
int hop_search_run(const struct hop_method *m, const struct hop_search_in *in,
                   struct hop_search_out *out, struct hop_err *e) HOP_MUSTUSE;

/* For methods: */

/* hop_search_config - a config/1 line: id number `number` (from 1), the picks, seed, until. */
struct hop_json *hop_search_config(const struct hop_search_in *in, size_t number,
                                   hop_pick_fn *pick, void *ctx);

/* hop_search_offer - count `take` and keep it in out unless the log says that it is done; with
 * patience its "until" is the iteration at which to ask again. Err: HOP_EFORMAT when the log knows
 * another config by this id. */
int hop_search_offer(const struct hop_search_in *in, struct hop_json *take,
                     struct hop_search_out *out, struct hop_err *e) HOP_MUSTUSE;

#endif

/* methods - how to search: a method is one file method_NAME.c and one row in methods.c, a pure
 * function of space, options and log.
 *
 * A method sees numbers: config `number` (from 1) of this search is a point x of the space, and
 * in->results[number - 1] is what the log says of it. Everything about ids, JSON, seeds, repeats,
 * patience and what is finished is hop_search_ask's and the results'. Same log, same answer: no
 * clock, no process state; draws are hop_search_uniform's, by (seed, name, number).
 */
#ifndef HOP_SEARCH_METHODS_H
#define HOP_SEARCH_METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "format/json.h"
#include "search/objective.h"
#include "search/patience.h"
#include "search/space.h"
#include "search/trials.h"

enum { HOP_MAX_CONFIGS = 1000000 };

/* Options of all methods; hop_method.takes says whose. A new one is a member here and a row in
 * tools/search_options.c. Members that a method does not take hold their defaults. */
struct hop_search_options {
    int64_t num_configs; /* in all; 0 = the method's default */
    int64_t iterations;  /* for each config; of methods with rungs the most (R); 0 = not given */
    int64_t eta;         /* rungs keep 1 of eta; >= 2; 0 = the method's default */
    int64_t parallel;    /* how many configs are to be in training at once, >= 1 */
    uint64_t seed;
    const char *shape;   /* hyperband: "A" or "B"; NULL = default */
    bool want_added;     /* hyperband: a rung's iterations are added to what the config had */
    const char *rule;    /* tpe: tpe.h's; asha: "promote" or "stop"; NULL = default */
    int64_t min_iterations; /* asha: no rung below; 0 = 1 */
    int64_t interval;    /* pbt: iterations between generations; 0 = the method's default */
    const struct hop_opt_list *inherited; /* pbt: keys that children have from their parents; or NULL */
    int64_t repeats;     /* seeds per config, >= 1 */
    const char *prefix;  /* ids are PREFIX0001, ... */
    bool want_evidence;  /* tpe, bohb: configs of other searches in the log count, too (evidence.h) */
    struct hop_objective objective; /* not bound; without a split "val", or "train" in logs that
                                       have no val */
    struct hop_patience patience;
    int64_t median_from; /* give up by the median (median.h) from this iteration on; 0 = none */
    bool (*is_net)(const struct hop_json *model); /* a net of hop's, so that training would read the
                                                     config? NULL: none is */
};

enum hop_result_state {
    HOP_RESULT_UNKNOWN,  /* the log does not name it */
    HOP_RESULT_OPEN,     /* named, and not evaluated at the iteration it was asked for (until) */
    HOP_RESULT_READY,    /* evaluated there, or asked for nowhere in the log and evaluated */
    HOP_RESULT_STOPPED,  /* given up by patience: asked for nothing more */
    HOP_RESULT_DIVERGED  /* asked for nothing more; its last loss is INFINITY */
};

/* What the log says of one config of this search (all its repeats together). */
struct hop_result {
    enum hop_result_state state;
    int64_t until;        /* its config line's, 0 = none in the log */
    const struct hop_json *config; /* its config line, or NULL */
    const double *x;      /* its point by the config line; NULL = no line, or none of this space */
    const struct hop_point *curve; /* [n_curve], ascending iterations */
    size_t n_curve;
    size_t order;         /* of the line that first named it */
    size_t diverged_order; /* of the line that made it diverged */
};

struct hop_search_in {
    const struct hop_space *space;
    const struct hop_trials *trials;
    const struct hop_search_options *options;
    const char *where; /* the space's file, for errors */
    /* Set by hop_search_run: */
    const struct hop_result *results; /* [n_results]: of number k results[k - 1] */
    size_t n_results;                 /* the largest number that the log names */
    struct hop_objective objective;   /* options->objective, bound */
    struct hop_search_store *store;
};

struct hop_search_out {
    struct hop_json *configs; /* array of config/1 lines to train next; empty = it is over */
    size_t n_all, n_done, n_diverged, n_stopped; /* configs of the search so far; done are also
                                                    those that diverged or lost patience */
};

struct hop_method {
    const char *name, *summary;
    const char *const *takes; /* names of the options it takes besides those of all, NULL-ended */
    /* Ask for configs (hop_search_ask), those that are open included. Err: HOP_EFORMAT, HOP_EARG. */
    int (*next)(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e);
    /* --table: what the options alone make of the search, for people. NULL: it has none. */
    int (*table)(const struct hop_search_options *options, struct hop_str *out, struct hop_err *e);
    bool is_blind; /* it asks for the same configs whatever their losses are */
};
extern const struct hop_method *const hop_methods[]; /* NULL-ended */
extern const struct hop_method hop_method_grid;
extern const struct hop_method hop_method_random;
extern const struct hop_method hop_method_sobol;
extern const struct hop_method hop_method_hyperband;
extern const struct hop_method hop_method_bohb;
extern const struct hop_method hop_method_asha;
extern const struct hop_method hop_method_tpe;
extern const struct hop_method hop_method_pbt;

/* hop_method_find - by name. Err: HOP_EARG listing the known ones. */
int hop_method_find(const char *name, const struct hop_method **out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_search_run - the method's answer. Sets in's results. out->configs is the caller's to free.
 * Err: HOP_EFORMAT. */
int hop_search_run(const struct hop_method *m, struct hop_search_in *in,
                   struct hop_search_out *out, struct hop_err *e) HOP_MUSTUSE;

/* ---- for methods ---- */

/* hop_search_ask - config `number` at x is to have `until` iterations in all. It is counted, and put
 * into out unless the log says that it has them, or is never to be trained again (diverged,
 * stopped). x NULL: the config as the log has it. With patience its "until" may come out less: the iteration at which to ask
 * again. Ask for each number once per call. Err: HOP_EFORMAT when the log has another config by
 * this number, or training would refuse it. */
int hop_search_ask(const struct hop_search_in *in, struct hop_search_out *out, size_t number,
                   const double *x, int64_t until, struct hop_err *e) HOP_MUSTUSE;

/* hop_search_ask_child - the same of a config that begins as config `parent` is after its iteration `at`
 * (run/parent.h). parent 0: hop_search_ask. */
int hop_search_ask_child(const struct hop_search_in *in, struct hop_search_out *out, size_t number,
                         const double *x, size_t parent, int64_t at, int64_t until,
                         struct hop_err *e) HOP_MUSTUSE;

/* hop_search_result - of config `number`; one that is UNKNOWN when the log does not name it. */
const struct hop_result *hop_search_result(const struct hop_search_in *in, size_t number);

/* hop_result_at - the point of the curve at exactly `iteration`, or NULL.
 * hop_result_loss - its loss; INFINITY for a config that has diverged, at any iteration that it has
 * not reached; NAN = not known yet (of a stopped one that is its last loss). */
const struct hop_point *hop_result_at(const struct hop_result *r, int64_t iteration);
double hop_result_loss(const struct hop_result *r, int64_t iteration);

/* hop_result_from, hop_result_loss_from - the same of the first point at `iteration` or later: of a
 * config that was trained further than a rung without being evaluated there. */
const struct hop_point *hop_result_from(const struct hop_result *r, int64_t iteration);
double hop_result_loss_from(const struct hop_result *r, int64_t iteration);

/* hop_search_uniform - the k-th number, 0 <= u < 1 (53 bits), of the stream `name` of config
 * `number`. Dimensions take their path for a name; others begin with "_". */
double hop_search_uniform(const struct hop_search_in *in, const char *name, size_t number,
                          uint32_t k);

/* hop_search_random - x: every dimension drawn by itself from its distribution. */
void hop_search_random(const struct hop_search_in *in, size_t number, double *x);

/* hop_search_alloc_point - double[n_all], to be freed; NULL with HOP_ENOMEM. */
double *hop_search_alloc_point(const struct hop_search_in *in, struct hop_err *e);

#endif

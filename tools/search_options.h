/* search_options - the one option table of hop-search, and which command takes which of its rows.
 *
 * A new option of a method is a row in search_options.c, a member of struct hop_search_options
 * (lib/search/methods.h) and its name in the method's `takes`. */
#ifndef HOP_SEARCH_OPTIONS_H
#define HOP_SEARCH_OPTIONS_H

#include "base/opt.h"
#include "search/methods.h"

struct search_args {
    struct hop_search_options o; /* as methods read it, after search_options_finish */
    const char *metric, *of;
    struct hop_opt_list inherited;
    int64_t seed, top;
    bool want_less, want_more, want_table, want_best;
    const char *by, *cost;
    bool want_pareto, want_importance, want_configs;
    double quantile;
};
extern struct search_args search_args;
extern struct hop_opt search_rows[];

/* search_options_check - exit 2 when an option was given that the command `name` does not take.
 * takes: NULL-ended; is_method: those that every method takes are allowed, too. */
void search_options_check(const char *name, const char *const *takes, bool is_method);

/* search_options_is_seen - was the option given? */
bool search_options_is_seen(const char *name);

/* search_options_finish - texts into search_args.o. */
void search_options_finish(void);

#endif

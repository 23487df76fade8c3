/* trials - what a log says of each config. */
#ifndef HOP_SEARCH_TRIALS_H
#define HOP_SEARCH_TRIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

struct hop_trial {
    const char *id;                /* borrowed from lines */
    const struct hop_json *config; /* its config/1 line, borrowed, or NULL */
    struct hop_json *lines;        /* array of its lines, each record once, in the log's order */
    bool is_diverged;
    double train_s;                /* seconds of its visits */
    int64_t visits;
};

struct hop_trials {
    struct hop_trial *v; /* [n], in the order in which the log first names them */
    size_t n, cap;
    bool has_val; /* some config was evaluated on "val" */
};

/* hop_trials_read - a log (RUN/log.jsonl) from fd; bad lines are skipped with a warning. */
int hop_trials_read(int fd, const char *where, struct hop_trials *t, struct hop_err *e)
    HOP_MUSTUSE;
const struct hop_trial *hop_trials_find(const struct hop_trials *t, const char *id);
void hop_trials_clear(struct hop_trials *t);

/* hop_trial_is_done - diverged, or evaluated (all parts) at iteration `until` or later: on "val"
 * where the log knows such a split, else on any. */
bool hop_trial_is_done(const struct hop_trials *all, const struct hop_trial *t, int64_t until);

#endif

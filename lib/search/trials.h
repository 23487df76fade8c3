/* trials - what a log says of each config, read once into arrays.
 *
 * A log holds config/1, train/1 and eval/1 lines in any mixture; anything else, parts of
 * evaluations and lines that say again what an earlier one said are passed over. The text of the
 * log is kept; of a line only its place, iteration and split are taken out, and numbers are read
 * when somebody asks: 1,000,000 lines take less than a second.
 */
#ifndef HOP_SEARCH_TRIALS_H
#define HOP_SEARCH_TRIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

/* One line about a trial: a visit (train/1) or a whole evaluation (eval/1). */
struct hop_entry {
    const char *text; /* the line, borrowed, flat JSON, not NUL-terminated */
    size_t n_text;
    size_t order;     /* place among all lines of the log: which of two came first */
    int64_t iteration;
    int64_t visit;    /* of visits */
    int i_split;      /* of evaluations: hop_trials_split; visits: -1 */
    uint32_t i_trial;
};

struct hop_trial {
    const char *id;          /* borrowed */
    struct hop_json *config; /* its first config/1 line, or NULL */
    int64_t until;           /* the largest of its config/1 lines, 0 = none said */
    size_t order;            /* of the line that first named it */
    const struct hop_entry *entries; /* [n_entries] in the log's order; borrowed */
    size_t n_entries;
    bool has_val;            /* evaluated on "val", if only in part */
    bool is_diverged;
    size_t diverged_order;   /* of the line that said so */
    double train_s;          /* seconds of its visits */
    int64_t visits;
};

struct hop_trials {
    struct hop_trial *v; /* [n], in the order in which the log first names them */
    size_t n;
    bool has_val; /* some config was evaluated on "val" */
    struct hop_trials_store *store; /* the rest is trials.c's */
};

/* hop_trials_read - a log (RUN/log.jsonl) from fd, all of it; bad lines are skipped with a warning
 * that names `where:LINE`. Err: HOP_EIO, HOP_ENOMEM. */
int hop_trials_read(int fd, const char *where, struct hop_trials *t, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_trials_parse - the same from n bytes. */
int hop_trials_parse(const char *text, size_t n, const char *where, struct hop_trials *t,
                     struct hop_err *e) HOP_MUSTUSE;
const struct hop_trial *hop_trials_find(const struct hop_trials *t, const char *id); /* or NULL */
void hop_trials_clear(struct hop_trials *t);

/* hop_trials_split - the number by which entries know the split called `name`; -1: no line has it. */
int hop_trials_split(const struct hop_trials *t, const char *name);

/* hop_entry_number - the number under `key` as the line has it; NAN when it is missing or null. */
double hop_entry_number(const struct hop_entry *line, const char *key);
/* hop_entry_has - is there a member `key`? (Numbers that are not finite are null, and there.) */
bool hop_entry_has(const struct hop_entry *line, const char *key);

/* hop_trial_eval - the whole evaluation on split i_split at `iteration`, or NULL. */
const struct hop_entry *hop_trial_eval(const struct hop_trial *t, int i_split, int64_t iteration);

/* hop_trial_visits_mean - the mean of `key` over the iteration's visits, by their examples, as
 * Keras shows it while training; NAN when no visit has it. */
double hop_trial_visits_mean(const struct hop_trial *t, const char *key, int64_t iteration);

/* hop_trial_is_done - diverged, or evaluated (all parts) at iteration `until` or later: on "val"
 * where the log knows such a split, else on any. */
bool hop_trial_is_done(const struct hop_trials *all, const struct hop_trial *t, int64_t until);

#endif

/* metric - which number of an evaluation says how good a state is, and what "better" means. */
#ifndef HOP_RUN_METRIC_H
#define HOP_RUN_METRIC_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

struct hop_metric {
    char split[32];
    char name[32]; /* "" = accuracy where the evaluation has it, else loss */
};

/* hop_metric_parse - "val.loss" (SPLIT.METRIC), or "val" or "train" alone. Err: HOP_EARG at `where`. */
int hop_metric_parse(const char *text, const char *where, struct hop_metric *m, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_metric_key - the key of `line` (an eval/1 line) that m means; borrowed from m or static. */
const char *hop_metric_key(const struct hop_metric *m, const struct hop_json *line);

/* hop_metric_value - its number, rounded to the 9 digits that files have, so that a line in memory
 * and the same line read back compare alike; NAN where it is missing or not finite. */
double hop_metric_value(const struct hop_metric *m, const struct hop_json *line);

/* hop_metric_is_less_better - as Keras guesses it: more is better of names that end in acc,
 * accuracy, auc (and precision, recall, f1, r2, and those that begin with top_), less of all others.
 */
bool hop_metric_is_less_better(const char *key);

/* hop_metric_is_of - is `line` the merged evaluation of m's split? */
bool hop_metric_is_of(const struct hop_metric *m, const struct hop_json *line);

#endif

/* rank_print - a ranking as records, and as a table for people. */
#ifndef HOP_SEARCH_RANK_PRINT_H
#define HOP_SEARCH_RANK_PRINT_H

#include <stddef.h>
#include "base/err.h"
#include "base/str.h"
#include "format/json.h"
#include "search/importance.h"
#include "search/rank.h"

/* hop_rank_record - row i as {"hop":"rank/1","rank":i+1,"id",...}; the caller's. */
struct hop_json *hop_rank_record(const struct hop_ranking *r, size_t i);

/* hop_rank_table - hyperparameters in which the configs of the log differ, then results. Accuracies
 * have no columns where no config has one; the metric has its own where it is no accuracy or loss
 * on val; repeats, gaps and costs where they were asked for. */
int hop_rank_table(const struct hop_ranking *r, struct hop_str *out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_rank_importance - importance.h, of the rows of r; diverged ones count as the worst of the
 * others. */
int hop_rank_importance(const struct hop_ranking *r, struct hop_importance *out,
                        struct hop_err *e) HOP_MUSTUSE;
int hop_importance_table(const struct hop_importance *m, struct hop_str *out, struct hop_err *e)
    HOP_MUSTUSE;

#endif

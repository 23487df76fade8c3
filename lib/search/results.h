/* results - between a log and a method: ids and numbers, repeats and their means, what is finished.
 * What methods call of it is in methods.h. */
#ifndef HOP_SEARCH_RESULTS_H
#define HOP_SEARCH_RESULTS_H

#include "search/methods.h"

/* hop_results_make - in->results from the log by the options: configs called PREFIX and a number of
 * at least four digits, further repeats with "-2", "-3" behind it. Other ids are other searches'.
 * Also binds in->objective. Err: HOP_EFORMAT (hop_objective_bind), HOP_ENOMEM. */
int hop_results_make(struct hop_search_in *in, struct hop_err *e) HOP_MUSTUSE;
void hop_results_clear(struct hop_search_in *in);

/* hop_results_is_ours - is `id` one that this search gives? */
bool hop_results_is_ours(const struct hop_search_in *in, const char *id);

#endif

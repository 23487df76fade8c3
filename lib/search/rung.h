/* rung - who goes on from a rung, and who does not: the rules of successive halving, of its asynchronous
 * form, and of stopping by the median. Losses: less is better, NAN and INFINITY are worst.
 */
#ifndef HOP_SEARCH_RUNG_H
#define HOP_SEARCH_RUNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hop_runner { /* a config on a rung */
    double loss;
    size_t number; /* of two equals the lower one is better */
    size_t order;  /* when its result came */
};

/* hop_rung_sort - the best first. */
void hop_rung_sort(struct hop_runner *v, size_t n);

/* hop_rung_promotes - how many of the n configs on a rung may go on while more may still come: the best
 * floor(n / eta), so the first goes on when there are eta.
 * Source: Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020, algorithm 2. */
size_t hop_rung_promotes(size_t n, int64_t eta);

/* hop_rung_keeps - may v[i] go on at once, judged when it came? It must be among the best
 * max(floor(N / eta), 1) of the N that had come by then, itself included. So the first always may.
 * This is the rule of Optuna's, Ray's and Determined's ASHA. */
bool hop_rung_keeps(const struct hop_runner *v, size_t n, size_t i, int64_t eta);

/* hop_median - of v[n], n >= 1, which is sorted on return; of an even number the mean of the two in
 * the middle. */
double hop_median(double *v, size_t n);

#endif

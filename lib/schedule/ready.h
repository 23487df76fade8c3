/* ready - the configs that wait, in order of preference, and who of them wants what.
 *
 * An ordered tree of items, each with a set of bits (the shards that it could go to now). It
 * answers "the first item that wants any of these bits" in O(log n) steps, each over the bits of a
 * mask, since every node knows what its whole subtree wants. A treap: Seidel and Aragon,
 * "Randomized search trees", Algorithmica 16 (1996), with priorities that depend on the item alone,
 * so that the same items give the same tree.
 */
#ifndef HOP_SCHEDULE_READY_H
#define HOP_SCHEDULE_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* A set of bits as the words that are not empty. */
struct hop_mask {
    const uint32_t *word; /* [n] indices, */
    const uint64_t *bits; /* [n] and what they hold */
    size_t n;
};

struct hop_ready {
    size_t n_words;   /* of a set */
    uint64_t *wants;  /* [n + 1][n_words] set before an item is added; row 0 stays empty */
    uint64_t *all;    /* [n + 1][n_words] of the subtree */
    double *key;      /* [n + 1] highest first, then the lowest index */
    uint32_t *left, *right, *heap; /* [n + 1]; 0 = none */
    bool *is_in;      /* [n + 1] */
    uint32_t root;
};

/* hop_ready_init - for items 1 to n with sets of n_bits. Err: HOP_ENOMEM (clear it then, too). */
int hop_ready_init(struct hop_ready *r, size_t n, size_t n_bits, struct hop_err *e) HOP_MUSTUSE;
void hop_ready_clear(struct hop_ready *r);

/* hop_ready_reset - no items in it. */
void hop_ready_reset(struct hop_ready *r);

/* hop_ready_wants - the set of an item, to be changed only while it is not in the tree. */
static inline uint64_t *
hop_ready_wants(const struct hop_ready *r, uint32_t item)
{
    return r->wants + item * r->n_words;
}

void hop_ready_add(struct hop_ready *r, uint32_t item, double key);
void hop_ready_remove(struct hop_ready *r, uint32_t item);

/* hop_ready_first - the first item that wants any bit of the mask; 0 = none. */
uint32_t hop_ready_first(const struct hop_ready *r, const struct hop_mask *mask);

#endif

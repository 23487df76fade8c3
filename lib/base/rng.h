/* rng - counter-based random numbers: no state, equal on every device.
 *
 * A stream is a 64-bit key made from (seed, name, purpose); a number is drawn by saying which one.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11 (Philox4x32-10).
 */
#ifndef HOP_BASE_RNG_H
#define HOP_BASE_RNG_H

#include <stdint.h>
#include "base/num.h"

enum hop_purpose { /* part of every key; never renumber */
    HOP_FOR_INIT = 1,    /* counter (element / 4, attempt, weight) */
    HOP_FOR_SHUFFLE = 2, /* counter (visit, pass) */
    HOP_FOR_DROPOUT = 3, /* counter (element / 4, layer, step) */
    HOP_FOR_SHARD = 4,   /* class and shard order in hop-shard */
    HOP_FOR_SEARCH = 5
};

/* hop_rng_key - key of the stream `purpose` of the thing called `name` under `seed`. */
uint64_t hop_rng_key(uint64_t seed, const char *name, enum hop_purpose purpose);

/* hop_philox - four 32-bit numbers out[4] for (key, c0, c1, c2, c3). */
static inline HOP_HD void
hop_philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t out[4])
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (int i = 0; i < 10; i++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;

        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* A keyed permutation of [0, n): six Feistel rounds on the smallest even number of bits that holds
 * n, walking until inside. O(1) memory, so a shuffle is never stored. */
struct hop_perm {
    uint64_t n;
    unsigned half_bits;
    uint32_t round_key[6];
};
void hop_perm_init(struct hop_perm *p, uint64_t n, uint64_t key, uint32_t c0, uint32_t c1);

/* hop_perm_at - i < n. */
static inline HOP_HD uint64_t
hop_perm_at(const struct hop_perm *p, uint64_t i)
{
    uint32_t mask = p->half_bits == 32 ? UINT32_MAX : ((uint32_t)1 << p->half_bits) - 1;
    uint32_t l, r, f;
    int k;

    do {
        l = (uint32_t)(i >> p->half_bits) & mask;
        r = (uint32_t)i & mask;
        for (k = 0; k < 6; k++) {
            f = r ^ p->round_key[k]; /* murmur3's 32-bit finaliser */
            f = (f ^ f >> 16) * 0x85EBCA6Bu;
            f = (f ^ f >> 13) * 0xC2B2AE35u;
            f ^= f >> 16;
            f = (l ^ f) & mask;
            l = r;
            r = f;
        }
        i = (uint64_t)l << p->half_bits | r;
    } while (i >= p->n);
    return i;
}

#endif

#include "base/rng.h"

/* Stafford's mix 13 of the 64-bit finaliser, as in SplitMix64. */
static uint64_t
mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint64_t
hop_rng_key(uint64_t seed, const char *name, enum hop_purpose purpose)
{
    uint64_t h = 0xCBF29CE484222325u; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    return mix(mix(h ^ mix(seed + 0x9E3779B97F4A7C15u)) + (uint64_t)purpose);
}

void
hop_perm_init(struct hop_perm *p, uint64_t n, uint64_t key, uint32_t c0, uint32_t c1)
{
    uint32_t r[8];
    int i;

    p->n = n;
    p->half_bits = 1;
    while (p->half_bits < 32 && (uint64_t)1 << 2 * p->half_bits < n)
        p->half_bits++;
    hop_philox(key, 0, 0, c0, c1, r);
    hop_philox(key, 1, 0, c0, c1, r + 4);
    for (i = 0; i < 6; i++)
        p->round_key[i] = r[i];
}

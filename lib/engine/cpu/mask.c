#include "engine/cpu/mask.h"

#include "base/rng.h"
#include "engine/cpu/plan.h"

enum { WIDE = 16 }; /* counters drawn at once, side by side in vector registers */

/* hop_philox for counters c0 .. c0 + WIDE - 1 (without carry into c1); the comparison included. */
HOP_CPU_HOT static void
draw(uint64_t key, uint32_t first, uint32_t high, uint32_t layer, uint32_t t, uint32_t limit,
     uint8_t *mask)
{
    uint32_t a[WIDE], b[WIDE], c[WIDE], d[WIDE], k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (uint32_t i = 0; i < WIDE; i++) {
        a[i] = first + i;
        b[i] = high;
        c[i] = layer;
        d[i] = t;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < WIDE; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * a[i], p1 = (uint64_t)0xCD9E8D57u * c[i];

            a[i] = (uint32_t)(p1 >> 32) ^ b[i] ^ k0;
            b[i] = (uint32_t)p1;
            c[i] = (uint32_t)(p0 >> 32) ^ d[i] ^ k1;
            d[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < WIDE; i++) {
        mask[4 * i] = a[i] >= limit;
        mask[4 * i + 1] = b[i] >= limit;
        mask[4 * i + 2] = c[i] >= limit;
        mask[4 * i + 3] = d[i] >= limit;
    }
}

/* By hand for AVX-512: the compiler shuffles 32-bit lanes around each 64-bit product (3 to 5 times
 * slower); here each word has a lane of 64 bits, whose upper half the products ignore. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

struct words { /* of 8 counters */
    __m512i a, b, c, d;
};

__attribute__((target("avx512f"))) static inline struct words
one_round(struct words v, uint32_t k0, uint32_t k1)
{
    __m512i p0 = _mm512_mul_epu32(v.a, _mm512_set1_epi64(0xD2511F53));
    __m512i p1 = _mm512_mul_epu32(v.c, _mm512_set1_epi64(0xCD9E8D57));

    v.a = _mm512_xor_si512(_mm512_srli_epi64(p1, 32), _mm512_xor_si512(v.b, _mm512_set1_epi64(k0)));
    v.c = _mm512_xor_si512(_mm512_srli_epi64(p0, 32), _mm512_xor_si512(v.d, _mm512_set1_epi64(k1)));
    v.b = p1;
    v.d = p0;
    return v;
}

/* 1 in byte `at` of each lane whose word is at least limit. */
__attribute__((target("avx512f"))) static inline __m512i
kept(__m512i word, __m512i limit, int at)
{
    __mmask16 is_kept = _mm512_cmpge_epu32_mask(word, limit) & 0x5555;

    return _mm512_maskz_mov_epi32(is_kept, _mm512_set1_epi32(1 << 8 * at));
}

__attribute__((target("avx512f"))) static void
draw_avx512(uint64_t key, uint32_t first, uint32_t high, uint32_t layer, uint32_t t, uint32_t limit,
            uint8_t *mask)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    __m512i l = _mm512_set1_epi32((int)limit), bits;
    struct words v[2];

    v[0].a = _mm512_add_epi64(_mm512_set1_epi64(first), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    v[0].b = _mm512_set1_epi64(high);
    v[0].c = _mm512_set1_epi64(layer);
    v[0].d = _mm512_set1_epi64(t);
    v[1] = v[0];
    v[1].a = _mm512_add_epi64(v[0].a, _mm512_set1_epi64(8));
    for (int round = 0; round < 10; round++) {
        v[0] = one_round(v[0], k0, k1);
        v[1] = one_round(v[1], k0, k1);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 2; i++) {
        bits = _mm512_or_si512(_mm512_or_si512(kept(v[i].a, l, 0), kept(v[i].b, l, 1)),
                               _mm512_or_si512(kept(v[i].c, l, 2), kept(v[i].d, l, 3)));
        _mm256_storeu_si256((__m256i *)(void *)(mask + 32 * i), _mm512_cvtepi64_epi32(bits));
    }
}

static bool
has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}
#else
#define draw_avx512 draw

static bool
has_avx512(void)
{
    return false;
}
#endif

const uint8_t *
hop_cpu_mask(uint64_t key, uint32_t layer, uint32_t t, uint32_t limit, int64_t first, int64_t n,
             uint8_t *mask)
{
    int64_t lead = first % (4 * WIDE), from = first - lead;
    bool is_wide = has_avx512();

    /* Blocks of WIDE counters start at multiples of WIDE, so the low word never wraps inside. */
#pragma omp parallel for schedule(static) if (n > 1 << 16)
    for (int64_t i = 0; i < lead + n; i += 4 * WIDE) {
        uint64_t at = (uint64_t)(from + i) / 4;
        uint32_t low = (uint32_t)at, high = (uint32_t)(at >> 32);

        if (is_wide)
            draw_avx512(key, low, high, layer, t, limit, mask + i);
        else
            draw(key, low, high, layer, t, limit, mask + i);
    }
    return mask + lead;
}

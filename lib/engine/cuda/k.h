/* k - what the bodies of kernels share. A kernel is a body k_NAME(a, i): what is done for item i of n,
 * from its arguments alone, in any order of items. It is C that nvcc reads as well: kernels.cu runs it
 * on the GPU, kernels_host.c on the host, with the same bits (gcc -ffp-contract=off, nvcc -fmad=false).
 *
 * To add one, in the k_*.h of its kind: struct k_NAME_args; K_NAME_SPANS(S, k), which names every
 * buffer in it: S(k, field, 'r'), or 'w' where the kernel writes all of it, 'u' where it updates it
 * or writes a part; the body; a row in the header's list of kernels.
 *
 * Buffers are spans: a pointer and how many elements it has. AT(a->x, i) is element i; on the host it
 * is checked. A span may be {NULL, 0}: the body must ask.
 */
#ifndef HOP_ENGINE_CUDA_K_H
#define HOP_ENGINE_CUDA_K_H

#include "base/num.h"
#include "base/rng.h"
#include "net/optim_rule.h"

#ifdef __CUDACC__
#define K_BODY static inline __host__ __device__ void
#define K_FN   static inline __host__ __device__
#else
/* Inlined, or the host's loops would be compiled for the plain CPU only (REF_HOT). */
#define K_BODY static inline __attribute__((always_inline)) void
#define K_FN   static inline __attribute__((always_inline))
#endif

struct k_f32 { float *p; int64_t n; };
/* Values between layers and their gradients: float32, or bfloat16 in a program of that precision. A
 * kernel that touches them has two variants, K_NAME and K_NAME_h, of one body k_NAME(a, i, h), where h is
 * a constant; it stands in its list as V(NAME), others as X(NAME). GET reads, PUT writes. */
struct k_value { uint16_t bits; };
struct k_val { struct k_value *p; int64_t n; };
struct k_f64 { double *p; int64_t n; };
struct k_u8 { uint8_t *p; int64_t n; };
struct k_i32 { int32_t *p; int64_t n; };
struct k_i64 { int64_t *p; int64_t n; };

#ifdef HOP_K_CHECKED
/* Defined beside the loops: stops the test when i is outside. */
int64_t hop_cuda_host_index(int64_t i, int64_t n, const char *span);
#define K_INDEX(span, i) hop_cuda_host_index((int64_t)(i), (span).n, #span)
#else
#define K_INDEX(span, i) (i)
#endif
#define AT(span, i)     ((span).p[K_INDEX(span, i)])
#define GET(span, i)    k_get((span).p, K_INDEX(span, i), h)
#define PUT(span, i, v) k_put_value((span).p, K_INDEX(span, i), h, v)

K_FN float
k_get(const struct k_value *p, int64_t i, int h)
{
    return h ? hop_bits_f32((uint32_t)((const uint16_t *)p)[i] << 16) : ((const float *)p)[i];
}

/* To bfloat16, to nearest, even of two as near; a NaN stays one. */
K_FN uint16_t
k_half(float v)
{
    uint32_t u = hop_f32_bits(v);

    if ((u & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7FFFu + (u >> 16 & 1)) >> 16);
}

K_FN void
k_put_value(struct k_value *p, int64_t i, int h, float v)
{
    if (h)
        ((uint16_t *)p)[i] = k_half(v);
    else
        ((float *)p)[i] = v;
}

/* The optimizer's numbers of one step. */
struct k_rate {
    float shrink, c[HOP_OPTIM_COEFS];
};
struct k_rates { struct k_rate *p; int64_t n; };

/* Where a pass stands, in device memory: written by the host before the pass, moved on by the last
 * kernel of every batch. So no launch of a step depends on which step it is. */
struct k_now {
    /* the bound examples */
    struct k_u8 x8;
    struct k_f32 x32;          /* one of the two has n = 0 */
    struct k_i32 y;            /* n = 0: no classes */
    struct k_f32 t;            /* n = 0: no targets */
    struct k_f32 mean, inv_std;
    struct k_f32 class_weight; /* n = 0: all 1 */
    struct k_f32 out;          /* predictions of the whole pass; n = 0: not wanted */
    struct k_rates rates;      /* [steps of the pass] */
    struct hop_perm perm;
    int is_shuffled;
    uint64_t dropout_key;
    int64_t at;     /* examples done in this pass */
    int64_t i_step; /* steps done in this pass */
    int64_t t_step; /* optimizer steps done in the config's life */
    double loss;    /* sum over the examples done */
    int64_t n_correct;
};
struct k_nows { struct k_now *p; int64_t n; }; /* n = 1 */

/* A sum by the fixed tree over images (lib/engine/ref/ref.h): call k_tree_add for every leaf i = 0,
 * 1, ..., then k_tree_end with how many there were. */
enum { K_TREE_HEIGHT = 22 };

K_FN void
k_tree_add(float *level, int64_t i, float v)
{
    int h;

    for (h = 0; i >> h & 1; h++)
        v = level[h] + v;
    level[h] = v;
}

K_FN float
k_tree_end(const float *level, int64_t n)
{
    float out = 0;
    int h, is_first = 1;

    for (h = 0; n >> h; h++) {
        if (!(n >> h & 1))
            continue;
        out = is_first ? level[h] : level[h] + out;
        is_first = 0;
    }
    return out;
}

#endif

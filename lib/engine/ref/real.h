/* real - the number type of the ref device: float, or double in the test build that checks
 * gradients by finite differences (-DHOP_REAL_DOUBLE, where every symbol gets another name).
 */
#ifndef HOP_ENGINE_REF_REAL_H
#define HOP_ENGINE_REF_REAL_H

#include <math.h>
#include "base/num.h"

#ifdef HOP_REAL_DOUBLE
typedef double real;
#define REF_NAME(x)   ref64_##x
#define REF_DEVICE    hop_device_ref64
#define real_fma      fma
#define real_sqrt     sqrt
#define real_exp      exp
#define real_expm1    expm1
#define real_log      log
#define real_tanh     tanh
#define real_erf      erf
#else
typedef float real;
#define REF_NAME(x)   ref_##x
#define REF_DEVICE    hop_device_ref
#define real_fma      fmaf
#define real_sqrt     sqrtf
#define real_exp      hop_expf
#define real_expm1    hop_expm1f
#define real_log      hop_logf
#define real_tanh     hop_tanhf
#define real_erf      hop_erff
#endif

/* Loops marked so are compiled a second time for CPUs with FMA and chosen at start. Both
 * versions give the same bits: fmaf rounds once either way, and each lane keeps its own order. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define REF_HOT __attribute__((target_clones("fma", "default")))
#else
#define REF_HOT
#endif
/* Helpers of such loops must be inlined, or they are compiled for the plain CPU only. */
#define REF_INLINE static inline __attribute__((always_inline))

#endif

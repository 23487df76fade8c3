/* kernels_host - the bodies of kernels.h on the host: a loop each, every index checked. Built into
 * tests alone. */
#include <stdint.h>

#define HOP_K_CHECKED

#include "base/err.h"
#include "engine/cuda/driver_host.h"
#include "engine/cuda/kernels.h"
#include "engine/ref/real.h"

int64_t
hop_cuda_host_index(int64_t i, int64_t n, const char *span)
{
    if (i < 0 || i >= n)
        hop_bug("a kernel's index", (int)(i < INT32_MAX ? i : INT32_MAX), span);
    return i;
}

/* Compiled for CPUs with FMA as well (REF_HOT), or each fmaf would be a call. Last item first: a kernel
 * whose items depend on each other's order is wrong, and shows. */
#define LOOP(name, run, BODY)                                                                      \
    REF_HOT static void run_##run(const void *args, int64_t n)                                     \
    {                                                                                              \
        const struct k_##name##_args *a = args;                                                    \
        int64_t i;                                                                                 \
                                                                                                   \
        for (i = n - 1; i >= 0; i--)                                                               \
            BODY;                                                                                  \
    }
#define LOOP_X(name) LOOP(name, name, k_##name(a, i))
#define LOOP_V(name) LOOP(name, name, k_##name(a, i, 0)) LOOP(name, name##_h, k_##name(a, i, 1))
HOP_CUDA_KERNELS(LOOP_X, LOOP_V)

#define POINT(name)  run_##name,
#define POINTS(name) run_##name, run_##name##_h,
static void (*const loops[])(const void *args, int64_t n) = {HOP_CUDA_KERNELS(POINT, POINTS)};

void
hop_cuda_host_run(int kernel, int64_t n, const void *args)
{
    loops[kernel](args, n);
}

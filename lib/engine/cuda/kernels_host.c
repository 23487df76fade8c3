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
#define LOOP(name)                                                                                 \
    REF_HOT static void run_##name(const void *args, int64_t n)                                    \
    {                                                                                              \
        const struct k_##name##_args *a = args;                                                    \
        int64_t i;                                                                                 \
                                                                                                   \
        for (i = n - 1; i >= 0; i--)                                                               \
            k_##name(a, i);                                                                        \
    }
HOP_CUDA_KERNELS(LOOP)

#define POINT(name) run_##name,
static void (*const loops[])(const void *args, int64_t n) = {HOP_CUDA_KERNELS(POINT)};

void
hop_cuda_host_run(int kernel, int64_t n, const void *args)
{
    loops[kernel](args, n);
}

// kernels - the bodies of kernels.h on a GPU: a loop over the grid each.
//
// nvcc -fmad=false, never -use_fast_math: fused multiply-add only where a body says fmaf, division and
// square root as IEEE has them, so the bits are those of the host's loops.
#include <cuda_runtime.h>

#include "engine/cuda/kernels.h"

static const int64_t widest = 256, max_blocks = 1 << 20;

// Which thread does which item changes no bit, so block and grid may have any size.
#define WRAP(g, name, BODY)                                                                        \
    static __global__ void __launch_bounds__(256)                                                  \
    g_##g(const __grid_constant__ struct k_##name##_args a, int64_t n)                             \
    {                                                                                              \
        int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;                                \
                                                                                                   \
        for (; i < n; i += (int64_t)gridDim.x * blockDim.x)                                        \
            BODY;                                                                                  \
    }
#define WRAP_X(name) WRAP(name, name, k_##name(&a, i))
#define WRAP_V(name) WRAP(name, name, k_##name(&a, i, 0)) WRAP(name##_h, name, k_##name(&a, i, 1))
HOP_CUDA_KERNELS(WRAP_X, WRAP_V)

// Few items: small blocks, so that they spread over the multiprocessors.
static int64_t
block_of(int64_t n)
{
    return n >= 132 * widest ? widest : n >= 132 * 64 ? 64 : 32;
}

#define CASE(g, name)                                                                              \
    case K_##g:                                                                                    \
        g_##g<<<(unsigned)grid, (unsigned)block, 0, (cudaStream_t)stream>>>(                       \
            *(const struct k_##name##_args *)args, n);                                             \
        break;
#define CASE_X(name) CASE(name, name)
#define CASE_V(name) CASE(name, name) CASE(name##_h, name)

extern "C" int
hop_cuda_kernel_launch(void *stream, int kernel, int64_t n, const void *args)
{
    int64_t block = block_of(n), grid = (n + block - 1) / block;

    if (n <= 0)
        return 0;
    if (grid > max_blocks)
        grid = max_blocks;
    switch (kernel) {
        HOP_CUDA_KERNELS(CASE_X, CASE_V)
    default:
        return (int)cudaErrorInvalidValue;
    }
    return (int)cudaGetLastError();
}

#define CHECK(name)                                                                                \
    if (hop_cuda_kernel_rows[K_##name].args_size != sizeof(struct k_##name##_args))                \
        return -1;

extern "C" int
hop_cuda_kernel_check(void)
{
    struct cudaFuncAttributes attributes;

    HOP_CUDA_KERNELS(CHECK, CHECK)
    return (int)cudaFuncGetAttributes(&attributes, g_copy);
}

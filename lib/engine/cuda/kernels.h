/* kernels - the table of kernels. Contents: k.h says what a kernel is, each k_*.h has those of its
 * kind. To add a kind: include its header here and put its list into HOP_CUDA_KERNELS.
 */
#ifndef HOP_ENGINE_CUDA_KERNELS_H
#define HOP_ENGINE_CUDA_KERNELS_H

#include <stddef.h>
#include "engine/cuda/k_activation.h"
#include "engine/cuda/k_batch.h"
#include "engine/cuda/k_fast.h"
#include "engine/cuda/k_linear.h"
#include "engine/cuda/k_loss.h"
#include "engine/cuda/k_norm.h"
#include "engine/cuda/k_optim.h"
#include "engine/cuda/k_pool.h"
#include "engine/cuda/k_shape.h"

#define HOP_CUDA_KERNELS(X, V)                                                                     \
    K_ACTIVATION(X, V) K_BATCH(X, V) K_FAST(X, V) K_LINEAR(X, V) K_LOSS(X, V) K_NORM(X, V)         \
    K_OPTIM(X, V) K_POOL(X, V) K_SHAPE(X, V)

#define K_ID(name)  K_##name,
#define K_IDS(name) K_##name, K_##name##_h, /* in this order */
enum hop_cuda_kernel { HOP_CUDA_KERNELS(K_ID, K_IDS) HOP_CUDA_N_KERNELS };

/* Not a kernel but a step of a program, of fast.h, which has a row, too. */
enum { HOP_CUDA_FAST = HOP_CUDA_N_KERNELS };
struct k_fast_args {
    struct k_val in, in2, bias, out;
    struct k_u8 workspace;
};
#define K_fast_SPANS(S, k)                                                                         \
    S(k, in, 'r') S(k, in2, 'r') S(k, bias, 'r') S(k, out, 'w') S(k, workspace, 'w')

/* Of a buffer among a kernel's arguments. Every span is laid out as this one. */
struct k_span {
    void *p;
    int64_t n; /* elements */
};

enum { K_MAX_SPANS = 12 };
struct hop_cuda_kernel_row {
    const char *name;
    size_t args_size;
    struct {
        size_t offset, element; /* where in the arguments; size of an element; 0: no more spans */
        char mode;              /* 'r', 'w' all of it, 'u' read or written in part */
    } spans[K_MAX_SPANS];
};

#ifdef __cplusplus
extern "C" {
#endif
extern const struct hop_cuda_kernel_row hop_cuda_kernel_rows[HOP_CUDA_N_KERNELS + 1];
#ifdef __cplusplus
}
#endif

#endif

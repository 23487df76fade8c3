/* kernels - the table of kernels. Contents: k.h says what a kernel is, each k_*.h has those of its
 * kind. To add a kind: include its header here and put its list into HOP_CUDA_KERNELS.
 */
#ifndef HOP_ENGINE_CUDA_KERNELS_H
#define HOP_ENGINE_CUDA_KERNELS_H

#include <stddef.h>
#include "engine/cuda/k_activation.h"
#include "engine/cuda/k_batch.h"
#include "engine/cuda/k_linear.h"
#include "engine/cuda/k_loss.h"
#include "engine/cuda/k_norm.h"
#include "engine/cuda/k_optim.h"
#include "engine/cuda/k_pool.h"
#include "engine/cuda/k_shape.h"

#define HOP_CUDA_KERNELS(X)                                                                        \
    K_ACTIVATION(X) K_BATCH(X) K_LINEAR(X) K_LOSS(X) K_NORM(X) K_OPTIM(X) K_POOL(X) K_SHAPE(X)

#define K_ID(name) K_##name,
enum hop_cuda_kernel { HOP_CUDA_KERNELS(K_ID) HOP_CUDA_N_KERNELS };

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
extern const struct hop_cuda_kernel_row hop_cuda_kernel_rows[HOP_CUDA_N_KERNELS];
#ifdef __cplusplus
}
#endif

#endif

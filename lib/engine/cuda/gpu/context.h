/* context - one opened GPU, and what the files of the real driver share. */
#ifndef HOP_ENGINE_CUDA_GPU_CONTEXT_H
#define HOP_ENGINE_CUDA_GPU_CONTEXT_H

#include "engine/cuda/driver.h"
#include "engine/cuda/fast.h"
#include "engine/cuda/gpu/api.h"
#include "engine/plugin.h"

struct hop_cuda_blas; /* what fast_cudnn.c keeps for a context */

struct hop_cuda_context {
    const struct hop_cuda_api *api;
    CUdevice device;
    CUcontext context; /* the device's primary one: that of the CUDA runtime and of cuDNN */
    int64_t id;        /* unlike that of any other of this process */
    char where[32];    /* "device cuda:1" */
    int capability;    /* 90 = 9.0 */
    struct hop_cuda_blas *blas; /* NULL until the first fast plan */
};

extern const struct hop_cuda_driver hop_cuda_driver_real;

/* hop_cuda_use - the functions, with c made the calling thread's current context. */
const struct hop_cuda_api *hop_cuda_use(struct hop_cuda_context *c);

/* hop_cuda_capability - of device i, as 10 * major + minor. 80 is what hop needs. */
enum { HOP_CUDA_CAPABILITY = 80 };
int hop_cuda_capability(const struct hop_cuda_api *api, CUdevice d, int *out, struct hop_err *e);

/* Tensor cores: cuDNN where the build had it (fast_cudnn.c), else absent/fast_cudnn.c. */
extern const struct hop_cuda_fast *const hop_cuda_fast_table; /* NULL: built without cuDNN */
void hop_cuda_fast_close(struct hop_cuda_context *c);
/* hop_cuda_fast_plans - the plans to use: text as plan_set.h has it (kept, not copied; "" none), and
 * what is told of each plan made besides, or NULL. */
void hop_cuda_fast_plans(const char *text, void (*on_plan)(const char *line));
/* hop_cuda_fast_version - "cudnn 9.19.0", or "" and why there is none (e filled in, code HOP_EDEV). */
const char *hop_cuda_fast_version(struct hop_err *e);

#endif

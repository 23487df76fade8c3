/* cudnn - cuDNN's graph API, opened at run time (as api.h opens the driver's).
 *
 * Plans can be chosen without a GPU: a device is then a text of its properties (cuDNN's own JSON),
 * which is how tests know what a GPU would be given.
 */
#ifndef HOP_ENGINE_CUDA_GPU_CUDNN_H
#define HOP_ENGINE_CUDA_GPU_CUDNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cudnn.h>
#include "base/err.h"

#define HOP_CUDNN_FUNCTIONS(X)                                                                     \
    X(cudnnGetVersion)                                                                             \
    X(cudnnGetErrorString)                                                                         \
    X(cudnnGetLastErrorString)                                                                     \
    X(cudnnCreate)                                                                                 \
    X(cudnnDestroy)                                                                                \
    X(cudnnSetStream)                                                                              \
    X(cudnnBackendCreateDescriptor)                                                                \
    X(cudnnBackendDestroyDescriptor)                                                               \
    X(cudnnBackendSetAttribute)                                                                    \
    X(cudnnBackendGetAttribute)                                                                    \
    X(cudnnBackendFinalize)                                                                        \
    X(cudnnBackendExecute)

#define HOP_CUDNN_POINTER(f) __typeof__(&f) f;
struct hop_cudnn {
    HOP_CUDNN_FUNCTIONS(HOP_CUDNN_POINTER)
    char version[32]; /* "9.19.0" */
};

/* A GPU to choose plans for: either is NULL. */
struct hop_cudnn_device {
    cudnnHandle_t handle;              /* of the current context */
    cudnnBackendDescriptor_t described; /* properties without a GPU */
};

/* hop_cudnn_open - the library; the same on every call. Err: HOP_EDEV: not found, or of a version
 * whose first number is not that of the headers. */
int hop_cudnn_open(const struct hop_cudnn **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_cudnn_check - HOP_OK if s is success; else HOP_ENOMEM or HOP_EDEV with cuDNN's words. */
int hop_cudnn_check(const struct hop_cudnn *lib, cudnnStatus_t s, const char *what,
                    struct hop_err *e);

/* hop_cudnn_device_described - a device of cuDNN's JSON text (test/golden/cudnn). device_here - the
 * GPU of the current context. device_clear frees either. */
int hop_cudnn_device_described(const struct hop_cudnn *lib, const char *json,
                               struct hop_cudnn_device *out, struct hop_err *e) HOP_MUSTUSE;
int hop_cudnn_device_here(const struct hop_cudnn *lib, struct hop_cudnn_device *out,
                          struct hop_err *e) HOP_MUSTUSE;
void hop_cudnn_device_clear(const struct hop_cudnn *lib, struct hop_cudnn_device *d);

/* hop_cudnn_device_text - the properties of CUDA device `ordinal` as that JSON, malloced. */
int hop_cudnn_device_text(const struct hop_cudnn *lib, int ordinal, char **out,
                          struct hop_err *e) HOP_MUSTUSE;

#endif

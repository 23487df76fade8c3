/* api - the CUDA driver's functions, looked up at run time: nothing of hop is linked with CUDA.
 *
 * The types come from cuda.h, so that a wrong argument does not compile; the names are what cuda.h
 * makes of them (cuMemAlloc is cuMemAlloc_v2), so that a program and its header agree for ever.
 */
#ifndef HOP_ENGINE_CUDA_GPU_API_H
#define HOP_ENGINE_CUDA_GPU_API_H

#include <cuda.h>
#include "base/err.h"

#define HOP_CUDA_FUNCTIONS(X)                                                                      \
    X(cuInit)                                                                                      \
    X(cuDriverGetVersion)                                                                          \
    X(cuGetErrorName)                                                                              \
    X(cuGetErrorString)                                                                            \
    X(cuDeviceGetCount)                                                                            \
    X(cuDeviceGet)                                                                                 \
    X(cuDeviceGetName)                                                                             \
    X(cuDeviceGetUuid)                                                                             \
    X(cuDeviceGetAttribute)                                                                        \
    X(cuDeviceTotalMem)                                                                            \
    X(cuDevicePrimaryCtxRetain)                                                                    \
    X(cuDevicePrimaryCtxRelease)                                                                   \
    X(cuCtxSetCurrent)                                                                             \
    X(cuMemGetInfo)                                                                                \
    X(cuMemAlloc)                                                                                  \
    X(cuMemFree)                                                                                   \
    X(cuMemAllocHost)                                                                              \
    X(cuMemFreeHost)                                                                               \
    X(cuMemcpyHtoDAsync)                                                                           \
    X(cuMemcpyDtoHAsync)                                                                           \
    X(cuMemcpyDtoDAsync)                                                                           \
    X(cuMemsetD8Async)                                                                             \
    X(cuStreamCreate)                                                                              \
    X(cuStreamDestroy)                                                                             \
    X(cuStreamSynchronize)                                                                         \
    X(cuStreamBeginCapture)                                                                        \
    X(cuStreamEndCapture)                                                                          \
    X(cuGraphInstantiate)                                                                          \
    X(cuGraphLaunch)                                                                               \
    X(cuGraphDestroy)                                                                              \
    X(cuGraphExecDestroy)                                                                          \
    X(cuEventCreate)                                                                               \
    X(cuEventDestroy)                                                                              \
    X(cuEventRecord)                                                                               \
    X(cuEventSynchronize)

#define HOP_CUDA_POINTER(f) __typeof__(&f) f;
struct hop_cuda_api {
    HOP_CUDA_FUNCTIONS(HOP_CUDA_POINTER)
};

/* hop_cuda_api - the functions, after cuInit; the same table on every call. Err: HOP_EDEV: no
 * driver, one too old, or no GPU ("no usable GPU (...)"). */
int hop_cuda_api(const struct hop_cuda_api **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_cuda_check - HOP_OK if r is success. Err: HOP_ENOMEM out of device memory; else HOP_EDEV, `what`
 * and the driver's words. `where` names the device. */
int hop_cuda_check(CUresult r, const char *where, const char *what, struct hop_err *e);

#endif

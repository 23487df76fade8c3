/* A libcuda.so.1 of host memory for t_driver_cuda: does at once what it is asked, counts what is open,
 * writes down every call ("cuMemAlloc 100;"), and fails where it is told to. cuda.h's prototypes hold
 * its definitions to the driver's. fake.h has what the test calls. */
#include <cuda.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

static struct fake state = {.n_devices = 2, .capability = 90, .version = 13000};
static CUresult failure;
static char failing[64];
static CUstream captured;
static uintptr_t next_handle = 0x1000;

__attribute__((visibility("default"))) struct fake *
fake_state(void)
{
    return &state;
}

__attribute__((visibility("default"))) void
fake_fail(const char *function, int result)
{
    snprintf(failing, sizeof failing, "%s", function);
    failure = (CUresult)result;
}

/* Write down the call; the result it shall have. */
static CUresult
call(const char *name, const char *fmt, ...)
{
    size_t n = strlen(state.log);
    va_list ap;

    n += (size_t)snprintf(state.log + n, sizeof state.log - n, "%s", name);
    va_start(ap, fmt);
    n += (size_t)vsnprintf(state.log + n, sizeof state.log - n, fmt, ap);
    va_end(ap);
    snprintf(state.log + n, sizeof state.log - n, ";");
    if (!strcmp(name, failing)) {
        failing[0] = '\0';
        return failure;
    }
    return CUDA_SUCCESS;
}

static void *
handle(void)
{
    return (void *)(next_handle += 16);
}

CUresult
cuInit(unsigned flags)
{
    return call("cuInit", " %u", flags);
}

CUresult
cuDriverGetVersion(int *version)
{
    *version = state.version;
    return call("cuDriverGetVersion", "");
}

CUresult
cuGetErrorName(CUresult r, const char **text)
{
    *text = r == CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OTHER";
    return CUDA_SUCCESS;
}

CUresult
cuGetErrorString(CUresult r, const char **text)
{
    *text = r == CUDA_ERROR_ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "other";
    return CUDA_SUCCESS;
}

CUresult
cuDeviceGetCount(int *n)
{
    *n = state.n_devices;
    return call("cuDeviceGetCount", "");
}

CUresult
cuDeviceGet(CUdevice *d, int i)
{
    *d = 40 + i; /* a device is not its number */
    return call("cuDeviceGet", " %d", i);
}

CUresult
cuDeviceGetName(char *name, int n, CUdevice d)
{
    snprintf(name, (size_t)n, "Fake GPU %d", d - 40);
    return call("cuDeviceGetName", " %d", d);
}

CUresult
cuDeviceGetUuid(CUuuid *u, CUdevice d)
{
    size_t i;

    for (i = 0; i < sizeof u->bytes; i++)
        u->bytes[i] = (char)(0xf0 + i);
    return call("cuDeviceGetUuid", " %d", d);
}

CUresult
cuDeviceGetAttribute(int *out, CUdevice_attribute what, CUdevice d)
{
    *out = what == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR   ? state.capability / 10
           : what == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? state.capability % 10
           : what == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT     ? 132
                                                                  : -1;
    return call("cuDeviceGetAttribute", " %d %d", (int)what, d);
}

CUresult
cuDeviceTotalMem(size_t *bytes, CUdevice d)
{
    *bytes = (size_t)1 << 37;
    return call("cuDeviceTotalMem", " %d", d);
}

CUresult
cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d)
{
    CUresult r = call("cuDevicePrimaryCtxRetain", " %d", d);

    *c = r ? NULL : handle();
    state.n_contexts += !r;
    return r;
}

CUresult
cuDevicePrimaryCtxRelease(CUdevice d)
{
    state.n_contexts--;
    return call("cuDevicePrimaryCtxRelease", " %d", d);
}

CUresult
cuCtxSetCurrent(CUcontext c)
{
    return call("cuCtxSetCurrent", " %s", c ? "context" : "NULL");
}

CUresult
cuCtxSynchronize(void)
{
    return call("cuCtxSynchronize", "");
}

CUresult
cuMemGetInfo(size_t *n_free, size_t *n_all)
{
    *n_free = 1000;
    *n_all = 2000;
    return call("cuMemGetInfo", "");
}

CUresult
cuMemAlloc(CUdeviceptr *p, size_t n)
{
    CUresult r = captured ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : call("cuMemAlloc", " %zu", n);

    *p = r ? 0 : (CUdeviceptr)(uintptr_t)aligned_alloc(256, (n + 255) / 256 * 256);
    state.n_buffers += !r;
    return r;
}

CUresult
cuMemFree(CUdeviceptr p)
{
    free((void *)(uintptr_t)p);
    state.n_buffers--;
    return call("cuMemFree", "");
}

CUresult
cuMemAllocHost(void **p, size_t n)
{
    CUresult r = call("cuMemAllocHost", " %zu", n);

    *p = r ? NULL : malloc(n);
    state.n_buffers += !r;
    return r;
}

CUresult
cuMemFreeHost(void *p)
{
    free(p);
    state.n_buffers--;
    return call("cuMemFreeHost", "");
}

CUresult
cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t n, CUstream s)
{
    memcpy((void *)(uintptr_t)to, from, n);
    return call("cuMemcpyHtoDAsync", " %zu %s", n, s ? "stream" : "default");
}

CUresult
cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t n, CUstream s)
{
    memcpy(to, (void *)(uintptr_t)from, n);
    return call("cuMemcpyDtoHAsync", " %zu %s", n, s ? "stream" : "default");
}

CUresult
cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s)
{
    memmove((void *)(uintptr_t)to, (void *)(uintptr_t)from, n);
    return call("cuMemcpyDtoDAsync", " %zu %s", n, s ? "stream" : "default");
}

CUresult
cuMemsetD8Async(CUdeviceptr p, unsigned char byte, size_t n, CUstream s)
{
    memset((void *)(uintptr_t)p, byte, n);
    return call("cuMemsetD8Async", " %u %zu %s", byte, n, s ? "stream" : "default");
}

CUresult
cuStreamCreate(CUstream *s, unsigned flags)
{
    CUresult r = call("cuStreamCreate", " %u", flags);

    *s = r ? NULL : handle();
    state.n_streams += !r;
    return r;
}

CUresult
cuStreamDestroy(CUstream s)
{
    (void)s;
    state.n_streams--;
    return call("cuStreamDestroy", "");
}

CUresult
cuStreamSynchronize(CUstream s)
{
    return captured == s ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : call("cuStreamSynchronize", "");
}

CUresult
cuStreamBeginCapture(CUstream s, CUstreamCaptureMode mode)
{
    captured = s;
    return call("cuStreamBeginCapture", " %d", (int)mode);
}

CUresult
cuStreamEndCapture(CUstream s, CUgraph *g)
{
    CUresult r = captured == s ? call("cuStreamEndCapture", "") : CUDA_ERROR_ILLEGAL_STATE;

    captured = NULL;
    *g = r ? NULL : handle();
    state.n_graphs += !r;
    return r;
}

CUresult
cuGraphInstantiate(CUgraphExec *x, CUgraph g, unsigned long long flags)
{
    CUresult r = call("cuGraphInstantiate", " %llu", flags);

    (void)g;
    *x = r ? NULL : handle();
    state.n_graphs += !r;
    return r;
}

CUresult
cuGraphLaunch(CUgraphExec x, CUstream s)
{
    return call("cuGraphLaunch", " %s %s", x ? "graph" : "NULL", s ? "stream" : "default");
}

CUresult
cuGraphDestroy(CUgraph g)
{
    (void)g;
    state.n_graphs--;
    return call("cuGraphDestroy", "");
}

CUresult
cuGraphExecDestroy(CUgraphExec x)
{
    (void)x;
    state.n_graphs--;
    return call("cuGraphExecDestroy", "");
}

CUresult
cuEventCreate(CUevent *v, unsigned flags)
{
    CUresult r = call("cuEventCreate", " %u", flags);

    *v = r ? NULL : handle();
    state.n_events += !r;
    return r;
}

CUresult
cuEventDestroy(CUevent v)
{
    (void)v;
    state.n_events--;
    return call("cuEventDestroy", "");
}

CUresult
cuEventRecord(CUevent v, CUstream s)
{
    return call("cuEventRecord", " %s %s", v ? "event" : "NULL", s ? "stream" : "default");
}

CUresult
cuEventSynchronize(CUevent v)
{
    return call("cuEventSynchronize", " %s", v ? "event" : "NULL");
}

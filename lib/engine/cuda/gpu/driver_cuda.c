/* The driver of driver.h over the CUDA driver API. Streams, events and graphs are CUDA's own handles
 * under another type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/gpu/context.h"

/* ---- devices ---- */

int
hop_cuda_capability(const struct hop_cuda_api *api, CUdevice d, int *out, struct hop_err *e)
{
    int major = 0, minor = 0;
    CUresult r;

    r = api->cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, d);
    if (!r)
        r = api->cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, d);
    *out = 10 * major + minor;
    return hop_cuda_check(r, "device cuda", "compute capability", e);
}

static int
count(int *n, struct hop_err *e)
{
    const struct hop_cuda_api *api;
    int rc;

    *n = 0;
    if ((rc = hop_cuda_api(&api, e)) ||
        (rc = hop_cuda_check(api->cuDeviceGetCount(n), "device cuda", "no usable GPU", e)))
        return rc;
    if (*n == 0)
        return hop_fail(e, HOP_EDEV, "device cuda", "see nvidia-smi -L and CUDA_VISIBLE_DEVICES",
                        "no usable GPU: the driver shows none");
    return HOP_OK;
}

static void
uuid_text(const CUuuid *u, char out[48])
{
    const unsigned char *b = (const unsigned char *)u->bytes;

    snprintf(out, 48,
             "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Device number `index`; an error that says how many there are. */
static int
find(int index, const struct hop_cuda_api **api, CUdevice *d, struct hop_err *e)
{
    int n, rc;

    if ((rc = hop_cuda_api(api, e)) || (rc = count(&n, e)))
        return rc;
    if (index < 0 || index >= n)
        return hop_fail(e, HOP_EDEV, "device cuda", "see nvidia-smi -L and CUDA_VISIBLE_DEVICES",
                        "there is no cuda:%d: this process sees %d GPU%s", index, n,
                        n == 1 ? "" : "s");
    return hop_cuda_check((*api)->cuDeviceGet(d, index), "device cuda", "cuDeviceGet", e);
}

static int
props(int index, struct hop_cuda_props *out, struct hop_err *e)
{
    const struct hop_cuda_api *api;
    CUuuid uuid;
    CUdevice d;
    CUresult r;
    size_t bytes = 0;
    int rc, capability;

    memset(out, 0, sizeof *out);
    if ((rc = find(index, &api, &d, e)) || (rc = hop_cuda_capability(api, d, &capability, e)))
        return rc;
    out->major = capability / 10;
    out->minor = capability % 10;
    out->runtime_version = CUDA_VERSION;
    r = api->cuDeviceGetName(out->name, sizeof out->name, d);
    if (!r && !(r = api->cuDeviceGetUuid(&uuid, d)))
        uuid_text(&uuid, out->uuid);
    if (!r)
        r = api->cuDeviceGetAttribute(&out->n_multiprocessors,
                                      CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, d);
    if (!r)
        r = api->cuDriverGetVersion(&out->driver_version);
    if (!r)
        r = api->cuDeviceTotalMem(&bytes, d);
    out->memory_bytes = bytes;
    return hop_cuda_check(r, "device cuda", "properties", e);
}

/* ---- contexts ---- */

/* CUDA keeps a current context per thread, and a device may be opened by one and used by another. */
static _Thread_local int64_t current; /* id of the context, 0 none of ours */

static CUresult
set_current(struct hop_cuda_context *c)
{
    CUresult r = c->api->cuCtxSetCurrent(c->context);

    current = r ? 0 : c->id;
    return r;
}

const struct hop_cuda_api *
hop_cuda_use(struct hop_cuda_context *c)
{
    if (current != c->id)
        set_current(c); /* the call that follows says what is wrong */
    return c->api;
}

static void
close_(struct hop_cuda_context *c)
{
    if (!c)
        return;
    hop_cuda_fast_close(c);
    if (c->context) {
        c->api->cuDevicePrimaryCtxRelease(c->device);
        current = current == c->id ? 0 : current;
    }
    free(c);
}

/* Is there code of ours for this GPU? hop_cuda_kernel_check speaks in the numbers of cudaError_t, which
 * are the driver's where both have one. */
static int
check_kernels(const struct hop_cuda_context *c, struct hop_err *e)
{
    enum { RUNTIME_NEEDS_NEWER_DRIVER = 35, NOT_OURS = -1 };
    int r = hop_cuda_kernel_check();

    if (r == NOT_OURS)
        return hop_fail(e, HOP_EDEV, c->where, "build with another nvcc or compiler",
                        "nvcc and the C compiler lay out structures differently");
    if (r == RUNTIME_NEEDS_NEWER_DRIVER)
        return hop_fail(e, HOP_EDEV, c->where, "update the NVIDIA driver",
                        "the driver is older than CUDA %d.%d, which hop was built with",
                        CUDA_VERSION / 1000, CUDA_VERSION % 1000 / 10);
    return hop_cuda_check((CUresult)r, c->where, "kernels", e);
}

static int
open_(int index, struct hop_cuda_context **out, struct hop_err *e)
{
    static _Atomic int64_t n_opened;
    struct hop_cuda_context *c;
    int rc;

    *out = NULL;
    if (!(c = hop_alloc(1, sizeof *c, e)))
        return HOP_ENOMEM;
    c->id = ++n_opened;
    snprintf(c->where, sizeof c->where, "device cuda:%d", index);
    if ((rc = find(index, &c->api, &c->device, e)) ||
        (rc = hop_cuda_capability(c->api, c->device, &c->capability, e))) {
        free(c);
        return rc;
    }
    if (c->capability < HOP_CUDA_CAPABILITY)
        rc = hop_fail(e, HOP_EDEV, c->where, "use --device cpu",
                      "this GPU has compute capability %d.%d, hop needs %d.%d", c->capability / 10,
                      c->capability % 10, HOP_CUDA_CAPABILITY / 10, HOP_CUDA_CAPABILITY % 10);
    if (!rc)
        rc = hop_cuda_check(c->api->cuDevicePrimaryCtxRetain(&c->context, c->device), c->where,
                            "cannot open", e);
    if (!rc)
        rc = hop_cuda_check(set_current(c), c->where, "cannot open", e);
    if (!rc)
        rc = check_kernels(c, e);
    if (rc) {
        close_(c);
        return rc;
    }
    *out = c;
    return HOP_OK;
}

/* ---- streams, memory ---- */

static int
stream_new(struct hop_cuda_context *c, struct hop_cuda_stream **out, struct hop_err *e)
{
    CUstream s = NULL;
    CUresult r = hop_cuda_use(c)->cuStreamCreate(&s, CU_STREAM_NON_BLOCKING);

    *out = (struct hop_cuda_stream *)s;
    return hop_cuda_check(r, c->where, "cannot make a stream", e);
}

static void
stream_free(struct hop_cuda_context *c, struct hop_cuda_stream *s)
{
    if (s)
        hop_cuda_use(c)->cuStreamDestroy((CUstream)s);
}

static int
stream_sync(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_err *e)
{
    return hop_cuda_check(hop_cuda_use(c)->cuStreamSynchronize((CUstream)s), c->where, "work failed", e);
}

static int
alloc(struct hop_cuda_context *c, size_t bytes, void **out, struct hop_err *e)
{
    CUdeviceptr p = 0;
    char what[64];
    CUresult r = hop_cuda_use(c)->cuMemAlloc(&p, bytes ? bytes : 1);

    *out = (void *)(uintptr_t)p;
    snprintf(what, sizeof what, "cannot have %.1f MB", (double)bytes / 1e6);
    return hop_cuda_check(r, c->where, what, e);
}

static void
free_(struct hop_cuda_context *c, void *p)
{
    if (p)
        hop_cuda_use(c)->cuMemFree((CUdeviceptr)(uintptr_t)p);
}

static int
host_alloc(struct hop_cuda_context *c, size_t bytes, void **out, struct hop_err *e)
{
    CUresult r;

    *out = NULL;
    r = hop_cuda_use(c)->cuMemAllocHost(out, bytes ? bytes : 1);
    return hop_cuda_check(r, c->where, "cannot have pinned memory", e);
}

static void
host_free(struct hop_cuda_context *c, void *p)
{
    if (p)
        hop_cuda_use(c)->cuMemFreeHost(p);
}

static int
copy_in(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to_device,
        const void *from_host, size_t bytes, struct hop_err *e)
{
    if (bytes == 0)
        return HOP_OK;
    return hop_cuda_check(hop_cuda_use(c)->cuMemcpyHtoDAsync((CUdeviceptr)(uintptr_t)to_device, from_host,
                                                    bytes, (CUstream)s),
                          c->where, "copy to the GPU", e);
}

static int
copy_out(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to_host,
         const void *from_device, size_t bytes, struct hop_err *e)
{
    if (bytes == 0)
        return HOP_OK;
    return hop_cuda_check(hop_cuda_use(c)->cuMemcpyDtoHAsync(to_host, (CUdeviceptr)(uintptr_t)from_device,
                                                    bytes, (CUstream)s),
                          c->where, "copy from the GPU", e);
}

static int
copy(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to_device,
     const void *from_device, size_t bytes, struct hop_err *e)
{
    if (bytes == 0)
        return HOP_OK;
    return hop_cuda_check(hop_cuda_use(c)->cuMemcpyDtoDAsync((CUdeviceptr)(uintptr_t)to_device,
                                                    (CUdeviceptr)(uintptr_t)from_device, bytes,
                                                    (CUstream)s),
                          c->where, "copy on the GPU", e);
}

static int
set(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *p, int byte, size_t bytes,
    struct hop_err *e)
{
    if (bytes == 0)
        return HOP_OK;
    return hop_cuda_check(hop_cuda_use(c)->cuMemsetD8Async((CUdeviceptr)(uintptr_t)p, (unsigned char)byte,
                                                  bytes, (CUstream)s),
                          c->where, "set memory", e);
}

/* ---- kernels, events, graphs ---- */

static int
launch(struct hop_cuda_context *c, struct hop_cuda_stream *s, int kernel, int64_t n,
       const void *args, struct hop_err *e)
{
    char what[40];
    int r;

    if (n == 0)
        return HOP_OK;
    hop_cuda_use(c);
    if (!(r = hop_cuda_kernel_launch(s, kernel, n, args)))
        return HOP_OK;
    snprintf(what, sizeof what, "kernel %d", kernel);
    return hop_cuda_check((CUresult)r, c->where, what, e);
}

static int
event_new(struct hop_cuda_context *c, struct hop_cuda_event **out, struct hop_err *e)
{
    CUevent v = NULL;
    CUresult r = hop_cuda_use(c)->cuEventCreate(&v, CU_EVENT_DISABLE_TIMING);

    *out = (struct hop_cuda_event *)v;
    return hop_cuda_check(r, c->where, "cannot make an event", e);
}

static void
event_free(struct hop_cuda_context *c, struct hop_cuda_event *v)
{
    if (v)
        hop_cuda_use(c)->cuEventDestroy((CUevent)v);
}

static int
event_record(struct hop_cuda_context *c, struct hop_cuda_event *v, struct hop_cuda_stream *s,
             struct hop_err *e)
{
    return hop_cuda_check(hop_cuda_use(c)->cuEventRecord((CUevent)v, (CUstream)s), c->where, "event", e);
}

static int
event_sync(struct hop_cuda_context *c, struct hop_cuda_event *v, struct hop_err *e)
{
    return hop_cuda_check(hop_cuda_use(c)->cuEventSynchronize((CUevent)v), c->where, "work failed", e);
}

static int
capture_begin(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_err *e)
{
    /* relaxed: a library that loads code on first use may do so, though none should have to */
    return hop_cuda_check(hop_cuda_use(c)->cuStreamBeginCapture((CUstream)s, CU_STREAM_CAPTURE_MODE_RELAXED),
                          c->where, "capture", e);
}

static int
capture_end(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_cuda_graph **out,
            struct hop_err *e)
{
    CUgraph graph = NULL;
    CUgraphExec exec = NULL;
    CUresult r = hop_cuda_use(c)->cuStreamEndCapture((CUstream)s, &graph);

    if (!r && graph)
        r = hop_cuda_use(c)->cuGraphInstantiate(&exec, graph, 0);
    if (graph)
        hop_cuda_use(c)->cuGraphDestroy(graph);
    *out = (struct hop_cuda_graph *)exec;
    if (!r && !exec)
        r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    return hop_cuda_check(r, c->where, "capture", e);
}

static int
graph_launch(struct hop_cuda_context *c, struct hop_cuda_graph *g, struct hop_cuda_stream *s,
             struct hop_err *e)
{
    return hop_cuda_check(hop_cuda_use(c)->cuGraphLaunch((CUgraphExec)g, (CUstream)s), c->where, "graph", e);
}

static void
graph_free(struct hop_cuda_context *c, struct hop_cuda_graph *g)
{
    if (g)
        hop_cuda_use(c)->cuGraphExecDestroy((CUgraphExec)g);
}

const struct hop_cuda_driver hop_cuda_driver_real = {
    .abi = HOP_CUDA_DRIVER_ABI,
    .size = sizeof(struct hop_cuda_driver),
    .name = "cuda",
    .count = count,
    .props = props,
    .open = open_,
    .close = close_,
    .stream_new = stream_new,
    .stream_free = stream_free,
    .stream_sync = stream_sync,
    .alloc = alloc,
    .free = free_,
    .host_alloc = host_alloc,
    .host_free = host_free,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .copy = copy,
    .set = set,
    .launch = launch,
    .event_new = event_new,
    .event_free = event_free,
    .event_record = event_record,
    .event_sync = event_sync,
    .capture_begin = capture_begin,
    .capture_end = capture_end,
    .graph_launch = graph_launch,
    .graph_free = graph_free,
};

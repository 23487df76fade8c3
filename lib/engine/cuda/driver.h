/* driver - the CUDA calls that the device "cuda" makes, as one table.
 *
 * driver_cuda.c fills it with the CUDA runtime, driver_host.c with host memory and host loops that
 * check every call; device.c and the rest call nothing else. So the whole device, but the GPU, runs
 * in tests.
 *
 * Every function that can fail returns HOP_OK or a negative code and fills e: HOP_ENOMEM when memory
 * is out, HOP_EDEV for everything else, with CUDA's own words in it. After HOP_EDEV of any call but
 * open, the context is lost: the device closes it and the visit ends with status 75.
 * One context is used by one thread at a time; those of one GPU may be used side by side, and what
 * memory one of them has given is valid in all, until that one is closed.
 * An error that a kernel left comes out of the next sync.
 * Device pointers are plain `void *`, valid in kernels and in the calls of this table alone.
 *
 * Order: what a stream is given runs in that order, some time until stream_sync or event_sync. Of
 * copy_in's host memory, what host_alloc gave is read when the copy runs, other memory before the
 * call returns. What copy_out writes is there after a sync.
 *
 * Capture: between capture_begin and capture_end what the stream is given is recorded and not run:
 * only launch, copy and set are allowed then, on that stream; no sync, no memory. Arguments of
 * kernels are copied at launch, so each run of the graph has those of the capture.
 */
#ifndef HOP_ENGINE_CUDA_DRIVER_H
#define HOP_ENGINE_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "engine/engine.h"

enum { HOP_CUDA_DRIVER_ABI = 1, HOP_CUDA_ALIGN = 256 };

struct hop_cuda_context; /* one opened GPU */
struct hop_cuda_stream;  /* never the default stream; does not wait for it (non-blocking) */
struct hop_cuda_event;
struct hop_cuda_graph;   /* captured and instantiated */

struct hop_cuda_props {
    char name[80];
    char uuid[48];           /* "GPU-..." */
    int major, minor;        /* compute capability */
    int n_multiprocessors;
    int runtime_version, driver_version; /* 13000 = 13.0 */
    uint64_t memory_bytes;
};

struct hop_cuda_fast; /* convolutions and matrix products on tensor cores: fast.h */

struct hop_cuda_driver {
    uint32_t abi;     /* HOP_CUDA_DRIVER_ABI */
    uint32_t size;    /* sizeof(struct hop_cuda_driver) */
    const char *name; /* of the device made of it: "cuda"; of the host's, "cuda-host" */

    /* How many GPUs there are. Err: HOP_EDEV "no usable GPU: ..." also where there is none. */
    int (*count)(int *n, struct hop_err *e);
    /* Of GPU number index, without making a context. */
    int (*props)(int index, struct hop_cuda_props *out, struct hop_err *e);

    /* GPU number index made ready: context, kernels' module. Err: HOP_EDEV also for a GPU that the
     * kernels were not compiled for. close frees everything that is left. */
    int (*open)(int index, struct hop_cuda_context **out, struct hop_err *e);
    void (*close)(struct hop_cuda_context *c);

    int (*stream_new)(struct hop_cuda_context *c, struct hop_cuda_stream **out, struct hop_err *e);
    void (*stream_free)(struct hop_cuda_context *c, struct hop_cuda_stream *s); /* NULL is fine */
    int (*stream_sync)(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_err *e);

    /* Device memory, HOP_CUDA_ALIGN-aligned, content undefined. free waits for nothing: the caller
     * has synced. NULL is fine. */
    int (*alloc)(struct hop_cuda_context *c, size_t bytes, void **out, struct hop_err *e);
    void (*free)(struct hop_cuda_context *c, void *p);
    /* Pinned host memory. */
    int (*host_alloc)(struct hop_cuda_context *c, size_t bytes, void **out, struct hop_err *e);
    void (*host_free)(struct hop_cuda_context *c, void *p);

    int (*copy_in)(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to_device,
                   const void *from_host, size_t bytes, struct hop_err *e);
    int (*copy_out)(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to_host,
                    const void *from_device, size_t bytes, struct hop_err *e);
    int (*copy)(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to_device,
                const void *from_device, size_t bytes, struct hop_err *e);
    int (*set)(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *p, int byte,
               size_t bytes, struct hop_err *e);

    /* Run kernel number `kernel` (enum hop_cuda_kernel, kernels.h) for items 0..n-1; args: the
     * kernel's struct, copied before the call returns. n = 0: nothing happens. */
    int (*launch)(struct hop_cuda_context *c, struct hop_cuda_stream *s, int kernel, int64_t n,
                  const void *args, struct hop_err *e);

    int (*event_new)(struct hop_cuda_context *c, struct hop_cuda_event **out, struct hop_err *e);
    void (*event_free)(struct hop_cuda_context *c, struct hop_cuda_event *v); /* NULL is fine */
    int (*event_record)(struct hop_cuda_context *c, struct hop_cuda_event *v,
                        struct hop_cuda_stream *s, struct hop_err *e);
    int (*event_sync)(struct hop_cuda_context *c, struct hop_cuda_event *v, struct hop_err *e);

    /* After a failed call in a capture, capture_end still ends it (and fails, *out NULL). */
    int (*capture_begin)(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_err *e);
    int (*capture_end)(struct hop_cuda_context *c, struct hop_cuda_stream *s,
                       struct hop_cuda_graph **out, struct hop_err *e);
    int (*graph_launch)(struct hop_cuda_context *c, struct hop_cuda_graph *g,
                        struct hop_cuda_stream *s, struct hop_err *e);
    void (*graph_free)(struct hop_cuda_context *c, struct hop_cuda_graph *g); /* NULL is fine */

    const struct hop_cuda_fast *fast; /* NULL: --precision bf16 is refused */
};

/* hop_cuda_device - the device over this driver, which stays borrowed: one driver per process, a
 * later call replaces the table's. Named after the driver. */
const struct hop_device_ops *hop_cuda_device(const struct hop_cuda_driver *driver);

/* hop_cuda_fast_name - what fingerprints of fast plans on a GPU of these properties begin with: "cuda fast
 * sm_90 132 cudnn 9.19.0 ..."; "" where it has none. Opens the libraries. */
void hop_cuda_fast_name(const struct hop_cuda_driver *driver, const struct hop_cuda_props *props,
                        char *out, size_t n);

/* hop_cuda_kernel_launch - kernels.cu: what the real driver's launch calls. stream is a cudaStream_t;
 * returns a cudaError_t as an int (0 = done), of the launch itself. Needs no initialisation. */
int hop_cuda_kernel_launch(void *stream, int kernel, int64_t n, const void *args);

/* hop_cuda_kernel_check - kernels.cu: is there code of the kernels for the current GPU, and is the
 * struct layout of its compiler ours? Returns a cudaError_t; -1: the layouts differ. */
int hop_cuda_kernel_check(void);

#endif

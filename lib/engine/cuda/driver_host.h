/* driver_host - a driver of host memory that checks every call: the device "cuda-host" of the tests.
 *
 * Kernels are host loops over the same bodies. Streams are queues, emptied by a sync, so what a real
 * stream does late happens late here. Memory is filled with NaNs when it comes and when it goes. A
 * breach of driver.h's contract, or a kernel that reaches outside a buffer, stops the program with
 * the place.
 */
#ifndef HOP_ENGINE_CUDA_DRIVER_HOST_H
#define HOP_ENGINE_CUDA_DRIVER_HOST_H

#include "engine/cuda/driver.h"
#include "engine/cuda/fast.h"

const struct hop_cuda_driver *hop_cuda_host_driver(void);

/* What was called since the program began, by all threads. */
struct hop_cuda_host_counts {
    _Atomic int64_t n_calls;  /* that may fail */
    _Atomic int64_t n_allocs, n_live_bytes, n_live; /* device and pinned memory */
    _Atomic int64_t n_launches, n_graph_launches, n_captures, n_syncs, n_copies_in, n_copies_out;
    _Atomic int64_t n_contexts;   /* open now */
    _Atomic int64_t n_plans;      /* of fast.h, now */
    _Atomic int64_t n_fast;       /* runs of them asked for, captured ones once */
};
extern struct hop_cuda_host_counts hop_cuda_host_counts;

/* hop_cuda_host_fail - call number n_calls + n from now on fails, HOP_ENOMEM if it wants memory,
 * else HOP_EDEV, and so do all later ones but frees; 0: none does. */
void hop_cuda_host_fail(int64_t n);

/* hop_cuda_host_run - kernels_host.c: the loop of kernel number `kernel` over items 0..n-1. */
void hop_cuda_host_run(int kernel, int64_t n, const void *args);

/* ---- between driver_host.c and fast_host.c ---- */

struct hop_cuda_host_call {
    struct hop_cuda_conv conv;
    enum hop_cuda_precision precision;
    const void *in, *in2, *bias;
    void *out, *workspace;
    size_t workspace_bytes;
};

extern const struct hop_cuda_fast hop_cuda_host_fast;

/* hop_cuda_host_enter - at the start of a call that may fail, as the test wants. */
int hop_cuda_host_enter(int code, const char *call, struct hop_err *e);
/* hop_cuda_host_call - to the stream, checked. */
int hop_cuda_host_call(struct hop_cuda_context *c, struct hop_cuda_stream *s,
                       const struct hop_cuda_host_call *a, struct hop_err *e);
/* hop_cuda_host_fast_sizes - bytes of in, in2, bias, out. hop_cuda_host_fast_run - now. */
void hop_cuda_host_fast_sizes(const struct hop_cuda_host_call *a, size_t bytes[4]);
void hop_cuda_host_fast_run(const struct hop_cuda_host_call *a);

#endif

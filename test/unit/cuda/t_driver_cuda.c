/* t_driver_cuda - the real driver against a libcuda.so.1 that writes down what it is asked: the right
 * calls with the right arguments on the right stream, errors as exit statuses and words, nothing left
 * open. What only a GPU can tell is test/gpu's. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tap.h"
#include "engine/cuda/gpu/context.h"
#include "fake.h"

static const struct hop_cuda_driver *const drv = &hop_cuda_driver_real;
static struct fake *fake;
static void (*fail_next)(const char *function, int result);
static int launch_result, check_result;

/* In place of kernels.cu. */
int
hop_cuda_kernel_launch(void *stream, int kernel, int64_t n, const void *args)
{
    size_t len = strlen(fake->log);

    snprintf(fake->log + len, sizeof fake->log - len, "launch %d %lld %d %s;", kernel, (long long)n,
             *(const int *)args, stream ? "stream" : "default");
    return launch_result;
}

int
hop_cuda_kernel_check(void)
{
    return check_result;
}

/* The device over the driver is not what is tested here. */
const struct hop_device_ops *
hop_cuda_device(const struct hop_cuda_driver *driver)
{
    (void)driver;
    return NULL;
}

static void
called(const char *want, const char *what)
{
    ok(!strcmp(fake->log, want), "%s: %s", what, fake->log);
    if (strcmp(fake->log, want))
        printf("# want %s\n", want);
    fake->log[0] = '\0';
}

static void *
symbol(void *so, const char *name)
{
    void *p = dlsym(so, name);

    if (!p) {
        printf("Bail out! no %s\n", name);
        exit(1);
    }
    return p;
}

/* Under the fake's folder as LD_LIBRARY_PATH: the loader reads that at start only. */
static void
load_fake(char **argv)
{
    char dir[4096];
    void *so, *p;

    if (!getenv("HOP_TEST_FAKE")) {
        snprintf(dir, sizeof dir - 8, "%s", argv[0]);
        strcpy(strrchr(dir, '/') ? strrchr(dir, '/') + 1 : dir, "fake");
        setenv("LD_LIBRARY_PATH", dir, 1);
        setenv("HOP_TEST_FAKE", "1", 1);
        execv("/proc/self/exe", argv);
        exit(1);
    }
    if (!(so = dlopen("libcuda.so.1", RTLD_NOW))) {
        printf("Bail out! %s\n", dlerror());
        exit(1);
    }
    p = symbol(so, "fake_state");
    fake = ((struct fake * (*)(void)) p)();
    p = symbol(so, "fake_fail");
    memcpy(&fail_next, &p, sizeof p);
}

/* Every function that is asked for is there by that name in a real driver: the toolkit's stub. */
static void
test_names(void)
{
#define NAME_(f) #f
#define NAME(f)  NAME_(f),
    static const char *const names[] = {HOP_CUDA_FUNCTIONS(NAME)};
    void *stub = dlopen(STUB, RTLD_NOW | RTLD_LOCAL);
    size_t i, n = 0;

    if (!stub) {
        ok(true, "names # skip no stub of libcuda: %s", dlerror());
        return;
    }
    for (i = 0; i < HOP_LEN(names); i++)
        if (!dlsym(stub, names[i]))
            ok(false, "the driver has no %s", names[i]);
        else
            n++;
    ok(n == HOP_LEN(names) && n > 30, "%zu names are the driver's", n);
}

static void
test_init_failures(void)
{
    struct hop_err e = {0};
    int n;

    fail_next("cuInit", CUDA_ERROR_STUB_LIBRARY);
    ok(drv->count(&n, &e) == HOP_EDEV && hop_err_exit(&e) == 75 && strstr(e.what, "stub"), "stub: %s: %s (%s)",
       e.where, e.what, e.hint);
    hop_err_clear(&e);
    fail_next("cuInit", CUDA_ERROR_NO_DEVICE);
    ok(drv->count(&n, &e) == HOP_EDEV && strstr(e.what, "no usable GPU") && strstr(e.hint, "VISIBLE"),
       "no GPU: %s (%s)", e.what, e.hint);
    hop_err_clear(&e);
    fake->n_devices = 0;
    ok(drv->count(&n, &e) == HOP_EDEV && n == 0, "all hidden: %s", e.what);
    fake->n_devices = 2;
    fake->log[0] = '\0';
}

static void
test_props(void)
{
    struct hop_cuda_props p;
    struct hop_err e = {0};
    int n = 0;

    ok(!drv->count(&n, &e) && n == 2, "two GPUs");
    ok(!drv->props(1, &p, &e), "properties %s", e.what);
    ok(!strcmp(p.name, "Fake GPU 1") && p.major == 9 && p.minor == 0 && p.n_multiprocessors == 132 &&
           p.memory_bytes == 1ull << 37 && p.driver_version == 13000 &&
           p.runtime_version == CUDA_VERSION,
       "%s, %d.%d, %d, %llu", p.name, p.major, p.minor, p.n_multiprocessors,
       (unsigned long long)p.memory_bytes);
    ok(!strcmp(p.uuid, "GPU-f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff"), "%s", p.uuid);
    ok(fake->n_contexts == 0, "no context for that");
    ok(drv->props(2, &p, &e) == HOP_EDEV, "beyond the last: %s", e.what);
    fake->log[0] = '\0';
}

static void
refused(const char *what, const char *words)
{
    struct hop_cuda_context *c = NULL;
    struct hop_err e = {0};

    ok(drv->open(0, &c, &e) == HOP_EDEV && !c && strstr(e.what, words) && fake->n_contexts == 0,
       "%s: %s: %s (%s)", what, e.where, e.what, e.hint);
}

static void
test_open(void)
{
    struct hop_cuda_context *c = NULL;
    struct hop_err e = {0};

    fake->capability = 75;
    refused("old GPU", "compute capability 7.5");
    fake->capability = 90;
    check_result = -1;
    refused("layouts", "lay out");
    check_result = CUDA_ERROR_NO_BINARY_FOR_GPU;
    refused("no code", "no code for this GPU");
    check_result = 35;
    refused("old driver", "older than CUDA");
    check_result = 0;
    fail_next("cuDevicePrimaryCtxRetain", CUDA_ERROR_DEVICE_UNAVAILABLE);
    refused("exclusive", "taken");
    fake->log[0] = '\0';
    ok(!drv->open(1, &c, &e) && c, "open %s", e.what);
    called("cuDeviceGetCount;cuDeviceGet 1;cuDeviceGetAttribute 75 41;cuDeviceGetAttribute 76 41;"
           "cuDevicePrimaryCtxRetain 41;cuCtxSetCurrent context;", "open");
    drv->close(c);
    called("cuDevicePrimaryCtxRelease 41;", "close");
    drv->close(NULL);
    ok(fake->n_contexts == 0, "nothing left open");
}

static void
test_memory(struct hop_cuda_context *c, struct hop_cuda_stream *s)
{
    struct hop_err e = {0};
    void *p = NULL, *q = NULL, *zero, *h = NULL;
    char in[8] = "hop hop", out[8] = "";

    ok(!drv->alloc(c, 100, &p, &e) && !drv->alloc(c, 0, &q, &e) && !drv->host_alloc(c, 8, &h, &e),
       "memory %s", e.what);
    called("cuMemAlloc 100;cuMemAlloc 1;cuMemAllocHost 8;", "memory");
    ok((uintptr_t)p % HOP_CUDA_ALIGN == 0, "aligned");
    ok(!drv->copy_in(c, s, p, in, 8, &e) && !drv->copy(c, s, (char *)p + 50, p, 8, &e) &&
           !drv->copy_out(c, s, out, (char *)p + 50, 8, &e) && !memcmp(in, out, 8),
       "there and back: %s", out);
    called("cuMemcpyHtoDAsync 8 stream;cuMemcpyDtoDAsync 8 stream;cuMemcpyDtoHAsync 8 stream;",
           "copies");
    ok(!drv->set(c, s, p, 0x41, 3, &e) && !memcmp(p, "AAA", 3), "set");
    called("cuMemsetD8Async 65 3 stream;", "set");
    ok(!drv->copy_in(c, s, p, in, 0, &e) && !drv->copy(c, s, p, p, 0, &e) &&
           !drv->copy_out(c, s, out, p, 0, &e) && !drv->set(c, s, p, 0, 0, &e),
       "nothing is nothing");
    called("", "no call for no bytes");
    fail_next("cuMemAlloc", CUDA_ERROR_OUT_OF_MEMORY);
    zero = q;
    ok(drv->alloc(c, 3000000, &q, &e) == HOP_ENOMEM && hop_err_exit(&e) == 75 && !q &&
           strstr(e.what, "3.0 MB") && strstr(e.hint, "batch_size"),
       "out of memory: %s: %s (%s)", e.where, e.what, e.hint);
    drv->free(c, p);
    drv->free(c, zero);
    drv->free(c, NULL);
    drv->host_free(c, h);
    drv->host_free(c, NULL);
    fake->log[0] = '\0';
}

static void
test_launch(struct hop_cuda_context *c, struct hop_cuda_stream *s)
{
    struct hop_err e = {0};
    int args = 17;

    ok(!drv->launch(c, s, 3, 1000, &args, &e) && !drv->launch(c, s, 3, 0, &args, &e), "launch");
    called("launch 3 1000 17 stream;", "a kernel of no items is none");
    launch_result = CUDA_ERROR_ILLEGAL_ADDRESS;
    ok(drv->launch(c, s, 3, 1, &args, &e) == HOP_EDEV && strstr(e.what, "kernel 3: an illegal") &&
           strstr(e.what, "700"),
       "%s", e.what);
    launch_result = 0;
    hop_err_clear(&e);
    fail_next("cuStreamSynchronize", CUDA_ERROR_ILLEGAL_ADDRESS);
    ok(drv->stream_sync(c, s, &e) == HOP_EDEV && hop_err_exit(&e) == 75, "lost: %s: %s (%s)", e.where, e.what,
       e.hint);
    fake->log[0] = '\0';
}

static void
test_events(struct hop_cuda_context *c, struct hop_cuda_stream *s)
{
    struct hop_cuda_event *v = NULL;
    struct hop_err e = {0};

    ok(!drv->event_new(c, &v, &e) && !drv->event_record(c, v, s, &e) && !drv->event_sync(c, v, &e),
       "events %s", e.what);
    drv->event_free(c, v);
    drv->event_free(c, NULL);
    called("cuEventCreate 2;cuEventRecord event stream;cuEventSynchronize event;cuEventDestroy;",
           "events");
}

struct elsewhere {
    struct hop_cuda_context *c;
    struct hop_cuda_stream *s;
};

static void *
sync_twice(void *arg)
{
    struct elsewhere *x = arg;
    struct hop_err e = {0};

    return drv->stream_sync(x->c, x->s, &e) || drv->stream_sync(x->c, x->s, &e) ? NULL : x;
}

/* CUDA keeps a current context per thread. */
static void
test_threads(struct hop_cuda_context *c, struct hop_cuda_stream *s)
{
    struct elsewhere x = {c, s};
    struct hop_cuda_context *other = NULL;
    struct hop_err e = {0};
    pthread_t t;
    void *result = NULL;

    ok(!pthread_create(&t, NULL, sync_twice, &x) && !pthread_join(t, &result) && result, "another thread");
    called("cuCtxSetCurrent context;cuStreamSynchronize;cuStreamSynchronize;", "another thread");
    if (drv->open(1, &other, &e))
        exit(1);
    fake->log[0] = '\0';
    ok(!drv->stream_sync(c, s, &e) && !drv->stream_sync(c, s, &e), "two contexts in one thread");
    called("cuCtxSetCurrent context;cuStreamSynchronize;cuStreamSynchronize;", "two contexts");
    drv->close(other);
    fake->log[0] = '\0';
}

static void
test_graphs(struct hop_cuda_context *c, struct hop_cuda_stream *s)
{
    struct hop_cuda_graph *g = NULL;
    struct hop_err e = {0};
    int args = 1;

    ok(!drv->capture_begin(c, s, &e) && !drv->launch(c, s, 2, 5, &args, &e) &&
           !drv->capture_end(c, s, &g, &e) && g,
       "capture %s", e.what);
    called("cuStreamBeginCapture 2;launch 2 5 1 stream;cuStreamEndCapture;cuGraphInstantiate 0;"
           "cuGraphDestroy;", "capture");
    ok(!drv->graph_launch(c, g, s, &e) && !drv->graph_launch(c, g, s, &e), "twice");
    drv->graph_free(c, g);
    drv->graph_free(c, NULL);
    called("cuGraphLaunch graph stream;cuGraphLaunch graph stream;cuGraphExecDestroy;", "graph");
    ok(!drv->capture_begin(c, s, &e) && drv->stream_sync(c, s, &e) == HOP_EDEV, "no sync in a capture: %s",
       e.what);
    hop_err_clear(&e);
    fail_next("cuGraphInstantiate", CUDA_ERROR_OUT_OF_MEMORY);
    ok(drv->capture_end(c, s, &g, &e) == HOP_ENOMEM && !g && fake->n_graphs == 0, "not instantiated: %s",
       e.what);
    hop_err_clear(&e);
    fail_next("cuStreamEndCapture", CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    ok(!drv->capture_begin(c, s, &e) && drv->capture_end(c, s, &g, &e) == HOP_EDEV && !g, "invalidated: %s",
       e.what);
    fake->log[0] = '\0';
}

int
main(int argc, char **argv)
{
    struct hop_cuda_context *c = NULL;
    struct hop_cuda_stream *s = NULL;
    struct hop_err e = {0};

    (void)argc;
    load_fake(argv);
    test_names();
    test_init_failures();
    test_props();
    test_open();
    if (drv->open(0, &c, &e) || drv->stream_new(c, &s, &e)) {
        printf("Bail out! %s\n", e.what);
        return 1;
    }
    ok(strstr(fake->log, "cuStreamCreate 1;") != NULL, "the stream waits for no other");
    fake->log[0] = '\0';
    test_memory(c, s);
    test_launch(c, s);
    test_events(c, s);
    test_graphs(c, s);
    test_threads(c, s);
    drv->stream_free(c, s);
    drv->stream_free(c, NULL);
    drv->close(c);
    ok(!fake->n_contexts && !fake->n_buffers && !fake->n_streams && !fake->n_events && !fake->n_graphs, "all is closed");
    return tap_end();
}

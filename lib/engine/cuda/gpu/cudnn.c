#include "engine/cuda/gpu/cudnn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/gpu/library.h"

static struct hop_cudnn lib;
static bool is_ready;

#define ROW(f) {#f, offsetof(struct hop_cudnn, f)},
static const struct hop_cuda_symbol functions[] = {HOP_CUDNN_FUNCTIONS(ROW)};

static bool
is_memory(cudnnStatus_t s)
{
    return s == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
           s == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
}

int
hop_cudnn_check(const struct hop_cudnn *l, cudnnStatus_t s, const char *what, struct hop_err *e)
{
    char words[300] = "";

    if (s == CUDNN_STATUS_SUCCESS)
        return HOP_OK;
    l->cudnnGetLastErrorString(words, sizeof words - 1);
    return hop_fail(e, is_memory(s) ? HOP_ENOMEM : HOP_EDEV,
                    "device cuda", NULL, "cuDNN: %s: %s%s%.250s", what, l->cudnnGetErrorString(s),
                    words[0] ? ": " : "", words);
}

static int
open_library(struct hop_err *e)
{
    static const char hint[] = "install cuDNN 9, or name its folder in HOP_CUDNN";
    const char *why = "", *missing;
    size_t v;
    void *so;

    if (is_ready)
        return HOP_OK;
    if (!(so = hop_cuda_library_open("libcudnn.so.9", &why)))
        return hop_fail(e, HOP_EDEV, "device cuda", hint, "no cuDNN here: %s", why);
    if ((missing = hop_cuda_library_symbols(so, functions, HOP_LEN(functions), &lib)))
        return hop_fail(e, HOP_EDEV, "device cuda", hint, "this cuDNN has no %s", missing);
    v = lib.cudnnGetVersion();
    snprintf(lib.version, sizeof lib.version, "%zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
    if (v / 10000 != CUDNN_MAJOR)
        return hop_fail(e, HOP_EDEV, "device cuda", hint, "cuDNN is %s, hop was built for %d",
                        lib.version, CUDNN_MAJOR);
    is_ready = true;
    return HOP_OK;
}

int
hop_cudnn_open(const struct hop_cudnn **out, struct hop_err *e)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int rc;

    *out = &lib;
    pthread_mutex_lock(&lock);
    rc = open_library(e);
    pthread_mutex_unlock(&lock);
    return rc;
}

int
hop_cudnn_device_described(const struct hop_cudnn *l, const char *json,
                           struct hop_cudnn_device *out, struct hop_err *e)
{
    cudnnStatus_t s;

    *out = (struct hop_cudnn_device){0};
    s = l->cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &out->described);
    if (!s)
        s = l->cudnnBackendSetAttribute(out->described, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                        CUDNN_TYPE_CHAR, (int64_t)strlen(json) + 1, json);
    if (!s)
        s = l->cudnnBackendFinalize(out->described);
    if (s)
        hop_cudnn_device_clear(l, out);
    return hop_cudnn_check(l, s, "properties of a device", e);
}

int
hop_cudnn_device_here(const struct hop_cudnn *l, struct hop_cudnn_device *out, struct hop_err *e)
{
    *out = (struct hop_cudnn_device){0};
    return hop_cudnn_check(l, l->cudnnCreate(&out->handle), "cannot start", e);
}

void
hop_cudnn_device_clear(const struct hop_cudnn *l, struct hop_cudnn_device *d)
{
    if (d->described)
        l->cudnnBackendDestroyDescriptor(d->described);
    if (d->handle)
        l->cudnnDestroy(d->handle);
    *d = (struct hop_cudnn_device){0};
}

int
hop_cudnn_device_text(const struct hop_cudnn *l, int ordinal, char **out, struct hop_err *e)
{
    cudnnBackendDescriptor_t d = NULL;
    int32_t id = ordinal;
    int64_t n = 0;
    cudnnStatus_t s;

    *out = NULL;
    s = l->cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d);
    if (!s)
        s = l->cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1, &id);
    if (!s)
        s = l->cudnnBackendFinalize(d);
    if (!s)
        s = l->cudnnBackendGetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                        CUDNN_TYPE_CHAR, 0, &n, NULL);
    if (!s && !(*out = hop_alloc((size_t)n + 1, 1, e))) {
        l->cudnnBackendDestroyDescriptor(d);
        return HOP_ENOMEM;
    }
    if (!s)
        s = l->cudnnBackendGetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                        CUDNN_TYPE_CHAR, n, &n, *out);
    if (d)
        l->cudnnBackendDestroyDescriptor(d);
    return hop_cudnn_check(l, s, "properties of the GPU", e);
}

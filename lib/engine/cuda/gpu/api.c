#include "engine/cuda/gpu/api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

#include "engine/cuda/gpu/library.h"

#define NAME_(f) #f
#define NAME(f)  NAME_(f)

static struct hop_cuda_api api;
static bool is_ready; /* all looked up and cuInit done */

#define ROW(f) {NAME(f), offsetof(struct hop_cuda_api, f)},
static const struct hop_cuda_symbol functions[] = {HOP_CUDA_FUNCTIONS(ROW)};

/* What people can do about it; the driver's own words follow. */
static const struct {
    CUresult code;
    const char *what, *hint;
} known[] = {
    {CUDA_ERROR_STUB_LIBRARY, "libcuda.so.1 is the toolkit's stub, not a driver",
     "take the stub folder out of LD_LIBRARY_PATH"},
    {CUDA_ERROR_NO_DEVICE, "the driver sees no GPU", "see nvidia-smi -L and CUDA_VISIBLE_DEVICES"},
    {CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "driver and kernel module are of different versions",
     "reload the kernel module or restart the machine"},
    {CUDA_ERROR_SYSTEM_NOT_READY, "the GPUs' fabric is not ready",
     "is nvidia-fabricmanager running?"},
    {CUDA_ERROR_OUT_OF_MEMORY, "out of GPU memory",
     "a smaller batch_size, fewer workers on this GPU, or another device"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, "hop has no code for this GPU", "compute capability 8.0 or newer"},
    {CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the driver is older than the toolkit hop was built with",
     "update the NVIDIA driver"},
    {CUDA_ERROR_ECC_UNCORRECTABLE, "the GPU's memory failed (ECC)", "another GPU; reset this one"},
    {CUDA_ERROR_DEVICE_UNAVAILABLE, "the GPU is taken by another process (exclusive mode)",
     "nvidia-smi -c DEFAULT"},
};

int
hop_cuda_check(CUresult r, const char *where, const char *what, struct hop_err *e)
{
    const char *name = NULL, *words = NULL;
    size_t i;

    if (r == CUDA_SUCCESS)
        return HOP_OK;
    for (i = 0; i < HOP_LEN(known) && known[i].code != r; i++)
        ;
    if (!api.cuGetErrorName || api.cuGetErrorName(r, &name) || !name)
        name = "unknown";
    if (!api.cuGetErrorString || api.cuGetErrorString(r, &words) || !words)
        words = name;
    if (i < HOP_LEN(known))
        return hop_fail(e, r == CUDA_ERROR_OUT_OF_MEMORY ? HOP_ENOMEM : HOP_EDEV, where,
                        known[i].hint, "%s: %s (CUDA error %d)", what, known[i].what, (int)r);
    return hop_fail(e, HOP_EDEV, where, "try again, or use another device",
                    "%s: %s (CUDA error %d, %s)", what, words, (int)r, name);
}

static int
open_api(struct hop_err *e)
{
    const char *missing;
    void *so;
    int rc;

    if (is_ready)
        return HOP_OK;
    if (!(so = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)))
        return hop_fail(e, HOP_EDEV, "device cuda", "install the NVIDIA driver, or use --device cpu",
                        "no usable GPU: no driver here: %s", dlerror());
    if ((missing = hop_cuda_library_symbols(so, functions, HOP_LEN(functions), &api)))
        return hop_fail(e, HOP_EDEV, "device cuda", "update the NVIDIA driver",
                        "no usable GPU: the driver is too old: it has no %s", missing);
    if ((rc = hop_cuda_check(api.cuInit(0), "device cuda", "no usable GPU", e)))
        return rc;
    is_ready = true;
    return HOP_OK;
}

int
hop_cuda_api(const struct hop_cuda_api **out, struct hop_err *e)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int rc;

    *out = &api;
    pthread_mutex_lock(&lock);
    rc = open_api(e);
    pthread_mutex_unlock(&lock);
    return rc;
}

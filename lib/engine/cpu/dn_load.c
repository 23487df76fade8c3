#include "engine/cpu/dn_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "engine/cpu/dn.h"

struct hop_dn_api hop_dn_api;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct hop_err failure;

/* POSIX lets dlsym's pointer be read as one to a function, ISO C does not. */
static void
find(void *library, const char *name, void *out, size_t n)
{
    void *p = dlsym(library, name);

    if (!p)
        hop_fail(&failure, HOP_EDEV, HOP_DNNL_FILE, NULL, "has no function %s", name);
    memcpy(out, &p, n);
}

static void
load(void)
{
    void *library = dlopen(HOP_DNNL_FILE, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        hop_fail(&failure, HOP_EDEV, "device cpu", "install oneDNN, or use --device ref",
                 "cannot load %s", dlerror());
        return;
    }
#define FIND(f) find(library, "dnnl_" #f, &hop_dn_api.f, sizeof hop_dn_api.f);
    HOP_DN_FUNCTIONS(FIND)
    HOP_DN_FUNCTIONS_OWN(FIND)
}

static void *
load_beside(void *arg)
{
    pthread_once(&once, load);
    return arg;
}

void
hop_dn_expect(void)
{
    pthread_t thread;

    if (!pthread_create(&thread, NULL, load_beside, NULL))
        pthread_detach(thread);
}

int
hop_dn_load(struct hop_err *e)
{
    pthread_once(&once, load);
    return failure.code ? hop_fail(e, failure.code, failure.where, failure.hint, "%s", failure.what)
                        : HOP_OK;
}

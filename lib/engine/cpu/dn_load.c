#include "engine/cpu/dn_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
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

static pthread_t beside;

/* What ends for another reason must not end while libraries set themselves up: libgomp aborts then. */
static void
join_beside(void)
{
    pthread_join(beside, NULL);
}

void
hop_dn_expect(void)
{
    static bool is_begun;

    if (!is_begun && !pthread_create(&beside, NULL, load_beside, NULL)) {
        is_begun = true;
        if (atexit(join_beside))
            join_beside();
    }
}

int
hop_dn_load(struct hop_err *e)
{
    pthread_once(&once, load);
    return failure.code ? hop_fail(e, failure.code, failure.where, failure.hint, "%s", failure.what)
                        : HOP_OK;
}

#include "engine/cuda/gpu/library.h"

#include <dlfcn.h>
#include <string.h>

#include "base/str.h"

static const char *dirs = "";

void
hop_cuda_library_dirs(const char *text)
{
    dirs = text ? text : "";
}

void *
hop_cuda_library_open(const char *name, const char **why)
{
    struct hop_str path = {0};
    const char *p;
    void *so = NULL;
    size_t n;

    for (p = dirs; *p && !so; p += n, p += *p == ':') {
        n = strcspn(p, ":");
        path.n = 0;
        hop_str_addf(&path, "%.*s/%s", (int)n, p, name);
        if (*p == '/' && !path.is_oom)
            so = dlopen(path.s, RTLD_NOW | RTLD_LOCAL);
    }
    hop_str_clear(&path);
    if (!so)
        so = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!so)
        *why = dlerror();
    return so;
}

const char *
hop_cuda_library_symbols(void *so, const struct hop_cuda_symbol *rows, size_t n, void *table)
{
    size_t i;
    void *f;

    for (i = 0; i < n; i++) {
        if (!(f = dlsym(so, rows[i].name)))
            return rows[i].name;
        memcpy((char *)table + rows[i].offset, &f, sizeof f);
    }
    return NULL;
}

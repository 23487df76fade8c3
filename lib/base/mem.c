#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *
hop_alloc(size_t n, size_t size, struct hop_err *e)
{
    void *p = NULL;

    if (size == 0 || n <= SIZE_MAX / 2 / size)
        p = calloc(n && size ? n : 1, n && size ? size : 1);
    if (!p)
        hop_fail(e, HOP_ENOMEM, NULL, "use a smaller batch or net, or another machine",
                 "out of memory (%zu x %zu bytes)", n, size);
    return p;
}

int
hop_grow(void *p, size_t *cap, size_t want, size_t size, struct hop_err *e)
{
    void **slot = p;
    void *q = NULL;
    size_t n = *cap ? *cap : 8;

    if (want <= *cap)
        return HOP_OK;
    while (n < want)
        n = n > SIZE_MAX / 4 ? want : n * 2;
    if (n <= SIZE_MAX / 2 / size)
        q = realloc(*slot, n * size);
    if (!q)
        return hop_fail(e, HOP_ENOMEM, NULL, NULL, "out of memory (%zu x %zu bytes)", n, size);
    *slot = q;
    *cap = n;
    return HOP_OK;
}

float *
hop_alloc_floats(size_t n, struct hop_err *e)
{
    void *p = NULL;
    size_t bytes;

    if (n > SIZE_MAX / 8 || posix_memalign(&p, 64, bytes = (n ? n : 1) * sizeof(float))) {
        hop_fail(e, HOP_ENOMEM, NULL, "use a smaller batch or net, or another machine",
                 "out of memory (%zu floats)", n);
        return NULL;
    }
    memset(p, 0, bytes);
    return p;
}

char *
hop_dup(const char *s, struct hop_err *e)
{
    size_t n = strlen(s) + 1;
    char *p = hop_alloc(n, 1, e);

    if (p)
        memcpy(p, s, n);
    return p;
}

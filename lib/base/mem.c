#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

/* Ask for huge pages, where the system has them: they spare thousands of page faults (a model of 10 MB
 * is read and unpacked in half the time) and the processor's table of addresses. Before first use. */
static void
wish_huge(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    uintptr_t from = ((uintptr_t)p + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uintptr_t to = ((uintptr_t)p + bytes) / HUGE_PAGE * HUGE_PAGE;

    if (from < to)
        madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
    (void)p;
    (void)bytes;
#endif
}

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
    wish_huge(q, n * size);
    *slot = q;
    *cap = n;
    return HOP_OK;
}

float *
hop_alloc_floats(size_t n, struct hop_err *e)
{
    void *p = NULL;
    size_t bytes = (n ? n : 1) * sizeof(float);

    if (n > SIZE_MAX / 8 || posix_memalign(&p, bytes < HUGE_PAGE ? 64 : HUGE_PAGE, bytes)) {
        hop_fail(e, HOP_ENOMEM, NULL, "use a smaller batch or net, or another machine",
                 "out of memory (%zu floats)", n);
        return NULL;
    }
    wish_huge(p, bytes);
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

#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, PAGE = 2 << 20 };

#if defined(__SANITIZE_ADDRESS__)
enum { BLOCK = 0 };
#else
enum { BLOCK = 16 * PAGE }; /* of addresses: memory comes with use */
#endif

struct hop_arena_block {
    struct hop_arena_block *next;
    char *p;
    size_t bytes, used;
};

/* As many bytes as are asked for, and, but under AddressSanitizer, whole huge pages. */
static char *
map(size_t bytes)
{
    void *p;

    if (!BLOCK)
        return posix_memalign(&p, ALIGN, bytes) ? NULL : memset(p, 0, bytes);
    /* Systems of today align large maps to huge pages by themselves. */
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return p;
}

void *
hop_arena_get(struct hop_arena *a, size_t bytes, struct hop_err *e)
{
    struct hop_arena_block *b = a->blocks;
    size_t want = (bytes ? bytes : 1) + ALIGN, size;
    char *p;

    if (bytes > SIZE_MAX / 4)
        goto full;
    want = (want + ALIGN - 1) / ALIGN * ALIGN; /* ALIGN spare, so that pieces do not begin alike */
    if (!b || b->bytes - b->used < want) {
        size = BLOCK ? (want > BLOCK ? (want + PAGE - 1) / PAGE * PAGE : BLOCK) : want;
        if (!(b = malloc(sizeof *b)))
            goto full;
        *b = (struct hop_arena_block){a->blocks, map(size), size, 0};
        if (!b->p) {
            free(b);
            goto full;
        }
        a->blocks = b;
    }
    p = b->p + b->used;
    b->used += want;
    return p;
full:
    hop_fail(e, HOP_ENOMEM, NULL, "use a smaller batch or net, or another machine",
             "out of memory (%zu bytes)", bytes);
    return NULL;
}

void
hop_arena_clear(struct hop_arena *a)
{
    for (struct hop_arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        if (BLOCK)
            munmap(b->p, b->bytes);
        else
            free(b->p);
        free(b);
    }
    a->blocks = NULL;
}

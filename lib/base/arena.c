#include "base/arena.h"

#include <pthread.h>
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

/* What the thread of hop_arena_fill goes over. */
struct hop_arena_fill {
    pthread_t thread;
    size_t n;
    struct {
        char *p;
        size_t bytes;
    } parts[];
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

#ifdef MADV_POPULATE_WRITE
/* Page by page, so that nobody waits long who maps or unmaps memory. */
static void *
fill(void *arg)
{
    struct hop_arena_fill *f = arg;

    for (size_t i = 0; i < f->n; i++)
        for (size_t at = 0; at < f->parts[i].bytes; at += PAGE)
            if (madvise(f->parts[i].p + at, PAGE, MADV_POPULATE_WRITE))
                return NULL;
    return NULL;
}
#else
static void *
fill(void *arg)
{
    (void)arg;
    return NULL;
}
#endif

enum { LEAST_FILL = 4 * PAGE };

void
hop_arena_fill(struct hop_arena *a)
{
    size_t n = 0, bytes = 0;
    struct hop_arena_fill *f;

    for (struct hop_arena_block *b = a->blocks; b; b = b->next, n++)
        bytes += b->used;
    if (!BLOCK || a->fill || bytes < LEAST_FILL || !(f = malloc(sizeof *f + n * sizeof *f->parts)))
        return;
    f->n = n;
    for (struct hop_arena_block *b = a->blocks; b; b = b->next) { /* the first one was made last */
        n--;
        f->parts[n].p = b->p;
        f->parts[n].bytes = b->used;
    }
    if (pthread_create(&f->thread, NULL, fill, f))
        free(f);
    else
        a->fill = f;
}

void
hop_arena_clear(struct hop_arena *a)
{
    if (a->fill) {
        pthread_join(a->fill->thread, NULL);
        free(a->fill);
        a->fill = NULL;
    }
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

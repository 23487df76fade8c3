#include "engine/cuda/arena.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/cuda/driver.h"

/* Larger before smaller, then in the order they came: the plan depends on nothing else. */
static int
by_size(const void *a, const void *b)
{
    const struct hop_cuda_piece *p = *(const struct hop_cuda_piece *const *)a;
    const struct hop_cuda_piece *q = *(const struct hop_cuda_piece *const *)b;

    return p->bytes != q->bytes ? (p->bytes < q->bytes) - (p->bytes > q->bytes)
                                : (p > q) - (p < q);
}

static int
by_offset(const void *a, const void *b)
{
    const struct hop_cuda_piece *p = *(const struct hop_cuda_piece *const *)a;
    const struct hop_cuda_piece *q = *(const struct hop_cuda_piece *const *)b;

    return (p->offset > q->offset) - (p->offset < q->offset);
}

static bool
meet(const struct hop_cuda_piece *a, const struct hop_cuda_piece *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static size_t
room(size_t bytes)
{
    return (bytes + HOP_CUDA_ALIGN - 1) / HOP_CUDA_ALIGN * HOP_CUDA_ALIGN;
}

/* The lowest place for p among those already placed that live when it does. */
static size_t
lowest(const struct hop_cuda_piece *p, struct hop_cuda_piece **order, int n_placed,
       struct hop_cuda_piece **near)
{
    size_t at = 0;
    int n = 0, i;

    for (i = 0; i < n_placed; i++)
        if (meet(order[i], p))
            near[n++] = order[i];
    qsort(near, (size_t)n, sizeof *near, by_offset);
    for (i = 0; i < n; i++) {
        if (at + room(p->bytes) <= near[i]->offset)
            break;
        if (near[i]->offset + room(near[i]->bytes) > at)
            at = near[i]->offset + room(near[i]->bytes);
    }
    return at;
}

int
hop_cuda_arena_plan(struct hop_cuda_piece *pieces, int n, size_t *total, struct hop_err *e)
{
    struct hop_cuda_piece **order = hop_alloc((size_t)n * 2, sizeof *order, e);
    int n_used = 0, i;

    *total = 0;
    if (!order)
        return HOP_ENOMEM;
    for (i = 0; i < n; i++) {
        pieces[i].offset = 0;
        if (pieces[i].bytes && pieces[i].first <= pieces[i].last)
            order[n_used++] = &pieces[i];
    }
    qsort(order, (size_t)n_used, sizeof *order, by_size);
    for (i = 0; i < n_used; i++) {
        order[i]->offset = lowest(order[i], order, i, order + n);
        if (order[i]->offset + room(order[i]->bytes) > *total)
            *total = order[i]->offset + room(order[i]->bytes);
    }
    free(order);
    return HOP_OK;
}

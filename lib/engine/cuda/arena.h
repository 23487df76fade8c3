/* arena - places for buffers in one piece of memory, from when each is needed: two buffers share bytes
 * only if one is no longer needed when the other is first. */
#ifndef HOP_ENGINE_CUDA_ARENA_H
#define HOP_ENGINE_CUDA_ARENA_H

#include <stddef.h>
#include "base/err.h"

struct hop_cuda_piece {
    size_t bytes;
    int first, last; /* the first and last step that need it; first > last: none does */
    size_t offset;   /* out: a multiple of HOP_CUDA_ALIGN */
};

/* hop_cuda_arena_plan - offsets of all n pieces; *total: bytes of the whole. Greedy: the largest first,
 * each at the lowest place where nothing placed before is in its way. Err: HOP_ENOMEM. */
int hop_cuda_arena_plan(struct hop_cuda_piece *pieces, int n, size_t *total,
                        struct hop_err *e) HOP_MUSTUSE;

#endif

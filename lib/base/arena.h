/* arena - memory that is given out piece by piece and freed all at once.
 *
 * Pieces come one after the other from large blocks in huge pages, which the system clears when they
 * are first touched: a piece costs no page faults of its own, and nothing what is never used. (With
 * AddressSanitizer every piece is an allocation of its own, so that it sees who leaves one.)
 */
#ifndef HOP_BASE_ARENA_H
#define HOP_BASE_ARENA_H

#include <stddef.h>
#include "base/err.h"

struct hop_arena_block;
struct hop_arena_fill;

struct hop_arena { /* all zero: empty */
    struct hop_arena_block *blocks;
    struct hop_arena_fill *fill; /* or NULL */
};

/* hop_arena_get - zeroed bytes (at least one), 64-byte aligned; no two large pieces begin at the same
 * place of a page, which caches would feel. NULL: HOP_ENOMEM. */
void *hop_arena_get(struct hop_arena *a, size_t bytes, struct hop_err *e);

/* hop_arena_fill - the caller will soon use all pieces given out so far: let the system clear their
 * memory in a thread of its own meanwhile. A hint, followed once in an arena's life, where there are
 * some megabytes and the system knows how (Linux 5.14). */
void hop_arena_fill(struct hop_arena *a);

/* hop_arena_clear - free all pieces. */
void hop_arena_clear(struct hop_arena *a);

#endif

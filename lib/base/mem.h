/* mem - allocation with overflow checks. All memory is freed with free(). */
#ifndef HOP_BASE_MEM_H
#define HOP_BASE_MEM_H

#include <stddef.h>
#include "base/err.h"

/* hop_alloc - n * size zeroed bytes (at least one), or NULL with HOP_ENOMEM in e. */
void *hop_alloc(size_t n, size_t size, struct hop_err *e);

/* hop_grow - make room for `want` elements in *p (capacity *cap, doubled); old content kept.
 * Err: HOP_ENOMEM, *p unchanged. */
int hop_grow(void *p, size_t *cap, size_t want, size_t size, struct hop_err *e) HOP_MUSTUSE;

/* hop_alloc_floats - n floats, zeroed, 64-byte aligned, the large ones in huge pages; for arenas. */
float *hop_alloc_floats(size_t n, struct hop_err *e);

/* hop_dup - heap copy of s. */
char *hop_dup(const char *s, struct hop_err *e);

#endif

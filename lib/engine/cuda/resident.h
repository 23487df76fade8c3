/* resident - examples that stay in a GPU's memory, one copy for all slots of the process.
 *
 * They are found by their key (hop_examples.key) and size. What nobody uses goes, the longest unused
 * first, when all together would take more than a quarter of the GPU's memory. Safe to call from many
 * threads, each with its own device.
 */
#ifndef HOP_ENGINE_CUDA_RESIDENT_H
#define HOP_ENGINE_CUDA_RESIDENT_H

#include "engine/cuda/plan.h"

struct hop_cuda_resident;

/* hop_cuda_resident_take - *memory holds what `fill` put there, now or for an earlier taker: fill is called
 * once, with nothing else of this table going on. HOP_EOF: no room, nothing is taken. Err: fill's; HOP_EDEV. */
int hop_cuda_resident_take(struct hop_device *d, const char *key, size_t bytes,
                           int (*fill)(void *arg, void *memory, struct hop_err *e), void *arg,
                           struct hop_cuda_resident **out, void **memory,
                           struct hop_err *e) HOP_MUSTUSE;

/* hop_cuda_resident_give - its user needs it no more; NULL is fine. */
void hop_cuda_resident_give(struct hop_cuda_resident *r);

/* hop_cuda_residents_drop - all that nobody uses, and if that is all, what the table itself has open. */
void hop_cuda_residents_drop(void);

#endif

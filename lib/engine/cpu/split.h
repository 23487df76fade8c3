/* split - into parts of which sizes to cut a batch, for Winograd convolutions.
 *
 * Their time per example jumps with the number of examples: 32, 64 or 128 cost 20 to 40 % more than
 * 26 or 28, since strides that are powers of two fall on few sets of the caches.
 */
#ifndef HOP_ENGINE_CPU_SPLIT_H
#define HOP_ENGINE_CPU_SPLIT_H

#include <stdint.h>

/* count[0] parts of n[0] examples, then count[1] of n[1]; count[1] may be 0. */
struct hop_cpu_split {
    int64_t n[2], count[2];
};

enum { HOP_CPU_SPLIT_FORWARD = 1, HOP_CPU_SPLIT_DATA = 2, HOP_CPU_SPLIT_WEIGHTS = 4 };

/* hop_cpu_split - n examples for the passes of the set, parts of at least `least` examples; all in
 * one part where nothing better is known. */
void hop_cpu_split(int64_t n, unsigned passes, int64_t least, struct hop_cpu_split *out);

#endif

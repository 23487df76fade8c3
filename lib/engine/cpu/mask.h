/* mask - dropout masks, many draws at a time. */
#ifndef HOP_ENGINE_CPU_MASK_H
#define HOP_ENGINE_CPU_MASK_H

#include <stdint.h>

enum { HOP_CPU_MASK_SPARE = 128 }; /* bytes beyond n that hop_cpu_mask may write */

/* hop_cpu_mask - returned[i] = draw first + i of (key, layer, t) >= limit, for i < n; it points into
 * mask. Draw i is word i % 4 of hop_philox(key, i / 4, layer, t): the same in every implementation,
 * bit for bit. */
const uint8_t *hop_cpu_mask(uint64_t key, uint32_t layer, uint32_t t, uint32_t limit, int64_t first,
                            int64_t n, uint8_t *mask);

#endif

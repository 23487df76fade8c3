/* augment - the Random... layers' arithmetic, one for all devices: plain float32, images [H,W,C].
 *
 * Draws are Philox numbers keyed like dropout's: counter (example of the batch, block of draws,
 * layer, optimizer steps done). Source of the transforms: Keras's preprocessing layers of these
 * names (inverse maps around (W-1)/2, (H-1)/2).
 */
#ifndef HOP_ENGINE_AUGMENT_H
#define HOP_ENGINE_AUGMENT_H

#include "engine/augment_map.h"
#include "net/net.h"

/* hop_augment_map_of - layer l, number i_layer of its net, as the arithmetic takes it. */
struct hop_augment_map hop_augment_map_of(const struct hop_layer *l, int i_layer);

/* hop_augment_image - example i of a batch: x (l->in_shape) to y (l->out_shape), overwritten. Not
 * training: a copy, or the middle of it. */
void hop_augment_image(const struct hop_layer *l, int i_layer, bool is_training, uint64_t key,
                       int64_t i, int64_t t, const float *x, float *y);

#endif

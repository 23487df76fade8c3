/* augment - what the Random... layers share. They stand at the beginning of a net, before anything
 * that learns. */
#ifndef HOP_NET_AUGMENT_H
#define HOP_NET_AUGMENT_H

#include "net/layer.h"

/* hop_augment_factor - 0.2 (= [-0.2, 0.2]) or [low, high]; *out is left alone when missing. */
int hop_augment_factor(const struct hop_json *config, const char *key, bool is_needed,
                       const char *where, double out[2], struct hop_err *e) HOP_MUSTUSE;

/* hop_augment_fill - fill_mode, fill_value, interpolation. */
int hop_augment_fill(const struct hop_json *config, const char *where, struct hop_augment *p,
                     struct hop_err *e) HOP_MUSTUSE;

/* hop_augment_shape - an image in, the same shape out; refuses a place behind layers with weights. */
int hop_augment_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                      struct hop_err *e);

#endif

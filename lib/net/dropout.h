/* dropout - what the kinds of Dropout share. */
#ifndef HOP_NET_DROPOUT_H
#define HOP_NET_DROPOUT_H

#include "net/layer.h"

/* "rate" into the layer's struct hop_dropout; "noise_shape" is refused. */
int hop_dropout_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                      struct hop_err *e);
int hop_dropout_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                      struct hop_err *e);

#endif

/* pool - options and shapes that MaxPooling2D and AveragePooling2D share. */
#ifndef HOP_NET_POOL_H
#define HOP_NET_POOL_H

#include "net/layer.h"

extern const char *const hop_pool_keys[];
int hop_pool_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                   struct hop_err *e);
int hop_pool_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e);

#endif

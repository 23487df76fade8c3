/* merge - options and shapes that Add and Multiply share. */
#ifndef HOP_NET_MERGE_H
#define HOP_NET_MERGE_H

#include "net/layer.h"

extern const char *const hop_merge_keys[];
int hop_merge_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                    struct hop_err *e);
int hop_merge_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                    struct hop_err *e);

#endif

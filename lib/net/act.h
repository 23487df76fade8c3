/* act - the shape that all activation layers share. */
#ifndef HOP_NET_ACT_H
#define HOP_NET_ACT_H

#include "net/layer.h"

int hop_act_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e);

#endif

/* pool - options and shapes that the kinds of pooling share: of images [H,W,C], and (1d) of
 * sequences [L,C]. */
#ifndef HOP_NET_POOL_H
#define HOP_NET_POOL_H

#include "net/layer.h"

/* Over windows. */
extern const char *const hop_pool_keys[];
int hop_pool_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                   struct hop_err *e);
int hop_pool_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e);
int hop_pool1d_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                     struct hop_err *e);
int hop_pool1d_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                     struct hop_err *e);

/* Over all of a channel: [...,C] -> [C]. */
extern const char *const hop_global_pool_keys[];
int hop_global_pool_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                          struct hop_err *e);
int hop_global_pool_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                          struct hop_err *e);
int hop_global_pool1d_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                            struct hop_err *e);

#endif

/* conv - what the kinds of convolution share. */
#ifndef HOP_NET_CONV_H
#define HOP_NET_CONV_H

#include "net/layer.h"

/* hop_conv2d_window - padding and the first two sizes of the output, from the layer's struct
 * hop_conv2d (kernel, strides, dilation). */
int hop_conv2d_window(struct hop_layer *l, bool is_same, const char *where, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_conv_parse - what Conv1D and Conv2D have in common, and these sizes, into l->params. */
extern const char *const hop_conv_keys[];
int hop_conv_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                   const int64_t kernel[2], const int64_t strides[2], const int64_t dilation[2],
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_conv_weights - their kernel and bias, the last size of the output, the FLOPs. */
int hop_conv_weights(struct hop_net *net, struct hop_layer *l, const char *where,
                     struct hop_err *e) HOP_MUSTUSE;

/* hop_conv_bias - add the weight "bias" [n] with its initialiser and regularizer. */
int hop_conv_bias(struct hop_net *net, struct hop_layer *l, int64_t n, const char *where,
                  struct hop_err *e) HOP_MUSTUSE;

/* Options and weights of a depthwise convolution; filters is depth_multiplier until shape. */
int hop_depthwise_parse(const struct hop_json *c, const char *where, struct hop_layer *l,
                        struct hop_err *e);
int hop_depthwise_shape(struct hop_net *net, struct hop_layer *l, const char *where,
                        struct hop_err *e);

#endif

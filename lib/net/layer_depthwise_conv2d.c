/* DepthwiseConv2D: every channel has its own depth_multiplier filters; a convolution with groups = C,
 * whose weight "depthwise_kernel" [kh,kw,C,m] has the bytes of a kernel [kh,kw,1,C*m]. */
#include "net/conv.h"

static const char *const keys[] = {
    "kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate",
    "groups", "activation", "use_bias", "depthwise_initializer", "bias_initializer",
    "depthwise_regularizer", "bias_regularizer", "activity_regularizer", "depthwise_constraint",
    "bias_constraint", "filters", "kernel_initializer", "kernel_regularizer", "kernel_constraint",
    NULL};

const struct hop_layer_kind hop_layer_depthwise_conv2d = {
    "DepthwiseConv2D", NULL, "Conv2D", "depthwise_conv2d", keys, sizeof(struct hop_conv2d), hop_depthwise_parse,
    hop_depthwise_shape, NULL,
};

/* AveragePooling2D. Shapes and options are those of lib/net/pool.c. */
#include "net/pool.h"

const struct hop_layer_kind hop_layer_average_pooling2d = {
    "AveragePooling2D", "AveragePool2D", "AveragePooling2D", "average_pooling2d", hop_pool_keys,
    sizeof(struct hop_pool2d), hop_pool_parse, hop_pool_shape, NULL,
};

/* AveragePooling1D: AveragePooling2D of an image of one row. */
#include "net/pool.h"

const struct hop_layer_kind hop_layer_average_pooling1d = {
    "AveragePooling1D", "AvgPool1D", "AveragePooling2D", "average_pooling1d", hop_pool_keys,
    sizeof(struct hop_pool2d), hop_pool1d_parse, hop_pool1d_shape, NULL,
};

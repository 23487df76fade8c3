/* MaxPooling1D: MaxPooling2D of an image of one row. */
#include "net/pool.h"

const struct hop_layer_kind hop_layer_max_pooling1d = {
    "MaxPooling1D", "MaxPool1D", "MaxPooling2D", "max_pooling1d", hop_pool_keys,
    sizeof(struct hop_pool2d), hop_pool1d_parse, hop_pool1d_shape, NULL,
};

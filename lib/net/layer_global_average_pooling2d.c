/* GlobalAveragePooling2D: [H,W,C] -> [C]. */
#include "net/pool.h"

const struct hop_layer_kind hop_layer_global_average_pooling2d = {
    "GlobalAveragePooling2D", "GlobalAvgPool2D", "GlobalAveragePooling2D", "global_average_pooling2d",
    hop_global_pool_keys, 0, hop_global_pool_parse, hop_global_pool_shape, NULL,
};

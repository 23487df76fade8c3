/* GlobalMaxPooling1D: [L,C] -> [C]. */
#include "net/pool.h"

const struct hop_layer_kind hop_layer_global_max_pooling1d = {
    "GlobalMaxPooling1D", "GlobalMaxPool1D", "GlobalMaxPooling2D", "global_max_pooling1d",
    hop_global_pool_keys, 0, hop_global_pool_parse, hop_global_pool1d_shape, NULL,
};

/* Add: the sum of its inputs, all of one shape. */
#include "net/merge.h"

const struct hop_layer_kind hop_layer_add = {
    "Add", NULL, "Add", "add", hop_merge_keys, 0, hop_merge_parse, hop_merge_shape, NULL, true,
};

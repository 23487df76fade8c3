/* SpatialDropout2D: Dropout of whole channels of an image. */
#include "net/dropout.h"

static const char *const keys[] = {"rate", "seed", "noise_shape", "data_format", NULL};

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    int rc = hop_dropout_shape(net, l, where, e);

    return rc ? rc : hop_layer_image(l, where, e);
}

const struct hop_layer_kind hop_layer_spatial_dropout2d = {
    "SpatialDropout2D", NULL, "SpatialDropout2D", "spatial_dropout2d", keys,
    sizeof(struct hop_dropout), hop_dropout_parse, shape, NULL,
};

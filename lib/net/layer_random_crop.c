/* RandomCrop: a window of height x width at a random place in training, in the middle otherwise. */
#include "net/augment.h"

static const char *const keys[] = {"height", "width", "data_format", "seed", "rng_type", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    (void)c;
    (void)where;
    (void)e;
    ((struct hop_augment *)l->params)->kind = HOP_CROP;
    return HOP_OK;
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    int rc = hop_augment_shape(net, l, where, e);

    if (rc || (rc = hop_json_get_int(l->config, "height", true, 1, (double)l->in_shape.d[0], where,
                                     &l->out_shape.d[0], e)))
        return rc;
    return hop_json_get_int(l->config, "width", true, 1, (double)l->in_shape.d[1], where,
                            &l->out_shape.d[1], e);
}

const struct hop_layer_kind hop_layer_random_crop = {
    "RandomCrop", NULL, "Augment", "random_crop", keys, sizeof(struct hop_augment), parse, shape,
    NULL,
};

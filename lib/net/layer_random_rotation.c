/* RandomRotation: by parts of a full turn around the middle. */
#include "net/augment.h"

static const char *const keys[] = {"factor", "fill_mode", "interpolation", "fill_value", "data_format", "seed", "rng_type", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_augment *p = l->params;
    int rc = hop_augment_factor(c, "factor", true, where, p->turn, e);

    p->kind = HOP_AFFINE;
    return rc ? rc : hop_augment_fill(c, where, p, e);
}

const struct hop_layer_kind hop_layer_random_rotation = {
    "RandomRotation", NULL, "Augment", "random_rotation", keys, sizeof(struct hop_augment), parse, hop_augment_shape,
    NULL,
};

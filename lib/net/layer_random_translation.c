/* RandomTranslation: shifts by parts of height and width. */
#include "net/augment.h"

static const char *const keys[] = {"height_factor", "width_factor", "fill_mode", "interpolation", "fill_value", "data_format", "seed", "rng_type", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_augment *p = l->params;
    int rc;

    p->kind = HOP_AFFINE;
    if ((rc = hop_augment_factor(c, "height_factor", true, where, p->shift_h, e)) ||
        (rc = hop_augment_factor(c, "width_factor", true, where, p->shift_w, e)))
        return rc;
    return hop_augment_fill(c, where, p, e);
}

const struct hop_layer_kind hop_layer_random_translation = {
    "RandomTranslation", NULL, "Augment", "random_translation", keys, sizeof(struct hop_augment), parse, hop_augment_shape,
    NULL,
};

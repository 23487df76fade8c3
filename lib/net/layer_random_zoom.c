/* RandomZoom around the middle: positive factors shrink, as in Keras; one draw for both axes unless
 * width_factor is given. */
#include "net/augment.h"

static const char *const keys[] = {"height_factor", "width_factor", "fill_mode", "interpolation", "fill_value", "data_format", "seed", "rng_type", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_augment *p = l->params;
    int rc = hop_augment_factor(c, "height_factor", true, where, p->zoom_h, e);

    p->kind = HOP_AFFINE;
    p->zooms_evenly = hop_json_kind(hop_json_get(c, "width_factor")) == HOP_JSON_NULL;
    if (!rc && !p->zooms_evenly)
        rc = hop_augment_factor(c, "width_factor", true, where, p->zoom_w, e);
    if (!rc && (p->zoom_h[0] <= -1 || p->zoom_w[0] <= -1))
        rc = hop_fail(e, HOP_EFORMAT, where, "above -1", "a zoom factor is out of range");
    return rc ? rc : hop_augment_fill(c, where, p, e);
}

const struct hop_layer_kind hop_layer_random_zoom = {
    "RandomZoom", NULL, "Augment", "random_zoom", keys, sizeof(struct hop_augment), parse, hop_augment_shape,
    NULL,
};

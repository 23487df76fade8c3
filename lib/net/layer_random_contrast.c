/* RandomContrast: (x - mean) f + mean per channel of an image; not clipped, since hop's pixels need
 * not be 0..255. */
#include "net/augment.h"

static const char *const keys[] = {"factor", "data_format", "seed", "rng_type", NULL};

/* Keras: 0.2 or [lower, upper], factors drawn from [1 - lower, 1 + upper]. */
static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_augment *p = l->params;
    const struct hop_json *v = hop_json_get(c, "factor"), *x;
    double part[2];
    int i;

    p->kind = HOP_CONTRAST;
    for (i = 0; i < 2; i++) {
        x = hop_json_kind(v) == HOP_JSON_ARRAY ? hop_json_at(v, (size_t)i) : v;
        part[i] = hop_json_real(x);
        if ((hop_json_kind(x) != HOP_JSON_INT && hop_json_kind(x) != HOP_JSON_REAL) ||
            part[i] < 0 || part[i] > (i ? 10 : 1))
            return hop_fail(e, HOP_EFORMAT, where, "0 to 1, or [lower, upper]",
                            "\"factor\" is no factor");
    }
    p->contrast[0] = 1 - part[0];
    p->contrast[1] = 1 + part[1];
    return HOP_OK;
}

const struct hop_layer_kind hop_layer_random_contrast = {
    "RandomContrast", NULL, "Augment", "random_contrast", keys, sizeof(struct hop_augment), parse, hop_augment_shape,
    NULL,
};

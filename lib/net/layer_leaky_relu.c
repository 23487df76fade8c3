/* LeakyReLU: alpha (Keras 2) or negative_slope (Keras 3), 0.3 by default. */
#include <math.h>

#include "net/act.h"

static const char *const keys[] = {"alpha", "negative_slope", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_activation *p = l->params;
    int rc;

    *p = (struct hop_activation){HOP_LEAKY_RELU, 0.3, INFINITY};
    if ((rc = hop_json_get_real(c, "alpha", false, 0, 1e6, where, &p->alpha, e)))
        return rc;
    return hop_json_get_real(c, "negative_slope", false, 0, 1e6, where, &p->alpha, e);
}

const struct hop_layer_kind hop_layer_leaky_relu = {
    "LeakyReLU", NULL, "Activation", "leaky_relu", keys, sizeof(struct hop_activation), parse,
    hop_act_shape, NULL,
};

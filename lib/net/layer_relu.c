/* ReLU as a layer: max_value, negative_slope. */
#include <math.h>

#include "net/act.h"

static const char *const keys[] = {"max_value", "negative_slope", "threshold", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_activation *p = l->params;
    int rc;

    *p = (struct hop_activation){HOP_LEAKY_RELU, 0, INFINITY};
    if ((rc = hop_json_get_real(c, "max_value", false, 1e-30, 1e30, where, &p->max_value, e)) ||
        (rc = hop_json_get_real(c, "negative_slope", false, 0, 1e6, where, &p->alpha, e)))
        return rc;
    if (p->alpha == 0 && isinf(p->max_value))
        p->act = HOP_RELU;
    return hop_json_kind(hop_json_get(c, "threshold")) == HOP_JSON_REAL
               ? hop_layer_only(c, "threshold", "0.0", where, e)
               : hop_layer_only(c, "threshold", "0", where, e);
}

const struct hop_layer_kind hop_layer_relu = {
    "ReLU", NULL, "Activation", "re_lu", keys, sizeof(struct hop_activation), parse,
    hop_act_shape, NULL,
};

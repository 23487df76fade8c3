/* Softmax as a layer, over the last axis. */
#include "net/act.h"

static const char *const keys[] = {"axis", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_activation *p = l->params;

    *p = (struct hop_activation){HOP_SOFTMAX, 0, 0};
    return hop_layer_only(c, "axis", "-1", where, e);
}

const struct hop_layer_kind hop_layer_softmax = {
    "Softmax", NULL, "Activation", "softmax", keys, sizeof(struct hop_activation), parse,
    hop_act_shape, NULL,
};

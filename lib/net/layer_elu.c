/* ELU as a layer, with its alpha. */
#include "net/act.h"

static const char *const keys[] = {"alpha", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_activation *p = l->params;

    *p = (struct hop_activation){HOP_ELU, 1, 0};
    return hop_json_get_real(c, "alpha", false, 0, 1e6, where, &p->alpha, e);
}

const struct hop_layer_kind hop_layer_elu = {
    "ELU", NULL, "Activation", "elu", keys, sizeof(struct hop_activation), parse,
    hop_act_shape, NULL,
};

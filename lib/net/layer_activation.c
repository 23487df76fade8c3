/* Activation: one of hop_layer_act's by name; softmax is over the last axis. */
#include "net/act.h"

static const char *const keys[] = {"activation", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_activation *p = l->params;
    const char *name = NULL;
    int rc = hop_json_get_str(c, "activation", true, where, &name, e);

    return rc ? rc : hop_layer_act(name, where, p, e);
}

const struct hop_layer_kind hop_layer_activation = {
    "Activation", NULL, "Activation", "activation", keys, sizeof(struct hop_activation), parse,
    hop_act_shape, NULL,
};

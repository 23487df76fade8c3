/* Activation: relu, elu, tanh, sigmoid, softmax (over the last axis), linear. */
#include "net/layer.h"

static const char *const keys[] = {"activation", NULL};

static int
parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_activation *p = l->params;
    const char *name = NULL;
    int rc = hop_json_get_str(c, "activation", true, where, &name, e);

    p->alpha = 1.0;
    return rc ? rc : hop_layer_act(name, where, &p->act, e);
}

static int
shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_activation *p = l->params;

    (void)net;
    (void)where;
    (void)e;
    l->out_shape = l->in_shape;
    l->flops = (double)hop_shape_len(&l->in_shape) * (p->act <= HOP_RELU ? 1 : 10);
    return HOP_OK;
}

const struct hop_layer_kind hop_layer_activation = {
    "Activation", NULL, "activation", keys, sizeof(struct hop_activation), parse, shape, NULL,
};

#include "net/act.h"

int
hop_act_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_activation *p = l->params;

    (void)net;
    (void)where;
    (void)e;
    l->out_shape = l->in_shape;
    l->flops = (double)hop_shape_len(&l->in_shape) * (p->act <= HOP_RELU ? 1 : 10);
    return HOP_OK;
}

/* Dropout: in training, zero a share `rate` of the values and scale the rest by 1/(1-rate). */
#include "net/dropout.h"

static const char *const keys[] = {"rate", "noise_shape", "seed", NULL};

int
hop_dropout_parse(const struct hop_json *c, const char *where, struct hop_layer *l, struct hop_err *e)
{
    struct hop_dropout *p = l->params;
    int rc = hop_json_get_real(c, "rate", true, 0, 1, where, &p->rate, e);

    if (!rc && p->rate == 1)
        rc = hop_fail(e, HOP_EFORMAT, where, "below 1", "\"rate\" 1 would drop everything");
    return rc ? rc : hop_layer_only(c, "noise_shape", "null", where, e);
}

int
hop_dropout_shape(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e)
{
    (void)net;
    (void)where;
    (void)e;
    l->out_shape = l->in_shape;
    l->flops = (double)hop_shape_len(&l->in_shape);
    return HOP_OK;
}

const struct hop_layer_kind hop_layer_dropout = {
    "Dropout", NULL, "Dropout", "dropout", keys, sizeof(struct hop_dropout),
    hop_dropout_parse, hop_dropout_shape, NULL,
};

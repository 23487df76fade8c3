#include "net/loss.h"

#include <string.h>

#include "net/net.h"

static const struct hop_loss losses[] = {
    {"categorical_crossentropy", HOP_LOSS_SOFTMAX_XENT},
    {"sparse_categorical_crossentropy", HOP_LOSS_SOFTMAX_XENT},
};

int
hop_loss_find(const char *name, const char *where, const struct hop_loss **out, struct hop_err *e)
{
    size_t i;

    for (i = 0; i < HOP_LEN(losses); i++)
        if (!strcmp(name, losses[i].name)) {
            *out = &losses[i];
            return HOP_OK;
        }
    return hop_fail(e, HOP_EFORMAT, where,
                    "known: categorical_crossentropy, sparse_categorical_crossentropy",
                    "unknown loss \"%.60s\"", name);
}

int
hop_loss_check(const struct hop_loss *l, const struct hop_net *net, const char *where,
               struct hop_err *e)
{
    const struct hop_layer *last = &net->layers[net->n_layers - 1];
    const struct hop_activation *p = last->params;

    if (strcmp(last->kind->op, "Activation") || p->act != HOP_SOFTMAX)
        return hop_fail(e, HOP_EFORMAT, where, "end the net with activation \"softmax\"",
                        "loss %s needs a softmax output, the net ends with %s", l->name,
                        last->is_inner ? "another activation" : last->kind->name);
    return HOP_OK;
}

/* optim - the table of optimizers. To add one: optim_NAME.c and a row here. */
#include "net/optim.h"

#include <stdio.h>
#include <string.h>

#define ROWS(X) X(adam) X(rmsprop) X(sgd)

#define DECLARE(name) extern const struct hop_optim hop_optim_##name;
#define POINT(name)   &hop_optim_##name,
ROWS(DECLARE)
static const struct hop_optim *const optims[] = {ROWS(POINT)};

int
hop_optim_find(const char *name, const char *where, const struct hop_optim **out, struct hop_err *e)
{
    char known[200] = "known:";
    size_t i;

    for (i = 0; i < HOP_LEN(optims); i++) {
        if (!strcmp(name, optims[i]->name)) {
            *out = optims[i];
            return HOP_OK;
        }
        strcat(known, i ? ", " : " ");
        strcat(known, optims[i]->name);
    }
    return hop_fail(e, HOP_EFORMAT, where, known, "unknown optimizer \"%.60s\"", name);
}

/* A hyperparameter of another optimizer, or Keras's name for lr, would be ignored in silence. */
static int
check_strangers(const struct hop_optim *o, const struct hop_json *config, const char *where,
                struct hop_err *e)
{
    size_t i;
    int k, m;

    if (hop_json_get(config, "learning_rate"))
        return hop_fail(e, HOP_EFORMAT, where, "call it \"lr\"", "unknown key \"learning_rate\"");
    for (i = 0; i < HOP_LEN(optims); i++)
        for (k = 0; optims[i]->hyper[k].name; k++) {
            const char *name = optims[i]->hyper[k].name;

            for (m = 0; o->hyper[m].name && strcmp(o->hyper[m].name, name); m++)
                ;
            if (!o->hyper[m].name && hop_json_get(config, name))
                return hop_fail(e, HOP_EFORMAT, where, "take it out of the config line",
                                "optimizer \"%s\" has no \"%s\"", o->name, name);
        }
    return HOP_OK;
}

int
hop_optim_conf(const struct hop_optim *o, const struct hop_json *config, const char *where,
               double *hyper, struct hop_err *e)
{
    const struct hop_hyper *h;
    bool flag;
    int k, rc = check_strangers(o, config, where, e);

    for (k = 0; o->hyper[k].name && !rc; k++) {
        h = &o->hyper[k];
        hyper[k] = h->dflt;
        if (h->is_bool) {
            flag = h->dflt != 0;
            rc = hop_json_get_bool(config, h->name, false, where, &flag, e);
            hyper[k] = flag;
        } else {
            rc = hop_json_get_real(config, h->name, false, h->min, h->max, where, &hyper[k], e);
        }
    }
    return rc;
}

double
hop_optim_lr(const double *hyper, int64_t t)
{
    return hyper[HOP_HYPER_LR] / (1.0 + hyper[HOP_HYPER_DECAY] * (double)(t - 1));
}

/* optim - the table of optimizers. To add one: optim_NAME.c and a row here. */
#include "net/optim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "net/lr.h"

#define ROWS(X) X(adadelta) X(adagrad) X(adam) X(adamw) X(lion) X(nadam) X(rmsprop) X(sgd)

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
        for (k = HOP_HYPER_OWN; optims[i]->hyper[k].name; k++) {
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
hop_optim_lr(const double *hyper, const struct hop_lr *lr, int64_t t)
{
    return hyper[HOP_HYPER_LR] / (1.0 + hyper[HOP_HYPER_DECAY] * (double)(t - 1)) *
           hop_lr_factor(lr, t - 1);
}

static double
sum_of_squares(const struct hop_optim_part *p)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < p->n; i++)
        sum += (double)p->g[i] * (double)p->g[i];
    return sum;
}

static void
scale(struct hop_optim_part *p, double norm, double limit)
{
    float f = (float)(limit / norm);
    size_t i;

    for (i = 0; norm > limit && i < p->n; i++)
        p->g[i] *= f;
}

static void
bound(struct hop_optim_part *p, float limit)
{
    size_t i;

    for (i = 0; i < p->n; i++)
        p->g[i] = p->g[i] > limit ? limit : p->g[i] < -limit ? -limit : p->g[i];
}

/* One of the three, as in Keras: with several, the first of this order counts. */
static void
clip(const double *hyper, struct hop_optim_part *parts, size_t n_parts)
{
    double global = 0;
    size_t k;

    for (k = 0; hyper[HOP_HYPER_GLOBAL_CLIPNORM] > 0 && k < n_parts; k++)
        global += sum_of_squares(&parts[k]);
    for (k = 0; k < n_parts; k++) {
        if (hyper[HOP_HYPER_GLOBAL_CLIPNORM] > 0)
            scale(&parts[k], sqrt(global), hyper[HOP_HYPER_GLOBAL_CLIPNORM]);
        else if (hyper[HOP_HYPER_CLIPNORM] > 0)
            scale(&parts[k], sqrt(sum_of_squares(&parts[k])), hyper[HOP_HYPER_CLIPNORM]);
        else if (hyper[HOP_HYPER_CLIPVALUE] > 0)
            bound(&parts[k], (float)hyper[HOP_HYPER_CLIPVALUE]);
    }
}

double
hop_optim_update(const struct hop_optim *o, const double *hyper, const struct hop_lr *lr, int64_t t,
                 struct hop_optim_part *parts, size_t n_parts)
{
    double rate = hop_optim_lr(hyper, lr, t);
    float shrink = (float)(hyper[HOP_HYPER_WEIGHT_DECAY] * rate);
    size_t i, k;

    clip(hyper, parts, n_parts);
    for (k = 0; k < n_parts; k++) {
        for (i = 0; shrink > 0 && i < parts[k].n; i++)
            parts[k].w[i] -= parts[k].w[i] * shrink;
        o->step(hyper, rate, t, parts[k].n, parts[k].w, parts[k].g, parts[k].slots);
    }
    return rate;
}

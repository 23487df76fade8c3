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

float
hop_optim_shrink(const double *hyper, double lr)
{
    return (float)(hyper[HOP_HYPER_WEIGHT_DECAY] * lr);
}

/* One loop for each rule; slots that a rule lacks are never touched, so any address will do. */
#define LOOP(name, n_slots)                                                                        \
    static void step_##name(const float *restrict c, size_t n, float *restrict w,                  \
                            const float *restrict g, float *const *s)                              \
    {                                                                                              \
        float *restrict s0 = s[0], *restrict s1 = s[1], *restrict s2 = s[2], none = 0;             \
        size_t i;                                                                                  \
                                                                                                   \
        for (i = 0; i < n; i++)                                                                    \
            hop_rule_##name(c, &w[i], g[i], n_slots > 0 ? &s0[i] : &none,                          \
                            n_slots > 1 ? &s1[i] : &none, n_slots > 2 ? &s2[i] : &none);           \
    }
HOP_OPTIM_RULES(LOOP)

#define POINT_LOOP(name, n_slots) step_##name,
static void (*const loops[])(const float *c, size_t n, float *w, const float *g,
                             float *const *s) = {HOP_OPTIM_RULES(POINT_LOOP)};

double
hop_optim_update(const struct hop_optim *o, const double *hyper, const struct hop_lr *lr, int64_t t,
                 struct hop_optim_part *parts, size_t n_parts)
{
    double rate = hop_optim_lr(hyper, lr, t);
    float shrink = hop_optim_shrink(hyper, rate), c[HOP_OPTIM_COEFS];
    enum hop_optim_rule rule = o->rule(hyper, rate, t, c);
    size_t i, k;

    clip(hyper, parts, n_parts);
    for (k = 0; k < n_parts; k++) {
        for (i = 0; shrink > 0 && i < parts[k].n; i++)
            parts[k].w[i] -= parts[k].w[i] * shrink;
        loops[rule](c, parts[k].n, parts[k].w, parts[k].g, parts[k].slots);
    }
    return rate;
}

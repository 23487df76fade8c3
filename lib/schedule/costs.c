#include "schedule/costs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { N_TURNS = 30 };

struct fit {
    struct hop_costs *c;
    double *speed;    /* [n_workers + 1], the last for workers that are not known now */
    bool *is_given;   /* [n_workers + 1] */
    double *num, *den; /* [n_tasks or n_workers + 1] */
};

static void
clear_sums(struct fit *f, size_t n)
{
    memset(f->num, 0, n * sizeof *f->num);
    memset(f->den, 0, n * sizeof *f->den);
}

static void
fit_tasks(struct fit *f)
{
    const struct hop_cost_sample *s;
    size_t i;

    clear_sums(f, f->c->n_tasks);
    for (i = 0; i < f->c->n; i++) {
        s = &f->c->samples[i];
        f->num[s->task] += s->wall_s;
        f->den[s->task] += s->examples / f->speed[s->worker];
    }
    for (i = 0; i < f->c->n_tasks; i++)
        f->c->train_s[i] = f->den[i] > 0 ? f->num[i] / f->den[i] : 0;
}

static void
fit_workers(struct fit *f)
{
    const struct hop_cost_sample *s;
    size_t i, n_found = 0, n_given = 0;
    double sum = 0;

    clear_sums(f, f->c->n_workers + 1);
    for (i = 0; i < f->c->n; i++) {
        s = &f->c->samples[i];
        f->num[s->worker] += s->examples * f->c->train_s[s->task];
        f->den[s->worker] += s->wall_s;
    }
    for (i = 0; i <= f->c->n_workers; i++) {
        n_given += f->is_given[i];
        if (f->is_given[i] || f->den[i] <= 0 || f->num[i] <= 0)
            continue;
        f->speed[i] = f->num[i] / f->den[i];
        sum += f->speed[i];
        n_found++;
    }
    for (i = 0; i <= f->c->n_workers && !n_given && n_found; i++)
        if (f->den[i] > 0 && f->num[i] > 0)
            f->speed[i] *= (double)n_found / sum;
}

/* Tasks that have had no visit go by their FLOPs. */
static void
fill_tasks(struct hop_costs *c, const double *speed, double nominal_flops_per_s)
{
    double flops = 0, seconds = 0, rate;
    size_t i;

    for (i = 0; i < c->n; i++) {
        flops += c->samples[i].examples * c->flops[c->samples[i].task];
        seconds += c->samples[i].wall_s * speed[c->samples[i].worker];
    }
    c->flops_per_s = flops > 0 && seconds > 0 ? flops / seconds : 0;
    rate = c->flops_per_s > 0 ? c->flops_per_s : nominal_flops_per_s;
    for (i = 0; i < c->n_tasks; i++)
        if (c->train_s[i] <= 0)
            c->train_s[i] = c->flops[i] / rate;
}

int
hop_costs_fit(struct hop_costs *c, double nominal_flops_per_s, struct hop_err *e)
{
    size_t i, n = (c->n_tasks > c->n_workers ? c->n_tasks : c->n_workers) + 1;
    struct fit f = {c, hop_alloc(c->n_workers + 1, sizeof(double), e),
                    hop_alloc(c->n_workers + 1, sizeof(bool), e), hop_alloc(n, sizeof(double), e),
                    hop_alloc(n, sizeof(double), e)};
    int rc = f.speed && f.is_given && f.num && f.den ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i <= c->n_workers && !rc; i++) {
        f.is_given[i] = i < c->n_workers && c->speed[i] > 0;
        f.speed[i] = f.is_given[i] ? c->speed[i] : 1;
    }
    for (i = 0; i < N_TURNS && !rc; i++) {
        fit_tasks(&f);
        fit_workers(&f);
    }
    if (!rc) {
        fit_tasks(&f);
        fill_tasks(c, f.speed, nominal_flops_per_s);
        memcpy(c->speed, f.speed, c->n_workers * sizeof *c->speed);
    }
    free(f.speed);
    free(f.is_given);
    free(f.num);
    free(f.den);
    return rc;
}

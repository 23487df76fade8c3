#include "search/tpe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "search/rung.h"

enum { MAX_GOOD = 25 };

const struct hop_tpe_rule hop_tpe_rules[] = {
    {"joint", HOP_PARZEN_JOINT, true, 10, 0.1, false},
    {"univariate", HOP_PARZEN_UNIVARIATE, false, 10, 0.1, false},
    {"multivariate", HOP_PARZEN_MULTIVARIATE, true, 10, 0.1, false},
    {"hyperopt", HOP_PARZEN_HYPEROPT, false, 20, 0.25, true},
    {NULL},
};

int
hop_tpe_rule_find(const char *name, const struct hop_tpe_rule **out, struct hop_err *e)
{
    const struct hop_tpe_rule *r;
    struct hop_str known = {0};
    int rc;

    for (r = hop_tpe_rules; r->name; r++) {
        if (!name || !strcmp(r->name, name)) {
            *out = r;
            hop_str_clear(&known);
            return HOP_OK;
        }
        hop_str_addf(&known, "%s%s", known.n ? ", " : "", r->name);
    }
    rc = hop_fail(e, HOP_EARG, "--rule", NULL, "unknown rule \"%s\" (known: %s)", name,
                  hop_str_c(&known));
    hop_str_clear(&known);
    return rc;
}

size_t
hop_tpe_good(const struct hop_tpe_rule *rule, size_t n)
{
    size_t good = (size_t)ceil(rule->gamma * (rule->is_of_root ? sqrt((double)n) : (double)n));

    return good > MAX_GOOD ? MAX_GOOD : good;
}

/* One proposal in the making. */
struct proposal {
    const struct hop_space *space;
    const struct hop_tpe_rule *rule;
    const struct hop_tpe_trial *v; /* [n] */
    size_t n;
    bool *is_good;            /* [n] */
    int n_candidates;
    hop_uniform_fn *uniform;
    void *ctx;
    double *rows;             /* [n][dimensions of a group] */
    double *x;
};

static struct hop_parzen_dim
describe(const struct hop_dim *d)
{
    static const enum hop_parzen_scale scale[] = {
        [HOP_DIM_UNIFORM] = HOP_SCALE_LINEAR,      [HOP_DIM_LOGUNIFORM] = HOP_SCALE_LOG,
        [HOP_DIM_LOGNEARONE] = HOP_SCALE_NEAR_ONE, [HOP_DIM_INT] = HOP_SCALE_LINEAR,
        [HOP_DIM_LOGINT] = HOP_SCALE_LOG,          [HOP_DIM_CHOICE] = HOP_SCALE_CATEGORY};

    return (struct hop_parzen_dim){scale[d->kind], d->n_choices, d->low, d->high, d->q};
}

/* The estimate of the good or the bad ones among the trials that have these dimensions. */
static int
estimate(const struct proposal *p, const struct hop_dim *const *dims, size_t n_dims, bool want_good,
         struct hop_parzen **out, struct hop_err *e)
{
    struct hop_parzen_dim *described = hop_alloc(n_dims, sizeof *described, e);
    size_t i, d, n = 0;
    int rc;

    if (!described)
        return HOP_ENOMEM;
    for (d = 0; d < n_dims; d++)
        described[d] = describe(dims[d]);
    for (i = 0; i < p->n; i++) {
        if (p->is_good[i] != want_good || isnan(p->v[i].x[dims[0]->index]))
            continue;
        for (d = 0; d < n_dims; d++)
            p->rows[n * n_dims + d] = p->v[i].x[dims[d]->index];
        n++;
    }
    rc = hop_parzen_new(described, n_dims, p->rows, n, p->rule->widths, out, e);
    free(described);
    return rc;
}

static int
propose_some(const struct proposal *p, const struct hop_dim *const *dims, size_t n_dims,
             struct hop_err *e)
{
    struct hop_parzen *good = NULL, *bad = NULL;
    double *x = hop_alloc(n_dims, sizeof *x, e);
    size_t d;
    int rc;

    rc = x ? estimate(p, dims, n_dims, true, &good, e) : HOP_ENOMEM;
    if (!rc && !(rc = estimate(p, dims, n_dims, false, &bad, e)))
        rc = hop_parzen_propose(good, bad, p->n_candidates, p->uniform, p->ctx, x, e);
    for (d = 0; d < n_dims && !rc; d++) /* as configs have it, in 9 digits */
        p->x[dims[d]->index] = hop_dim_value(dims[d], hop_dim_axis(dims[d], x[d]));
    hop_parzen_free(good);
    hop_parzen_free(bad);
    free(x);
    return rc;
}

/* All groups that are there. */
static int
propose(const struct proposal *p, const struct hop_dim **group, struct hop_err *e)
{
    const struct hop_dim *d, *other;
    size_t i, k, n;
    int rc;

    for (i = 0; i < p->space->n_all; i++)
        p->x[i] = NAN;
    for (i = 0; i < p->space->n_all; i++) {
        d = p->space->all[i];
        if (!isnan(p->x[i]) || !hop_space_is_active(d, p->x))
            continue;
        for (k = i, n = 0; k < p->space->n_all; k++) {
            other = p->space->all[k];
            if (other->parent == d->parent && other->i_parent == d->i_parent)
                group[n++] = other;
        }
        for (k = 0; k < n; k += p->rule->is_joint ? n : 1)
            if ((rc = propose_some(p, group + k, p->rule->is_joint ? n : 1, e)))
                return rc;
    }
    return HOP_OK;
}

/* Mark the n_good best of those that have finished. */
static int
split(const struct proposal *p, size_t n_good, struct hop_err *e)
{
    struct hop_runner *order = hop_alloc(p->n, sizeof *order, e);
    size_t i, n = 0;

    if (!order)
        return HOP_ENOMEM;
    for (i = 0; i < p->n; i++)
        if (!p->v[i].is_running)
            order[n++] = (struct hop_runner){p->v[i].loss, i, 0};
    hop_rung_sort(order, n);
    for (i = 0; i < n && i < n_good; i++)
        p->is_good[order[i].number] = true;
    free(order);
    return HOP_OK;
}

int
hop_tpe_propose(const struct hop_space *s, const struct hop_tpe_rule *rule,
                const struct hop_tpe_trial *v, size_t n, size_t n_good, int n_candidates,
                hop_uniform_fn *uniform, void *ctx, double *x, struct hop_err *e)
{
    struct proposal p = {s, rule, v, n, NULL, n_candidates, uniform, ctx, NULL, x};
    const struct hop_dim **group = hop_alloc(s->n_all, sizeof *group, e);
    int rc = HOP_ENOMEM;

    p.is_good = hop_alloc(n, sizeof *p.is_good, e);
    p.rows = hop_alloc(n * s->n_all, sizeof *p.rows, e);
    if (group && p.is_good && p.rows && !(rc = split(&p, n_good, e)))
        rc = propose(&p, group, e);
    free(group);
    free(p.is_good);
    free(p.rows);
    return rc;
}

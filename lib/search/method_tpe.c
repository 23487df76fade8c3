/* tpe - each config where the results so far say that good ones are (tpe.h).
 *
 * Asked one at a time every config knows of all before it. With --parallel those in training count as
 * bad ones, so that others are looked for elsewhere. Config lines in the log are what was asked for:
 * a number that the log knows is never drawn again.
 */
#include "search/tpe.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "search/evidence.h"
#include "search/methods.h"

enum { N_CONFIGS = 100, N_CANDIDATES = 24 };

static const char *const takes[] = {"num-configs", "iterations", "parallel", "rule", "evidence", NULL};

struct study {
    const struct hop_search_in *in;
    struct hop_search_out *out;
    const struct hop_tpe_rule *rule;
    int64_t until;
    struct hop_tpe_trial *v; /* [n], by number */
    size_t n, n_finished, n_training;
    size_t number;           /* in the making */
    uint32_t k;              /* numbers drawn for it */
    double *x;               /* [n_new][n_all] of those asked for in this call */
    size_t n_new;
};

static double
uniform(void *ctx)
{
    struct study *s = ctx;

    return hop_search_uniform(s->in, "_tpe", s->number, s->k++);
}

/* What other searches found out comes first: it is older. */
static void
add_evidence(struct study *s, const struct hop_evidence *v)
{
    size_t i;

    for (i = 0; i < v->n; i++)
        s->v[s->n++] = (struct hop_tpe_trial){v->x + i * s->in->space->n_all, v->loss[i], false};
    s->n_finished += v->n;
}

/* What the log knows: results, and configs in training, which are asked for again. */
static int
read_results(struct study *s, size_t n_configs, struct hop_err *e)
{
    const struct hop_result *r;
    size_t number;
    double loss;
    int rc;

    for (number = 1; number <= s->in->n_results; number++) {
        r = hop_search_result(s->in, number);
        if (r->state == HOP_RESULT_UNKNOWN)
            continue;
        loss = hop_result_loss_from(r, s->until);
        if (r->x)
            s->v[s->n++] = (struct hop_tpe_trial){r->x, loss, isnan(loss)};
        s->n_finished += !isnan(loss) && r->x;
        if (number > n_configs)
            continue;
        s->n_training += isnan(loss);
        if ((rc = hop_search_ask(s->in, s->out, number, NULL, s->until, e)))
            return rc;
    }
    return HOP_OK;
}

static int
ask_new(struct study *s, size_t number, struct hop_err *e)
{
    double *x = s->x + s->n_new++ * s->in->space->n_all;
    int rc = HOP_OK;

    s->number = number;
    s->k = 0;
    if (s->n_finished < (size_t)s->rule->n_startup)
        hop_search_random(s->in, number, x);
    else
        rc = hop_tpe_propose(s->in->space, s->rule, s->v, s->n, hop_tpe_good(s->rule, s->n_finished),
                             N_CANDIDATES, uniform, s, x, e);
    s->v[s->n++] = (struct hop_tpe_trial){x, 0, true};
    s->n_training++;
    return rc ? rc : hop_search_ask(s->in, s->out, number, x, s->until, e);
}

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    const struct hop_search_options *o = in->options;
    struct study s = {.in = in, .out = out, .until = o->iterations ? o->iterations : 1};
    struct hop_evidence evidence = {0};
    size_t n_configs = o->num_configs ? (size_t)o->num_configs : N_CONFIGS, number;
    size_t n_parallel = (size_t)o->parallel;
    int rc;

    if ((rc = hop_tpe_rule_find(o->rule, &s.rule, e)))
        return rc;
    if (o->want_evidence && (rc = hop_evidence_gather(in, s.until, &evidence, e)))
        return rc;
    s.v = hop_alloc(evidence.n + in->n_results + n_parallel, sizeof *s.v, e);
    s.x = hop_alloc(n_parallel * in->space->n_all, sizeof *s.x, e);
    if (s.v)
        add_evidence(&s, &evidence);
    rc = s.v && s.x ? read_results(&s, n_configs, e) : HOP_ENOMEM;
    for (number = 1; number <= n_configs && s.n_training < n_parallel && !rc; number++)
        if (hop_search_result(in, number)->state == HOP_RESULT_UNKNOWN)
            rc = ask_new(&s, number, e);
    free(s.v);
    free(s.x);
    hop_evidence_clear(&evidence);
    return rc;
}

const struct hop_method hop_method_tpe = {"tpe", "configs proposed by the results so far", takes, next,
                                          NULL};

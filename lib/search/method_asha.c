/* asha - successive halving without waiting: whenever there is room, the best config that waits on a
 * rung goes on from its model file, or a new one begins.
 *
 * Rule "promote" (Li et al. 2020): a config that has come to a rung waits; it goes on when it is among the
 * best 1 of eta there, the highest rung first. Rule "stop" (Optuna, Ray, Determined): it goes on at once
 * or never, by the results that had come before its own. Rungs: R / eta^k, none below --min-iterations.
 *
 * Who goes on depends on who came first, and the log has that order. What was asked for is in the
 * config lines' "until": a promotion that they tell of is not decided again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "search/brackets.h"
#include "search/methods.h"
#include "search/rung.h"

static const char *const takes[] = {"num-configs", "max-iterations", "min-iterations", "eta",
                                    "parallel", "rule", NULL};

struct asha {
    const struct hop_search_in *in;
    bool is_stopping;
    int64_t eta, rungs[HOP_MAX_BRACKETS];
    int n_rungs;
    size_t n_configs, n_known; /* to begin in all; that the log may know */
    int *at;                   /* [n_known + 1] rung that the config is to come to; -1 = not begun */
    struct hop_runner *runners[HOP_MAX_BRACKETS]; /* [n_on] results on a rung, the best first */
    size_t n_on[HOP_MAX_BRACKETS], next[HOP_MAX_BRACKETS]; /* next: who may go on */
    size_t n_go[HOP_MAX_BRACKETS];
    size_t n_training;
};

/* The rung that the log says the config is to come to. */
static int
rung_of(const struct asha *a, const struct hop_result *r)
{
    int64_t least = r->until;
    int i;

    if (r->n_curve && r->curve[r->n_curve - 1].iteration > least)
        least = r->curve[r->n_curve - 1].iteration;
    for (i = 0; i + 1 < a->n_rungs && a->rungs[i] < least; i++)
        ;
    return i;
}

/* The result on rung i, and when it came; NAN before. */
static double
loss_on(const struct asha *a, const struct hop_result *r, int i, size_t *order)
{
    const struct hop_point *p = hop_result_from(r, a->rungs[i]);

    *order = p ? p->order : r->diverged_order;
    return hop_result_loss_from(r, a->rungs[i]);
}

static void
place(struct asha *a, size_t number)
{
    const struct hop_result *r = hop_search_result(a->in, number);
    bool is_over = r->state == HOP_RESULT_DIVERGED || r->state == HOP_RESULT_STOPPED;
    size_t order;
    double loss = 0;
    int i;

    a->at[number] = -1;
    if (r->state == HOP_RESULT_UNKNOWN)
        return;
    a->at[number] = rung_of(a, r);
    for (i = 0; i <= a->at[number]; i++) {
        loss = loss_on(a, r, i, &order);
        if (!isnan(loss))
            a->runners[i][a->n_on[i]++] = (struct hop_runner){loss, number, order};
    }
    a->n_training += isnan(loss) && !is_over;
}

/* Put those of rung i that may go on first, the best first. */
static int
choose(struct asha *a, int i, struct hop_err *e)
{
    struct hop_runner *v = a->runners[i], *kept;
    size_t k, n = a->n_on[i];

    if (!a->is_stopping) {
        hop_rung_sort(v, n);
        a->n_go[i] = hop_rung_promotes(n, a->eta);
        return HOP_OK;
    }
    if (!(kept = hop_alloc(n, sizeof *kept, e)))
        return HOP_ENOMEM;
    for (k = 0; k < n; k++)
        if (hop_rung_keeps(v, n, k, a->eta))
            kept[a->n_go[i]++] = v[k];
    hop_rung_sort(kept, a->n_go[i]);
    memcpy(v, kept, a->n_go[i] * sizeof *v);
    free(kept);
    return HOP_OK;
}

/* The best config that may go on and has not; false when there is none. */
static bool
promote(struct asha *a)
{
    const struct hop_runner *v;
    const struct hop_result *r;
    int i;

    for (i = a->n_rungs - 2; i >= 0; i--)
        while (a->next[i] < a->n_go[i]) {
            v = &a->runners[i][a->next[i]++];
            r = hop_search_result(a->in, v->number);
            if (a->at[v->number] != i || !isfinite(v->loss) || r->state == HOP_RESULT_DIVERGED ||
                r->state == HOP_RESULT_STOPPED)
                continue;
            a->at[v->number] = i + 1;
            a->n_training++;
            return true;
        }
    return false;
}

static bool
begin(struct asha *a, size_t *number)
{
    while (*number <= a->n_configs && a->at[*number] >= 0)
        ++*number;
    if (*number > a->n_configs)
        return false;
    a->at[*number] = 0;
    a->n_training++;
    return true;
}

static int
ask_all(const struct asha *a, struct hop_search_out *out, struct hop_err *e)
{
    double *x = hop_search_alloc_point(a->in, e);
    const struct hop_result *r;
    size_t number;
    int rc = x ? HOP_OK : HOP_ENOMEM;

    for (number = 1; number <= a->n_configs && !rc; number++) {
        if (a->at[number] < 0)
            continue;
        r = hop_search_result(a->in, number);
        if (!r->config)
            hop_search_random(a->in, number, x);
        rc = hop_search_ask(a->in, out, number, r->config ? NULL : x, a->rungs[a->at[number]], e);
    }
    free(x);
    return rc;
}

static int
set_up(struct asha *a, struct hop_err *e)
{
    const struct hop_search_options *o = a->in->options;
    int64_t R = o->iterations ? o->iterations : 27, min = o->min_iterations ? o->min_iterations : 1;
    int i;

    a->eta = o->eta ? o->eta : 3;
    if (o->rule && strcmp(o->rule, "promote") && strcmp(o->rule, "stop"))
        return hop_fail(e, HOP_EARG, "--rule", NULL, "unknown rule \"%s\" (known: promote, stop)",
                        o->rule);
    if (min > R)
        return hop_fail(e, HOP_EARG, "--min-iterations", NULL, "%lld is above %lld, the most",
                        (long long)min, (long long)R);
    a->is_stopping = o->rule && !strcmp(o->rule, "stop");
    a->n_rungs = hop_brackets_rungs(R, a->eta, min, a->rungs);
    for (i = 1, a->n_configs = 1; i < a->n_rungs && a->n_configs < HOP_MAX_CONFIGS; i++)
        a->n_configs *= (size_t)a->eta;
    if (o->num_configs || a->n_configs > HOP_MAX_CONFIGS)
        a->n_configs = o->num_configs ? (size_t)o->num_configs : HOP_MAX_CONFIGS;
    a->n_known = a->in->n_results > a->n_configs ? a->in->n_results : a->n_configs;
    if (!(a->at = hop_alloc(a->n_known + 1, sizeof *a->at, e)))
        return HOP_ENOMEM;
    for (i = 0; i < a->n_rungs; i++)
        if (!(a->runners[i] = hop_alloc(a->in->n_results, sizeof *a->runners[i], e)))
            return HOP_ENOMEM;
    return HOP_OK;
}

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    struct asha a = {.in = in};
    size_t number;
    int i, rc = set_up(&a, e);

    for (number = 1; number <= a.n_known && !rc; number++)
        place(&a, number);
    for (i = 0; i < a.n_rungs && !rc; i++)
        rc = choose(&a, i, e);
    number = 1;
    while (!rc && a.n_training < (size_t)in->options->parallel && (promote(&a) || begin(&a, &number)))
        ;
    if (!rc)
        rc = ask_all(&a, out, e);
    for (i = 0; i < a.n_rungs; i++)
        free(a.runners[i]);
    free(a.at);
    return rc;
}

const struct hop_method hop_method_asha = {
    "asha", "successive halving that never waits", takes, next, NULL};

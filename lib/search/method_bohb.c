/* bohb - Hyperband whose configs are drawn where good ones were: brackets after the first propose by
 * Parzen estimates, one config of three at random.
 *
 * As in Falkner et al., "BOHB", ICML 2018, and HpBandSter: the model is of the largest number of
 * iterations that 2 (d + 1) configs have had, d dimensions; the best max(d + 1, 15 %) of them are the
 * good ones; 64 candidates. Its densities are parzen.h's, whose components are wide where there are few
 * points, instead of a kernel density estimate with widened kernels. It goes by earlier diagonals alone,
 * so a bracket's configs are the same whenever one asks. With --evidence configs of other searches count
 * at every rung whose iterations they had, before the search's own, and the first bracket is proposed, too.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "search/halving.h"
#include "search/tpe.h"

enum { N_CANDIDATES = 64 };

static const char *const takes[] = {"max-iterations", "eta", "shape", "added", "table", "evidence", NULL};

struct stream {
    const struct hop_search_in *in;
    size_t number;
    uint32_t k;
};

static double
uniform(void *ctx)
{
    struct stream *s = ctx;

    return hop_search_uniform(s->in, "_bohb", s->number, s->k++);
}

/* Of other searches, those that had as many iterations as this diagonal's rungs. */
static size_t
gather_evidence(const struct hop_halving *h, int diagonal, struct hop_tpe_trial *v)
{
    const struct hop_evidence *from = h->evidence ? &h->evidence[diagonal] : NULL;
    size_t i, n = 0;

    for (i = 0; from && i < from->n; i++)
        if (from->iteration[i] >= h->brackets.v[0].until[diagonal])
            v[n++] = (struct hop_tpe_trial){from->x + i * h->in->space->n_all, from->loss[i], false};
    return n;
}

/* The configs that were on a rung of this diagonal; those of this search if it is before `now`. */
static size_t
gather(const struct hop_halving *h, int diagonal, int now, struct hop_tpe_trial *v)
{
    size_t number, n = gather_evidence(h, diagonal, v);
    const struct hop_bracket *b;
    const struct hop_result *r;
    double loss;
    int k;

    if (diagonal >= now)
        return n;
    for (k = 0; k <= diagonal; k++) {
        b = &h->brackets.v[k];
        for (number = (size_t)b->first; number < (size_t)(b->first + b->n[0]); number++) {
            r = hop_search_result(h->in, number);
            loss = hop_halving_loss(h, k, diagonal, number);
            if (r->x && !isnan(loss))
                v[n++] = (struct hop_tpe_trial){r->x, loss, false};
        }
    }
    return n;
}

static int
draw(const struct hop_halving *h, int diagonal, size_t number, double *x, struct hop_err *e)
{
    struct stream s = {h->in, number, 0};
    size_t n_dims = h->in->space->n_all, n = 0, n_good;
    int d = h->evidence ? h->brackets.n : diagonal, rc;
    struct hop_tpe_trial *v;

    hop_search_random(h->in, number, x);
    if (!d || uniform(&s) < 1 / 3.)
        return HOP_OK;
    if (!(v = hop_alloc((size_t)h->brackets.n_configs + (h->evidence ? h->in->trials->n : 0), sizeof *v,
                        e)))
        return HOP_ENOMEM;
    while (--d >= 0 && (n = gather(h, d, diagonal, v)) < 2 * (n_dims + 1))
        ;
    n_good = (size_t)(0.15 * (double)n);
    if (n_good < n_dims + 1)
        n_good = n_dims + 1;
    rc = d < 0 ? HOP_OK
               : hop_tpe_propose(h->in->space, &hop_tpe_rules[0], v, n, n_good, N_CANDIDATES, uniform,
                                 &s, x, e);
    free(v);
    return rc;
}

static int
next(const struct hop_search_in *in, struct hop_search_out *out, struct hop_err *e)
{
    return hop_halving_next(in, out, draw, e);
}

const struct hop_method hop_method_bohb = {
    "bohb", "hyperband, with configs proposed by tpe", takes, next, hop_halving_table};

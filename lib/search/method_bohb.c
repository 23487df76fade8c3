/* bohb - Hyperband whose configs are drawn where good ones were: brackets after the first propose by
 * Parzen estimates, one config of three at random.
 *
 * As in Falkner et al., "BOHB", ICML 2018, and HpBandSter: the model is of the largest number of
 * iterations that 2 (d + 1) configs have had, d dimensions; the best max(d + 1, 15 %) of them are the
 * good ones; 64 candidates. Its densities are parzen.h's, whose components are wide where there are few
 * points, instead of a kernel density estimate with widened kernels. It goes by earlier diagonals alone,
 * so a bracket's configs are the same whenever one asks.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "search/halving.h"
#include "search/tpe.h"

enum { N_CANDIDATES = 64 };

static const char *const takes[] = {"max-iterations", "eta", "shape", "added", "table", NULL};

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

/* The configs that were on a rung of this diagonal. */
static size_t
gather(const struct hop_halving *h, int diagonal, struct hop_tpe_trial *v)
{
    const struct hop_bracket *b;
    const struct hop_result *r;
    size_t number, n = 0;
    double loss;
    int k;

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
    struct hop_tpe_trial *v;
    int d, rc;

    hop_search_random(h->in, number, x);
    if (!diagonal || uniform(&s) < 1 / 3.)
        return HOP_OK;
    if (!(v = hop_alloc((size_t)h->brackets.n_configs, sizeof *v, e)))
        return HOP_ENOMEM;
    for (d = diagonal - 1; d >= 0 && (n = gather(h, d, v)) < 2 * (n_dims + 1); d--)
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

#include "search/halving.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "search/rung.h"

double
hop_halving_loss(const struct hop_halving *h, int bracket, int diagonal, size_t number)
{
    int64_t until = h->brackets.v[bracket].until[diagonal - bracket];

    if (h->until[number - 1] < until)
        return NAN;
    return hop_result_loss_from(hop_search_result(h->in, number), until);
}

/* Who is on the rungs of diagonal d, the best of the rungs before; *is_open when a result of theirs is
 * missing. runners: [n_configs], those of a bracket from its first config's place on. */
static void
climb(struct hop_halving *h, int d, struct hop_runner *runners, bool *is_open)
{
    const struct hop_bracket *b;
    struct hop_runner *v;
    int64_t i;
    int k;

    for (k = 0; k <= d; k++) {
        b = &h->brackets.v[k];
        v = runners + b->first - 1;
        for (i = 0; i < b->n[d - k]; i++) {
            if (k == d)
                v[i].number = (size_t)(b->first + i);
            h->until[v[i].number - 1] = b->until[d - k];
            v[i].loss = hop_halving_loss(h, k, d, v[i].number);
            *is_open = *is_open || isnan(v[i].loss);
        }
        hop_rung_sort(v, (size_t)b->n[d - k]);
    }
}

static int
ask_all(const struct hop_halving *h, struct hop_search_out *out, hop_halving_draw_fn *draw,
        struct hop_err *e)
{
    double *x = hop_search_alloc_point(h->in, e);
    const struct hop_result *r;
    size_t number;
    int k = 0, rc = x ? HOP_OK : HOP_ENOMEM;

    for (number = 1; number <= (size_t)h->brackets.n_configs && !rc; number++) {
        while (k + 1 < h->brackets.n && (size_t)h->brackets.v[k + 1].first <= number)
            k++;
        if (!h->until[number - 1])
            break;
        r = hop_search_result(h->in, number);
        if (!r->config && (rc = draw(h, k, number, x, e)))
            break;
        rc = hop_search_ask(h->in, out, number, r->config ? NULL : x, h->until[number - 1], e);
    }
    free(x);
    return rc;
}

static int
make_brackets(const struct hop_search_options *o, struct hop_brackets *b, struct hop_err *e)
{
    return hop_brackets_make(o->iterations ? o->iterations : 27, o->eta ? o->eta : 3,
                             o->shape ? o->shape : "A", o->want_added, b, e);
}

static int
gather_evidence(struct hop_halving *h, struct hop_err *e)
{
    int d, rc = HOP_OK;

    if (!(h->evidence = hop_alloc((size_t)h->brackets.n, sizeof *h->evidence, e)))
        return HOP_ENOMEM;
    for (d = 0; d < h->brackets.n && !rc; d++)
        rc = hop_evidence_gather(h->in, h->brackets.v[0].until[d], &h->evidence[d], e);
    return rc;
}

int
hop_halving_next(const struct hop_search_in *in, struct hop_search_out *out,
                 hop_halving_draw_fn *draw, struct hop_err *e)
{
    struct hop_halving h = {.in = in};
    struct hop_runner *runners;
    bool is_open = false;
    int d, rc;

    if ((rc = make_brackets(in->options, &h.brackets, e)))
        return rc;
    h.until = hop_alloc((size_t)h.brackets.n_configs, sizeof *h.until, e);
    runners = hop_alloc((size_t)h.brackets.n_configs, sizeof *runners, e);
    if (!h.until || !runners)
        rc = HOP_ENOMEM;
    if (!rc && in->options->want_evidence)
        rc = gather_evidence(&h, e);
    for (d = 0; d < h.brackets.n && !is_open && !rc; d++)
        climb(&h, d, runners, &is_open);
    if (!rc)
        rc = ask_all(&h, out, draw, e);
    for (d = 0; h.evidence && d < h.brackets.n; d++)
        hop_evidence_clear(&h.evidence[d]);
    free(h.evidence);
    free(runners);
    free(h.until);
    return rc;
}

int
hop_halving_table(const struct hop_search_options *options, struct hop_str *out, struct hop_err *e)
{
    struct hop_brackets b;
    int rc = make_brackets(options, &b, e);

    if (!rc)
        hop_brackets_table(&b, out);
    return rc;
}

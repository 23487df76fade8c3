#include "search/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "search/results.h"

/* The point that counts; its loss is NAN when there is none. */
static struct hop_point
point_of(const struct hop_trial *t, const struct hop_point *curve, size_t n, int64_t until)
{
    size_t i = 0;

    if (t->is_diverged)
        return (struct hop_point){.iteration = INT64_MAX, .loss = INFINITY};
    while (i + 1 < n && curve[i].iteration < until)
        i++;
    return n ? curve[i] : (struct hop_point){.loss = NAN};
}

static int
gather(const struct hop_search_in *in, int64_t until, struct hop_evidence *out, struct hop_err *e)
{
    struct hop_point *curve = NULL, at;
    const struct hop_trial *t;
    size_t i, n, cap = 0;
    int rc = HOP_OK;

    for (i = 0; i < in->trials->n && !rc; i++) {
        t = &in->trials->v[i];
        if (hop_results_is_ours(in, t->id) || !t->config ||
            !hop_space_point(in->space, t->config, out->x + out->n * in->space->n_all))
            continue;
        n = 0;
        rc = hop_objective_curve(&in->objective, t, &curve, &n, &cap, e);
        at = point_of(t, curve, n, until);
        if (rc || isnan(at.loss))
            continue;
        out->loss[out->n] = at.loss;
        out->iteration[out->n++] = at.iteration;
    }
    free(curve);
    return rc;
}

int
hop_evidence_gather(const struct hop_search_in *in, int64_t until, struct hop_evidence *out,
                    struct hop_err *e)
{
    int rc = HOP_ENOMEM;

    *out = (struct hop_evidence){0};
    out->x = hop_alloc(in->trials->n * in->space->n_all, sizeof *out->x, e);
    out->loss = hop_alloc(in->trials->n, sizeof *out->loss, e);
    out->iteration = hop_alloc(in->trials->n, sizeof *out->iteration, e);
    if (out->x && out->loss && out->iteration)
        rc = gather(in, until, out, e);
    if (rc)
        hop_evidence_clear(out);
    return rc;
}

void
hop_evidence_clear(struct hop_evidence *v)
{
    free(v->x);
    free(v->loss);
    free(v->iteration);
    *v = (struct hop_evidence){0};
}

#include "search/objective.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/opt.h"

int
hop_objective_parse_of(const char *text, const char *where, struct hop_objective *o,
                       struct hop_err *e)
{
    o->last_k = INT64_MAX;
    if (!strcmp(text, "last")) {
        o->of = HOP_OF_LAST;
    } else if (!strcmp(text, "best")) {
        o->of = HOP_OF_BEST;
    } else if (!strcmp(text, "mean") || !strncmp(text, "mean:", 5)) {
        o->of = HOP_OF_MEAN;
        if (text[4])
            return hop_parse_int(text + 5, 1, 1e9, where, &o->last_k, e);
    } else {
        return hop_fail(e, HOP_EARG, where, "last, best, mean, mean:5", "\"%.40s\" is none of them",
                        text);
    }
    return HOP_OK;
}

int
hop_objective_bind(struct hop_objective *o, const struct hop_trials *t, struct hop_err *e)
{
    const struct hop_entry *line;
    bool has_evals = false, has_key = false, has_accuracy = false;
    size_t i, k;

    if (!*o->metric.split)
        snprintf(o->metric.split, sizeof o->metric.split, "%s",
                 t->n && !t->has_val ? "train" : "val");
    o->i_split = hop_trials_split(t, o->metric.split);
    o->i_train = hop_trials_split(t, "train");
    o->key = *o->metric.name ? o->metric.name : "accuracy";
    /* All evaluations of a run have the same metrics, so the first ends this loop. */
    for (i = 0; i < t->n && o->i_split >= 0 && !has_key; i++)
        for (k = 0; k < t->v[i].n_entries && !has_key; k++) {
            line = &t->v[i].entries[k];
            if (line->i_split != o->i_split)
                continue;
            has_evals = true;
            has_key = hop_entry_has(line, o->key);
        }
    has_accuracy = has_key;
    if (!*o->metric.name && !has_accuracy && has_evals)
        o->key = "loss";
    else if (has_evals && !has_key)
        return hop_fail(e, HOP_EFORMAT, "--metric", "such as accuracy or loss",
                        "evaluations on %s have no \"%s\"", o->metric.split, o->key);
    o->is_less_better = o->way == HOP_WAY_GUESS ? hop_metric_is_less_better(o->key)
                                                : o->way == HOP_WAY_LESS;
    return HOP_OK;
}

double
hop_objective_loss(const struct hop_objective *o, double value, double gap)
{
    double loss = o->is_less_better ? value : -value;
    double beyond = o->max_gap >= 0 && gap > o->max_gap ? gap - o->max_gap : 0;

    if (!isfinite(value))
        return INFINITY;
    if (o->gap_weight > 0)
        return loss + o->gap_weight * beyond;
    return beyond > 0 ? HOP_LOSS_UNFIT * (1 + beyond) : loss;
}

/* How much better train was at this iteration. */
static double
gap_of(const struct hop_objective *o, const struct hop_trial *t, const struct hop_entry *line,
       double value)
{
    const struct hop_entry *train = hop_trial_eval(t, o->i_train, line->iteration);
    double v = train ? hop_entry_number(train, o->key)
                     : hop_trial_visits_mean(t, o->key, line->iteration);

    return o->is_less_better ? value - v : v - value;
}

static int
by_iteration(const void *a, const void *b)
{
    const struct hop_point *x = a, *y = b;

    return (x->iteration > y->iteration) - (x->iteration < y->iteration);
}

/* From single evaluations to what o makes of those so far. */
static int
put_together(const struct hop_objective *o, struct hop_point *p, size_t n, struct hop_err *e)
{
    struct hop_point *single;
    size_t i, k, first;
    double value, gap, n_of;

    for (i = 1; i < n && o->of == HOP_OF_BEST; i++)
        if (!(p[i].loss < p[i - 1].loss)) {
            p[i].loss = p[i - 1].loss;
            p[i].value = p[i - 1].value;
            p[i].gap = p[i - 1].gap;
        }
    if (o->of != HOP_OF_MEAN || n < 2)
        return HOP_OK;
    if (!(single = hop_alloc(n, sizeof *single, e)))
        return HOP_ENOMEM;
    memcpy(single, p, n * sizeof *p);
    for (i = 0; i < n; i++) {
        first = (int64_t)i + 1 > o->last_k ? i + 1 - (size_t)o->last_k : 0;
        for (value = gap = 0, k = first; k <= i; k++) {
            value += single[k].value;
            gap += single[k].gap;
        }
        n_of = (double)(i + 1 - first);
        p[i].value = value / n_of;
        p[i].gap = gap / n_of;
        p[i].loss = hop_objective_loss(o, p[i].value, p[i].gap);
    }
    free(single);
    return HOP_OK;
}

int
hop_objective_curve(const struct hop_objective *o, const struct hop_trial *t,
                    struct hop_point **out, size_t *n, size_t *cap, struct hop_err *e)
{
    const struct hop_entry *line;
    struct hop_point *p;
    size_t i, first = *n;
    int rc;

    for (i = 0; t && o->i_split >= 0 && i < t->n_entries; i++) {
        line = &t->entries[i];
        if (line->i_split != o->i_split)
            continue;
        if ((rc = hop_grow(out, cap, *n + 1, sizeof **out, e)))
            return rc;
        p = &(*out)[(*n)++];
        *p = (struct hop_point){.iteration = line->iteration, .gap = NAN, .order = line->order};
        p->value = hop_entry_number(line, o->key);
        if (o->max_gap >= 0 || o->want_gap)
            p->gap = gap_of(o, t, line, p->value);
        p->loss = hop_objective_loss(o, p->value, p->gap);
    }
    if (*n == first)
        return HOP_OK;
    qsort(*out + first, *n - first, sizeof **out, by_iteration);
    return put_together(o, *out + first, *n - first, e);
}

/* a: so far the mean of r curves, b: one more. */
static void
add_repeat(struct hop_point *a, const struct hop_point *b, size_t r)
{
    double delta = b->value - a->value;

    /* Welford's mean and sum of squares; stderr_ holds the latter until the end */
    a->value += delta / (double)(r + 1);
    a->stderr_ += delta * (b->value - a->value);
    a->gap += (b->gap - a->gap) / (double)(r + 1);
    if (b->order > a->order)
        a->order = b->order;
}

int
hop_objective_mean_curve(const struct hop_objective *o, const struct hop_trial *const *trials,
                         size_t n_trials, struct hop_point **out, size_t *n, size_t *cap,
                         struct hop_err *e)
{
    size_t first = *n, n_more, cap_more = 0, r, i, k, kept;
    struct hop_point *more = NULL, *a;
    int rc = hop_objective_curve(o, trials[0], out, n, cap, e);

    for (r = 1; r < n_trials && !rc; r++) {
        n_more = 0;
        if ((rc = hop_objective_curve(o, trials[r], &more, &n_more, &cap_more, e)))
            break;
        for (i = kept = first, k = 0; i < *n; i++) {
            a = &(*out)[i];
            while (k < n_more && more[k].iteration < a->iteration)
                k++;
            if (k == n_more || more[k].iteration != a->iteration)
                continue;
            add_repeat(a, &more[k], r);
            (*out)[kept++] = *a;
        }
        *n = kept;
    }
    for (i = first; n_trials > 1 && !rc && i < *n; i++) {
        a = &(*out)[i];
        a->stderr_ = sqrt(a->stderr_ / (double)(n_trials - 1) / (double)n_trials);
        a->loss = hop_objective_loss(o, a->value, a->gap);
    }
    free(more);
    return rc;
}

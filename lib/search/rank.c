#include "search/rank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/run.h"

/* Contents: 1 repeats, 2 values, 3 order, 4 what is left out, 5 the whole */

/* ---- 1 repeats ---- */

/* The config that t is a repeat of, or t itself. */
static const struct hop_trial *
base_of(const struct hop_trials *trials, const struct hop_trial *t)
{
    const char *dash = strrchr(t->id, '-');
    const struct hop_trial *base = NULL;
    struct hop_json *same;
    char id[128], *end;
    bool is_repeat;

    if (!dash || !t->config || dash[1] < '1' || dash[1] > '9' || strtol(dash + 1, &end, 10) < 2 ||
        *end || (size_t)(dash - t->id) >= sizeof id)
        return t;
    snprintf(id, sizeof id, "%.*s", (int)(dash - t->id), t->id);
    base = hop_trials_find(trials, id);
    if (!base || !base->config)
        return t;
    same = hop_json_copy(t->config);
    hop_json_set_str(same, "id", id);
    if (hop_json_get(base->config, "seed"))
        hop_json_set_int(same, "seed", hop_json_int(hop_json_get(base->config, "seed")));
    is_repeat = !hop_config_differs(base->config, same);
    hop_json_free(same);
    return is_repeat ? base : t;
}

/* Rows, each with its trials; the first of them is the base, though the log may name it later. */
static int
make_rows(struct hop_ranking *r, struct hop_err *e)
{
    const struct hop_trials *t = r->trials;
    size_t *row_of = hop_alloc(t->n, sizeof *row_of, e); /* of a base */
    const struct hop_trial **base = hop_alloc(t->n, sizeof *base, e);
    size_t i, k, at;

    r->v = hop_alloc(t->n, sizeof *r->v, e);
    r->members = hop_alloc(t->n, sizeof *r->members, e);
    r->configs = hop_alloc(t->n, sizeof *r->configs, e);
    if (row_of && base && r->v && r->members && r->configs) {
        for (i = 0; i < t->n; i++) {
            base[i] = base_of(t, &t->v[i]);
            if (base[i] == &t->v[i]) {
                row_of[i] = r->n;
                r->configs[r->n_configs++] = base[i]->config;
                r->v[r->n++] = (struct hop_rank_row){.trial = base[i]};
            }
        }
        for (i = 0; i < t->n; i++)
            r->v[row_of[base[i] - t->v]].n_repeats++;
        for (i = at = 0; i < r->n; i++) {
            r->v[i].repeats = r->members + at;
            at += r->v[i].n_repeats;
            r->v[i].n_repeats = 0;
        }
        for (k = 0; k < 2; k++) /* bases first */
            for (i = 0; i < t->n; i++)
                if ((base[i] == &t->v[i]) == (k == 0)) {
                    struct hop_rank_row *row = &r->v[row_of[base[i] - t->v]];

                    r->members[row->repeats - (const struct hop_trial *const *)r->members +
                               (ptrdiff_t)row->n_repeats++] = &t->v[i];
                }
    }
    free(row_of);
    free(base);
    return e->code;
}

/* ---- 2 values ---- */

/* The mean over repeats of a number of the evaluation on `split`. */
static double
metric_at(const struct hop_ranking *r, const struct hop_rank_row *row, const char *split,
          const char *key)
{
    int i_split = hop_trials_split(r->trials, split);
    const struct hop_entry *line;
    double sum = 0;
    size_t i;

    for (i = 0; i < row->n_repeats; i++) {
        line = hop_trial_eval(row->repeats[i], i_split, row->iteration);
        sum += line ? hop_entry_number(line, key) : NAN;
    }
    return sum / (double)row->n_repeats;
}

/* Accuracy while training: the mean of the iteration's visits, as Keras shows it. */
static double
accuracy_of_visits(const struct hop_rank_row *row)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < row->n_repeats; i++)
        sum += hop_trial_visits_mean(row->repeats[i], "accuracy", row->iteration);
    return sum / (double)row->n_repeats;
}

/* A sum over the visits up to an iteration. */
static double
sum_of_visits(const struct hop_trial *t, const char *key, int64_t iteration)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < t->n_entries; i++)
        if (t->entries[i].i_split < 0 && t->entries[i].iteration <= iteration)
            sum += strcmp(key, "visits") ? hop_entry_number(&t->entries[i], key) : 1;
    return sum;
}

static double
cost_of(const struct hop_ranking *r, const struct hop_rank_row *row)
{
    const char *dot = strchr(r->o->cost, '.');
    char split[32];
    double sum = 0;
    size_t i;

    if (isnan(row->value))
        return NAN;
    if (dot && (size_t)(dot - r->o->cost) < sizeof split) {
        snprintf(split, sizeof split, "%.*s", (int)(dot - r->o->cost), r->o->cost);
        return metric_at(r, row, split, dot + 1);
    }
    for (i = 0; i < row->n_repeats; i++)
        sum += sum_of_visits(row->repeats[i], r->o->cost, row->iteration);
    return sum / (double)row->n_repeats;
}

/* How much better train was there, where ranking did not need to know: objective.h's rule. */
static double
gap_at(const struct hop_ranking *r, const struct hop_rank_row *row)
{
    double train = metric_at(r, row, "train", r->objective.key);
    size_t i;

    if (r->objective.of != HOP_OF_LAST)
        return NAN;
    if (isnan(train)) {
        for (train = 0, i = 0; i < row->n_repeats; i++)
            train += hop_trial_visits_mean(row->repeats[i], r->objective.key, row->iteration);
        train /= (double)row->n_repeats;
    }
    return r->objective.is_less_better ? row->value - train : train - row->value;
}

/* The point of the curve that counts, or NULL: the last one that is a number, or the best one. */
static const struct hop_point *
choose(const struct hop_ranking *r, const struct hop_point *curve, size_t n)
{
    const struct hop_point *found = NULL;
    size_t i;

    for (i = 0; i < n; i++)
        if (!isnan(curve[i].value) && (!found || !r->o->want_best || curve[i].loss < found->loss))
            found = &curve[i];
    return found;
}

static int
fill_row(const struct hop_ranking *r, struct hop_rank_row *row, struct hop_point **curve,
         size_t *cap, struct hop_err *e)
{
    const struct hop_point *p;
    size_t n = 0, i;
    int rc = hop_objective_mean_curve(&r->objective, row->repeats, row->n_repeats, curve, &n, cap, e);

    if (rc)
        return rc;
    row->value = row->gap = row->cost = NAN;
    row->loss = INFINITY;
    if ((p = choose(r, *curve, n))) {
        row->value = p->value;
        row->value_se = p->stderr_;
        row->loss = p->loss;
        row->iteration = p->iteration;
        row->gap = isnan(p->gap) ? gap_at(r, row) : p->gap;
    }
    for (i = 0; i < row->n_repeats; i++)
        row->is_diverged = row->is_diverged || row->repeats[i]->is_diverged;
    row->val_accuracy = metric_at(r, row, "val", "accuracy");
    row->val_loss = metric_at(r, row, "val", "loss");
    row->train_accuracy = metric_at(r, row, "train", "accuracy");
    if (isnan(row->train_accuracy))
        row->train_accuracy = accuracy_of_visits(row);
    if (r->o->want_pareto)
        row->cost = cost_of(r, row);
    return HOP_OK;
}

/* ---- 3 order ---- */

/* 0 with a value, 1 without, 2 diverged. */
static int
class_of(const struct hop_rank_row *row)
{
    return row->is_diverged ? 2 : isnan(row->value) ? 1 : 0;
}

static bool
comes_before(const struct hop_rank_row *a, const struct hop_rank_row *b)
{
    if (class_of(a) != class_of(b))
        return class_of(a) < class_of(b);
    return class_of(a) == 0 && a->loss < b->loss;
}

/* Merge sort, since ties must keep their order. */
static void
sort(struct hop_rank_row *v, size_t n, struct hop_rank_row *spare)
{
    size_t half = n / 2, i = 0, j = half, k;

    if (n < 2)
        return;
    sort(v, half, spare);
    sort(v + half, n - half, spare);
    for (k = 0; k < n; k++)
        spare[k] = j == n || (i < half && !comes_before(&v[j], &v[i])) ? v[i++] : v[j++];
    memcpy(v, spare, n * sizeof *v);
}

/* ---- 4 what is left out ---- */

static void
keep_small_gaps(struct hop_ranking *r)
{
    const struct hop_objective *o = &r->objective;
    size_t i, n = 0;

    if (o->max_gap < 0 || o->gap_weight > 0)
        return;
    for (i = 0; i < r->n; i++) {
        bool is_known = class_of(&r->v[i]) == 0 && !isnan(r->v[i].gap);

        if (is_known && r->v[i].gap <= o->max_gap)
            r->v[n++] = r->v[i];
        else if (is_known)
            r->n_gap_over++;
        else
            r->n_gap_unknown++;
    }
    r->n = n;
}

static int
by_cost(const void *a, const void *b)
{
    const struct hop_rank_row *const *x = a, *const *y = b;

    if ((*x)->cost < (*y)->cost || (*x)->cost > (*y)->cost)
        return (*x)->cost < (*y)->cost ? -1 : 1;
    return (*x < *y) ? -1 : 1; /* the better one, which comes first in ranks */
}

/* The rows that are better than all that cost no more. */
static int
keep_frontier(struct hop_ranking *r, struct hop_err *e)
{
    const struct hop_rank_row **order = hop_alloc(r->n, sizeof *order, e);
    bool *is_kept = hop_alloc(r->n, sizeof *is_kept, e);
    double best = INFINITY;
    size_t i, n = 0;

    for (i = 0; order && is_kept && i < r->n; i++)
        if (class_of(&r->v[i]) == 0 && !isnan(r->v[i].cost))
            order[n++] = &r->v[i];
        else
            r->n_cost_unknown++;
    if (order && is_kept) {
        qsort(order, n, sizeof *order, by_cost);
        for (i = 0; i < n; i++)
            if (order[i]->loss < best) {
                best = order[i]->loss;
                is_kept[order[i] - r->v] = true;
            }
        for (n = i = 0; i < r->n; i++)
            if (is_kept[i])
                r->v[n++] = r->v[i];
        r->n = n;
    }
    free(order);
    free(is_kept);
    return e->code;
}

static bool
same_value(const struct hop_json *a, const struct hop_json *b)
{
    return a && b ? hop_json_equal(a, b) : !a && !b;
}

/* The first `top` of each value of `by`; of configs without the key, too. */
static void
keep_first_of_each(struct hop_ranking *r)
{
    int64_t top = r->o->top ? r->o->top : 1, n_same;
    const struct hop_json *value;
    size_t i, k, n = 0;

    for (i = 0; i < r->n; i++) {
        value = hop_json_get(r->v[i].trial->config, r->o->by);
        for (n_same = 0, k = 0; k < n; k++)
            n_same += same_value(value, hop_json_get(r->v[k].trial->config, r->o->by));
        if (n_same < top)
            r->v[n++] = r->v[i];
    }
    r->n = n;
}

/* ---- 5 the whole ---- */

/* Is a loss what ranks, and do the configs have different ones? */
static void
compare_losses(struct hop_ranking *r)
{
    static const char *const keys[] = {"loss", "delta", "label_smoothing"};
    const struct hop_json *first = r->n ? r->v[0].trial->config : NULL, *other;
    size_t i, k;

    for (i = 1; i < r->n && !strcmp(r->objective.key, "loss"); i++) {
        other = r->v[i].trial->config;
        for (k = 0; first && other && k < HOP_LEN(keys); k++)
            if (!same_value(hop_json_get(first, keys[k]), hop_json_get(other, keys[k])))
                r->is_apples_and_pears = true;
    }
    for (i = 0; i < r->n && r->is_apples_and_pears; i++) {
        const char *split = r->objective.metric.split;

        r->has_accuracy = r->has_accuracy || !isnan(metric_at(r, &r->v[i], split, "accuracy"));
        r->has_mae = r->has_mae || !isnan(metric_at(r, &r->v[i], split, "mae"));
    }
}

static int
fill_and_sort(struct hop_ranking *r, struct hop_err *e)
{
    struct hop_rank_row *spare = hop_alloc(r->n, sizeof *spare, e);
    struct hop_point *curve = NULL;
    size_t cap = 0, i;
    int rc = spare ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < r->n && !rc; i++)
        rc = fill_row(r, &r->v[i], &curve, &cap, e);
    if (!rc)
        sort(r->v, r->n, spare);
    free(spare);
    free(curve);
    return rc;
}

int
hop_rank_make(const struct hop_trials *t, const struct hop_rank_options *o, struct hop_ranking *r,
              struct hop_err *e)
{
    int rc;

    *r = (struct hop_ranking){.trials = t, .o = o, .objective = o->objective};
    if ((rc = hop_objective_bind(&r->objective, t, e)) || (rc = make_rows(r, e)) ||
        (rc = fill_and_sort(r, e)))
        goto out;
    keep_small_gaps(r);
    compare_losses(r);
    if (o->want_pareto && (rc = keep_frontier(r, e)))
        goto out;
    if (o->by)
        keep_first_of_each(r);
    else if (o->top && (size_t)o->top < r->n)
        r->n = (size_t)o->top;
out:
    if (rc)
        hop_rank_clear(r);
    return rc;
}

void
hop_rank_clear(struct hop_ranking *r)
{
    free(r->v);
    free(r->members);
    free(r->configs);
    *r = (struct hop_ranking){0};
}

void
hop_rank_metric(const struct hop_ranking *r, char out[80])
{
    snprintf(out, 80, "%s.%s", r->objective.metric.split, r->objective.key);
}

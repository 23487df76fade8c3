#include "search/rank_print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "search/columns.h"
#include "search/table.h"

/* Contents: 1 records, 2 the table, 3 importance */

/* ---- 1 records ---- */

static void
set_known(struct hop_json *j, const char *key, double v)
{
    if (!isnan(v))
        hop_json_set_real(j, key, v);
}

static double
train_s(const struct hop_rank_row *row)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < row->n_repeats; i++)
        sum += row->repeats[i]->train_s;
    return sum;
}

static void
set_repeats(struct hop_json *j, const struct hop_rank_row *row)
{
    struct hop_json *ids = hop_json_array();
    size_t i;

    for (i = 0; i < row->n_repeats; i++)
        hop_json_push(ids, hop_json_new_str(row->repeats[i]->id));
    hop_json_set_real(j, "value_se", row->value_se);
    hop_json_set(j, "repeats", ids);
}

/* What was asked for besides the value. */
static void
set_extras(struct hop_json *j, const struct hop_ranking *r, const struct hop_rank_row *row)
{
    const struct hop_json *group = r->o->by ? hop_json_get(row->trial->config, r->o->by) : NULL;

    if (row->n_repeats > 1)
        set_repeats(j, row);
    set_known(j, "gap", row->gap);
    if (r->objective.gap_weight > 0 && isfinite(row->loss))
        hop_json_set_real(j, "score", r->objective.is_less_better ? row->loss : -row->loss);
    if (r->o->want_pareto) {
        hop_json_set_str(j, "cost_of", r->o->cost);
        hop_json_set_real(j, "cost", row->cost);
    }
    if (r->o->by) {
        hop_json_set_str(j, "by", r->o->by);
        hop_json_set(j, "group", group ? hop_json_copy(group) : hop_json_new_real(NAN));
    }
}

struct hop_json *
hop_rank_record(const struct hop_ranking *r, size_t i)
{
    const struct hop_rank_row *row = &r->v[i];
    struct hop_json *j = hop_json_record("rank/1");
    int64_t visits = 0;
    char metric[80];
    size_t k;

    for (k = 0; k < row->n_repeats; k++)
        visits += row->repeats[k]->visits;
    hop_rank_metric(r, metric);
    hop_json_set_int(j, "rank", (int64_t)i + 1);
    hop_json_set_str(j, "id", row->trial->id);
    hop_json_set_str(j, "metric", metric);
    hop_json_set_real(j, "value", row->value);
    hop_json_set_int(j, "iteration", row->iteration);
    set_extras(j, r, row);
    set_known(j, "val_accuracy", row->val_accuracy);
    set_known(j, "val_loss", row->val_loss);
    set_known(j, "train_accuracy", row->train_accuracy);
    hop_json_set_int(j, "visits", visits);
    hop_json_set_real(j, "train_s", train_s(row));
    hop_json_set_str(j, "status", row->is_diverged ? "diverged" : "ok");
    if (row->trial->config)
        hop_json_set(j, "config", hop_json_copy(row->trial->config));
    return j;
}

/* ---- 2 the table ---- */

enum column {
    COL_VALUE, COL_SE, COL_REPEATS, COL_VAL_ACC, COL_VAL_LOSS, COL_TRAIN_ACC, COL_GAP, COL_COST,
    COL_ITER, COL_SECONDS, N_COLS
};

struct layout {
    struct hop_columns keys;
    enum column cols[N_COLS]; /* [n_cols] */
    size_t n_cols;
    char metric[80];
};

static void
add_col(struct layout *l, enum column c, bool is_wanted)
{
    if (is_wanted)
        l->cols[l->n_cols++] = c;
}

/* The ranking's configs and all others of the log decide which members are shown, so that columns do
 * not come and go with --top. */
static int
lay_out(const struct hop_ranking *r, struct layout *l, struct hop_err *e)
{
    bool has_repeats = false, has_accuracy = false, has_loss = false, is_accuracy, is_loss, is_own;
    int rc = hop_columns_make(r->configs, r->n_configs, &l->keys, e);
    size_t i;

    for (i = 0; i < r->n; i++) {
        has_repeats = has_repeats || r->v[i].n_repeats > 1;
        has_accuracy = has_accuracy || !isnan(r->v[i].val_accuracy + r->v[i].train_accuracy) ||
                       !isnan(r->v[i].val_accuracy) || !isnan(r->v[i].train_accuracy);
        has_loss = has_loss || !isnan(r->v[i].val_loss);
    }
    hop_rank_metric(r, l->metric);
    is_accuracy = !strcmp(l->metric, "val.accuracy");
    is_loss = !strcmp(l->metric, "val.loss");
    is_own = !is_accuracy && !is_loss && strcmp(l->metric, "train.accuracy");
    add_col(l, COL_VALUE, is_own);
    add_col(l, COL_SE, has_repeats && is_own);
    add_col(l, COL_VAL_ACC, has_accuracy || !has_loss);
    add_col(l, COL_SE, has_repeats && is_accuracy);
    add_col(l, COL_VAL_LOSS, true);
    add_col(l, COL_SE, has_repeats && is_loss);
    add_col(l, COL_TRAIN_ACC, has_accuracy || !has_loss);
    add_col(l, COL_SE, has_repeats && !is_own && !is_accuracy && !is_loss);
    add_col(l, COL_REPEATS, has_repeats);
    add_col(l, COL_GAP, r->objective.max_gap >= 0);
    add_col(l, COL_COST, r->o->want_pareto && strcmp(r->o->cost, "wall_s"));
    add_col(l, COL_ITER, true);
    add_col(l, COL_SECONDS, true);
    return rc;
}

static const char *
title_of(const struct hop_ranking *r, const struct layout *l, enum column c)
{
    switch (c) {
    case COL_VALUE: return l->metric;
    case COL_SE: return "+-";
    case COL_REPEATS: return "seeds";
    case COL_VAL_ACC: return "val acc";
    case COL_VAL_LOSS: return "val loss";
    case COL_TRAIN_ACC: return "train acc";
    case COL_GAP: return "gap";
    case COL_COST: return r->o->cost;
    case COL_ITER: return "iter";
    default: return "seconds";
    }
}

static void
fill_cell(struct hop_table *t, size_t row, size_t col, enum column c,
          const struct hop_rank_row *v)
{
    switch (c) {
    case COL_VALUE: hop_table_number(t, row, col, 4, v->value); break;
    case COL_SE: hop_table_number(t, row, col, 4, v->n_repeats > 1 ? v->value_se : NAN); break;
    case COL_REPEATS: hop_table_number(t, row, col, 0, (double)v->n_repeats); break;
    case COL_VAL_ACC: hop_table_number(t, row, col, 4, v->val_accuracy); break;
    case COL_VAL_LOSS: hop_table_number(t, row, col, 4, v->val_loss); break;
    case COL_TRAIN_ACC: hop_table_number(t, row, col, 4, v->train_accuracy); break;
    case COL_GAP: hop_table_number(t, row, col, 4, v->gap); break;
    case COL_COST: hop_table_number(t, row, col, v->cost < 1000 ? 3 : 0, v->cost); break;
    case COL_ITER: hop_table_number(t, row, col, 0, (double)v->iteration); break;
    default: hop_table_number(t, row, col, 1, train_s(v)); break;
    }
}

static void
fill_row(struct hop_table *t, const struct layout *l, const struct hop_ranking *r, size_t i)
{
    const struct hop_rank_row *row = &r->v[i];
    size_t k, c = 2 + l->keys.n;
    char text[32];

    snprintf(text, sizeof text, "%zu", i + 1);
    hop_table_set(t, i + 1, 0, text);
    hop_table_set(t, i + 1, 1, row->trial->id);
    for (k = 0; k < l->keys.n; k++)
        hop_table_json(t, i + 1, 2 + k, hop_json_get(row->trial->config, l->keys.keys[k]));
    for (k = 0; k < l->n_cols; k++)
        fill_cell(t, i + 1, c + k, l->cols[k], row);
    if (row->is_diverged)
        hop_table_set(t, i + 1, c, "diverged");
}

int
hop_rank_table(const struct hop_ranking *r, struct hop_str *out, struct hop_err *e)
{
    struct layout l = {0};
    struct hop_table t = {0};
    size_t i;
    int rc = lay_out(r, &l, e);

    if (!rc && !(rc = hop_table_init(&t, 1 + r->n, 2 + l.keys.n + l.n_cols, e))) {
        hop_table_set(&t, 0, 0, "rank");
        hop_table_set(&t, 0, 1, "id");
        t.is_text[1] = true;
        for (i = 0; i < l.keys.n; i++)
            hop_table_set(&t, 0, 2 + i, l.keys.keys[i]);
        for (i = 0; i < l.n_cols; i++)
            hop_table_set(&t, 0, 2 + l.keys.n + i, title_of(r, &l, l.cols[i]));
        for (i = 0; i < r->n; i++)
            fill_row(&t, &l, r, i);
        hop_table_print(&t, out);
        rc = hop_str_check(out, e);
    }
    hop_table_clear(&t);
    hop_columns_clear(&l.keys);
    return rc;
}

/* ---- 3 importance ---- */

int
hop_rank_importance(const struct hop_ranking *r, struct hop_importance *out, struct hop_err *e)
{
    const struct hop_json **configs = hop_alloc(r->n, sizeof *configs, e);
    double *values = hop_alloc(r->n, sizeof *values, e), worst = NAN;
    size_t i, n = 0;
    int rc = HOP_ENOMEM;

    *out = (struct hop_importance){0};
    /* Best first: the last number is the worst. */
    for (i = 0; i < r->n; i++)
        if (!r->v[i].is_diverged && isfinite(r->v[i].value))
            worst = r->v[i].value;
    if (configs && values) {
        for (i = 0; i < r->n; i++) {
            bool is_known = !r->v[i].is_diverged && isfinite(r->v[i].value);

            if (!r->v[i].trial->config || isnan(worst) || (!is_known && !r->v[i].is_diverged))
                continue;
            configs[n] = r->v[i].trial->config;
            values[n++] = is_known ? r->v[i].value : worst;
        }
        rc = hop_importance_make(configs, values, n, r->objective.is_less_better, 1, out, e);
    }
    free(configs);
    free(values);
    return rc;
}

int
hop_importance_table(const struct hop_importance *m, struct hop_str *out, struct hop_err *e)
{
    static const char *const titles[] = {"share", "+-", "parameter", "values", "best", "mean there"};
    struct hop_table t;
    size_t i;
    int rc = hop_table_init(&t, 1 + m->n, HOP_LEN(titles), e);

    if (rc)
        return rc;
    for (i = 0; i < HOP_LEN(titles); i++)
        hop_table_set(&t, 0, i, titles[i]);
    t.is_text[2] = true;
    for (i = 0; i < m->n; i++) {
        hop_table_number(&t, i + 1, 0, 3, m->v[i].share);
        hop_table_number(&t, i + 1, 1, 3, m->v[i].se);
        hop_table_set(&t, i + 1, 2, m->v[i].key ? m->v[i].key : "(several together)");
        if (!m->v[i].key)
            continue;
        hop_table_number(&t, i + 1, 3, 0, (double)m->v[i].n_values);
        hop_table_json(&t, i + 1, 4, m->v[i].best);
        hop_table_number(&t, i + 1, 5, 4, m->v[i].best_mean);
    }
    hop_table_print(&t, out);
    rc = hop_str_check(out, e);
    hop_table_clear(&t);
    return rc;
}

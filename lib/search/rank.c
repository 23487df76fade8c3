#include "search/rank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Contents: 1 values, 2 ranking, 3 records, 4 the table */

/* ---- 1 values ---- */

static double
metric_at(const struct hop_ranking *r, const struct hop_trial *t, const char *split,
          const char *metric, int64_t iteration)
{
    const struct hop_entry *line = hop_trial_eval(t, hop_trials_split(r->trials, split), iteration);

    return line ? hop_entry_number(line, metric) : NAN;
}

static bool
is_better(const struct hop_ranking *r, double a, double b)
{
    return r->is_less_better ? a < b : a > b;
}

static struct hop_rank_row
row_of(const struct hop_ranking *r, const struct hop_trial *t, bool want_best)
{
    struct hop_rank_row row = {.trial = t, .value = NAN};
    int i_split = hop_trials_split(r->trials, r->metric.split);
    const struct hop_entry *line;
    double value;
    size_t i;

    for (i = 0; i < t->n_entries; i++) {
        line = &t->entries[i];
        if (line->i_split != i_split || i_split < 0)
            continue;
        value = hop_entry_number(line, r->key);
        if (isnan(row.value) || (want_best ? is_better(r, value, row.value)
                                           : line->iteration > row.iteration)) {
            row.value = value;
            row.iteration = line->iteration;
        }
    }
    row.val_accuracy = metric_at(r, t, "val", "accuracy", row.iteration);
    row.val_loss = metric_at(r, t, "val", "loss", row.iteration);
    row.train_accuracy = metric_at(r, t, "train", "accuracy", row.iteration);
    if (isnan(row.train_accuracy))
        row.train_accuracy = hop_trial_visits_mean(t, "accuracy", row.iteration);
    return row;
}

/* ---- 2 ranking ---- */

/* 0 with a value, 1 without, 2 diverged. */
static int
class_of(const struct hop_rank_row *row)
{
    return row->trial->is_diverged ? 2 : isnan(row->value) ? 1 : 0;
}

static bool
comes_before(const struct hop_ranking *r, const struct hop_rank_row *a,
             const struct hop_rank_row *b)
{
    if (class_of(a) != class_of(b))
        return class_of(a) < class_of(b);
    return class_of(a) == 0 && is_better(r, a->value, b->value);
}

/* Merge sort, since ties must keep their order. */
static void
sort(const struct hop_ranking *r, struct hop_rank_row *v, size_t n, struct hop_rank_row *spare)
{
    size_t half = n / 2, i = 0, j = half, k;

    if (n < 2)
        return;
    sort(r, v, half, spare);
    sort(r, v + half, n - half, spare);
    for (k = 0; k < n; k++)
        spare[k] = j == n || (i < half && !comes_before(r, &v[j], &v[i])) ? v[i++] : v[j++];
    memcpy(v, spare, n * sizeof *v);
}

static int
set_metric(const struct hop_trials *t, const char *metric, struct hop_ranking *r,
           struct hop_err *e)
{
    const struct hop_entry *line;
    size_t i, k;
    int i_split, rc = hop_metric_parse(metric ? metric : t->has_val ? "val" : "train", "--metric",
                              &r->metric, e);

    /* Where no name is given, accuracy if any evaluation has it: one key for all rows. */
    r->key = rc || *r->metric.name ? r->metric.name : "loss";
    i_split = hop_trials_split(t, r->metric.split);
    for (i = 0; i < t->n && !*r->metric.name; i++)
        for (k = 0; k < t->v[i].n_entries && strcmp(r->key, "accuracy"); k++) {
            line = &t->v[i].entries[k];
            if (i_split >= 0 && line->i_split == i_split && hop_entry_has(line, "accuracy"))
                r->key = "accuracy";
        }
    r->is_less_better = hop_metric_is_less_better(r->key);
    return rc;
}

int
hop_rank_make(const struct hop_trials *t, const char *metric, bool want_best,
              struct hop_ranking *r, struct hop_err *e)
{
    struct hop_rank_row *spare;
    size_t i;
    int rc;

    *r = (struct hop_ranking){.trials = t};
    if ((rc = set_metric(t, metric, r, e)))
        return rc;
    r->v = hop_alloc(t->n, sizeof *r->v, e);
    spare = hop_alloc(t->n, sizeof *spare, e);
    if (r->v && spare) {
        for (i = 0; i < t->n; i++)
            r->v[r->n++] = row_of(r, &t->v[i], want_best);
        sort(r, r->v, r->n, spare);
    } else {
        rc = HOP_ENOMEM;
        hop_rank_clear(r);
    }
    free(spare);
    return rc;
}

void
hop_rank_clear(struct hop_ranking *r)
{
    free(r->v);
    *r = (struct hop_ranking){0};
}

/* ---- 3 records ---- */

static void
set_known(struct hop_json *j, const char *key, double v)
{
    if (!isnan(v))
        hop_json_set_real(j, key, v);
}

struct hop_json *
hop_rank_record(const struct hop_ranking *r, size_t i)
{
    const struct hop_rank_row *row = &r->v[i];
    struct hop_json *j = hop_json_record("rank/1");
    char metric[80];

    snprintf(metric, sizeof metric, "%s.%s", r->metric.split, r->key);
    hop_json_set_int(j, "rank", (int64_t)i + 1);
    hop_json_set_str(j, "id", row->trial->id);
    hop_json_set_str(j, "metric", metric);
    hop_json_set_real(j, "value", row->value);
    hop_json_set_int(j, "iteration", row->iteration);
    set_known(j, "val_accuracy", row->val_accuracy);
    set_known(j, "val_loss", row->val_loss);
    set_known(j, "train_accuracy", row->train_accuracy);
    hop_json_set_int(j, "visits", row->trial->visits);
    hop_json_set_real(j, "train_s", row->trial->train_s);
    hop_json_set_str(j, "status", row->trial->is_diverged ? "diverged" : "ok");
    if (row->trial->config)
        hop_json_set(j, "config", hop_json_copy(row->trial->config));
    return j;
}

/* ---- 4 the table ---- */

/* Texts in rows and columns. */
struct table {
    char **cells; /* [n_rows * n_cols] */
    size_t n_rows, n_cols;
    bool *is_text; /* [n_cols] set left */
};

static void
set_cell(struct table *t, size_t row, size_t col, const char *text)
{
    struct hop_err e = {0};

    free(t->cells[row * t->n_cols + col]);
    t->cells[row * t->n_cols + col] = hop_dup(text, &e);
}

static const char *
cell(const struct table *t, size_t row, size_t col)
{
    const char *text = t->cells[row * t->n_cols + col];

    return text ? text : "-";
}

static void
set_number(struct table *t, size_t row, size_t col, int decimals, double v)
{
    char text[40];

    if (isnan(v))
        return;
    snprintf(text, sizeof text, "%.*f", decimals, v);
    set_cell(t, row, col, text);
}

/* A member of a config as it is written; an object (a net's description) only as "{...}". */
static void
set_member(struct table *t, size_t row, size_t col, const struct hop_json *v)
{
    struct hop_str s = {0};
    struct hop_err e = {0};

    if (hop_json_kind(v) == HOP_JSON_OBJECT) {
        set_cell(t, row, col, "{...}");
    } else if (hop_json_kind(v) == HOP_JSON_STR) {
        set_cell(t, row, col, hop_json_str(v));
        t->is_text[col] = true;
    } else if (v && !hop_json_dump(v, &s, &e)) {
        set_cell(t, row, col, hop_str_c(&s));
    }
    hop_str_clear(&s);
}

static bool
differs(const struct hop_ranking *r, const char *key)
{
    const struct hop_json *first = hop_json_get(r->v[0].trial->config, key), *other;
    size_t i;

    if (!strcmp(key, "hop") || !strcmp(key, "id") || !strcmp(key, "until"))
        return false;
    for (i = 1; i < r->n; i++) {
        other = hop_json_get(r->v[i].trial->config, key);
        if (!first != !other || (first && !hop_json_equal(first, other)))
            return true;
    }
    return false;
}

/* The keys in which configs differ, in the order in which the log first has them (that of ranks
 * would move the columns about); at most max. */
static size_t
collect_keys(const struct hop_ranking *r, const char **keys, size_t max)
{
    const struct hop_json *config;
    size_t i, k, n = 0;
    const char *key;
    void *it;

    for (i = 0; i < r->trials->n; i++) {
        config = r->trials->v[i].config;
        for (it = hop_json_first(config); it; it = hop_json_next(config, it)) {
            key = hop_json_it_key(it);
            for (k = 0; k < n && strcmp(keys[k], key); k++)
                ;
            if (k == n && n < max && differs(r, key))
                keys[n++] = key;
        }
    }
    return n;
}

enum { MAX_KEYS = 64, N_RESULTS = 5 };
static const char *const results[N_RESULTS] = {"val acc", "val loss", "train acc", "iter",
                                               "seconds"};

static void
fill_row(struct table *t, const struct hop_ranking *r, size_t i, const char **keys, size_t n_keys)
{
    const struct hop_rank_row *row = &r->v[i];
    size_t k, c = 2 + n_keys;
    char text[32];

    snprintf(text, sizeof text, "%zu", i + 1);
    set_cell(t, i + 1, 0, text);
    set_cell(t, i + 1, 1, row->trial->id);
    for (k = 0; k < n_keys; k++)
        set_member(t, i + 1, 2 + k, hop_json_get(row->trial->config, keys[k]));
    set_number(t, i + 1, c, 4, row->val_accuracy);
    set_number(t, i + 1, c + 1, 4, row->val_loss);
    set_number(t, i + 1, c + 2, 4, row->train_accuracy);
    set_number(t, i + 1, c + 3, 0, (double)row->iteration);
    set_number(t, i + 1, c + 4, 1, row->trial->train_s);
    if (row->trial->is_diverged)
        set_cell(t, i + 1, c, "diverged");
}

static void
print_table(const struct table *t, struct hop_str *out)
{
    size_t row, col, width, n;

    for (row = 0; row < t->n_rows; row++) {
        for (col = 0; col < t->n_cols; col++) {
            for (width = 0, n = 0; n < t->n_rows; n++)
                if (strlen(cell(t, n, col)) > width)
                    width = strlen(cell(t, n, col));
            if (!t->is_text[col])
                hop_str_addf(out, "%s%*s", col ? "  " : "", (int)width, cell(t, row, col));
            else if (col + 1 < t->n_cols)
                hop_str_addf(out, "%s%-*s", col ? "  " : "", (int)width, cell(t, row, col));
        }
        hop_str_add(out, "\n");
    }
}

void
hop_rank_table(const struct hop_ranking *r, size_t n, struct hop_str *out)
{
    const char *keys[MAX_KEYS];
    size_t i, n_keys = r->n ? collect_keys(r, keys, MAX_KEYS) : 0;
    struct table t = {.n_rows = 1 + (n < r->n ? n : r->n), .n_cols = 2 + n_keys + N_RESULTS};
    struct hop_err e = {0};

    t.cells = hop_alloc(t.n_rows * t.n_cols, sizeof *t.cells, &e);
    t.is_text = hop_alloc(t.n_cols, sizeof *t.is_text, &e);
    if (!t.cells || !t.is_text) {
        out->is_oom = true;
    } else {
        set_cell(&t, 0, 0, "rank");
        set_cell(&t, 0, 1, "id");
        t.is_text[1] = true;
        for (i = 0; i < n_keys; i++)
            set_cell(&t, 0, 2 + i, keys[i]);
        for (i = 0; i < N_RESULTS; i++)
            set_cell(&t, 0, 2 + n_keys + i, results[i]);
        for (i = 0; i + 1 < t.n_rows; i++)
            fill_row(&t, r, i, keys, n_keys);
        print_table(&t, out);
    }
    for (i = 0; t.cells && i < t.n_rows * t.n_cols; i++)
        free(t.cells[i]);
    free(t.cells);
    free(t.is_text);
}

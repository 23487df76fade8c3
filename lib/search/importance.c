#include "search/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "search/columns.h"
#include "search/forest.h"

/* Contents: 1 one member's values as levels, 2 the features, 3 rows and records */

/* ---- 1 one member's values as levels ---- */

struct cell {
    const struct hop_json *value;
    double number;
    char *text; /* where not all are numbers */
    size_t row;
};

/* One member of all configs. */
struct column {
    const char *key;
    bool is_ordered;
    size_t n_values;
    int n_levels;
    uint8_t *level;                                     /* [n] */
    const struct hop_json *of_level[HOP_FOREST_LEVELS]; /* a value that stands for it */
};

/* A run of equal cells. */
struct run {
    size_t from, n;
    int level;
};

static bool
is_number(const struct hop_json *j)
{
    return hop_json_kind(j) == HOP_JSON_INT || hop_json_kind(j) == HOP_JSON_REAL;
}

static int
by_number(const void *a, const void *b)
{
    const struct cell *p = a, *q = b;

    if (p->number < q->number || p->number > q->number)
        return p->number < q->number ? -1 : 1;
    return p->row < q->row ? -1 : 1;
}

static int
by_text(const void *a, const void *b)
{
    const struct cell *p = a, *q = b;
    int order = strcmp(p->text, q->text);

    return order ? order : p->row < q->row ? -1 : 1;
}

/* More configs first; of equals the first value. */
static int
by_size(const void *a, const void *b)
{
    const struct run *p = a, *q = b;

    if (p->n != q->n)
        return p->n > q->n ? -1 : 1;
    return p->from < q->from ? -1 : 1;
}

static int
by_place(const void *a, const void *b)
{
    const struct run *p = a, *q = b;

    return p->from < q->from ? -1 : p->from > q->from;
}

/* The cells of the configs that have the member, sorted. */
static int
read_cells(const struct hop_json *const *configs, size_t n, struct column *c, struct cell *cells,
           size_t *n_cells, struct hop_err *e)
{
    struct hop_str s = {0};
    size_t i, m = 0;
    int rc = HOP_OK;

    c->is_ordered = true;
    for (i = 0; i < n; i++) {
        const struct hop_json *value = hop_json_get(configs[i], c->key);

        if (!value)
            continue;
        cells[m++] = (struct cell){value, hop_json_real(value), NULL, i};
        c->is_ordered = c->is_ordered && is_number(value);
    }
    for (i = 0; i < m && !c->is_ordered && !rc; i++) {
        s.n = 0;
        if (!(rc = hop_json_dump(cells[i].value, &s, e)) && !(rc = hop_str_check(&s, e)) &&
            !(cells[i].text = hop_dup(hop_str_c(&s), e)))
            rc = HOP_ENOMEM;
    }
    hop_str_clear(&s);
    if (!rc)
        qsort(cells, m, sizeof *cells, c->is_ordered ? by_number : by_text);
    *n_cells = m;
    return rc;
}

static size_t
find_runs(const struct column *c, const struct cell *cells, size_t m, struct run *runs)
{
    size_t i, n = 0;

    for (i = 0; i < m; i++) {
        bool is_new = !i || (c->is_ordered ? cells[i].number > cells[i - 1].number
                                           : strcmp(cells[i].text, cells[i - 1].text) != 0);

        if (is_new)
            runs[n++] = (struct run){i, 0, 0};
        runs[n - 1].n++;
    }
    return n;
}

/* Levels of the runs: one each, or as importance.h says where they are more than 64. */
static void
set_levels(struct column *c, struct run *runs, size_t n_runs, size_t m)
{
    size_t i;

    if (n_runs <= HOP_FOREST_LEVELS) {
        for (i = 0; i < n_runs; i++)
            runs[i].level = (int)i;
    } else if (c->is_ordered) {
        for (i = 0; i < n_runs; i++)
            runs[i].level = (int)(runs[i].from * HOP_FOREST_LEVELS / m);
    } else {
        qsort(runs, n_runs, sizeof *runs, by_size);
        for (i = 0; i < n_runs; i++)
            runs[i].level = i < HOP_FOREST_LEVELS ? (int)i : HOP_FOREST_LEVELS - 1;
        qsort(runs, n_runs, sizeof *runs, by_place);
    }
    for (c->n_levels = 0, i = 0; i < n_runs; i++)
        if (runs[i].level >= c->n_levels)
            c->n_levels = runs[i].level + 1;
}

/* The level of each config: its run's, and without the member that of the largest run. */
static void
fill_levels(struct column *c, const struct cell *cells, const struct run *runs, size_t n_runs,
            size_t n)
{
    size_t i, k, most = 0;

    for (i = 1; i < n_runs; i++)
        if (runs[i].n > runs[most].n)
            most = i;
    for (i = 0; i < n; i++)
        c->level[i] = (uint8_t)runs[most].level;
    for (i = 0; i < n_runs; i++) {
        if (!c->of_level[runs[i].level])
            c->of_level[runs[i].level] = cells[runs[i].from].value;
        for (k = 0; k < runs[i].n; k++)
            c->level[cells[runs[i].from + k].row] = (uint8_t)runs[i].level;
    }
}

static int
make_column(const struct hop_json *const *configs, size_t n, struct column *c, struct hop_err *e)
{
    struct cell *cells = hop_alloc(n, sizeof *cells, e);
    struct run *runs = hop_alloc(n, sizeof *runs, e);
    size_t m = 0, i;
    int rc = HOP_ENOMEM;

    c->level = hop_alloc(n, 1, e);
    if (cells && runs && c->level && !(rc = read_cells(configs, n, c, cells, &m, e))) {
        c->n_values = find_runs(c, cells, m, runs);
        set_levels(c, runs, c->n_values, m);
        fill_levels(c, cells, runs, c->n_values, n);
    }
    for (i = 0; cells && i < m; i++)
        free(cells[i].text);
    free(cells);
    free(runs);
    return rc;
}

/* ---- 2 the features ---- */

static int
make_columns(const struct hop_json *const *configs, size_t n, struct column **out, size_t *n_out,
             struct hop_err *e)
{
    struct hop_columns keys;
    size_t i;
    int rc;

    *n_out = 0;
    if ((rc = hop_columns_make(configs, n, &keys, e)))
        return rc;
    if (!(*out = hop_alloc(keys.n, sizeof **out, e)))
        rc = HOP_ENOMEM;
    for (i = 0; i < keys.n && !rc; i++) {
        struct column *c = &(*out)[*n_out];

        if (!strcmp(keys.keys[i], "seed"))
            continue;
        c->key = keys.keys[i];
        ++*n_out;
        rc = make_column(configs, n, c, e);
        if (c->n_values < 2 && !rc) { /* those that lack it have that value */
            free(c->level);
            *c = (struct column){0};
            --*n_out;
        }
    }
    hop_columns_clear(&keys);
    return rc;
}

/* ---- 3 rows and records ---- */

static int
by_share(const void *a, const void *b)
{
    const struct hop_importance_row *p = a, *q = b;

    if (!p->key != !q->key)
        return p->key ? -1 : 1;
    if (p->share < q->share || p->share > q->share)
        return p->share > q->share ? -1 : 1;
    return p->key ? strcmp(p->key, q->key) : 0;
}

static struct hop_importance_row
row_of(const struct column *c, const struct hop_share *s, bool is_less_better)
{
    struct hop_importance_row row = {c->key, s->share, s->se, c->n_values, NULL, NAN};
    int l;

    for (l = 0; l < c->n_levels; l++)
        if (c->of_level[l] && (!row.best || (is_less_better ? s->mean[l] < row.best_mean
                                                            : s->mean[l] > row.best_mean))) {
            row.best = c->of_level[l];
            row.best_mean = s->mean[l];
        }
    return row;
}

static int
make_rows(const struct column *columns, size_t n_columns, const double *values, size_t n,
          bool is_less_better, uint64_t seed, struct hop_importance *out, struct hop_err *e)
{
    struct hop_feature *f = hop_alloc(n_columns, sizeof *f, e);
    struct hop_share *shares = hop_alloc(n_columns + 1, sizeof *shares, e);
    size_t i;
    int rc = HOP_ENOMEM;

    out->v = hop_alloc(n_columns + 1, sizeof *out->v, e);
    if (f && shares && out->v) {
        for (i = 0; i < n_columns; i++)
            f[i] = (struct hop_feature){columns[i].level, columns[i].n_levels,
                                        columns[i].is_ordered};
        rc = hop_forest_shares(f, n_columns, values, n, seed, shares, e);
    }
    for (i = 0; !rc && n_columns && !isnan(shares[n_columns].share) && i <= n_columns; i++)
        out->v[out->n++] =
            i < n_columns ? row_of(&columns[i], &shares[i], is_less_better)
                          : (struct hop_importance_row){NULL, shares[i].share, shares[i].se, 0,
                                                        NULL, NAN};
    qsort(out->v, out->n, sizeof *out->v, by_share);
    free(f);
    free(shares);
    return rc;
}

int
hop_importance_make(const struct hop_json *const *configs, const double *values, size_t n,
                    bool is_less_better, uint64_t seed, struct hop_importance *out,
                    struct hop_err *e)
{
    struct column *columns = NULL;
    size_t n_columns = 0, i;
    int rc;

    *out = (struct hop_importance){.n_configs = n};
    rc = make_columns(configs, n, &columns, &n_columns, e);
    if (!rc && n > 1)
        rc = make_rows(columns, n_columns, values, n, is_less_better, seed, out, e);
    for (i = 0; i < n_columns; i++)
        free(columns[i].level);
    free(columns);
    if (rc)
        hop_importance_clear(out);
    return rc;
}

void
hop_importance_clear(struct hop_importance *m)
{
    free(m->v);
    *m = (struct hop_importance){0};
}

struct hop_json *
hop_importance_record(const struct hop_importance *m, size_t i, const char *metric)
{
    const struct hop_importance_row *row = &m->v[i];
    struct hop_json *j = hop_json_record("importance/1");

    if (row->key)
        hop_json_set_str(j, "key", row->key);
    else
        hop_json_set_bool(j, "interactions", true);
    hop_json_set_real(j, "share", row->share);
    hop_json_set_real(j, "share_se", row->se);
    if (row->key) {
        hop_json_set_int(j, "values", (int64_t)row->n_values);
        hop_json_set(j, "best", hop_json_copy(row->best));
        hop_json_set_real(j, "best_mean", row->best_mean);
    }
    hop_json_set_str(j, "metric", metric);
    hop_json_set_int(j, "configs", (int64_t)m->n_configs);
    return j;
}

#include "search/forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* Contents: 1 splits, 2 a tree, 3 taking a tree apart, 4 the forest */

enum { MAX_DEPTH = 64 };

struct forest {
    const struct hop_feature *f;
    size_t d; /* features */
    const double *y;
    size_t n;                           /* rows */
    double (*weight)[HOP_FOREST_LEVELS]; /* [d] frequency of each level among all rows */
    uint64_t key;
    uint32_t i_tree, i_node;
    size_t *rows;        /* [n] this tree's rows; those of a node lie together */
    size_t *spare;       /* [n] */
    uint64_t *mask;      /* [d] levels that are in the box of the node at hand */
    /* of this tree, by leaf: value and, by feature, the levels of its box */
    double *leaves;      /* [n] */
    uint64_t *leaf_mask; /* [n][d] */
    size_t n_leaves;
};

/* ---- 1 splits ---- */

struct split {
    double gain;
    size_t feature;
    uint64_t left; /* levels that go left */
};

struct level {
    double sum;
    int64_t n;
    int id;
};

static int
by_mean(const void *a, const void *b)
{
    const struct level *p = a, *q = b;
    double x = p->sum / (double)p->n, y = q->sum / (double)q->n;

    return x < y ? -1 : x > y ? 1 : p->id - q->id;
}

/* The levels of a feature that the node's rows have; how many. */
static size_t
collect(const struct forest *t, size_t j, const size_t *rows, size_t n, struct level *v)
{
    struct level all[HOP_FOREST_LEVELS];
    size_t i, m = 0;
    int l;

    memset(all, 0, sizeof all);
    for (i = 0; i < n; i++) {
        l = t->f[j].level[rows[i]];
        all[l].sum += t->y[rows[i]];
        all[l].n++;
    }
    for (l = 0; l < t->f[j].n_levels; l++)
        if (all[l].n) {
            v[m] = all[l];
            v[m++].id = l;
        }
    return m;
}

/* Try feature j: all cuts of its levels, in their order or by their means. */
static void
try_feature(const struct forest *t, size_t j, const size_t *rows, size_t n, double sum,
            struct split *best)
{
    struct level v[HOP_FOREST_LEVELS];
    size_t m = collect(t, j, rows, n, v), i;
    double left = 0, gain, total = (double)n, n_left = 0;
    uint64_t mask = 0;
    int l;

    if (!t->f[j].is_ordered)
        qsort(v, m, sizeof *v, by_mean);
    for (i = 0; i + 1 < m; i++) {
        left += v[i].sum;
        n_left += (double)v[i].n;
        mask |= (uint64_t)1 << v[i].id;
        gain = left * left / n_left + (sum - left) * (sum - left) / (total - n_left) -
               sum * sum / total;
        if (gain <= best->gain)
            continue;
        *best = (struct split){gain, j, mask};
        /* Levels that no row here has go with their neighbours, half the gap each. */
        for (l = 0; t->f[j].is_ordered && l < t->f[j].n_levels; l++)
            if (l > v[i].id && 2 * l <= v[i].id + v[i + 1].id)
                best->left |= (uint64_t)1 << l;
            else if (l < v[i].id)
                best->left |= (uint64_t)1 << l;
    }
}

/* The best split of the node; gain 0 when there is none. Features are visited in an order drawn for
 * the node, so of equals no feature is preferred. */
static struct split
find_split(struct forest *t, const size_t *rows, size_t n)
{
    struct split best = {0, 0, 0};
    struct hop_perm order;
    double sum = 0, sum_sq = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        sum += t->y[rows[i]];
        sum_sq += t->y[rows[i]] * t->y[rows[i]];
    }
    /* What rounding alone could make of rows that are equal is no gain. */
    best.gain = 1e-12 * sum_sq;
    hop_perm_init(&order, t->d, t->key, t->i_tree, ++t->i_node);
    for (i = 0; i < t->d; i++)
        try_feature(t, hop_perm_at(&order, i), rows, n, sum, &best);
    if (!best.left)
        best.gain = 0;
    return best;
}

/* ---- 2 a tree ---- */

static void
add_leaf(struct forest *t, const size_t *rows, size_t n)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += t->y[rows[i]];
    t->leaves[t->n_leaves] = sum / (double)n;
    memcpy(t->leaf_mask + t->n_leaves * t->d, t->mask, t->d * sizeof *t->mask);
    t->n_leaves++;
}

/* Rows of the left side first, order kept; how many. */
static size_t
partition(struct forest *t, size_t *rows, size_t n, const struct split *s)
{
    size_t i, n_left = 0, n_right = 0;

    for (i = 0; i < n; i++) {
        if (s->left >> t->f[s->feature].level[rows[i]] & 1)
            rows[n_left++] = rows[i];
        else
            t->spare[n_right++] = rows[i];
    }
    memcpy(rows + n_left, t->spare, n_right * sizeof *rows);
    return n_left;
}

static void
grow(struct forest *t, size_t *rows, size_t n, int depth)
{
    struct split s = {0, 0, 0};
    uint64_t mask;
    size_t n_left;

    if (n > 1 && t->d && depth < MAX_DEPTH)
        s = find_split(t, rows, n);
    if (!s.left) {
        add_leaf(t, rows, n);
        return;
    }
    n_left = partition(t, rows, n, &s);
    mask = t->mask[s.feature];
    t->mask[s.feature] = mask & s.left;
    grow(t, rows, n_left, depth + 1);
    t->mask[s.feature] = mask & ~s.left;
    grow(t, rows + n_left, n - n_left, depth + 1);
    t->mask[s.feature] = mask;
}

/* ---- 3 taking a tree apart ---- */

static double
mass(const struct forest *t, size_t j, uint64_t mask)
{
    double sum = 0;
    int l;

    for (l = 0; l < t->f[j].n_levels; l++)
        if (mask >> l & 1)
            sum += t->weight[j][l];
    return sum;
}

/* a[j][l] = sum over leaves of value * product of the masses of all other features, and the tree's
 * mean and variance. masses: [d] scratch. */
static void
marginals(const struct forest *t, double (*a)[HOP_FOREST_LEVELS], double *masses, double *mean,
          double *variance)
{
    const uint64_t *mask;
    double all, others, sum_sq = 0;
    size_t i, j, k;
    int l;

    *mean = 0;
    memset(a, 0, t->d * sizeof *a);
    for (i = 0; i < t->n_leaves; i++) {
        mask = t->leaf_mask + i * t->d;
        for (all = 1, j = 0; j < t->d; j++)
            all *= masses[j] = mass(t, j, mask[j]);
        *mean += t->leaves[i] * all;
        sum_sq += t->leaves[i] * t->leaves[i] * all;
        for (j = 0; j < t->d; j++) {
            for (others = t->leaves[i], k = 0; k < t->d; k++)
                others *= k == j ? 1 : masses[k];
            for (l = 0; l < t->f[j].n_levels; l++)
                if (mask[j] >> l & 1)
                    a[j][l] += others;
        }
    }
    *variance = sum_sq - *mean * *mean;
}

/* Adds this tree's shares (and their squares to se) to out; false when the tree does not vary. */
static bool
add_tree(const struct forest *t, double (*a)[HOP_FOREST_LEVELS], double *masses,
         struct hop_share *out)
{
    double mean, variance, share, rest = 1;
    size_t j;
    int l;

    marginals(t, a, masses, &mean, &variance);
    for (j = 0; j < t->d; j++)
        for (l = 0; l < t->f[j].n_levels; l++)
            out[j].mean[l] += a[j][l];
    if (!(variance > 1e-12 * mean * mean))
        return false;
    for (j = 0; j < t->d; j++) {
        for (share = 0, l = 0; l < t->f[j].n_levels; l++)
            share += t->weight[j][l] * (a[j][l] - mean) * (a[j][l] - mean);
        share = share > 1e-9 * variance ? share / variance : 0; /* less is rounding */
        rest -= share;
        out[j].share += share;
        out[j].se += share * share;
    }
    rest = rest > 1e-9 ? rest : 0;
    out[t->d].share += rest;
    out[t->d].se += rest * rest;
    return true;
}

/* ---- 4 the forest ---- */

static void
set_weights(struct forest *t)
{
    size_t i, j;

    for (j = 0; j < t->d; j++)
        for (i = 0; i < t->n; i++)
            t->weight[j][t->f[j].level[i]] += 1.0 / (double)t->n;
}

static void
draw_rows(struct forest *t)
{
    uint32_t r[4];
    size_t i;

    for (i = 0; i < t->n; i++) {
        hop_philox(t->key, t->i_tree, (uint32_t)i, 0, 1, r);
        t->rows[i] = (size_t)(((uint64_t)r[0] * (uint64_t)t->n) >> 32);
    }
}

/* Sums over the trees to means and standard errors. */
static void
finish(const struct forest *t, int n_trees, struct hop_share *out)
{
    double n = n_trees, variance;
    size_t j;
    int l;

    for (j = 0; j <= t->d; j++) {
        for (l = 0; j < t->d && l < t->f[j].n_levels; l++)
            out[j].mean[l] /= HOP_FOREST_TREES;
        out[j].share = n_trees ? out[j].share / n : NAN;
        variance = n_trees > 1 ? (out[j].se - n * out[j].share * out[j].share) / (n - 1) : 0;
        out[j].se = n_trees ? sqrt(variance > 0 ? variance / n : 0) : NAN;
    }
}

int
hop_forest_shares(const struct hop_feature *f, size_t n_features, const double *values,
                  size_t n_rows, uint64_t seed, struct hop_share *out, struct hop_err *e)
{
    struct forest t = {.f = f, .d = n_features, .y = values, .n = n_rows};
    double(*a)[HOP_FOREST_LEVELS] = hop_alloc(n_features, sizeof *a, e);
    double *masses = hop_alloc(n_features, sizeof *masses, e);
    int n_trees = 0, rc = HOP_ENOMEM;

    memset(out, 0, (n_features + 1) * sizeof *out);
    t.key = hop_rng_key(seed, "importance", HOP_FOR_SEARCH);
    t.weight = hop_alloc(n_features, sizeof *t.weight, e);
    t.rows = hop_alloc(n_rows, sizeof *t.rows, e);
    t.spare = hop_alloc(n_rows, sizeof *t.spare, e);
    t.mask = hop_alloc(n_features, sizeof *t.mask, e);
    t.leaves = hop_alloc(n_rows, sizeof *t.leaves, e);
    t.leaf_mask = hop_alloc(n_rows * n_features, sizeof *t.leaf_mask, e);
    if (!a || !masses || !t.weight || !t.rows || !t.spare || !t.mask || !t.leaves || !t.leaf_mask)
        goto out;
    rc = HOP_OK;
    set_weights(&t);
    for (t.i_tree = 0; n_rows && t.i_tree < HOP_FOREST_TREES; t.i_tree++) {
        t.n_leaves = 0;
        t.i_node = 1;
        memset(t.mask, 0xff, n_features * sizeof *t.mask);
        draw_rows(&t);
        grow(&t, t.rows, n_rows, 0);
        n_trees += add_tree(&t, a, masses, out);
    }
    finish(&t, n_trees, out);
out:
    free(a);
    free(masses);
    free(t.weight);
    free(t.rows);
    free(t.spare);
    free(t.mask);
    free(t.leaves);
    free(t.leaf_mask);
    return rc;
}

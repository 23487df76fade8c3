/* importance - variance shares against those worked out by hand for functions on whole grids. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "search/forest.h"
#include "search/importance.h"
#include "tap.h"

enum { MAX_ROWS = 4096, MAX_D = 3 };

static uint8_t levels[MAX_D][MAX_ROWS];
static double values[MAX_ROWS];

/* Every point of a grid of sizes n0 x n1 x n2, `times` times each: a bootstrap that misses one is
 * rare then, and a tree is the function itself. */
static size_t
grid(int n0, int n1, int n2, int times)
{
    size_t n = 0;
    int a, b, c, t;

    for (a = 0; a < n0; a++)
        for (b = 0; b < n1; b++)
            for (c = 0; c < n2; c++)
                for (t = 0; t < times; t++, n++) {
                    levels[0][n] = (uint8_t)a;
                    levels[1][n] = (uint8_t)b;
                    levels[2][n] = (uint8_t)c;
                }
    return n;
}

static void
expect(const char *what, size_t n, const int *n_levels, bool is_ordered, const double *want)
{
    struct hop_feature f[MAX_D];
    struct hop_share s[MAX_D + 1], again[MAX_D + 1];
    struct hop_err e = {0};
    double worst = 0;
    int j;

    for (j = 0; j < MAX_D; j++)
        f[j] = (struct hop_feature){levels[j], n_levels[j], is_ordered};
    if (hop_forest_shares(f, MAX_D, values, n, 1, s, &e) ||
        hop_forest_shares(f, MAX_D, values, n, 1, again, &e)) {
        ok(false, "%s: %s", what, e.what);
        return;
    }
    for (j = 0; j <= MAX_D; j++)
        worst = fmax(worst, fabs(s[j].share - want[j]));
    ok(worst < 0.01, "%s: shares %.4f %.4f %.4f, interactions %.4f", what, s[0].share, s[1].share,
       s[2].share, s[3].share);
    ok(!memcmp(s, again, sizeof s), "%s: the same numbers again", what);
}

static void
check_additive(void)
{
    static const int sizes[] = {4, 4, 3};
    /* uniform on 0..3 has variance 5/4: 2x + y is 5 + 5/4 */
    static const double want[] = {0.8, 0.2, 0, 0};
    size_t n = grid(4, 4, 3, 10), i;

    for (i = 0; i < n; i++)
        values[i] = 2.0 * levels[0][i] + levels[1][i];
    expect("2x + y, z idle", n, sizes, true, want);
    expect("2x + y, unordered", n, sizes, false, want);
}

static void
check_interaction(void)
{
    static const int sizes[] = {2, 2, 2};
    static const double all[] = {0, 0, 0, 1}, half[] = {0.5, 0, 0, 0.5};
    size_t n = grid(2, 2, 2, 20), i;

    for (i = 0; i < n; i++)
        values[i] = (2.0 * levels[0][i] - 1) * (2.0 * levels[1][i] - 1) + 7;
    /* Rows are drawn with repetition, so halves are not equal to the last row: a tree sees small
     * main effects, but takes the function apart exactly. */
    expect("xy", n, sizes, true, all);
    for (i = 0; i < n; i++)
        values[i] += 2.0 * levels[0][i] - 1;
    expect("x + xy", n, sizes, true, half);
}

/* A level's weight is its frequency: x is 1 in a quarter of the rows, y in half of them. */
static void
check_frequency(void)
{
    static const int sizes[] = {2, 2, 1};
    static const double want[] = {0.1875 / (0.1875 + 0.25), 0.25 / (0.1875 + 0.25), 0, 0};
    size_t n = grid(4, 2, 1, 20), i;

    for (i = 0; i < n; i++) {
        levels[0][i] = levels[0][i] == 3;
        values[i] = (double)levels[0][i] + levels[1][i];
    }
    expect("frequencies", n, sizes, true, want);
}

static void
check_flat(void)
{
    struct hop_share s[2];
    struct hop_feature f = {levels[0], 4, true};
    struct hop_err e = {0};
    size_t n = grid(4, 1, 1, 5), i;

    for (i = 0; i < n; i++)
        values[i] = 0.1;
    ok(!hop_forest_shares(&f, 1, values, n, 1, s, &e) && isnan(s[0].share) && isnan(s[1].share),
       "values that do not vary have no shares");
    ok(!hop_forest_shares(&f, 0, values, n, 1, s, &e) && isnan(s[0].share), "no feature at all");
}

/* ---- configs ---- */

static struct hop_json *configs[MAX_ROWS];

static double
draw(size_t i, uint32_t which)
{
    uint32_t r[4];

    hop_philox(77, (uint32_t)i, which, 0, 0, r);
    return r[0] / 4294967296.0;
}

/* lr over four decades decides at 0.01; momentum is sgd's alone and matters little; the net matters
 * some; a name that every config has for itself matters nothing, though it tells all apart. */
static void
make_configs(size_t n)
{
    size_t i;
    char name[24];

    for (i = 0; i < n; i++) {
        double lr = pow(10, -4 + 4 * draw(i, 0)), m = 0.9 + 0.09 * draw(i, 1);
        bool is_sgd = draw(i, 2) < 0.5, is_big = draw(i, 3) < 0.5;

        configs[i] = hop_json_record("config/1");
        snprintf(name, sizeof name, "c%04zu", i);
        hop_json_set_str(configs[i], "id", name);
        hop_json_set_str(configs[i], "model", is_big ? "big" : "small");
        hop_json_set_str(configs[i], "optimizer", is_sgd ? "sgd" : "adam");
        hop_json_set_real(configs[i], "lr", lr);
        if (is_sgd)
            hop_json_set_real(configs[i], "momentum", m);
        hop_json_set_int(configs[i], "seed", (int64_t)i);
        hop_json_set_str(configs[i], "dropout", "0.5"); /* the same for all */
        values[i] = (lr > 0.01 ? 1 : 0) + (is_big ? 0.5 : 0);
    }
}

static const struct hop_importance_row *
find(const struct hop_importance *m, const char *key)
{
    size_t i;

    for (i = 0; i < m->n; i++)
        if (m->v[i].key ? key && !strcmp(m->v[i].key, key) : !key)
            return &m->v[i];
    return NULL;
}

static void
check_configs(void)
{
    struct hop_importance m = {0};
    struct hop_err e = {0};
    const struct hop_importance_row *row;
    size_t n = 400, i;
    int rc;

    make_configs(n);
    rc = hop_importance_make((const struct hop_json *const *)configs, values, n, false, 1, &m, &e);
    ok(!rc && m.n == 5, "lr, model, optimizer, momentum, interactions: %zu rows", m.n);
    ok(m.n == 5 && !strcmp(m.v[0].key, "lr") && !strcmp(m.v[1].key, "model") && !m.v[4].key,
       "by share, interactions last");
    /* 1/4 (about) against 1/16: 0.8 and 0.2 */
    row = find(&m, "lr");
    ok(row && fabs(row->share - 0.8) < 0.03 && row->n_values == n, "lr: %.3f of 0.8, %zu values",
       row ? row->share : NAN, row ? row->n_values : 0);
    ok(row && hop_json_real(row->best) > 0.01, "its best value is above the step");
    row = find(&m, "model");
    ok(row && fabs(row->share - 0.2) < 0.03, "model: %.3f of 0.2", row ? row->share : NAN);
    ok(row && !strcmp(hop_json_str(row->best), "big"), "big is best");
    row = find(&m, "momentum");
    ok(row && row->share < 0.01, "momentum, of half the configs: %.4f", row ? row->share : NAN);
    ok(!find(&m, "seed") && !find(&m, "dropout") && !find(&m, "id"), "seed, id, constants: none");
    hop_importance_clear(&m);
    ok(!hop_importance_make((const struct hop_json *const *)configs, values, n, true, 1, &m, &e) &&
           !strcmp(hop_json_str(find(&m, "model")->best), "small"),
       "less is better: small is best");
    hop_importance_clear(&m);
    ok(!hop_importance_make((const struct hop_json *const *)configs, values, 1, true, 1, &m, &e) &&
           m.n == 0,
       "one config explains nothing");
    hop_importance_clear(&m);
    for (i = 0; i < n; i++)
        hop_json_free(configs[i]);
}

int
main(void)
{
    check_additive();
    check_interaction();
    check_frequency();
    check_flat();
    check_configs();
    return tap_end();
}

/* parzen - against Optuna 5.0.0, 4.8.0 and hyperopt 0.2 and 0.3 (their own estimators gave the numbers), and
 * what is drawn against the density. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "search/parzen.h"
#include "tap.h"

static const struct hop_parzen_dim unit[] = {{HOP_SCALE_LINEAR, 0, 0, 1, 0},
                                             {HOP_SCALE_LINEAR, 0, 0, 1, 0}};

static struct hop_parzen *
make(const struct hop_parzen_dim *dims, size_t n_dims, const double *x, size_t n,
     enum hop_parzen_rule rule)
{
    struct hop_parzen *p;
    struct hop_err e = {0};

    if (hop_parzen_new(dims, n_dims, x, n, rule, &p, &e))
        exit(1);
    return p;
}

static bool
is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

static void
test_widths_and_ratio(void)
{
    static const double below[] = {0.1, 0.4, 0.45, 0.9}, above[] = {0.2, 0.55, 0.6, 0.8, 0.95},
                        at[] = {0.05, 0.42, 0.5, 0.99};
    static const struct {
        const char *name;
        enum hop_parzen_rule rule;
        double width[5], ratio[4];
    } rows[] = {
        {"joint", HOP_PARZEN_JOINT, {0.3, 0.3, 0.45, 0.45, 1},
         {0.682042119744, 0.261167933263, 0.092173497721, -0.646786184576}},
        {"univariate", HOP_PARZEN_UNIVARIATE, {0.3, 0.3, 1 / 6., 0.4, 1},
         {0.647345149324, 0.323357721165, 0.080134061733, -0.70477378241}},
        {"multivariate", HOP_PARZEN_MULTIVARIATE, {1 / 6., 1 / 6., 1 / 6., 1 / 6., 1},
         {0.688691836298, 0.383998230234, 0.04719058161, -0.352068601963}},
        {"hyperopt", HOP_PARZEN_HYPEROPT, {0.3, 0.3, 1 / 6., 0.4, 1},
         {0.760270519889, 0.350143768465, 0.065943517387, -0.806519105595}},
    };
    size_t r, i;

    for (r = 0; r < HOP_LEN(rows); r++) {
        struct hop_parzen *l = make(unit, 1, below, 4, rows[r].rule);
        struct hop_parzen *g = make(unit, 1, above, 5, rows[r].rule);
        bool is_width = true, is_ratio = true;

        for (i = 0; i < 5; i++)
            is_width = is_width && is_near(hop_parzen_width(l, 0, i), rows[r].width[i]);
        for (i = 0; i < 4; i++)
            is_ratio = is_ratio && is_near(hop_parzen_log(l, &at[i]) - hop_parzen_log(g, &at[i]),
                                           rows[r].ratio[i]);
        ok(is_width, "%s: widths", rows[r].name);
        ok(is_ratio, "%s: log l - log g to nine digits", rows[r].name);
        hop_parzen_free(l);
        hop_parzen_free(g);
    }
}

static void
test_log_scale(void)
{
    static const struct hop_parzen_dim lr = {HOP_SCALE_LOG, 0, 1e-4, 1e-1, 0};
    static const double x[] = {1e-3, 2e-3, 5e-2};
    struct hop_parzen *p = make(&lr, 1, x, 3, HOP_PARZEN_UNIVARIATE);

    ok(is_near(hop_parzen_width(p, 0, 0), 1.381551055796) &&
           is_near(hop_parzen_width(p, 0, 1), 1.381551055796) &&
           is_near(hop_parzen_width(p, 0, 2), 2.760730458931) &&
           is_near(hop_parzen_width(p, 0, 3), 6.907755278982),
       "log scale, univariate: widths");
    hop_parzen_free(p);
    p = make(&lr, 1, x, 3, HOP_PARZEN_JOINT);
    ok(is_near(hop_parzen_width(p, 0, 0), 1.381551055796) &&
           is_near(hop_parzen_width(p, 0, 1), 3.218875824868) &&
           is_near(hop_parzen_width(p, 0, 2), 3.218875824868) &&
           is_near(hop_parzen_width(p, 0, 3), 6.907755278982),
       "log scale, joint: widths");
    hop_parzen_free(p);
}

static void
test_categories(void)
{
    static const struct hop_parzen_dim c = {HOP_SCALE_CATEGORY, 3, 0, 0, 0};
    static const double x[] = {0, 0, 2, 0}, want[] = {0.541666667, 0.166666667, 0.291666667},
                        hyperopt[] = {4 / 7., 1 / 7., 2 / 7.};
    struct hop_parzen *p = make(&c, 1, x, 4, HOP_PARZEN_JOINT);
    struct hop_parzen *h = make(&c, 1, x, 4, HOP_PARZEN_HYPEROPT);
    double at;
    bool is_ok = true, is_hyperopt = true;
    int i;

    for (i = 0; i < 3; i++) {
        at = i;
        is_ok = is_ok && is_near(exp(hop_parzen_log(p, &at)), want[i]);
        is_hyperopt = is_hyperopt && is_near(exp(hop_parzen_log(h, &at)), hyperopt[i]);
    }
    ok(is_ok, "categories");
    ok(is_hyperopt, "categories of hyperopt: counts, and one of each");
    hop_parzen_free(p);
    hop_parzen_free(h);
}

/* All kinds of dimensions together: lr log, n log whole, q in steps, a category, i whole. */
static void
test_joint(void)
{
    static const struct hop_parzen_dim dims[] = {{HOP_SCALE_LOG, 0, 1e-4, 1e-1, 0},
                                                 {HOP_SCALE_LOG, 0, 1, 64, 1},
                                                 {HOP_SCALE_LINEAR, 0, 0, 1, 0.25},
                                                 {HOP_SCALE_CATEGORY, 3, 0, 0, 0},
                                                 {HOP_SCALE_LINEAR, 0, 2, 9, 1}};
    static const double below[] = {1e-3, 1, 0, 0, 2, 2e-3, 3, 0.5, 0, 9, 5e-2, 3, 0.5, 2, 5},
                        above[] = {1e-4, 64, 1, 1, 3, 3e-2, 2, 0.75, 1, 4,
                                   7e-3, 17, 0.5, 2, 5, 1e-1, 5, 0, 0, 6},
                        at[] = {1e-3, 3, 0.5, 0, 2, 1.5e-4, 1, 0, 1, 9, 6e-2, 40, 1, 2, 6},
                        want[] = {2.772195867967, 0.789638867395, -1.547121786519};
    struct hop_parzen *l = make(dims, 5, below, 3, HOP_PARZEN_JOINT);
    struct hop_parzen *g = make(dims, 5, above, 4, HOP_PARZEN_JOINT);
    int i;

    for (i = 0; i < 3; i++)
        ok(is_near(hop_parzen_log(l, at + 5 * i) - hop_parzen_log(g, at + 5 * i), want[i]),
           "joint over five kinds of dimensions: point %d", i);
    hop_parzen_free(l);
    hop_parzen_free(g);
}

/* n observations (i * golden ratio, and the same backwards): weights of old ones, one, none. */
static void
test_weights(void)
{
    static const struct {
        size_t n;
        double want[2];
    } rows[] = {{40, {-3.475171247687, -3.57340172228}}, {26, {-0.652538356282, -3.377669133909}},
                {0, {0.041955600982, -0.118094399018}}};
    static const double at[2][2] = {{0.3, 0.3}, {0.9, 0.01}}, one[] = {0.2, 0.7},
                        want_one[] = {0.056342023038, -0.340527501313};
    double x[80];
    struct hop_parzen *p;
    size_t r, i;

    for (r = 0; r < HOP_LEN(rows); r++) {
        for (i = 0; i < rows[r].n; i++) {
            x[2 * i] = fmod((double)i * 0.6180339887498949, 1);
            x[2 * i + 1] = fmod((double)(rows[r].n - 1 - i) * 0.6180339887498949, 1);
        }
        p = make(unit, 2, x, rows[r].n, HOP_PARZEN_JOINT);
        ok(is_near(hop_parzen_log(p, at[0]), rows[r].want[0]) &&
               is_near(hop_parzen_log(p, at[1]), rows[r].want[1]),
           "%zu observations", rows[r].n);
        hop_parzen_free(p);
    }
    p = make(unit, 2, one, 1, HOP_PARZEN_JOINT);
    ok(is_near(hop_parzen_log(p, at[0]), want_one[0]) &&
           is_near(hop_parzen_log(p, at[1]), want_one[1]),
       "one observation");
    hop_parzen_free(p);
}

static double
uniform(void *ctx)
{
    uint32_t out[4], *i = ctx;

    hop_philox(7, (*i)++, 0, 0, 0, out);
    return (out[0] + 0.5) / 4294967296.0;
}

/* Draws fall into 20 bins as often as the density says, by chi-square. */
static void
test_draws(enum hop_parzen_rule rule, const struct hop_parzen_dim *d, const double *x, size_t n,
           double low, double high, const char *name)
{
    enum { N = 20000, N_BINS = 20, N_INSIDE = 200 };
    struct hop_parzen *p = make(d, 1, x, n, rule);
    double count[N_BINS] = {0}, expected, chi = 0, at, t;
    uint32_t i = 0;
    int k, b, s;

    for (k = 0; k < N; k++) {
        hop_parzen_draw(p, uniform, &i, &at);
        t = d->scale == HOP_SCALE_LOG ? log(at) : d->scale == HOP_SCALE_NEAR_ONE ? -log(1 - at) : at;
        b = (int)((t - low) / (high - low) * N_BINS);
        count[b < 0 ? 0 : b >= N_BINS ? N_BINS - 1 : b]++;
    }
    for (b = 0; b < N_BINS; b++) {
        expected = 0;
        for (s = 0; s < N_INSIDE; s++) {
            t = low + (high - low) * (b + (s + 0.5) / N_INSIDE) / N_BINS;
            at = d->scale == HOP_SCALE_LOG ? exp(t) : d->scale == HOP_SCALE_NEAR_ONE ? 1 - exp(-t) : t;
            expected += exp(hop_parzen_log(p, &at)) * (high - low) / N_BINS / N_INSIDE * N;
        }
        chi += (count[b] - expected) * (count[b] - expected) / expected;
    }
    ok(chi < 43.8, "%s: draws follow the density (chi-square %.1f, 43.8 is one in a thousand)", name,
       chi);
    hop_parzen_free(p);
}

/* With a step, draws are on it, and each value as often as its bin weighs. */
static void
test_steps(void)
{
    static const struct hop_parzen_dim n = {HOP_SCALE_LOG, 0, 1, 8, 1};
    static const double x[] = {1, 4, 4, 4, 8};
    struct hop_parzen *p = make(&n, 1, x, 5, HOP_PARZEN_JOINT);
    double count[9] = {0}, sum = 0, chi = 0, at, expected;
    uint32_t i = 0;
    int k;

    for (k = 0; k < 20000; k++) {
        hop_parzen_draw(p, uniform, &i, &at);
        if (at != floor(at) || at < 1 || at > 8)
            break;
        count[(int)at]++;
    }
    ok(k == 20000, "steps: all draws are whole and inside");
    for (k = 1; k <= 8; k++) {
        at = k;
        expected = 20000 * exp(hop_parzen_log(p, &at));
        sum += expected;
        chi += (count[k] - expected) * (count[k] - expected) / expected;
    }
    ok(is_near(sum, 20000), "steps: probabilities add up to 1");
    ok(chi < 24.3, "steps: draws follow the probabilities (chi-square %.1f)", chi);
    hop_parzen_free(p);
}

/* Propose: near what was good, never outside. */
static void
test_propose(void)
{
    static const double below[] = {0.21, 0.2, 0.19, 0.2}, above[] = {0.9, 0.5, 0.6, 0.8, 0.05};
    struct hop_parzen *l = make(unit, 1, below, 4, HOP_PARZEN_JOINT);
    struct hop_parzen *g = make(unit, 1, above, 5, HOP_PARZEN_JOINT);
    struct hop_err e = {0};
    double x, sum = 0;
    uint32_t i = 0;
    int k, n_near = 0;

    for (k = 0; k < 200; k++) {
        if (hop_parzen_propose(l, g, 24, uniform, &i, &x, &e))
            break;
        n_near += fabs(x - 0.2) < 0.15;
        sum += x;
    }
    ok(k == 200 && n_near > 190, "proposals lie where l is above g (%d of 200)", n_near);
    hop_parzen_free(l);
    hop_parzen_free(g);
}

int
main(void)
{
    static const double x[] = {0.1, 0.12, 0.7}, lr[] = {1e-3, 2e-3, 5e-2}, m[] = {0.9, 0.99, 0.95};
    static const struct hop_parzen_dim log_dim = {HOP_SCALE_LOG, 0, 1e-4, 1e-1, 0},
                                       near = {HOP_SCALE_NEAR_ONE, 0, 0.9, 0.999, 0};

    test_widths_and_ratio();
    test_log_scale();
    test_categories();
    test_joint();
    test_weights();
    test_draws(HOP_PARZEN_JOINT, unit, x, 3, 0, 1, "linear");
    test_draws(HOP_PARZEN_HYPEROPT, unit, x, 3, 0, 1, "linear, hyperopt");
    test_draws(HOP_PARZEN_JOINT, &log_dim, lr, 3, log(1e-4), log(1e-1), "log");
    test_draws(HOP_PARZEN_JOINT, &near, m, 3, -log(0.1), -log(0.001), "near one");
    test_steps();
    test_propose();
    return tap_end();
}

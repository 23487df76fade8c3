/* Draws from spaces against their distributions (Kolmogorov-Smirnov, chi-square, at fixed seeds),
 * points and configs there and back, and spaces with bytes broken. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "search/methods.h"
#include "tap.h"

enum { N = 5000, N_SEEDS = 20 };
#define KS_LIMIT (1.95 / 70.71) /* sqrt(5000); beyond it once in 1,000 */

static struct hop_space *
parse(const char *text, struct hop_err *e)
{
    struct hop_space *s = NULL;
    struct hop_json *j;

    if (hop_json_parse(text, strlen(text), "space.json", &j, e))
        return NULL;
    return hop_space_parse(j, "space.json", &s, e) ? NULL : s;
}

static struct hop_search_options options = {.parallel = 1, .seed = 42, .repeats = 1,
                                                  .prefix = "c"};

/* v[i]: dimension `index` of config i + 1. */
static void
draw(const struct hop_space *s, size_t index, double *v)
{
    struct hop_search_in in = {.space = s, .options = &options};
    double x[64];
    size_t i;

    for (i = 0; i < N; i++) {
        hop_search_random(&in, i + 1, x);
        v[i] = x[index];
    }
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- distributions ---- */

static double
cdf_uniform(double v) /* [-2, 6] */
{
    return (v + 2) / 8;
}

static double
cdf_log(double v) /* [1e-4, 0.1] */
{
    return log10(v / 1e-4) / 3;
}

/* MADlib's formula: 1 - 10^U(log10(1 - high), log10(1 - low)). */
static double
cdf_near_one(double v) /* [0.9, 0.999] */
{
    return (log10(1 - 0.9) - log10(1 - v)) / (log10(1 - 0.9) - log10(1 - 0.999));
}

static void
test_ks(const char *text, double (*cdf)(double), double low, double high)
{
    struct hop_err e = {0};
    struct hop_space *s = parse(text, &e);
    static double v[N];
    double d = 0, f;
    size_t i;

    if (!s) {
        ok(false, "%s: %s", text, e.what);
        return;
    }
    draw(s, 0, v);
    qsort(v, N, sizeof *v, by_value);
    for (i = 0; i < N; i++) {
        f = cdf(v[i]);
        d = fmax(d, fmax(fabs(f - (double)i / N), fabs((double)(i + 1) / N - f)));
    }
    ok(d < KS_LIMIT && v[0] >= low && v[N - 1] <= high && v[0] < low + (high - low) * 0.01 &&
           v[N - 1] > high - (high - low) * 0.01,
       "%s: Kolmogorov-Smirnov %.4f below %.4f, from %.9g to %.9g", text, d, KS_LIMIT, v[0],
       v[N - 1]);
    hop_space_free(s);
}

/* Levels against their probabilities p[n] (NULL: equal). */
static void
test_chi(const char *text, size_t n, const double *levels, const double *p, double limit)
{
    struct hop_err e = {0};
    struct hop_space *s = parse(text, &e);
    static double v[N];
    double chi = 0, want, count[64] = {0};
    size_t i, k, n_other = 0;

    if (!s) {
        ok(false, "%s: %s", text, e.what);
        return;
    }
    draw(s, 0, v);
    for (i = 0; i < N; i++) {
        for (k = 0; k < n && fabs(levels[k] - v[i]) > 1e-9; k++)
            ;
        if (k < n)
            count[k]++;
        else
            n_other++;
    }
    for (k = 0; k < n; k++) {
        want = N * (p ? p[k] : 1.0 / (double)n);
        chi += (count[k] - want) * (count[k] - want) / want;
    }
    ok(chi < limit && !n_other && hop_dim_levels(s->all[0]) == n,
       "%s: chi-square %.2f below %.2f, %zu values outside", text, chi, limit, n_other);
    hop_space_free(s);
}

static void
test_distributions(void)
{
    double tens[9], wide[4], log_p[4], q_p[4], near[3], near_p[3], sum;
    size_t i;

    test_ks("{\"a\":{\"type\":\"uniform\",\"low\":-2,\"high\":6}}", cdf_uniform, -2, 6);
    test_ks("{\"a\":{\"type\":\"loguniform\",\"low\":1e-4,\"high\":0.1}}", cdf_log, 1e-4, 0.1);
    test_ks("{\"a\":{\"type\":\"lognearone\",\"low\":0.9,\"high\":0.999}}", cdf_near_one, 0.9, 0.999);
    for (i = 0; i < 9; i++)
        tens[i] = 0.1 + 0.05 * (double)i;
    /* limits: beyond them once in 1,000 */
    test_chi("{\"a\":{\"type\":\"uniform\",\"low\":0.1,\"high\":0.52,\"q\":0.05}}", 9, tens, NULL,
             26.12);
    test_chi("{\"a\":{\"type\":\"int\",\"low\":3,\"high\":6}}", 4, (double[]){3, 4, 5, 6}, NULL, 16.27);
    test_chi("{\"a\":{\"type\":\"int\",\"low\":16,\"high\":64,\"q\":16}}", 4,
             (double[]){16, 32, 48, 64}, NULL, 16.27);
    test_chi("{\"a\":[32,64,128,\"x\",true]}", 5, (double[]){0, 1, 2, 3, 4}, NULL, 18.47);
    test_chi("{\"a\":{\"type\":\"choice\",\"values\":[1,2,3],\"weights\":[1,6,3]}}", 3,
             (double[]){0, 1, 2}, (double[]){0.1, 0.6, 0.3}, 13.82);
    for (i = 0, sum = log(4.5 / 0.5); i < 4; i++) {
        wide[i] = (double)i + 1;
        log_p[i] = log((wide[i] + 0.5) / (wide[i] - 0.5)) / sum;
    }
    test_chi("{\"a\":{\"type\":\"logint\",\"low\":1,\"high\":4}}", 4, wide, log_p, 16.27);
    /* half a step below 1 would be -1: the lowest level begins at 1 */
    for (i = 0, sum = log(15.0); i < 4; i++) {
        wide[i] = 1 + 4 * (double)i;
        q_p[i] = log((wide[i] + 2) / (i ? wide[i] - 2 : 1)) / sum;
    }
    test_chi("{\"a\":{\"type\":\"logint\",\"low\":1,\"high\":14,\"q\":4}}", 4, wide, q_p, 16.27);
    /* and half a step above 0.99 would be 1.02: the highest ends at 0.99 */
    for (i = 0; i < 3; i++)
        near[i] = 0.87 + 0.06 * (double)i;
    sum = log((1 - 0.84) / (1 - 0.99));
    near_p[0] = log((1 - 0.84) / (1 - 0.90)) / sum;
    near_p[1] = log((1 - 0.90) / (1 - 0.96)) / sum;
    near_p[2] = log((1 - 0.96) / (1 - 0.99)) / sum;
    test_chi("{\"a\":{\"type\":\"lognearone\",\"low\":0.87,\"high\":0.99,\"q\":0.06}}", 3, near, near_p,
             13.82);
}

/* ---- independence ---- */

/* Chi-square of a table of 8 x 8 (63 degrees of freedom). */
static double
dependence(const double *u, const double *v, size_t n)
{
    double count[8][8] = {{0}}, chi = 0, want = (double)n / 64;
    size_t i, k;

    for (i = 0; i < n; i++)
        count[(size_t)(u[i] * 8)][(size_t)(v[i] * 8)]++;
    for (i = 0; i < 8; i++)
        for (k = 0; k < 8; k++)
            chi += (count[i][k] - want) * (count[i][k] - want) / want;
    return chi;
}

static void
test_independence(void)
{
    struct hop_err e = {0};
    struct hop_space *s = parse("{\"a\":{\"type\":\"uniform\",\"low\":0,\"high\":1},"
                                "\"b\":{\"type\":\"uniform\",\"low\":0,\"high\":1},"
                                "\"c\":[{\"_name\":1,\"d\":{\"type\":\"uniform\",\"low\":0,\"high\":1}}]}",
                                &e);
    static double a[N], b[N], d[N];
    double pair = 0, branch = 0, next = 0;
    uint64_t seed = options.seed;

    if (!s) {
        ok(false, "space: %s", e.what);
        return;
    }
    for (options.seed = 1; options.seed <= N_SEEDS; options.seed++) {
        draw(s, 0, a);
        draw(s, 1, b);
        draw(s, 3, d);
        pair += dependence(a, b, N) / N_SEEDS;
        branch += dependence(a, d, N) / N_SEEDS;
        next += dependence(a, a + 1, N - 1) / N_SEEDS;
    }
    options.seed = seed;
    /* The mean of 20 has a standard deviation of 2.5: 73 is four of them. */
    ok(pair < 73, "two parameters of a config are independent (%.1f)", pair);
    ok(branch < 73, "one in a branch, too (%.1f)", branch);
    ok(next < 73, "a config and the next are independent (%.1f)", next);
    ok(dependence(a, a, N) > 10000, "and this test would tell (%.1f)", dependence(a, a, N));
    hop_space_free(s);
}

/* ---- there and back ---- */

static const char whole_text[] =
    "{\"lr\":{\"type\":\"loguniform\",\"low\":1e-5,\"high\":0.3},\"batch_size\":[8,16,32],\"x\":true,"
    "\"optimizer\":[{\"_name\":\"sgd\",\"momentum\":{\"type\":\"lognearone\",\"low\":0.9,\"high\":"
    "0.99},\"nesterov\":[{\"_name\":true,\"z\":{\"type\":\"int\",\"low\":1,\"high\":9}},false]},"
    "{\"_name\":\"sgd\",\"decay\":{\"type\":\"uniform\",\"low\":0,\"high\":1,\"q\":0.1}},\"adam\"],"
    "\"units\":{\"type\":\"logint\",\"low\":8,\"high\":128,\"q\":8},\"list\":{\"type\":\"choice\","
    "\"values\":[[1,2],[1,2,3]]}}";

static bool
is_same_point(const struct hop_space *s, const double *x, const double *y)
{
    size_t i;

    for (i = 0; i < s->n_all; i++)
        if (!(isnan(x[i]) && isnan(y[i])) && !(x[i] == y[i]))
            return false;
    return true;
}

static void
test_points(void)
{
    struct hop_err e = {0};
    struct hop_space *s = parse(whole_text, &e);
    struct hop_search_in in = {.space = s, .options = &options};
    double x[64], y[64], u;
    size_t k, i, n_bad = 0, n_far = 0;
    struct hop_json *config;

    if (!s) {
        ok(false, "space: %s", e.what);
        return;
    }
    ok(s->n_all == 9 && !strcmp(s->all[5]->path, "optimizer[0].nesterov[0].z") &&
           s->all[5]->parent == s->all[4] && s->all[4]->parent == s->all[2],
       "branches below branches are numbered behind their choice");
    for (k = 1; k <= 2000; k++) {
        config = hop_json_object();
        hop_search_random(&in, k, x);
        hop_space_config(s, x, config);
        if (!hop_space_point(s, config, y) || !is_same_point(s, x, y))
            n_bad++;
        hop_json_set_real(config, "lr", k % 2 ? 0.31 : 0.9e-5);
        n_bad += hop_space_point(s, config, y);
        hop_json_free(config);
        for (i = 0; i < s->n_all; i++) {
            if (isnan(x[i]))
                continue;
            u = hop_dim_to_unit(s->all[i], x[i]);
            if (!(u >= 0 && u <= 1) ||
                fabs(hop_dim_from_unit(s->all[i], u) - x[i]) > 1e-7 * fabs(x[i]))
                n_far++;
        }
    }
    ok(!n_bad, "config to point gives the point back, and refuses what is out of bounds (%zu)", n_bad);
    ok(!n_far, "value to unit and back (%zu)", n_far);
    hop_space_free(s);
}

/* ---- broken spaces ---- */

/* Whatever a space's bytes are: an error that names a place, or a space that can be drawn from. */
static void
try_text(const char *text, size_t n, size_t *n_parsed, size_t *n_nameless)
{
    struct hop_search_in in = {.options = &options};
    struct hop_err e = {0};
    struct hop_space *s;
    struct hop_json *j, *config;
    double *x, *y;

    if (hop_json_parse(text, n, "space.json", &j, &e) || hop_space_parse(j, "space.json", &s, &e)) {
        *n_nameless += strncmp(e.where, "space.json", 10) || !e.what[0];
        return;
    }
    ++*n_parsed;
    in.space = s;
    x = calloc(s->n_all + 1, sizeof *x);
    y = calloc(s->n_all + 1, sizeof *y);
    config = hop_json_object();
    if (x && y) {
        hop_search_random(&in, 1, x);
        hop_space_config(s, x, config);
        *n_nameless += !hop_space_point(s, config, y);
    }
    free(x);
    free(y);
    hop_json_free(config);
    hop_space_free(s);
}

static void
test_broken(void)
{
    static const unsigned char bits[] = {1, 2, 4, 8, 16, 32, 64, 128, 3, 5, 24, 96, 12};
    char text[sizeof whole_text];
    size_t n = sizeof whole_text - 1, i, k, n_parsed = 0, n_bad = 0;

    for (i = 0; i < n; i++) {
        memcpy(text, whole_text, n);
        try_text(text, i, &n_parsed, &n_bad);
        for (k = 0; k < sizeof bits; k++) {
            text[i] = (char)(whole_text[i] ^ bits[k]);
            try_text(text, n, &n_parsed, &n_bad);
        }
        memmove(text + i, whole_text + i + 1, n - i - 1);
        try_text(text, n - 1, &n_parsed, &n_bad);
    }
    ok(!n_bad && n_parsed > 100, "every byte cut, flipped and left out: %zu still spaces, %zu bad",
       n_parsed, n_bad);
}

int
main(void)
{
    test_distributions();
    test_independence();
    test_points();
    test_broken();
    return tap_end();
}

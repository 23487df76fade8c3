/* Contents: 1 scales and the normal distribution, 2 kernels of a dimension, 3 the mixture, 4 drawing */
#include "search/parzen.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { N_FULL_WEIGHT = 25 };

/* Components that are alike in a dimension share a kernel: with a step or categories there are few, and
 * a density is computed once for each. */
struct kernels {
    struct hop_parzen_dim dim;
    double low, high;     /* bounds on the scale, those of the bins with a step */
    uint32_t *of;         /* [n + 1] kernel of each component */
    size_t n;
    double *mean, *width; /* [n], numbers */
    double *log_mass;     /* [n] of what is inside the bounds */
    double *log_scale;    /* [n] what a normal density without step is divided by */
    double *p;            /* [n][n_categories] */
    double *now;          /* [n] log density at the point asked for */
};

struct hop_parzen {
    size_t n_dims, n;       /* dimensions, observations */
    struct kernels *dims;   /* [n_dims] */
    double *weight;         /* [n + 1], sum 1 */
    double *log_weight, *sum; /* [n + 1] */
};

/* ---- 1 scales and the normal distribution ---- */

static double
to_scale(const struct hop_parzen_dim *d, double x)
{
    return d->scale == HOP_SCALE_LOG ? log(x) : d->scale == HOP_SCALE_NEAR_ONE ? -log1p(-x) : x;
}

static double
from_scale(const struct hop_parzen_dim *d, double t)
{
    return d->scale == HOP_SCALE_LOG ? exp(t) : d->scale == HOP_SCALE_NEAR_ONE ? -expm1(-t) : t;
}

/* The scale at an edge of x's bin, which must not leave the scale's domain. */
static double
edge(const struct hop_parzen_dim *d, double x, double half)
{
    double at = x + half;

    if (d->scale == HOP_SCALE_LOG && at <= 0)
        at = d->low / 2;
    if (d->scale == HOP_SCALE_NEAR_ONE && at >= 1)
        at = (d->high + 1) / 2;
    return to_scale(d, at);
}

static double
normal_below(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

/* log of the normal probability between a and b, a < b, exact in the tails, too. */
static double
log_between(double a, double b)
{
    double p = a > 0 ? normal_below(-a) - normal_below(-b) : normal_below(b) - normal_below(a);

    return p > 0 ? log(p) : -1e300;
}

/* The z below which p of a normal distribution lies, 0 < p <= 0.5: Acklam's rational function, then a
 * step of Halley's method. */
static double
normal_quantile(double p)
{
    static const double a[] = {-39.69683028665376, 220.9460984245205, -275.9285104469687,
                               138.3577518672690, -30.66479806614716, 2.506628277459239},
        b[] = {-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
               -13.28068155288572},
        c[] = {-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
               4.374664141464968, 2.938163982698783},
        d[] = {0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416};
    double q, r, z, error;

    if (p < 0.02425) {
        q = sqrt(-2 * log(p));
        z = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
            ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    } else {
        q = p - 0.5;
        r = q * q;
        z = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
            (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
    }
    error = (normal_below(z) - p) * sqrt(2 * M_PI) * exp(z * z / 2);
    return isfinite(error) ? z - error / (1 + z * error / 2) : z;
}

/* The point of a normal distribution cut off at a and b that has u of it below. */
static double
cut_quantile(double a, double b, double u)
{
    double inside = normal_below(b) - normal_below(a), p = normal_below(a) + u * inside, z;

    if (p <= 0.5)
        z = normal_quantile(fmax(p, 1e-300));
    else
        z = -normal_quantile(fmax(normal_below(-b) + (1 - u) * inside, 1e-300));
    return fmin(fmax(z, a), b);
}

/* ---- 2 kernels of a dimension ---- */

struct point {
    double at;
    uint32_t i;
};

static int
compare_points(const void *a, const void *b)
{
    const struct point *p = a, *q = b;

    if (p->at != q->at)
        return p->at < q->at ? -1 : 1;
    return p->i < q->i ? -1 : 1; /* the order must not depend on qsort */
}

/* Bytes of it compare as the numbers do, the first of them with `shift` 56. */
static unsigned
digit(double at, int shift)
{
    uint64_t bits;

    at += 0.0; /* -0 is 0 */
    memcpy(&bits, &at, sizeof bits);
    bits = bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
    return bits >> shift & 255;
}

/* compare_points' order of v, whose i ascend: of many points byte by byte from the last, which is ten times
 * as fast as comparing them. spare: [n]. */
static void
sort_points(struct point *v, struct point *spare, size_t n)
{
    size_t at[256], i, sum, n_digit;
    struct point *from = v, *to = spare, *other;
    int shift;

    if (n < 200) {
        qsort(v, n, sizeof *v, compare_points);
        return;
    }
    for (shift = 0; shift < 64; shift += 8) {
        memset(at, 0, sizeof at);
        for (i = 0; i < n; i++)
            at[digit(from[i].at, shift)]++;
        for (i = sum = 0; i < 256; i++) {
            n_digit = at[i];
            at[i] = sum;
            sum += n_digit;
        }
        for (i = 0; i < n; i++)
            to[at[digit(from[i].at, shift)]++] = from[i];
        other = from;
        from = to;
        to = other;
    } /* eight times: back in v */
}

/* The larger gap of sorted point i to its neighbours; the outermost have one. */
static double
gap(const struct point *v, size_t n, size_t i, const struct kernels *k)
{
    double left, right;

    if (n == 1)
        return fmax(v[0].at - k->low, k->high - v[0].at);
    left = i ? v[i].at - v[i - 1].at : 0;
    right = i + 1 < n ? v[i + 1].at - v[i].at : 0;
    return fmax(left, right);
}

static double
width_of(const struct point *v, size_t n_points, size_t i, const struct kernels *k, size_t n,
         size_t n_dims, enum hop_parzen_rule rule)
{
    double range = k->high - k->low, w;

    if (rule == HOP_PARZEN_MULTIVARIATE)
        w = 0.2 * pow((double)n, -1.0 / ((double)n_dims + 4)) * range;
    else if (rule == HOP_PARZEN_HYPEROPT && n == 1)
        w = range / 2;
    else
        w = gap(v, n_points, i, k);
    return fmin(fmax(w, range / fmin(100, (double)n + 2)), range);
}

static void
add_kernel(struct kernels *k, double mean, double width)
{
    k->mean[k->n] = mean;
    k->width[k->n] = width;
    k->log_mass[k->n] = log_between((k->low - mean) / width, (k->high - mean) / width);
    k->log_scale[k->n] = k->log_mass[k->n] + log(width) + 0.5 * log(2 * M_PI);
    k->n++;
}

/* Numbers: x[i * n_dims], i < n. */
static int
make_numbers(struct kernels *k, const double *x, size_t n, size_t n_dims, enum hop_parzen_rule rule,
             struct hop_err *e)
{
    bool has_middle = rule == HOP_PARZEN_UNIVARIATE || rule == HOP_PARZEN_HYPEROPT;
    double middle, width;
    struct point *v, *spare;
    size_t i;

    k->low = edge(&k->dim, k->dim.low, -k->dim.q / 2);
    k->high = edge(&k->dim, k->dim.high, k->dim.q / 2);
    middle = (k->low + k->high) / 2;
    k->mean = hop_alloc(n + 1, sizeof *k->mean, e);
    k->width = hop_alloc(n + 1, sizeof *k->width, e);
    k->log_mass = hop_alloc(n + 1, sizeof *k->log_mass, e);
    k->log_scale = hop_alloc(n + 1, sizeof *k->log_scale, e);
    v = hop_alloc(n + 1, sizeof *v, e);
    spare = hop_alloc(n + 1, sizeof *spare, e);
    if (!k->mean || !k->width || !k->log_mass || !k->log_scale || !v || !spare) {
        free(v);
        free(spare);
        return HOP_ENOMEM;
    }
    for (i = 0; i < n; i++)
        v[i] = (struct point){fmin(fmax(to_scale(&k->dim, x[i * n_dims]), k->low), k->high),
                              (uint32_t)i};
    v[n] = (struct point){middle, (uint32_t)n}; /* the prior: not sorted in where it is no neighbour */
    sort_points(v, spare, n + has_middle);
    free(spare);
    for (i = 0; i < n + has_middle; i++) {
        if (v[i].i == n)
            continue;
        width = width_of(v, n + has_middle, i, k, n, n_dims, rule);
        if (!k->n || k->mean[k->n - 1] != v[i].at || k->width[k->n - 1] != width)
            add_kernel(k, v[i].at, width);
        k->of[v[i].i] = (uint32_t)k->n - 1;
    }
    add_kernel(k, middle, k->high - k->low);
    k->of[n] = (uint32_t)k->n - 1;
    free(v);
    return HOP_OK;
}

/* One kernel for each category, and the prior. */
static int
make_categories(struct kernels *k, const double *x, size_t n, size_t n_dims,
                enum hop_parzen_rule rule, struct hop_err *e)
{
    size_t n_cat = k->dim.n_categories, i, c;
    double rest = rule == HOP_PARZEN_HYPEROPT ? 0 : 1 / ((double)n + 1), sum;

    if (!(k->p = hop_alloc((n_cat + 1) * n_cat, sizeof *k->p, e)))
        return HOP_ENOMEM;
    sum = 1 + rest * (double)n_cat;
    k->n = n_cat + 1;
    for (c = 0; c < n_cat; c++)
        for (i = 0; i < n_cat; i++)
            k->p[c * n_cat + i] = (rest + (i == c)) / sum;
    for (i = 0; i < n_cat; i++)
        k->p[n_cat * n_cat + i] = 1 / (double)n_cat;
    for (i = 0; i < n; i++)
        k->of[i] = (uint32_t)x[i * n_dims];
    k->of[n] = (uint32_t)n_cat;
    return HOP_OK;
}

/* Log densities of all kernels at x. */
static void
evaluate(struct kernels *k, double x)
{
    double at, low, high, mean, width;
    size_t i;

    if (k->dim.scale == HOP_SCALE_CATEGORY) {
        for (i = 0; i < k->n; i++)
            k->now[i] = log(k->p[i * k->dim.n_categories + (size_t)x]);
        return;
    }
    at = to_scale(&k->dim, x);
    low = k->dim.q > 0 ? edge(&k->dim, x, -k->dim.q / 2) : 0;
    high = k->dim.q > 0 ? edge(&k->dim, x, k->dim.q / 2) : 0;
    for (i = 0; i < k->n; i++) {
        mean = k->mean[i];
        width = k->width[i];
        if (k->dim.q > 0)
            k->now[i] = log_between((low - mean) / width, (high - mean) / width) - k->log_mass[i];
        else
            k->now[i] = -0.5 * ((at - mean) / width) * ((at - mean) / width) - k->log_scale[i];
    }
}

/* ---- 3 the mixture ---- */

void
hop_parzen_free(struct hop_parzen *p)
{
    size_t i;

    if (!p)
        return;
    for (i = 0; p->dims && i < p->n_dims; i++) {
        free(p->dims[i].of);
        free(p->dims[i].mean);
        free(p->dims[i].width);
        free(p->dims[i].log_mass);
        free(p->dims[i].log_scale);
        free(p->dims[i].p);
        free(p->dims[i].now);
    }
    free(p->dims);
    free(p->weight);
    free(p->log_weight);
    free(p->sum);
    free(p);
}

static int
make_dim(struct kernels *k, const double *x, size_t n, size_t n_dims, enum hop_parzen_rule rule,
         struct hop_err *e)
{
    int rc;

    if (!(k->of = hop_alloc(n + 1, sizeof *k->of, e)))
        return HOP_ENOMEM;
    rc = k->dim.scale == HOP_SCALE_CATEGORY ? make_categories(k, x, n, n_dims, rule, e)
                                            : make_numbers(k, x, n, n_dims, rule, e);
    if (!rc && !(k->now = hop_alloc(k->n, sizeof *k->now, e)))
        rc = HOP_ENOMEM;
    return rc;
}

/* Hyperopt's mixture is cut off as a whole, so a component weighs what is left of it; its prior of a
 * category is one more of each. */
static double
hyperopt_weight(const struct hop_parzen *p, size_t i, double weight)
{
    const struct kernels *k = &p->dims[0];

    if (k->dim.scale == HOP_SCALE_CATEGORY)
        return i == p->n ? (double)k->dim.n_categories : weight;
    return weight * exp(k->log_mass[k->of[i]]);
}

static void
make_weights(struct hop_parzen *p, enum hop_parzen_rule rule)
{
    size_t i, n = p->n, n_ramp = n > N_FULL_WEIGHT ? n - N_FULL_WEIGHT : 0;
    double sum = 0, w;

    for (i = 0; i <= n; i++) {
        w = 1;
        if (i < n_ramp) /* from 1 / n to 1 in n_ramp steps */
            w = n_ramp == 1 ? 1 / (double)n
                            : 1 / (double)n +
                                  (1 - 1 / (double)n) * (double)i / (double)(n_ramp - 1);
        if (rule == HOP_PARZEN_HYPEROPT)
            w = hyperopt_weight(p, i, w);
        sum += p->weight[i] = w;
    }
    for (i = 0; i <= n; i++) {
        p->weight[i] /= sum;
        p->log_weight[i] = log(p->weight[i]);
    }
}

int
hop_parzen_new(const struct hop_parzen_dim *dims, size_t n_dims, const double *x, size_t n,
               enum hop_parzen_rule rule, struct hop_parzen **out, struct hop_err *e)
{
    struct hop_parzen *p = hop_alloc(1, sizeof *p, e);
    size_t i;
    int rc = HOP_OK;

    *out = NULL;
    if (!p)
        return HOP_ENOMEM;
    p->n = n;
    p->n_dims = n_dims;
    p->dims = hop_alloc(n_dims, sizeof *p->dims, e);
    p->weight = hop_alloc(n + 1, sizeof *p->weight, e);
    p->log_weight = hop_alloc(n + 1, sizeof *p->log_weight, e);
    p->sum = hop_alloc(n + 1, sizeof *p->sum, e);
    if (!p->dims || !p->weight || !p->log_weight || !p->sum)
        rc = HOP_ENOMEM;
    for (i = 0; i < n_dims && !rc; i++) {
        p->dims[i].dim = dims[i];
        rc = make_dim(&p->dims[i], x + i, n, n_dims, rule, e);
    }
    if (rc) {
        hop_parzen_free(p);
        return rc;
    }
    make_weights(p, rule);
    *out = p;
    return HOP_OK;
}

double
hop_parzen_log(struct hop_parzen *p, const double *x)
{
    double max = -INFINITY, sum = 0;
    size_t i, d;

    memcpy(p->sum, p->log_weight, (p->n + 1) * sizeof *p->sum);
    for (d = 0; d < p->n_dims; d++) {
        evaluate(&p->dims[d], x[d]);
        for (i = 0; i <= p->n; i++)
            p->sum[i] += p->dims[d].now[p->dims[d].of[i]];
    }
    for (i = 0; i <= p->n; i++)
        if (p->sum[i] > max) /* fmax would be a call */
            max = p->sum[i];
    for (i = 0; i <= p->n; i++)
        sum += p->sum[i] - max < -745 ? 0 : exp(p->sum[i] - max); /* below, it is 0 */
    return max + log(sum);
}

double
hop_parzen_width(const struct hop_parzen *p, size_t dim, size_t i)
{
    return p->dims[dim].width[p->dims[dim].of[i]];
}

/* ---- 4 drawing ---- */

/* The index whose share of the probabilities p[n] holds u. */
static size_t
pick(const double *p, size_t n, double u)
{
    size_t i;

    for (i = 0; i + 1 < n && u >= p[i]; i++)
        u -= p[i];
    return i;
}

static double
draw_number(const struct kernels *k, size_t kernel, double u)
{
    double mean = k->mean[kernel], width = k->width[kernel], x;
    const struct hop_parzen_dim *d = &k->dim;

    x = mean + width * cut_quantile((k->low - mean) / width, (k->high - mean) / width, u);
    x = from_scale(d, x);
    if (d->q > 0)
        x = d->low + floor((x - d->low) / d->q + 0.5) * d->q;
    return fmin(fmax(x, d->low), d->high);
}

void
hop_parzen_draw(const struct hop_parzen *p, hop_uniform_fn *uniform, void *ctx, double *x)
{
    size_t component = pick(p->weight, p->n + 1, uniform(ctx)), d, n_cat;
    const struct kernels *k;

    for (d = 0; d < p->n_dims; d++) {
        k = &p->dims[d];
        n_cat = k->dim.n_categories;
        if (k->dim.scale == HOP_SCALE_CATEGORY)
            x[d] = (double)pick(k->p + k->of[component] * n_cat, n_cat, uniform(ctx));
        else
            x[d] = draw_number(k, k->of[component], uniform(ctx));
    }
}

int
hop_parzen_propose(struct hop_parzen *below, struct hop_parzen *above, int n_candidates,
                   hop_uniform_fn *uniform, void *ctx, double *x, struct hop_err *e)
{
    double best = -INFINITY, score, *try = hop_alloc(below->n_dims, sizeof *try, e);
    int i;

    if (!try)
        return HOP_ENOMEM;
    for (i = 0; i < n_candidates; i++) {
        hop_parzen_draw(below, uniform, ctx, try);
        score = hop_parzen_log(below, try) - hop_parzen_log(above, try);
        if (!i || score > best) {
            best = score;
            memcpy(x, try, below->n_dims * sizeof *x);
        }
    }
    free(try);
    return HOP_OK;
}

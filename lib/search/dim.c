#include "search/dim.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool
is_int(const struct hop_dim *d)
{
    return d->kind == HOP_DIM_INT || d->kind == HOP_DIM_LOGINT;
}

static bool
is_log(const struct hop_dim *d)
{
    return d->kind == HOP_DIM_LOGUNIFORM || d->kind == HOP_DIM_LOGINT;
}

static double
clip(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* As files have it. */
static double
round9(double v)
{
    char text[40];

    snprintf(text, sizeof text, "%.9g", v);
    return strtod(text, NULL);
}

int
hop_dim_check(struct hop_dim *d, const char *where, struct hop_err *e)
{
    if (d->low > d->high)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "low %.9g > high %.9g", d->low, d->high);
    if (!(d->low < d->high))
        return hop_fail(e, HOP_EFORMAT, where, "a constant is written as it is",
                        "low %.9g = high %.9g", d->low, d->high);
    if (is_log(d) && d->low <= 0)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "low %.9g is not above 0", d->low);
    if (d->kind == HOP_DIM_LOGNEARONE && (d->low < 0 || d->high >= 1))
        return hop_fail(e, HOP_EFORMAT, where, "0 <= low < high < 1",
                        "bounds %.9g and %.9g are not near one", d->low, d->high);
    if (is_int(d) && (d->low != floor(d->low) || d->high != floor(d->high) ||
                      d->q != floor(d->q)))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "bounds and q are not whole numbers");
    if (fabs(d->low) > (is_int(d) ? 9e15 : 1e300) || fabs(d->high) > (is_int(d) ? 9e15 : 1e300))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "bounds %.9g and %.9g are too large", d->low,
                        d->high);
    if (d->q < 0 || d->q > d->high - d->low)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "q %.9g is not between 0 and high - low",
                        d->q);
    if (is_int(d) && d->q <= 0)
        d->q = 1;
    if (d->q > 0 && (d->high - d->low) / d->q > 9e15)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "q %.9g is too small", d->q);
    if (d->q > 0) /* as numbers 0.1 / 0.01 may be less than 10 */
        d->high = hop_dim_level(d, (size_t)floor((d->high - d->low) / d->q * (1 + 1e-12) + 1e-9));
    return HOP_OK;
}

size_t
hop_dim_levels(const struct hop_dim *d)
{
    if (d->kind == HOP_DIM_CHOICE)
        return d->n_choices;
    return d->q > 0 ? (size_t)llround((d->high - d->low) / d->q) + 1 : 0;
}

double
hop_dim_level(const struct hop_dim *d, size_t i)
{
    double v = d->low + (double)i * d->q;

    if (d->kind == HOP_DIM_CHOICE)
        return (double)i;
    return is_int(d) ? v : round9(v);
}

double
hop_dim_axis(const struct hop_dim *d, double value)
{
    if (is_log(d))
        return log(value);
    return d->kind == HOP_DIM_LOGNEARONE ? -log1p(-value) : value;
}

/* The nearest level. */
static double
snap(const struct hop_dim *d, double v)
{
    double n = (double)hop_dim_levels(d), i = round((v - d->low) / d->q);

    return hop_dim_level(d, (size_t)clip(i, 0, n - 1));
}

double
hop_dim_value(const struct hop_dim *d, double place)
{
    double v = place;

    if (d->kind == HOP_DIM_CHOICE)
        return clip(round(v), 0, (double)d->n_choices - 1);
    if (is_log(d))
        v = exp(place);
    else if (d->kind == HOP_DIM_LOGNEARONE)
        v = -expm1(-place);
    v = clip(v, d->low, d->high);
    return d->q > 0 ? snap(d, v) : round9(v);
}

void
hop_dim_bin(const struct hop_dim *d, double value, double *low, double *high)
{
    double a = value - d->q / 2, b = value + d->q / 2;

    if (d->kind == HOP_DIM_CHOICE) {
        *low = value - 0.5;
        *high = value + 0.5;
        return;
    }
    *low = hop_dim_axis(d, is_log(d) && a <= 0 ? value : a);
    *high = hop_dim_axis(d, d->kind == HOP_DIM_LOGNEARONE && b >= 1 ? value : b);
}

void
hop_dim_range(const struct hop_dim *d, double *low, double *high)
{
    double none;

    if (d->kind == HOP_DIM_CHOICE) {
        *low = -0.5;
        *high = (double)d->n_choices - 0.5;
        return;
    }
    hop_dim_bin(d, d->low, low, &none);
    hop_dim_bin(d, d->high, &none, high);
}

static double
choose(const struct hop_dim *d, double u)
{
    double sum = 0;
    size_t i;

    for (i = 0; i + 1 < d->n_choices; i++) {
        sum += d->choices[i].weight;
        if (u < sum)
            break;
    }
    return (double)i;
}

double
hop_dim_from_unit(const struct hop_dim *d, double u)
{
    double low, high;

    if (d->kind == HOP_DIM_CHOICE)
        return choose(d, u);
    hop_dim_range(d, &low, &high);
    return hop_dim_value(d, low + u * (high - low));
}

double
hop_dim_to_unit(const struct hop_dim *d, double value)
{
    double low, high, a, b, sum = 0;
    size_t i;

    if (d->kind == HOP_DIM_CHOICE) {
        for (i = 0; i < (size_t)value; i++)
            sum += d->choices[i].weight;
        return sum + d->choices[i].weight / 2;
    }
    hop_dim_range(d, &low, &high);
    hop_dim_bin(d, value, &a, &b);
    return clip(((a + b) / 2 - low) / (high - low), 0, 1);
}

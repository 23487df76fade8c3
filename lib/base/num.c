#include "base/num.h"

double
hop_log_f64(double x)
{
    int k = 0;
    double s, z, p;
    int i;

    while (x > 1.4142135623730951) {
        x *= 0.5;
        k++;
    }
    while (x < 0.7071067811865476) {
        x *= 2.0;
        k--;
    }
    s = (x - 1.0) / (x + 1.0);
    z = s * s;
    p = 0.0;
    for (i = 25; i >= 3; i -= 2)
        p = (p + 2.0 / i) * z;
    return k * 0.6931471805599453 + (2.0 * s + p * s);
}

double
hop_exp_f64(double x)
{
    double n, r, p = 1.0;
    int i, k;

    if (x > 709.0)
        return INFINITY;
    if (x < -708.0)
        return 0.0;
    n = x * 1.4426950408889634;
    k = (int)(n < 0.0 ? n - 0.5 : n + 0.5);
    r = x - k * 0.6931471803691238;
    r -= k * 1.9082149292705877e-10;
    for (i = 18; i >= 1; i--)
        p = 1.0 + p * r / i;
    for (; k > 0; k--)
        p *= 2.0;
    for (; k < 0; k++)
        p *= 0.5;
    return p;
}

/* sin(y), |y| <= pi / 4. */
static double
sin_small(double y)
{
    double term = y, sum = y;
    int i;

    for (i = 1; i < 10; i++) {
        term *= -y * y / ((2.0 * i) * (2.0 * i + 1.0));
        sum += term;
    }
    return sum;
}

static double
cos_small(double y)
{
    double term = 1.0, sum = 1.0;
    int i;

    for (i = 1; i < 11; i++) {
        term *= -y * y / ((2.0 * i - 1.0) * (2.0 * i));
        sum += term;
    }
    return sum;
}

void
hop_sincos_turn(double x, double *sine, double *cosine)
{
    double q = x * 4.0, y, s, c;
    int64_t k = (int64_t)(q < 0.0 ? q - 0.5 : q + 0.5); /* the nearest quarter turn */

    y = (q - (double)k) * 1.5707963267948966;
    s = sin_small(y);
    c = cos_small(y);
    *sine = k & 1 ? c : s;
    *cosine = k & 1 ? s : c;
    if (k & 2)
        *sine = -*sine;
    if ((k + 1) & 2)
        *cosine = -*cosine;
}

double
hop_powi(double b, uint64_t n)
{
    double r = 1.0;

    for (; n; n >>= 1) {
        if (n & 1)
            r *= b;
        b *= b;
    }
    return r;
}

static double
poly(const double *c, int n, double x)
{
    double r = c[n - 1];
    int i;

    for (i = n - 2; i >= 0; i--)
        r = r * x + c[i];
    return r;
}

double
hop_normal_quantile(double p)
{
    static const double a[] = {3.3871328727963666080e0, 1.3314166789178437745e+2,
                               1.9715909503065514427e+3, 1.3731693765509461125e+4,
                               4.5921953931549871457e+4, 6.7265770927008700853e+4,
                               3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[] = {1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2,
                               5.3941960214247511077e+3, 2.1213794301586595867e+4,
                               3.9307895800092710610e+4, 2.8729085735721942674e+4,
                               5.2264952788528545610e+3};
    static const double c[] = {1.42343711074968357734e0, 4.63033784615654529590e0,
                               5.76949722146069140550e0, 3.64784832476320460504e0,
                               1.27045825245236838258e0, 2.41780725177450611770e-1,
                               2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[] = {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0,
                               6.89767334985100004550e-1, 1.48103976427480074590e-1,
                               1.51986665636164571966e-2, 5.47593808499534494600e-4,
                               1.05075007164441684324e-9};
    static const double e[] = {6.65790464350110377720e0, 5.46378491116411436990e0,
                               1.78482653991729133580e0, 2.96560571828504891230e-1,
                               2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[] = {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
                               1.48753612908506148525e-2, 7.86869131145613259100e-4,
                               1.84631831751005468180e-5, 1.42151175831644588870e-7,
                               2.04426310338993978564e-15};
    double q = p - 0.5, r;

    if (q >= -0.425 && q <= 0.425) {
        r = 0.180625 - q * q;
        return q * poly(a, 8, r) / poly(b, 8, r);
    }
    r = sqrt(-hop_log_f64(q < 0.0 ? p : 1.0 - p));
    r = r <= 5.0 ? poly(c, 8, r - 1.6) / poly(d, 8, r - 1.6)
                 : poly(e, 8, r - 5.0) / poly(f, 8, r - 5.0);
    return q < 0.0 ? -r : r;
}

/* sobol - the sequence against the published direction numbers (the points are SciPy's, which reads
 * the same file), and what scrambling must keep and must give. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "search/sobol.h"
#include "tap.h"

static void
test_points(void)
{
    static const int dims[] = {0, 1, 2, 3, 4, 9, 49, 99, 255};
    static const struct {
        uint32_t index, want[9];
    } rows[] = {
        {0, {0, 0, 0, 0, 0, 0, 0, 0, 0}},
        {1, {2147483648, 2147483648, 2147483648, 2147483648, 2147483648, 2147483648, 2147483648,
             2147483648, 2147483648}},
        {2, {1073741824, 3221225472, 3221225472, 3221225472, 1073741824, 1073741824, 1073741824,
             1073741824, 1073741824}},
        {3, {3221225472, 1073741824, 1073741824, 1073741824, 3221225472, 3221225472, 3221225472,
             3221225472, 3221225472}},
        {5, {2684354560, 536870912, 3758096384, 2684354560, 2684354560, 1610612736, 2684354560,
             536870912, 2684354560}},
        {11, {3489660928, 2952790016, 3489660928, 268435456, 1879048192, 1879048192, 4026531840,
              2415919104, 2415919104}},
        {63, {4227858432, 1409286144, 67108864, 3154116608, 1946157056, 2617245696, 3288334336,
              2080374784, 603979776}}};
    size_t r, k;

    for (r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        for (k = 0; k < 9 && hop_sobol_bits(rows[r].index, dims[k]) == rows[r].want[k]; k++)
            ;
        ok(k == 9, "point %u in nine dimensions up to 256", (unsigned)rows[r].index);
    }
}

/* Of 2^m points from k 2^m on, one in each of the 2^m intervals, in every dimension. */
static void
test_stratified(uint64_t key)
{
    enum { N = 64 };
    int dim, block, n_bad = 0;
    uint32_t i;
    char has[N];

    for (dim = 0; dim < HOP_SOBOL_MAX_DIMS; dim++)
        for (block = 0; block < 2; block++) {
            memset(has, 0, sizeof has);
            for (i = 0; i < N; i++)
                has[(int)(hop_sobol_at(key, (uint32_t)block * N + i, dim) * N)]++;
            for (i = 0; i < N; i++)
                n_bad += has[i] != 1;
        }
    ok(!n_bad, "64 scrambled points: one in each 64th, in all 256 dimensions, twice");
}

/* The first two dimensions are a (0, 2)-sequence: 2^m points, one in each box of area 2^-m. */
static void
test_net(uint64_t key)
{
    enum { M = 6, N = 1 << M };
    int a, n_bad = 0;
    uint32_t i;
    char has[N];

    for (a = 0; a <= M; a++) {
        memset(has, 0, sizeof has);
        for (i = 0; i < N; i++) {
            int x = (int)(hop_sobol_at(key, i, 0) * (1 << a));
            int y = (int)(hop_sobol_at(key, i, 1) * (1 << (M - a)));

            has[(x << (M - a)) + y]++;
        }
        for (i = 0; i < N; i++)
            n_bad += has[i] != 1;
    }
    ok(!n_bad, "the first two dimensions are a net after scrambling");
}

/* One point under many keys is uniform, and two of its coordinates are independent. */
static void
test_uniform(void)
{
    enum { N = 4000 };
    double x, y, n_in[10] = {0}, n_xy[16] = {0}, chi = 0, chi_xy = 0;
    int i;

    for (i = 0; i < N; i++) {
        uint64_t key = hop_rng_key((uint64_t)i, "", HOP_FOR_SEARCH);

        x = hop_sobol_at(key, 5, 3);
        y = hop_sobol_at(key, 5, 7);
        n_in[(int)(x * 10)]++;
        n_xy[(int)(x * 4) * 4 + (int)(y * 4)]++;
    }
    for (i = 0; i < 10; i++)
        chi += (n_in[i] - N / 10.) * (n_in[i] - N / 10.) / (N / 10.);
    for (i = 0; i < 16; i++)
        chi_xy += (n_xy[i] - N / 16.) * (n_xy[i] - N / 16.) / (N / 16.);
    ok(chi < 27.9, "a point under 4000 seeds is uniform (chi-square %.1f)", chi);
    ok(chi_xy < 37.7, "two coordinates are independent (chi-square %.1f)", chi_xy);
}

/* The integral of a smooth product over 8 dimensions: far nearer than by random points. */
static void
test_integral(uint64_t key)
{
    enum { N = 1024 };
    double sobol = 0, random = 0, fs, fr;
    uint32_t i, out[4];
    int d;

    for (i = 0; i < N; i++) {
        fs = fr = 1;
        for (d = 0; d < 8; d++) {
            hop_philox(key, i, (uint32_t)d, 99, 99, out);
            fs *= 1 + (hop_sobol_at(key, i, d) - 0.5) / (d + 1);
            fr *= 1 + (out[0] / 4294967296.0 - 0.5) / (d + 1);
        }
        sobol += fs / N;
        random += fr / N;
    }
    ok(fabs(sobol - 1) < 1e-3 && fabs(sobol - 1) < fabs(random - 1) / 5,
       "an integral: error %.1e, of random points %.1e", fabs(sobol - 1), fabs(random - 1));
}

int
main(void)
{
    uint64_t key = hop_rng_key(1, "", HOP_FOR_SEARCH);

    test_points();
    test_stratified(key);
    test_net(key);
    test_uniform();
    test_integral(key);
    ok(hop_sobol_at(key, 3, 2) == hop_sobol_at(key, 3, 2) &&
           hop_sobol_at(key, 3, 2) != hop_sobol_at(key + 1, 3, 2),
       "the seed decides, and nothing else");
    return tap_end();
}

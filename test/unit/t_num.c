/* num - own elementary functions against libm's double ones, over the whole float range; rng. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "base/rng.h"
#include "tap.h"

static double
relative(double got, double want)
{
    return want == 0 ? fabs(got) : fabs(got - want) / fabs(want);
}

/* Largest relative errors over every 499th float. One ulp is 1.2e-7 at most. */
static void
test_functions(void)
{
    double e_exp = 0, e_log = 0, e_tanh = 0, e_expm1 = 0;
    uint32_t i;
    float x;

    for (i = 0; i < 0xFFFFFFFFu - 499; i += 499) {
        x = hop_bits_f32(i);
        if (!isfinite(x))
            continue;
        if (x > -87.3f && x < 88.7f) {
            e_exp = fmax(e_exp, relative(hop_expf(x), exp(x)));
            e_expm1 = fmax(e_expm1, relative(hop_expm1f(x), expm1(x)));
        }
        if (x > 0)
            e_log = fmax(e_log, relative(hop_logf(x), log(x)));
        e_tanh = fmax(e_tanh, relative(hop_tanhf(x), tanh(x)));
    }
    ok(e_exp < 1.2e-7, "hop_expf %.3g", e_exp);
    ok(e_log < 2.4e-7, "hop_logf %.3g", e_log);
    ok(e_tanh < 3.6e-7, "hop_tanhf %.3g", e_tanh);
    ok(e_expm1 < 3.6e-7, "hop_expm1f %.3g", e_expm1);
    ok(isinf(hop_expf(100.0f)) && hop_expf(-100.0f) == 0 && isnan(hop_expf(NAN)), "ends of expf");
    ok(isinf(hop_logf(0.0f)) && isnan(hop_logf(-1.0f)) && isinf(hop_logf(INFINITY)),
       "ends of logf");
}

static void
test_doubles(void)
{
    double e_log = 0, e_exp = 0, e_normal = 0, x;

    for (x = 1e-300; x < 1e300; x *= 1.37) {
        e_log = fmax(e_log, relative(hop_log_f64(x), log(x)));
    }
    for (x = -700; x < 700; x += 0.37)
        e_exp = fmax(e_exp, relative(hop_exp_f64(x), exp(x)));
    for (x = 1e-10; x < 1; x += 1e-4)
        e_normal = fmax(e_normal, relative(0.5 * erfc(-hop_normal_quantile(x) / sqrt(2)), x));
    ok(e_log < 1e-14, "hop_log_f64 %.3g", e_log);
    ok(e_exp < 1e-13, "hop_exp_f64 %.3g", e_exp);
    ok(e_normal < 1e-13, "hop_normal_quantile %.3g", e_normal);
    ok(hop_powi(0.9, 0) == 1 && relative(hop_powi(0.999, 12345), pow(0.999, 12345)) < 1e-12,
       "hop_powi");
}

/* The known answers of Random123 1.14 (kat_vectors, philox4x32 10). */
static void
test_philox(void)
{
    static const struct {
        uint32_t c[4], k[2], want[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    uint32_t out[4];
    size_t i;

    for (i = 0; i < HOP_LEN(kat); i++) {
        hop_philox((uint64_t)kat[i].k[1] << 32 | kat[i].k[0], kat[i].c[0], kat[i].c[1], kat[i].c[2],
                   kat[i].c[3], out);
        ok(!memcmp(out, kat[i].want, sizeof out), "philox known answer %zu", i);
    }
    ok(hop_rng_key(1, "a", HOP_FOR_INIT) != hop_rng_key(1, "a", HOP_FOR_SHUFFLE) &&
           hop_rng_key(1, "a", HOP_FOR_INIT) != hop_rng_key(2, "a", HOP_FOR_INIT) &&
           hop_rng_key(1, "a", HOP_FOR_INIT) != hop_rng_key(1, "b", HOP_FOR_INIT),
       "keys differ by seed, name and purpose");
}

static void
test_permutation(void)
{
    static const uint64_t sizes[] = {1, 2, 3, 5, 16, 17, 100, 255, 256, 257, 6250, 65537};
    struct hop_perm p, q;
    uint64_t n, i, j, n_fixed, n_same;
    unsigned char *seen;
    size_t k;
    bool is_fine;

    for (k = 0; k < HOP_LEN(sizes); k++) {
        n = sizes[k];
        seen = calloc(n, 1);
        hop_perm_init(&p, n, 12345, 7, 0);
        hop_perm_init(&q, n, 12345, 8, 0);
        for (i = n_fixed = n_same = 0, is_fine = seen != NULL; is_fine && i < n; i++) {
            j = hop_perm_at(&p, i);
            is_fine = j < n && !seen[j]++;
            n_fixed += j == i;
            n_same += j == hop_perm_at(&q, i);
        }
        ok(is_fine, "permutation of %llu is one", (unsigned long long)n);
        if (n >= 100) /* a random one keeps about one in place; 10 has odds below 1e-7 */
            ok(n_fixed < 10 && n_same < 10, "of %llu: %llu in place, %llu as another's",
               (unsigned long long)n, (unsigned long long)n_fixed, (unsigned long long)n_same);
        free(seen);
    }
}

int
main(void)
{
    test_functions();
    test_doubles();
    test_philox();
    test_permutation();
    return tap_end();
}

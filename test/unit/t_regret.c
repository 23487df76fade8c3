/* regret - how soon the methods find what is good, on functions whose best is known: figures that
 * published implementations reach, too (test/bench/results/search.jsonl has them all). */
#include "search_sim.h"
#include "tap.h"

enum { N_SEEDS = 30 };

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double
median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* What is missing to the best after 100 evaluations, one at a time: the median over the seeds. */
static double
regret(const char *method, const char *space, double (*f)(const struct hop_json *config),
       double least)
{
    struct hop_json *configs;
    double v[N_SEEDS], value;
    struct sim s;
    size_t seed, i;

    for (seed = 0; seed < N_SEEDS; seed++) {
        v[seed] = INFINITY;
        sim_open(&s, method, space);
        s.o.seed = seed;
        s.o.num_configs = 100;
        while (hop_json_len(configs = sim_ask(&s))) {
            for (i = 0; i < hop_json_len(configs); i++) {
                value = f(hop_json_at(configs, i));
                sim_begin(&s, hop_json_at(configs, i));
                sim_tell(&s, hop_json_at(configs, i), 1, value);
                v[seed] = fmin(v[seed], value - least);
            }
            hop_json_free(configs);
        }
        hop_json_free(configs);
        sim_close(&s);
    }
    return median(v, N_SEEDS);
}

static void
test_tpe(void)
{
    double tpe = regret("tpe", SIM_BRANIN_SPACE, sim_branin, SIM_BRANIN_LEAST);
    double random = regret("random", SIM_BRANIN_SPACE, sim_branin, SIM_BRANIN_LEAST);
    double sobol = regret("sobol", SIM_BRANIN_SPACE, sim_branin, SIM_BRANIN_LEAST);

    ok(tpe <= 0.03 && tpe < random && tpe < sobol,
       "branin: median regret after 100 evaluations: tpe %.4f, random %.4f, sobol %.4f", tpe, random,
       sobol);
    tpe = regret("tpe", SIM_HARTMANN6_SPACE, sim_hartmann6, SIM_HARTMANN6_LEAST);
    random = regret("random", SIM_HARTMANN6_SPACE, sim_hartmann6, SIM_HARTMANN6_LEAST);
    sobol = regret("sobol", SIM_HARTMANN6_SPACE, sim_hartmann6, SIM_HARTMANN6_LEAST);
    ok(tpe <= 0.20 && tpe < random && tpe < sobol,
       "hartmann6: median regret after 100 evaluations: tpe %.4f, random %.4f, sobol %.4f", tpe,
       random, sobol);
}

/* Iterations until a config within 4 of 16 was trained to 81, the median over the seeds. */
static double
work(const char *method, int64_t num_configs, int64_t parallel)
{
    enum { N = 11, R = 81, TARGET = 4 };
    double v[N];
    struct sim s;
    size_t seed;

    for (seed = 0; seed < N; seed++) {
        sim_open(&s, method, sim_counting_ones_space());
        s.o.seed = seed;
        s.o.iterations = R;
        s.o.num_configs = num_configs;
        s.o.parallel = parallel;
        v[seed] = sim_counting_ones_work(&s, 99 + seed, R, TARGET);
        sim_close(&s);
    }
    return median(v, N);
}

static void
test_counting_ones(void)
{
    static const struct {
        const char *method;
        int64_t num_configs, parallel;
    } rows[] = {{"hyperband", 0, 1}, {"bohb", 0, 1}, {"asha", 1000, 4}};
    double random = work("random", 300, 1), w;
    size_t i;

    for (i = 0; i < HOP_LEN(rows); i++) {
        w = work(rows[i].method, rows[i].num_configs, rows[i].parallel);
        ok(w <= random / 2, "counting ones: %s is there after %.0f iterations, random after %.0f",
           rows[i].method, w, random);
    }
}

int
main(void)
{
    test_tpe();
    test_counting_ones();
    return tap_end();
}

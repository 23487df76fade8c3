/* bench_search - how good what the methods ask for is: regret over seeds on functions whose least value is
 * known, one evaluation at a time. bench_search [SEEDS [METHOD]]: JSON lines. */
#include "../unit/search_sim.h"

enum { MAX_SEEDS = 100 };

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double
quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;

    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

static const struct {
    const char *name, *space;
    double (*f)(const struct hop_json *config);
    double least;
} functions[] = {{"branin", SIM_BRANIN_SPACE, sim_branin, SIM_BRANIN_LEAST},
                 {"hartmann6", SIM_HARTMANN6_SPACE, sim_hartmann6, SIM_HARTMANN6_LEAST}};

/* The least loss after each of n evaluations. */
static void
run(const char *method, const char *rule, size_t function, uint64_t seed, int n, double *best)
{
    struct hop_json *configs;
    const struct hop_json *c;
    double value, least = INFINITY;
    struct sim s;
    int i = 0;
    size_t k;

    sim_open(&s, method, functions[function].space);
    s.o.seed = seed;
    s.o.num_configs = n;
    s.o.rule = rule;
    while (i < n && hop_json_len(configs = sim_ask(&s))) {
        for (k = 0; k < hop_json_len(configs) && i < n; k++) {
            c = hop_json_at(configs, k);
            value = functions[function].f(c);
            sim_begin(&s, c);
            sim_tell(&s, c, 1, value);
            least = fmin(least, value - functions[function].least);
            best[i++] = least;
        }
        hop_json_free(configs);
    }
    sim_close(&s);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *method, *rule;
    } rows[] = {{"random", NULL},         {"sobol", NULL},        {"tpe", NULL},
                {"tpe", "univariate"},    {"tpe", "multivariate"}, {"tpe", "hyperopt"}};
    static const int at[] = {50, 100, 200};
    static double best[MAX_SEEDS][200], v[MAX_SEEDS];
    int n_seeds = argc > 1 ? atoi(argv[1]) : 30, i, k;
    const char *only = argc > 2 ? argv[2] : NULL;
    size_t f, r;

    for (f = 0; f < HOP_LEN(functions); f++)
        for (r = 0; r < HOP_LEN(rows); r++) {
            if (only && strcmp(only, rows[r].method))
                continue;
            for (i = 0; i < n_seeds; i++)
                run(rows[r].method, rows[r].rule, f, (uint64_t)i, 200, best[i]);
            printf("{\"bench\":\"search\",\"function\":\"%s\",\"method\":\"%s\",\"rule\":\"%s\",\"seeds\":%d",
                   functions[f].name, rows[r].method, rows[r].rule ? rows[r].rule : "", n_seeds);
            for (k = 0; k < 3; k++) {
                for (i = 0; i < n_seeds; i++)
                    v[i] = best[i][at[k] - 1];
                qsort(v, (size_t)n_seeds, sizeof *v, compare);
                printf(",\"regret_%d\":%.4g,\"q25_%d\":%.4g,\"q75_%d\":%.4g", at[k],
                       quantile(v, n_seeds, 0.5), at[k], quantile(v, n_seeds, 0.25), at[k],
                       quantile(v, n_seeds, 0.75));
            }
            printf("}\n");
            fflush(stdout);
        }
    return 0;
}

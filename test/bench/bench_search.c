/* bench_search - how good what the methods ask for is: regret over seeds on functions whose least value is
 * known, one evaluation at a time. bench_search [SEEDS [METHOD]]: JSON lines.
 * bench_search --log N: the log of N random configs of the space of 10 parameters of --space. */
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
    while (i < n) {
        configs = sim_ask(&s);
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

/* Regret after 50, 100 and 200 evaluations. */
static void
print_regrets(const char *method, const char *rule, size_t f, int n_seeds)
{
    static const int at[] = {50, 100, 200};
    static double best[MAX_SEEDS][200], v[MAX_SEEDS];
    int i, k;

    for (i = 0; i < n_seeds; i++)
        run(method, rule, f, (uint64_t)i, 200, best[i]);
    printf("{\"hop\":\"bench/1\",\"bench\":\"search\",\"function\":\"%s\",\"method\":\"%s\","
           "\"rule\":\"%s\",\"seeds\":%d", functions[f].name, method, rule ? rule : "", n_seeds);
    for (k = 0; k < 3; k++) {
        for (i = 0; i < n_seeds; i++)
            v[i] = best[i][at[k] - 1];
        qsort(v, (size_t)n_seeds, sizeof *v, compare);
        printf(",\"regret_%d\":%.4g,\"q25_%d\":%.4g,\"q75_%d\":%.4g", at[k], quantile(v, n_seeds, 0.5),
               at[k], quantile(v, n_seeds, 0.25), at[k], quantile(v, n_seeds, 0.75));
    }
    printf("}\n");
    fflush(stdout);
}

/* Iterations until a config within 5, and within 4, of the best was trained to 81. */
static void
print_work(const char *method, const char *rule, int64_t num_configs, int64_t parallel, int n_seeds)
{
    double v[MAX_SEEDS];
    struct sim s;
    int i, target;

    printf("{\"hop\":\"bench/1\",\"bench\":\"search\",\"function\":\"counting-ones 8+8\","
           "\"method\":\"%s\",\"rule\":\"%s\",\"max_iterations\":81,\"seeds\":%d",
           method, rule ? rule : "", n_seeds);
    for (target = 5; target >= 4; target--) {
        for (i = 0; i < n_seeds; i++) {
            sim_open(&s, method, sim_counting_ones_space());
            s.o.seed = (uint64_t)i;
            s.o.iterations = 81;
            s.o.num_configs = num_configs;
            s.o.parallel = parallel;
            s.o.rule = rule;
            v[i] = sim_counting_ones_work(&s, 99 + (uint64_t)i, 81, target);
            sim_close(&s);
        }
        qsort(v, (size_t)n_seeds, sizeof *v, compare);
        printf(",\"iterations_to_%d\":%.0f", target, quantile(v, n_seeds, 0.5));
    }
    printf("}\n");
    fflush(stdout);
}

/* ---- speed ---- */

static const char ten[] =
    "{\"lr\":{\"type\":\"loguniform\",\"low\":1e-5,\"high\":1},"
    "\"momentum\":{\"type\":\"lognearone\",\"low\":0.5,\"high\":0.999},"
    "\"decay\":{\"type\":\"uniform\",\"low\":0,\"high\":1},"
    "\"dropout\":{\"type\":\"uniform\",\"low\":0,\"high\":0.9,\"q\":0.1},"
    "\"units\":{\"type\":\"logint\",\"low\":8,\"high\":512},"
    "\"depth\":{\"type\":\"int\",\"low\":1,\"high\":8},\"batch_size\":[32,64,128,256],"
    "\"activation\":[\"relu\",\"tanh\",\"elu\"],"
    "\"rho\":{\"type\":\"uniform\",\"low\":0.5,\"high\":1},"
    "\"l2\":{\"type\":\"loguniform\",\"low\":1e-8,\"high\":1e-2}}";

static void
print_log(int n)
{
    struct hop_json *configs;
    struct sim s;
    size_t i;

    sim_open(&s, "random", ten);
    s.o.num_configs = n;
    configs = sim_ask(&s);
    for (i = 0; i < hop_json_len(configs); i++) {
        sim_begin(&s, hop_json_at(configs, i));
        sim_tell(&s, hop_json_at(configs, i), 1,
                 fabs(log10(sim_real(hop_json_at(configs, i), "lr")) + 3));
    }
    fputs(hop_str_c(&s.log), stdout);
    hop_json_free(configs);
    sim_close(&s);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *method, *rule;
    } rows[] = {{"random", NULL},      {"sobol", NULL},         {"tpe", NULL},
                {"tpe", "univariate"}, {"tpe", "multivariate"}, {"tpe", "hyperopt"}};
    const char *only = argc > 2 ? argv[2] : NULL;
    int n_seeds = argc > 1 ? atoi(argv[1]) : 30;
    size_t f, r;

    if (argc > 1 && !strcmp(argv[1], "--space"))
        return puts(ten) < 0;
    if (argc > 2 && !strcmp(argv[1], "--log")) {
        print_log(atoi(argv[2]));
        return 0;
    }
    if (n_seeds < 1 || n_seeds > MAX_SEEDS)
        return 2;
    for (f = 0; f < HOP_LEN(functions); f++)
        for (r = 0; r < HOP_LEN(rows); r++)
            if (!only || !strcmp(only, rows[r].method))
                print_regrets(rows[r].method, rows[r].rule, f, n_seeds);
    if (only)
        return 0;
    print_work("random", NULL, 300, 1, n_seeds);
    print_work("tpe", NULL, 300, 1, n_seeds);
    print_work("hyperband", NULL, 0, 1, n_seeds);
    print_work("bohb", NULL, 0, 1, n_seeds);
    print_work("asha", "promote", 1000, 4, n_seeds);
    print_work("asha", "stop", 1000, 4, n_seeds);
    return 0;
}

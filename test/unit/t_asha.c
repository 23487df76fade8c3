/* asha - keeps workers busy where synchronous halving waits: 16 made-up workers, every fifth visit four
 * times as long, the library asked whenever one is free. */
#include "search_sim.h"
#include "tap.h"

#define SPACE "{\"lr\":{\"type\":\"loguniform\",\"low\":1e-4,\"high\":1e-1}}"

enum { N_WORKERS = 16 };

struct worker {
    struct hop_json *config; /* in training, or NULL */
    double free_s;           /* when it ends */
};

struct cluster {
    struct sim s;
    struct worker v[N_WORKERS];
    double now_s, busy_s;
    double before_drain; /* busy share until the last new config began */
    size_t n_visits;
    bool is_over;
    uint64_t key;
};

/* How long an iteration takes: 1 s; 20 % of the visits are stragglers. */
static double
seconds(struct cluster *c, double iterations)
{
    double s = iterations * (0.9 + 0.2 * sim_uniform(c->key, (uint32_t)c->n_visits, 1));

    return sim_uniform(c->key, (uint32_t)c->n_visits++, 2) < 0.2 ? 4 * s : s;
}

static bool
is_running(const struct cluster *c, const struct hop_json *config)
{
    size_t i;

    for (i = 0; i < N_WORKERS; i++)
        if (c->v[i].config && hop_json_equal(c->v[i].config, config))
            return true;
    return false;
}

/* Iterations of the config that the log tells of. */
static double
had(const struct cluster *c, const struct hop_json *config)
{
    char text[100];
    const char *at = hop_str_c(&c->s.log);
    double n = 0;

    snprintf(text, sizeof text, "\"id\":\"%s\",\"iteration\":",
             hop_json_str(hop_json_get(config, "id")));
    for (; (at = strstr(at, text)); at++)
        n = strtod(at + strlen(text), NULL);
    return n;
}

/* Ask, and start what is not running on workers that are free. */
static void
ask(struct cluster *c)
{
    struct hop_json *configs = sim_ask(&c->s);
    const struct hop_json *config;
    size_t i, w, n_idle = 0;
    bool is_new = false;
    double s;

    for (i = 0; i < hop_json_len(configs); i++) {
        config = hop_json_at(configs, i);
        for (w = 0; w < N_WORKERS && c->v[w].config; w++)
            ;
        if (w == N_WORKERS || is_running(c, config))
            continue;
        sim_begin(&c->s, config);
        s = seconds(c, (double)sim_until(config) - had(c, config));
        c->v[w] = (struct worker){hop_json_copy(config), c->now_s + s};
        c->busy_s += s;
        is_new = is_new || !had(c, config);
    }
    hop_json_free(configs);
    if (is_new && c->now_s > 0) {
        for (w = 0, s = c->busy_s; w < N_WORKERS; w++)
            s -= c->v[w].config ? c->v[w].free_s - c->now_s : 0;
        c->before_drain = s / (c->now_s * N_WORKERS);
    }
    for (w = 0; w < N_WORKERS; w++)
        n_idle += !c->v[w].config;
    c->is_over = n_idle == N_WORKERS;
}

/* On to the next end of a visit. */
static void
wait_for_one(struct cluster *c)
{
    struct hop_json *config;
    size_t w, first = N_WORKERS;

    for (w = 0; w < N_WORKERS; w++)
        if (c->v[w].config && (first == N_WORKERS || c->v[w].free_s < c->v[first].free_s))
            first = w;
    config = c->v[first].config;
    c->now_s = c->v[first].free_s;
    sim_tell(&c->s, config, sim_until(config),
             fabs(log10(sim_real(config, "lr")) + 2.5) + 1 / (double)sim_until(config));
    hop_json_free(config);
    c->v[first].config = NULL;
}

/* The share of the workers' time that they trained, to the very end: while the last config trains, the
 * others have nothing to do, so the search is a long one. before_drain: while there are new ones. */
static double
busy(const char *method, int64_t R, int64_t num_configs, double *makespan_s, double *before_drain)
{
    struct cluster c = {.key = hop_rng_key(1, method, HOP_FOR_SHARD)};

    sim_open(&c.s, method, SPACE);
    c.s.o.iterations = R;
    c.s.o.num_configs = num_configs;
    c.s.o.parallel = N_WORKERS;
    for (ask(&c); !c.is_over; ask(&c))
        wait_for_one(&c);
    sim_close(&c.s);
    *makespan_s = c.now_s;
    *before_drain = c.before_drain;
    return c.busy_s / (c.now_s * N_WORKERS);
}

int
main(void)
{
    bool is_long = getenv("HOP_SLOW") && *getenv("HOP_SLOW");
    double asha_s, hyperband_s, early, asha = busy("asha", 9, is_long ? 2000 : 500, &asha_s, &early);
    double ignored, hyperband = busy("hyperband", 81, 0, &hyperband_s, &ignored);

    ok(asha >= (is_long ? 0.95 : 0.80),
       "asha: 16 workers with 20 %% stragglers are busy %.1f %% of %.0f s", 100 * asha, asha_s);
    ok(early >= 0.995, "asha: %.1f %% until the last new config begins: the rest is that the last ones end",
       100 * early);
    ok(hyperband < 0.6, "hyperband waits at its rungs: %.1f %% of %.0f s", 100 * hyperband,
       hyperband_s);
    return tap_end();
}

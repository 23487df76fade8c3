/* search_sim - a search without training: the library's answers over a log in memory, told by a function. */
#ifndef HOP_TEST_SEARCH_SIM_H
#define HOP_TEST_SEARCH_SIM_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "search/methods.h"
#include "search/space.h"
#include "search/trials.h"

struct sim {
    const struct hop_method *method;
    struct hop_search_options o;
    struct hop_space *space;
    struct hop_str log;
    size_t n_all, n_done; /* of the last answer */
};

static inline void
sim_die(const char *what, const struct hop_err *e)
{
    printf("Bail out! %s: %s: %s\n", what, e->where, e->what);
    exit(1);
}

static inline void
sim_open(struct sim *s, const char *method, const char *space)
{
    struct hop_err e = {0};
    struct hop_json *j;

    *s = (struct sim){.o = {.parallel = 1, .seed = 1, .repeats = 1, .prefix = "c",
                            .patience = {.eval_every = 1},
                            .objective = {.metric = {"val", "loss"}, .max_gap = -1, .last_k = 1}}};
    if (hop_method_find(method, &s->method, &e) ||
        hop_json_parse(space, strlen(space), "space", &j, &e) ||
        hop_space_parse(j, "space", &s->space, &e))
        sim_die(method, &e);
}

static inline void
sim_close(struct sim *s)
{
    hop_space_free(s->space);
    hop_str_clear(&s->log);
}

/* The answer to the first n bytes of the log; to be freed. */
static inline struct hop_json *
sim_ask_of(struct sim *s, size_t n)
{
    struct hop_search_out out;
    struct hop_trials t = {0};
    struct hop_err e = {0};
    struct hop_search_in in = {.space = s->space, .trials = &t, .options = &s->o, .where = "space"};

    if (hop_trials_parse(hop_str_c(&s->log), n, "log", &t, &e) ||
        hop_search_run(s->method, &in, &out, &e))
        sim_die(s->method->name, &e);
    s->n_all = out.n_all;
    s->n_done = out.n_done;
    hop_trials_clear(&t);
    return out.configs;
}

static inline struct hop_json *
sim_ask(struct sim *s)
{
    return sim_ask_of(s, s->log.n);
}

static inline void
sim_add(struct sim *s, const struct hop_json *line)
{
    struct hop_err e = {0};

    if (hop_json_dump(line, &s->log, &e))
        sim_die("log", &e);
    hop_str_add(&s->log, "\n");
}

/* The config is being trained, as RUN/configs.jsonl and the log say at its start. */
static inline void
sim_begin(struct sim *s, const struct hop_json *config)
{
    sim_add(s, config);
}

/* It was evaluated. */
static inline void
sim_tell(struct sim *s, const struct hop_json *config, int64_t iteration, double loss)
{
    struct hop_json *line = hop_json_record("eval/1");

    hop_json_set_str(line, "id", hop_json_str(hop_json_get(config, "id")));
    hop_json_set_int(line, "iteration", iteration);
    hop_json_set_str(line, "split", "val");
    hop_json_set_real(line, "loss", loss);
    hop_json_set_int(line, "examples", 1);
    sim_add(s, line);
    hop_json_free(line);
}

static inline double
sim_real(const struct hop_json *config, const char *key)
{
    return hop_json_real(hop_json_get(config, key));
}

static inline int64_t
sim_until(const struct hop_json *config)
{
    return hop_json_int(hop_json_get(config, "until"));
}

/* A number of a stream, 0 < u < 1. */
static inline double
sim_uniform(uint64_t key, uint32_t a, uint32_t b)
{
    uint32_t r[4];

    hop_philox(key, a, b, 0, 0, r);
    return (r[0] + 0.5) / 4294967296.0;
}

/* ---- functions that searches are judged by ---- */

/* Branin on [-5, 10] x [0, 15]; its least value is 0.397887. */
static inline double
sim_branin(const struct hop_json *c)
{
    double x = sim_real(c, "x1"), y = sim_real(c, "x2");
    double a = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;

    return a * a + 10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10;
}
#define SIM_BRANIN_SPACE "{\"x1\":{\"type\":\"uniform\",\"low\":-5,\"high\":10}," \
                         "\"x2\":{\"type\":\"uniform\",\"low\":0,\"high\":15}}"
#define SIM_BRANIN_LEAST 0.397887357729738

/* Hartmann's function of 6 numbers from 0 to 1; its least value is -3.32237. */
static inline double
sim_hartmann6(const struct hop_json *c)
{
    static const double alpha[4] = {1, 1.2, 3, 3.2},
                        A[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                   {0.05, 10, 17, 0.1, 8, 14},
                                   {3, 3.5, 1.7, 10, 17, 8},
                                   {17, 8, 0.05, 10, 0.1, 14}},
                        P[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                   {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                   {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                   {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double sum = 0, inner, d;
    char key[4] = "x1";
    int i, k;

    for (i = 0; i < 4; i++) {
        for (inner = 0, k = 0; k < 6; k++) {
            key[1] = (char)('1' + k);
            d = sim_real(c, key) - P[i][k];
            inner += A[i][k] * d * d;
        }
        sum -= alpha[i] * exp(-inner);
    }
    return sum;
}
#define SIM_U01 "{\"type\":\"uniform\",\"low\":0,\"high\":1}"
#define SIM_HARTMANN6_SPACE "{\"x1\":" SIM_U01 ",\"x2\":" SIM_U01 ",\"x3\":" SIM_U01 ",\"x4\":" SIM_U01 \
                            ",\"x5\":" SIM_U01 ",\"x6\":" SIM_U01 "}"
#define SIM_HARTMANN6_LEAST (-3.32236801141551)

/* Counting ones (Falkner et al. 2018): 8 bits, and 8 probabilities of which `until` tosses each are seen;
 * tosses of a config go on where they ended. Less is better; the least true value is -16. */
static inline double
sim_counting_ones(const struct hop_json *c, uint64_t key)
{
    const char *id = hop_json_str(hop_json_get(c, "id"));
    int64_t until = sim_until(c), t;
    double sum = 0, p;
    char name[8];
    int k, n;

    key = hop_rng_key(key, id, HOP_FOR_SHARD);
    for (k = 0; k < 8; k++) {
        snprintf(name, sizeof name, "b%d", k);
        sum -= sim_real(c, name);
        snprintf(name, sizeof name, "p%d", k);
        p = sim_real(c, name);
        for (n = 0, t = 0; t < until; t++)
            n += sim_uniform(key, (uint32_t)k, (uint32_t)t) < p;
        sum -= (double)n / (double)until;
    }
    return sum;
}

/* Its true value. */
static inline double
sim_counting_ones_true(const struct hop_json *c)
{
    double sum = 0;
    char name[8];
    int k;

    for (k = 0; k < 8; k++) {
        snprintf(name, sizeof name, "b%d", k);
        sum -= sim_real(c, name);
        snprintf(name, sizeof name, "p%d", k);
        sum -= sim_real(c, name);
    }
    return sum;
}

static inline const char *
sim_counting_ones_space(void)
{
    static char text[2000];
    size_t n = 0;
    int k;

    for (k = 0; k < 8; k++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\"b%d\":[0,1],\"p%d\":%s", k ? "," : "{", k,
                              k, SIM_U01);
    snprintf(text + n, sizeof text - n, "}");
    return text;
}

/* How many iterations a search of counting ones trains, going on from model files, until the best of the
 * configs that were trained to R is within `target` of the least true value; INFINITY when it ends
 * before. */
static inline double
sim_counting_ones_work(struct sim *s, uint64_t key, int64_t R, double target)
{
    struct hop_json *configs;
    struct hop_str had = {0}; /* " id:iterations " of what was trained last */
    double work = 0, loss, least = INFINITY, regret = INFINITY;
    int64_t until, before;
    size_t i, n;

    for (n = 1; regret > target && n;) {
        configs = sim_ask(s);
        n = hop_json_len(configs);
        for (i = 0; i < n && regret > target; i++) {
            const struct hop_json *c = hop_json_at(configs, i);
            const char *at = NULL, *found;
            char id[100];

            snprintf(id, sizeof id, " %s:", hop_json_str(hop_json_get(c, "id")));
            for (found = hop_str_c(&had); (found = strstr(found, id)); found++)
                at = found;
            before = at ? strtoll(at + strlen(id), NULL, 10) : 0;
            until = sim_until(c);
            loss = sim_counting_ones(c, key);
            sim_begin(s, c);
            sim_tell(s, c, until, loss);
            hop_str_addf(&had, "%s%lld ", id, (long long)until);
            work += (double)(until - before);
            if (until < R || loss >= least)
                continue;
            least = loss;
            regret = sim_counting_ones_true(c) + 16;
        }
        hop_json_free(configs);
    }
    hop_str_clear(&had);
    return regret > target ? INFINITY : work;
}

#endif

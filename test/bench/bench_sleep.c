/* bench_sleep - stands in for hop-train in benches of schedules: a visit that takes as long as it is
 * told and no processor. It reads a model, sleeps BENCH_PASS_S seconds for each of the config's
 * "passes", and writes the model with one visit more of BENCH_SHARDS an iteration. With BENCH_STRAGGLERS
 * that share of the visits, by id and number, takes four times as long. With --init it is BENCH_TRAIN, the
 * real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/rng.h"
#include "format/json.h"
#include "format/model.h"

static const char *
option(int argc, char **argv, const char *name)
{
    int i;

    for (i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    return NULL;
}

static void
sleep_until(double end_s)
{
    struct timespec t;
    double left_s;

    while ((left_s = end_s - hop_clock_s()) > 0) {
        t.tv_sec = (time_t)left_s;
        t.tv_nsec = (long)(1e9 * (left_s - (double)t.tv_sec));
        nanosleep(&t, NULL);
    }
}

/* "data/train-003.safetensors" is the shard train-003. */
static char *
shard_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path), *dot = name ? strrchr(name, '.') : NULL;

    if (dot)
        *dot = 0;
    return name;
}

static bool
is_straggler(const struct hop_model *m)
{
    const char *share = getenv("BENCH_STRAGGLERS");
    uint32_t r[4];

    hop_philox(hop_rng_key(1, m->id, HOP_FOR_SHARD), (uint32_t)m->visits, 0, 0, 0, r);
    return share && r[0] / 4294967296.0 < strtod(share, NULL);
}

int
main(int argc, char **argv)
{
    const char *pass_s = getenv("BENCH_PASS_S"), *n_shards = getenv("BENCH_SHARDS");
    const char *shard = option(argc, argv, "--shard"), *worker = option(argc, argv, "--worker");
    double start_s = hop_clock_s();
    struct hop_json *line;
    struct hop_model m;
    struct hop_err e = {0};
    int64_t passes;

    if (argc > 1 && !strcmp(argv[1], "--init"))
        return execv(getenv("BENCH_TRAIN"), argv);
    if (!pass_s || !n_shards || !shard || hop_model_read(STDIN_FILENO, "stdin", &m, &e)) {
        fprintf(stderr, "bench_sleep: %s %s\n", e.where, e.what);
        return 1;
    }
    passes = hop_json_int(hop_json_get(m.config, "passes"));
    sleep_until(start_s + (double)(passes > 0 ? passes : 1) * strtod(pass_s, NULL) *
                (is_straggler(&m) ? 4 : 1));
    m.visits++;
    m.iteration = m.visits / strtol(n_shards, NULL, 10);
    line = hop_json_record("train/1");
    hop_json_set_str(line, "id", m.id);
    hop_json_set_int(line, "visit", m.visits);
    hop_json_set_int(line, "iteration", (m.visits - 1) / strtol(n_shards, NULL, 10) + 1);
    hop_json_set_str(line, "shard", shard_name(shard));
    hop_json_set_str(line, "worker", worker ? worker : "");
    hop_json_set_real(line, "loss", 1);
    hop_json_set_real(line, "wall_s", hop_clock_s() - start_s);
    hop_json_set_str(line, "status", "ok");
    hop_json_push(m.history, line);
    if (hop_model_write(STDOUT_FILENO, "stdout", &m, NULL, 0, NULL, &e)) {
        fprintf(stderr, "bench_sleep: %s %s\n", e.where, e.what);
        return 1;
    }
    hop_model_clear(&m);
    return 0;
}

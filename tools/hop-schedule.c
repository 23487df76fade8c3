/* hop-schedule - configs (or visits) in; visits, or a script that carries them out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/json.h"
#include "run/run.h"
#include "schedule/emitters.h"
#include "schedule/shards.h"
#include "schedule/plan.h"
#include "schedule/replay.h"
#include "schedule/tasks.h"
#include "schedule/workers.h"
#include "probe_workers.h"
#include "tool.h"

static struct {
    const char *data, *workers, *run, *order, *policy, *as, *device, *keep, *nets;
    int64_t iterations, eval_every, retries;
    bool want_eval_train;
} a = {.order = "cyclic", .policy = "round-robin", .as = "json", .eval_every = 1, .retries = 3};

/* Seconds of a visit besides its examples: processes, reading and writing the model. */
static const double visit_overhead_s = 0.1;

static struct hop_opt rows[] = {
    {"data", 0, HOP_OPT_STR, &a.data, "DIR", "the data folder that hop-shard made", 0, 0, false},
    {"workers", 'w', HOP_OPT_STR, &a.workers, "N|FILE",
     "N workers on this machine (its processors), or a file", 0, 0, false},
    {"run", 0, HOP_OPT_STR, &a.run, "RUN", "the run folder: what is done there is left out", 0, 0,
     false},
    {"iterations", 0, HOP_OPT_INT, &a.iterations, "N", "overrides the configs' \"until\"", 1, 1e9,
     false},
    {"eval-every", 0, HOP_OPT_INT, &a.eval_every, "N",
     "evaluate every N iterations and after the last (1); 0 = never", 0, 1e9, false},
    {"eval-train", 0, HOP_OPT_FLAG, &a.want_eval_train, NULL, "evaluate on the train shards too", 0,
     0, false},
    {"order", 0, HOP_OPT_STR, &a.order, "NAME", "order of a config's shards: cyclic (cyclic)", 0, 0,
     false},
    {"policy", 0, HOP_OPT_STR, &a.policy, "NAME", "round-robin (round-robin)", 0, 0, false},
    {"as", 0, HOP_OPT_STR, &a.as, "FORM", "json or sh (json)", 0, 0, false},
    {"retries", 0, HOP_OPT_INT, &a.retries, "N",
     "--as sh: try a visit again that asks for it (3)", 0, 20, false},
    {"device", 'd', HOP_OPT_STR, &a.device, "NAME", "device of workers that name none", 0, 0,
     false},
    {"keep", 0, HOP_OPT_STR, &a.keep, "TIME", "hop-train's --keep for workers that name none", 0, 0,
     false},
    {"nets", 0, HOP_OPT_STR, &a.nets, "DIR", "where nets are found by name", 0, 0, false},
    TOOL_COMMON_OPTIONS};

static void
check(int rc, const struct hop_err *e)
{
    if (rc)
        tool_die(e);
}

static void
check_usage(int argc, char **argv)
{
    struct hop_err e = {0};
    int64_t ignored;

    if (argc > 2)
        tool_usage(argv[2], "unexpected operand");
    if (argc == 2 && strcmp(argv[1], "-"))
        tool_usage(argv[1], "unexpected operand: lines come on stdin");
    if (!a.data)
        tool_usage("--data", "is missing");
    if (a.keep)
        check(hop_parse_duration(a.keep, "--keep", &ignored, &e), &e);
    if (strcmp(a.order, "cyclic"))
        tool_usage("--order", "unknown order \"%s\" (known: cyclic)", a.order);
}

/* The batch: config lines from stdin, or those of RUN that the visit lines on stdin name. */
static struct hop_json *
read_input(struct hop_configs *configs)
{
    struct hop_configs listed = {0};
    struct hop_json *visits;
    struct hop_err e = {0};

    check(hop_replay_read(STDIN_FILENO, "stdin", configs, &visits, &e), &e);
    if (visits) {
        if (a.run)
            check(hop_configs_load(a.run, &listed, &e), &e);
        check(hop_replay_configs(visits, &listed, "stdin", configs, &e), &e);
        hop_configs_clear(&listed);
    }
    return visits;
}

/* Which shards are evaluated on: val; train too when asked, or when there is no val. Visit lines
 * say that themselves. */
static bool *
choose_eval(const struct hop_shard_list *data, bool is_replay)
{
    struct hop_err e = {0};
    bool *is_eval = hop_alloc(data->n, sizeof *is_eval, &e);
    size_t i;

    check(is_eval ? HOP_OK : HOP_ENOMEM, &e);
    for (i = 0; i < data->n; i++)
        is_eval[i] = i >= data->n_train || a.want_eval_train || data->n == data->n_train ||
                     is_replay;
    return is_eval;
}

static struct hop_sched_shard *
make_shards(const struct hop_shard_list *data, const struct hop_workers *w, const bool *is_eval)
{
    struct hop_err e = {0};
    struct hop_sched_shard *shards = hop_alloc(data->n, sizeof *shards, &e);
    size_t *worker_of = hop_alloc(data->n, sizeof *worker_of, &e), i;

    check(shards && worker_of ? HOP_OK : HOP_ENOMEM, &e);
    check(hop_workers_place(w, data, a.data, worker_of, &e), &e);
    for (i = 0; i < data->n; i++)
        shards[i] = (struct hop_sched_shard){data->v[i].name, data->v[i].examples, worker_of[i],
                                             is_eval[i]};
    free(worker_of);
    return shards;
}

static void
read_tasks(const struct hop_configs *configs, const struct hop_shard_list *data,
           const bool *is_eval, bool is_replay, struct hop_tasks *tasks)
{
    struct hop_str nets = {0};
    struct hop_err e = {0};
    struct hop_tasks_in in = {.configs = configs, .run = a.run, .data = data, .where = "stdin",
                              .iterations = a.iterations, .is_eval = is_eval,
                              .eval_every = is_replay ? 1 : a.eval_every};

    hop_str_addf(&nets, "%s/nets", tool_share_dir());
    check(hop_str_check(&nets, &e), &e);
    in.nets_dir = a.nets ? a.nets : nets.s;
    check(hop_tasks_read(&in, tasks, &e), &e);
    hop_str_clear(&nets);
}

static void
tell(const struct hop_tasks *tasks, const struct hop_sched *plan)
{
    if (tool_verbosity < 1)
        return;
    tool_warn("%zu configs to do, %zu done, %zu diverged; %zu visits, %zu evaluations in %lld "
              "sub-epochs", tasks->n, tasks->n_done, tasks->n_diverged, plan->n_train_visits,
              plan->n - plan->n_train_visits, (long long)plan->n_subepochs);
    tool_warn("%.1f s expected, %.1f s at least, %.1f of 100 parts idle; speed %.3g FLOP/s (%s)",
              plan->makespan_s, plan->lower_bound_s, 100 * plan->idle_frac, tasks->flops_per_s,
              tasks->is_measured ? "from past visits" : "a guess");
}

static void
print_plan(const struct hop_sched_in *in, const struct hop_sched *plan,
           const struct hop_tasks *tasks, const struct hop_workers *workers)
{
    const struct hop_emitter *emitter;
    struct hop_str out = {0};
    struct hop_err e = {0};
    struct hop_emit_in emit = {.in = in, .plan = plan, .tasks = tasks, .workers = workers,
                               .policy = a.policy, .run = a.run, .data_dir = a.data,
                               .device = a.device, .keep = a.keep, .nets_dir = a.nets, .retries = a.retries};

    check(hop_emitter_find(a.as, &emitter, &e), &e);
    check(emitter->emit(&emit, &out, &e), &e);
    check(hop_str_check(&out, &e), &e);
    tool_print(hop_str_c(&out));
    hop_str_clear(&out);
}

int
main(int argc, char **argv)
{
    const struct hop_policy *policy;
    const struct hop_emitter *emitter;
    struct hop_configs configs = {0};
    struct hop_shard_list data;
    struct hop_workers workers;
    struct hop_tasks tasks;
    struct hop_sched plan;
    struct hop_sched_in in;
    struct hop_sched_shard *shards;
    struct hop_json *visits;
    struct hop_err e = {0};
    bool *is_eval;
    char n_cpus[32];

    tool_init("hop-schedule", "Plan the visits of a batch of configs.",
              "--data DIR [--workers N|FILE] [--run RUN] [OPTIONS] < configs.jsonl\n"
              "--data DIR --run RUN --as sh [OPTIONS] < visits.jsonl\nprobe",
              rows, true, &argc, argv);
    if (argc == 2 && !strcmp(argv[1], "probe")) {
        check(tool_probe_workers(&e), &e);
        return tool_finish();
    }
    check_usage(argc, argv);
    check(hop_policy_find(a.policy, &policy, &e), &e);
    check(hop_emitter_find(a.as, &emitter, &e), &e);
    snprintf(n_cpus, sizeof n_cpus, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    check(hop_shard_list_read(a.data, &data, &e), &e);
    check(hop_workers_read(a.workers ? a.workers : n_cpus, &workers, &e), &e);
    visits = read_input(&configs);
    is_eval = choose_eval(&data, visits != NULL);
    shards = make_shards(&data, &workers, is_eval);
    read_tasks(&configs, &data, is_eval, visits != NULL, &tasks);
    in = (struct hop_sched_in){tasks.v, tasks.n, shards, data.n, data.n_train, workers.n,
                               a.eval_every, visit_overhead_s};
    check(visits ? hop_replay_plan(visits, &in, &workers, "stdin", &plan, &e)
                 : hop_sched_make(policy, &in, &plan, &e), &e);
    print_plan(&in, &plan, &tasks, &workers);
    tell(&tasks, &plan);
    hop_sched_clear(&plan);
    hop_tasks_clear(&tasks);
    hop_workers_clear(&workers);
    hop_shard_list_clear(&data);
    hop_configs_clear(&configs);
    hop_json_free(visits);
    free(shards);
    free(is_eval);
    return tool_finish();
}

/* hop-schedule - configs (or visits) in; visits, or a script that carries them out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advise.h"
#include "probe_workers.h"
#include "scene.h"
#include "schedule/emitters.h"
#include "schedule/plan.h"
#include "schedule/policies.h"
#include "schedule/replay.h"
#include "tool.h"

static struct {
    const char *data, *workers, *run, *order, *policy, *replay, *as, *device, *precision, *keep, *nets, *halt,
        *timeout;
    int64_t iterations, ahead, eval_every, retries, seed, examples, send_ahead;
    bool want_eval_train, is_simulated, is_same_fingerprint;
} a = {.order = "cyclic", .policy = "auto", .as = "json", .eval_every = 1, .send_ahead = -1, .retries = 3, .seed = 1, .halt = "never",
       .examples = 50000};

/* Seconds of a visit besides its examples: processes, reading and writing the model. */
static const double visit_overhead_s = 0.03;

static struct hop_opt rows[] = {
    {"data", 0, HOP_OPT_STR, &a.data, "DIR", "the data folder that hop-shard made", 0, 0, false},
    {"workers", 'w', HOP_OPT_STR, &a.workers, "N|FILE",
     "N workers on this machine (its processors), or a file", 0, 0, false},
    {"run", 0, HOP_OPT_STR, &a.run, "RUN", "the run folder: what is done there is left out", 0, 0,
     false},
    {"iterations", 0, HOP_OPT_INT, &a.iterations, "N", "overrides the configs' \"until\"", 1, 1e9,
     false},
    {"ahead", 0, HOP_OPT_INT, &a.ahead, "N", "at most N more iterations of each config (all)", 1, 1e9,
     false},
    {"eval-every", 0, HOP_OPT_INT, &a.eval_every, "N",
     "evaluate every N iterations and after the last (1); 0 = never", 0, 1e9, false},
    {"eval-train", 0, HOP_OPT_FLAG, &a.want_eval_train, NULL, "evaluate on the train shards too", 0,
     0, false},
    {"order", 0, HOP_OPT_STR, &a.order, "NAME", "order of a config's shards: cyclic or free (cyclic)",
     0, 0, false},
    {"policy", 0, HOP_OPT_STR, &a.policy, "NAME|FILE",
     "auto, round-robin, random, longest-first (auto), or a plan", 0, 0, false},
    {"replay", 0, HOP_OPT_STR, &a.replay, "LOG", "each config's shards in the order that LOG has",
     0, 0, false},
    {"seed", 0, HOP_OPT_INT, &a.seed, "N", "of what is random in plans (1)", 0, 9e15, false},
    {"simulate", 0, HOP_OPT_FLAG, &a.is_simulated, NULL,
     "invent the --workers, one shard each; touch nothing", 0, 0, false},
    {"examples", 0, HOP_OPT_INT, &a.examples, "N", "--simulate without --data: examples (50000)", 1,
     1e15, false},
    {"as", 0, HOP_OPT_STR, &a.as, "FORM", "json, plan (its first line), lines, sh, more, make, slurm (json)", 0, 0, false},
    {"retries", 0, HOP_OPT_INT, &a.retries, "N",
     "of scripts: try a visit again that asks for it (3)", 0, 20, false},
    {"halt", 0, HOP_OPT_STR, &a.halt, "WHEN",
     "of scripts, when a visit fails: never, soon or now (never)", 0, 0, false},
    {"device", 'd', HOP_OPT_STR, &a.device, "NAME", "device of workers that name none", 0, 0,
     false},
    {"precision", 0, HOP_OPT_STR, &a.precision, "NAME", "--precision for workers that name none", 0,
     0, false},
    {"same-fingerprint", 0, HOP_OPT_FLAG, &a.is_same_fingerprint, NULL,
     "refuse workers whose numbers differ in their bits", 0, 0, false},
    {"send-ahead", 0, HOP_OPT_INT, &a.send_ahead, "N",
     "models sent to each slot while it trains (1 over ssh, else 0)", 0, HOP_MAX_SEND_AHEAD, false},
    {"keep", 0, HOP_OPT_STR, &a.keep, "TIME", "hop-train's --keep for workers that name none", 0, 0,
     false},
    {"nets", 0, HOP_OPT_STR, &a.nets, "DIR", "where nets are found by name", 0, 0, false},
    {"timeout", 0, HOP_OPT_STR, &a.timeout, "TIME", "probe: for one worker's answer (10m)", 0, 0,
     false},
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
    if (!a.data && !a.is_simulated)
        tool_usage("--data", "is missing");
    if (a.is_simulated && (a.run || a.replay || !a.workers))
        tool_usage("--simulate", "goes with --workers, not with --run and --replay");
    if (a.keep)
        check(hop_parse_duration(a.keep, "--keep", &ignored, &e), &e);
    if (strcmp(a.halt, "never") && strcmp(a.halt, "soon") && strcmp(a.halt, "now"))
        tool_usage("--halt", "\"%s\" is unknown (known: never, soon, now)", a.halt);
    if (strcmp(a.order, "cyclic") && strcmp(a.order, "free"))
        tool_usage("--order", "unknown order \"%s\" (known: cyclic, free)", a.order);
}

/* hop-schedule probe [WORKERS] */
static int
probe(int argc, char **argv)
{
    struct hop_err e = {0};
    int64_t timeout_s = 600;

    if (argc > 3)
        tool_usage(argv[3], "unexpected operand");
    if (a.timeout)
        check(hop_parse_duration(a.timeout, "--timeout", &timeout_s, &e), &e);
    if (argc == 2)
        check(tool_probe_here(&e), &e);
    else
        check(tool_probe_workers(argv[2], a.data, timeout_s, &e), &e);
    return tool_finish();
}

/* What --policy names: one of the table, or a file. */
static const struct hop_policy *
find_policy(void)
{
    const struct hop_policy *policy;
    struct hop_err e = {0};

    if (!hop_policy_find(a.policy, &policy, &e))
        return policy;
    if (access(a.policy, F_OK) < 0)
        tool_die(&e);
    if (a.replay)
        tool_usage("--replay", "and a file as --policy exclude one another");
    return &hop_policy_file;
}

/* Where the run folder lies, or will. */
static char *
run_id(void)
{
    char *path = realpath(a.run, NULL), *here = path ? NULL : realpath(".", NULL);
    struct hop_str s = {0};

    if (path)
        return path;
    hop_str_addf(&s, "%s/%s", *a.run == '/' || !here ? "" : here, a.run);
    free(here);
    return s.s;
}

static void
spill(struct hop_str *out)
{
    tool_print(hop_str_c(out));
    out->n = 0;
    out->s[0] = '\0';
}

static void
print_plan(const struct tool_scene *s, const struct hop_policy *policy,
           const struct hop_sched *plan)
{
    const struct hop_emitter *emitter;
    struct hop_str out = {0};
    struct hop_err e = {0};
    struct hop_emit_in emit = {.in = &s->in, .plan = plan, .tasks = &s->tasks,
                               .workers = &s->workers, .policy = policy->name, .run = a.run,
                               .data_dir = a.data, .device = a.device, .precision = a.precision, .keep = a.keep,
                               .nets_dir = a.nets, .send_ahead = a.send_ahead, .retries = a.retries, .halt = a.halt,
                               .spill = spill};
    char *id = a.run ? run_id() : NULL;

    emit.run_id = id;

    if (s->visits)
        emit.policy = "replay";
    else if (policy == &hop_policy_file)
        emit.policy = a.policy;
    check(hop_emitter_find(a.as, &emitter, &e), &e);
    check(emitter->emit(&emit, &out, &e), &e);
    check(hop_str_check(&out, &e), &e);
    tool_print(hop_str_c(&out));
    hop_str_clear(&out);
    free(id);
}

int
main(int argc, char **argv)
{
    const struct hop_policy *policy;
    const struct hop_emitter *emitter;
    struct tool_scene s;
    struct hop_sched plan;
    struct hop_err e = {0};
    char n_cpus[32];

    tool_init("hop-schedule", "Plan the visits of a batch of configs.",
              "--data DIR [--workers N|FILE] [--run RUN] [OPTIONS] < configs.jsonl\n"
              "--data DIR --run RUN --as sh [OPTIONS] < visits.jsonl\n"
              "--simulate --workers N [OPTIONS] < configs.jsonl\nprobe [WORKERS] [--data DIR] [--timeout TIME]",
              rows, true, &argc, argv);
    if (argc >= 2 && !strcmp(argv[1], "probe"))
        return probe(argc, argv);
    check_usage(argc, argv);
    policy = find_policy();
    check(hop_emitter_find(a.as, &emitter, &e), &e);
    if (emitter->has_commands && a.is_simulated)
        tool_usage("--simulate", "makes no commands (--as %s)", a.as);
    if (emitter->has_commands && !a.run)
        tool_usage("--run", "is missing: --as %s needs it", a.as);
    snprintf(n_cpus, sizeof n_cpus, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    check(tool_scene_read(&(struct tool_scene_options){
              .data = a.data, .workers = a.workers ? a.workers : n_cpus, .run = a.run,
              .nets = a.nets, .replay = policy == &hop_policy_file ? a.policy : a.replay,
              .want_order = a.replay || !strcmp(a.order, "free"),
              .iterations = a.iterations, .ahead = a.ahead, .eval_every = a.eval_every, .examples = a.examples,
              .want_eval_train = a.want_eval_train, .is_simulated = a.is_simulated}, &s, &e), &e);
    s.in.is_free = !strcmp(a.order, "free");
    s.in.seed = (uint64_t)a.seed;
    s.in.visit_s = visit_overhead_s;
    check(s.visits ? hop_replay_plan(s.visits, s.has_barriers, &s.in, &s.workers, "stdin", &plan,
                                     &e)
                   : hop_sched_make(policy, &s.in, &plan, &e), &e);
    if (!a.is_simulated)
        tool_advise_numerics(&(struct hop_numerics_in){&s.workers, &s.tasks, &plan, a.precision,
                                                       a.device}, a.is_same_fingerprint);
    print_plan(&s, policy, &plan);
    tool_advise(&s.in, &plan, &s.tasks);
    hop_sched_clear(&plan);
    tool_scene_clear(&s);
    return tool_finish();
}

/* hop-visit - one atomic visit, and the clerk's work of a run folder. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/json.h"
#include "run/filter.h"
#include "run/run.h"
#include "run/visit.h"
#include "tool.h"

static struct hop_visit visit = {.visit = -1};
static bool want_restore, want_add;

static struct hop_opt rows[] = {
    {"run", 0, HOP_OPT_STR, &visit.run, "RUN", "the run folder", 0, 0, false},
    {"id", 0, HOP_OPT_STR, &visit.id, "ID", "the config, by its id in RUN/configs.jsonl", 0, 0,
     false},
    {"shard", 0, HOP_OPT_STR, &visit.shard, "NAME", "shard that FILTER trains or evaluates on", 0,
     0, false},
    {"visit", 0, HOP_OPT_INT, &visit.visit, "K",
     "the config's visit, from 1; 0 = make its model file", 0, 1e15, false},
    {"eval", 0, HOP_OPT_FLAG, &visit.is_eval, NULL, "evaluate the state after visit K", 0, 0,
     false},
    {"worker", 0, HOP_OPT_STR, &visit.worker, "NAME", "worker to name in eval/1 lines", 0, 0,
     false},
    {"restore", 0, HOP_OPT_FLAG, &want_restore, NULL,
     "only append what the log lacks (of ID, or of all)", 0, 0, false},
    {"add-configs", 0, HOP_OPT_FLAG, &want_add, NULL,
     "only add the config lines on stdin to RUN/configs.jsonl", 0, 0, false},
    TOOL_COMMON_OPTIONS};

static int
add_configs(struct hop_err *e)
{
    struct hop_configs c = {0};
    int rc = hop_configs_read(STDIN_FILENO, "stdin", &c, e);

    if (!rc)
        rc = hop_configs_record(visit.run, &c, e);
    hop_configs_clear(&c);
    return rc;
}

static void
check_usage(int argc)
{
    if (!visit.run)
        tool_usage("--run", "is missing");
    if (want_restore || want_add) {
        if (argc > 1 || visit.shard || visit.visit >= 0 || visit.is_eval || visit.worker ||
            (want_restore && want_add) || (want_add && visit.id))
            tool_usage(want_restore ? "--restore" : "--add-configs", "does not go with the rest");
        return;
    }
    if (!visit.id)
        tool_usage("--id", "is missing");
    if (visit.visit < 0)
        tool_usage("--visit", "is missing");
    if (!visit.visit && !visit.is_eval && visit.shard)
        tool_usage("--shard", "does not go with --visit 0");
    if ((visit.visit || visit.is_eval) && !visit.shard)
        tool_usage("--shard", "is missing");
    if (argc < 2)
        tool_usage(NULL, "FILTER is missing (after --)");
}

static void
tell(double wall_s)
{
    const struct hop_json *loss = hop_json_get(visit.line, "loss");

    if (tool_verbosity < 1)
        return;
    tool_warn("%s %s %lld%s%s: %s in %.3f s%s%.9g", visit.id, visit.is_eval ? "eval" : "visit",
              (long long)visit.visit, visit.shard ? " on " : "", visit.shard ? visit.shard : "",
              visit.is_skipped ? "was done" : "done", wall_s, loss ? ", loss " : ", visits ",
              loss ? hop_json_real(loss) : (double)visit.visit);
}

int
main(int argc, char **argv)
{
    struct hop_err e = {0};
    double start_s = hop_clock_s();
    int rc;

    tool_init("hop-visit",
              "Give a config one visit: run FILTER on its model file, check, replace, log.",
              "--run RUN --id ID --shard NAME --visit K [--eval] [--worker NAME] -- FILTER...\n"
              "--run RUN --id ID --visit 0 -- FILTER...\n"
              "--run RUN --restore [--id ID]\n"
              "--run RUN --add-configs < configs.jsonl",
              rows, false, &argc, argv);
    check_usage(argc);
    if (want_add) {
        rc = add_configs(&e);
    } else if (want_restore) {
        rc = hop_run_restore(visit.run, visit.id, &e);
    } else {
        hop_filter_signals();
        visit.filter = argv + 1;
        rc = hop_visit_run(&visit, &e);
        if (!rc)
            tell(hop_clock_s() - start_s);
    }
    hop_json_free(visit.line);
    if (rc)
        tool_show(&e);
    if (rc && hop_filter_signal())
        return 128 + hop_filter_signal();
    return rc ? hop_err_exit(&e) : tool_finish();
}

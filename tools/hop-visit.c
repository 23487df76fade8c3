/* hop-visit - one atomic visit, and the clerk's work of a run folder. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "format/json.h"
#include "run/filter.h"
#include "run/gc.h"
#include "run/run.h"
#include "run/status.h"
#include "run/visit.h"
#include "tool.h"

static struct hop_visit visit = {.visit = -1};
static bool want_restore, want_add, want_status, want_gc, is_json, is_brief;
static struct hop_gc gc;

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
    {"status", 0, HOP_OPT_FLAG, &want_status, NULL, "only say how RUN stands", 0, 0, false},
    {"json", 0, HOP_OPT_FLAG, &is_json, NULL, "--status: as a status/1 line", 0, 0, false},
    {"brief", 0, HOP_OPT_FLAG, &is_brief, NULL, "--status: as the end of a line of progress",
     0, 0, false},
    {"gc", 0, HOP_OPT_FLAG, &want_gc, NULL, "only remove what RUN needs no longer, and name it", 0, 0,
     false},
    {"top", 'k', HOP_OPT_INT, &gc.top, "K", "--gc: of a search that is over keep the K best configs", 1,
     1e9, false},
    {"dry-run", 'n', HOP_OPT_FLAG, &gc.is_dry, NULL, "--gc: only name it", 0, 0, false},
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

static int
tell_status(struct hop_err *e)
{
    struct hop_status s;
    struct hop_str text = {0};
    struct hop_json *j;
    int rc = hop_status_read(visit.run, &s, e);

    if (rc)
        return rc;
    if (is_json) {
        j = hop_status_json(&s);
        tool_record(j);
        hop_json_free(j);
        return HOP_OK;
    }
    if (is_brief)
        hop_status_brief(&s, &text);
    else
        hop_status_text(&s, &text);
    if (!(rc = hop_str_check(&text, e)))
        tool_print(hop_str_c(&text));
    hop_str_clear(&text);
    return rc;
}

static void
on_found(void *arg, const char *path, int64_t bytes, const char *why)
{
    struct hop_str line = {0};
    int64_t *sum = arg;

    hop_str_addf(&line, "%s\t%lld\t%s\n", path, (long long)bytes, why);
    tool_print(hop_str_c(&line));
    hop_str_clear(&line);
    *sum += bytes;
}

static int
clear_away(struct hop_err *e)
{
    int64_t sum = 0;
    int rc;

    gc.run = visit.run;
    gc.found = on_found;
    gc.arg = &sum;
    if (!(rc = hop_gc_run(&gc, e)))
        tool_warn("%lld bytes %s", (long long)sum, gc.is_dry ? "are not needed" : "removed");
    return rc;
}

static void
check_usage(int argc)
{
    int n_only = want_restore + want_add + want_status + want_gc;
    const char *only = want_restore  ? "--restore"
                       : want_add    ? "--add-configs"
                       : want_status ? "--status"
                                     : "--gc";

    if (!visit.run)
        tool_usage("--run", "is missing");
    if ((is_json || is_brief) && (!want_status || (is_json && is_brief)))
        tool_usage(is_json ? "--json" : "--brief", "goes with --status alone");
    if ((gc.top || gc.is_dry) && !want_gc)
        tool_usage(gc.top ? "--top" : "--dry-run", "goes with --gc");
    if (n_only) {
        if (argc > 1 || visit.shard || visit.visit >= 0 || visit.is_eval || visit.worker ||
            n_only > 1 || (visit.id && !want_restore))
            tool_usage(only, "does not go with the rest");
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
    if (tool_verbosity > 1 && visit.is_tried && !visit.is_eval)
        tool_warn("%s visit %lld: ms: begin %.3f, filter %.3f, check %.3f, commit %.3f, log %.3f",
                  visit.id, (long long)visit.visit, 1e3 * visit.begin_s, 1e3 * visit.filter_s,
                  1e3 * visit.check_s, 1e3 * visit.commit_s, 1e3 * visit.log_s);
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
              "--run RUN --add-configs < configs.jsonl\n"
              "--run RUN --status [--json | --brief]\n"
              "--run RUN --gc [--top K] [--dry-run]",
              rows, false, &argc, argv);
    check_usage(argc);
    if (want_add) {
        rc = add_configs(&e);
    } else if (want_status) {
        rc = tell_status(&e);
    } else if (want_gc) {
        rc = clear_away(&e);
    } else if (want_restore) {
        rc = hop_run_restore(visit.run, visit.id, &e);
    } else {
        hop_filter_signals();
        tool_plans_of(visit.run);
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

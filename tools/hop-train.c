/* hop-train - the filter that trains: model on stdin, one visit to one shard, model on stdout. */
#include <unistd.h>

#include "base/str.h"
#include "dry_run.h"
#include "tool.h"
#include "train_job.h"

static struct train_options o = {
    .device = "auto", .precision = "fp32", .threads = 1, .weights_by = "name"};
static bool is_dry_run;

static struct hop_opt options[] = {
    {"shard", 's', HOP_OPT_STR, &o.shard, "FILE", "the shard to visit", 0, 0, false},
    {"init", 0, HOP_OPT_FLAG, &o.is_init, NULL, "stdin is a config line: make its model first", 0,
     0, false},
    {"device", 'd', HOP_OPT_STR, &o.device, "NAME", "auto, ref, cpu, cuda or cuda:N (auto)", 0, 0,
     false},
    {"precision", 0, HOP_OPT_STR, &o.precision, "NAME", "fp32, bf16 or auto (fp32)", 0, 0, false},
    {"passes", 0, HOP_OPT_INT, &o.passes, "N",
     "passes over the shard (the config's \"passes\", else 1)", 1, 1e6, false},
    {"threads", 't', HOP_OPT_INT, &o.threads, "N", "threads of the device cpu (1)", 1, 1024, false},
    {"pin", 0, HOP_OPT_FLAG, &o.is_pinned, NULL, "keep to the processors of the slot taken", 0, 0,
     false},
    {"worker", 0, HOP_OPT_STR, &o.worker, "NAME", "name to put into the train/1 line", 0, 0, false},
    {"nets", 0, HOP_OPT_STR, &o.nets, "DIR", "where nets are found by name", 0, 0, false},
    {"weights", 0, HOP_OPT_STR, &o.weights, "FILE",
     "with --init: start from these weights (the config's \"weights\")", 0, 0, false},
    {"weights-by", 0, HOP_OPT_STR, &o.weights_by, "HOW", "match them by name or by order (name)", 0,
     0, false},
    {"dry-run", 'n', HOP_OPT_FLAG, &is_dry_run, NULL,
     "print shapes, parameters, memory and FLOPs; train nothing", 0, 0, false},
    TOOL_COMMON_OPTIONS};

static const char *
lock_dir(struct hop_str *s)
{
    const char *dir = tool_env("XDG_RUNTIME_DIR");

    if (dir)
        hop_str_addf(s, "%s/hop", dir);
    else
        hop_str_addf(s, "/tmp/hop-%ld", (long)geteuid());
    return hop_str_c(s);
}

/* What it would take; nothing is trained. */
static int
dry_run(struct hop_err *e)
{
    struct hop_plan_spec spec;
    struct hop_training t;
    struct hop_model m;
    int rc;

    if ((rc = train_job_input(&o, STDIN_FILENO, &m, &t, e)))
        return rc;
    spec = train_job_spec(&o, &t);
    rc = tool_dry_run(&t, &spec, o.device, (int)o.threads, e);
    hop_training_clear(&t);
    hop_model_clear(&m);
    return rc;
}

int
main(int argc, char **argv)
{
    struct hop_str dir = {0};
    struct hop_err e = {0};
    int rc;

    tool_init("hop-train", "Train a model on one shard: model in, model out.",
              "--shard FILE [OPTIONS] < MODEL > MODEL\n--init [--shard FILE] < CONFIG > MODEL\n"
              "--dry-run [--init] < CONFIG_OR_MODEL",
              options, true, &argc, argv);
    if (argc > 1)
        tool_usage(argv[1], "unexpected operand");
    if (!o.shard && !o.is_init && !is_dry_run)
        tool_usage("--shard", "is missing");
    if (isatty(STDOUT_FILENO) && !is_dry_run)
        tool_usage("stdout", "is a terminal: write the model to a file or a pipe");
    o.lock_dir = lock_dir(&dir);
    o.share_dir = tool_share_dir();
    rc = is_dry_run ? dry_run(&e) : train_job_run(&o, STDIN_FILENO, STDOUT_FILENO, NULL, &e);
    if (rc)
        tool_die(&e);
    hop_str_clear(&dir);
    return tool_finish();
}

/* hop-train - the filter that trains: model on stdin, one visit to one shard, model on stdout. */
#include <signal.h>
#include <unistd.h>

#include "base/slot.h"
#include "devices.h"
#include "dry_run.h"
#include "keep.h"
#include "probe.h"
#include "tool.h"
#include "train_job.h"

static struct train_options o = {
    .precision = "fp32", .threads = 1, .weights_by = "name"};
static const char *keep, *keep_memory;
static bool is_dry_run, is_measure, is_probe, is_stop;

static struct hop_opt options[] = {
    {"shard", 's', HOP_OPT_STR, &o.shard, "FILE", "the shard to visit", 0, 0, false},
    {"init", 0, HOP_OPT_FLAG, &o.is_init, NULL, "stdin is a config line: make its model first", 0,
     0, false},
    {"device", 'd', HOP_OPT_STR, &o.device, "NAME", "auto, ref, cpu, cuda or cuda:N (auto)", 0, 0,
     false},
    {"precision", 0, HOP_OPT_STR, &o.precision, "NAME", "fp32, tf32, bf16 or auto (fp32)", 0, 0, false},
    {"passes", 0, HOP_OPT_INT, &o.passes, "N",
     "passes over the shard (the config's \"passes\", else 1)", 1, 1e6, false},
    {"threads", 't', HOP_OPT_INT, &o.threads, "N", "threads of the device cpu (1)", 1, 1024, false},
    {"pin", 0, HOP_OPT_FLAG, &o.is_pinned, NULL, "keep to the processors of the slot taken", 0, 0,
     false},
    {"worker", 0, HOP_OPT_STR, &o.worker, "NAME", "name to put into the train/1 line", 0, 0, false},
    {"turn", 0, HOP_OPT_STR, &o.turn, "NAME[:N]",
     "having read all, wait until less than N (1) with that NAME train", 0, 0, false},
    {"nets", 0, HOP_OPT_STR, &o.nets, "DIR", "where nets are found by name", 0, 0, false},
    {"weights", 0, HOP_OPT_STR, &o.weights, "FILE",
     "with --init: start from these weights (the config's \"weights\")", 0, 0, false},
    {"weights-by", 0, HOP_OPT_STR, &o.weights_by, "HOW", "match them by name or by order (name)", 0,
     0, false},
    {"dry-run", 'n', HOP_OPT_FLAG, &is_dry_run, NULL,
     "print shapes, parameters, memory and FLOPs; train nothing", 0, 0, false},
    {"measure", 0, HOP_OPT_FLAG, &is_measure, NULL,
     "print how many visits of such a model side by side pay on the device", 0, 0, false},
    {"keep", 0, HOP_OPT_STR, &keep, "TIME",
     "leave a process behind for TIME (10m) that does later calls faster", 0, 0, false},
    {"keep-memory", 0, HOP_OPT_STR, &keep_memory, "SIZE",
     "memory for what it keeps (a quarter of the machine's)", 0, 0, false},
    {"stop", 0, HOP_OPT_FLAG, &is_stop, NULL, "only end such processes (of --device, or all)", 0, 0,
     false},
    {"probe", 0, HOP_OPT_FLAG, &is_probe, NULL,
     "print what this machine can train on; train nothing", 0, 0, false},
    TOOL_COMMON_OPTIONS};

/* What it would take, or how many side by side pay; nothing is trained that stays. */
static int
look(struct hop_err *e)
{
    struct hop_plan_spec spec;
    struct hop_training t;
    struct hop_model m;
    int rc;

    if ((rc = train_job_input(&o, STDIN_FILENO, &m, &t, e)))
        return rc;
    tool_devices_share();
    spec = train_job_spec(&o, &t);
    rc = is_measure ? tool_probe_slots(&o, &t, e)
                    : tool_dry_run(&t, &spec, o.device, (int)o.threads, e);
    hop_training_clear(&t);
    hop_model_clear(&m);
    return rc;
}

/* A visit, done by a process that stays behind where --keep asks for one, and else, or if it cannot be
 * handed over, here. */
static int
visit(int *status, struct hop_err *e)
{
    int64_t idle_s, max_bytes = 0;
    int rc = HOP_EOF;

    *status = 0;
    if (keep && ((rc = hop_parse_duration(keep, "--keep", &idle_s, e)) ||
                 (keep_memory && (rc = hop_parse_bytes(keep_memory, "--keep-memory", &max_bytes, e)))))
        return rc;
    if (!max_bytes)
        max_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) / 4 * sysconf(_SC_PAGESIZE);
    if (keep && !o.is_init) /* no device is asked here: a GPU's driver does not live through fork */
        rc = keep_call(&o, idle_s, max_bytes, status, e);
    if (rc == HOP_EOF && o.shard)
        hop_device_expect(o.device);
    return rc == HOP_EOF ? train_job_run(&o, STDIN_FILENO, STDOUT_FILENO, NULL, e) : rc;
}

static void
check_usage(int argc, char **argv)
{
    struct hop_turn turn;
    struct hop_err e = {0};

    if (hop_turn_parse(o.turn, "--turn", &turn, &e))
        tool_die(&e);
    if (argc > 1)
        tool_usage(argv[1], "unexpected operand");
    if (is_stop && (o.shard || o.is_init || is_dry_run || is_measure || keep))
        tool_usage("--stop", "does not go with the rest");
    if (keep_memory && !keep)
        tool_usage("--keep-memory", "goes with --keep");
    if (is_stop || is_probe)
        return;
    if (is_measure && (is_dry_run || o.shard || keep))
        tool_usage("--measure", "takes a model, or with --init a config, and trains nothing");
    if (!o.shard && !o.is_init && !is_dry_run && !is_measure)
        tool_usage("--shard", "is missing");
    if (isatty(STDOUT_FILENO) && !is_dry_run && !is_measure)
        tool_usage("stdout", "is a terminal: write the model to a file or a pipe");
}

int
main(int argc, char **argv)
{
    struct hop_err e = {0};
    int rc, status = 0;

    tool_init("hop-train", "Train a model on one shard: model in, model out.",
              "--shard FILE [OPTIONS] < MODEL > MODEL\n--init [--shard FILE] < CONFIG > MODEL\n"
              "--dry-run [--init] < CONFIG_OR_MODEL\n--measure [--init] < CONFIG_OR_MODEL\n"
              "--stop [--device NAME]\n--probe",
              options, true, &argc, argv);
    check_usage(argc, argv);
    tool_devices_init();
    if (is_probe)
        return tool_probe();
    o.lock_dir = tool_lock_dir();
    if (o.is_init)
        o.share_dir = tool_share_dir();
    if (is_stop) {
        rc = keep_stop(o.lock_dir, o.device, &e);
    } else {
        o.device = o.device ? o.device : "auto";
        rc = is_dry_run || is_measure ? look(&e) : visit(&status, &e);
    }
    if (rc == HOP_EBUSY && tool_is_unread(STDOUT_FILENO))
        raise(SIGPIPE);
    if (rc)
        tool_die(&e);
    return status ? status : tool_finish();
}

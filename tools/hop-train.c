/* hop-train - the filter that trains: model on stdin, one visit to one shard, model on stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/rng.h"
#include "base/slot.h"
#include "engine/session.h"
#include "net/state.h"
#include "devices.h"
#include "dry_run.h"
#include "examples.h"
#include "net/zoo.h"
#include "probe.h"
#include "tool.h"
#include "weights.h"

static struct {
    const char *shard, *device, *precision, *worker, *nets, *weights, *weights_by;
    int64_t passes, threads;
    bool is_init, is_dry_run, is_pinned, is_probe;
} a = {.device = "auto", .precision = "fp32", .threads = 1, .weights_by = "name"};

static struct hop_opt options[] = {
    {"shard", 's', HOP_OPT_STR, &a.shard, "FILE", "the shard to visit", 0, 0, false},
    {"init", 0, HOP_OPT_FLAG, &a.is_init, NULL, "stdin is a config line: make its model first", 0,
     0, false},
    {"device", 'd', HOP_OPT_STR, &a.device, "NAME", "auto, ref, cpu, cuda or cuda:N (auto)", 0, 0,
     false},
    {"precision", 0, HOP_OPT_STR, &a.precision, "NAME", "fp32, bf16 or auto (fp32)", 0, 0, false},
    {"passes", 0, HOP_OPT_INT, &a.passes, "N",
     "passes over the shard (the config's \"passes\", else 1)", 1, 1e6, false},
    {"threads", 't', HOP_OPT_INT, &a.threads, "N", "threads of the device cpu (1)", 1, 1024, false},
    {"pin", 0, HOP_OPT_FLAG, &a.is_pinned, NULL, "keep to the processors of the slot taken", 0, 0,
     false},
    {"worker", 0, HOP_OPT_STR, &a.worker, "NAME", "name to put into the train/1 line", 0, 0, false},
    {"nets", 0, HOP_OPT_STR, &a.nets, "DIR", "where nets are found by name", 0, 0, false},
    {"weights", 0, HOP_OPT_STR, &a.weights, "FILE",
     "with --init: start from these weights (the config's \"weights\")", 0, 0, false},
    {"weights-by", 0, HOP_OPT_STR, &a.weights_by, "HOW", "match them by name or by order (name)", 0,
     0, false},
    {"dry-run", 'n', HOP_OPT_FLAG, &a.is_dry_run, NULL,
     "print shapes, parameters, memory and FLOPs; train nothing", 0, 0, false},
    {"probe", 0, HOP_OPT_FLAG, &a.is_probe, NULL,
     "print what this machine can train on; train nothing", 0, 0, false},
    TOOL_COMMON_OPTIONS};

static void
check(int rc, const struct hop_err *e)
{
    if (rc)
        tool_die(e);
}

static struct hop_json *
read_config(struct hop_err *e)
{
    struct hop_jsonl *in = hop_jsonl_open(STDIN_FILENO, "stdin", e);
    struct hop_json *config;
    int rc = in ? hop_jsonl_next(in, &config, e) : HOP_ENOMEM;

    if (rc == HOP_EOF)
        rc = hop_fail(e, HOP_EFORMAT, "stdin", "give one config line", "is empty");
    check(rc, e);
    hop_jsonl_close(in);
    return config;
}

/* The model from stdin, or a fresh one. */
static void
read_model(struct hop_model *m, struct hop_training *t)
{
    struct hop_err e = {0};
    struct hop_str dir = {0};
    struct hop_json *config, *architecture;
    const char *ignored; /* the option comes before the config */

    if (!a.is_init) {
        check(hop_model_read(STDIN_FILENO, "stdin", m, &e), &e);
        check(hop_training_load(m, "stdin", t, &e), &e);
        return;
    }
    config = read_config(&e);
    hop_str_addf(&dir, "%s/nets", tool_share_dir());
    check(hop_zoo_find(config, a.nets ? a.nets : hop_str_c(&dir), "stdin:1", &architecture, &e),
          &e);
    check(hop_training_init(config, architecture, "stdin:1", m, t, &e), &e);
    check(hop_json_get_str(config, "weights", false, "stdin:1", a.weights ? &ignored : &a.weights,
                           &e), &e);
    if (a.weights)
        check(tool_weights(a.weights, a.weights_by, t, &e), &e);
    hop_str_clear(&dir);
}

static struct hop_plan_spec
plan_spec(const struct hop_training *t)
{
    struct hop_plan_spec spec = {.net = t->net,
                                 .batch_size = t->conf.batch_size,
                                 .is_training = true,
                                 .precision = a.precision,
                                 .loss = t->conf.loss,
                                 .optim = t->conf.optim};

    memcpy(spec.optim_conf, t->conf.hyper, sizeof spec.optim_conf);
    spec.lr = t->conf.lr;
    return spec;
}

static void
on_progress(void *arg, int64_t n_done, int64_t n_total)
{
    tool_progress("%s %lld/%lld examples", (const char *)arg, (long long)n_done,
                  (long long)n_total);
}

/* Wait for a free slot of the device. */
static void
take_device(struct hop_err *e)
{
    const char *dir = tool_env("XDG_RUNTIME_DIR");
    const struct hop_device_ops *ops;
    struct hop_str path = {0};
    char slot[64];
    int index, k, fd, n;

    check(hop_device_find(a.device, &ops, &index, e), e);
    n = tool_device_slots(ops, index, a.threads, slot, sizeof slot);
    if (dir)
        hop_str_addf(&path, "%s/hop", dir);
    else
        hop_str_addf(&path, "/tmp/hop-%ld", (long)geteuid());
    check(hop_slot_take(hop_str_c(&path), slot, n, &k, &fd, e), e);
    if (a.is_pinned)
        check(hop_slot_pin(k, (int)a.threads, e), e);
    hop_str_clear(&path); /* fd stays open: the lock goes with the process */
}

/* The visit's train/1 line. */
static struct hop_json *
train_line(const struct hop_model *m, const struct hop_training *t, const struct hop_shard *shard,
           const struct hop_session *s, const struct hop_result *r, double wall_s)
{
    struct hop_json *o = hop_json_record("train/1");
    char digest[HOP_DIGEST_LEN + 1];
    struct hop_err e = {0};

    check(hop_training_digest(t, digest, &e), &e);
    hop_json_set_str(o, "id", m->id);
    hop_json_set_int(o, "visit", m->visits);
    hop_json_set_int(o, "iteration", (m->visits - 1) / shard->count + 1);
    hop_json_set_str(o, "shard", shard->name);
    if (a.worker)
        hop_json_set_str(o, "worker", a.worker);
    hop_json_set_str(o, "device", s->device_name);
    hop_json_set_str(o, "fingerprint", s->fingerprint);
    hop_json_set_real(o, "loss", r->loss);
    if (shard->y)
        hop_json_set_real(o, "accuracy", (double)r->n_correct / (double)r->n_examples);
    hop_json_set_int(o, "examples", r->n_examples);
    hop_json_set_int(o, "steps", r->n_steps);
    if (r->n_examples != shard->n)
        hop_json_set_int(o, "passes", r->n_examples / shard->n);
    hop_json_set_real(o, "wall_s", wall_s);
    hop_json_set_real(o, "examples_per_s", wall_s > 0 ? (double)r->n_examples / wall_s : 0);
    hop_json_set_real(o, "lr", r->lr);
    hop_json_set_str(o, "status", r->is_diverged ? "diverged" : "ok");
    hop_json_set_str(o, "digest", digest);
    return o;
}

static void
visit(struct hop_model *m, struct hop_training *t, const struct tool_examples *x)
{
    const struct hop_shard *shard = &x->shard;
    struct hop_plan_spec spec = plan_spec(t);
    struct hop_state state = {
        .net = t->net, .optim = t->conf.optim, .weights = t->weights, .step = m->step};
    struct hop_pass pass = {
        .visit = m->visits + 1, .progress = on_progress, .progress_arg = (void *)shard->name};
    struct hop_session s;
    struct hop_result r;
    struct hop_err e = {0};
    double start_s;

    memcpy(state.slots, t->slots, sizeof state.slots);
    pass.shuffle_key = hop_rng_key((uint64_t)t->conf.seed, m->id, HOP_FOR_SHUFFLE);
    pass.dropout_key = hop_rng_key((uint64_t)t->conf.seed, m->id, HOP_FOR_DROPOUT);
    take_device(&e);
    start_s = hop_clock_s();
    check(hop_session_open(a.device, (int)a.threads, &spec, &state, &s, &e), &e);
    check(hop_session_bind(&s, &x->x, &e), &e);
    check(hop_session_train(&s, a.passes ? a.passes : t->conf.passes, &pass, &state, &r, &e), &e);
    m->visits++;
    m->iteration = m->visits / shard->count;
    m->step = state.step;
    m->is_diverged = r.is_diverged;
    hop_json_push(m->history, train_line(m, t, shard, &s, &r, hop_clock_s() - start_s));
    hop_session_close(&s);
}

int
main(int argc, char **argv)
{
    struct hop_model m;
    struct hop_training t;
    struct tool_examples x;
    struct hop_plan_spec spec;
    struct hop_err e = {0};

    tool_init("hop-train", "Train a model on one shard: model in, model out.",
              "--shard FILE [OPTIONS] < MODEL > MODEL\n--init [--shard FILE] < CONFIG > MODEL\n"
              "--dry-run [--init] < CONFIG_OR_MODEL\n--probe",
              options, true, &argc, argv);
    if (argc > 1)
        tool_usage(argv[1], "unexpected operand");
    tool_devices_init();
    if (a.is_probe)
        return tool_probe();
    if (!a.shard && !a.is_init && !a.is_dry_run)
        tool_usage("--shard", "is missing");
    if (isatty(STDOUT_FILENO) && !a.is_dry_run)
        tool_usage("stdout", "is a terminal: write the model to a file or a pipe");
    read_model(&m, &t);
    if (a.is_dry_run) {
        spec = plan_spec(&t);
        check(tool_dry_run(&t, &spec, a.device, (int)a.threads, &e), &e);
        return tool_finish();
    }
    if (a.shard && !m.is_diverged) {
        check(tool_examples_open(a.shard, &m, &t, &x, &e), &e);
        if (strcmp(x.shard.split, "train"))
            tool_warn("%s: training on a shard of split \"%s\"", a.shard, x.shard.split);
        visit(&m, &t, &x);
        tool_examples_close(&x);
    }
    check(hop_training_write(STDOUT_FILENO, "stdout", &m, &t, &e), &e);
    hop_training_clear(&t);
    hop_model_clear(&m);
    return tool_finish();
}

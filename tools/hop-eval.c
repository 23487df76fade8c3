/* hop-eval - how good is a model: loss and metrics over shards, or classes of pictures. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/session.h"
#include "devices.h"
#include "examples.h"
#include "net/metrics.h"
#include "net/state.h"
#include "predict.h"
#include "tool.h"

static struct {
    struct hop_opt_list shards;
    const char *device, *precision, *worker, *model, *metrics, *turn;
    int64_t threads, top, batch;
    bool want_predict, want_confusion;
} a = {.device = "auto", .precision = "fp32", .threads = 1, .top = 1, .batch = 128};

static struct hop_opt options[] = {
    {"shard", 's', HOP_OPT_LIST, &a.shards, "FILE", "a shard (operands are shards too)", 0, 0,
     false},
    {"predict", 'p', HOP_OPT_FLAG, &a.want_predict, NULL, "operands are pictures or tables: print classes or numbers", 0,
     0, false},
    {"top", 'k', HOP_OPT_INT, &a.top, "K", "classes to print for each picture or row (1)", 1, 100000,
     false},
    {"confusion", 0, HOP_OPT_FLAG, &a.want_confusion, NULL,
     "print a confusion/1 line too: rows are true classes", 0, 0, false},
    {"metrics", 0, HOP_OPT_STR, &a.metrics, "NAME,...",
     "report these, too: top_K, precision, recall, mae, mse", 0, 0, false},
    {"model", 'm', HOP_OPT_STR, &a.model, "FILE", "the model (stdin)", 0, 0, false},
    {"device", 'd', HOP_OPT_STR, &a.device, "NAME", "auto, ref, cpu, cuda or cuda:N (auto)", 0, 0,
     false},
    {"precision", 0, HOP_OPT_STR, &a.precision, "NAME", "fp32, tf32, bf16 or auto (fp32)", 0, 0, false},
    {"threads", 't', HOP_OPT_INT, &a.threads, "N", "threads of the device cpu (1)", 1, 1024, false},
    {"batch", 0, HOP_OPT_INT, &a.batch, "N", "examples at a time; changes memory only (128)", 1,
     65536, false},
    {"worker", 0, HOP_OPT_STR, &a.worker, "NAME", "name to put into the eval/1 line", 0, 0, false},
    {"turn", 0, HOP_OPT_STR, &a.turn, "NAME[:N]", "as hop-train's", 0, 0, false},
    TOOL_COMMON_OPTIONS};

static void
check(int rc, const struct hop_err *e)
{
    if (rc)
        tool_die(e);
}

static struct hop_session
open_session(const struct hop_training *t, const struct hop_model *m)
{
    struct hop_plan_spec spec = {.net = t->net, .batch_size = a.batch, .precision = a.precision,
                                 .loss = t->conf.loss};
    struct hop_state state = {.net = t->net, .weights = t->weights, .step = m->step};
    struct hop_session s;
    struct hop_err e = {0};

    check(hop_session_open(a.device, (int)a.threads, &spec, &state, &s, &e), &e);
    return s;
}

static void
predict(int n, char **files, const char *where, struct hop_model *m, struct hop_training *t)
{
    struct hop_dataset_info info;
    struct hop_session s;
    struct hop_err e = {0};

    check(tool_predict_info(m, t, where, &info, &e), &e);
    a.batch = info.n_dims == 1 ? a.batch : 1; /* pictures come one by one */
    s = open_session(t, m);
    check(tool_predict(t, &info, &s, a.top, n, files, &e), &e);
    hop_session_close(&s);
    hop_dataset_info_clear(&info);
}

/* ---- loss and metrics ---- */

struct totals {
    double loss;
    int64_t n, n_correct;
    struct hop_metrics metrics;
    struct hop_tally tally; /* where predictions are wanted */
    bool wants_predictions;
    char split[16], name[64];
    int64_t count;
};

/* What to report, once the first shard has said what the data are. */
static void
choose_metrics(const struct hop_training *t, const struct hop_dataset_info *d, struct totals *sum)
{
    struct hop_metrics extra = t->conf.metrics;
    int64_t K = t->net->output.d[0];
    struct hop_err e = {0};

    if (a.metrics && hop_metrics_add(&extra, a.metrics, "--metrics", &e)) {
        e.code = HOP_EARG;
        tool_die(&e);
    }
    check(hop_metrics_choose(&sum->metrics, &extra, d, K, "metrics", &e), &e);
    if (a.want_confusion && !d->n_classes)
        tool_usage("--confusion", "needs classes, the data have targets");
    sum->wants_predictions = sum->metrics.n > 1 || a.want_confusion;
    check(hop_tally_init(&sum->tally, &sum->metrics, K, d->n_classes, a.want_confusion, &e), &e);
}

static void
evaluate_shard(const char *path, struct hop_model *m, const struct hop_training *t,
               struct hop_session *s, struct totals *sum)
{
    struct tool_examples x;
    struct hop_result r;
    struct hop_err e = {0};
    float *p = NULL;

    check(tool_examples_open(path, m, t, &x, &e), &e);
    if (sum->n && strcmp(sum->split, x.shard->split))
        tool_usage(path, "is of split \"%s\", the one before of \"%s\"", x.shard->split, sum->split);
    if (!sum->n)
        choose_metrics(t, &x.shard->info, sum);
    snprintf(sum->split, sizeof sum->split, "%s", x.shard->split);
    snprintf(sum->name, sizeof sum->name, "%s", x.shard->name);
    sum->count = x.shard->count;
    if (sum->wants_predictions &&
        !(p = hop_alloc_floats((size_t)x.x.n * (size_t)t->net->output.d[0], &e)))
        tool_die(&e);
    check(hop_session_bind(s, &x.x, &e), &e);
    check(s->ops->evaluate(s->plan, s->data, p, &r, &e), &e);
    sum->loss += r.loss * (double)r.n_examples;
    sum->n_correct += r.n_correct;
    sum->n += r.n_examples;
    if (p)
        hop_tally_add(&sum->tally, p, x.x.n, x.x.y, x.x.t);
    s->ops->unbind(s->data); /* before the shard's memory goes */
    s->data = NULL;
    free(p);
    tool_examples_close(&x);
}

static void
print_eval(const struct hop_model *m, const struct hop_session *s, const struct totals *sum,
           double wall_s)
{
    struct hop_json *o = hop_json_record("eval/1");
    double loss = sum->n ? sum->loss / (double)sum->n : 0;
    bool is_part = a.shards.n == 1 && sum->count > 1; /* of the split */

    hop_json_set_str(o, "id", m->id);
    hop_json_set_int(o, "iteration", m->iteration);
    hop_json_set_int(o, "visit", m->visits);
    hop_json_set_str(o, "split", sum->split);
    if (is_part) {
        hop_json_set_str(o, "shard", sum->name);
        hop_json_set_int(o, "shards", sum->count);
    }
    hop_json_set_real(o, "loss", loss);
    if (sum->wants_predictions)
        hop_tally_put(&sum->tally, o, is_part);
    else
        hop_json_set_real(o, "accuracy", sum->n ? (double)sum->n_correct / (double)sum->n : 0);
    hop_json_set_int(o, "examples", sum->n);
    hop_json_set_real(o, "wall_s", wall_s);
    if (a.worker)
        hop_json_set_str(o, "worker", a.worker);
    hop_json_set_str(o, "device", s->device_name);
    hop_json_set_str(o, "status", isfinite(loss) ? "ok" : "diverged");
    tool_record(o);
    hop_json_free(o);
}

static void
print_confusion(const struct hop_model *m, const struct totals *sum)
{
    struct hop_json *o = hop_json_record("confusion/1"), *rows = hop_json_array(), *row;
    int64_t i, j, K = sum->tally.n_classes;

    hop_json_set_str(o, "id", m->id);
    hop_json_set_str(o, "split", sum->split);
    hop_json_set(o, "classes", hop_json_copy(hop_json_get(m->data, "classes")));
    for (i = 0; i < K; i++) {
        row = hop_json_array();
        for (j = 0; j < K; j++)
            hop_json_push(row, hop_json_new_int(sum->tally.confusion[i * K + j]));
        hop_json_push(rows, row);
    }
    hop_json_set(o, "matrix", rows);
    tool_record(o);
    hop_json_free(o);
}

static void
evaluate(struct hop_model *m, struct hop_training *t)
{
    struct totals sum = {0};
    struct hop_session s = open_session(t, m);
    double start_s = hop_clock_s();
    size_t i;

    for (i = 0; i < a.shards.n; i++)
        evaluate_shard(a.shards.v[i], m, t, &s, &sum);
    print_eval(m, &s, &sum, hop_clock_s() - start_s);
    if (a.want_confusion)
        print_confusion(m, &sum);
    hop_tally_clear(&sum.tally);
    hop_session_close(&s);
}

int
main(int argc, char **argv)
{
    const char *where;
    struct hop_model m;
    struct hop_training t;
    struct hop_err e = {0};
    int i;

    tool_init("hop-eval", "Evaluate a model on shards, or tell what is on pictures.",
              "--shard FILE... < MODEL\n--predict [--top K] FILE... < MODEL", options, true,
              &argc, argv);
    for (i = 1; i < argc && !a.want_predict; i++) {
        check(hop_grow(&a.shards.v, &a.shards.cap, a.shards.n + 1, sizeof *a.shards.v, &e), &e);
        a.shards.v[a.shards.n++] = argv[i];
    }
    if (a.want_predict && (argc < 2 || a.shards.n))
        tool_usage("--predict", a.shards.n ? "takes pictures or tables, not shards" : "needs a picture or table");
    if (!a.want_predict && !a.shards.n)
        tool_usage("--shard", "is missing");
    tool_devices_init();
    hop_device_expect(a.device);
    where = a.model && strcmp(a.model, "-") ? a.model : "stdin";
    check(a.model && strcmp(a.model, "-") ? hop_model_open(a.model, true, &m, &e)
                                          : hop_model_read(STDIN_FILENO, where, &m, &e),
          &e);
    check(hop_training_load(&m, where, &t, &e), &e);
    tool_turn_wait(a.turn);
    if (a.want_predict)
        predict(argc - 1, argv + 1, where, &m, &t);
    else
        evaluate(&m, &t);
    hop_training_clear(&t);
    hop_model_clear(&m);
    free(a.shards.v);
    return tool_finish();
}

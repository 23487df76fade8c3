/* Contents: 1 input, 2 the place of a process of its own, 3 a visit, 4 the job */
#include "train_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/slot.h"
#include "base/str.h"
#include "devices.h"
#include "examples.h"
#include "net/zoo.h"
#include "tool.h"
#include "weights.h"

/* ---- 1 input ---- */

static int
read_config(int fd, struct hop_json **config, struct hop_err *e)
{
    struct hop_jsonl *in = hop_jsonl_open(fd, "stdin", e);
    int rc = in ? hop_jsonl_next(in, config, e) : HOP_ENOMEM;

    if (rc == HOP_EOF)
        rc = hop_fail(e, HOP_EFORMAT, "stdin", "give one config line", "is empty");
    hop_jsonl_close(in);
    return rc;
}

/* A fresh model. hop_training_init takes config and architecture, well or not. */
static int
make_model(const struct train_options *o, int in_fd, struct hop_model *m, struct hop_training *t,
           struct hop_err *e)
{
    struct hop_json *config, *architecture;
    struct hop_str dir = {0};
    const char *weights = NULL;
    int rc;

    if ((rc = read_config(in_fd, &config, e)))
        return rc;
    hop_str_addf(&dir, "%s/nets", o->share_dir);
    rc = hop_zoo_find(config, o->nets ? o->nets : hop_str_c(&dir), "stdin:1", &architecture, e);
    hop_str_clear(&dir);
    if (rc) {
        hop_json_free(config);
        return rc;
    }
    if ((rc = hop_training_init(config, architecture, "stdin:1", m, t, e)))
        return rc;
    /* the option comes before the config */
    rc = hop_json_get_str(m->config, "weights", false, "stdin:1", &weights, e);
    weights = o->weights ? o->weights : weights;
    if (!rc && weights)
        rc = tool_weights(weights, o->weights_by, t, e);
    if (rc) {
        hop_training_clear(t);
        hop_model_clear(m);
    }
    return rc;
}

/* *in: what m borrows from, to be given back by the caller after it. */
static int
read_model(struct train_place *place, int in_fd, struct hop_model *m, struct hop_st_input **in,
           struct hop_err *e)
{
    int rc;

    if ((rc = place->input_take(place, in_fd, in, e)))
        return rc;
    if ((rc = hop_model_parse(*in, "stdin", m, e)))
        place->input_give(place, *in);
    return rc;
}

struct hop_plan_spec
train_job_spec(const struct train_options *o, const struct hop_training *t)
{
    struct hop_plan_spec spec = {.net = t->net,
                                 .batch_size = t->conf.batch_size,
                                 .is_training = true,
                                 .precision = o->precision,
                                 .loss = t->conf.loss,
                                 .optim = t->conf.optim};

    memcpy(spec.optim_conf, t->conf.hyper, sizeof spec.optim_conf);
    spec.lr = t->conf.lr;
    return spec;
}

/* ---- 2 the place of a process of its own ---- */

static int
cold_input_take(struct train_place *p, int fd, struct hop_st_input **out, struct hop_err *e)
{
    struct hop_st_input *in = hop_alloc(1, sizeof *in, e);
    int rc = in ? hop_st_input_read(in, fd, "stdin", HOP_MAX_MODEL_BYTES, NULL, NULL, e) : HOP_ENOMEM;

    *out = in;
    if (in && rc)
        p->input_give(p, in);
    return rc;
}

static int
cold_training_take(struct train_place *p, const struct hop_model *m, struct hop_training *t,
                   struct hop_err *e)
{
    (void)p;
    return hop_training_adopt(m, "stdin", t, e);
}

static int
cold_shard_take(struct train_place *p, const char *path, const struct hop_shard **out,
                struct hop_err *e)
{
    struct hop_shard *s = hop_alloc(1, sizeof *s, e);
    int rc = s ? hop_shard_open(path, s, e) : HOP_ENOMEM;

    (void)p;
    *out = s;
    if (rc)
        free(s);
    return rc;
}

static int
cold_enter(struct train_place *p, const char *locks, int n_slots, int *k, struct hop_err *e)
{
    int fd; /* stays open: the lock goes with the process */

    return hop_slot_take(p->options->lock_dir, locks, n_slots, k, &fd, e);
}

static int
cold_plan_take(struct train_place *p, const struct hop_model *m, const struct hop_plan_spec *spec,
               const struct hop_state *state, struct train_plan **out, struct hop_err *e)
{
    struct train_plan *plan = hop_alloc(1, sizeof *plan, e);
    int rc = plan ? hop_session_open(p->options->device, (int)p->options->threads, spec, state,
                                     &plan->session, e)
                  : HOP_ENOMEM;

    (void)m;
    *out = plan;
    if (rc)
        free(plan);
    return rc;
}

static bool
cold_is_wanted(struct train_place *p)
{
    (void)p;
    return true; /* or a signal would have ended the process */
}

static void
cold_plan_give(struct train_place *p, struct train_plan *plan, bool is_good)
{
    (void)p;
    (void)is_good;
    hop_session_close(&plan->session);
    free(plan);
}

static void
cold_leave(struct train_place *p)
{
    (void)p;
}

static void
cold_shard_give(struct train_place *p, const struct hop_shard *shard)
{
    struct hop_shard *s = (struct hop_shard *)shard;

    (void)p;
    hop_shard_close(s);
    free(s);
}

static void
cold_training_give(struct train_place *p, struct hop_training *t, bool is_good)
{
    (void)p;
    (void)is_good;
    hop_training_clear(t);
}

static void
cold_input_give(struct train_place *p, struct hop_st_input *in)
{
    (void)p;
    free(in->bytes);
    free(in);
}

static const struct train_place cold_place = {
    cold_input_take, cold_training_take, cold_shard_take, cold_enter,
    cold_plan_take,  cold_is_wanted,     cold_plan_give,  cold_leave,
    cold_shard_give, cold_training_give, cold_input_give, NULL,
};

/* ---- 3 a visit ---- */

struct watch { /* what on_progress wants to know */
    struct train_place *place;
    const char *shard;
};

static bool
on_progress(void *arg, int64_t n_done, int64_t n_total)
{
    struct watch *w = arg;

    tool_progress("%s %lld/%lld examples", w->shard, (long long)n_done, (long long)n_total);
    return w->place->is_wanted(w->place);
}

/* The visit's train/1 line, and the digest of what it made, which is in it. */
static int
train_line(const struct train_options *o, const struct hop_model *m, const struct hop_training *t,
           const struct hop_shard *shard, const struct hop_session *s, const struct hop_result *r,
           double wall_s, struct hop_json **out, char digest[HOP_DIGEST_LEN + 1],
           struct hop_err *e)
{
    struct hop_json *line;
    int rc;

    if ((rc = hop_training_digest(t, digest, e)))
        return rc;
    line = *out = hop_json_record("train/1");
    hop_json_set_str(line, "id", m->id);
    hop_json_set_int(line, "visit", m->visits);
    hop_json_set_int(line, "iteration", (m->visits - 1) / shard->count + 1);
    hop_json_set_str(line, "shard", shard->name);
    if (o->worker)
        hop_json_set_str(line, "worker", o->worker);
    hop_json_set_str(line, "device", s->device_name);
    hop_json_set_str(line, "fingerprint", s->fingerprint);
    hop_json_set_real(line, "loss", r->loss);
    if (shard->y)
        hop_json_set_real(line, "accuracy", (double)r->n_correct / (double)r->n_examples);
    hop_json_set_int(line, "examples", r->n_examples);
    hop_json_set_int(line, "steps", r->n_steps);
    if (r->n_examples != shard->n)
        hop_json_set_int(line, "passes", r->n_examples / shard->n);
    hop_json_set_real(line, "wall_s", wall_s);
    hop_json_set_real(line, "examples_per_s", wall_s > 0 ? (double)r->n_examples / wall_s : 0);
    hop_json_set_real(line, "lr", r->lr);
    hop_json_set_str(line, "status", r->is_diverged ? "diverged" : "ok");
    hop_json_set_str(line, "digest", digest);
    return HOP_OK;
}

/* With the slot held: train t on x, and say so in m. */
static int
train(struct train_place *place, struct hop_model *m, struct hop_training *t,
      const struct tool_examples *x, char digest[HOP_DIGEST_LEN + 1], struct hop_err *e)
{
    const struct train_options *o = place->options;
    struct hop_plan_spec spec = train_job_spec(o, t);
    struct hop_state state = {
        .net = t->net, .optim = t->conf.optim, .weights = t->weights, .step = m->step};
    struct watch watch = {place, x->shard->name};
    struct hop_pass pass = {
        .visit = m->visits + 1, .progress = on_progress, .progress_arg = &watch};
    double start_s = hop_clock_s();
    struct train_plan *plan;
    struct hop_json *line;
    struct hop_result r;
    int rc;

    memcpy(state.slots, t->slots, sizeof state.slots);
    pass.shuffle_key = hop_rng_key((uint64_t)t->conf.seed, m->id, HOP_FOR_SHUFFLE);
    pass.dropout_key = hop_rng_key((uint64_t)t->conf.seed, m->id, HOP_FOR_DROPOUT);
    if ((rc = place->plan_take(place, m, &spec, &state, &plan, e)))
        return rc;
    if (!(rc = hop_session_bind(&plan->session, &x->x, e))) {
        hop_log(HOP_LOG_DEBUG, "%s visit %lld on %s: plan and examples are ready", m->id,
                (long long)pass.visit, x->shard->name);
        rc = hop_session_train(&plan->session, o->passes ? o->passes : t->conf.passes, &pass,
                               &state, &r, e);
    }
    if (!rc) {
        m->visits++;
        m->iteration = m->visits / x->shard->count;
        m->step = state.step;
        m->is_diverged = r.is_diverged;
        rc = train_line(o, m, t, x->shard, &plan->session, &r, hop_clock_s() - start_s, &line,
                        digest, e);
    }
    if (!rc)
        hop_json_push(m->history, line);
    place->plan_give(place, plan, !rc);
    return rc;
}

static int
enter(struct train_place *place, struct hop_err *e)
{
    const struct train_options *o = place->options;
    const struct hop_device_ops *ops;
    int index, n, k, rc;
    char locks[64];

    if ((rc = hop_device_find(o->device, &ops, &index, e)))
        return rc;
    n = tool_device_slots(ops, index, o->threads, locks, sizeof locks);
    if ((rc = place->enter(place, locks, n, &k, e)))
        return rc;
    if (o->is_pinned && (rc = hop_slot_pin(k, (int)o->threads, e)))
        place->leave(place);
    return rc;
}

static int
visit(struct train_place *place, struct hop_model *m, struct hop_training *t,
      char digest[HOP_DIGEST_LEN + 1], struct hop_err *e)
{
    const char *path = place->options->shard;
    const struct hop_shard *shard;
    struct tool_examples x;
    int rc;

    if ((rc = place->shard_take(place, path, &shard, e)))
        return rc;
    if (!(rc = tool_examples_of(shard, path, m, t, &x, e))) {
        if (strcmp(shard->split, "train"))
            tool_warn("%s: training on a shard of split \"%s\"", path, shard->split);
        if (!(rc = enter(place, e))) {
            rc = train(place, m, t, &x, digest, e);
            place->leave(place);
        }
        tool_examples_close(&x);
    }
    place->shard_give(place, shard);
    return rc;
}

/* ---- 4 the job ---- */

/* *in: as read_model has it, or NULL. */
static int
begin(struct train_place *place, int in_fd, struct hop_model *m, struct hop_st_input **in,
      struct hop_training *t, struct hop_err *e)
{
    int rc;

    *in = NULL;
    if (place->options->is_init)
        return make_model(place->options, in_fd, m, t, e);
    if ((rc = read_model(place, in_fd, m, in, e)))
        return rc;
    if ((rc = place->training_take(place, m, t, e))) {
        hop_model_clear(m);
        place->input_give(place, *in);
    }
    return rc;
}

int
train_job_input(const struct train_options *o, int in_fd, struct hop_model *m,
                struct hop_training *t, struct hop_err *e)
{
    struct train_place place = cold_place;
    struct hop_st_input *in;
    int rc;

    place.options = o;
    if (!(rc = begin(&place, in_fd, m, &in, t, e)) && in) {
        m->bytes = in->bytes;
        free(in);
    }
    return rc;
}

int
train_job_run(const struct train_options *o, int in_fd, int out_fd, struct train_place *place,
              struct hop_err *e)
{
    struct train_place own = cold_place;
    struct hop_training t;
    struct hop_model m;
    struct hop_st_input *in;
    char digest[HOP_DIGEST_LEN + 1] = "";
    int rc;

    place = place ? place : &own;
    place->options = o;
    if ((rc = begin(place, in_fd, &m, &in, &t, e)))
        return rc;
    if (o->shard && !m.is_diverged)
        rc = visit(place, &m, &t, digest, e);
    if (!rc)
        rc = hop_training_write(out_fd, "stdout", &m, &t, *digest ? digest : NULL, e);
    if (in)
        place->training_give(place, &t, !rc);
    else
        hop_training_clear(&t);
    hop_model_clear(&m);
    if (in)
        place->input_give(place, in);
    tool_progress_end();
    return rc;
}

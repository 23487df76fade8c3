#include "schedule/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/model.h"
#include "net/net.h"
#include "net/zoo.h"
#include "run/mark.h"
#include "run/parent.h"
#include "run/runlog.h"
#include "schedule/costs.h"

/* Without any visit to go by: what one core of a small machine gives. */
static const double nominal_flops_per_s = 2e10;
/* Training is forward, and twice that back. */
static const double train_per_forward = 3;

/* What is reckoned per config beside its task. */
struct cost {
    double flops; /* of training, per example of a shard */
    double eval_s, eval_examples; /* sums over the evaluations it had */
};

struct reading {
    const struct hop_tasks_in *in;
    struct hop_configs listed; /* RUN/configs.jsonl */
    size_t n_unlisted;
    struct hop_tasks *out;
    struct cost *costs; /* [configs->n] */
    size_t *of;         /* [out->n] which of them a task is */
    struct hop_cost_sample *samples;
    size_t n_samples, cap;
};

/* ---- 1 costs ---- */

/* The visits that config number i has had. */
static int
add_costs(struct reading *r, const struct hop_json *history, size_t i, struct hop_err *e)
{
    const struct hop_shard_list *data = r->in->data;
    const struct hop_json *line;
    const char *shard, *worker;
    double wall_s;
    long at, w;
    size_t k;

    for (k = 0; k < hop_json_len(history); k++) {
        line = hop_json_at(history, k);
        wall_s = hop_json_real(hop_json_get(line, "wall_s"));
        shard = hop_json_str(hop_json_get(line, "shard"));
        worker = hop_json_str(hop_json_get(line, "worker"));
        at = shard ? hop_shard_list_find(data, shard) : -1;
        if (hop_record_is(line, "train/1") && at >= 0 && wall_s > 0) {
            if (hop_grow(&r->samples, &r->cap, r->n_samples + 1, sizeof *r->samples, e))
                return HOP_ENOMEM;
            w = worker ? hop_workers_find(r->in->workers, worker) : -1;
            r->samples[r->n_samples++] = (struct hop_cost_sample){
                i, w < 0 ? r->in->workers->n : (size_t)w, (double)data->v[at].examples, wall_s};
        } else if (hop_record_is(line, "eval/1")) {
            r->costs[i].eval_s += wall_s;
            r->costs[i].eval_examples += hop_json_real(hop_json_get(line, "examples"));
        }
    }
    return HOP_OK;
}

/* FLOPs, and how large the model is about: its weights and one slot of the optimizer. */
static int
count_flops(const struct hop_json *architecture, const struct hop_json *config, const char *where,
            struct cost *c, double *bytes, struct hop_err *e)
{
    struct hop_net *net;
    int64_t passes = 1;
    int rc;

    if ((rc = hop_json_get_int(config, "passes", false, 1, 1e6, where, &passes, e)) ||
        (rc = hop_net_parse(architecture, where, &net, e)))
        return rc;
    c->flops = net->flops * train_per_forward * (double)passes;
    *bytes = 8.0 * (double)net->n_params;
    hop_net_free(net);
    return HOP_OK;
}

/* Seconds per example: from the visits of all configs and workers together (costs.h). */
static int
set_costs(struct reading *r, struct hop_err *e)
{
    size_t i, n = r->in->configs->n;
    struct hop_costs fit = {.samples = r->samples, .n = r->n_samples, .n_tasks = n,
                            .n_workers = r->in->workers->n, .speed = r->out->speed};
    double *flops = hop_alloc(n, sizeof *flops, e);
    struct hop_sched_task *t;
    struct cost *c;
    int rc;

    fit.flops = flops;
    fit.train_s = hop_alloc(n, sizeof *fit.train_s, e);
    for (i = 0; i < r->in->workers->n; i++)
        fit.speed[i] = r->in->workers->v[i].speed;
    for (i = 0; i < n && flops; i++)
        flops[i] = r->costs[i].flops;
    rc = flops && fit.train_s ? hop_costs_fit(&fit, nominal_flops_per_s, e) : HOP_ENOMEM;
    r->out->is_measured = fit.flops_per_s > 0;
    r->out->flops_per_s = r->out->is_measured ? fit.flops_per_s : nominal_flops_per_s;
    for (i = 0; i < r->out->n && !rc; i++) {
        t = &r->out->v[i];
        c = &r->costs[r->of[i]];
        t->train_s = fit.train_s[r->of[i]];
        t->eval_s = c->eval_examples > 0 && c->eval_s > 0 ? c->eval_s / c->eval_examples
                                                          : t->train_s / train_per_forward;
    }
    free(flops);
    free(fit.train_s);
    return rc;
}

/* ---- 2 what is left ---- */

/* Which numbers each worker made: of lines that name it, the last counts. */
static void
add_numerics(struct hop_json *numerics, const struct hop_json *history)
{
    const struct hop_json *line;
    const char *worker, *fingerprint;
    size_t k;

    for (k = 0; k < hop_json_len(history); k++) {
        line = hop_json_at(history, k);
        worker = hop_json_str(hop_json_get(line, "worker"));
        fingerprint = hop_json_str(hop_json_get(line, "fingerprint"));
        if (hop_record_is(line, "train/1") && worker && fingerprint)
            hop_json_set_str(numerics, worker, fingerprint);
    }
}

/* The shards of the iteration under way that the model has seen, as its history has them. */
static void
set_seen(const struct hop_tasks_in *in, const struct hop_model *m, struct hop_sched_task *t,
         char *seen)
{
    int64_t p = (int64_t)in->data->n_train, visit;
    const struct hop_json *line;
    const char *shard;
    size_t i;
    long at;

    for (i = 0; i < hop_json_len(m->history); i++) {
        line = hop_json_at(m->history, i);
        visit = hop_json_int(hop_json_get(line, "visit"));
        shard = hop_json_str(hop_json_get(line, "shard"));
        if (!hop_record_is(line, "train/1") || visit <= t->visits / p * p || !shard)
            continue;
        at = hop_shard_list_find(in->data, shard);
        if (at >= 0 && (size_t)at < in->data->n_train)
            seen[at] = 1;
    }
    t->seen = seen;
}

/* The shard after the last one; the first one is given by the place. */
static int
set_next_shard(const struct hop_tasks_in *in, const struct hop_model *m, const char *path,
               struct hop_sched_task *t, struct hop_err *e)
{
    const struct hop_json *last = hop_model_last_train(m);
    const char *shard = hop_json_str(hop_json_get(last, "shard"));
    long at;

    if (!shard) {
        t->next_shard = hop_cyclic_shard(t->place, t->visits + 1, in->data->n_train);
        return HOP_OK;
    }
    at = hop_shard_list_find(in->data, shard);
    if (at < 0 || (size_t)at >= in->data->n_train)
        return hop_fail(e, HOP_EFORMAT, path, "is this the --data it was trained on?",
                        "was last trained on \"%s\", which the data have not", shard);
    t->next_shard = (size_t)(at + 1) % in->data->n_train;
    return HOP_OK;
}

/* Mark what is to be evaluated of the present state; *n = how many shards. When all parts are in
 * the log but were not merged, one is asked for again: its visit merges them. */
static int
set_eval_todo(const struct hop_tasks_in *in, const struct hop_model *m, struct hop_sched_task *t,
              char *todo, size_t *n, struct hop_err *e)
{
    struct hop_json *lines;
    struct hop_mark mark;
    char *path;
    size_t i, last = 0;
    bool is_open = false;
    int rc;

    *n = 0;
    if (!t->visits || t->visits % (int64_t)in->data->n_train ||
        !hop_eval_is_due(m->iteration, t->until, in->eval_every))
        return HOP_OK;
    if (!(path = hop_run_path(in->run, "log.jsonl", e)))
        return HOP_ENOMEM;
    hop_mark_peek(in->run, t->id, &mark);
    rc = hop_runlog_of(path, t->id, hop_mark_since(&mark, path, m), &lines, e);
    free(path);
    for (i = 0; i < in->data->n && !rc; i++) {
        if (!in->is_eval[i] || hop_eval_find(m->history, m->iteration, in->data->v[i].split, NULL))
            continue;
        is_open = true;
        last = i;
        todo[i] = !hop_eval_find(lines, m->iteration, in->data->v[i].split, in->data->v[i].name);
        *n += (size_t)todo[i];
    }
    if (is_open && !*n)
        *n = (size_t)(todo[last] = 1);
    hop_json_free(lines);
    return rc;
}

/* A config without model file begins with no visit, or with those of its parent and that state's
 * evaluations. */
static int
plan_birth(const struct hop_tasks_in *in, const struct hop_json *config, struct hop_sched_task *t,
           char *todo, struct hop_err *e)
{
    const char *parent;
    int64_t iteration;
    size_t i;
    int rc = hop_parent_of(config, in->where, &parent, &iteration, e);

    if (rc)
        return rc;
    if (parent) {
        t->visits = iteration * (int64_t)in->data->n_train;
        for (i = 0; i < in->data->n && hop_eval_is_due(iteration, t->until, in->eval_every); i++)
            todo[i] = in->is_eval[i];
    }
    t->next_shard = hop_cyclic_shard(t->place, t->visits + 1, in->data->n_train);
    return HOP_OK;
}

/* Look at the model file; *is_left = is there anything to do? */
static int
read_model(struct reading *r, const struct hop_json *config, struct hop_sched_task *t,
           size_t i, char *todo, bool *is_left, struct hop_err *e)
{
    const struct hop_tasks_in *in = r->in;
    char *seen = r->out->seen + r->out->n * in->data->n_train;
    struct hop_model m;
    struct stat st;
    const char *key;
    char *path = hop_run_model(in->run, t->id, e);
    size_t n_todo;
    int rc;

    if (!path)
        return HOP_ENOMEM;
    if ((rc = hop_model_open(path, false, &m, e))) {
        free(path);
        return rc;
    }
    t->is_born = true;
    t->visits = m.visits;
    if ((key = hop_config_differs(m.config, config)))
        rc = hop_fail(e, HOP_EFORMAT, path, "take a new id or another run folder",
                      "the config of \"%s\" was changed: \"%s\" differs", t->id, key);
    else if (!(rc = set_next_shard(in, &m, path, t, e)) &&
             !(rc = set_eval_todo(in, &m, t, todo, &n_todo, e)) &&
             !(rc = count_flops(m.architecture, m.config, path, &r->costs[i], &t->bytes, e)) &&
             !(rc = add_costs(r, m.history, i, e))) {
        if (!stat(path, &st))
            t->bytes = (double)st.st_size;
        memset(seen, 0, in->data->n_train);
        set_seen(in, &m, t, seen);
        *is_left = !m.is_diverged &&
                   (n_todo || t->visits < t->until * (int64_t)in->data->n_train);
        if (*is_left)
            add_numerics(r->out->numerics, m.history);
        r->out->n_diverged += m.is_diverged;
        r->out->n_done += !*is_left && !m.is_diverged;
    }
    hop_model_clear(&m);
    free(path);
    return rc;
}

static bool
has_model(const struct hop_tasks_in *in, const char *id)
{
    struct hop_err e = {0};
    char *path = in->run ? hop_run_model(in->run, id, &e) : NULL;
    bool is_there = path && access(path, F_OK) == 0;

    free(path);
    return is_there;
}

/* Config number i of the batch. */
static int
read_one(struct reading *r, size_t i, struct hop_err *e)
{
    const struct hop_tasks_in *in = r->in;
    const struct hop_json *config = in->configs->v[i], *listed;
    struct hop_sched_task t = {.id = hop_json_str(hop_json_get(config, "id")), .until = 1};
    struct hop_json *architecture;
    char *todo = r->out->eval_todo + r->out->n * in->data->n;
    const char *key;
    bool is_left = true;
    int rc;

    if ((rc = hop_json_get_int(config, "until", false, 0, 1e9, in->where, &t.until, e)))
        return rc;
    if (in->iterations)
        t.until = in->iterations;
    listed = hop_configs_find(&r->listed, t.id, &t.place);
    if (!listed)
        t.place = r->listed.n + r->n_unlisted++;
    else if ((key = hop_config_differs(listed, config)))
        return hop_fail(e, HOP_EFORMAT, in->where, "take a new id or another run folder",
                        "id \"%s\" is in %s/configs.jsonl with another \"%s\"", t.id, in->run, key);
    if (has_model(in, t.id)) {
        if ((rc = read_model(r, config, &t, i, todo, &is_left, e)))
            return rc;
    } else {
        if ((rc = plan_birth(in, config, &t, todo, e)) ||
            (rc = hop_zoo_find(config, in->nets_dir, t.id, &architecture, e)))
            return rc;
        rc = count_flops(architecture, config, t.id, &r->costs[i], &t.bytes, e);
        hop_json_free(architecture);
        if (rc)
            return rc;
    }
    if (!is_left) {
        memset(todo, 0, in->data->n);
        return HOP_OK;
    }
    if (in->ahead && t.until > t.visits / (int64_t)in->data->n_train + in->ahead)
        t.until = t.visits / (int64_t)in->data->n_train + in->ahead;
    t.eval_todo = todo;
    r->of[r->out->n] = i;
    r->out->configs[r->out->n] = config;
    r->out->v[r->out->n++] = t;
    return HOP_OK;
}

int
hop_tasks_read(const struct hop_tasks_in *in, struct hop_tasks *t, struct hop_err *e)
{
    struct reading r = {.in = in, .out = t};
    size_t i, n = in->configs->n;
    int rc = HOP_OK;

    *t = (struct hop_tasks){0};
    t->v = hop_alloc(n, sizeof *t->v, e);
    t->configs = hop_alloc(n, sizeof *t->configs, e);
    t->eval_todo = hop_alloc(n + 1, in->data->n, e);
    t->seen = hop_alloc(n + 1, in->data->n_train, e);
    t->numerics = hop_json_object();
    t->speed = hop_alloc(in->workers->n, sizeof *t->speed, e);
    r.costs = hop_alloc(n, sizeof *r.costs, e);
    r.of = hop_alloc(n, sizeof *r.of, e);
    if (!t->v || !t->configs || !t->eval_todo || !t->seen || !t->speed || !r.costs || !r.of)
        rc = HOP_ENOMEM;
    if (!rc && in->run)
        rc = hop_configs_load(in->run, &r.listed, e);
    for (i = 0; i < n && !rc; i++)
        rc = read_one(&r, i, e);
    if (!rc)
        rc = set_costs(&r, e);
    if (rc)
        hop_tasks_clear(t);
    free(r.costs);
    free(r.of);
    free(r.samples);
    hop_configs_clear(&r.listed);
    return rc;
}

void
hop_tasks_clear(struct hop_tasks *t)
{
    free(t->v);
    free(t->configs);
    free(t->eval_todo);
    free(t->seen);
    free(t->speed);
    hop_json_free(t->numerics);
    *t = (struct hop_tasks){0};
}

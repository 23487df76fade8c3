#include "scene.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "schedule/replay.h"
#include "tool.h"

/* The batch: config lines from stdin, or those of RUN that the visit lines on stdin name. */
static int
read_input(const struct tool_scene_options *o, struct tool_scene *s, struct hop_err *e)
{
    struct hop_configs listed = {0};
    int rc;

    rc = hop_replay_read(STDIN_FILENO, "stdin", &s->configs, &s->visits, &s->has_barriers, e);
    if (rc || !s->visits)
        return rc;
    if (o->run)
        rc = hop_configs_load(o->run, &listed, e);
    if (!rc)
        rc = hop_replay_configs(s->visits, &listed, "stdin", &s->configs, e);
    hop_configs_clear(&listed);
    return rc;
}

/* The data folder's shards; simulated: as many as workers, of as many examples. */
static int
read_shards(const struct tool_scene_options *o, struct tool_scene *s, struct hop_err *e)
{
    struct hop_shard_list data = {0};
    int64_t n[2] = {o->data ? 0 : o->examples, 0};
    size_t i;
    int rc;

    if (o->data && (rc = hop_shard_list_read(o->data, &data, e)))
        return rc;
    if (!o->is_simulated) {
        s->data = data;
        return HOP_OK;
    }
    for (i = 0; i < data.n; i++)
        n[i >= data.n_train] += data.v[i].examples;
    rc = hop_shard_list_invent(s->workers.n, n[0], n[1], &s->data, e);
    hop_shard_list_clear(&data);
    return rc;
}

/* Where shards lie, and which are evaluated on: val; train too when asked, or when there is no val.
 * Visit lines say that themselves. */
static int
make_shards(const struct tool_scene_options *o, struct tool_scene *s, struct hop_err *e)
{
    bool is_train_too =
        o->want_eval_train || (o->data && s->data.n == s->data.n_train) || s->visits;
    size_t i;
    int rc;

    s->shards = hop_alloc(s->data.n, sizeof *s->shards, e);
    s->is_eval = hop_alloc(s->data.n, sizeof *s->is_eval, e);
    if (!s->shards || !s->is_eval)
        return HOP_ENOMEM;
    if ((rc = hop_workers_place(&s->workers, &s->data, o->is_simulated ? NULL : o->data, &s->place,
                                e)))
        return rc;
    for (i = 0; i < s->data.n; i++) {
        s->is_eval[i] = i >= s->data.n_train || is_train_too;
        s->shards[i] = (struct hop_sched_shard){
            s->data.v[i].name, s->data.v[i].examples, s->place.worker + s->place.first[i],
            s->place.first[i + 1] - s->place.first[i], s->is_eval[i]};
    }
    return HOP_OK;
}

static int
read_tasks(const struct tool_scene_options *o, struct tool_scene *s, struct hop_err *e)
{
    struct hop_str nets = {0};
    struct hop_tasks_in in = {.configs = &s->configs, .run = o->run, .data = &s->data,
                              .workers = &s->workers, .where = "stdin",
                              .iterations = o->iterations, .ahead = o->ahead, .is_eval = s->is_eval,
                              .eval_every = s->visits ? 1 : o->eval_every};
    int rc;

    hop_str_addf(&nets, "%s/nets", tool_share_dir());
    if (!(rc = hop_str_check(&nets, e))) {
        in.nets_dir = o->nets ? o->nets : nets.s;
        rc = hop_tasks_read(&in, &s->tasks, e);
    }
    hop_str_clear(&nets);
    if (!rc && o->replay)
        rc = hop_orders_read(o->replay, &s->data, o->want_order, &s->tasks, &s->orders, e);
    return rc;
}

/* Seconds that ssh or srun takes, besides the model's way. */
static const double ssh_s = 0.1;

static int
make_workers(struct tool_scene *s, struct hop_err *e)
{
    const struct hop_worker *w;
    size_t i;

    if (!(s->places = hop_alloc(s->workers.n, sizeof *s->places, e)))
        return HOP_ENOMEM;
    for (i = 0; i < s->workers.n; i++) {
        w = &s->workers.v[i];
        s->places[i] = (struct hop_sched_worker){(size_t)w->n_slots, s->tasks.speed[i],
                                                 w->bytes_per_s > 0 ? 1 / w->bytes_per_s : 0,
                                                 hop_worker_is_far(w) ? ssh_s : 0};
    }
    return HOP_OK;
}

int
tool_scene_read(const struct tool_scene_options *o, struct tool_scene *s, struct hop_err *e)
{
    int rc;

    *s = (struct tool_scene){0};
    /* A missing data folder is told before anything else. */
    if (!o->is_simulated && (rc = read_shards(o, s, e)))
        return rc;
    if ((rc = hop_workers_read(o->workers, &s->workers, e)) ||
        (o->is_simulated && (rc = read_shards(o, s, e))) || (rc = read_input(o, s, e)) ||
        (rc = make_shards(o, s, e)) || (rc = read_tasks(o, s, e)) || (rc = make_workers(s, e)))
        return rc;
    s->in = (struct hop_sched_in){.tasks = s->tasks.v, .n_tasks = s->tasks.n, .shards = s->shards,
                                  .n_shards = s->data.n, .n_train = s->data.n_train,
                                  .workers = s->places, .n_workers = s->workers.n,
                                  .eval_every = o->eval_every};
    return HOP_OK;
}

void
tool_scene_clear(struct tool_scene *s)
{
    hop_orders_clear(&s->orders);
    hop_tasks_clear(&s->tasks);
    hop_placement_clear(&s->place);
    hop_workers_clear(&s->workers);
    hop_shard_list_clear(&s->data);
    hop_configs_clear(&s->configs);
    hop_json_free(s->visits);
    free(s->shards);
    free(s->is_eval);
    free(s->places);
    *s = (struct tool_scene){0};
}

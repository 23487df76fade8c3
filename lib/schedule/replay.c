#include "schedule/replay.h"

#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "run/runlog.h"

/* One line of the input to where it belongs. */
static int
take_line(struct hop_json *take, const char *where, struct hop_configs *configs,
          struct hop_json **visits, bool *has_barriers, struct hop_err *e)
{
    int rc = HOP_OK;

    if (hop_record_is(take, "visit/1")) {
        if (!*visits)
            *visits = hop_json_array();
        hop_json_push(*visits, take);
    } else if (hop_record_is(take, "plan/1")) {
        *has_barriers = hop_json_bool(hop_json_get(take, "barriers"));
        hop_json_free(take);
    } else if ((rc = hop_configs_add(configs, take, where, e))) {
        hop_json_free(take);
    }
    if (!rc && *visits && configs->n)
        rc = hop_fail(e, HOP_EFORMAT, where, "give one or the other",
                      "config lines and visit lines are mixed");
    return rc;
}

int
hop_replay_read(int fd, const char *where, struct hop_configs *configs, struct hop_json **visits,
                bool *has_barriers, struct hop_err *e)
{
    struct hop_jsonl *r = hop_jsonl_open(fd, where, e);
    struct hop_json *line;
    int rc;

    *visits = NULL;
    *has_barriers = false;
    if (!r)
        return HOP_EIO;
    while (!(rc = hop_jsonl_next(r, &line, e)))
        if ((rc = take_line(line, hop_jsonl_place(r), configs, visits,
                            has_barriers, e)))
            break;
    hop_jsonl_close(r);
    return rc == HOP_EOF ? HOP_OK : rc;
}

static const char *
id_of(const struct hop_json *visits, size_t i)
{
    const char *id = hop_json_str(hop_json_get(hop_json_at(visits, i), "id"));

    return id ? id : "";
}

int
hop_replay_configs(const struct hop_json *visits, const struct hop_configs *listed,
                   const char *where, struct hop_configs *configs, struct hop_err *e)
{
    size_t i, place, n = hop_json_len(visits);
    bool *is_named = calloc(listed->n + 1, sizeof *is_named);
    int rc = is_named ? HOP_OK : hop_fail(e, HOP_ENOMEM, NULL, NULL, "out of memory");

    for (i = 0; i < n && !rc; i++) {
        if (hop_configs_find(listed, id_of(visits, i), &place))
            is_named[place] = true;
        else
            rc = hop_fail(e, HOP_EFORMAT, where, "visit lines need --run with their configs",
                          "no config has the id \"%s\"", id_of(visits, i));
    }
    for (i = 0; i < listed->n && !rc; i++)
        if (is_named[i])
            rc = hop_configs_add(configs, hop_json_copy(listed->v[i]), where, e);
    free(is_named);
    return rc;
}

static long
find_task(const struct hop_sched_in *in, const char *id)
{
    size_t i;

    for (i = 0; i < in->n_tasks; i++)
        if (!strcmp(in->tasks[i].id, id))
            return (long)i;
    return -1;
}

static int
find_names(const struct hop_json *j, const struct hop_sched_in *in,
           const struct hop_workers *workers, const char *where, struct hop_sched_visit *v,
           struct hop_err *e)
{
    const char *shard = NULL, *worker = NULL;
    long at;
    int rc;

    if ((rc = hop_json_get_str(j, "shard", true, where, &shard, e)) ||
        (rc = hop_json_get_str(j, "worker", true, where, &worker, e)))
        return rc;
    for (v->shard = 0; v->shard < in->n_shards; v->shard++)
        if (!strcmp(in->shards[v->shard].name, shard))
            break;
    if (v->shard == in->n_shards)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "the data have no shard \"%s\"", shard);
    if ((at = hop_workers_find(workers, worker)) < 0)
        return hop_fail(e, HOP_EFORMAT, where, "give the same --workers",
                        "there is no worker \"%s\"", worker);
    v->worker = (uint32_t)at;
    return HOP_OK;
}

/* Add the visit unless it is done. */
static int
add_line(const struct hop_json *j, const struct hop_sched_in *in,
         const struct hop_workers *workers, const char *where, struct hop_sched *plan,
         struct hop_err *e)
{
    struct hop_sched_visit v = {0};
    const struct hop_sched_task *t;
    const char *id = NULL, *task = "train";
    long at;
    int rc;

    if ((rc = hop_json_get_str(j, "id", true, where, &id, e)) ||
        (rc = hop_json_get_str(j, "task", false, where, &task, e)))
        return rc;
    if (!strcmp(task, "init") || (at = find_task(in, id)) < 0)
        return HOP_OK;
    t = &in->tasks[at];
    v.task = (uint32_t)at;
    v.is_eval = !strcmp(task, "eval");
    if ((rc = find_names(j, in, workers, where, &v, e)) ||
        (rc = hop_json_get_int(j, "visit", true, 1, 1e15, where, &v.visit, e)) ||
        (rc = hop_json_get_int(j, "iteration", true, 1, 1e15, where, &v.iteration, e)) ||
        (rc = hop_json_get_int(j, "subepoch", true, 1, 1e15, where, &v.subepoch, e)) ||
        (rc = hop_json_get_real(j, "expect_s", false, 0, 1e15, where, &v.expect_s, e)))
        return rc;
    if (v.is_eval ? v.visit < t->visits || (v.visit == t->visits && !t->eval_todo[v.shard])
                  : v.visit <= t->visits)
        return HOP_OK;
    return hop_sched_add(plan, &v, e);
}

int
hop_replay_plan(const struct hop_json *visits, bool has_barriers, const struct hop_sched_in *in,
                const struct hop_workers *workers, const char *where, struct hop_sched *plan,
                struct hop_err *e)
{
    size_t i;
    int rc = HOP_OK;

    *plan = (struct hop_sched){.has_barriers = has_barriers};
    for (i = 0; i < hop_json_len(visits) && !rc; i++)
        rc = add_line(hop_json_at(visits, i), in, workers, where, plan, e);
    if (!rc && !(rc = hop_sched_check(in, plan, e)))
        rc = hop_sched_reckon(in, plan, e);
    if (rc)
        hop_sched_clear(plan);
    return rc;
}

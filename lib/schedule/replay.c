#include "schedule/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/json.h"
#include "run/runlog.h"
#include "schedule/names.h"

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
    struct hop_names ids;
    size_t i, n = hop_json_len(visits);
    bool *is_named = hop_alloc(listed->n, sizeof *is_named, e);
    int rc = hop_names_init(&ids, listed->n, e);
    long place;

    rc = is_named ? rc : HOP_ENOMEM;
    for (i = 0; i < listed->n && !rc; i++)
        hop_names_add(&ids, hop_json_str(hop_json_get(listed->v[i], "id")));
    hop_names_sort(&ids);
    for (i = 0; i < n && !rc; i++) {
        if ((place = hop_names_find(&ids, id_of(visits, i))) >= 0)
            is_named[place] = true;
        else
            rc = hop_fail(e, HOP_EFORMAT, where, "visit lines need --run with their configs",
                          "no config has the id \"%s\"", id_of(visits, i));
    }
    for (i = 0; i < listed->n && !rc; i++)
        if (is_named[i])
            rc = hop_configs_add(configs, hop_json_copy(listed->v[i]), where, e);
    hop_names_clear(&ids);
    free(is_named);
    return rc;
}

/* What visit lines may name. */
struct known {
    struct hop_names tasks, shards, workers;
};

static int
know(const struct hop_sched_in *in, const struct hop_workers *workers, struct known *known,
     struct hop_err *e)
{
    size_t i;

    if (hop_names_init(&known->tasks, in->n_tasks, e) ||
        hop_names_init(&known->shards, in->n_shards, e) ||
        hop_names_init(&known->workers, workers->n, e))
        return HOP_ENOMEM;
    for (i = 0; i < in->n_tasks; i++)
        hop_names_add(&known->tasks, in->tasks[i].id);
    for (i = 0; i < in->n_shards; i++)
        hop_names_add(&known->shards, in->shards[i].name);
    for (i = 0; i < workers->n; i++)
        hop_names_add(&known->workers, workers->v[i].name);
    hop_names_sort(&known->tasks);
    hop_names_sort(&known->shards);
    hop_names_sort(&known->workers);
    return HOP_OK;
}

static void
forget(struct known *known)
{
    hop_names_clear(&known->tasks);
    hop_names_clear(&known->shards);
    hop_names_clear(&known->workers);
}

static int
find_names(const struct hop_json *j, const struct known *known, const char *where,
           struct hop_sched_visit *v, struct hop_err *e)
{
    const char *shard = NULL, *worker = NULL;
    long at;
    int rc;

    if ((rc = hop_json_get_str(j, "shard", true, where, &shard, e)) ||
        (rc = hop_json_get_str(j, "worker", true, where, &worker, e)))
        return rc;
    if ((at = hop_names_find(&known->shards, shard)) < 0)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "the data have no shard \"%s\"", shard);
    v->shard = (uint32_t)at;
    if ((at = hop_names_find(&known->workers, worker)) < 0)
        return hop_fail(e, HOP_EFORMAT, where, "give the same --workers",
                        "there is no worker \"%s\"", worker);
    v->worker = (uint32_t)at;
    return HOP_OK;
}

/* Add the visit unless it is done. */
static int
add_line(const struct hop_json *j, const struct hop_sched_in *in, const struct known *known,
         const char *where, struct hop_sched *plan, struct hop_err *e)
{
    struct hop_sched_visit v = {0};
    const struct hop_sched_task *t;
    const char *id = NULL, *task = "train";
    long at;
    int rc;

    if ((rc = hop_json_get_str(j, "id", true, where, &id, e)) ||
        (rc = hop_json_get_str(j, "task", false, where, &task, e)))
        return rc;
    if (!strcmp(task, "init") || (at = hop_names_find(&known->tasks, id)) < 0)
        return HOP_OK;
    t = &in->tasks[at];
    v.task = (uint32_t)at;
    v.is_eval = !strcmp(task, "eval");
    if ((rc = find_names(j, known, where, &v, e)) ||
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
    struct known known = {{0}, {0}, {0}};
    size_t i;
    int rc = know(in, workers, &known, e);

    *plan = (struct hop_sched){.has_barriers = has_barriers};
    for (i = 0; i < hop_json_len(visits) && !rc; i++)
        rc = add_line(hop_json_at(visits, i), in, &known, where, plan, e);
    forget(&known);
    if (!rc && !(rc = hop_sched_check(in, plan, e)))
        rc = hop_sched_reckon(in, plan, e);
    if (rc)
        hop_sched_clear(plan);
    return rc;
}

#include "schedule/orders.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "format/json.h"
#include "run/runlog.h"
#include "schedule/names.h"

/* One line of the file that is about a task. */
struct row {
    size_t task;
    int64_t visit;
    uint32_t shard;
    double line;
};

struct rows {
    struct row *v;
    size_t n, cap;
};

/* What lines may name. */
struct known {
    struct hop_names tasks, shards; /* of shards those to train on */
};

static int
by_visit(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    if (x->visit != y->visit)
        return x->visit < y->visit ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int
add_line(const struct hop_json *j, const struct known *known, double line, const char *where,
         struct rows *rows, struct hop_err *e)
{
    struct row row = {.line = line};
    const char *id = NULL, *task = "train", *shard = NULL;
    long at, at_shard;
    int rc;

    if (!hop_record_is(j, "train/1") && !hop_record_is(j, "visit/1"))
        return HOP_OK;
    if ((rc = hop_json_get_str(j, "id", true, where, &id, e)) ||
        (rc = hop_json_get_str(j, "task", false, where, &task, e)))
        return rc;
    if ((at = hop_names_find(&known->tasks, id)) < 0 || strcmp(task, "train"))
        return HOP_OK;
    if ((rc = hop_json_get_int(j, "visit", true, 1, 1e15, where, &row.visit, e)) ||
        (rc = hop_json_get_str(j, "shard", true, where, &shard, e)))
        return rc;
    if ((at_shard = hop_names_find(&known->shards, shard)) < 0)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "the data have no train shard \"%s\"", shard);
    row.task = (size_t)at;
    row.shard = (uint32_t)at_shard;
    if (hop_grow(&rows->v, &rows->cap, rows->n + 1, sizeof *rows->v, e))
        return HOP_ENOMEM;
    rows->v[rows->n++] = row;
    return HOP_OK;
}

static int
read_rows(const char *path, const struct known *known, struct rows *rows, struct hop_err *e)
{
    struct hop_jsonl *r;
    struct hop_json *j;
    double line = 0;
    int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return hop_fail_errno(e, path, NULL, "cannot open");
    if (!(r = hop_jsonl_open(fd, path, e))) {
        close(fd);
        return HOP_EIO;
    }
    while (!(rc = hop_jsonl_next(r, &j, e))) {
        rc = add_line(j, known, line++, hop_jsonl_place(r), rows, e);
        hop_json_free(j);
        if (rc)
            break;
    }
    hop_jsonl_close(r);
    close(fd);
    return rc == HOP_EOF ? HOP_OK : rc;
}

/* The rows of one task, [n] by visit and line: those that come next, without a gap. Of lines about
 * the same visit the last counts. */
static int
give(const struct row *rows, size_t n, bool want_shards, struct hop_orders *o,
     struct hop_sched_task *t, struct hop_err *e)
{
    size_t i, k = 0, at = rows->task;

    o->shards[at] = hop_alloc(n, sizeof **o->shards, e);
    o->ranks[at] = hop_alloc(n, sizeof **o->ranks, e);
    if (!o->shards[at] || !o->ranks[at])
        return HOP_ENOMEM;
    for (i = 0; i < n; i++) {
        if (rows[i].visit <= t->visits || (i + 1 < n && rows[i + 1].visit == rows[i].visit))
            continue;
        if (rows[i].visit != t->visits + 1 + (int64_t)k)
            break;
        o->shards[at][k] = rows[i].shard;
        o->ranks[at][k++] = rows[i].line;
    }
    t->order = want_shards ? o->shards[at] : NULL;
    t->rank = o->ranks[at];
    t->n_order = k;
    return HOP_OK;
}

static int
know(const struct hop_shard_list *data, const struct hop_tasks *tasks, struct known *known,
     struct hop_err *e)
{
    size_t i;

    if (hop_names_init(&known->tasks, tasks->n, e) ||
        hop_names_init(&known->shards, data->n_train, e))
        return HOP_ENOMEM;
    for (i = 0; i < tasks->n; i++)
        hop_names_add(&known->tasks, tasks->v[i].id);
    for (i = 0; i < data->n_train; i++)
        hop_names_add(&known->shards, data->v[i].name);
    hop_names_sort(&known->tasks);
    hop_names_sort(&known->shards);
    return HOP_OK;
}

int
hop_orders_read(const char *path, const struct hop_shard_list *data, bool want_shards,
                struct hop_tasks *tasks, struct hop_orders *o, struct hop_err *e)
{
    struct known known = {{0}, {0}};
    struct rows rows = {0};
    size_t i, end;
    int rc;

    *o = (struct hop_orders){hop_alloc(tasks->n, sizeof *o->shards, e),
                             hop_alloc(tasks->n, sizeof *o->ranks, e), tasks->n};
    rc = o->shards && o->ranks ? know(data, tasks, &known, e) : HOP_ENOMEM;
    if (!rc)
        rc = read_rows(path, &known, &rows, e);
    if (!rc && rows.n)
        qsort(rows.v, rows.n, sizeof *rows.v, by_visit);
    for (i = 0; i < rows.n && !rc; i = end) {
        for (end = i; end < rows.n && rows.v[end].task == rows.v[i].task;)
            end++;
        rc = give(rows.v + i, end - i, want_shards, o, &tasks->v[rows.v[i].task], e);
    }
    hop_names_clear(&known.tasks);
    hop_names_clear(&known.shards);
    free(rows.v);
    return rc;
}

void
hop_orders_clear(struct hop_orders *o)
{
    size_t i;

    for (i = 0; i < o->n; i++) {
        if (o->shards)
            free(o->shards[i]);
        if (o->ranks)
            free(o->ranks[i]);
    }
    free(o->shards);
    free(o->ranks);
    *o = (struct hop_orders){0};
}

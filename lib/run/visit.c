#include "run/visit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "format/model.h"
#include "run/best.h"
#include "run/filter.h"
#include "run/mark.h"
#include "run/parent.h"
#include "run/run.h"
#include "run/runlog.h"
#include "run/status.h"

enum { MAX_LINE_BYTES = 1 << 20 };

/* Contents: 1 places, 2 log and history, 3 checking a result, 4 training and birth,
 * 5 evaluation, 6 restoring */

/* ---- 1 places ---- */

struct place { /* of one id in one run */
    const char *run, *id;
    char *model, *lock, *log;
    struct hop_configs configs;
    const struct hop_json *config; /* borrowed from configs */
    int lock_fd;                   /* -1 = not held */
    int run_fd;                    /* hop_run_enter */
    /* Under the lock: */
    struct hop_mark mark;
    bool is_known;          /* what the log has of the history is known: */
    struct hop_json *lines; /* what it has of the id, or NULL where the mark says that all is there */
};

/* known: RUN's configs, where the caller has them (kept until p is closed); else NULL. */
static int
place_open(struct place *p, const char *run, const char *id, const struct hop_configs *known,
           struct hop_err *e)
{
    int rc;

    *p = (struct place){.run = run, .id = id, .lock_fd = -1, .run_fd = -1, .mark = {-1, -1}};
    if ((rc = hop_id_check(id, "--id", e)))
        return rc;
    p->model = hop_run_model(run, id, e);
    p->lock = hop_run_model_lock(run, id, e);
    p->log = hop_run_path(run, "log.jsonl", e);
    if (!p->model || !p->lock || !p->log)
        return HOP_ENOMEM;
    if (!known && (rc = hop_configs_load_one(run, id, &p->configs, e)))
        return rc;
    if (!(p->config = hop_configs_find(known ? known : &p->configs, id, NULL))) {
        char *path = hop_run_path(run, "configs.jsonl", e);

        rc = hop_fail(e, HOP_EFORMAT, path, NULL, "no config has the id \"%s\"", id);
        free(path);
    }
    return rc;
}

/* rc: how it went. Only where all went well, and the log has the whole history, is a mark left. */
static void
place_close(struct place *p, int rc)
{
    if (p->lock_fd >= 0 && !rc && p->is_known)
        hop_mark_leave(p->lock_fd, &p->mark);
    if (p->lock_fd >= 0)
        close(p->lock_fd);
    hop_json_free(p->lines);
    if (p->run_fd >= 0)
        close(p->run_fd);
    hop_configs_clear(&p->configs);
    free(p->model);
    free(p->lock);
    free(p->log);
}

/* The lock; and where the last holder came to no end, what he left is removed. */
static int
take_lock(struct place *p, bool want_wait, struct hop_err *e)
{
    char *best;
    int rc = hop_lock(p->lock, want_wait, &p->lock_fd, e);

    if (rc || hop_mark_take(p->lock_fd, &p->mark))
        return rc;
    if (!(best = hop_run_best(p->run, p->id, e)))
        return HOP_ENOMEM;
    hop_atomic_sweep(p->model);
    hop_atomic_sweep(best);
    free(best);
    return HOP_OK;
}

/* The model file (its header, or all of it). HOP_EBUSY when there is none yet. */
static int
open_model(const struct place *p, bool want_digest, struct hop_model *m, struct hop_err *e)
{
    const char *key;
    int rc;

    if (access(p->model, F_OK) < 0 && errno == ENOENT)
        return hop_fail(e, HOP_EBUSY, p->model, "visit 0 makes it", "there is no model file yet");
    if ((rc = hop_model_open(p->model, want_digest, m, e)))
        return rc;
    if (strcmp(m->id, p->id))
        rc = hop_fail(e, HOP_EFORMAT, p->model, NULL, "this is the model of \"%s\"", m->id);
    else if ((key = hop_config_differs(m->config, p->config)))
        rc = hop_fail(e, HOP_EFORMAT, p->model, "take a new id or another run folder",
                      "the config of \"%s\" was changed: \"%s\" differs from configs.jsonl", p->id,
                      key);
    if (rc)
        hop_model_clear(m);
    return rc;
}

/* ---- 2 log and history ---- */

/* Append `line` unless the log has it. */
static int
append_missing(struct place *p, const struct hop_json *line, int64_t *at, struct hop_err *e)
{
    if (hop_record_find(p->lines, line))
        return HOP_OK;
    return hop_runlog_append(p->log, line, at, e);
}

/* The same with a line of the history (or the config line before it). */
static int
append_history(struct place *p, const struct hop_json *line, struct hop_err *e)
{
    int64_t at = -1;
    int rc = append_missing(p, line, &at, e);

    if (at >= 0 && !hop_record_is(line, "eval/1"))
        p->mark.state_at = at;
    p->mark.last_at = at; /* where it was there before: to be found */
    return rc;
}

/* Append what m's history has from line `from` on, and the log has not. */
static int
extend(struct place *p, const struct hop_model *m, size_t from, struct hop_err *e)
{
    int rc = HOP_OK;

    for (; from < hop_json_len(m->history) && !rc; from++)
        rc = append_history(p, hop_json_at(m->history, from), e);
    return rc;
}

/* Bring the log up to m, the model as it is now. Lines are appended in their order, each on disk before
 * the next, so where the last one is in its place the log has them all. */
static int
restore(struct place *p, const struct hop_model *m, struct hop_err *e)
{
    size_t n = hop_json_len(m->history);
    int rc;

    p->is_known = true;
    if (hop_mark_is_last(&p->mark, p->log, m))
        return HOP_OK;
    p->mark = (struct hop_mark){-1, -1};
    hop_json_free(p->lines);
    p->lines = NULL;
    if ((rc = hop_runlog_of(p->log, p->id, 0, &p->lines, e)) ||
        (rc = append_history(p, m->config, e)) || (rc = extend(p, m, 0, e)))
        return rc;
    if (p->mark.last_at < 0)
        rc = hop_runlog_find(p->log, n ? hop_json_at(m->history, n - 1) : m->config,
                             &p->mark.last_at, e);
    return rc;
}

/* Put m with its own tensors in the model file's place, and before that, where it is the best so
 * far, in that of the best file. */
static int
rewrite(const struct place *p, const struct hop_model *m, struct hop_err *e)
{
    struct hop_atomic a;
    int rc;

    if ((rc = hop_atomic_open(&a, p->model, e)))
        return rc;
    if (!(rc = hop_model_write(a.fd, p->model, m, NULL, 0, NULL, e)) && fsync(a.fd) < 0)
        rc = hop_fail_errno(e, p->model, NULL, "cannot sync to disk");
    if (!rc && !(rc = hop_best_keep(p->run, m, a.tmp, e)))
        return hop_atomic_commit(&a, e);
    hop_atomic_abort(&a);
    return rc;
}

/* Push into `merged` each evaluation whose parts are all in the log and that m does not know. */
static int
merge_complete(const struct place *p, const struct hop_model *m, struct hop_json *merged,
               struct hop_err *e)
{
    const struct hop_json *part, *lines = p->lines;
    const char *split;
    struct hop_json *line;
    int64_t iteration;
    size_t i;
    int rc;

    for (i = 0; i < hop_json_len(lines); i++) {
        part = hop_json_at(lines, i);
        split = hop_json_str(hop_json_get(part, "split"));
        iteration = hop_json_int(hop_json_get(part, "iteration"));
        if (!hop_record_is(part, "eval/1") || !split || !hop_json_get(part, "shard") ||
            hop_eval_find(m->history, iteration, split, NULL) ||
            hop_eval_find(merged, iteration, split, NULL))
            continue;
        if ((rc = hop_eval_merge(lines, iteration, split, p->log, &line, e)))
            return rc;
        if (line)
            hop_json_push(merged, line);
    }
    return HOP_OK;
}

/* Put `merged` into the history, then into the log. */
static int
take_in(struct place *p, const struct hop_json *merged, struct hop_err *e)
{
    struct hop_model m;
    size_t i, n;
    int rc = open_model(p, true, &m, e); /* what is written anew must be known to be whole */

    if (rc)
        return rc;
    n = hop_json_len(m.history);
    for (i = 0; i < hop_json_len(merged); i++)
        hop_json_push(m.history, hop_json_copy(hop_json_at(merged, i)));
    if (!(rc = rewrite(p, &m, e)))
        rc = extend(p, &m, n, e);
    hop_model_clear(&m);
    return rc;
}

/* Under the lock: bring the log up to the model file m, append `part` (NULL: none) unless the log has
 * it, and merge what is complete. Where the mark holds, nothing but `part` can complete anything. */
static int
settle_model(struct place *p, const struct hop_model *m, const struct hop_json *part,
             struct hop_err *e)
{
    struct hop_json *merged;
    int rc = restore(p, m, e);

    if (!rc && part && !p->lines)
        rc = hop_runlog_of(p->log, p->id, hop_mark_since(&p->mark, p->log, m), &p->lines, e);
    if (!rc && part && !(rc = append_missing(p, part, NULL, e)))
        hop_json_push(p->lines, hop_json_copy(part));
    if (rc)
        return rc;
    merged = hop_json_array();
    if (!(rc = merge_complete(p, m, merged, e)))
        rc = hop_json_len(merged) ? take_in(p, merged, e)
                                  /* --best came later, or the file was lost */
                                  : hop_best_keep(p->run, m, p->model, e);
    hop_json_free(merged);
    return rc;
}

static int
settle(struct place *p, struct hop_err *e)
{
    struct hop_model m;
    int rc = open_model(p, false, &m, e);

    if (rc)
        return rc;
    rc = settle_model(p, &m, NULL, e);
    hop_model_clear(&m);
    return rc;
}

/* The step was done before: see to its log lines unless somebody else is at it. */
static int
skip(struct place *p, struct hop_visit *v, struct hop_err *e)
{
    struct hop_err busy = {0};
    int rc = HOP_OK;

    v->is_skipped = true;
    if (p->lock_fd < 0)
        rc = take_lock(p, false, &busy);
    if (rc == HOP_EBUSY)
        return HOP_OK;
    return rc ? hop_fail(e, rc, busy.where, busy.hint, "%s", busy.what) : settle(p, e);
}

/* ---- 3 checking a result ---- */

/* "c0001 visit 3 (hop-train)", for errors. */
static const char *
name_visit(const struct hop_visit *v, char *out, size_t n)
{
    snprintf(out, n, "%s %s %lld (%.150s)", v->id, v->is_eval ? "evaluation" : "visit",
             (long long)v->visit, v->filter[0]);
    return out;
}

/* Errors about the temporary speak of the filter. */
static int
blame_filter(const struct hop_visit *v, const char *tmp, int rc, const struct hop_err *from,
             struct hop_err *e)
{
    size_t n = strlen(tmp);
    struct hop_str where = {0};
    char what[300];

    hop_str_addf(&where, "output of %s%s", name_visit(v, what, sizeof what),
                 strncmp(from->where, tmp, n) ? "" : from->where + n);
    hop_fail(e, rc, hop_str_c(&where), from->hint, "%s", from->what);
    hop_str_clear(&where);
    return rc;
}

/* Does the history of `m` begin with that of `old`? */
static bool
continues(const struct hop_model *m, const struct hop_model *old)
{
    size_t i;

    for (i = 0; i < hop_json_len(old->history); i++)
        if (!hop_record_same(hop_json_at(m->history, i), hop_json_at(old->history, i)))
            return false;
    return true;
}

static int
check_train_line(const struct hop_visit *v, const struct hop_model *m, struct hop_err *e)
{
    const struct hop_json *line = hop_model_last_train(m);
    const char *shard = hop_json_str(hop_json_get(line, "shard"));

    if (!line || !hop_json_equal(line, hop_json_at(m->history, hop_json_len(m->history) - 1)))
        return hop_fail(e, HOP_EFORMAT, NULL, NULL, "the history does not end with a train/1 line");
    if (!shard || strcmp(shard, v->shard))
        return hop_fail(e, HOP_EFORMAT, NULL, NULL, "trained on shard \"%s\", should be \"%s\"",
                        shard ? shard : "", v->shard);
    if (hop_json_int(hop_json_get(line, "visit")) != v->visit)
        return hop_fail(e, HOP_EFORMAT, NULL, NULL, "its train/1 line is not of visit %lld",
                        (long long)v->visit);
    return HOP_OK;
}

/* m is what the filter made; old is what it was given, NULL at birth. */
static int
check_result(const struct hop_visit *v, const struct place *p, const struct hop_model *m,
             const struct hop_model *old, struct hop_err *e)
{
    const char *key = hop_config_differs(m->config, old ? old->config : p->config);

    if (strcmp(m->id, v->id))
        return hop_fail(e, HOP_EFORMAT, NULL, NULL, "a model of \"%s\", should be of \"%s\"", m->id,
                        v->id);
    if (key)
        return hop_fail(e, HOP_EFORMAT, NULL, NULL, "\"%s\" of the config was changed", key);
    if (m->visits != v->visit)
        return hop_fail(e, HOP_EFORMAT, NULL, NULL, "a model of %lld visits, should be %lld",
                        (long long)m->visits, (long long)v->visit);
    if (!old)
        return HOP_OK;
    if (hop_json_len(m->history) != hop_json_len(old->history) + 1 || !continues(m, old))
        return hop_fail(e, HOP_EFORMAT, NULL, NULL, "the history is not the old one and a line");
    return check_train_line(v, m, e);
}

/* ---- 4 training and birth ---- */

/* Run the filter into `a`, check what came, and leave the model read from it in m. */
static int
run_filter(struct hop_visit *v, const struct place *p, const struct hop_model *old,
           int in_fd, struct hop_atomic *a, struct hop_model *m, struct hop_err *e)
{
    struct hop_err one = {0};
    char what[300];
    int rc;

    double start_s = hop_clock_s();

    v->is_tried = true;
    rc = hop_filter_run(v->filter, name_visit(v, what, sizeof what), in_fd, a->fd, e);
    v->filter_s = hop_clock_s() - start_s;
    if (rc)
        return rc;
    start_s = hop_clock_s();
    if ((rc = hop_model_open(a->tmp, true, m, &one)))
        return blame_filter(v, a->tmp, rc, &one, e);
    if ((rc = check_result(v, p, m, old, &one))) {
        hop_model_clear(m);
        return blame_filter(v, a->tmp, rc, &one, e);
    }
    v->check_s = hop_clock_s() - start_s;
    return HOP_OK;
}

/* What the filter made at a birth is in `a` and m: where its config names a parent, put the parent's
 * state in their place. */
static int
inherit(const struct place *p, struct hop_atomic *a, struct hop_model *m, struct hop_err *e)
{
    struct hop_atomic fresh = *a;
    const char *parent;
    int64_t iteration;
    int rc = hop_parent_of(m->config, p->model, &parent, &iteration, e);

    if (rc || !parent)
        return rc;
    if ((rc = hop_atomic_open(a, p->model, e))) {
        *a = fresh;
        return rc;
    }
    rc = hop_parent_write(p->run, m, a->fd, a->tmp, e);
    hop_model_clear(m);
    hop_atomic_abort(&fresh);
    return rc ? rc : hop_model_open(a->tmp, true, m, e);
}

/* Run, check, commit, log; old NULL = birth. */
static int
make_and_commit(struct hop_visit *v, struct place *p, const struct hop_model *old,
                int in_fd, struct hop_err *e)
{
    struct hop_atomic a;
    struct hop_model m;
    double start_s;
    int rc;

    v->begin_s = hop_clock_s() - v->begin_s;
    if ((rc = hop_atomic_open(&a, p->model, e)))
        return rc;
    if ((rc = run_filter(v, p, old, in_fd, &a, &m, e))) {
        hop_atomic_abort(&a);
        return rc;
    }
    if (!old && (rc = inherit(p, &a, &m, e))) {
        hop_model_clear(&m);
        hop_atomic_abort(&a);
        return rc;
    }
    v->line = hop_json_copy(old ? hop_model_last_train(&m) : m.config);
    start_s = hop_clock_s();
    rc = hop_atomic_commit(&a, e);
    v->commit_s = hop_clock_s() - start_s;
    start_s = hop_clock_s();
    if (!rc)
        rc = old ? extend(p, &m, hop_json_len(old->history), e) : restore(p, &m, e);
    v->log_s = hop_clock_s() - start_s;
    hop_model_clear(&m);
    return rc;
}

static int
train(struct hop_visit *v, struct place *p, struct hop_err *e)
{
    struct hop_model m;
    struct hop_err busy = {0};
    int fd, rc, rc_lock = take_lock(p, false, &busy);

    if (rc_lock && rc_lock != HOP_EBUSY)
        return hop_fail(e, rc_lock, busy.where, busy.hint, "%s", busy.what);
    if ((rc = open_model(p, false, &m, e)))
        return rc;
    if (m.visits >= v->visit || m.is_diverged) {
        hop_model_clear(&m);
        return rc_lock ? (v->is_skipped = true, HOP_OK) : skip(p, v, e);
    }
    if (rc_lock)
        rc = hop_fail(e, HOP_EBUSY, busy.where, busy.hint, "%s", busy.what);
    else if (m.visits < v->visit - 1)
        rc = hop_fail(e, HOP_EBUSY, p->model, "the visits before this one come first",
                      "has %lld visits, cannot be given visit %lld", (long long)m.visits,
                      (long long)v->visit);
    else if (!(rc = restore(p, &m, e))) {
        fd = open(p->model, O_RDONLY | O_CLOEXEC);
        rc = fd < 0 ? hop_fail_errno(e, p->model, NULL, "cannot open")
                    : make_and_commit(v, p, &m, fd, e);
        if (fd >= 0)
            close(fd);
    }
    hop_model_clear(&m);
    return rc;
}

/* The config line in an unlinked file, to be read from its start. */
static int
config_fd(const struct place *p, FILE **file, struct hop_err *e)
{
    struct hop_str s = {0};
    int rc = hop_json_dump(p->config, &s, e);

    *file = NULL;
    hop_str_add(&s, "\n");
    if (!rc && !(*file = tmpfile()))
        rc = hop_fail_errno(e, NULL, NULL, "cannot make a temporary file");
    if (!rc)
        rc = hop_write_fd(fileno(*file), "temporary file", hop_str_c(&s), s.n, e);
    if (!rc && lseek(fileno(*file), 0, SEEK_SET) < 0)
        rc = hop_fail_errno(e, "temporary file", NULL, "cannot seek");
    if (!rc)
        fcntl(fileno(*file), F_SETFD, FD_CLOEXEC);
    hop_str_clear(&s);
    return rc;
}

static int
give_birth(struct hop_visit *v, struct place *p, struct hop_err *e)
{
    struct hop_model m;
    FILE *in;
    int rc = hop_run_make(v->run, e);

    if (rc || (rc = take_lock(p, false, e)))
        return rc;
    if (access(p->model, F_OK) == 0) {
        if ((rc = open_model(p, false, &m, e)))
            return rc;
        hop_model_clear(&m);
        return skip(p, v, e);
    }
    if (!(rc = config_fd(p, &in, e)))
        rc = make_and_commit(v, p, NULL, fileno(in), e);
    if (in)
        fclose(in);
    return rc;
}

/* ---- 5 evaluation ---- */

/* The one eval/1 line that the filter printed, checked, with what only we know added. */
static int
check_part(const struct hop_visit *v, const char *text, size_t n, int64_t iteration,
           struct hop_json **out, struct hop_err *e)
{
    char where[340], what[300];
    const char *id = NULL, *split = NULL, *shard = NULL;
    int64_t at = 0, examples, shards = 1; /* without a shard's name it is of the whole split */
    int rc;

    snprintf(where, sizeof where, "output of %s", name_visit(v, what, sizeof what));
    *out = NULL;
    if ((rc = hop_json_parse(text, n, where, out, e)))
        return rc;
    if (!hop_record_is(*out, "eval/1"))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "not an eval/1 line");
    if ((rc = hop_json_get_str(*out, "id", true, where, &id, e)) ||
        (rc = hop_json_get_str(*out, "split", true, where, &split, e)) ||
        (rc = hop_json_get_str(*out, "shard", false, where, &shard, e)) ||
        (rc = hop_json_get_int(*out, "iteration", true, 0, 1e15, where, &at, e)) ||
        (rc = hop_json_get_int(*out, "shards", shard != NULL, 1, 1e6, where, &shards, e)) ||
        (rc = hop_json_get_int(*out, "examples", true, 1, 1e15, where, &examples, e)))
        return rc;
    if (strcmp(id, v->id) || at != iteration || (shard && strcmp(shard, v->shard)))
        return hop_fail(e, HOP_EFORMAT, where, NULL,
                        "an eval/1 line of \"%s\", iteration %lld, shard \"%s\"; should be of "
                        "\"%s\", %lld, \"%s\"", id, (long long)at, shard ? shard : "", v->id,
                        (long long)iteration, v->shard);
    hop_json_set_str(*out, "shard", v->shard);
    hop_json_set_int(*out, "shards", shards);
    if (v->worker)
        hop_json_set_str(*out, "worker", v->worker);
    return HOP_OK;
}

/* Run the filter on the model file open at fd. */
static int
measure(struct hop_visit *v, int fd, int64_t iteration, struct hop_json **part,
        struct hop_err *e)
{
    FILE *file = tmpfile();
    char *text = NULL, what[300];
    size_t n;
    int rc;

    *part = NULL;
    if (!file)
        return hop_fail_errno(e, NULL, NULL, "cannot make a temporary file");
    fcntl(fileno(file), F_SETFD, FD_CLOEXEC);
    v->is_tried = true;
    if (!(rc = hop_filter_run(v->filter, name_visit(v, what, sizeof what), fd, fileno(file),
                              e))) {
        if (lseek(fileno(file), 0, SEEK_SET) < 0)
            rc = hop_fail_errno(e, "temporary file", NULL, "cannot seek");
        else if (!(rc = hop_read_fd(fileno(file), v->filter[0], MAX_LINE_BYTES, &text, &n, e)))
            rc = check_part(v, text, n, iteration, part, e);
    }
    fclose(file);
    free(text);
    if (rc) {
        hop_json_free(*part);
        *part = NULL;
    }
    return rc;
}

/* The iterations that the config had completed after visit K: one less than that of visit K + 1. */
static int64_t
iteration_after(const struct hop_model *m, int64_t visit)
{
    const struct hop_json *j;
    size_t i;

    for (i = 0; i < hop_json_len(m->history) && visit < m->visits; i++) {
        j = hop_json_at(m->history, i);
        if (hop_record_is(j, "train/1") && hop_json_int(hop_json_get(j, "visit")) == visit + 1)
            return hop_json_int(hop_json_get(j, "iteration")) - 1;
    }
    return m->iteration;
}

/* Is j an eval/1 line of this iteration that covers v's shard? Names of shards begin with their
 * split: "val-002". */
static bool
covers(const struct hop_json *j, const struct hop_visit *v, int64_t iteration)
{
    const char *shard = hop_json_str(hop_json_get(j, "shard"));
    const char *split = hop_json_str(hop_json_get(j, "split"));

    if (!hop_record_is(j, "eval/1") || !split ||
        hop_json_int(hop_json_get(j, "iteration")) != iteration)
        return false;
    if (shard)
        return !strcmp(shard, v->shard);
    return !strncmp(split, v->shard, strlen(split)) && v->shard[strlen(split)] == '-';
}

/* Has the log this part, or the history its merged line? */
static int
is_measured(const struct hop_visit *v, const struct place *p, const struct hop_model *m,
            bool *is_done, struct hop_err *e)
{
    struct hop_json *lines;
    struct hop_mark mark = {-1, -1};
    int64_t iteration = iteration_after(m, v->visit);
    size_t i;
    int rc;

    if (m->visits == v->visit)
        hop_mark_peek(p->run, p->id, &mark);
    rc = hop_runlog_of(p->log, p->id, hop_mark_since(&mark, p->log, m), &lines, e);

    *is_done = false;
    if (rc)
        return rc;
    for (i = 0; i < hop_json_len(lines) && !*is_done; i++)
        *is_done = covers(hop_json_at(lines, i), v, iteration);
    for (i = 0; i < hop_json_len(m->history) && !*is_done; i++)
        *is_done = covers(hop_json_at(m->history, i), v, iteration);
    hop_json_free(lines);
    return HOP_OK;
}

/* Under the lock: the part goes to the log, and if it was the last one the whole to the model. */
static int
record_part(struct hop_visit *v, struct place *p, struct hop_json *part, struct hop_err *e)
{
    struct hop_model m;
    int rc;

    if ((rc = take_lock(p, true, e)) || (rc = open_model(p, false, &m, e)))
        return rc;
    if (m.visits != v->visit)
        rc = hop_fail(e, HOP_EFAIL, p->model, NULL,
                      "went on to visit %lld while visit %lld was evaluated",
                      (long long)m.visits, (long long)v->visit);
    else
        rc = settle_model(p, &m, part, e);
    hop_model_clear(&m);
    return rc;
}

static int
evaluate(struct hop_visit *v, struct place *p, struct hop_err *e)
{
    struct hop_model m;
    struct hop_json *part;
    bool is_done;
    int fd, rc;

    if ((rc = open_model(p, false, &m, e)))
        return rc;
    if (m.is_diverged) {
        hop_model_clear(&m);
        return skip(p, v, e);
    }
    rc = is_measured(v, p, &m, &is_done, e);
    if (!rc && m.visits < v->visit)
        rc = hop_fail(e, HOP_EBUSY, p->model, "its visits come first",
                      "has %lld visits, cannot be evaluated after %lld", (long long)m.visits,
                      (long long)v->visit);
    if (!rc && m.visits > v->visit && !is_done)
        rc = hop_fail(e, HOP_EFAIL, p->model, NULL,
                      "has %lld visits, it is too late to evaluate it after %lld",
                      (long long)m.visits, (long long)v->visit);
    if (rc || is_done) {
        hop_model_clear(&m);
        return rc ? rc : skip(p, v, e);
    }
    fd = open(p->model, O_RDONLY | O_CLOEXEC);
    rc = fd < 0 ? hop_fail_errno(e, p->model, NULL, "cannot open")
                : measure(v, fd, m.iteration, &part, e);
    if (fd >= 0)
        close(fd);
    hop_model_clear(&m);
    if (rc)
        return rc;
    v->line = part;
    return record_part(v, p, part, e);
}

int
hop_visit_run(struct hop_visit *v, struct hop_err *e)
{
    struct place p;
    int rc;

    v->is_skipped = v->is_tried = false;
    v->line = NULL;
    v->begin_s = hop_clock_s(); /* until the filter is run: when we began */
    if (!(rc = place_open(&p, v->run, v->id, NULL, e)) &&
        !(rc = hop_run_enter(v->run, &p.run_fd, e)))
        rc = v->is_eval ? evaluate(v, &p, e) : v->visit ? train(v, &p, e) : give_birth(v, &p, e);
    place_close(&p, rc);
    if (rc && v->is_tried && !hop_filter_signal())
        hop_failure_note(v->run, v->id, v->visit, v->shard, v->worker, v->is_eval, e);
    return rc;
}

/* ---- 6 restoring ---- */

static int
restore_one(const char *run, const char *id, const struct hop_configs *known, struct hop_err *e)
{
    struct place p;
    struct hop_err busy = {0};
    int rc;

    if (!(rc = place_open(&p, run, id, known, e)) && access(p.model, F_OK) == 0) {
        rc = take_lock(&p, false, &busy);
        if (!rc)
            rc = settle(&p, e);
        else if (rc == HOP_EBUSY)
            rc = HOP_OK;
        else
            hop_fail(e, rc, busy.where, busy.hint, "%s", busy.what);
    }
    place_close(&p, rc);
    return rc;
}

int
hop_run_restore(const char *run, const char *id, struct hop_err *e)
{
    struct hop_configs c = {0};
    size_t i;
    int rc;

    if (id)
        return restore_one(run, id, NULL, e);
    rc = hop_configs_load(run, &c, e);
    for (i = 0; i < c.n && !rc; i++)
        rc = restore_one(run, hop_json_str(hop_json_get(c.v[i], "id")), &c, e);
    hop_configs_clear(&c);
    return rc;
}

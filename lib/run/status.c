/* Contents: 1 what is done, 2 what is planned, 3 who works, 4 failures, 5 the best, 6 all of it,
 * 7 words */
#include "run/status.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "run/metric.h"
#include "run/run.h"
#include "run/runlog.h"

/* ---- 1 what is done ---- */

/* A visit or the evaluation of one shard: "ID\nVISIT", "ID\nITERATION\nSHARD". */
struct deed {
    char *key;
    double wall_s;
};

struct deeds {
    struct deed *v; /* sorted by key before it is searched */
    size_t n, cap;
};

static int
key_of(const char *id, int64_t number, const char *shard, char **out, struct hop_err *e)
{
    struct hop_str s = {0};
    int rc;

    hop_str_addf(&s, "%s\n%lld", id, (long long)number);
    if (shard)
        hop_str_addf(&s, "\n%s", shard);
    if ((rc = hop_str_check(&s, e)))
        hop_str_clear(&s);
    *out = s.s;
    return rc;
}

static int
compare_deeds(const void *a, const void *b)
{
    return strcmp(((const struct deed *)a)->key, ((const struct deed *)b)->key);
}

static void
deeds_clear(struct deeds *d)
{
    size_t i;

    for (i = 0; i < d->n; i++)
        free(d->v[i].key);
    free(d->v);
}

/* Everything that one reading of the log gives. */
struct log {
    struct deeds deeds;
    struct hop_json *diverged; /* {ID: true}: nothing more is done for them */
    struct hop_metric metric;
    struct hop_status *s;
};

static void
see_best(struct log *log, const struct hop_json *line)
{
    const char *id = hop_json_str(hop_json_get(line, "id")), *key;
    double value;
    bool is_better;

    if (!id || !hop_metric_is_of(&log->metric, line))
        return;
    key = hop_metric_key(&log->metric, line);
    value = hop_metric_value(&log->metric, line);
    is_better = hop_metric_is_less_better(key) ? value < log->s->best : value > log->s->best;
    if (isnan(value) || (log->s->best_id[0] && !is_better))
        return;
    log->s->best = value;
    log->s->best_iteration = hop_json_int(hop_json_get(line, "iteration"));
    snprintf(log->s->best_id, sizeof log->s->best_id, "%s", id);
    snprintf(log->s->best_key, sizeof log->s->best_key, "%s.%s", log->metric.split, key);
}

static int
see_line(struct log *log, const struct hop_json *line, struct hop_err *e)
{
    const char *id = hop_json_str(hop_json_get(line, "id"));
    const char *shard = hop_json_str(hop_json_get(line, "shard"));
    const char *status = hop_json_str(hop_json_get(line, "status"));
    bool is_train = hop_record_is(line, "train/1");
    struct deed deed = {NULL, hop_json_real(hop_json_get(line, "wall_s"))};
    int rc;

    if (!id)
        return HOP_OK;
    if (is_train) {
        log->s->n_visits++;
        if (status && !strcmp(status, "diverged"))
            hop_json_set_bool(log->diverged, id, true);
    } else if (hop_record_is(line, "eval/1") && shard) {
        log->s->n_evals++;
    } else {
        if (hop_record_is(line, "eval/1"))
            see_best(log, line);
        return HOP_OK;
    }
    if ((rc = key_of(id, hop_json_int(hop_json_get(line, is_train ? "visit" : "iteration")),
                     is_train ? NULL : shard, &deed.key, e)))
        return rc;
    if ((rc = hop_grow(&log->deeds.v, &log->deeds.cap, log->deeds.n + 1, sizeof deed, e)))
        free(deed.key);
    else
        log->deeds.v[log->deeds.n++] = deed;
    return rc;
}

/* Each good line of a file of the run to `see`; a missing file has none, a line that is just being
 * written is left out. */
static int
each_line(const char *run, const char *name,
          int (*see)(void *arg, struct hop_json *line, struct hop_err *e), void *arg,
          struct hop_err *e)
{
    char *path = hop_run_path(run, name, e);
    struct hop_err one = {0};
    struct hop_jsonl *r;
    struct hop_json *line;
    int fd, rc;

    if (!path)
        return HOP_ENOMEM;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    rc = fd < 0 && errno != ENOENT ? hop_fail_errno(e, path, NULL, "cannot open") : HOP_OK;
    if (fd >= 0 && (r = hop_jsonl_open(fd, path, e))) {
        while ((rc = hop_jsonl_next(r, &line, &one)) == HOP_EFORMAT || rc == HOP_OK) {
            hop_err_clear(&one);
            if (rc == HOP_EFORMAT)
                continue;
            rc = see(arg, line, e);
            hop_json_free(line);
            if (rc)
                break;
        }
        hop_jsonl_close(r);
        if (rc == HOP_EIO)
            hop_fail(e, rc, one.where, one.hint, "%s", one.what);
        rc = rc == HOP_EOF ? HOP_OK : rc;
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

static int
see_log(void *arg, struct hop_json *line, struct hop_err *e)
{
    return see_line(arg, line, e);
}

/* ---- 2 what is planned ---- */

struct planned {
    char *key;
    double expect_s;
    bool is_eval; /* then the key has an iteration and a shard */
};

struct plan {
    struct planned *v;
    size_t n, cap;
    int64_t n_slots;
};

static void
plan_clear(struct plan *p)
{
    size_t i;

    for (i = 0; i < p->n; i++)
        free(p->v[i].key);
    p->n = 0;
}

static int
see_plan(void *arg, struct hop_json *line, struct hop_err *e)
{
    struct plan *p = arg;
    const char *id = hop_json_str(hop_json_get(line, "id"));
    const char *shard = hop_json_str(hop_json_get(line, "shard"));
    const char *task = hop_json_str(hop_json_get(line, "task"));
    struct planned one = {.expect_s = hop_json_real(hop_json_get(line, "expect_s")),
                          .is_eval = task && !strcmp(task, "eval")};
    int rc;

    if (hop_record_is(line, "plan/1")) {
        plan_clear(p);
        p->n_slots = hop_json_int(hop_json_get(line, "slots"));
        if (!p->n_slots)
            p->n_slots = hop_json_int(hop_json_get(line, "workers"));
    }
    if (!hop_record_is(line, "visit/1") || !id || !shard || (task && !one.is_eval))
        return HOP_OK;
    if ((rc = key_of(id, hop_json_int(hop_json_get(line, one.is_eval ? "iteration" : "visit")),
                     one.is_eval ? shard : NULL, &one.key, e)))
        return rc;
    if ((rc = hop_grow(&p->v, &p->cap, p->n + 1, sizeof one, e)))
        free(one.key);
    else
        p->v[p->n++] = one;
    return rc;
}

/* What of the plan is done, and how the time went. Cuts the plan's keys to ids. */
static void
compare(const struct plan *p, const struct log *log, struct hop_status *s)
{
    const struct deeds *d = &log->deeds;
    double busy_s = 0, done_s = 0, all_s = 0;
    const struct deed *deed;
    size_t i;

    for (i = 0; i < p->n; i++) {
        deed = d->n ? bsearch(&(struct deed){.key = p->v[i].key}, d->v, d->n, sizeof *d->v,
                              compare_deeds)
                    : NULL;
        all_s += p->v[i].expect_s;
        p->v[i].key[strcspn(p->v[i].key, "\n")] = '\0';
        if (!deed && !hop_json_get(log->diverged, p->v[i].key))
            continue;
        s->n_done++;
        busy_s += deed ? deed->wall_s : 0;
        done_s += p->v[i].expect_s;
    }
    s->n_planned = (int64_t)p->n;
    if (s->n_done == s->n_planned)
        s->to_go_s = 0;
    else if (done_s > 0)
        s->to_go_s = s->elapsed_s * (all_s - done_s) / done_s;
    if (s->elapsed_s > 0 && s->n_done) {
        s->per_s = (double)s->n_done / s->elapsed_s;
        s->idle_frac = 1 - busy_s / (s->elapsed_s * (double)(p->n_slots ? p->n_slots : 1));
        s->idle_frac = s->idle_frac < 0 ? 0 : s->idle_frac;
    }
}

/* ---- 3 who works ---- */

/* The inode of RUN/NAME, or 0. */
static unsigned long long
inode_of(const char *run, const char *name)
{
    struct hop_err ignored = {0};
    char *path = hop_run_path(run, name, &ignored);
    struct stat st;
    unsigned long long inode = path && stat(path, &st) == 0 ? (unsigned long long)st.st_ino : 0;

    free(path);
    return inode;
}

/* Does somebody hold a lock of the run? Asked without touching it, since a hop-run that begins just
 * then would take us for one that works. */
static void
see_activity(const char *run, struct hop_status *s)
{
    unsigned long long inode, run_lock = inode_of(run, ".lock");
    unsigned long long visits_lock = inode_of(run, ".visits.lock");
    FILE *f = fopen("/proc/locks", "re");
    char kind[16], line[256];

    if (!f)
        return;
    s->activity = HOP_STATUS_IDLE;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%*d: %15s %*s %*s %*d %*x:%*x:%llu", kind, &inode) == 2 &&
            !strcmp(kind, "FLOCK") && inode && (inode == run_lock || inode == visits_lock))
            s->activity = HOP_STATUS_RUNNING;
    fclose(f);
}

static double
time_of(const char *run, const char *name)
{
    struct hop_err ignored = {0};
    char *path = hop_run_path(run, name, &ignored);
    struct stat st;
    double at = 0;

    if (path && stat(path, &st) == 0)
        at = (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
    free(path);
    return at;
}

static double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- 4 failures ---- */

struct failures {
    double since_s;
    struct hop_status *s;
};

static int
see_failure(void *arg, struct hop_json *line, struct hop_err *e)
{
    struct failures *f = arg;
    const char *id = hop_json_str(hop_json_get(line, "id"));
    const char *shard = hop_json_str(hop_json_get(line, "shard"));
    const char *worker = hop_json_str(hop_json_get(line, "worker"));
    const char *what = hop_json_str(hop_json_get(line, "what"));

    (void)e;
    /* They are noted in whole seconds. */
    if (!hop_record_is(line, "failure/1") || !id ||
        hop_json_real(hop_json_get(line, "time_s")) < f->since_s - 1)
        return HOP_OK;
    f->s->n_failures++;
    snprintf(f->s->failure, sizeof f->s->failure, "%s visit %lld%s%s%s%s: %s", id,
             (long long)hop_json_int(hop_json_get(line, "visit")), shard ? " on " : "",
             shard ? shard : "", worker ? ", worker " : "", worker ? worker : "",
             what ? what : "?");
    return HOP_OK;
}

void
hop_failure_note(const char *run, const char *id, int64_t visit, const char *shard,
                 const char *worker, bool is_eval, const struct hop_err *why)
{
    struct hop_err ignored = {0};
    char *path = hop_run_path(run, "jobs/failures.jsonl", &ignored);
    struct hop_json *j = hop_json_record("failure/1");

    hop_json_set_str(j, "id", id);
    hop_json_set_int(j, "visit", visit);
    if (is_eval)
        hop_json_set_str(j, "task", "eval");
    if (shard)
        hop_json_set_str(j, "shard", shard);
    if (worker)
        hop_json_set_str(j, "worker", worker);
    hop_json_set_str(j, "what", why->what);
    hop_json_set_int(j, "exit", hop_err_exit(why));
    /* Nine digits would be minutes. */
    hop_json_set_int(j, "time_s", (int64_t)now_s());
    if (path && hop_runlog_append(path, j, NULL, &ignored))
        hop_err_clear(&ignored);
    hop_json_free(j);
    free(path);
}

/* ---- 5 the best ---- */

static int
read_metric(const char *run, struct hop_metric *metric, struct hop_err *e)
{
    char *path = hop_run_path(run, "best.txt", e), *text = NULL;
    struct hop_err one = {0};
    size_t n;
    int rc = path ? HOP_OK : HOP_ENOMEM;

    if (!rc && !hop_read_file(path, 200, &text, &n, &one))
        text[strcspn(text, "\n")] = '\0';
    hop_err_clear(&one);
    if (!rc && (!text || !strcmp(text, "none") || hop_metric_parse(text, path, metric, &one)))
        rc = hop_metric_parse("val", "best", metric, e);
    free(text);
    free(path);
    return rc;
}

/* ---- 6 all of it ---- */

int
hop_status_read(const char *run, struct hop_status *s, struct hop_err *e)
{
    struct log log = {.s = s, .diverged = hop_json_object()};
    struct plan plan = {0};
    struct failures failures = {.s = s};
    struct hop_configs configs = {0};
    struct stat st;
    int rc;

    *s = (struct hop_status){.to_go_s = -1, .idle_frac = -1};
    if (stat(run, &st) < 0 || !S_ISDIR(st.st_mode)) {
        hop_json_free(log.diverged);
        return hop_fail(e, HOP_EIO, run, NULL, "there is no such run folder");
    }
    see_activity(run, s);
    /* The plan before the log: what is done meanwhile is then seen as done. */
    if (!(rc = read_metric(run, &log.metric, e)) &&
        !(rc = each_line(run, "schedule.jsonl", see_plan, &plan, e)) &&
        !(rc = each_line(run, "log.jsonl", see_log, &log, e)) &&
        !(rc = hop_configs_load(run, &configs, e))) {
        s->n_configs = (int64_t)configs.n;
        s->n_diverged = (int64_t)hop_json_len(log.diverged);
        failures.since_s = time_of(run, "schedule.jsonl");
        if (plan.n) {
            if (log.deeds.n) /* an empty list has no array, which qsort may not be given */
                qsort(log.deeds.v, log.deeds.n, sizeof *log.deeds.v, compare_deeds);
            s->elapsed_s = (s->activity == HOP_STATUS_IDLE ? time_of(run, "log.jsonl") : now_s()) -
                           failures.since_s;
            s->elapsed_s = s->elapsed_s < 0 ? 0 : s->elapsed_s;
            compare(&plan, &log, s);
        }
        rc = each_line(run, "jobs/failures.jsonl", see_failure, &failures, e);
    }
    hop_configs_clear(&configs);
    plan_clear(&plan);
    free(plan.v);
    deeds_clear(&log.deeds);
    hop_json_free(log.diverged);
    return rc;
}

/* ---- 7 words ---- */

struct hop_json *
hop_status_json(const struct hop_status *s)
{
    static const char *const activities[] = {"unknown", "idle", "running"};
    struct hop_json *j = hop_json_record("status/1");

    hop_json_set_str(j, "activity", activities[s->activity]);
    hop_json_set_int(j, "configs", s->n_configs);
    hop_json_set_int(j, "diverged", s->n_diverged);
    hop_json_set_int(j, "visits", s->n_visits);
    hop_json_set_int(j, "evals", s->n_evals);
    if (s->n_planned) {
        hop_json_set_int(j, "planned", s->n_planned);
        hop_json_set_int(j, "done", s->n_done);
        hop_json_set_real(j, "elapsed_s", s->elapsed_s);
        hop_json_set_real(j, "to_go_s", s->to_go_s < 0 ? NAN : s->to_go_s);
        hop_json_set_real(j, "per_s", s->per_s);
        hop_json_set_real(j, "idle_frac", s->idle_frac < 0 ? NAN : s->idle_frac);
    }
    hop_json_set_int(j, "failures", s->n_failures);
    if (s->failure[0])
        hop_json_set_str(j, "failure", s->failure);
    if (s->best_id[0]) {
        hop_json_set_str(j, "best", s->best_id);
        hop_json_set_str(j, "metric", s->best_key);
        hop_json_set_real(j, "value", s->best);
        hop_json_set_int(j, "iteration", s->best_iteration);
    }
    return j;
}

static void
add_clock(double seconds, struct hop_str *out)
{
    long long t = seconds < 0 || seconds > 1e12 ? 0 : (long long)seconds;

    hop_str_addf(out, "%lld:%02lld:%02lld", t / 3600, t / 60 % 60, t % 60);
}

void
hop_status_text(const struct hop_status *s, struct hop_str *out)
{
    static const char *const activities[] = {"", ", nobody works on it", ", at work"};

    hop_str_addf(out, "%lld configs (%lld diverged), %lld visits and %lld evaluations done%s\n",
                 (long long)s->n_configs, (long long)s->n_diverged, (long long)s->n_visits,
                 (long long)s->n_evals, activities[s->activity]);
    if (s->n_planned) {
        hop_str_addf(out, "planned: %lld/%lld done, %.3g/s, ", (long long)s->n_done,
                     (long long)s->n_planned, s->per_s);
        add_clock(s->elapsed_s, out);
        hop_str_add(out, " elapsed");
        if (s->to_go_s >= 0) {
            hop_str_add(out, ", ");
            add_clock(s->to_go_s, out);
            hop_str_add(out, " to go");
        }
        if (s->idle_frac >= 0)
            hop_str_addf(out, ", idle %.0f %%", 100 * s->idle_frac);
        hop_str_add(out, "\n");
    }
    hop_str_addf(out, "failures: %lld%s%s\n", (long long)s->n_failures,
                 s->failure[0] ? ", the last: " : "", s->failure);
    if (s->best_id[0])
        hop_str_addf(out, "best: %s, %s %.6g after iteration %lld\n", s->best_id, s->best_key,
                     s->best, (long long)s->best_iteration);
}

void
hop_status_brief(const struct hop_status *s, struct hop_str *out)
{
    if (s->per_s > 0)
        hop_str_addf(out, ", %.3g/s", s->per_s);
    if (s->idle_frac >= 0)
        hop_str_addf(out, ", idle %.0f %%", 100 * s->idle_frac);
    if (s->n_failures)
        hop_str_addf(out, ", %lld failures", (long long)s->n_failures);
    if (s->best_id[0])
        hop_str_addf(out, ", best %s %s %.4g", s->best_id, s->best_key, s->best);
}

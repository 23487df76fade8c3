#include "run/gc.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/model.h"
#include "run/metric.h"
#include "run/run.h"

/* What is known of a config's model. */
struct state {
    const char *id;
    bool is_there, is_diverged, has_value;
    double value; /* the best evaluation by the metric; more is better */
};

struct scene {
    const struct hop_gc *g;
    struct hop_configs configs;
    struct state *states; /* [configs.n] */
    struct hop_metric metric;
    bool has_best; /* best states are wanted */
};

/* One file that may go. A name that is gone already is no failure. */
static int
drop(const struct hop_gc *g, const char *path, const char *why, struct hop_err *e)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return HOP_OK;
    g->found(g->arg, path, (int64_t)st.st_size, why);
    if (!g->is_dry && unlink(path) < 0 && errno != ENOENT)
        return hop_fail_errno(e, path, NULL, "cannot remove");
    return HOP_OK;
}

static bool
ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), n_end = strlen(end);

    return n >= n_end && !strcmp(name + n - n_end, end);
}

/* Calls `each` for every name in RUN/FOLDER; a folder that is not there has none. */
static int
each_name(struct scene *s, const char *folder,
          int (*each)(struct scene *s, const char *path, const char *name, struct hop_err *e),
          struct hop_err *e)
{
    char *at = hop_run_path(s->g->run, folder, e);
    DIR *dir = at ? opendir(at) : NULL;
    struct hop_str path = {0};
    struct dirent *entry;
    int rc = at ? HOP_OK : HOP_ENOMEM;

    if (at && !dir && errno != ENOENT)
        rc = hop_fail_errno(e, at, NULL, "cannot open");
    while (dir && !rc && (entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        path.n = 0;
        hop_str_addf(&path, "%s/%s", at, entry->d_name);
        if (!(rc = hop_str_check(&path, e)))
            rc = each(s, hop_str_c(&path), entry->d_name, e);
    }
    if (dir)
        closedir(dir);
    hop_str_clear(&path);
    free(at);
    return rc;
}

/* ---- what is known ---- */

static int
read_metric(struct scene *s, struct hop_err *e)
{
    char *path = hop_run_path(s->g->run, "best.txt", e), *text = NULL;
    struct hop_err one = {0};
    size_t n;
    int rc = path ? HOP_OK : HOP_ENOMEM;

    if (!rc && !hop_read_file(path, 200, &text, &n, &one)) {
        text[strcspn(text, "\n")] = '\0';
        s->has_best = strcmp(text, "none") != 0;
    }
    if (!rc && (!s->has_best || hop_metric_parse(text, path, &s->metric, &one)))
        rc = hop_metric_parse("val", "best", &s->metric, e);
    free(text);
    free(path);
    return rc;
}

static void
read_value(const struct scene *s, const struct hop_model *m, struct state *state)
{
    const struct hop_json *line;
    double value;
    size_t i;

    for (i = 0; i < hop_json_len(m->history); i++) {
        line = hop_json_at(m->history, i);
        if (!hop_metric_is_of(&s->metric, line))
            continue;
        value = hop_metric_value(&s->metric, line);
        if (hop_metric_is_less_better(hop_metric_key(&s->metric, line)))
            value = -value;
        if (isnan(value) || (state->has_value && value <= state->value))
            continue;
        state->has_value = true;
        state->value = value;
    }
}

static int
read_states(struct scene *s, struct hop_err *e)
{
    struct hop_model m;
    char *path;
    size_t i;
    int rc;

    if ((rc = hop_configs_load(s->g->run, &s->configs, e)))
        return rc;
    if (!(s->states = hop_alloc(s->configs.n + 1, sizeof *s->states, e)))
        return HOP_ENOMEM;
    for (i = 0; i < s->configs.n && !rc; i++) {
        s->states[i].id = hop_json_str(hop_json_get(s->configs.v[i], "id"));
        if (!(path = hop_run_model(s->g->run, s->states[i].id, e)))
            return HOP_ENOMEM;
        if (access(path, F_OK) == 0 && !(rc = hop_model_open(path, false, &m, e))) {
            s->states[i].is_there = true;
            s->states[i].is_diverged = m.is_diverged;
            read_value(s, &m, &s->states[i]);
            hop_model_clear(&m);
        }
        free(path);
    }
    return rc;
}

static struct state *
find(const struct scene *s, const char *id)
{
    size_t place;

    return hop_configs_find(&s->configs, id, &place) ? &s->states[place] : NULL;
}

/* ---- what may go ---- */

/* ".ID.safetensors.XXXXXX.tmp" is somebody's at work as long as the model's lock is held. */
static int
see_temporary(struct scene *s, const char *path, const char *name, struct hop_err *e)
{
    const char *end = strstr(name, ".safetensors.");
    char *id = NULL, *lock = NULL;
    struct hop_err busy = {0};
    int fd = -1, rc = HOP_OK;

    if (name[0] != '.' || !ends_with(name, ".tmp"))
        return HOP_OK;
    if (end && end > name + 1 && (id = hop_dup(name + 1, e))) {
        id[end - name - 1] = '\0';
        lock = hop_run_model_lock(s->g->run, id, e);
    }
    if (lock && hop_lock(lock, false, &fd, &busy))
        rc = busy.code == HOP_EBUSY ? HOP_OK : hop_fail(e, busy.code, busy.where, NULL, "%s", busy.what);
    else
        rc = drop(s->g, path, "a killed process left it", e);
    if (fd >= 0)
        close(fd);
    free(id);
    free(lock);
    return e->code ? e->code : rc;
}

/* In RUN itself: what hop-run was about to rename. */
static int
see_new(struct scene *s, const char *path, const char *name, struct hop_err *e)
{
    return ends_with(name, ".new") ? drop(s->g, path, "a killed process left it", e)
                                   : see_temporary(s, path, name, e);
}

static int
see_job(struct scene *s, const char *path, const char *name, struct hop_err *e)
{
    if (ends_with(name, ".tsv") || ends_with(name, ".tsv.last") || !strcmp(name, "failures.jsonl"))
        return drop(s->g, path, "the job log of an earlier call", e);
    return see_temporary(s, path, name, e);
}

/* "ID.safetensors" to the id, or NULL. */
static char *
id_of(const char *name, struct hop_err *e)
{
    char *id;

    if (name[0] == '.' || !ends_with(name, ".safetensors"))
        return NULL;
    if ((id = hop_dup(name, e)))
        id[strlen(id) - strlen(".safetensors")] = '\0';
    return id;
}

/* How many configs did better than `one`? Of equal ones the earlier is the better. */
static int64_t
n_better(const struct scene *s, const struct state *one)
{
    int64_t n = 0;
    size_t i;

    for (i = 0; i < s->configs.n; i++)
        if (s->states[i].has_value && !s->states[i].is_diverged)
            n += !one->has_value || s->states[i].value > one->value ||
                 (s->states[i].value == one->value && &s->states[i] < one);
    return n;
}

/* Why the states of `id` may go, or NULL. */
static const char *
is_over(const struct scene *s, const char *id)
{
    const struct state *one = find(s, id);

    if (!one)
        return "configs.jsonl has no such config";
    if (one->is_diverged)
        return "it has diverged";
    if (s->g->top && n_better(s, one) >= s->g->top)
        return "the search is over, and others did better";
    return NULL;
}

static int
see_model(struct scene *s, const char *path, const char *name, struct hop_err *e)
{
    char *id = id_of(name, e), *lock;
    const char *why = id ? is_over(s, id) : NULL;
    int fd = -1, rc = HOP_OK;

    if (why && (lock = hop_run_model_lock(s->g->run, id, e))) {
        if (!(rc = hop_lock(lock, false, &fd, e)))
            rc = drop(s->g, path, why, e);
        if (fd >= 0)
            close(fd);
        free(lock);
    }
    free(id);
    return e->code ? e->code : rc;
}

static int
see_best(struct scene *s, const char *path, const char *name, struct hop_err *e)
{
    char *id = id_of(name, e);
    const char *why = id ? is_over(s, id) : NULL;
    int rc = HOP_OK;

    if (id && !why && !s->has_best)
        why = "best.txt asks for no best states";
    if (why)
        rc = drop(s->g, path, why, e);
    free(id);
    return e->code ? e->code : rc;
}

/* Has hop-search no more to ask for? */
static int
check_over(const struct scene *s, struct hop_err *e)
{
    char *path = hop_run_path(s->g->run, "jobs/next.jsonl", e);
    struct stat st;
    bool is_over = path && stat(path, &st) == 0 && st.st_size == 0;

    free(path);
    if (e->code || is_over)
        return e->code;
    return hop_fail(e, HOP_EARG, "--top", "call hop-run until it prints its table",
                    "the search in %s is not over", s->g->run);
}

/* The lock of the run, and that of its visits. */
static int
take_locks(const char *run, int fds[2], struct hop_err *e)
{
    static const char *const names[] = {".lock", ".visits.lock"};
    struct hop_err busy = {0};
    char *path;
    int i, rc = HOP_OK;

    fds[0] = fds[1] = -1;
    for (i = 0; i < 2 && !rc; i++) {
        if (!(path = hop_run_path(run, names[i], e)))
            return HOP_ENOMEM;
        if ((rc = hop_lock(path, false, &fds[i], &busy)))
            hop_fail(e, rc, rc == HOP_EBUSY ? run : busy.where, NULL, "%s",
                     rc == HOP_EBUSY ? "somebody works on it" : busy.what);
        free(path);
    }
    return rc;
}

int
hop_gc_run(const struct hop_gc *g, struct hop_err *e)
{
    struct scene s = {.g = g};
    int i;
    int fds[2], rc = take_locks(g->run, fds, e);

    if (!rc && g->top)
        rc = check_over(&s, e);
    if (!rc && !(rc = read_metric(&s, e)) && !(rc = read_states(&s, e)) &&
        !(rc = each_name(&s, ".", see_new, e)) && !(rc = each_name(&s, "jobs", see_job, e)) &&
        !(rc = each_name(&s, "models", see_temporary, e)) &&
        !(rc = each_name(&s, "best", see_temporary, e)) &&
        !(rc = each_name(&s, "best", see_best, e)))
        rc = each_name(&s, "models", see_model, e);
    hop_configs_clear(&s.configs);
    free(s.states);
    for (i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return rc;
}

#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/model.h"
#include "run/runlog.h"

static char *
path_of(const char *run, const char *before, const char *name, const char *after,
        struct hop_err *e)
{
    struct hop_str s = {0};

    hop_str_addf(&s, "%s/%s%s%s", run, before, name, after);
    if (hop_str_check(&s, e))
        hop_str_clear(&s);
    return s.s;
}

char *
hop_run_path(const char *run, const char *name, struct hop_err *e)
{
    return path_of(run, "", name, "", e);
}

char *
hop_run_model(const char *run, const char *id, struct hop_err *e)
{
    return path_of(run, "models/", id, ".safetensors", e);
}

char *
hop_run_best(const char *run, const char *id, struct hop_err *e)
{
    return path_of(run, "best/", id, ".safetensors", e);
}

char *
hop_run_model_lock(const char *run, const char *id, struct hop_err *e)
{
    return path_of(run, "models/.", id, ".lock", e);
}

int
hop_run_enter(const char *run, int *fd, struct hop_err *e)
{
    char *path = hop_run_path(run, ".visits.lock", e);
    int rc = path ? hop_lock_shared(path, fd, e) : HOP_ENOMEM;

    free(path);
    return rc;
}

int
hop_run_make(const char *run, struct hop_err *e)
{
    static const char *const folders[] = {"models", "jobs"};
    char *path;
    size_t i;
    int rc = HOP_OK;

    for (i = 0; i < HOP_LEN(folders) && !rc; i++) {
        if (!(path = hop_run_path(run, folders[i], e)))
            return HOP_ENOMEM;
        rc = hop_mkdirs(path, e);
        free(path);
    }
    return rc;
}

static bool
is_same_text(const struct hop_json *a, const struct hop_json *b)
{
    struct hop_str s = {0}, t = {0};
    struct hop_err e = {0};
    bool is_same = a && b && !hop_json_dump(a, &s, &e) && !hop_json_dump(b, &t, &e) &&
                   !strcmp(hop_str_c(&s), hop_str_c(&t));

    hop_str_clear(&s);
    hop_str_clear(&t);
    return is_same;
}

/* The first key of a that b lacks or has otherwise. */
static const char *
not_in(const struct hop_json *a, const struct hop_json *b)
{
    void *it;
    const char *key;

    for (it = hop_json_first(a); it; it = hop_json_next(a, it)) {
        key = hop_json_it_key(it);
        if (strcmp(key, "until") && !is_same_text(hop_json_it_value(it), hop_json_get(b, key)))
            return key;
    }
    return NULL;
}

const char *
hop_config_differs(const struct hop_json *a, const struct hop_json *b)
{
    const char *key = not_in(a, b);

    return key ? key : not_in(b, a);
}

/* Where `id` is in the table, or where it would go. */
static uint32_t *
place_in(const struct hop_configs *c, const char *id)
{
    uint64_t h = 0xCBF29CE484222325u; /* FNV-1a */
    const char *s;
    size_t i;

    for (s = id; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001B3u;
    for (i = (size_t)(h % c->n_places); c->places[i]; i = (i + 1) % c->n_places)
        if (!strcmp(hop_json_str(hop_json_get(c->v[c->places[i] - 1], "id")), id))
            break;
    return &c->places[i];
}

const struct hop_json *
hop_configs_find(const struct hop_configs *c, const char *id, size_t *place)
{
    uint32_t at = c->n ? *place_in(c, id) : 0;

    if (!at)
        return NULL;
    if (place)
        *place = at - 1;
    return c->v[at - 1];
}

/* A line with a new id. */
static int
append(struct hop_configs *c, struct hop_json *take, const char *id, struct hop_err *e)
{
    size_t i, n = 2 * c->n_places + 16;

    if (hop_grow(&c->v, &c->cap, c->n + 1, sizeof *c->v, e))
        return HOP_ENOMEM;
    if (2 * c->n >= c->n_places) {
        uint32_t *fresh = hop_alloc(n, sizeof *fresh, e);

        if (!fresh)
            return HOP_ENOMEM;
        free(c->places);
        c->places = fresh;
        c->n_places = n;
        for (i = 0; i < c->n; i++)
            *place_in(c, hop_json_str(hop_json_get(c->v[i], "id"))) = (uint32_t)i + 1;
    }
    c->v[c->n++] = take;
    *place_in(c, id) = (uint32_t)c->n;
    return HOP_OK;
}

int
hop_configs_add(struct hop_configs *c, struct hop_json *take, const char *where,
                struct hop_err *e)
{
    const char *kind = NULL, *id = NULL, *key;
    const struct hop_json *old;
    int64_t until;
    size_t place;
    int rc;

    if ((rc = hop_json_get_str(take, "hop", true, where, &kind, e)))
        return rc;
    if (strcmp(kind, "config/1"))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "this is a %.40s line, should be config/1",
                        kind);
    if ((rc = hop_json_get_str(take, "id", true, where, &id, e)) ||
        (rc = hop_id_check(id, where, e)) ||
        (rc = hop_json_get_int(take, "until", false, 0, 1e9, where, &until, e)))
        return rc;
    if (!(old = hop_configs_find(c, id, &place)))
        return append(c, take, id, e);
    if ((key = hop_config_differs(old, take)))
        return hop_fail(e, HOP_EFORMAT, where, "a config never changes but for \"until\"",
                        "id \"%s\" is there with another \"%s\"", id, key);
    hop_json_free(c->v[place]);
    c->v[place] = take;
    return HOP_OK;
}

int
hop_configs_read(int fd, const char *where, struct hop_configs *c, struct hop_err *e)
{
    struct hop_jsonl *r = hop_jsonl_open(fd, where, e);
    struct hop_json *line;
    int rc;

    if (!r)
        return HOP_EIO;
    while (!(rc = hop_jsonl_next(r, &line, e)))
        if ((rc = hop_configs_add(c, line, hop_jsonl_place(r), e))) {
            hop_json_free(line);
            break;
        }
    hop_jsonl_close(r);
    return rc == HOP_EOF ? HOP_OK : rc;
}

int
hop_configs_load(const char *run, struct hop_configs *c, struct hop_err *e)
{
    char *path = hop_run_path(run, "configs.jsonl", e);
    int fd, rc;

    if (!path)
        return HOP_ENOMEM;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        rc = hop_configs_read(fd, path, c, e);
        close(fd);
    } else {
        rc = errno == ENOENT ? HOP_OK : hop_fail_errno(e, path, NULL, "cannot open");
    }
    free(path);
    return rc;
}

int
hop_configs_load_one(const char *run, const char *id, struct hop_configs *c, struct hop_err *e)
{
    char *path = hop_run_path(run, "configs.jsonl", e);
    struct hop_json *lines = NULL;
    size_t i;
    int rc;

    if (!path)
        return HOP_ENOMEM;
    rc = hop_runlog_of(path, id, 0, &lines, e);
    for (i = 0; i < hop_json_len(lines) && !rc; i++) {
        struct hop_json *line = hop_json_copy(hop_json_at(lines, i));

        if ((rc = hop_configs_add(c, line, path, e)))
            hop_json_free(line);
    }
    hop_json_free(lines);
    free(path);
    return rc;
}

/* All of c into `path`, which is replaced as a whole. */
static int
write_configs(const struct hop_configs *c, const char *path, struct hop_err *e)
{
    struct hop_str s = {0};
    struct hop_atomic a;
    size_t i;
    int rc = HOP_OK;

    for (i = 0; i < c->n && !rc; i++) {
        rc = hop_json_dump(c->v[i], &s, e);
        hop_str_add(&s, "\n");
    }
    if (!rc && !(rc = hop_str_check(&s, e)) && !(rc = hop_atomic_open(&a, path, e))) {
        if (!(rc = hop_write_fd(a.fd, path, hop_str_c(&s), s.n, e)))
            rc = hop_atomic_commit(&a, e);
        else
            hop_atomic_abort(&a);
    }
    hop_str_clear(&s);
    return rc;
}

/* Add copies of `more` to c; *is_changed unless all were there as they are. */
static int
add_all(struct hop_configs *c, const struct hop_configs *more, const char *path, bool *is_changed,
        struct hop_err *e)
{
    const struct hop_json *old;
    struct hop_json *copy;
    size_t i;
    int rc;

    for (i = 0; i < more->n; i++) {
        old = hop_configs_find(c, hop_json_str(hop_json_get(more->v[i], "id")), NULL);
        if (old && is_same_text(old, more->v[i]))
            continue;
        *is_changed = true;
        if (!(copy = hop_json_copy(more->v[i])))
            return hop_fail(e, HOP_ENOMEM, NULL, NULL, "out of memory");
        if ((rc = hop_configs_add(c, copy, path, e))) {
            hop_json_free(copy);
            return rc;
        }
    }
    return HOP_OK;
}

int
hop_configs_record(const char *run, const struct hop_configs *more, struct hop_err *e)
{
    struct hop_configs c = {0};
    char *path = hop_run_path(run, "configs.jsonl", e);
    char *lock = hop_run_path(run, ".configs.lock", e);
    bool is_changed = false;
    int fd = -1, rc;

    if (!path || !lock)
        rc = HOP_ENOMEM;
    else if (!(rc = hop_run_make(run, e)) && !(rc = hop_lock(lock, true, &fd, e))) {
        hop_atomic_sweep(path);
        if (!(rc = hop_configs_load(run, &c, e)) &&
            !(rc = add_all(&c, more, path, &is_changed, e)) && is_changed)
            rc = write_configs(&c, path, e);
    }
    if (fd >= 0)
        close(fd);
    hop_configs_clear(&c);
    free(path);
    free(lock);
    return rc;
}

void
hop_configs_clear(struct hop_configs *c)
{
    size_t i;

    for (i = 0; i < c->n; i++)
        hop_json_free(c->v[i]);
    free(c->v);
    free(c->places);
    *c = (struct hop_configs){0};
}

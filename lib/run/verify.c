#include "run/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "format/model.h"
#include "run/filter.h"
#include "run/parent.h"
#include "run/runlog.h"

/* A file without a name, in `dir`. */
static int
open_unnamed(const char *dir, int *fd, struct hop_err *e)
{
    struct hop_str path = {0};
    int rc;

    *fd = -1;
    hop_str_addf(&path, "%s/hop-verify.XXXXXX", dir);
    if (!(rc = hop_str_check(&path, e))) {
        if ((*fd = mkstemp(path.s)) < 0) {
            rc = hop_fail_errno(e, dir, NULL, "cannot make a temporary file");
        } else {
            unlink(path.s);
            fcntl(*fd, F_SETFD, FD_CLOEXEC);
        }
    }
    hop_str_clear(&path);
    return rc;
}

/* The model as it was before its first visit, into fd. */
static int
give_birth(const struct hop_verify *v, const struct hop_model *m, int fd, struct hop_err *e)
{
    struct hop_training t;
    struct hop_model fresh;
    const char *weights = NULL;
    int rc;

    if ((rc = hop_training_init(hop_json_copy(m->config), hop_json_copy(m->architecture), v->model,
                                &fresh, &t, e)))
        return rc;
    if (!(rc = hop_json_get_str(m->config, "weights", false, v->model, &weights, e)) && weights)
        rc = v->weights(v->arg, weights, &t, e);
    if (!rc)
        rc = hop_training_write(fd, "temporary file", &fresh, &t, e);
    hop_training_clear(&t);
    hop_model_clear(&fresh);
    return rc;
}

/* What a train/1 line says of its visit. Passes are said where they are not one; a visit that
 * diverged says those that it came to. */
static int
read_line(const struct hop_model *m, const struct hop_json *line, const char *where,
          struct hop_verify_visit *out, struct hop_err *e)
{
    const char *status = hop_json_str(hop_json_get(line, "status"));
    int rc;

    *out = (struct hop_verify_visit){.n = m->visits, .passes = 1};
    if ((rc = hop_json_get_int(line, "visit", true, 1, 1e15, where, &out->visit, e)) ||
        (rc = hop_json_get_int(line, "passes", false, 0, 1e15, where, &out->passes, e)) ||
        (rc = hop_json_get_str(line, "shard", true, where, &out->shard, e)) ||
        (rc = hop_json_get_str(line, "device", true, where, &out->device, e)) ||
        (rc = hop_json_get_str(line, "fingerprint", true, where, &out->fingerprint, e)) ||
        (rc = hop_json_get_str(line, "digest", true, where, &out->digest, e)))
        return rc;
    if (status && !strcmp(status, "diverged"))
        out->passes = 0;
    return HOP_OK;
}

/* Is the model `now` of the data that `was` was trained on? */
static int
check_data(const struct hop_model *was, const struct hop_model *now,
           const struct hop_verify_visit *one, struct hop_err *e)
{
    const char *a = hop_json_str(hop_json_get(was->data, "dataset"));
    const char *b = hop_json_str(hop_json_get(now->data, "dataset"));

    if (a && b && !strcmp(a, b))
        return HOP_OK;
    return hop_fail(e, HOP_EFORMAT, one->shard, "give --data the folder that the run had",
                    "this shard is of another data set (%s) than the model's (%s)", b ? b : "none",
                    a ? a : "none");
}

/* What the visit that was just made, and left in `now`, has to say. */
static void
note(const struct hop_verify_visit *visit, const struct hop_model *now,
     struct hop_verify_found *found)
{
    const struct hop_json *line = hop_model_last_train(now);
    const char *fingerprint = hop_json_str(hop_json_get(line, "fingerprint"));
    const char *digest = hop_json_str(hop_json_get(line, "digest"));

    fingerprint = fingerprint ? fingerprint : "";
    if (!found->other_bytes && (!digest || strcmp(digest, visit->digest)))
        found->other_bytes = visit->visit;
    if (found->other_numerics)
        return;
    snprintf(found->was, sizeof found->was, "%s", visit->fingerprint);
    snprintf(found->now, sizeof found->now, "%s", fingerprint);
    if (strcmp(fingerprint, visit->fingerprint))
        found->other_numerics = visit->visit;
}

/* One visit: the model at *fd, trained, takes its place. */
static int
visit(const struct hop_verify *v, const struct hop_model *was, const struct hop_verify_visit *one,
      int *fd, struct hop_verify_found *found, struct hop_err *e)
{
    char *const *argv;
    struct hop_model m;
    char name[200];
    int next, rc;

    snprintf(name, sizeof name, "%s visit %lld on %s", found->id, (long long)one->visit, one->shard);
    if ((rc = v->filter(v->arg, one, &argv, e)) || (rc = open_unnamed(v->tmp, &next, e)))
        return rc;
    if (lseek(*fd, 0, SEEK_SET) < 0)
        rc = hop_fail_errno(e, "temporary file", NULL, "cannot seek");
    if (!rc && !(rc = hop_filter_run(argv, name, *fd, next, e)) && lseek(next, 0, SEEK_SET) < 0)
        rc = hop_fail_errno(e, "temporary file", NULL, "cannot seek");
    if (!rc && !(rc = hop_model_read(next, name, &m, e))) {
        if (!(rc = check_data(was, &m, one, e)))
            note(one, &m, found);
        hop_model_clear(&m);
    }
    close(*fd);
    *fd = next;
    return rc;
}

/* ---- comparing ---- */

static void
differ(struct hop_verify_found *found, const char *tensor, int64_t byte)
{
    found->is_equal = false;
    found->byte = byte;
    snprintf(found->tensor, sizeof found->tensor, "%s", tensor);
}

/* The first byte in which two tensors of one size differ, and the numbers there. */
static bool
compare_bytes(const struct hop_tensor *a, const struct hop_tensor *b,
              struct hop_verify_found *found)
{
    const unsigned char *x = a->data, *y = b->data;
    float was, now;
    size_t i, at;

    if (!a->n_bytes || !memcmp(x, y, a->n_bytes))
        return true;
    for (i = 0; x[i] == y[i]; i++)
        ;
    differ(found, a->name, (int64_t)i);
    at = i / sizeof(float);
    if (a->dtype != HOP_F32) {
        snprintf(found->what, sizeof found->what, "%d there, %d now", x[i], y[i]);
        return false;
    }
    memcpy(&was, x + at * sizeof was, sizeof was);
    memcpy(&now, y + at * sizeof now, sizeof now);
    snprintf(found->what, sizeof found->what, "number %zu is %.9g there, %.9g now", at,
             (double)was, (double)now);
    return false;
}

void
hop_verify_compare(const struct hop_st *was, const struct hop_st *now,
                   struct hop_verify_found *found)
{
    const struct hop_tensor *a, *b;
    size_t i;

    found->is_equal = true;
    found->byte = -1;
    for (i = 0; i < was->n_tensors; i++) {
        a = &was->tensors[i];
        if (!(b = hop_st_find(now, a->name))) {
            differ(found, a->name, -1);
            snprintf(found->what, sizeof found->what, "is not there now");
            return;
        }
        if (a->dtype != b->dtype || a->n_dims != b->n_dims || a->n_bytes != b->n_bytes ||
            memcmp(a->dims, b->dims, (size_t)a->n_dims * sizeof *a->dims)) {
            differ(found, a->name, -1);
            snprintf(found->what, sizeof found->what, "has another type or shape now");
            return;
        }
        if (!compare_bytes(a, b, found))
            return;
    }
    for (i = 0; i < now->n_tensors; i++)
        if (!hop_st_find(was, now->tensors[i].name)) {
            differ(found, now->tensors[i].name, -1);
            snprintf(found->what, sizeof found->what, "was not there");
            return;
        }
}

/* The model file m against the model at fd. */
static int
compare(const struct hop_model *m, int fd, struct hop_verify_found *found, struct hop_err *e)
{
    struct hop_model now;
    int rc;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return hop_fail_errno(e, "temporary file", NULL, "cannot seek");
    if ((rc = hop_model_read(fd, "temporary file", &now, e)))
        return rc;
    hop_verify_compare(&m->st, &now.st, found);
    if (found->is_equal && (now.step != m->step || now.iteration != m->iteration ||
                            now.visits != m->visits || now.is_diverged != m->is_diverged)) {
        found->is_equal = false;
        snprintf(found->what, sizeof found->what, "step %lld of iteration %lld there, %lld of %lld now",
                 (long long)m->step, (long long)m->iteration, (long long)now.step,
                 (long long)now.iteration);
    }
    hop_model_clear(&now);
    return HOP_OK;
}

static int replay(const struct hop_verify *v, const struct hop_model *m, int64_t iteration, int depth,
                  int *fd, struct hop_verify_found *found, struct hop_err *e);

/* The model file of m's parent, which lies beside v->model. */
static int
open_parent(const struct hop_verify *v, const char *id, struct hop_model *parent, char **path,
            struct hop_err *e)
{
    const char *slash = strrchr(v->model, '/');
    struct hop_str s = {0};
    int rc;

    hop_str_addf(&s, "%.*s%s.safetensors", slash ? (int)(slash + 1 - v->model) : 0, v->model, id);
    *path = s.s;
    if ((rc = hop_str_check(&s, e)))
        return rc;
    if (access(*path, F_OK) < 0 && errno == ENOENT)
        return hop_fail(e, HOP_EFORMAT, v->model, "give its path in the run folder",
                        "its parent's model file %s is not there", *path);
    return hop_model_open(*path, true, parent, e);
}

/* What m was at its birth from a parent: *fd, whose model was made of m's config line, becomes that with
 * the parent's state. */
static int
inherit(const struct hop_verify *v, const char *id, int64_t iteration, int depth, int *fd,
        struct hop_verify_found *found, struct hop_err *e)
{
    struct hop_model parent, state, child;
    int past = -1, next = -1, rc;
    char *path = NULL;

    if (!(rc = open_parent(v, id, &parent, &path, e))) {
        rc = replay(v, &parent, iteration, depth + 1, &past, found, e);
        hop_model_clear(&parent);
    }
    if (!rc && (lseek(past, 0, SEEK_SET) < 0 || lseek(*fd, 0, SEEK_SET) < 0))
        rc = hop_fail_errno(e, "temporary file", NULL, "cannot seek");
    if (!rc && !(rc = hop_model_read(past, path, &state, e))) {
        if (!(rc = hop_model_read(*fd, "temporary file", &child, e))) {
            if (!(rc = open_unnamed(v->tmp, &next, e)))
                rc = hop_parent_graft(&state, path, iteration, &child, next, "temporary file", e);
            hop_model_clear(&child);
        }
        hop_model_clear(&state);
    }
    if (past >= 0)
        close(past);
    if (next >= 0) {
        close(*fd);
        *fd = next;
    }
    free(path);
    return rc;
}

/* m as it was after `iteration` (-1: all of its visits) into a file *fd. */
static int
replay(const struct hop_verify *v, const struct hop_model *m, int64_t iteration, int depth, int *fd,
       struct hop_verify_found *found, struct hop_err *e)
{
    struct hop_verify_visit one;
    const char *parent;
    int64_t at;
    size_t i;
    int rc;

    if (depth > 1000)
        return hop_fail(e, HOP_EFORMAT, v->model, NULL, "has more than 1000 ancestors");
    if ((rc = hop_parent_of(m->config, v->model, &parent, &at, e)) ||
        (rc = open_unnamed(v->tmp, fd, e)) || (rc = give_birth(v, m, *fd, e)))
        return rc;
    if (parent)
        rc = inherit(v, parent, at, depth, fd, found, e);
    for (i = 0; i < hop_json_len(m->history) && !rc; i++) {
        const struct hop_json *line = hop_json_at(m->history, i);

        if (!hop_record_is(line, "train/1") ||
            (iteration >= 0 && hop_json_int(hop_json_get(line, "iteration")) > iteration))
            continue;
        found->n_visits++;
        if (!(rc = read_line(m, line, v->model, &one, e)))
            rc = visit(v, m, &one, fd, found, e);
    }
    return rc;
}

static int
repeat(const struct hop_verify *v, const struct hop_model *m, struct hop_verify_found *found,
       struct hop_err *e)
{
    int fd = -1, rc = replay(v, m, -1, 0, &fd, found, e);

    if (!rc)
        rc = compare(m, fd, found, e);
    if (fd >= 0)
        close(fd);
    return rc;
}

int
hop_verify_run(const struct hop_verify *v, struct hop_verify_found *found, struct hop_err *e)
{
    const char *digest;
    struct hop_model m;
    int rc;

    *found = (struct hop_verify_found){.byte = -1};
    if ((rc = hop_model_open(v->model, true, &m, e)))
        return rc;
    snprintf(found->id, sizeof found->id, "%s", m.id);
    if ((digest = hop_st_meta(&m.st, "hop.digest")))
        snprintf(found->digest, sizeof found->digest, "%s", digest);
    if (!m.visits)
        rc = hop_fail(e, HOP_EFORMAT, v->model, NULL, "has had no visit that could be repeated");
    else
        rc = repeat(v, &m, found, e);
    hop_model_clear(&m);
    return rc;
}

struct hop_json *
hop_verify_json(const struct hop_verify_found *f)
{
    struct hop_json *j = hop_json_record("verify/1");

    hop_json_set_str(j, "id", f->id);
    hop_json_set_int(j, "visits", f->n_visits);
    hop_json_set_str(j, "digest", f->digest);
    hop_json_set_str(j, "fingerprint", f->now);
    if (f->other_numerics) {
        hop_json_set_str(j, "fingerprint_was", f->was);
        hop_json_set_int(j, "other_numerics", f->other_numerics);
    }
    if (!f->is_equal && f->other_bytes)
        hop_json_set_int(j, "other_bytes", f->other_bytes);
    if (!f->is_equal && f->tensor[0])
        hop_json_set_str(j, "tensor", f->tensor);
    if (!f->is_equal && f->byte >= 0)
        hop_json_set_int(j, "byte", f->byte);
    if (!f->is_equal)
        hop_json_set_str(j, "what", f->what);
    hop_json_set_str(j, "status", f->is_equal         ? "equal"
                                  : f->other_numerics ? "other numerics"
                                                      : "differs");
    return j;
}

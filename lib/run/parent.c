#include "run/parent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/run.h"

int
hop_parent_of(const struct hop_json *config, const char *where, const char **id,
              int64_t *iteration, struct hop_err *e)
{
    int rc;

    *id = NULL;
    *iteration = 0;
    if ((rc = hop_json_get_str(config, "parent", false, where, id, e)) || !*id)
        return rc;
    if ((rc = hop_id_check(*id, where, e)))
        return rc;
    return hop_json_get_int(config, "parent_iteration", true, 1, 1e9, where, iteration, e);
}

/* Is the parent where the child is to begin? */
static int
check_progress(const struct hop_model *parent, const char *path, int64_t iteration,
               struct hop_err *e)
{
    if (parent->is_diverged)
        return hop_fail(e, HOP_EFAIL, path, NULL, "has diverged, cannot be a parent");
    if (parent->iteration < iteration)
        return hop_fail(e, HOP_EBUSY, path, "its visits come first",
                        "has %lld iterations, cannot be a parent at %lld",
                        (long long)parent->iteration, (long long)iteration);
    if (parent->iteration > iteration || !parent->data ||
        hop_json_int(hop_json_get(hop_model_last_train(parent), "iteration")) > iteration)
        return hop_fail(e, HOP_EFAIL, path, NULL,
                        "went on from iteration %lld, it is too late to be a parent there",
                        (long long)iteration);
    return HOP_OK;
}

static int
check_tensors(const struct hop_model *parent, const struct hop_model *child, const char *path,
              struct hop_err *e)
{
    const struct hop_json *mine = hop_json_get(child->config, "optimizer");
    const struct hop_tensor *a, *b;
    size_t i;

    if (!hop_json_equal(mine, hop_json_get(parent->config, "optimizer")))
        return hop_fail(e, HOP_EFORMAT, path, NULL, "has another optimizer than its child \"%s\"",
                        child->id);
    for (i = 0; i < child->st.n_tensors; i++) {
        a = &child->st.tensors[i];
        b = hop_st_find(&parent->st, a->name);
        if (!b || b->n_dims != a->n_dims ||
            memcmp(a->dims, b->dims, (size_t)a->n_dims * sizeof *a->dims) || b->dtype != a->dtype)
            return hop_fail(e, HOP_EFORMAT, path, "parent and child must have the same weights",
                            "%s \"%.200s\" of its child \"%s\"",
                            b ? "has another shape of" : "lacks", a->name, child->id);
    }
    if (parent->st.n_tensors != child->st.n_tensors)
        return hop_fail(e, HOP_EFORMAT, path, "parent and child must have the same weights",
                        "has %zu tensors, its child \"%s\" %zu", parent->st.n_tensors, child->id,
                        child->st.n_tensors);
    return HOP_OK;
}

/* The parent's tensors under the child's metadata. */
static int
write_child(const struct hop_model *parent, const struct hop_model *child, int fd,
            const char *where, struct hop_err *e)
{
    struct hop_model m = *child;
    struct hop_json *history = hop_json_array();
    int rc;

    m.data = parent->data;
    m.history = history;
    m.iteration = parent->iteration;
    m.visits = parent->visits;
    m.step = parent->step;
    rc = hop_model_write(fd, where, &m, parent->st.tensors, parent->st.n_tensors, e);
    hop_json_free(history);
    return rc;
}

int
hop_parent_graft(const struct hop_model *parent, const char *path, int64_t iteration,
                 const struct hop_model *child, int fd, const char *where, struct hop_err *e)
{
    int rc;

    if ((rc = check_progress(parent, path, iteration, e)) ||
        (rc = check_tensors(parent, child, path, e)))
        return rc;
    return write_child(parent, child, fd, where, e);
}

int
hop_parent_write(const char *run, const struct hop_model *child, int fd, const char *where,
                 struct hop_err *e)
{
    struct hop_model parent;
    const char *id;
    int64_t iteration;
    char *path;
    int rc;

    if ((rc = hop_parent_of(child->config, where, &id, &iteration, e)))
        return rc;
    if (!(path = hop_run_model(run, id, e)))
        return HOP_ENOMEM;
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        rc = hop_fail(e, HOP_EBUSY, path, "it comes first", "there is no model file of the parent");
    } else if (!(rc = hop_model_open(path, true, &parent, e))) {
        rc = hop_parent_graft(&parent, path, iteration, child, fd, where, e);
        hop_model_clear(&parent);
    }
    free(path);
    return rc;
}

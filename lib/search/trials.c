#include "search/trials.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/runlog.h"

const struct hop_trial *
hop_trials_find(const struct hop_trials *t, const char *id)
{
    size_t i;

    for (i = 0; i < t->n; i++)
        if (!strcmp(t->v[i].id, id))
            return &t->v[i];
    return NULL;
}

/* The trial that this line is about, made if it is new. */
static struct hop_trial *
trial_of(struct hop_trials *t, const char *id, struct hop_err *e)
{
    struct hop_trial *found = (struct hop_trial *)hop_trials_find(t, id);

    if (found)
        return found;
    if (hop_grow(&t->v, &t->cap, t->n + 1, sizeof *t->v, e))
        return NULL;
    t->v[t->n] = (struct hop_trial){.id = id, .lines = hop_json_array()};
    return &t->v[t->n++];
}

static bool
is_about(const struct hop_json *line)
{
    return hop_json_str(hop_json_get(line, "id")) &&
           (hop_record_is(line, "train/1") || hop_record_is(line, "eval/1") ||
            hop_record_is(line, "config/1"));
}

static int
add_line(struct hop_trials *t, struct hop_json *take, struct hop_err *e)
{
    const char *id = hop_json_str(hop_json_get(take, "id")), *status, *split;
    struct hop_trial *trial = is_about(take) ? trial_of(t, id, e) : NULL;

    if (!trial || hop_record_find(trial->lines, take)) {
        hop_json_free(take);
        return e->code;
    }
    hop_json_push(trial->lines, take);
    if (hop_record_is(take, "config/1")) {
        trial->config = take;
    } else if (hop_record_is(take, "train/1")) {
        status = hop_json_str(hop_json_get(take, "status"));
        trial->is_diverged = trial->is_diverged || (status && !strcmp(status, "diverged"));
        trial->train_s += hop_json_real(hop_json_get(take, "wall_s"));
        trial->visits++;
    } else {
        split = hop_json_str(hop_json_get(take, "split"));
        t->has_val = t->has_val || (split && !strcmp(split, "val"));
    }
    return HOP_OK;
}

int
hop_trials_read(int fd, const char *where, struct hop_trials *t, struct hop_err *e)
{
    struct hop_jsonl *r = hop_jsonl_open(fd, where, e);
    struct hop_json *line;
    int rc;

    *t = (struct hop_trials){0};
    if (!r)
        return HOP_EIO;
    while (!(rc = hop_runlog_next(r, &line, e)))
        if ((rc = add_line(t, line, e)))
            break;
    hop_jsonl_close(r);
    if (rc == HOP_EOF)
        return HOP_OK;
    hop_trials_clear(t);
    return rc;
}

void
hop_trials_clear(struct hop_trials *t)
{
    size_t i;

    for (i = 0; i < t->n; i++)
        hop_json_free(t->v[i].lines);
    free(t->v);
    *t = (struct hop_trials){0};
}

bool
hop_trial_is_done(const struct hop_trials *all, const struct hop_trial *t, int64_t until)
{
    const struct hop_json *j;
    const char *split;
    size_t i;

    if (t->is_diverged)
        return true;
    for (i = 0; i < hop_json_len(t->lines); i++) {
        j = hop_json_at(t->lines, i);
        split = hop_json_str(hop_json_get(j, "split"));
        if (hop_record_is(j, "eval/1") && split && !hop_json_get(j, "shard") &&
            hop_json_int(hop_json_get(j, "iteration")) >= until &&
            (!all->has_val || !strcmp(split, "val")))
            return true;
    }
    return false;
}

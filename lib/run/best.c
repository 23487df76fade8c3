#include "run/best.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "run/metric.h"
#include "run/run.h"

/* What RUN/best.txt says; *is_wanted false where it is missing or says "none". */
static int
read_metric(const char *path, struct hop_metric *metric, bool *is_wanted, struct hop_err *e)
{
    struct hop_err one = {0};
    char *text;
    size_t n;
    int rc;

    *is_wanted = false;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return HOP_OK;
    if ((rc = hop_read_file(path, 200, &text, &n, e)))
        return rc;
    text[strcspn(text, "\n")] = '\0';
    *is_wanted = strcmp(text, "none") != 0;
    if (*is_wanted && hop_metric_parse(text, path, metric, &one))
        rc = hop_fail(e, HOP_EFORMAT, path, "like val.accuracy, or none", "%s", one.what);
    free(text);
    return rc;
}

/* The evaluation of m's present state by this metric, or NULL. */
static const struct hop_json *
evaluation_of(const struct hop_model *m, const struct hop_metric *metric)
{
    const struct hop_json *line;
    size_t i;

    for (i = hop_json_len(m->history); i > 0; i--) {
        line = hop_json_at(m->history, i - 1);
        if (hop_metric_is_of(metric, line) &&
            hop_json_int(hop_json_get(line, "visit")) == m->visits)
            return line;
    }
    return NULL;
}

/* Is what lies at `path` (if anything does) as good as `value`, or better? */
static int
is_kept(const char *path, const struct hop_model *m, const struct hop_metric *metric,
        const char *key, double value, bool *is, struct hop_err *e)
{
    struct hop_model best;
    double old;
    int rc;

    *is = false;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return HOP_OK;
    if ((rc = hop_model_open(path, false, &best, e)))
        return rc;
    old = hop_metric_value(metric, evaluation_of(&best, metric));
    *is = hop_metric_is_less_better(key) ? old <= value : old >= value; /* NAN: no */
    if (strcmp(best.id, m->id))
        rc = hop_fail(e, HOP_EFORMAT, path, "move it away", "this is the model of \"%s\"", best.id);
    hop_model_clear(&best);
    return rc;
}

static int
keep(const char *path, const struct hop_model *m, const struct hop_metric *metric,
     const char *metric_path, const char *from, struct hop_err *e)
{
    const struct hop_json *line = evaluation_of(m, metric);
    const char *key;
    double value;
    bool is;
    int rc;

    if (!line)
        return HOP_OK;
    key = hop_metric_key(metric, line);
    if (!hop_json_get(line, key))
        return hop_fail(e, HOP_EFORMAT, metric_path, "such as accuracy or loss",
                        "evaluations on %s have no \"%s\"", metric->split, key);
    value = hop_metric_value(metric, line);
    if (isnan(value))
        return HOP_OK;
    rc = is_kept(path, m, metric, key, value, &is, e);
    return rc || is ? rc : hop_atomic_link(from, path, e);
}

int
hop_best_keep(const char *run, const struct hop_model *m, const char *from, struct hop_err *e)
{
    char *metric_path = hop_run_path(run, "best.txt", e), *folder = hop_run_path(run, "best", e);
    char *path = hop_run_best(run, m->id, e);
    struct hop_metric metric;
    bool is_wanted;
    int rc;

    if (!metric_path || !folder || !path)
        rc = HOP_ENOMEM;
    else if (!(rc = read_metric(metric_path, &metric, &is_wanted, e)) && is_wanted &&
             !(rc = hop_mkdirs(folder, e)))
        rc = keep(path, m, &metric, metric_path, from, e);
    free(metric_path);
    free(folder);
    free(path);
    return rc;
}

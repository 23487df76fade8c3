#include "search/patience.h"

#include <math.h>

/* The trial's evaluation of the lowest iteration after `after`, or NULL. The log has them in the
 * order in which they were merged, which may be another. */
static const struct hop_json *
next_evaluation(const struct hop_patience *p, const struct hop_trial *t, int64_t after,
                int64_t *iteration)
{
    const struct hop_json *line, *found = NULL;
    int64_t at;
    size_t i;

    for (i = 0; t && i < hop_json_len(t->lines); i++) {
        line = hop_json_at(t->lines, i);
        at = hop_json_int(hop_json_get(line, "iteration"));
        if (hop_metric_is_of(&p->metric, line) && at > after && (!found || at < *iteration)) {
            found = line;
            *iteration = at;
        }
    }
    return found;
}

int
hop_patience_apply(const struct hop_patience *p, const struct hop_trial *t, int64_t *until,
                   bool *is_stopped, struct hop_err *e)
{
    int64_t at = 0, improved_at = 0, last, every = p->eval_every;
    const struct hop_json *line;
    double best = NAN, v;
    const char *key;

    *is_stopped = false;
    if (!p->iterations)
        return HOP_OK;
    while (!*is_stopped && (line = next_evaluation(p, t, at, &at))) {
        key = hop_metric_key(&p->metric, line);
        if (!hop_json_get(line, key))
            return hop_fail(e, HOP_EFORMAT, "--metric", "such as accuracy or loss",
                            "evaluations on %s have no \"%s\"", p->metric.split, key);
        v = hop_metric_value(&p->metric, line);
        if (!isnan(v) && (isnan(best) || (hop_metric_is_less_better(key) ? v + p->min_delta < best
                                                                        : v - p->min_delta > best))) {
            best = v;
            improved_at = at;
        }
        *is_stopped = at - improved_at >= p->iterations;
    }
    /* The first evaluation improves on nothing, so the first stop is one later. */
    last = (improved_at ? improved_at : every) + p->iterations;
    last = (last + every - 1) / every * every;
    if (!*is_stopped && last < *until)
        *until = last;
    return HOP_OK;
}

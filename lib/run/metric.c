#include "run/metric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/runlog.h"

int
hop_metric_parse(const char *text, const char *where, struct hop_metric *m, struct hop_err *e)
{
    size_t n = strcspn(text, ".");
    const char *name = text[n] ? text + n + 1 : "";

    /* A bare name must be a split's, or "accuracy" would be taken for one. */
    if (!n || n >= sizeof m->split || strlen(name) >= sizeof m->name ||
        (!*name && strcmp(text, "val") && strcmp(text, "train")))
        return hop_fail(e, HOP_EARG, where, "like val.accuracy", "\"%.40s\" is not SPLIT.METRIC",
                        text);
    snprintf(m->split, sizeof m->split, "%.*s", (int)n, text);
    snprintf(m->name, sizeof m->name, "%s", name);
    return HOP_OK;
}

const char *
hop_metric_key(const struct hop_metric *m, const struct hop_json *line)
{
    return *m->name ? m->name : hop_json_get(line, "accuracy") ? "accuracy" : "loss";
}

double
hop_metric_value(const struct hop_metric *m, const struct hop_json *line)
{
    const struct hop_json *j = hop_json_get(line, hop_metric_key(m, line));
    enum hop_json_kind kind = hop_json_kind(j);
    char text[40];

    if (kind != HOP_JSON_INT && kind != HOP_JSON_REAL)
        return NAN;
    snprintf(text, sizeof text, "%.9g", hop_json_real(j));
    return strtod(text, NULL);
}

bool
hop_metric_is_less_better(const char *key)
{
    static const char *const more[] = {"acc", "accuracy", "auc", "precision", "recall", "f1", "r2"};
    size_t i, n = strlen(key), k;

    if (!strncmp(key, "top_", 4))
        return false;
    for (i = 0; i < HOP_LEN(more); i++) {
        k = strlen(more[i]);
        if (n >= k && !strcmp(key + n - k, more[i]))
            return false;
    }
    return true;
}

bool
hop_metric_is_of(const struct hop_metric *m, const struct hop_json *line)
{
    const char *split = hop_json_str(hop_json_get(line, "split"));

    return hop_record_is(line, "eval/1") && split && !strcmp(split, m->split) &&
           !hop_json_get(line, "shard");
}

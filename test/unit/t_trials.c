/* What is read of logs: the quick scanner against the JSON library, on lines with bytes broken;
 * trials against lines counted by hand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "format/flat.h"
#include "format/json.h"
#include "search/objective.h"
#include "search/trials.h"
#include "tap.h"

/* ---- the scanner ---- */

static const char *const lines[] = {
    "{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iteration\":3,\"split\":\"val\",\"loss\":0.98,"
    "\"accuracy\":-6.6e-1,\"examples\":10000,\"ok\":true,\"x\":null,\"y\":false,\"e\":1e+05}",
    " { \"a\" : 0 , \"b\":-0,\"c\":0.5E2 ,\"\":\"\",\"long\":123456789012345678 } ",
    "{\"a\":\"caf\\u00e9\",\"b\":[1,2,{\"c\":3}],\"d\":{\"e\":\"f\"},\"g\":1e300,\"h\":99999999999}",
    "{}",
    "{\"k\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xed\x9f\xbf\",\"n\":1}",
    "{\"a\":99999999999999999999}", "{\"a\":9223372036854775808,\"b\":1e999}"};

/* Is what the scanner found what the library found? */
static bool
is_as_parsed(const struct hop_flat *f, const struct hop_json *j)
{
    char key[400], text[400];
    const struct hop_json *v;
    size_t i;

    if (hop_json_kind(j) != HOP_JSON_OBJECT || hop_json_len(j) != f->n)
        return false;
    for (i = 0; i < f->n; i++) {
        snprintf(key, sizeof key, "%.*s", (int)f->v[i].n_key, f->v[i].key);
        snprintf(text, sizeof text, "%.*s", (int)f->v[i].n_value, f->v[i].value);
        v = hop_json_get(j, key);
        if (hop_flat_find(f, key) != &f->v[i])
            return false;
        switch (f->v[i].kind) {
        case 's':
            if (!hop_json_str(v) || strcmp(hop_json_str(v), text) || !hop_flat_is(&f->v[i], text))
                return false;
            break;
        case 'i':
            if (hop_json_kind(v) != HOP_JSON_INT || hop_json_int(v) != hop_flat_int(&f->v[i]))
                return false;
            break;
        case 'r':
            if (hop_json_kind(v) != HOP_JSON_REAL || !(hop_json_real(v) == hop_flat_real(&f->v[i])))
                return false;
            break;
        case 'b':
            if (hop_json_kind(v) != HOP_JSON_BOOL || hop_json_bool(v) != !strcmp(text, "true"))
                return false;
            break;
        default:
            if (!v || hop_json_kind(v) != HOP_JSON_NULL)
                return false;
        }
    }
    return true;
}

/* The scanner may pass on what is JSON, never take what is none, or read another thing. */
static bool
is_right(const char *text, size_t n, size_t *n_flat)
{
    struct hop_err e = {0};
    struct hop_json *j = NULL;
    struct hop_flat f;
    char *copy = malloc(n ? n : 1); /* so that a sanitizer sees a read behind the end */
    bool is_flat, is = true;

    if (!copy)
        return false;
    memcpy(copy, text, n);
    is_flat = hop_flat_parse(copy, n, &f);
    *n_flat += is_flat;
    if (is_flat)
        is = !hop_json_parse(text, n, "line", &j, &e) && is_as_parsed(&f, j);
    hop_json_free(j);
    free(copy);
    return is;
}

static void
test_scanner(void)
{
    char text[600];
    size_t i, at, n, n_flat = 0, n_bad = 0, n_tried = 0;
    int byte;

    for (i = 0; i < HOP_LEN(lines); i++) {
        n = strlen(lines[i]);
        for (at = 0; at < n; at++) {
            for (byte = 0; byte < 256; byte++, n_tried++) {
                memcpy(text, lines[i], n);
                text[at] = (char)byte;
                n_bad += !is_right(text, n, &n_flat);
            }
            memmove(text + at, lines[i] + at + 1, n - at - 1);
            n_bad += !is_right(text, n - 1, &n_flat) + !is_right(lines[i], at, &n_flat);
        }
    }
    ok(!n_bad && n_flat > 5000, "the scanner reads as the library does: %zu lines, %zu of "
       "them flat, %zu differ", n_tried, n_flat, n_bad);
}

/* ---- trials ---- */

static int n_warnings;
static char last_warning[800];

static void
note(int level, const char *line)
{
    (void)level;
    n_warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", line);
}

static const char log_text[] =
    "{\"hop\":\"config/1\",\"id\":\"c0001\",\"model\":{\"class_name\":\"x\"},\"lr\":0.1,\"until\":2}\n"
    "{\"hop\":\"train/1\",\"id\":\"c0001\",\"visit\":1,\"iteration\":1,\"accuracy\":0.4,\"examples\":10,\"wall_s\":1.5,\"status\":\"ok\"}\n"
    "{\"hop\":\"train/1\",\"id\":\"c0001\",\"visit\":2,\"iteration\":1,\"accuracy\":0.7,\"examples\":20,\"wall_s\":1.0,\"status\":\"ok\"}\n"
    "{\"hop\":\"train/1\",\"id\":\"c0001\",\"visit\":2,\"iteration\":1,\"accuracy\":0.7,\"examples\":20,\"wall_s\":1.0,\"status\":\"ok\"}\n"
    "{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iteration\":1,\"split\":\"val\",\"shard\":\"val-000\",\"shards\":2,\"loss\":9}\n"
    "\n"
    "{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iteration\":2,\"split\":\"val\",\"loss\":0.25,\"accuracy\":0.9,\"counts\":{\"hits\":[1,2]}}\n"
    "{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iteration\":1,\"split\":\"val\",\"loss\":0.5,\"accuracy\":null}\n"
    "{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iteration\":1,\"split\":\"val\",\"loss\":0.4,\"accuracy\":0.1}\n"
    "{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iteration\":1,\"split\":\"train\",\"loss\":0.1,\"accuracy\":0.6}\n"
    "nonsense\n"
    "[1]\n"
    "{\"hop\":\"train/1\",\"id\":\"caf\xc3\xa9\",\"visit\":1,\"iteration\":1,\"status\":\"diverged\"}\n"
    "{\"hop\":\"config/1\",\"id\":\"c0001\",\"model\":{\"class_name\":\"x\"},\"lr\":0.1,\"until\":5}\n"
    "{\"hop\":\"visit/1\",\"id\":\"c0009\",\"visit\":1}\n"
    "{\"hop\":\"eval/1\",\"id\":\"c0002\",\"it";

static void
test_trials(void)
{
    const struct hop_trial *t;
    const struct hop_entry *line;
    struct hop_trials trials;
    struct hop_err e = {0};

    hop_log_set(note);
    if (hop_trials_parse(log_text, strlen(log_text), "log", &trials, &e)) {
        ok(false, "%s", e.what);
        return;
    }
    t = hop_trials_find(&trials, "c0001");
    ok(trials.n == 2 && t && trials.has_val && n_warnings == 3 &&
           !strncmp(last_warning, "log:16: line skipped", 20),
       "two trials; three bad lines, named (%zu, %d, %s)", trials.n, n_warnings, last_warning);
    if (!t)
        return;
    ok(t->visits == 2 && t->train_s == 2.5 && t->until == 5 && !t->is_diverged &&
           hop_json_real(hop_json_get(t->config, "lr")) == 0.1,
       "visits count once, until is the largest");
    ok(fabs(hop_trial_visits_mean(t, "accuracy", 1) - 0.6) < 1e-15 &&
           isnan(hop_trial_visits_mean(t, "accuracy", 2)),
       "the mean over an iteration's visits is by examples");
    line = hop_trial_eval(t, hop_trials_split(&trials, "val"), 2);
    ok(line && hop_entry_number(line, "loss") == 0.25 && isnan(hop_entry_number(line, "counts")) &&
           !hop_entry_has(line, "counts"),
       "of a line with objects inside the numbers are there");
    line = hop_trial_eval(t, hop_trials_split(&trials, "val"), 1);
    ok(line && hop_entry_number(line, "loss") == 0.5 && hop_entry_has(line, "accuracy") &&
           isnan(hop_entry_number(line, "accuracy")),
       "parts are passed over, the first of equals counts, null is no number");
    ok(hop_trials_split(&trials, "test") == -1 && !hop_trials_find(&trials, "c0009") &&
           hop_trial_is_done(&trials, t, 2) && !hop_trial_is_done(&trials, t, 3),
       "what no line has is not there");
    t = hop_trials_find(&trials, "caf\xc3\xa9");
    ok(t && t->is_diverged && t->diverged_order == 13 && hop_trial_is_done(&trials, t, 99),
       "ids may be any text; diverged is done");
    hop_trials_clear(&trials);
}

/* ---- objectives ---- */

static const char curve_text[] =
    "{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":3,\"iteration\":3,\"accuracy\":0.99,\"examples\":10}\n"
    "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":3,\"split\":\"val\",\"loss\":0.5,\"accuracy\":0.8}\n"
    "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":1,\"split\":\"val\",\"loss\":0.25,\"accuracy\":0.5}\n"
    "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":1,\"split\":\"train\",\"loss\":0.2,\"accuracy\":0.52}\n"
    "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":2,\"split\":\"val\",\"loss\":0.75,\"accuracy\":0.75}\n"
    "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":4,\"split\":\"val\",\"loss\":null,\"accuracy\":0.7}\n";

static void
curve(struct hop_objective o, const char *of, const char *metric, double want[4], const char *what)
{
    struct hop_point *p = NULL;
    struct hop_trials t;
    struct hop_err e = {0};
    size_t n = 0, cap = 0, i;
    bool is = !hop_trials_parse(curve_text, strlen(curve_text), "log", &t, &e);

    is = is && !hop_metric_parse(metric, "m", &o.metric, &e) &&
         !hop_objective_parse_of(of, "of", &o, &e) && !hop_objective_bind(&o, &t, &e) &&
         !hop_objective_curve(&o, hop_trials_find(&t, "a"), &p, &n, &cap, &e) && n == 4;
    for (i = 0; is && i < n; i++)
        is = p[i].iteration == (int64_t)i + 1 &&
             (p[i].loss == want[i] || fabs(p[i].loss - want[i]) <= 1e-12 * fabs(want[i]));
    ok(is, "%s (%g %g %g %g) %s", what, n > 0 ? p[0].loss : NAN, n > 1 ? p[1].loss : NAN,
       n > 2 ? p[2].loss : NAN, n > 3 ? p[3].loss : NAN, e.what);
    free(p);
    hop_trials_clear(&t);
}

static void
test_objectives(void)
{
    struct hop_objective none = {.max_gap = -1}, limit = {.max_gap = 0.1},
                         weight = {.max_gap = 0.1, .gap_weight = 2},
                         less = {.max_gap = -1, .way = HOP_WAY_LESS};
    double unfit = HOP_LOSS_UNFIT * (1 + (0.99 - 0.8 - 0.1));

    curve(none, "last", "val.accuracy", (double[]){-0.5, -0.75, -0.8, -0.7}, "last, more is better");
    curve(none, "last", "val.loss", (double[]){0.25, 0.75, 0.5, INFINITY}, "last, less is better");
    curve(less, "last", "val.accuracy", (double[]){0.5, 0.75, 0.8, 0.7}, "--minimize");
    curve(none, "last", "val", (double[]){-0.5, -0.75, -0.8, -0.7}, "val alone is accuracy");
    curve(none, "best", "val.accuracy", (double[]){-0.5, -0.75, -0.8, -0.8}, "best");
    curve(none, "best", "val.loss", (double[]){0.25, 0.25, 0.25, 0.25}, "best, a null last");
    curve(none, "mean:2", "val.accuracy", (double[]){-0.5, -0.625, -0.775, -0.75}, "mean of two");
    curve(none, "mean", "val.loss", (double[]){0.25, 0.5, 0.5, INFINITY}, "mean of all");
    curve(limit, "last", "val.accuracy", (double[]){-0.5, -0.75, unfit, -0.7},
          "--max-gap: train by its evaluation, or by visits");
    curve(weight, "last", "val.accuracy", (double[]){-0.5, -0.75, -0.8 + 2 * 0.09, -0.7},
          "--gap-weight");
    curve(limit, "best", "val.accuracy", (double[]){-0.5, -0.75, -0.75, -0.75},
          "best of those that are not overfit");
}

int
main(void)
{
    test_scanner();
    test_trials();
    test_objectives();
    return tap_end();
}

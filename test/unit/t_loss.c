/* What a config line may say of losses, metrics and class weights; metrics of parts and wholes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/class_weight.h"
#include "net/loss.h"
#include "net/metrics.h"
#include "run/metric.h"
#include "run/runlog.h"
#include "tap.h"

static struct hop_json *
json(const char *text)
{
    struct hop_err e = {0};
    struct hop_json *j = NULL;

    if (hop_json_parse(text, strlen(text), "test", &j, &e))
        printf("Bail out! bad JSON in the test: %s\n", text);
    return j;
}

/* ---- losses ---- */

static void
test_losses(void)
{
    static const struct {
        const char *text, *name;
        bool from_logits;
        double smoothing, delta;
    } good[] = {
        {"null", "categorical_crossentropy", false, 0, 1},
        {"\"mse\"", "mean_squared_error", false, 0, 1},
        {"\"MeanAbsoluteError\"", "mean_absolute_error", false, 0, 1},
        {"\"bce\"", "binary_crossentropy", false, 0, 1},
        {"{\"name\":\"huber\",\"delta\":0.5}", "huber", false, 0, 0.5},
        {"{\"name\":\"sparse_categorical_crossentropy\",\"from_logits\":true}",
         "sparse_categorical_crossentropy", true, 0, 1},
        {"{\"module\":\"keras.losses\",\"class_name\":\"BinaryCrossentropy\",\"config\":{"
         "\"reduction\":\"auto\",\"name\":\"mine\",\"from_logits\":true,\"label_smoothing\":0.25,"
         "\"axis\":-1,\"fn\":\"binary_crossentropy\"},\"registered_name\":null}",
         "binary_crossentropy", true, 0.25, 1},
    };
    static const struct {
        const char *text, *what, *hint;
    } bad[] = {
        {"\"hinge\"", "unknown loss \"hinge\"", "huber"},
        {"7", "the loss is a whole number", "a name"},
        {"{\"delta\":1}", "\"name\" is missing", ""},
        {"{\"name\":\"huber\",\"from_logits\":true}", "huber takes no such \"from_logits\"",
         "known: delta"},
        {"{\"name\":\"mse\",\"delta\":2}", "takes no such \"delta\"", "it has none"},
        {"{\"name\":\"sparse_categorical_crossentropy\",\"label_smoothing\":0.1}",
         "no such \"label_smoothing\"", "known: from_logits"},
        {"{\"name\":\"bce\",\"label_smoothing\":1.5}", "\"label_smoothing\" 1.5 is out of range", ""},
        {"{\"name\":\"huber\",\"delta\":0}", "\"delta\" 0 is out of range", ""},
        {"{\"name\":\"bce\",\"from_logits\":1}", "\"from_logits\" is a whole number", ""},
        {"{\"name\":\"bce\",\"reduction\":\"none\"}", "takes no such \"reduction\"", ""},
        {"{\"name\":\"bce\",\"config\":3}", "\"config\" is a whole number", ""},
    };
    struct hop_loss l;
    struct hop_json *j;
    struct hop_err e;
    size_t i;

    for (i = 0; i < HOP_LEN(good); i++) {
        e = (struct hop_err){0};
        j = json(good[i].text);
        ok(!hop_loss_parse(j, "c", &l, &e) && !strcmp(l.kind->name, good[i].name) &&
               l.from_logits == good[i].from_logits && l.label_smoothing == good[i].smoothing &&
               l.delta == good[i].delta,
           "loss %s %s", good[i].text, e.what);
        hop_json_free(j);
    }
    for (i = 0; i < HOP_LEN(bad); i++) {
        e = (struct hop_err){0};
        j = json(bad[i].text);
        ok(hop_loss_parse(j, "c", &l, &e) == HOP_EFORMAT && strstr(e.what, bad[i].what) &&
               strstr(e.hint, bad[i].hint),
           "refused: %s (%s)", e.what, e.hint);
        hop_json_free(j);
    }
}

/* Options beside the loss, as a space's branches put them there. */
static void
test_beside(void)
{
    struct hop_json *a = json("{\"loss\":\"huber\",\"delta\":0.5,\"lr\":1}");
    struct hop_json *b = json("{\"label_smoothing\":0.1}"); /* of the default loss */
    struct hop_json *c = json("{\"loss\":\"mse\",\"delta\":0.5}");
    struct hop_loss l;
    struct hop_err e = {0};

    ok(!hop_loss_conf(a, "c", &l, &e) && l.delta == 0.5, "an option beside the loss %s", e.what);
    ok(!hop_loss_conf(b, "c", &l, &e) && l.label_smoothing == 0.1, "of the default loss %s", e.what);
    ok(hop_loss_conf(c, "c", &l, &e) == HOP_EFORMAT && strstr(e.what, "has no \"delta\""),
       "refused: %s", e.what);
    hop_json_free(a);
    hop_json_free(b);
    hop_json_free(c);
}

/* Which nets and data a loss can have. */
static void
test_fit(void)
{
    static const struct {
        const char *loss, *act;
        int units, n_classes, n_targets;
        const char *what; /* NULL: it fits */
    } rows[] = {
        {"\"categorical_crossentropy\"", "softmax", 3, 3, 0, NULL},
        {"\"categorical_crossentropy\"", "softmax", 3, 0, 3, NULL},
        {"\"categorical_crossentropy\"", "softmax", 3, 4, 0, "have 4 classes, net \"t\" has 3"},
        {"\"categorical_crossentropy\"", "softmax", 1, 2, 0, "have 2 classes, net \"t\" has 1"},
        {"\"categorical_crossentropy\"", "softmax", 1, 0, 1, "two outputs at least"},
        {"\"categorical_crossentropy\"", "sigmoid", 3, 3, 0, "needs a softmax output"},
        {"\"sparse_categorical_crossentropy\"", "softmax", 3, 0, 3, "needs classes"},
        {"{\"name\":\"sparse_categorical_crossentropy\",\"from_logits\":true}", "softmax", 3, 3, 0,
         "is to read logits, but the net ends with softmax"},
        {"\"bce\"", "sigmoid", 1, 2, 0, NULL},
        {"\"bce\"", "sigmoid", 2, 2, 0, NULL},
        {"\"bce\"", "sigmoid", 3, 0, 3, NULL},
        {"\"bce\"", "sigmoid", 1, 3, 0, "have 3 classes, net \"t\" has 1"},
        {"\"bce\"", "softmax", 3, 3, 0, "needs a sigmoid output"},
        {"{\"name\":\"bce\",\"from_logits\":true}", "linear", 1, 2, 0, NULL},
        {"{\"name\":\"bce\",\"from_logits\":true}", "softmax", 2, 2, 0, NULL},
        {"{\"name\":\"bce\",\"from_logits\":true}", "sigmoid", 1, 2, 0, "ends with sigmoid"},
        {"\"mse\"", "linear", 2, 0, 2, NULL},
        {"\"mse\"", "linear", 1, 0, 2, "have 2 targets, net \"t\" has 1"},
        {"\"huber\"", "softmax", 4, 4, 0, NULL},
    };
    char text[300];
    struct hop_json *j, *l;
    struct hop_net *net;
    struct hop_loss loss;
    struct hop_err e;
    size_t i;
    int rc;

    for (i = 0; i < HOP_LEN(rows); i++) {
        struct hop_dataset_info d = {.n_classes = rows[i].n_classes,
                                     .n_targets = rows[i].n_targets};

        e = (struct hop_err){0};
        snprintf(text, sizeof text,
                 "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"t\",\"layers\":[{"
                 "\"class_name\":\"Dense\",\"config\":{\"batch_input_shape\":[null,7],"
                 "\"units\":%d,\"activation\":\"%s\"}}]}}",
                 rows[i].units, rows[i].act);
        j = json(text);
        l = json(rows[i].loss);
        rc = hop_net_parse(j, "net", &net, &e);
        if (!rc && !(rc = hop_loss_parse(l, "c", &loss, &e)) &&
            !(rc = hop_loss_check(&loss, net, "c", &e)))
            rc = hop_loss_check_data(&loss, net, &d, "c", &e);
        ok(rows[i].what ? rc == HOP_EFORMAT && strstr(e.what, rows[i].what) : !rc,
           "%s on %d %s, %d classes, %d targets: %s", rows[i].loss, rows[i].units, rows[i].act,
           rows[i].n_classes, rows[i].n_targets, rc ? e.what : "fits");
        hop_net_free(net);
        hop_json_free(j);
        hop_json_free(l);
    }
}

/* ---- class weights ---- */

static void
test_class_weights(void)
{
    static const struct {
        const char *text;
        bool has_counts;
        float want[3];
        const char *what;
    } rows[] = {
        {"\"balanced\"", true, {2, 1, 0.66666669f}, NULL}, /* 12 / (3 * 2), 12 / (3 * 4), ... */
        {"\"balanced\"", false, {0}, "needs hop.per_class"},
        {"[1,0.5,3]", false, {1, 0.5f, 3}, NULL},
        {"{\"dog\":2.5}", false, {1, 2.5f, 1}, NULL},
        {"{\"dgo\":2.5}", false, {0}, "no class \"dgo\""},
        {"[1,2]", false, {0}, "2 weights for 3 classes"},
        {"[1,2,-3]", false, {0}, "a number under 0"},
        {"[1,2,\"x\"]", false, {0}, "a string is no weight"},
        {"\"even\"", false, {0}, "class_weight is another word"},
        {"true", false, {0}, "class_weight is a "},
    };
    char *names[3] = {"cat", "dog", "emu"};
    int64_t counts[3] = {2, 4, 6};
    struct hop_dataset_info d = {.n_classes = 3, .classes = names};
    struct hop_json *config;
    struct hop_err e;
    char text[200];
    float *w;
    size_t i;
    int rc;

    for (i = 0; i < HOP_LEN(rows); i++) {
        e = (struct hop_err){0};
        w = NULL;
        snprintf(text, sizeof text, "{\"class_weight\":%s}", rows[i].text);
        config = json(text);
        d.per_class = rows[i].has_counts ? counts : NULL;
        if (!(rc = hop_class_weight_check(config, "c", &e)))
            rc = hop_class_weight_read(config, &d, "c", &w, &e);
        ok(rows[i].what ? rc == HOP_EFORMAT && strstr(e.what, rows[i].what)
                        : !rc && !memcmp(w, rows[i].want, sizeof rows[i].want),
           "class_weight %s: %s", rows[i].text, rc ? e.what : "read");
        free(w);
        hop_json_free(config);
    }
    e = (struct hop_err){0};
    config = json("{\"class_weight\":\"balanced\"}");
    d = (struct hop_dataset_info){.n_targets = 2};
    ok(hop_class_weight_read(config, &d, "c", &w, &e) == HOP_EFORMAT && !w &&
           strstr(e.what, "needs classes"),
       "with targets: %s", e.what);
    hop_json_free(config);
}

/* ---- metrics ---- */

static double
get(const struct hop_json *j, const char *key)
{
    const struct hop_json *v = hop_json_get(j, key);

    return hop_json_kind(v) == HOP_JSON_NULL ? NAN : hop_json_real(v);
}

static bool
is_near(double a, double b)
{
    return fabs(a - b) <= 1e-7;
}

static void
test_names(void)
{
    static const char *const bad[] = {"accuracyy", "top_", "top_0", "top_x", "", "top_5 "};
    struct hop_metrics m = {0}, all;
    struct hop_dataset_info d = {.n_classes = 10};
    struct hop_json *j = json("[\"sparse_top_k_categorical_accuracy\",\"top_3\",\"top_5\",\"mae\"]");
    struct hop_err e = {0};
    size_t i;

    ok(!hop_metrics_parse(&m, j, "c", &e) && m.n == 3 && !strcmp(m.v[0].key, "top_5") &&
           m.v[1].k == 3 && !strcmp(m.v[2].key, "mae"),
       "metrics by their names, each once %s", e.what);
    ok(!hop_metrics_choose(&all, &m, &d, 10, "c", &e) && all.n == 4 &&
           !strcmp(all.v[0].key, "accuracy"), "accuracy comes first %s", e.what);
    ok(hop_metrics_choose(&all, &m, &d, 5, "c", &e) == HOP_EFORMAT, "of few outputs: %s", e.what);
    hop_err_clear(&e);
    d = (struct hop_dataset_info){.n_targets = 10};
    ok(hop_metrics_choose(&all, &m, &d, 10, "c", &e) == HOP_EFORMAT, "of targets: %s", e.what);
    for (i = 0; i < HOP_LEN(bad); i++) {
        e = (struct hop_err){0};
        m.n = 0;
        ok(hop_metrics_add(&m, bad[i], "c", &e) == HOP_EFORMAT && strstr(e.hint, "precision"),
           "refused: %s", e.what);
    }
    ok(hop_metric_is_less_better("mae") && hop_metric_is_less_better("loss") &&
           !hop_metric_is_less_better("accuracy") && !hop_metric_is_less_better("top_5") &&
           !hop_metric_is_less_better("precision"), "which of them should be small");
    hop_json_free(j);
}

/* Six examples of three classes:   y  best  place of y
 *                                  0   0     1
 *                                  0   1     2
 *                                  1   1     1
 *                                  2   1     3
 *                                  2   2     1
 *                                  1   0     2 (with an equal one behind) */
static const float p6[6][3] = {{0.7f, 0.2f, 0.1f}, {0.3f, 0.6f, 0.1f}, {0.1f, 0.8f, 0.1f},
                               {0.3f, 0.5f, 0.2f}, {0.2f, 0.2f, 0.6f}, {0.5f, 0.25f, 0.25f}};
static const int32_t y6[6] = {0, 0, 1, 2, 2, 1};

static struct hop_json *
line_of(const struct hop_metrics *m, int from, int to, const char *shard)
{
    struct hop_json *line = hop_json_record("eval/1");
    struct hop_tally t;
    struct hop_err e = {0};

    if (hop_tally_init(&t, m, 3, 3, true, &e))
        printf("Bail out! %s\n", e.what);
    hop_tally_add(&t, p6[from], to - from, y6 + from, NULL);
    hop_json_set_str(line, "id", "a");
    hop_json_set_int(line, "iteration", 1);
    hop_json_set_str(line, "split", "val");
    if (shard) {
        hop_json_set_str(line, "shard", shard);
        hop_json_set_int(line, "shards", 2);
    }
    hop_json_set_int(line, "examples", to - from);
    hop_tally_put(&t, line, shard != NULL);
    hop_tally_clear(&t);
    return line;
}

/* Numbers by hand; and two parts merged are the whole, to the last bit. */
static void
test_parts(void)
{
    static const char *const keys[] = {"accuracy", "top_1", "top_2", "precision", "recall", "mae",
                                       "mse"};
    struct hop_metrics m = {0};
    struct hop_json *whole, *parts = hop_json_array(), *merged = NULL;
    struct hop_err e = {0};
    bool is_same = true;
    size_t i;

    if (hop_metrics_add(&m, "accuracy,top_1,top_2,precision,recall,mae,mse", "t", &e))
        printf("Bail out! %s\n", e.what);
    whole = line_of(&m, 0, 6, NULL);
    ok(is_near(get(whole, "accuracy"), 0.5) && is_near(get(whole, "top_1"), 0.5) &&
           is_near(get(whole, "top_2"), 5 / 6.0),
       "accuracy %g, top_1, top_2 %g", get(whole, "accuracy"), get(whole, "top_2"));
    /* predicted 2, 3, 1 of which right 1, 1, 1; there are 2 of each */
    ok(is_near(get(whole, "precision"), (1 / 2.0 + 1 / 3.0 + 1) / 3) &&
           is_near(get(whole, "recall"), 0.5),
       "precision %g, recall %g", get(whole, "precision"), get(whole, "recall"));
    ok(is_near(get(whole, "mae"), (0.6 + 1.4 + 0.4 + 1.6 + 0.8 + 1.5) / 18) &&
           is_near(get(whole, "mse"), (0.14 + 0.86 + 0.06 + 0.98 + 0.24 + 0.875) / 18),
       "mae %g, mse %g against one-hot", get(whole, "mae"), get(whole, "mse"));
    ok(!hop_json_get(whole, "counts"), "a whole has no counts");
    hop_json_push(parts, line_of(&m, 0, 2, "val-000"));
    hop_json_push(parts, line_of(&m, 2, 6, "val-001"));
    ok(!hop_eval_merge(parts, 1, "val", "log", &merged, &e) && merged &&
           !hop_json_get(merged, "counts") && hop_json_int(hop_json_get(merged, "examples")) == 6,
       "parts merge %s", e.what);
    for (i = 0; i < HOP_LEN(keys); i++) {
        bool is_count = i >= 3 && i <= 4;

        if (is_count ? get(merged, keys[i]) != get(whole, keys[i])
                     : !is_near(get(merged, keys[i]), get(whole, keys[i]))) {
            is_same = false;
            printf("# %s: %.17g, whole %.17g\n", keys[i], get(merged, keys[i]),
                   get(whole, keys[i]));
        }
    }
    ok(is_same && !is_near((get(hop_json_at(parts, 0), "precision") * 2 +
                            get(hop_json_at(parts, 1), "precision") * 4) / 6,
                           get(whole, "precision")),
       "as the whole: precision is no mean of the parts'");
    hop_json_free(merged);
    hop_json_free(whole);
    hop_json_free(parts);
}

/* One output and two classes: of the second. A part that lost its counts has no precision. */
static void
test_two_classes(void)
{
    static const float p[5] = {0.9f, 0.5f, 0.2f, 0.8f, 0.6f};
    static const int32_t y[5] = {1, 1, 0, 0, 1};
    struct hop_metrics m = {0};
    struct hop_json *line = hop_json_object(), *parts, *merged;
    struct hop_tally t;
    struct hop_err e = {0};

    if (hop_metrics_add(&m, "accuracy,precision,recall,mse", "t", &e) ||
        hop_tally_init(&t, &m, 1, 2, true, &e))
        printf("Bail out! %s\n", e.what);
    hop_tally_add(&t, p, 5, y, NULL);
    hop_tally_put(&t, line, false);
    ok(is_near(get(line, "accuracy"), 0.6) && is_near(get(line, "precision"), 2 / 3.0) &&
           is_near(get(line, "recall"), 2 / 3.0) &&
           is_near(get(line, "mse"), (0.01 + 0.25 + 0.04 + 0.64 + 0.16) / 5),
       "one output: precision %g, recall %g", get(line, "precision"), get(line, "recall"));
    ok(t.confusion[0] == 1 && t.confusion[1] == 1 && t.confusion[2] == 1 && t.confusion[3] == 2,
       "confusion of one output");
    hop_tally_clear(&t);
    hop_json_free(line);
    parts = json("[{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":1,\"split\":\"val\",\"shard\":\"val-0\","
                 "\"shards\":2,\"examples\":1,\"precision\":1,\"counts\":{\"hits\":[0,1],"
                 "\"predicted\":[0,1],\"actual\":[0,1]}},"
                 "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":1,\"split\":\"val\",\"shard\":\"val-1\","
                 "\"shards\":2,\"examples\":1,\"precision\":1}]");
    ok(!hop_eval_merge(parts, 1, "val", "log", &merged, &e) && merged &&
           hop_json_kind(hop_json_get(merged, "precision")) == HOP_JSON_NULL,
       "no precision without counts");
    hop_json_free(merged);
    hop_json_free(parts);
}

int
main(void)
{
    test_losses();
    test_beside();
    test_fit();
    test_class_weights();
    test_names();
    test_parts();
    test_two_classes();
    return tap_end();
}

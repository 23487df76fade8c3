/* t_keras - every device against Keras: ten steps from the same weights over the same batches end
 * in the same weights, slots, losses and counts. test/golden/keras/make.py made the files and
 * states the formulas of weights and examples, which are computed again here. Run it in the
 * project's root; FILE and DEVICE as arguments choose, HOP_EACH=1 prints the errors of every
 * tensor.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "format/json.h"
#include "net/metrics.h"
#include "tap.h"

/* Norm-wise relative errors that pass. Of the weights after ten steps 1e-4 everywhere. Of the
 * slots, and of the change of either in those steps, which is the sharper test since weights that
 * hardly move are easy to hit, it depends on the net: one activation that rounding puts on the
 * other side of a kink (ReLU, max-pooling) is worth some percent of one step's gradient, the more
 * the deeper the net. Which ones those are is fixed for ref; other devices round as their machine
 * does. */
static const double weight_tolerance = 1e-4;
static const struct {
    const char *file;
    double ref, others;
} change_tolerance[] = {
    {"optimizers", 1e-4, 1e-4},      {"layers-gap", 1e-4, 2e-2},   {"layers-flat", 1e-4, 2e-2},
    {"losses", 1e-4, 1e-4},
    {"optimizers2", 1e-4, 1e-4},     {"more-layers", 1e-4, 2e-2},  {"small-resnet", 1e-4, 2e-2},
    {"small-mobilenet", 3e-4, 2e-2}, /* Adam enlarges the rounding of its small gradients */
    {"regularizers", 1e-4, 1e-3},    {"sequences", 1e-4, 1e-3},
    {"cifar10-cnn1", 5e-2, 2e-1},    {"cifar10-cnn2", 5e-2, 2e-1}, {"cifar10-cnn3", 5e-2, 2e-1},
};

struct golden {
    struct hop_json *j;
    struct hop_net *net;
    int64_t n, n_eval, n_classes, n_targets, batch_size;
    bool is_u8;
    double ref_tolerance, tolerance; /* of changes */
    void *x, *x_eval;
    int32_t *y, *y_eval;
    float *t, *t_eval, *class_weight; /* or NULL */
    float *mean, *inv_std;
    const struct hop_json *loss, *start;
};

static void
die(const struct hop_err *e)
{
    printf("Bail out! %s: %s\n", e->where, e->what);
    exit(1);
}

static int64_t
get_int(const struct hop_json *o, const char *key)
{
    struct hop_err e = {0};
    int64_t v = 0;

    if (hop_json_get_int(o, key, true, 0, 0, "golden", &v, &e))
        die(&e);
    return v;
}

static uint64_t
key_of(const struct golden *g, const char *name)
{
    return (uint64_t)get_int(hop_json_get(g->j, "keys"), name);
}

/* ---- what both sides compute ---- */

static uint32_t
draw(uint64_t key, uint64_t e, uint32_t c2, uint32_t c3)
{
    uint32_t out[4];

    hop_philox(key, (uint32_t)(e / 4), (uint32_t)(e / 4 >> 32), c2, c3, out);
    return out[e % 4];
}

/* center + spread * u, u in [-1, 1) */
static void
draw_floats(const struct golden *g, uint32_t i_weight, uint32_t i_slot, double center,
            double spread, int64_t n, float *out)
{
    uint64_t key = key_of(g, "init");
    int64_t i;

    for (i = 0; i < n; i++) {
        float u = (float)(draw(key, (uint64_t)i, i_weight, i_slot) >> 8);

        out[i] = (float)center + (float)spread * (u * 0x1p-23f - 1.0f);
    }
}

static void
make_examples(const struct golden *g, const char *key_name, int64_t n, void **x, int32_t **y)
{
    int64_t d = hop_shape_len(&g->net->input), e, j;
    uint64_t key = key_of(g, key_name);
    struct hop_err err = {0};

    *x = hop_alloc((size_t)(n * d), g->is_u8 ? 1 : sizeof(float), &err);
    *y = hop_alloc((size_t)n, sizeof **y, &err);
    if (!*x || !*y)
        die(&err);
    for (e = 0; e < n; e++) {
        (*y)[e] = (int32_t)(e % g->n_classes);
        for (j = 0; j < d; j++) {
            int64_t v = ((*y)[e] * 53 + j * (1 + (*y)[e] % 4)) % 160 +
                        draw(key, (uint64_t)(e * d + j), 0, 0) % 96;

            if (g->is_u8)
                ((uint8_t *)*x)[e * d + j] = (uint8_t)v;
            else
                ((float *)*x)[e * d + j] = (float)v;
        }
    }
}

/* n rows of targets: numbers in [0, 1) for a cross-entropy, which add up to 1 for a categorical one,
 * else numbers in [-2, 2). */
static float *
make_targets(const struct golden *g, const char *key_name, int64_t n)
{
    const char *name = hop_json_str(hop_json_get(g->loss, "name"));
    struct hop_err e = {0};
    float *t = hop_alloc_floats((size_t)(n * g->n_targets), &e), u, sum;
    int64_t K = g->n_targets, i, k;

    if (!t)
        die(&e);
    name = name ? name : hop_json_str(g->loss);
    for (i = 0; i < n * g->n_targets; i++) {
        u = (float)(draw(key_of(g, key_name) ^ 1, (uint64_t)i, 0, 0) >> 8) * 0x1p-23f - 1.0f;
        t[i] = strstr(name, "entropy") ? u * 0.5f + 0.5f : u * 2.0f;
    }
    for (i = 0; i < n && !strcmp(name, "categorical_crossentropy"); i++) {
        for (sum = 0, k = 0; k < K; k++)
            sum += t[i * K + k];
        for (k = 0; k < K; k++)
            t[i * K + k] /= sum;
    }
    return t;
}

/* ---- reading ---- */

static void
parse_net(const struct hop_json *net, const char *path, struct hop_net **out)
{
    struct hop_json *own = NULL;
    struct hop_err e = {0};

    if ((!net && hop_json_read_file(path, &own, &e)) ||
        hop_net_parse(net ? net : own, path, out, &e))
        die(&e);
    hop_json_free(own);
}

static void
make_all_examples(struct golden *g)
{
    make_examples(g, "train", g->n, &g->x, &g->y);
    make_examples(g, "eval", g->n_eval, &g->x_eval, &g->y_eval);
    g->t = g->n_targets ? make_targets(g, "train", g->n) : NULL;
    g->t_eval = g->n_targets ? make_targets(g, "eval", g->n_eval) : NULL;
}

static void
free_examples(struct golden *g)
{
    free(g->x);
    free(g->x_eval);
    free(g->y);
    free(g->y_eval);
    free(g->t);
    free(g->t_eval);
}

static void
read_golden(const char *name, struct golden *g)
{
    struct hop_err e = {0};
    char path[200];
    int64_t c, i;

    *g = (struct golden){0};
    snprintf(path, sizeof path, "test/golden/keras/%s.json", name);
    if (hop_json_read_file(path, &g->j, &e))
        die(&e);
    snprintf(path, sizeof path, "share/nets/%s.json", name);
    parse_net(hop_json_get(g->j, "net"), path, &g->net);
    g->n = get_int(g->j, "n");
    g->n_eval = get_int(g->j, "n_eval");
    g->n_classes = get_int(g->j, "classes");
    g->batch_size = get_int(g->j, "batch_size");
    g->is_u8 = !strcmp(hop_json_str(hop_json_get(g->j, "dtype")), "U8");
    c = g->net->input.d[g->net->input.n_dims - 1];
    if (!(g->mean = hop_alloc_floats((size_t)c, &e)) ||
        !(g->inv_std = hop_alloc_floats((size_t)c, &e)))
        die(&e);
    for (i = 0; i < c; i++) {
        g->mean[i] = (float)hop_json_real(hop_json_get(g->j, "mean"));
        g->inv_std[i] = (float)hop_json_real(hop_json_get(g->j, "inv_std"));
    }
    g->loss = hop_json_get(g->j, "loss");
    g->start = hop_json_get(g->j, "start");
    make_all_examples(g);
}

/* A case with a net and a loss of its own: the golden as it would be with them. */
static struct golden
golden_of(const struct golden *g, const struct hop_json *c, const char *file)
{
    const struct hop_json *w = hop_json_get(c, "class_weight");
    struct golden own = *g;
    struct hop_err e = {0};
    size_t i;

    parse_net(hop_json_get(c, "net"), file, &own.net);
    own.loss = hop_json_get(c, "objective");
    own.start = hop_json_get(c, "start");
    own.n_classes = get_int(c, "classes");
    own.n_targets = hop_json_int(hop_json_get(c, "n_targets"));
    make_all_examples(&own);
    if (w && !(own.class_weight = hop_alloc_floats(hop_json_len(w), &e)))
        die(&e);
    for (i = 0; i < hop_json_len(w); i++)
        own.class_weight[i] = (float)hop_json_real(hop_json_at(w, i));
    return own;
}

static void
free_own(struct golden *own)
{
    free_examples(own);
    free(own->class_weight);
    hop_net_free(own->net);
}

static void
free_golden(struct golden *g)
{
    free_examples(g);
    free(g->mean);
    free(g->inv_std);
    hop_net_free(g->net);
    hop_json_free(g->j);
}

/* ---- state ---- */

/* Weights and slots of a case before its first step. */
static void
start_state(const struct golden *g, const struct hop_json *c, const char *const *slot_names,
            int n_slots, struct hop_state *s)
{
    const struct hop_json *range;
    struct hop_err e = {0};
    int i, k;

    s->weights = hop_alloc_floats(g->net->n_params, &e);
    for (k = 0; k < n_slots; k++)
        s->slots[k] = hop_alloc_floats(g->net->n_trainable, &e);
    if (e.code)
        die(&e);
    for (i = 0; i < g->net->n_weights; i++) {
        const struct hop_weight *w = &g->net->weights[i];

        range = hop_json_get(g->start, w->name);
        if (hop_json_len(range) != 2) {
            printf("Bail out! Keras has no weight \"%s\"\n", w->name);
            exit(1);
        }
        draw_floats(g, (uint32_t)i, 0, hop_json_real(hop_json_at(range, 0)),
                    hop_json_real(hop_json_at(range, 1)), w->n, s->weights + w->offset);
        for (k = 0; k < n_slots && w->is_trainable; k++) {
            range = hop_json_get(hop_json_get(c, "slots"), slot_names[k]);
            draw_floats(g, (uint32_t)i, (uint32_t)k + 1, hop_json_real(hop_json_at(range, 0)),
                        hop_json_real(hop_json_at(range, 1)), w->n, s->slots[k] + w->slot_offset);
        }
    }
    s->step = get_int(c, "step");
}

static void
free_state(struct hop_state *s)
{
    int k;

    free(s->weights);
    for (k = 0; k < HOP_MAX_SLOTS; k++)
        free(s->slots[k]);
}

/* The values called `name` in s ("dense/kernel", "optimizer/m/dense/kernel"), or NULL. */
static const float *
find_values(const struct hop_state *s, const char *const *slot_names, int n_slots, const char *name,
            int64_t *n)
{
    char full[400];
    int i, k;

    for (i = 0; i < s->net->n_weights; i++) {
        const struct hop_weight *w = &s->net->weights[i];

        *n = w->n;
        if (!strcmp(name, w->name))
            return s->weights + w->offset;
        for (k = 0; k < n_slots && w->is_trainable; k++) {
            snprintf(full, sizeof full, "optimizer/%s/%s", slot_names[k], w->name);
            if (!strcmp(name, full))
                return s->slots[k] + w->slot_offset;
        }
    }
    return NULL;
}

/* ---- comparing ---- */

struct errors { /* the greatest of any tensor */
    double weight, slot, change;
    char worst[400]; /* whose change error is the greatest */
    int n_tensors;
    bool is_missing;
};

static double
relative(double err, double size)
{
    return size > 1e-30 ? err / size : err > 1e-30 ? INFINITY : 0;
}

static void
compare_tensor(const struct hop_json *t, const float *before, const float *after, int64_t n,
               struct errors *er)
{
    const struct hop_json *at = hop_json_get(t, "at");
    const char *name = hop_json_str(hop_json_get(t, "name"));
    double norm = hop_json_real(hop_json_get(t, "norm"));
    double change = hop_json_real(hop_json_get(t, "change"));
    double sum_err = -hop_json_real(hop_json_get(t, "sum")), n2 = 0, c2 = 0, err2 = 0;
    double sample_err, value_err, change_err, floor;
    double *greatest = strncmp(name, "optimizer/", 10) ? &er->weight : &er->slot;
    int64_t m = (int64_t)hop_json_len(at), i;

    for (i = 0; i < n; i++) {
        sum_err += after[i];
        n2 += (double)after[i] * after[i];
        c2 += pow((double)after[i] - before[i], 2);
    }
    for (i = 0; i < m; i++)
        err2 += pow(after[i * n / m] - hop_json_real(hop_json_at(at, (size_t)i)), 2);
    /* What the whole tensor's error would be if it were as in the samples. An error of the norm x
     * allows the sum to be off by sqrt(n) x. */
    sample_err = sqrt(err2 * (double)n / (double)m);
    value_err = fmax(relative(sample_err, norm), relative(fabs(sqrt(n2) - norm), norm));
    value_err = fmax(value_err, relative(fabs(sum_err) / sqrt((double)n), norm));
    floor = fmax(change, 1e-4 * norm); /* what hardly moves is lost in the rounding of the values */
    change_err = relative(fmax(sample_err, fabs(sqrt(c2) - change)), floor);
    if (getenv("HOP_EACH"))
        printf("#   %s: %.1e, of the change %.1e\n", name, value_err, change_err);
    if (!(value_err <= *greatest))
        *greatest = value_err;
    if (!(change_err <= er->change)) {
        er->change = change_err;
        snprintf(er->worst, sizeof er->worst, "%s", name);
    }
}

static struct errors
compare(const struct hop_json *c, const struct hop_state *before, const struct hop_state *after,
        const char *const *slot_names, int n_slots)
{
    const struct hop_json *tensors = hop_json_get(c, "tensors"), *t;
    struct errors er = {.worst = "-"};
    const float *b, *a;
    const char *name;
    size_t i;
    int64_t n = 0;

    for (i = 0; i < hop_json_len(tensors); i++) {
        t = hop_json_at(tensors, i);
        name = hop_json_str(hop_json_get(t, "name"));
        b = find_values(before, slot_names, n_slots, name, &n);
        a = find_values(after, slot_names, n_slots, name, &n);
        if (!a || !b || n != get_int(t, "n")) {
            printf("# %s: hop has no such tensor of %lld values\n", name,
                   (long long)get_int(t, "n"));
            er.is_missing = true;
            continue;
        }
        compare_tensor(t, b, a, n, &er);
        er.n_tensors++;
    }
    return er;
}

static bool
is_near(const struct hop_json *c, const char *key, double v, double tolerance)
{
    double k = hop_json_real(hop_json_get(c, key));

    if (fabs(v - k) <= tolerance * fabs(k))
        return true;
    printf("# %s %.9g, in Keras %.9g\n", key, v, k);
    return false;
}

static bool
is_same(const struct hop_json *c, const char *key, int64_t v)
{
    if (v == get_int(c, key))
        return true;
    printf("# %s %lld, in Keras %lld\n", key, (long long)v, (long long)get_int(c, key));
    return false;
}

/* ---- running ---- */

struct bench { /* a device with the golden's data bound */
    const struct hop_device_ops *ops;
    struct hop_device *dev;
    struct hop_data *train, *eval;
};

static void
bind(const struct golden *g, const struct hop_device_ops *ops, struct bench *b)
{
    struct hop_examples x = {g->x, g->is_u8,     g->net->input, g->y,
                             g->n, g->n_classes, g->mean,       g->inv_std,
                             g->t, g->n_targets, g->class_weight};
    struct hop_err e = {0};

    if (g->t)
        x.y = NULL;

    b->ops = ops;
    if (ops->open(0, 1, &b->dev, &e) || ops->bind(b->dev, &x, &b->train, &e))
        die(&e);
    x.x = g->x_eval;
    x.y = g->t ? NULL : g->y_eval;
    x.t = g->t_eval;
    x.n = g->n_eval;
    if (ops->bind(b->dev, &x, &b->eval, &e))
        die(&e);
}

static void
unbind(struct bench *b)
{
    b->ops->unbind(b->train);
    b->ops->unbind(b->eval);
    b->ops->close(b->dev);
}

/* One pass over the training examples, then one evaluation, whose predictions are [n_eval, K]; s is
 * loaded and stored. */
static int
run(const struct golden *g, const struct bench *b, struct hop_plan_spec *spec, struct hop_state *s,
    struct hop_result *train, struct hop_result *eval, float *predictions, struct hop_err *e)
{
    struct hop_pass pass = {key_of(g, "shuffle"),
                            key_of(g, "dropout"),
                            get_int(g->j, "visit"),
                            get_int(g->j, "pass"),
                            NULL,
                            NULL};
    const struct hop_device_ops *ops = b->ops;
    struct hop_plan *p;
    int rc;

    if (!predictions)
        return HOP_ENOMEM;
    if ((rc = ops->compile(b->dev, spec, &p, e)))
        return rc;
    if (!(rc = ops->load(p, s, e)) && !(rc = ops->train(p, b->train, &pass, train, e)))
        rc = ops->store(p, s, e);
    ops->plan_free(p);
    spec->is_training = false;
    spec->optim = NULL;
    if (rc || (rc = ops->compile(b->dev, spec, &p, e)))
        return rc;
    if (!(rc = ops->load(p, s, e)))
        rc = ops->evaluate(p, b->eval, predictions, eval, e);
    ops->plan_free(p);
    return rc;
}

/* Where the case has Keras's metrics: are those of the predictions the same? */
static bool
has_metrics(const struct golden *g, const struct hop_json *c, const float *predictions)
{
    const struct hop_json *want = hop_json_get(c, "eval_metrics");
    struct hop_dataset_info info = {.n_classes = g->t ? 0 : g->n_classes, .n_targets = g->n_targets};
    struct hop_json *line = hop_json_object();
    struct hop_metrics extra = {0}, m;
    struct hop_tally t;
    struct hop_err e = {0};
    bool is_ok = true;
    void *it;

    for (it = hop_json_first(want); it; it = hop_json_next(want, it))
        if (hop_metrics_add(&extra, hop_json_it_key(it), "golden", &e))
            die(&e);
    if (hop_metrics_choose(&m, &extra, &info, g->net->output.d[0], "golden", &e) ||
        hop_tally_init(&t, &m, g->net->output.d[0], info.n_classes, false, &e))
        die(&e);
    hop_tally_add(&t, predictions, g->n_eval, g->t ? NULL : g->y_eval, g->t_eval);
    hop_tally_put(&t, line, false);
    for (it = hop_json_first(want); it; it = hop_json_next(want, it))
        is_ok &= is_near(want, hop_json_it_key(it),
                         hop_json_real(hop_json_get(line, hop_json_it_key(it))), 1e-5);
    hop_tally_clear(&t);
    hop_json_free(line);
    return is_ok;
}

static void
test_case(const struct golden *g, const char *file, const struct hop_json *c, const struct bench *b)
{
    const struct hop_json *conf = hop_json_get(c, "optimizer");
    struct hop_plan_spec spec = {
        .net = g->net, .batch_size = g->batch_size, .is_training = true, .precision = "fp32"};
    struct hop_state before = {.net = g->net}, after = {.net = g->net};
    struct hop_result train = {0}, eval = {0};
    const char *slot_names[HOP_MAX_SLOTS];
    struct hop_err e = {0};
    struct errors er;
    bool is_ref = !strcmp(b->ops->name, "ref");
    double pass = is_ref ? g->ref_tolerance : g->tolerance, loss_pass = fmin(pass, 1e-4);
    float *predictions = hop_alloc_floats((size_t)(g->n_eval * g->net->output.d[0]), &e);
    bool is_ok;
    int n_slots;

    if (hop_optim_find(hop_json_str(hop_json_get(conf, "optimizer")), file, &spec.optim, &e) ||
        hop_optim_conf(spec.optim, conf, file, spec.optim_conf, &e) ||
        hop_lr_parse(conf, file, &spec.lr, &e) ||
        hop_loss_parse(g->loss, file, &spec.loss, &e) ||
        hop_loss_check(&spec.loss, g->net, file, &e))
        die(&e);
    n_slots = spec.optim->slots(spec.optim_conf, slot_names);
    before.optim = after.optim = spec.optim;
    start_state(g, c, slot_names, n_slots, &before);
    start_state(g, c, slot_names, n_slots, &after);
    if (run(g, b, &spec, &after, &train, &eval, predictions, &e))
        printf("# %s: %s\n", e.where, e.what);
    er = compare(c, &before, &after, slot_names, n_slots);
    is_ok = (is_near(c, "loss", train.loss, loss_pass) & is_same(c, "n_correct", train.n_correct) &
            is_near(c, "lr", train.lr, 1e-6) & is_near(c, "eval_loss", eval.loss, loss_pass) &
            is_same(c, "eval_n_correct", eval.n_correct) & (train.n_steps == 10) &
            (after.step == before.step + 10) & !er.is_missing & (er.n_tensors > 0) &
            (er.weight <= weight_tolerance) & (er.slot <= pass) & (er.change <= pass)) &&
            has_metrics(g, c, predictions);
    ok(is_ok, "%s: %s: %s: %d tensors, error %.1e, of slots %.1e, of the change %.1e (%s)",
       b->ops->name, file, hop_json_str(hop_json_get(c, "name")), er.n_tensors, er.weight, er.slot,
       er.change, er.worst);
    free(predictions);
    free_state(&before);
    free_state(&after);
}

static void
test_own(const struct golden *g, const char *file, const struct hop_json *c,
         const struct hop_device_ops *ops)
{
    struct golden own = golden_of(g, c, file);
    struct bench b;

    bind(&own, ops, &b);
    test_case(&own, file, c, &b);
    unbind(&b);
    free_own(&own);
}

static bool
is_same_shape(const struct hop_shape *a, const struct hop_shape *b)
{
    return a->n_dims == b->n_dims && !memcmp(a->d, b->d, (size_t)a->n_dims * sizeof a->d[0]);
}

static bool
is_same_net(const struct hop_net *a, const struct hop_net *b)
{
    bool is_ok = a->n_layers == b->n_layers && a->n_weights == b->n_weights &&
                 a->n_params == b->n_params && a->n_trainable == b->n_trainable;
    int i;

    for (i = 0; is_ok && i < a->n_weights; i++)
        is_ok = !strcmp(a->weights[i].name, b->weights[i].name) &&
                is_same_shape(&a->weights[i].shape, &b->weights[i].shape) &&
                (float)a->weights[i].l1 == (float)b->weights[i].l1 && /* Keras 2 writes floats */
                (float)a->weights[i].l2 == (float)b->weights[i].l2 &&
                a->weights[i].is_trainable == b->weights[i].is_trainable &&
                !memcmp(&a->weights[i].init, &b->weights[i].init, sizeof a->weights[i].init);
    for (i = 0; is_ok && i < a->n_layers; i++)
        is_ok = a->layers[i].kind == b->layers[i].kind && a->layers[i].n_in == b->layers[i].n_in &&
                !memcmp(a->layers[i].in, b->layers[i].in, sizeof a->layers[i].in) &&
                is_same_shape(&a->layers[i].out_shape, &b->layers[i].out_shape);
    return is_ok;
}

/* The same net as Keras 3 writes it: the same layers and weights, trained alike. */
static void
test_keras3(struct golden *g, const char *name, const struct bench *b)
{
    struct hop_net *keras2 = g->net;
    char path[200];

    snprintf(path, sizeof path, "test/golden/keras/%s.keras3.json", name);
    parse_net(NULL, path, &g->net);
    ok(is_same_net(keras2, g->net), "%s: the net that Keras 3 wrote is the one of Keras 2", name);
    test_case(g, path, hop_json_at(hop_json_get(g->j, "cases"), 0), b);
    hop_net_free(g->net);
    g->net = keras2;
}

static void
test_file(size_t i_file, const char *device)
{
    const char *name = change_tolerance[i_file].file;
    const struct hop_device_ops *const *d;
    const struct hop_json *cases;
    struct golden g;
    struct bench b;
    size_t i;

    read_golden(name, &g);
    g.ref_tolerance = change_tolerance[i_file].ref;
    g.tolerance = change_tolerance[i_file].others;
    ok((int64_t)g.net->n_params == get_int(g.j, "params"), "%s: as many weights as in Keras", name);
    cases = hop_json_get(g.j, "cases");
    for (d = hop_device_list(); *d; d++) {
        if (device && strcmp(device, (*d)->name))
            continue;
        bind(&g, *d, &b);
        for (i = 0; i < hop_json_len(cases); i++) {
            const struct hop_json *c = hop_json_at(cases, i);

            if (hop_json_get(c, "net"))
                test_own(&g, name, c, *d);
            else
                test_case(&g, name, c, &b);
        }
        if (hop_json_get(g.j, "has_keras3") && !strcmp((*d)->name, "ref"))
            test_keras3(&g, name, &b);
        unbind(&b);
    }
    free_golden(&g);
}

int
main(int argc, char **argv)
{
    size_t i;

    for (i = 0; i < HOP_LEN(change_tolerance); i++)
        if (argc < 2 || !strcmp(argv[1], change_tolerance[i].file))
            test_file(i, argc > 2 ? argv[2] : NULL);
    return tap_end();
}

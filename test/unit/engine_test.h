/* engine_test - what the tests of devices share: nets from short texts, random data, weights. */
#ifndef HOP_TEST_ENGINE_TEST_H
#define HOP_TEST_ENGINE_TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "engine/plugin.h"
#include "net/state.h"
#include "tap.h"

/* Layers as JSON. act, pad and the like are bare words. */
/* clang-format off */
#define LAYER(class, config) "{\"class_name\":\"" class "\",\"config\":{" config "}},"
#define CONV(k, kh, kw, stride, pad, act)                                                          \
    LAYER("Conv2D", "\"filters\":" #k ",\"kernel_size\":[" #kh "," #kw "],\"strides\":" #stride    \
                    ",\"padding\":\"" #pad "\",\"activation\":\"" #act "\"")
#define POOL(class, size, stride, pad)                                                             \
    LAYER(class, "\"pool_size\":" #size ",\"strides\":" #stride ",\"padding\":\"" #pad "\"")
#define DENSE(units, act) LAYER("Dense", "\"units\":" #units ",\"activation\":\"" #act "\"")
#define ACT(name)         LAYER("Activation", "\"activation\":\"" #name "\"")
#define DROPOUT(rate)     LAYER("Dropout", "\"rate\":" #rate)
#define FLATTEN           LAYER("Flatten", "")
#define SEQ(l, c)  LAYER("Reshape", "\"target_shape\":[" #l "," #c "]")
#define CONV1(k, size, pad, act, more)                                                             \
    LAYER("Conv1D", "\"filters\":" #k ",\"kernel_size\":" #size ",\"padding\":\"" #pad             \
                    "\",\"activation\":\"" #act "\"" more)
#define GLOBAL            LAYER("GlobalAveragePooling2D", "")
#define BNORM             LAYER("BatchNormalization", "")
#define DEPTHWISE(size, stride, mult, act)                                                         \
    LAYER("DepthwiseConv2D", "\"kernel_size\":" #size ",\"strides\":" #stride                       \
                             ",\"depth_multiplier\":" #mult ",\"padding\":\"same\",\"activation\":\"" #act "\"")
/* A layer of a functional net: its name, class, what it reads (FROM: names), config. The input is
 * "in"; the last layer must be named "top". */
#define FROM(name) "\"" #name "\""
#define NODE(name, class, from, config)                                                            \
    "{\"class_name\":\"" class "\",\"name\":\"" #name "\",\"config\":{" config "},"                  \
    "\"inbound_nodes\":[" from "]},"
#define NCONV(name, from, k, size, act)                                                            \
    NODE(name, "Conv2D", FROM(from), "\"filters\":" #k ",\"kernel_size\":" #size                     \
         ",\"padding\":\"same\",\"activation\":\"" #act "\"")
#define NACT(name, from, act) NODE(name, "Activation", FROM(from), "\"activation\":\"" #act "\"")
/* clang-format on */

enum { N_CLASSES = 5 };

__attribute__((noreturn, unused)) static void
die(const char *what, const struct hop_err *e)
{
    printf("Bail out! %s: %s: %s (%s)\n", what, e->where, e->what, e->hint);
    exit(1);
}

/* input: "7,5,3"; layers: any of the above, then Dense(units, act) is added. */
__attribute__((unused)) static struct hop_net *
make_net_to(const char *input, const char *layers, int units, const char *act)
{
    bool is_graph = strstr(layers, "inbound_nodes");
    struct hop_str text = {0};
    struct hop_err e = {0};
    struct hop_json *j = NULL;
    struct hop_net *net = NULL;

    hop_str_addf(&text,
                 "{\"class_name\":\"%s\",\"config\":{\"name\":\"t\",\"layers\":["
                 "{\"class_name\":\"InputLayer\",%s\"config\":{\"batch_input_shape\":[null,%s]}},"
                 "%s{\"class_name\":\"Dense\",%s\"config\":{\"units\":%d,"
                 "\"activation\":\"%s\"}}]%s}}",
                 is_graph ? "Functional" : "Sequential", is_graph ? "\"name\":\"in\"," : "", input,
                 layers, is_graph ? "\"name\":\"out\",\"inbound_nodes\":[\"top\"]," : "", units, act,
                 is_graph ? ",\"output_layers\":[[\"out\",0,0]]" : "");
    if (hop_json_parse(hop_str_c(&text), text.n, layers, &j, &e) ||
        hop_net_parse(j, layers, &net, &e))
        die(layers, &e);
    hop_json_free(j);
    hop_str_clear(&text);
    return net;
}

/* The same with Dense(N_CLASSES) and softmax. */
__attribute__((unused)) static struct hop_net *
make_net(const char *input, const char *layers)
{
    return make_net_to(input, layers, N_CLASSES, "softmax");
}

/* One of the zoo. */
__attribute__((unused)) static struct hop_net *
read_net(const char *name)
{
    struct hop_err e = {0};
    struct hop_json *j = NULL;
    struct hop_net *net = NULL;
    char path[200];

    snprintf(path, sizeof path, "share/nets/%s.json", name);
    if (hop_json_read_file(path, &j, &e) || hop_net_parse(j, path, &net, &e))
        die(path, &e);
    hop_json_free(j);
    return net;
}

/* Number i of stream `key`, evenly in [-1, 1). */
static inline float
uniform(uint64_t key, uint64_t i)
{
    uint32_t r[4];

    hop_philox(key, (uint32_t)(i / 4), 77, 0, 0, r);
    return (float)(r[i % 4] >> 8) / 8388608.0f - 1.0f;
}

struct test_data {
    struct hop_examples x;
    void *pixels;
    int32_t *y;
    float *mean, *inv_std, *t;
};

/* n random examples: U8 for images, F32 for flat inputs. */
__attribute__((unused)) static struct test_data
make_data(const struct hop_net *net, int64_t n, uint64_t key)
{
    int64_t len = hop_shape_len(&net->input), C = net->input.d[net->input.n_dims - 1], i;
    struct test_data d = {.x = {.shape = net->input, .n = n, .n_classes = N_CLASSES}};
    struct hop_err e = {0};

    d.x.is_u8 = net->input.n_dims == 3;
    d.pixels = hop_alloc((size_t)(n * len), 4, &e);
    d.y = hop_alloc((size_t)n, sizeof *d.y, &e);
    d.mean = hop_alloc_floats((size_t)C, &e);
    d.inv_std = hop_alloc_floats((size_t)C, &e);
    for (i = 0; i < n * len; i++) {
        if (d.x.is_u8)
            ((uint8_t *)d.pixels)[i] = (uint8_t)(128.0f + 127.0f * uniform(key, (uint64_t)i));
        else
            ((float *)d.pixels)[i] = 3.0f * uniform(key, (uint64_t)i);
    }
    for (i = 0; i < n; i++)
        d.y[i] = (int32_t)(2.4999f * (uniform(key + 1, (uint64_t)i) + 1.0f));
    for (i = 0; i < C; i++) {
        d.mean[i] = d.x.is_u8 ? 120.0f + (float)i : 0.1f;
        d.inv_std[i] = d.x.is_u8 ? 1.0f / (70.0f + (float)i) : 0.6f;
    }
    d.x.x = d.pixels;
    d.x.y = d.y;
    d.x.mean = d.mean;
    d.x.inv_std = d.inv_std;
    return d;
}

__attribute__((unused)) static void
clear_data(struct test_data *d)
{
    free(d->pixels);
    free(d->y);
    free(d->mean);
    free(d->inv_std);
    free(d->t);
}

/* A state with random weights, biases and statistics too; slots zero. */
__attribute__((unused)) static struct hop_state
make_state(const struct hop_net *net, const struct hop_optim *optim, uint64_t seed)
{
    struct hop_state s = {.net = net, .optim = optim};
    struct hop_err e = {0};
    int i;

    s.weights = hop_alloc_floats(net->n_params, &e);
    for (i = 0; i < HOP_MAX_SLOTS; i++)
        s.slots[i] = hop_alloc_floats(net->n_trainable, &e);
    hop_init_weights(net, seed, "test", s.weights);
    for (i = 0; i < net->n_weights; i++) {
        const struct hop_weight *w = &net->weights[i];
        int64_t k;

        for (k = 0; k < w->n && w->init.kind == HOP_INIT_CONSTANT; k++)
            s.weights[w->offset + (size_t)k] += 0.3f * uniform(seed + 9, w->offset + (size_t)k);
    }
    return s;
}

__attribute__((unused)) static void
clear_state(struct hop_state *s)
{
    free(s->weights);
    for (int i = 0; i < HOP_MAX_SLOTS; i++)
        free(s->slots[i]);
}

/* The device that HOP_TEST_DEVICE names, from the plugins in HOP_PLUGINS, or NULL: then a test goes
 * through those that every machine has. */
__attribute__((unused)) static const struct hop_device_ops *
asked_device(void)
{
    const char *name = getenv("HOP_TEST_DEVICE");
    static struct hop_device *kept; /* a GPU's context is slow to make: one stays for all the tests */
    const struct hop_device_ops *ops;
    struct hop_err e = {0};
    int index;

    if (!name || !*name)
        return NULL;
    if (hop_plugins_set(getenv("HOP_PLUGINS"), getenv("HOP_CUDNN"), &e) ||
        hop_device_find(name, &ops, &index, &e) || ops->open(index, 1, &kept, &e))
        die("HOP_TEST_DEVICE", &e);
    printf("# device %s\n", ops->name);
    return ops;
}

/* A device opened, with one plan and data bound. */
struct test_run {
    const struct hop_device_ops *ops;
    struct hop_device *d;
    struct hop_plan *p;
    struct hop_data *x;
};

__attribute__((unused)) static struct test_run
start(const struct hop_device_ops *ops, const struct hop_plan_spec *spec, const struct test_data *x)
{
    struct test_run r = {.ops = ops};
    struct hop_err e = {0};

    if (ops->open(0, 1, &r.d, &e) || ops->compile(r.d, spec, &r.p, &e) ||
        ops->bind(r.d, &x->x, &r.x, &e))
        die(ops->name, &e);
    return r;
}

__attribute__((unused)) static void
stop(struct test_run *r)
{
    r->ops->unbind(r->x);
    r->ops->plan_free(r->p);
    r->ops->close(r->d);
}

__attribute__((unused)) static struct hop_plan_spec
make_spec(const struct hop_net *net, int64_t batch, const char *optim, const char *hyper)
{
    struct hop_plan_spec s = {.net = net, .batch_size = batch, .precision = "fp32"};
    struct hop_err e = {0};
    struct hop_json *j = NULL;

    s.is_training = optim != NULL;
    if (hop_loss_find("categorical_crossentropy", "test", &s.loss, &e) ||
        (optim && (hop_optim_find(optim, "test", &s.optim, &e) ||
                   hop_json_parse(hyper, strlen(hyper), hyper, &j, &e) ||
                   hop_optim_conf(s.optim, j, hyper, s.optim_conf, &e))))
        die(hyper ? hyper : "spec", &e);
    hop_json_free(j);
    return s;
}

/* ---- losses: every kind, every option, classes and targets ---- */

/* clang-format off */
static const struct loss_row {
    const char *name, *loss; /* JSON */
    int units;
    const char *act;       /* of the last layer */
    int n_classes;         /* 0 = targets, one for each unit */
    bool is_weighted;
} loss_rows[] = {
    {"softmax", "\"categorical_crossentropy\"", 5, "softmax", 5, false},
    {"softmax, class weights", "\"categorical_crossentropy\"", 5, "softmax", 5, true},
    {"softmax of logits", "{\"name\":\"categorical_crossentropy\",\"from_logits\":true}", 5, "linear", 5, true},
    {"softmax smoothed", "{\"name\":\"categorical_crossentropy\",\"label_smoothing\":0.2}", 5, "softmax", 5, true},
    {"softmax of logits, smoothed",
     "{\"name\":\"categorical_crossentropy\",\"from_logits\":true,\"label_smoothing\":0.1}", 5, "tanh", 5, false},
    {"softmax of targets", "{\"name\":\"categorical_crossentropy\",\"label_smoothing\":0.1}", 4, "softmax", 0, false},
    {"sparse", "\"sparse_categorical_crossentropy\"", 5, "softmax", 5, true},
    {"sparse of logits", "{\"name\":\"sparse_categorical_crossentropy\",\"from_logits\":true}", 5, "linear", 5, false},
    {"sigmoid, one output", "\"binary_crossentropy\"", 1, "sigmoid", 2, true},
    {"sigmoid, K outputs", "\"binary_crossentropy\"", 5, "sigmoid", 5, true},
    {"sigmoid of logits", "{\"name\":\"binary_crossentropy\",\"from_logits\":true}", 1, "linear", 2, false},
    {"sigmoid smoothed", "{\"name\":\"bce\",\"label_smoothing\":0.3}", 1, "sigmoid", 2, false},
    {"sigmoid of targets", "{\"name\":\"bce\",\"from_logits\":true,\"label_smoothing\":0.1}", 3, "linear", 0, false},
    {"mse", "\"mse\"", 1, "linear", 0, false},
    {"mse, 3 targets", "\"mean_squared_error\"", 3, "linear", 0, false},
    {"mse of softmax", "\"mse\"", 5, "softmax", 5, true},
    {"mse of sigmoid", "\"mse\"", 1, "sigmoid", 2, true},
    {"mae", "\"mae\"", 2, "linear", 0, false},
    {"mae of tanh", "\"mean_absolute_error\"", 2, "tanh", 0, false},
    {"huber", "\"huber\"", 2, "linear", 0, false},
    {"huber, delta", "{\"class_name\":\"Huber\",\"config\":{\"delta\":0.4}}", 2, "elu", 0, false},
    {"huber of classes", "{\"name\":\"huber\",\"delta\":0.5}", 5, "softmax", 5, true},
};
/* clang-format on */

static const float test_class_weight[N_CLASSES] = {0.5f, 1.75f, 3, 0.25f, 1};

/* The row's data: n examples with its classes or targets. */
__attribute__((unused)) static struct test_data
make_loss_data(const struct loss_row *r, const struct hop_net *net, int64_t n, uint64_t key)
{
    struct test_data d = make_data(net, n, key);
    bool is_share = hop_shape_len(&net->output) > 1 && strstr(r->loss, "entropy");
    struct hop_err e = {0};
    int64_t i;

    d.x.n_classes = r->n_classes;
    d.x.class_weight = r->is_weighted ? test_class_weight : NULL;
    for (i = 0; i < n && r->n_classes; i++)
        d.y[i] = d.y[i] % r->n_classes;
    if (r->n_classes)
        return d;
    d.t = hop_alloc_floats((size_t)(n * r->units), &e);
    for (i = 0; i < n * r->units; i++) {
        d.t[i] = uniform(key + 2, (uint64_t)i);
        d.t[i] = is_share ? 0.5f + 0.45f * d.t[i] : 2 * d.t[i];
    }
    d.x.y = NULL;
    d.x.t = d.t;
    d.x.n_targets = r->units;
    return d;
}

/* The loss of a row into a spec. */
__attribute__((unused)) static void
set_loss(const char *text, struct hop_plan_spec *spec)
{
    struct hop_err e = {0};
    struct hop_json *j = NULL;

    if (hop_json_parse(text, strlen(text), text, &j, &e) ||
        hop_loss_parse(j, text, &spec->loss, &e) ||
        hop_loss_check(&spec->loss, spec->net, text, &e))
        die(text, &e);
    hop_json_free(j);
}

/* ---- what several tests run ---- */

__attribute__((unused)) static const struct hop_pass a_pass = {.shuffle_key = 11, .dropout_key = 12, .visit = 3};

__attribute__((unused)) static const struct {
    const char *name, *hyper;
} optims[] = {
    {"sgd", "{\"lr\":0.05}"},
    {"sgd", "{\"lr\":0.05,\"decay\":0.1}"},
    {"sgd", "{\"lr\":0.05,\"momentum\":0.9}"},
    {"sgd", "{\"lr\":0.05,\"momentum\":0.9,\"nesterov\":true,\"decay\":0.01}"},
    {"rmsprop", "{\"lr\":0.001}"},
    {"rmsprop", "{\"lr\":0.001,\"rho\":0.8,\"decay\":0.1}"},
    {"adam", "{\"lr\":0.001}"},
    {"adam", "{\"lr\":0.001,\"beta_1\":0.8,\"beta_2\":0.99,\"decay\":0.1}"},
    {"adamw", "{\"lr\":0.001,\"weight_decay\":0.1}"},
    {"nadam", "{\"lr\":0.001}"},
    {"adagrad", "{\"lr\":0.01}"},
    {"adadelta", "{\"lr\":0.5}"},
    {"sgd", "{\"lr\":0.05,\"momentum\":0.9,\"weight_decay\":0.01,\"global_clipnorm\":0.1}"},
    {"sgd", "{\"lr\":0.05,\"clipnorm\":0.05}"},
    {"sgd", "{\"lr\":0.05,\"clipvalue\":0.001}"},
    {"lion", "{\"lr\":0.001,\"clipnorm\":1.0}"},
};

#define SMOOTH                                                                                     \
    CONV(8, 3, 3, 1, same, elu)                                                                    \
    BNORM POOL("AveragePooling2D", 2, 2, valid) DROPOUT(0.3) CONV(17, 3, 3, 1, valid, tanh)        \
        FLATTEN DENSE(12, sigmoid)

/* bf16 where the CPU has it, a refusal with the reason where not; "auto" always is something. */
__attribute__((unused)) static bool
can_bf16(const struct hop_device_ops *dev)
{
    struct hop_net *net = make_net("7", "");
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    struct hop_device *d;
    struct hop_plan *p;
    struct hop_err e = {0};
    int rc;

    if (dev->open(0, 1, &d, &e))
        die("open", &e);
    spec.precision = "bf16";
    rc = dev->compile(d, &spec, &p, &e);
    ok(rc ? rc == HOP_EDEV && strstr(e.what, "no bf16") : !strcmp(dev->precision(p), "bf16"),
       "bf16: %s", rc ? e.what : "this machine has it");
    dev->plan_free(p);
    hop_err_clear(&e);
    spec.precision = "auto";
    ok(!dev->compile(d, &spec, &p, &e) && !strcmp(dev->precision(p), rc ? "fp32" : "bf16"),
       "auto: the device's fastest");
    dev->plan_free(p);
    dev->close(d);
    hop_net_free(net);
    return !rc;
}

#endif

/* bench_train NET.json ID [DEVICE BATCH THREADS REPEATS STEPS PRECISION] - training speed on random data
 * in memory: one JSON line with the median over repeats, each of STEPS steps (default: cpu, 128, 1,
 * 5, 8, fp32). Forward, backward and SGD with momentum; no reading of files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "engine/plugin.h"
#include "net/state.h"

enum { MAX_REPEATS = 99 };

struct bench {
    const struct hop_device_ops *ops;
    struct hop_device *device;
    struct hop_net *net;
    struct hop_plan *plan;
    struct hop_data *data;
    struct hop_state state;
    uint8_t *pixels;
    int32_t *y;
    float *norm;
    int64_t batch, threads, repeats, steps;
    const char *precision;
};

/* Random pictures and labels, as many as one repeat takes. */
static int
bind_data(struct bench *b, struct hop_err *e)
{
    int64_t n = b->batch * b->steps, len = hop_shape_len(&b->net->input), i;
    int64_t c = b->net->input.d[b->net->input.n_dims - 1];
    struct hop_examples x = {.shape = b->net->input, .is_u8 = true, .n = n};

    b->pixels = hop_alloc((size_t)(n * len + 15), 1, e);
    b->y = hop_alloc((size_t)n, sizeof *b->y, e);
    b->norm = hop_alloc_floats((size_t)(2 * c), e);
    if (!b->pixels || !b->y || !b->norm)
        return HOP_ENOMEM;
    x.n_classes = b->net->output.d[0];
    for (i = 0; i < n * len; i += 16)
        hop_philox(1, (uint32_t)(i / 16), 0, 0, 0, (uint32_t *)(void *)(b->pixels + i));
    for (i = 0; i < n; i++)
        b->y[i] = (int32_t)(b->pixels[i * len] % x.n_classes);
    for (i = 0; i < c; i++) {
        b->norm[i] = 127.5f;
        b->norm[c + i] = 1.0f / 74.0f;
    }
    x.x = b->pixels;
    x.y = b->y;
    x.mean = b->norm;
    x.inv_std = b->norm + c;
    return b->ops->bind(b->device, &x, &b->data, e);
}

static int
compile(struct bench *b, struct hop_err *e)
{
    struct hop_plan_spec spec = {
        .net = b->net, .batch_size = b->batch, .is_training = true, .precision = b->precision};
    static const char hyper[] = "{\"lr\":0.001,\"momentum\":0.9}";
    struct hop_json *j;
    int rc;

    if ((rc = hop_json_parse(hyper, strlen(hyper), "bench", &j, e)))
        return rc;
    if (!(rc = hop_loss_find("categorical_crossentropy", "bench", &spec.loss, e)) &&
        !(rc = hop_optim_find("sgd", "bench", &spec.optim, e)))
        rc = hop_optim_conf(spec.optim, j, "bench", spec.optim_conf, e);
    hop_json_free(j);
    if (rc || (rc = b->ops->compile(b->device, &spec, &b->plan, e)))
        return rc;
    b->state = (struct hop_state){.net = b->net, .optim = spec.optim};
    b->state.weights = hop_alloc_floats(b->net->n_params, e);
    b->state.slots[0] = hop_alloc_floats(b->net->n_trainable, e);
    if (!b->state.weights || !b->state.slots[0])
        return HOP_ENOMEM;
    hop_init_weights(b->net, 1, "bench", b->state.weights);
    return b->ops->load(b->plan, &b->state, e);
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int
measure(struct bench *b, double *images_per_s, struct hop_err *e)
{
    struct hop_pass pass = {.shuffle_key = 1, .dropout_key = 2, .visit = 1};
    struct hop_result r;
    double start_s;
    int rc;

    for (pass.i_pass = -1; pass.i_pass < b->repeats; pass.i_pass++) { /* the first warms up */
        start_s = hop_clock_s();
        if ((rc = b->ops->train(b->plan, b->data, &pass, &r, e)))
            return rc;
        if (pass.i_pass >= 0)
            images_per_s[pass.i_pass] = (double)r.n_examples / (hop_clock_s() - start_s);
    }
    qsort(images_per_s, (size_t)b->repeats, sizeof *images_per_s, by_value);
    return HOP_OK;
}

static int
run(struct bench *b, const char *path, const char *id, const char *device, struct hop_err *e)
{
    double images_per_s[MAX_REPEATS], flops;
    struct rusage used;
    struct hop_json *j;
    int index, rc;

    if ((rc = hop_json_read_file(path, &j, e)))
        return rc;
    rc = hop_net_parse(j, path, &b->net, e);
    hop_json_free(j);
    if (rc || (rc = hop_device_find(device, &b->ops, &index, e)) ||
        (rc = b->ops->open(index, (int)b->threads, &b->device, e)) || (rc = compile(b, e)) ||
        (rc = bind_data(b, e)) || (rc = measure(b, images_per_s, e)))
        return rc;
    getrusage(RUSAGE_SELF, &used);
    flops = 3 * b->net->flops * images_per_s[b->repeats / 2];
    printf("{\"hop\":\"bench/1\",\"bench\":\"train\",\"net\":\"%s\",\"device\":\"%s\","
           "\"fingerprint\":\"%s\",\"precision\":\"%s\",\"batch\":%lld,\"threads\":%lld,\"images_per_s\":%.1f,"
           "\"min\":%.1f,\"max\":%.1f,\"repeats\":%lld,\"gflop_per_s\":%.1f,\"plan_bytes\":%zu,"
           "\"rss_mb\":%ld}\n",
           id, device, b->ops->fingerprint(b->device, b->plan), b->ops->precision(b->plan), (long long)b->batch, (long long)b->threads,
           images_per_s[b->repeats / 2], images_per_s[0], images_per_s[b->repeats - 1],
           (long long)b->repeats, flops * 1e-9, b->ops->plan_bytes(b->plan),
           used.ru_maxrss / 1024);
    return HOP_OK;
}

static void
clear(struct bench *b)
{
    if (b->data)
        b->ops->unbind(b->data);
    if (b->plan)
        b->ops->plan_free(b->plan);
    if (b->device)
        b->ops->close(b->device);
    hop_net_free(b->net);
    free(b->state.weights);
    free(b->state.slots[0]);
    free(b->pixels);
    free(b->y);
    free(b->norm);
}

int
main(int argc, char **argv)
{
    struct bench b = {.batch = 128, .threads = 1, .repeats = 5, .steps = 8, .precision = "fp32"};
    int64_t *const numbers[] = {&b.batch, &b.threads, &b.repeats, &b.steps};
    const char *device = argc > 3 ? argv[3] : "cpu";
    struct hop_err e = {0};
    int i, rc = HOP_OK;

    if (argc < 3 || argc > 9) {
        fprintf(stderr, "bench_train NET.json ID [DEVICE BATCH THREADS REPEATS STEPS PRECISION]\n");
        return 2;
    }
    if (argc == 9)
        b.precision = argv[8];
    for (i = 4; i < argc && i < 8 && !rc; i++)
        rc = hop_parse_int(argv[i], 1, i == 6 ? MAX_REPEATS : 1e6, "argument", numbers[i - 4], &e);
    if (!rc)
        rc = hop_plugins_set(getenv("HOP_PLUGINS"), getenv("HOP_CUDNN"), &e);
    if (!rc)
        rc = run(&b, argv[1], argv[2], device, &e);
    if (rc)
        fprintf(stderr, "bench_train: %s: %s (%s)\n", e.where, e.what, e.hint);
    clear(&b);
    return hop_err_exit(&e);
}

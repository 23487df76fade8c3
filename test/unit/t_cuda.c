/* What is the device cuda's own, on checked host memory (driver_host.h): places in the arena, the order
 * of calls, captured steps, failures of every call, what the suites for all devices leave out. */
#include "engine/cuda/arena.h"
#include "engine/cuda/driver_host.h"
#include "engine/cuda/resident.h"
#include "engine/cuda/kernels.h"
#include "engine_test.h"
#include "tap.h"

static const struct hop_device_ops *ref, *dev;

/* ---- 1 the arena ---- */

enum { N_PIECES = 40 };

/* Do two pieces that are needed at one time lie over each other, or any where it must not? */
static bool
is_sound(const struct hop_cuda_piece *p, int n, size_t total)
{
    for (int i = 0; i < n; i++) {
        if (p[i].first > p[i].last)
            continue;
        if (p[i].offset % HOP_CUDA_ALIGN || p[i].offset + p[i].bytes > total)
            return false;
        for (int j = 0; j < i; j++)
            for (int t = p[i].first; t <= p[i].last; t++)
                if (t >= p[j].first && t <= p[j].last && p[i].bytes && p[j].bytes &&
                    p[i].offset < p[j].offset + p[j].bytes &&
                    p[j].offset < p[i].offset + p[i].bytes)
                    return false;
    }
    return true;
}

/* The most that is needed at one time: no plan can do with less. */
static size_t
peak(const struct hop_cuda_piece *p, int n, int n_steps)
{
    size_t max = 0, sum;

    for (int t = 0; t < n_steps; t++) {
        sum = 0;
        for (int i = 0; i < n; i++)
            sum += t >= p[i].first && t <= p[i].last ? p[i].bytes : 0;
        max = sum > max ? sum : max;
    }
    return max;
}

static void
test_arena(void)
{
    struct hop_cuda_piece p[N_PIECES];
    struct hop_err e = {0};
    size_t total, least;
    int n_bad = 0, n_wide = 0;
    uint32_t r[4];

    for (uint32_t k = 0; k < 2000; k++) {
        int n = 1 + (int)(k % N_PIECES);

        for (int i = 0; i < n; i++) {
            hop_philox(7, k, (uint32_t)i, 0, 0, r);
            p[i].bytes = r[0] % 5000;
            p[i].first = (int)(r[1] % 20);
            p[i].last = p[i].first + (int)(r[2] % 8) - 1;
        }
        if (hop_cuda_arena_plan(p, n, &total, &e))
            die("arena", &e);
        least = peak(p, n, 30);
        n_bad += !is_sound(p, n, total) || total < least;
        n_wide += total > 2 * least + N_PIECES * HOP_CUDA_ALIGN;
    }
    ok(!n_bad, "arena: no two pieces lie over each other while both are needed (%d of 2000 do)",
       n_bad);
    ok(!n_wide, "arena: never twice as wide as what is needed at one time (%d of 2000 are)", n_wide);
    p[0] = (struct hop_cuda_piece){.bytes = 1000, .first = 0, .last = 3};
    p[1] = (struct hop_cuda_piece){.bytes = 900, .first = 4, .last = 5};
    if (hop_cuda_arena_plan(p, 2, &total, &e))
        die("arena", &e);
    ok(total == 1024 && !p[1].offset, "arena: bytes are used again");
}

/* ---- 2 kernels ---- */

/* A convolution's weight gradient by chunks of images is that by single images. */
static void
test_chunks(void)
{
    struct k_conv c = {.n = 0, .H = 4, .W = 5, .C = 3, .K = 2, .P = 4, .Q = 5, .kh = 3, .kw = 3,
                       .Cg = 3, .Kg = 2, .stride_h = 1, .stride_w = 1, .dilation_h = 1,
                       .dilation_w = 1, .pad_top = 1, .pad_left = 1};
    enum { N = 11, W = 3 * 3 * 3 * 2 + 2 };
    float x[N * 60], dy[N * 40], part[N * W], sum[W], first[W];
    int n_bad = 0;

    for (int i = 0; i < N * 60; i++)
        x[i] = uniform(1, (uint64_t)i);
    for (int i = 0; i < N * 40; i++)
        dy[i] = uniform(2, (uint64_t)i);
    for (c.n = 1; c.n <= N; c.n++)
        for (int64_t chunk = 1; chunk <= 16; chunk *= 2) {
            int64_t n_chunks = (c.n + chunk - 1) / chunk;
            struct k_conv_dw_args dw = {{x, N * 60}, {dy, N * 40}, {part, n_chunks * W}, c, chunk};
            struct k_tree_args tree = {{part, n_chunks * W}, {sum, W}, n_chunks, W, 0};

            hop_cuda_host_run(K_conv_dw, n_chunks * W, &dw);
            hop_cuda_host_run(K_tree, W, &tree);
            if (chunk == 1)
                memcpy(first, sum, sizeof sum);
            n_bad += memcmp(first, sum, sizeof sum) != 0;
        }
    ok(!n_bad, "chunks of images change no bit of a weight gradient");
}

/* Every kernel's buffers are named: a struct of n spans, and numbers, has n rows. */
static void
test_rows(void)
{
    int n_bad = 0;

    for (int k = 0; k < HOP_CUDA_N_KERNELS; k++) {
        const struct hop_cuda_kernel_row *row = &hop_cuda_kernel_rows[k];

        for (int i = 0; i < K_MAX_SPANS && row->spans[i].element; i++) {
            n_bad += row->spans[i].offset + sizeof(struct k_span) > row->args_size;
            n_bad += !strchr("rwu", row->spans[i].mode);
            for (int j = 0; j < i; j++)
                n_bad += row->spans[j].offset == row->spans[i].offset;
        }
        n_bad += !row->spans[0].element || row->args_size > 4096;
    }
    ok(!n_bad, "%d kernels: their buffers lie in their arguments, which fit a launch",
       HOP_CUDA_N_KERNELS);
}

/* ---- 3 calls ---- */

static void
train(struct test_run *t, int i_pass)
{
    struct hop_pass pass = {.shuffle_key = 4, .dropout_key = 5, .visit = 1, .i_pass = i_pass};
    struct hop_result r;
    struct hop_err e = {0};

    if (t->ops->train(t->p, t->x, &pass, &r, &e))
        die("train", &e);
}

static int64_t n_fast; /* up to now */

static void
test_calls(const char *precision)
{
    struct hop_net *net = make_net("8,8,3", SMOOTH);
    struct hop_plan_spec spec = make_spec(net, 8, "adam", "{}");
    struct test_data x = make_data(net, 43, 22);
    struct hop_state s = make_state(net, spec.optim, 5);
    struct test_run t;
    struct hop_cuda_host_counts a, b;
    struct hop_err e = {0};

    spec.precision = precision;
    t = start(dev, &spec, &x);
    if (dev->load(t.p, &s, &e))
        die("load", &e);
    a = hop_cuda_host_counts;
    train(&t, 0);
    b = hop_cuda_host_counts;
    ok(b.n_captures == a.n_captures + 1 && b.n_graph_launches == a.n_graph_launches + 4,
       "%s: the first step and tail run launch by launch, the rest as a captured step", precision);
    ok(b.n_syncs == a.n_syncs + 1, "%s: a pass waits once", precision);
    train(&t, 1);
    a = hop_cuda_host_counts;
    ok(a.n_captures == b.n_captures + 1 && a.n_graph_launches == b.n_graph_launches + 6,
       "%s: the tail is captured in the second pass", precision);
    train(&t, 2);
    b = hop_cuda_host_counts;
    ok(b.n_launches == a.n_launches && b.n_fast == a.n_fast && b.n_allocs == a.n_allocs &&
           b.n_plans == a.n_plans && b.n_captures == a.n_captures &&
           b.n_graph_launches == a.n_graph_launches + 6,
       "%s: then a pass is graphs alone, without new memory", precision);
    ok(b.n_syncs == a.n_syncs + 1 && b.n_copies_in == a.n_copies_in + 2 &&
           b.n_copies_out == a.n_copies_out + 1,
       "%s: and one wait, two copies in, one out", precision);
    /* two convolutions and two dense layers, three passes each but for the first one's data gradient;
     * full and tail; launched and captured */
    ok(b.n_fast == (strcmp(precision, "fp32") ? 11 * 2 * 2 + n_fast : 0),
       "%s: %lld passes of layers on tensor cores", precision, (long long)b.n_fast);
    n_fast = b.n_fast;
    stop(&t);
    ok(!hop_cuda_host_counts.n_live && !hop_cuda_host_counts.n_contexts &&
           !hop_cuda_host_counts.n_plans, "%s: nothing stays behind", precision);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

/* All a visit does; the first failure's code. */
static int
visit(const struct hop_plan_spec *spec, const struct test_data *x, struct hop_state *s,
      struct hop_err *e)
{
    struct hop_pass pass = a_pass;
    struct hop_device *d = NULL;
    struct hop_plan *p = NULL;
    struct hop_data *data = NULL;
    struct hop_result r;
    float out[11 * N_CLASSES];
    int rc;

    if ((rc = dev->open(0, 1, &d, e)) || (rc = dev->compile(d, spec, &p, e)) ||
        (rc = dev->load(p, s, e)) || (rc = dev->bind(d, &x->x, &data, e)))
        goto end;
    for (pass.i_pass = 0; pass.i_pass < 3 && !rc; pass.i_pass++)
        rc = dev->train(p, data, &pass, &r, e);
    if (!rc)
        rc = dev->evaluate(p, data, out, &r, e);
    if (!rc)
        rc = dev->store(p, s, e);
end:
    if (data)
        dev->unbind(data);
    dev->plan_free(p);
    if (d)
        dev->close(d);
    return rc;
}

/* How far a step of SGD with rate 1 took the weights: of each of them, or of all together. */
static void
test_clip(const char *precision, const char *key, bool is_global)
{
    struct hop_net *net = make_net("6,6,3", FLATTEN DENSE(40, tanh)); /* 4320 weights: 17 pieces */
    char hyper[80];
    struct hop_plan_spec spec;
    struct test_data x = make_data(net, 11, 22);
    struct hop_state s, was;
    struct hop_pass pass = a_pass;
    struct hop_device *d;
    struct hop_plan *p;
    struct hop_data *data;
    struct hop_result r;
    struct hop_err e = {0};
    double all = 0, worst = 0, sum, limit = 1e-3;
    int n_clipped = 0;

    snprintf(hyper, sizeof hyper, "{\"lr\":1,\"%s\":%g}", key, limit);
    spec = make_spec(net, 11, "sgd", hyper);
    spec.precision = precision;
    s = make_state(net, spec.optim, 5);
    was = make_state(net, spec.optim, 5);
    if (dev->open(0, 1, &d, &e) || dev->compile(d, &spec, &p, &e) || dev->load(p, &s, &e) ||
        dev->bind(d, &x.x, &data, &e) || dev->train(p, data, &pass, &r, &e) ||
        dev->store(p, &s, &e))
        die(precision, &e);
    for (int i = 0; i < net->n_weights; i++) {
        const struct hop_weight *w = &net->weights[i];

        sum = 0;
        for (int64_t k = 0; k < w->n; k++) {
            double step = (double)s.weights[w->offset + (size_t)k] - was.weights[w->offset + (size_t)k];

            sum += step * step;
        }
        all += sum;
        worst = fmax(worst, sqrt(sum));
        n_clipped += fabs(sqrt(sum) - limit) < 1e-3 * limit;
    }
    if (is_global)
        ok(fabs(sqrt(all) - limit) < 1e-3 * limit, "%s: %s: all go %g", precision, key, sqrt(all));
    else
        ok(n_clipped == net->n_weights, "%s: %s: %d weights of %d go as far, %g", precision, key,
           n_clipped, net->n_weights, worst);
    dev->unbind(data);
    dev->plan_free(p);
    dev->close(d);
    clear_state(&s);
    clear_state(&was);
    clear_data(&x);
    hop_net_free(net);
}

/* Whichever call fails: the error comes out, nothing stays behind, and the next visit works. */
static void
test_failures(const char *precision, bool is_resident)
{
    struct hop_net *net = make_net("5,5,3", LAYER("Rescaling", "\"scale\":0.5") CONV(2, 3, 3, 1, same, relu)
                                                BNORM DROPOUT(0.3) FLATTEN);
    struct hop_plan_spec spec = make_spec(net, 4, "adam", "{\"clipnorm\":1}");
    struct test_data x = make_data(net, 11, 22);
    struct hop_state s = make_state(net, spec.optim, 5);
    int n_wrong = 0, n_kept = 0, n = 0, rc;
    struct hop_err e;

    spec.precision = precision;
    x.x.key = is_resident ? "k" : NULL;
    do {
        e = (struct hop_err){0};
        hop_cuda_host_fail(++n);
        rc = visit(&spec, &x, &s, &e);
        hop_cuda_residents_drop();
        n_wrong += rc && (rc != e.code || (rc != HOP_EDEV && rc != HOP_ENOMEM));
        n_kept += hop_cuda_host_counts.n_live || hop_cuda_host_counts.n_contexts ||
                  hop_cuda_host_counts.n_plans;
    } while (rc && n < 10000);
    hop_cuda_host_fail(0);
    ok(n > 100 && !rc, "%s: a visit makes %d calls that may fail", precision, n - 1);
    ok(!n_wrong, "each failure comes out as one (%d do not)", n_wrong);
    ok(!n_kept, "none leaves memory behind (%d do)", n_kept);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

static void
test_refusal(void)
{
    struct hop_net *net = make_net("7", DENSE(4, relu));
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    struct hop_layer_kind strange = *net->layers[0].kind;
    struct hop_device *d;
    struct hop_plan *p;
    struct hop_err e = {0};
    int rc;

    strange.name = "Strange";
    strange.op = "StrangeOperation";
    net->layers[0].kind = &strange;
    if (dev->open(0, 1, &d, &e))
        die("open", &e);
    rc = dev->compile(d, &spec, &p, &e);
    ok(rc == HOP_EFORMAT && !p && strstr(e.what, "Strange"), "a layer it lacks: %s", e.what);
    dev->close(d);
    hop_net_free(net);
}

/* ---- 4 no bit differs from ref's ---- */

static void
passes(const struct hop_device_ops *ops, const struct hop_plan_spec *spec,
       const struct test_data *x, struct hop_state *s)
{
    struct test_run t = start(ops, spec, x);
    struct hop_err e = {0};

    if (ops->load(t.p, s, &e))
        die("load", &e);
    for (int i = 0; i < 3; i++)
        train(&t, i);
    if (ops->store(t.p, s, &e))
        die("store", &e);
    stop(&t);
}

/* A shard is uploaded once for all slots and visits; all copies of it are one. The least recently used
 * makes room. */
static void
test_resident(void)
{
    struct hop_net *net = make_net("8,8,3", CONV(8, 3, 3, 1, same, relu) FLATTEN);
    struct hop_plan_spec spec = make_spec(net, 8, "sgd", "{}");
    struct test_data x = make_data(net, 27, 22), large = make_data(net, 1, 1);
    struct hop_state s[2] = {make_state(net, spec.optim, 5), make_state(net, spec.optim, 5)};
    struct hop_cuda_host_counts a, b;
    struct hop_data *more[3];
    struct test_run t[2];
    struct hop_err e = {0};
    uint8_t *pixels = calloc(1, (size_t)100 << 20);
    int32_t *y = calloc(sizeof *y, (size_t)(100 << 20) / 192);

    passes(dev, &spec, &x, &s[0]);
    a = hop_cuda_host_counts;
    x.x.key = "some digest";
    t[0] = start(dev, &spec, &x);
    b = hop_cuda_host_counts;
    t[1] = start(dev, &spec, &x);
    ok(hop_cuda_host_counts.n_live_bytes - b.n_live_bytes < b.n_live_bytes - a.n_live_bytes - 27 * 192,
       "resident: a second slot takes no memory for the same examples");
    memset(x.pixels, 0, 27 * 192); /* nobody reads them again */
    dev->unbind(t[1].x);
    a = hop_cuda_host_counts;
    if (dev->bind(t[1].d, &x.x, &t[1].x, &e) || dev->load(t[1].p, &s[1], &e))
        die("bind", &e);
    b = hop_cuda_host_counts;
    ok(b.n_copies_in - a.n_copies_in == 2 + 1 && b.n_allocs == a.n_allocs,
       "resident: bound again, nothing but the model's own is copied");
    for (int i = 0; i < 3; i++)
        train(&t[1], i);
    if (dev->store(t[1].p, &s[1], &e))
        die("store", &e);
    ok(!memcmp(s[0].weights, s[1].weights, net->n_params * sizeof(float)), "resident: the same bits");
    /* a quarter of 1 GiB holds two of 100 MB */
    large.x.x = pixels;
    large.x.y = y;
    large.x.n = (100 << 20) / 192;
    a = hop_cuda_host_counts;
    for (int i = 0; i < 3; i++) {
        large.x.key = i == 0 ? "one" : i == 1 ? "two" : "three";
        if (dev->bind(t[0].d, &large.x, &more[i], &e))
            die("bind", &e);
        if (i < 2)
            dev->unbind(more[i]);
    }
    b = hop_cuda_host_counts;
    ok(b.n_live_bytes - a.n_live_bytes < 220 << 20, "resident: the longest unused makes room");
    dev->unbind(more[2]);
    large.x.key = "two";
    a = hop_cuda_host_counts;
    if (dev->bind(t[0].d, &large.x, &more[1], &e))
        die("bind", &e);
    ok(hop_cuda_host_counts.n_copies_in - a.n_copies_in == 2, "resident: and the other is still there");
    dev->unbind(more[1]);
    stop(&t[0]);
    stop(&t[1]);
    hop_cuda_residents_drop();
    ok(!hop_cuda_host_counts.n_live && !hop_cuda_host_counts.n_contexts,
       "resident: dropped, nothing stays behind");
    free(pixels);
    free(y);
    clear_state(&s[0]);
    clear_state(&s[1]);
    clear_data(&x);
    clear_data(&large);
    hop_net_free(net);
}

static void
compare(const char *name, const struct hop_plan_spec *spec, const struct test_data *x)
{
    struct hop_state a = make_state(spec->net, spec->optim, 5);
    struct hop_state b = make_state(spec->net, spec->optim, 5);
    bool is_equal;

    passes(ref, spec, x, &a);
    passes(dev, spec, x, &b);
    is_equal = a.step == b.step && !memcmp(a.weights, b.weights, spec->net->n_params * sizeof(float));
    for (int i = 0; i < HOP_MAX_SLOTS; i++)
        is_equal =
            is_equal && !memcmp(a.slots[i], b.slots[i], spec->net->n_trainable * sizeof(float));
    ok(is_equal, "ref's bits: %s", name);
    clear_state(&a);
    clear_state(&b);
}

/* Rules that the list of engine_test.h leaves out, and schedules. */
static void
test_optimizers(void)
{
    static const struct {
        const char *name, *hyper;
    } rows[] = {
        {"adam", "{\"amsgrad\":true,\"weight_decay\":0.01}"},
        {"adamw", "{\"amsgrad\":true,\"clipvalue\":0.01}"},
        {"rmsprop", "{\"momentum\":0.9}"},
        {"rmsprop", "{\"centered\":true}"},
        {"rmsprop", "{\"momentum\":0.5,\"centered\":true,\"global_clipnorm\":0.1}"},
        {"lion", "{\"lr\":0.01,\"weight_decay\":0.1}"},
        {"sgd", "{\"momentum\":0.9,\"schedule\":\"exponential\",\"decay_steps\":3,\"decay_rate\":0.5}"},
        {"sgd", "{\"schedule\":\"cosine\",\"decay_steps\":9,\"warmup_steps\":4}"},
        {"adam", "{\"schedule\":\"onecycle\",\"decay_steps\":12}"},
        {"adamw", "{\"schedule\":\"piecewise\",\"boundaries\":[2,5],\"factors\":[1,0.5,0.1],\"decay\":0.1}"},
        {"nadam", "{\"schedule\":\"polynomial\",\"decay_steps\":9,\"power\":2}"},
        {"adagrad", "{\"schedule\":\"inverse_time\",\"decay_steps\":2,\"decay_rate\":0.5}"},
    };
    struct hop_net *net = make_net("8,8,3", SMOOTH);
    struct test_data x = make_data(net, 27, 22);
    struct hop_err e = {0};
    char name[200];

    for (size_t i = 0; i < HOP_LEN(rows); i++) {
        struct hop_plan_spec spec = make_spec(net, 8, rows[i].name, rows[i].hyper);
        struct hop_json *j;

        if (hop_json_parse(rows[i].hyper, strlen(rows[i].hyper), "test", &j, &e) ||
            hop_lr_parse(j, "test", &spec.lr, &e))
            die(rows[i].hyper, &e);
        hop_json_free(j);
        snprintf(name, sizeof name, "%s %s", rows[i].name, rows[i].hyper);
        compare(name, &spec, &x);
    }
    clear_data(&x);
    hop_net_free(net);
}

/* One plan, shards of many sizes, most with a tail of their own; then evaluated by the same plan. */
static void
test_shards(void)
{
    struct hop_net *net = make_net("6,6,3", CONV(4, 3, 3, 1, same, elu) BNORM DROPOUT(0.2) FLATTEN);
    struct hop_plan_spec spec = make_spec(net, 16, "sgd", "{\"momentum\":0.9}");
    struct hop_state s[2] = {make_state(net, spec.optim, 5), make_state(net, spec.optim, 5)};
    const struct hop_device_ops *ops[2] = {ref, dev};
    struct hop_result r[2];
    struct hop_err e = {0};
    bool is_equal = true;
    int64_t live = 0;

    for (int k = 0; k < 2; k++) {
        struct test_data x = make_data(net, 5, 1);
        struct test_run t = start(ops[k], &spec, &x);

        clear_data(&x); /* bound data of cuda are its own; ref's are not read before the next bind */
        if (ops[k]->load(t.p, &s[k], &e))
            die("load", &e);
        for (int n = 1; n < 40; n += n < 20 ? 1 : 5) {
            x = make_data(net, n, (uint64_t)n);
            ops[k]->unbind(t.x);
            if (ops[k]->bind(t.d, &x.x, &t.x, &e))
                die("bind", &e);
            train(&t, n);
            train(&t, n + 1);
            if (ops[k]->evaluate(t.p, t.x, NULL, &r[k], &e))
                die("evaluate", &e);
            clear_data(&x);
        }
        live = hop_cuda_host_counts.n_live;
        if (ops[k]->store(t.p, &s[k], &e))
            die("store", &e);
        stop(&t);
    }
    is_equal = !memcmp(s[0].weights, s[1].weights, net->n_params * sizeof(float)) &&
               !memcmp(s[0].slots[0], s[1].slots[0], net->n_trainable * sizeof(float)) &&
               r[0].loss == r[1].loss && r[0].n_correct == r[1].n_correct;
    ok(is_equal, "ref's bits: shards of 24 sizes, trained on and evaluated by one plan");
    ok(live < 24, "few programs are kept (%d pieces of memory)", (int)live);
    clear_state(&s[0]);
    clear_state(&s[1]);
    hop_net_free(net);
}

/* What stands in the way of tensor cores: all of a program's steps that are not made of them. */
static void
test_fast_steps(void)
{
    struct hop_net *net = make_net("8,8,3", CONV(16, 3, 3, 1, same, relu) CONV(16, 3, 3, 1, same, relu)
                                                POOL("MaxPooling2D", 2, 2, valid) FLATTEN);
    struct hop_plan_spec spec = make_spec(net, 8, "sgd", "{}");
    struct hop_cuda_host_counts a, b;
    struct hop_device *d;
    struct hop_plan *p;
    struct hop_data *x;
    struct test_data data = make_data(net, 8, 1);
    struct hop_state s = make_state(net, spec.optim, 5);
    struct hop_pass pass = a_pass;
    struct hop_result r;
    struct hop_err e = {0};

    spec.precision = "bf16";
    if (dev->open(0, 1, &d, &e) || dev->compile(d, &spec, &p, &e) || dev->load(p, &s, &e) ||
        dev->bind(d, &data.x, &x, &e))
        die("open", &e);
    a = hop_cuda_host_counts;
    if (dev->train(p, x, &pass, &r, &e))
        die("train", &e);
    b = hop_cuda_host_counts;
    /* input 2; pooling; logits widened, softmax, loss, score, its gradient, narrowed; dense bias 2,
     * pooling back; each convolution's ReLU back, bias sums 3 (64 rows, 8, the last); weights back,
     * step, copies, advance */
    ok(b.n_fast - a.n_fast == 3 + 3 + 2 && b.n_launches - a.n_launches <= 25,
       "bf16: two convolutions, pooling, dense: 8 passes of layers and %lld kernels",
       (long long)(b.n_launches - a.n_launches));
    dev->unbind(x);
    dev->plan_free(p);
    dev->close(d);
    clear_state(&s);
    clear_data(&data);
    hop_net_free(net);
}

struct heard {
    int64_t n_calls, last, end_at; /* end_at: the call that says stop; 0: none */
    bool is_rising;
};

static bool
hear(void *arg, int64_t n_done, int64_t n_total)
{
    struct heard *h = arg;

    h->is_rising = h->is_rising && n_done > h->last && n_done <= n_total;
    h->last = n_done;
    return ++h->n_calls != h->end_at;
}

/* 200 batches: told of on the way; told to end, it ends on the way, with nothing in flight; nothing but
 * waiting is different. */
static void
test_progress(void)
{
    struct hop_net *net = make_net("7", DENSE(4, relu));
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    struct test_data x = make_data(net, 803, 22);
    struct hop_state s = make_state(net, spec.optim, 5), plain = make_state(net, spec.optim, 5);
    struct heard heard = {.is_rising = true};
    struct hop_pass pass = {.visit = 1, .progress = hear, .progress_arg = &heard}, silent = {.visit = 1};
    struct hop_cuda_host_counts a, b;
    struct test_run t = start(dev, &spec, &x);
    struct hop_result r;
    struct hop_err e = {0};

    if (dev->load(t.p, &plain, &e) || dev->train(t.p, t.x, &silent, &r, &e) ||
        dev->store(t.p, &plain, &e) || dev->load(t.p, &s, &e) ||
        dev->train(t.p, t.x, &pass, &r, &e) || dev->store(t.p, &s, &e))
        die("train", &e);
    ok(heard.n_calls == 6 && heard.is_rising && heard.last == 803 &&
           !memcmp(s.weights, plain.weights, net->n_params * sizeof(float)),
       "progress: %lld calls in a pass of 201 batches, the same bits", (long long)heard.n_calls);
    heard = (struct heard){.end_at = 2, .is_rising = true};
    a = hop_cuda_host_counts;
    ok(dev->train(t.p, t.x, &pass, &r, &e) == HOP_EBUSY && heard.n_calls == 2 && heard.last == 256,
       "told to end at the second call, it ends");
    b = hop_cuda_host_counts;
    ok(b.n_graph_launches - a.n_graph_launches <= 4 * 32, "%lld of 201 batches were begun",
       (long long)(b.n_graph_launches - a.n_graph_launches));
    hop_err_clear(&e);
    stop(&t);
    clear_state(&s);
    clear_state(&plain);
    clear_data(&x);
    hop_net_free(net);
}

/* Exact plans have one fingerprint; fast ones that of the GPU, the libraries and what these chose. */
static void
test_fingerprints(void)
{
    static const char begin[] = "cuda-host fast sm_90 1 loops 1 plans ";
    struct hop_net *nets[2] = {make_net("7", DENSE(4, relu)), make_net("7", "")};
    struct hop_device *d;
    struct hop_plan *p[3], *exact;
    char name[128];
    struct hop_cuda_props props;
    struct hop_err e = {0};

    if (dev->open(0, 1, &d, &e) || hop_cuda_host_driver()->props(0, &props, &e))
        die("open", &e);
    for (int i = 0; i < 4; i++) {
        struct hop_plan_spec spec = make_spec(nets[i == 2], 4, "sgd", "{}");

        spec.precision = i == 3 ? "fp32" : "bf16";
        if (dev->compile(d, &spec, i == 3 ? &exact : &p[i], &e))
            die("compile", &e);
    }
    ok(!strcmp(dev->fingerprint(d, NULL), "cuda-host exact 1") &&
           !strcmp(dev->fingerprint(d, exact), "cuda-host exact 1"), "exact: %s",
       dev->fingerprint(d, exact));
    ok(!strncmp(dev->fingerprint(d, p[0]), begin, strlen(begin)) &&
           strlen(dev->fingerprint(d, p[0])) == strlen(begin) + 16 &&
           !strcmp(dev->fingerprint(d, p[0]), dev->fingerprint(d, p[1])) &&
           strcmp(dev->fingerprint(d, p[0]), dev->fingerprint(d, p[2])),
       "fast: %s, that of the same plans, not of others", dev->fingerprint(d, p[0]));
    hop_cuda_fast_name(hop_cuda_host_driver(), &props, name, sizeof name);
    ok(!strncmp(name, begin, strlen(name)) && strlen(name) == strlen(begin) - 7,
       "and it begins with what a probe says");
    for (int i = 0; i < 3; i++)
        dev->plan_free(p[i]);
    dev->plan_free(exact);
    dev->close(d);
    hop_net_free(nets[0]);
    hop_net_free(nets[1]);
}

/* Every net of the zoo becomes a plan, exact and on tensor cores; none is run. */
static void
test_zoo(void)
{
    static const struct {
        const char *name, *optim;
    } nets[] = {
        {"cifar10-cnn1", "adam"}, {"cifar10-cnn2", "adam"}, {"cifar10-cnn3", "adam"},
        {"lenet5", "adam"}, {"mlp", "adam"}, {"resnet9", "adam"}, {"resnet20", "adam"},
        {"mobilenet-small", "adam"}, {"resnet50", "sgd"}, {"vgg16", "sgd"},
    };
    static const char *const precisions[] = {"fp32", "bf16"};

    for (size_t i = 0; i < HOP_LEN(nets); i++)
        for (int k = 0; k < 2; k++) {
            struct hop_net *net = read_net(nets[i].name);
            struct hop_plan_spec spec = make_spec(net, 2, nets[i].optim, "{}");
            struct hop_device *d;
            struct hop_plan *p;
            struct hop_err e = {0};

            spec.precision = precisions[k];
            if (dev->open(0, 1, &d, &e) || dev->compile(d, &spec, &p, &e))
                die(nets[i].name, &e);
            ok(dev->plan_bytes(p) > net->n_params * (strcmp(nets[i].optim, "adam") ? 2 : 4) *
                                        sizeof(float),
               "%s %s: %.1f MB at batch 2", nets[i].name, precisions[k],
               (double)dev->plan_bytes(p) / 1e6);
            dev->plan_free(p);
            dev->close(d);
            hop_net_free(net);
        }
}

int
main(void)
{
    struct hop_err e = {0};
    int index;

    if (hop_device_find("ref", &ref, &index, &e))
        die("ref", &e);
    dev = hop_cuda_device(hop_cuda_host_driver());
    test_arena();
    test_chunks();
    test_rows();
    test_calls("fp32");
    test_calls("bf16");
    test_calls("tf32");
    test_failures("fp32", false);
    test_failures("fp32", true);
    test_failures("bf16", true);
    test_fast_steps();
    for (size_t i = 0; i < 3; i++) {
        static const char *const precisions[] = {"fp32", "bf16", "tf32"};

        test_clip(precisions[i], "clipnorm", false);
        test_clip(precisions[i], "global_clipnorm", true);
    }
    test_progress();
    test_fingerprints();
    test_refusal();
    test_optimizers();
    test_shards();
    test_resident();
    test_zoo();
    return tap_end();
}

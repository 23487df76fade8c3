/* The laws of every device: load and store are exact, a split run is the whole run, byte for byte, for
 * every optimizer, loss and precision; dropout drops the same elements everywhere; what is refused, what
 * broken numbers do. */
#include "engine/cuda/driver_host.h"
#include "engine_test.h"
#include "tap.h"

static const struct hop_device_ops *ref, *dev;

/* ---- 1 state ---- */

static bool
equal(const struct hop_state *a, const struct hop_state *b)
{
    bool is_equal =
        a->step == b->step && !memcmp(a->weights, b->weights, a->net->n_params * sizeof(float));

    for (int i = 0; i < HOP_MAX_SLOTS; i++)
        is_equal =
            is_equal && !memcmp(a->slots[i], b->slots[i], a->net->n_trainable * sizeof(float));
    return is_equal;
}

/* Passes first..last of visits 1 and 2 (two passes each). */
static void
run_passes(struct test_run *t, int first, int last)
{
    struct hop_pass pass = {.shuffle_key = 4, .dropout_key = 5};
    struct hop_result r;
    struct hop_err e = {0};

    for (int i = first; i <= last; i++) {
        pass.visit = 1 + i / 2;
        pass.i_pass = i % 2;
        if (t->ops->train(t->p, t->x, &pass, &r, &e))
            die("train", &e);
    }
}

/* What runs on one device only, or graphs of many kinds of layer: the same laws hold. */
#define GRAPH                                                                                      \
    NCONV(a, in, 16, 3, gelu)                                                                      \
    NODE(b, "DepthwiseConv2D", FROM(a), "\"kernel_size\":3,\"padding\":\"same\"")                  \
    NODE(bn, "BatchNormalization", FROM(b), "") NACT(br, bn, relu)                                 \
    NODE(s, "Add", FROM(a) "," FROM(br), "") NODE(d, "SpatialDropout2D", FROM(s), "\"rate\":0.3")   \
    NODE(c, "Concatenate", FROM(d) "," FROM(in), "") NODE(l, "LayerNormalization", FROM(c), "")    \
    NODE(top, "GlobalAveragePooling2D", FROM(l), "")

static void
compare_split(const struct hop_device_ops *ops, const char *name, const char *more,
              const struct hop_plan_spec *spec, const struct test_data *x)
{
    const struct hop_net *net = spec->net;
    struct hop_state whole = make_state(net, spec->optim, 5);
    struct hop_state split = make_state(net, spec->optim, 5);
    struct hop_state before = make_state(net, spec->optim, 5);
    struct test_run t = start(ops, spec, x);
    struct hop_err e = {0};

    if (ops->load(t.p, &whole, &e))
        die("load", &e);
    run_passes(&t, 0, 3);
    if (ops->store(t.p, &whole, &e))
        die("store", &e);
    stop(&t);
    for (int k = 0; k < 4; k++) { /* a new device, plan and binding for every pass */
        t = start(ops, spec, x);
        if (ops->load(t.p, &split, &e))
            die("load", &e);
        run_passes(&t, k, k);
        if (ops->store(t.p, &split, &e))
            die("store", &e);
        stop(&t);
    }
    ok(equal(&whole, &split), "%s %s %s %s: split run = whole run, byte for byte", ops->name,
       spec->precision, name, more);
    ok(!equal(&whole, &before) && whole.step == 16, "%s %s: it trained", ops->name, name);
    clear_state(&whole);
    clear_state(&split);
    clear_state(&before);
}

static void
test_split(const struct hop_device_ops *ops, const char *precision, const char *layers, size_t i)
{
    struct hop_net *net = make_net("8,8,3", layers);
    struct hop_plan_spec spec = make_spec(net, 8, optims[i].name, optims[i].hyper);
    struct test_data x = make_data(net, 27, 22);

    spec.precision = precision;
    compare_split(ops, optims[i].name, optims[i].hyper, &spec, &x);
    clear_data(&x);
    hop_net_free(net);
}

/* A batch in slices. */
static void
test_slices_split(const struct hop_device_ops *ops, const char *precision)
{
    struct hop_net *net = make_net("8,8,3", CONV(9, 3, 3, 1, same, elu) DROPOUT(0.3) FLATTEN);
    struct hop_plan_spec spec = make_spec(net, 50, "adam", "{}");
    struct test_data x = make_data(net, 187, 22);

    spec.precision = precision;
    compare_split(ops, "slices", "adam", &spec, &x);
    clear_data(&x);
    hop_net_free(net);
}

static void
test_loss_split(const struct hop_device_ops *ops, const struct loss_row *l)
{
    struct hop_net *net = make_net_to("7", DENSE(9, tanh) DROPOUT(0.2), l->units, l->act);
    struct hop_plan_spec spec = make_spec(net, 8, "adam", "{\"lr\":0.01}");
    struct test_data x = make_loss_data(l, net, 27, 22);

    set_loss(l->loss, &spec);
    compare_split(ops, l->name, "adam", &spec, &x);
    clear_data(&x);
    hop_net_free(net);
}

/* A plan that trained one model trains the next, with other hyperparameters, as its own plan would. */
static void
test_retune(const struct hop_device_ops *ops, const char *optim, const char *hyper,
            const char *hyper2)
{
    struct hop_net *net = make_net("8,8,3", CONV(5, 3, 1, 1, same, elu) DROPOUT(0.3) SMOOTH);
    struct hop_plan_spec one = make_spec(net, 8, optim, hyper);
    struct hop_plan_spec two = make_spec(net, 8, optim, hyper2);
    struct hop_state fresh = make_state(net, one.optim, 5), used = make_state(net, one.optim, 5);
    struct hop_state old = make_state(net, one.optim, 5);
    struct test_data x = make_data(net, 27, 22);
    struct test_run t = start(ops, &two, &x);
    struct hop_err e = {0};

    if (ops->load(t.p, &fresh, &e))
        die("load", &e);
    run_passes(&t, 0, 1);
    if (ops->store(t.p, &fresh, &e))
        die("store", &e);
    stop(&t);
    t = start(ops, &one, &x);
    if (ops->load(t.p, &old, &e))
        die("load", &e);
    run_passes(&t, 0, 2);
    if (ops->store(t.p, &old, &e))
        die("store", &e);
    ops->retune(t.p, &two);
    if (ops->load(t.p, &used, &e))
        die("load", &e);
    run_passes(&t, 0, 1);
    if (ops->store(t.p, &used, &e))
        die("store", &e);
    stop(&t);
    ok(equal(&fresh, &used) && !equal(&old, &used), "%s %s: a plan retuned is a plan compiled",
       ops->name, optim);
    clear_state(&fresh);
    clear_state(&used);
    clear_state(&old);
    clear_data(&x);
    hop_net_free(net);
}

static bool
end_at_once(void *arg, int64_t n_done, int64_t n_total)
{
    (void)n_done;
    (void)n_total;
    ++*(int *)arg;
    return false;
}

/* progress() says false: it is not called again. */
static void
test_told_to_end(const struct hop_device_ops *ops)
{
    struct hop_net *net = make_net("8,8,3", CONV(5, 3, 1, 1, same, elu) SMOOTH);
    struct hop_plan_spec spec = make_spec(net, 8, "sgd", "{}");
    struct hop_state s = make_state(net, spec.optim, 5);
    struct test_data x = make_data(net, 27, 22);
    struct test_run t = start(ops, &spec, &x);
    int n_calls = 0, rc;
    struct hop_pass pass = {.visit = 1, .progress = end_at_once, .progress_arg = &n_calls};
    struct hop_result r;
    struct hop_err e = {0};

    if (ops->load(t.p, &s, &e))
        die("load", &e);
    rc = ops->train(t.p, t.x, &pass, &r, &e);
    ok(rc == HOP_EBUSY && n_calls == 1, "%s: told to end, it ends", ops->name);
    stop(&t);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

/* Any bits that a float may hold come back as they went in. */
static void
test_load_store(const struct hop_device_ops *ops)
{
    static const uint32_t odd[] = {0x80000000u, 1u,          0x7F800000u,
                                   0x7FC12345u, 0xFF812345u, 0x807FFFFFu};
    struct hop_net *net = make_net("8,8,3", CONV(17, 3, 2, 1, same, elu) SMOOTH);
    struct hop_plan_spec spec = make_spec(net, 8, "adam", "{}");
    struct test_data x = make_data(net, 3, 22);
    struct hop_state in = make_state(net, spec.optim, 5), out = make_state(net, spec.optim, 6);
    struct test_run t = start(ops, &spec, &x);
    struct hop_err e = {0};

    for (size_t i = 0; i < net->n_trainable; i++)
        for (int k = 0; k < 2; k++)
            in.slots[k][i] = uniform(31 + (uint64_t)k, i);
    for (size_t i = 0; i < net->n_params; i += 7)
        memcpy(&in.weights[i], &odd[i / 7 % HOP_LEN(odd)], 4);
    in.step = 123456789012;
    if (ops->load(t.p, &in, &e) || ops->store(t.p, &out, &e))
        die("load and store", &e);
    ok(equal(&in, &out), "%s: store after load changes no byte", ops->name);
    stop(&t);
    clear_state(&in);
    clear_state(&out);
    clear_data(&x);
    hop_net_free(net);
}

/* Loss, hits and predictions of evaluate are those of predict's. */
static void
test_evaluate(const struct hop_device_ops *ops)
{
    struct hop_net *net = make_net("8,8,3", SMOOTH);
    struct hop_plan_spec spec = make_spec(net, 8, NULL, NULL);
    struct test_data x = make_data(net, 43, 22);
    struct hop_state s = make_state(net, NULL, 5);
    struct test_run t = start(ops, &spec, &x);
    float p[43 * N_CLASSES], q[43 * N_CLASSES];
    int64_t n_correct = 0;
    struct hop_result r;
    struct hop_err e = {0};
    double loss = 0;
    int best;

    if (ops->load(t.p, &s, &e) || ops->predict(t.p, t.x, p, &e) ||
        ops->evaluate(t.p, t.x, q, &r, &e))
        die("evaluate", &e);
    for (int i = 0; i < 43; i++) {
        loss -= log((double)p[i * N_CLASSES + x.y[i]]) / 43;
        best = 0;
        for (int k = 1; k < N_CLASSES; k++)
            best = p[i * N_CLASSES + k] > p[i * N_CLASSES + best] ? k : best;
        n_correct += best == x.y[i];
    }
    ok(fabs(loss - r.loss) <= 1e-6 * loss && r.n_correct == n_correct && !memcmp(p, q, sizeof p) &&
           r.n_examples == 43 && r.lr == 0 && !r.is_diverged,
       "%s: evaluate says what predict says (%.8g, %.8g)", ops->name, loss, r.loss);
    stop(&t);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

/* ---- 2 masks: exactly the same elements, in any layout, at any step ---- */

/* The dense kernel's gradient has zero rows exactly where dropout put zeros. */
static void
test_mask(const char *input, const char *layers, int64_t step, double rate)
{
    struct hop_net *net = make_net(input, layers);
    struct hop_plan_spec spec = make_spec(net, 1, "sgd", "{}");
    struct test_data x = make_data(net, 1, 22);
    struct hop_state s = make_state(net, spec.optim, 5);
    struct test_run a = start(ref, &spec, &x), b = start(dev, &spec, &x);
    const struct hop_weight *w;
    struct hop_err e = {0};
    float *p = hop_alloc_floats(net->n_params, &e), *q = hop_alloc_floats(net->n_params, &e);
    int64_t n_zero = 0, n_different = 0, n_rows, i;
    double loss;

    w = &net->weights[net->n_weights - 2];
    n_rows = w->shape.d[0];
    s.step = step;
    if (ref->load(a.p, &s, &e) || dev->load(b.p, &s, &e) ||
        ref->gradient(a.p, a.x, &a_pass, p, &loss, &e) ||
        dev->gradient(b.p, b.x, &a_pass, q, &loss, &e))
        die("mask", &e);
    for (i = 0; i < n_rows; i++) {
        n_zero += p[w->offset + (size_t)(i * N_CLASSES)] == 0;
        n_different += (p[w->offset + (size_t)(i * N_CLASSES)] == 0) !=
                       (q[w->offset + (size_t)(i * N_CLASSES)] == 0);
    }
    ok(!n_different && fabs((double)n_zero / (double)n_rows - rate) < 3 / sqrt((double)n_rows),
       "dropout after %s, step %lld: the same mask (%lld of %lld zero)", input, (long long)step,
       (long long)n_zero, (long long)n_rows);
    free(p);
    free(q);
    stop(&a);
    stop(&b);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

static void
test_masks(void)
{
    static const int64_t steps[] = {0, 1, 4294967296};

    for (size_t i = 0; i < HOP_LEN(steps); i++) {
        test_mask("401", DROPOUT(0.3), steps[i], 0.3);
        test_mask("7,9,3", CONV(16, 3, 3, 1, same, linear) DROPOUT(0.5) FLATTEN, steps[i], 0.5);
        test_mask("7,9,3", CONV(17, 3, 3, 1, same, linear) DROPOUT(0.2) FLATTEN, steps[i], 0.2);
        test_mask("1,1,3",
                  CONV(300, 1, 1, 1, same, linear) LAYER("SpatialDropout2D", "\"rate\":0.4") FLATTEN,
                  steps[i], 0.4);
    }
}

/* ---- 3 edges ---- */

/* What L1 adds to a gradient is its factor with the weight's sign, and nothing where that is 0. */
static void
test_sign(const struct hop_device_ops *ops)
{
    struct hop_net *net[2] = {make_net("6,6,3", CONV(17, 3, 3, 1, same, elu) FLATTEN),
                              make_net("6,6,3",
                                       LAYER("Conv2D", "\"filters\":17,\"kernel_size\":3,"
                                             "\"padding\":\"same\",\"activation\":\"elu\","
                                             "\"kernel_regularizer\":{\"class_name\":\"L1\","
                                             "\"config\":{\"l1\":0.5}}") FLATTEN)};
    struct test_data x = make_data(net[0], 4, 22);
    struct hop_state s = make_state(net[0], NULL, 5);
    struct hop_err e = {0};
    float *g[2];
    double loss[2], penalty = 0, want;
    size_t i, n = (size_t)net[0]->weights[0].n, n_bad = 0;

    for (i = 0; i < n; i += 3)
        s.weights[i] = i % 2 ? -0.0f : 0.0f;
    for (int k = 0; k < 2; k++) {
        struct hop_plan_spec spec = make_spec(net[k], 4, "sgd", "{}");
        struct test_run t = start(ops, &spec, &x);

        g[k] = hop_alloc_floats(net[k]->n_params, &e);
        s.net = net[k];
        if (t.ops->load(t.p, &s, &e) || t.ops->gradient(t.p, t.x, &a_pass, g[k], &loss[k], &e))
            die("sign", &e);
        stop(&t);
    }
    for (i = 0; i < n; i++) {
        want = s.weights[i] > 0 ? 0.5 : s.weights[i] < 0 ? -0.5 : 0;
        penalty += 0.5 * fabs((double)s.weights[i]);
        n_bad += !(fabs((double)g[1][i] - (double)g[0][i] - want) <= 1e-6);
    }
    ok(!n_bad && fabs(loss[1] - loss[0] - penalty) <= 1e-6 * penalty,
       "%s: L1 adds its factor with the sign, 0 at 0 (%zu of %zu wrong)", ops->name, n_bad, n);
    s.net = net[0];
    for (int k = 0; k < 2; k++)
        free(g[k]);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net[0]);
    hop_net_free(net[1]);
}

static void
test_refusals(void)
{
    struct hop_net *net = make_net("7", "");
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    const struct hop_device_ops *ops;
    struct hop_plan *p;
    struct hop_device *d;
    struct hop_err e = {0};
    int index;

    spec.precision = "fp8";
    if (dev->open(0, 1, &d, &e))
        die("open", &e);
    ok(dev->compile(d, &spec, &p, &e) == HOP_EARG && !p, "unknown precision: %s", e.what);
    dev->close(d);
    hop_err_clear(&e);
    ok(dev->open(3, 1, &d, &e) == HOP_EDEV && !d, "device number 3: %s", e.what);
    hop_err_clear(&e);
    ok(hop_device_find("tpu", &ops, &index, &e) == HOP_EARG, "unknown device: %s", e.what);
    hop_net_free(net);
}

/* Numbers that break are a result, not an accident. */
static void
test_divergence(const struct hop_device_ops *ops)
{
    struct hop_net *net = make_net("8,8,3", CONV(8, 3, 3, 1, same, relu) FLATTEN);
    struct hop_plan_spec spec = make_spec(net, 8, "sgd", "{\"lr\":1e6}");
    struct test_data x = make_data(net, 8, 22);
    struct hop_state s = make_state(net, spec.optim, 5);
    struct test_run t = start(ops, &spec, &x);
    struct hop_pass pass = a_pass;
    struct hop_result r = {0};
    struct hop_err e = {0};

    if (ops->load(t.p, &s, &e))
        die("load", &e);
    for (; pass.i_pass < 30 && !r.is_diverged; pass.i_pass++)
        if (ops->train(t.p, t.x, &pass, &r, &e))
            die("train", &e);
    ok(r.is_diverged && !isfinite(r.loss), "%s: divergence is seen", ops->name);
    s.weights[0] = NAN; /* of a kernel before a ReLU, which may turn NaN into 0 */
    if (ops->load(t.p, &s, &e) || ops->train(t.p, t.x, &pass, &r, &e))
        die("train", &e);
    ok(r.is_diverged, "%s: a broken weight behind a ReLU is seen", ops->name);
    stop(&t);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

static void
test_splits(const struct hop_device_ops *ops, const char *precision)
{
    for (size_t i = 0; i < HOP_LEN(optims); i++)
        test_split(ops, precision, SMOOTH, i);
    test_split(ops, precision, GRAPH, 2);
    test_slices_split(ops, precision);
}

static void
test_device(const struct hop_device_ops *ops)
{
    test_splits(ops, "fp32");
    for (size_t i = 0; i < HOP_LEN(loss_rows); i++)
        test_loss_split(ops, &loss_rows[i]);
    test_load_store(ops);
    if (ops->retune) {
        test_retune(ops, "sgd", "{\"lr\":0.1,\"momentum\":0.9}",
                    "{\"lr\":0.01,\"momentum\":0.5,\"nesterov\":true,\"weight_decay\":0.1}");
        test_retune(ops, "adam", "{\"lr\":0.01}",
                    "{\"lr\":0.001,\"beta_1\":0.5,\"clipnorm\":1}");
    }
    test_told_to_end(ops);
    test_evaluate(ops);
    test_divergence(ops);
    test_sign(ops);
}

int
main(void)
{
    struct hop_err e = {0};
    int index;

    if (hop_device_find("ref", &ref, &index, &e))
        die("ref", &e);
    if ((dev = asked_device())) {
        test_device(dev);
        if (can_bf16(dev))
            test_splits(dev, "bf16");
        test_masks();
        test_refusals();
        return tap_end();
    }
    test_device(ref);
    if (hop_device_find("cpu", &dev, &index, &e)) {
        hop_err_clear(&e);
        dev = ref;
        printf("# device cpu is not built in\n");
    } else {
        test_device(dev);
        if (can_bf16(dev))
            test_splits(dev, "bf16");
    }
    test_masks();
    test_refusals();
    dev = hop_cuda_device(hop_cuda_host_driver());
    test_device(dev);
    test_splits(dev, "bf16");
    test_splits(dev, "tf32");
    test_masks();
    test_refusals();
    return tap_end();
}

/* ref's gradients against finite differences of its loss, computed by the same code in double.
 *
 * For each weight tensor and direction u (random, then single elements): the loss at w + h u and at
 * w - h u, both as floats, against the gradient times the step that the floats really made. With
 * h = 1e-5 the error of central differences is of order h^2, and no ReLU or maximum changes sides
 * with these seeds; the rounding of the loss, in double, is 1e-16 / h. What is left is the
 * rounding of the float32 gradient itself: some 1e-7 of its size. */
#include "engine_test.h"
#include "tap.h"

extern const struct hop_device_ops hop_device_ref, hop_device_ref64;

static const double h = 1e-5, tolerance = 5e-6;

/* clang-format off */
static const struct row {
    const char *name, *input, *layers;
} rows[] = {
    {"dense", "7", ""},
    {"dense elu", "7", DENSE(9, elu)},
    {"dense without bias", "7", LAYER("Dense", "\"units\":9,\"use_bias\":false")},
    {"dense tanh, sigmoid", "7", DENSE(9, tanh) DENSE(8, sigmoid)},
    {"dense softmax inside", "7", DENSE(6, softmax)},
    {"dense L2", "7",
     LAYER("Dense", "\"units\":9,\"kernel_regularizer\":{\"class_name\":\"L2\",\"config\":"
                    "{\"l2\":0.03}}")},
    {"dense L1, bias L1L2", "7",
     LAYER("Dense", "\"units\":9,\"kernel_regularizer\":\"l1\",\"bias_regularizer\":"
                    "{\"class_name\":\"L1L2\",\"config\":{\"l1\":0.05,\"l2\":0.03}}")},
    {"conv L1L2, bias L2, batch norm L1", "5,5,3",
     LAYER("Conv2D", "\"filters\":4,\"kernel_size\":3,\"activation\":\"tanh\","
                     "\"kernel_regularizer\":\"l1_l2\",\"bias_regularizer\":\"l2\"")
         LAYER("BatchNormalization", "\"gamma_regularizer\":\"l1\",\"beta_regularizer\":\"l2\"")
             FLATTEN},
    {"activation linear", "7", DENSE(6, tanh) ACT(linear)},
    {"dropout", "7", DENSE(20, tanh) DROPOUT(0.4)},
    {"batch norm flat", "7", DENSE(9, linear) BNORM ACT(tanh)},
    {"conv same", "6,5,3", CONV(4, 3, 3, 1, same, tanh) FLATTEN},
    {"conv valid", "6,5,3", CONV(4, 3, 2, 1, valid, tanh) FLATTEN},
    {"conv strides, even kernel", "7,6,2",
     LAYER("Conv2D", "\"filters\":3,\"kernel_size\":[2,4],\"strides\":[2,1],"
                     "\"padding\":\"same\",\"activation\":\"elu\"")
         CONV(3, 3, 3, 2, same, tanh) FLATTEN},
    {"conv without bias, L2", "5,5,3",
     LAYER("Conv2D", "\"filters\":4,\"kernel_size\":3,\"use_bias\":false,\"kernel_regularizer\":"
                     "{\"class_name\":\"L2\",\"config\":{\"l2\":0.01}}") ACT(tanh) FLATTEN},
    {"conv softmax over channels", "4,4,2", CONV(4, 3, 3, 1, same, softmax) FLATTEN},
    {"average pooling", "7,6,2",
     CONV(3, 3, 3, 1, same, tanh) POOL("AveragePooling2D", 2, 2, valid) FLATTEN},
    {"average pooling same, overlapping", "7,6,2",
     CONV(3, 3, 3, 1, same, tanh) POOL("AveragePooling2D", 3, 2, same) FLATTEN},
    {"global average pooling", "5,4,2", CONV(7, 3, 3, 1, same, tanh) GLOBAL},
    {"batch norm images", "5,4,2", CONV(4, 3, 3, 1, same, linear) BNORM ACT(tanh) FLATTEN},
    {"batch norm without scale, center", "5,4,2",
     CONV(4, 3, 3, 1, same, tanh) LAYER("BatchNormalization", "\"scale\":false")
         CONV(4, 3, 3, 1, same, tanh) LAYER("BatchNormalization", "\"center\":false") FLATTEN},
    {"rescaling", "5,4,2",
     CONV(3, 3, 3, 1, same, tanh) LAYER("Rescaling", "\"scale\":1.5,\"offset\":0.25") FLATTEN},
    {"normalization", "5,4,2",
     CONV(2, 3, 3, 1, same, tanh)
         LAYER("Normalization", "\"mean\":[0.1,0.2],\"variance\":[0.5,0.7]") FLATTEN},
    {"dropout of images", "5,4,2", CONV(5, 3, 3, 1, same, tanh) DROPOUT(0.3) FLATTEN},
    {"relu", "7", DENSE(9, relu)},
    {"conv relu, max pooling", "6,6,2",
     CONV(4, 3, 3, 1, same, relu) POOL("MaxPooling2D", 2, 2, valid) FLATTEN},
    {"max pooling same, overlapping", "7,6,2",
     CONV(4, 3, 3, 1, same, tanh) POOL("MaxPooling2D", 3, 2, same) FLATTEN},
    {"leaky, selu, softplus", "7",
     LAYER("LeakyReLU", "\"alpha\":0.2") DENSE(9, selu) DENSE(8, softplus)},
    {"gelu, swish", "7", DENSE(9, gelu) DENSE(8, swish)},
    {"bounded leaky ReLU", "7", DENSE(9, linear) LAYER("ReLU", "\"max_value\":0.7,\"negative_slope\":0.1")},
    {"groups", "5,5,4",
     LAYER("Conv2D", "\"filters\":6,\"kernel_size\":3,\"groups\":2,\"activation\":\"tanh\"") FLATTEN},
    {"dilation", "7,9,2",
     LAYER("Conv2D", "\"filters\":3,\"kernel_size\":[2,3],\"dilation_rate\":[3,2],"
                     "\"padding\":\"same\",\"activation\":\"tanh\"") FLATTEN},
    {"depthwise multiplier 2", "5,6,3", DEPTHWISE(3, 2, 2, tanh) FLATTEN},
    {"depthwise of 1x1", "1,1,3", DEPTHWISE(3, 1, 1, tanh) FLATTEN},
    {"separable", "5,6,3",
     LAYER("SeparableConv2D", "\"filters\":4,\"kernel_size\":3,\"depth_multiplier\":2,"
                              "\"activation\":\"tanh\"") FLATTEN},
    {"zero padding", "4,3,2",
     CONV(3, 3, 3, 1, same, tanh) LAYER("ZeroPadding2D", "\"padding\":[[1,2],[0,3]]") FLATTEN},
    {"reshape", "60", DENSE(60, tanh) LAYER("Reshape", "\"target_shape\":[4,-1,3]")
         CONV(3, 3, 3, 1, same, tanh) FLATTEN},
    {"global max pooling", "5,4,2", CONV(7, 3, 3, 1, same, tanh) LAYER("GlobalMaxPooling2D", "")},
    {"layer norm flat", "7", DENSE(9, tanh) LAYER("LayerNormalization", "")},
    {"layer norm images", "4,4,2",
     CONV(5, 3, 3, 1, same, tanh) LAYER("LayerNormalization", "\"epsilon\":0.1") FLATTEN},
    {"layer norm without scale, center", "4,4,2",
     CONV(5, 3, 3, 1, same, tanh) LAYER("LayerNormalization", "\"scale\":false")
         CONV(5, 3, 3, 1, same, tanh) LAYER("LayerNormalization", "\"center\":false") FLATTEN},
    {"spatial dropout", "4,4,2",
     CONV(9, 3, 3, 1, same, tanh) LAYER("SpatialDropout2D", "\"rate\":0.4") FLATTEN},
    {"batch norm relu", "5,4,2", CONV(4, 3, 3, 1, same, linear) BNORM ACT(relu) FLATTEN},
    {"conv 1d", "30",
     SEQ(10, 3) CONV1(5, 3, same, tanh, "") CONV1(3, 2, valid, tanh, ",\"strides\":2") FLATTEN},
    {"conv 1d causal, dilation, groups", "44",
     SEQ(11, 4) CONV1(6, 3, causal, tanh, ",\"dilation_rate\":3,\"groups\":2")
         CONV1(4, [2], causal, tanh, ",\"strides\":[3],\"use_bias\":false") FLATTEN},
    {"conv 1d of one value", "3", SEQ(1, 3) CONV1(5, 4, same, tanh, "") FLATTEN},
    {"pooling 1d", "39",
     SEQ(13, 3) CONV1(5, 3, same, tanh, "") POOL("MaxPooling1D", 3, 2, same)
         POOL("AveragePooling1D", 2, 1, same) LAYER("AveragePooling1D", "") FLATTEN},
    {"global pooling 1d", "24",
     NODE(s, "Reshape", FROM(in), "\"target_shape\":[-1,2]")
         NODE(a, "Conv1D", FROM(s), "\"filters\":5,\"kernel_size\":3,\"activation\":\"tanh\"")
             NODE(p, "GlobalAveragePooling1D", FROM(a), "") NODE(q, "GlobalMaxPooling1D", FROM(a), "")
                 NODE(top, "Concatenate", FROM(p) "," FROM(q), "")},
    {"batch norm, layer norm, dropout of sequences", "24",
     SEQ(8, 3) CONV1(5, 3, same, linear, "") BNORM ACT(tanh) DROPOUT(0.3)
         LAYER("LayerNormalization", "\"epsilon\":0.1") CONV1(4, 1, same, softmax, "") FLATTEN},
    {"images as sequences", "6,4,3",
     CONV(5, 3, 3, 1, same, tanh) LAYER("Reshape", "\"target_shape\":[24,5]")
         CONV1(4, 5, causal, tanh, "") FLATTEN},
    {"a value read three times", "4,4,2",
     NCONV(a, in, 4, 3, tanh) NCONV(b, a, 4, 3, tanh) NCONV(c, a, 4, 1, tanh)
         NODE(d, "Add", FROM(a) "," FROM(b) "," FROM(c), "") NODE(top, "Flatten", FROM(d), "")},
    {"Add(x,x)", "7",
     NODE(a, "Dense", FROM(in), "\"units\":9,\"activation\":\"tanh\"")
         NODE(b, "Add", FROM(a) "," FROM(a), "") NACT(top, b, tanh)},
    {"Multiply, Multiply(x,x,y)", "7",
     NODE(a, "Dense", FROM(in), "\"units\":9,\"activation\":\"tanh\"")
         NODE(b, "Dense", FROM(a), "\"units\":9,\"activation\":\"sigmoid\"")
             NODE(c, "Multiply", FROM(a) "," FROM(b), "")
                 NODE(top, "Multiply", FROM(c) "," FROM(c) "," FROM(b), "")},
    {"Concatenate of three widths", "4,4,2",
     NCONV(a, in, 4, 3, tanh) NCONV(b, a, 3, 3, tanh) NCONV(c, in, 1, 1, tanh)
         NODE(d, "Concatenate", FROM(a) "," FROM(b) "," FROM(c), "") NODE(top, "Flatten", FROM(d), "")},
};
/* clang-format on */

static const struct hop_pass pass = {.shuffle_key = 1, .dropout_key = 2, .visit = 1};

static double
loss_at(struct test_run *t, const struct hop_state *s, float *scratch)
{
    struct hop_err e = {0};
    double loss;

    if (t->ops->load(t->p, s, &e) || t->ops->gradient(t->p, t->x, &pass, scratch, &loss, &e))
        die("loss", &e);
    return loss;
}

/* Difference quotient along direction number i_dir, and the gradient's word for it. */
static void
along(struct test_run *t, const struct hop_state *s, const struct hop_weight *w, int i_dir,
      const float *gradient, float *scratch, double *numeric, double *analytic)
{
    size_t n = (size_t)w->n, i, one = (size_t)i_dir * 7919 % n;
    float *v = s->weights + w->offset, *old = malloc(n * sizeof *old), *up = malloc(n * sizeof *up);
    double u;

    memcpy(old, v, n * sizeof *old);
    *analytic = 0;
    for (i = 0; i < n; i++) {
        u = i_dir < 3 ? (double)uniform(100 + (uint64_t)i_dir, w->offset + i) : i == one;
        v[i] = up[i] = (float)(old[i] + h * u);
    }
    *numeric = loss_at(t, s, scratch);
    for (i = 0; i < n; i++) {
        u = i_dir < 3 ? (double)uniform(100 + (uint64_t)i_dir, w->offset + i) : i == one;
        v[i] = (float)(old[i] - h * u);
        *analytic += (double)gradient[w->offset + i] * ((double)up[i] - (double)v[i]);
    }
    *numeric -= loss_at(t, s, scratch);
    memcpy(v, old, n * sizeof *old);
    free(old);
    free(up);
}

static double
norm(const float *v, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * v[i];
    return sqrt(sum);
}

static void
compare(const char *name, const struct hop_plan_spec *spec, const struct test_data *x)
{
    const struct hop_net *net = spec->net;
    struct hop_state s = make_state(net, NULL, 8);
    struct test_run f32 = start(&hop_device_ref, spec, x);
    struct test_run f64 = start(&hop_device_ref64, spec, x);
    struct hop_err e = {0};
    float *gradient = hop_alloc_floats(net->n_params, &e);
    float *scratch = hop_alloc_floats(net->n_params, &e);
    double numeric, analytic, error, max = 0, loss, loss64, whole;
    const char *where = "";

    s.step = 3;
    if (f32.ops->load(f32.p, &s, &e) || f32.ops->gradient(f32.p, f32.x, &pass, gradient, &loss, &e))
        die(name, &e);
    loss64 = loss_at(&f64, &s, scratch);
    whole = norm(gradient, net->n_params);
    for (int i = 0; i < net->n_weights; i++) {
        const struct hop_weight *w = &net->weights[i];

        for (int i_dir = 0; i_dir < 6 && w->is_trainable; i_dir++) {
            along(&f64, &s, w, i_dir, gradient, scratch, &numeric, &analytic);
            /* Against the slope that a step of this length can have: directions at a right angle
             * to the gradient have none of their own. */
            error = fabs(numeric - analytic) /
                    (2 * h * fmax(norm(gradient + w->offset, (size_t)w->n), 0.01 * whole));
            if (!(error <= max)) {
                max = error;
                where = w->name;
            }
        }
    }
    ok(fabs(loss - loss64) <= 1e-6 * loss64, "%s: the loss in float and in double", name);
    ok(max <= tolerance && whole > 0.01, "%s: finite differences (%.1e %s)", name, max, where);
    free(gradient);
    free(scratch);
    stop(&f32);
    stop(&f64);
    clear_state(&s);
}

static void
test_row(const struct row *r)
{
    struct hop_net *net = make_net(r->input, r->layers);
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    struct test_data x = make_data(net, 6, 41);

    compare(r->name, &spec, &x);
    clear_data(&x);
    hop_net_free(net);
}

static void
test_loss(const struct loss_row *r)
{
    struct hop_net *net = make_net_to("7", DENSE(9, tanh), r->units, r->act);
    struct hop_plan_spec spec = make_spec(net, 4, "sgd", "{}");
    struct test_data x = make_loss_data(r, net, 6, 41);

    set_loss(r->loss, &spec);
    compare(r->name, &spec, &x);
    clear_data(&x);
    hop_net_free(net);
}

/* No loss, and none of its options, without a row. */
static void
test_rows_are_complete(void)
{
    struct hop_net *net = make_net("7", "");
    struct hop_plan_spec spec = {.net = net};
    const struct hop_loss_kind *list;
    struct hop_err e;
    struct hop_json *j;
    size_t n, i, k;

    for (list = hop_loss_list(&n), i = 0; i < n; i++) {
        unsigned seen = 0;

        for (k = 0; k < HOP_LEN(loss_rows); k++) {
            const char *text = loss_rows[k].loss;

            e = (struct hop_err){0};
            if (hop_json_parse(text, strlen(text), text, &j, &e) ||
                hop_loss_parse(j, text, &spec.loss, &e))
                die(text, &e);
            hop_json_free(j);
            if (spec.loss.kind == &list[i])
                seen |= 8u | (spec.loss.from_logits ? HOP_LOSS_FROM_LOGITS : 0) |
                        (spec.loss.label_smoothing > 0 ? HOP_LOSS_SMOOTHING : 0) |
                        (spec.loss.delta != 1 ? HOP_LOSS_DELTA : 0);
        }
        ok(seen == (8u | list[i].options), "%s and its options have rows", list[i].name);
    }
    hop_net_free(net);
}

int
main(void)
{
    for (size_t i = 0; i < HOP_LEN(loss_rows); i++)
        test_loss(&loss_rows[i]);
    test_rows_are_complete();
    for (size_t i = 0; i < HOP_LEN(rows); i++)
        test_row(&rows[i]);
    return tap_end();
}

/* layers - the table of layer kinds, and what their files share.
 *
 * To add a kind: write layer_NAME.c with `const struct hop_layer_kind hop_layer_NAME`, add one row
 * here, and one file and row per device that runs it (lib/engine/ref/ref.c first).
 */
#include "net/layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define ROWS(X)                                                                                    \
    X(activation)                                                                                  \
    X(add)                                                                                         \
    X(average_pooling1d)                                                                           \
    X(average_pooling2d)                                                                           \
    X(batch_normalization)                                                                         \
    X(concatenate)                                                                                 \
    X(conv1d)                                                                                      \
    X(conv2d)                                                                                      \
    X(dense)                                                                                       \
    X(depthwise_conv2d)                                                                            \
    X(dropout)                                                                                     \
    X(elu)                                                                                         \
    X(flatten)                                                                                     \
    X(global_average_pooling1d)                                                                    \
    X(global_average_pooling2d)                                                                    \
    X(global_max_pooling1d)                                                                        \
    X(global_max_pooling2d)                                                                        \
    X(layer_normalization)                                                                         \
    X(leaky_relu)                                                                                  \
    X(max_pooling1d)                                                                               \
    X(max_pooling2d)                                                                               \
    X(multiply)                                                                                    \
    X(normalization)                                                                               \
    X(random_contrast)                                                                             \
    X(random_crop)                                                                                 \
    X(random_flip)                                                                                 \
    X(random_rotation)                                                                             \
    X(random_translation)                                                                          \
    X(random_zoom)                                                                                 \
    X(relu)                                                                                        \
    X(rescaling)                                                                                   \
    X(reshape)                                                                                     \
    X(separable_conv2d)                                                                            \
    X(softmax)                                                                                     \
    X(spatial_dropout2d)                                                                           \
    X(zero_padding2d)

#define DECLARE(name) extern const struct hop_layer_kind hop_layer_##name;
#define POINT(name)   &hop_layer_##name,
ROWS(DECLARE)
static const struct hop_layer_kind *const kinds[] = {ROWS(POINT)};

const struct hop_layer_kind *
hop_layer_find(const char *class_name)
{
    size_t i;

    for (i = 0; i < HOP_LEN(kinds); i++)
        if (!strcmp(kinds[i]->name, class_name) ||
            (kinds[i]->name2 && !strcmp(kinds[i]->name2, class_name)))
            return kinds[i];
    return NULL;
}

void
hop_layer_known(char *out, size_t n)
{
    size_t i, at = 0;

    at += (size_t)snprintf(out, n, "known: InputLayer");
    for (i = 0; i < HOP_LEN(kinds) && at < n; i++)
        at += (size_t)snprintf(out + at, n - at, ", %s", kinds[i]->name);
}

/* ---- reading configs ---- */

int
hop_layer_pair(const struct hop_json *config, const char *key, int64_t dflt, const char *where,
               int64_t out[2], struct hop_err *e)
{
    const struct hop_json *v = hop_json_get(config, key), *x;
    int64_t i;

    out[0] = out[1] = dflt;
    for (i = 0; i < 2 && hop_json_kind(v) != HOP_JSON_NULL; i++) {
        x = hop_json_kind(v) == HOP_JSON_ARRAY ? hop_json_at(v, (size_t)i) : v;
        if (hop_json_kind(x) != HOP_JSON_INT || hop_json_int(x) < 1 || hop_json_int(x) > 1 << 20 ||
            (x != v && hop_json_len(v) != 2))
            return hop_fail(e, HOP_EFORMAT, where, "a whole number from 1, or two of them",
                            "\"%s\" is not a size", key);
        out[i] = hop_json_int(x);
    }
    return HOP_OK;
}

int
hop_layer_size(const struct hop_json *config, const char *key, int64_t dflt, const char *where,
               int64_t *out, struct hop_err *e)
{
    const struct hop_json *v = hop_json_get(config, key);

    *out = dflt;
    if (hop_json_kind(v) == HOP_JSON_ARRAY && hop_json_len(v) == 1)
        v = hop_json_at(v, 0);
    if (hop_json_kind(v) == HOP_JSON_NULL)
        return HOP_OK;
    *out = hop_json_int(v);
    if (hop_json_kind(v) != HOP_JSON_INT || *out < 1 || *out > 1 << 20)
        return hop_fail(e, HOP_EFORMAT, where, "a whole number from 1, or a list of one",
                        "\"%s\" is not a size", key);
    return HOP_OK;
}

int
hop_layer_only(const struct hop_json *config, const char *key, const char *only, const char *where,
               struct hop_err *e)
{
    const struct hop_json *v = hop_json_get(config, key);
    struct hop_json *want;
    struct hop_str text = {0};
    char hint[120];
    int rc;

    if (hop_json_kind(v) == HOP_JSON_NULL)
        return HOP_OK;
    if ((rc = hop_json_parse(only, strlen(only), where, &want, e)))
        return rc;
    if (!hop_json_equal(v, want) && !(rc = hop_json_dump(v, &text, e))) {
        snprintf(hint, sizeof hint, "only %s", only);
        rc = hop_fail(e, HOP_EFORMAT, where, hint, "\"%s\": %.120s is not supported", key,
                      hop_str_c(&text));
    }
    hop_json_free(want);
    hop_str_clear(&text);
    return rc;
}

int
hop_layer_act(const char *name, const char *where, struct hop_activation *out, struct hop_err *e)
{
    static const struct {
        const char *name;
        struct hop_activation p;
    } acts[] = {
        {"linear", {HOP_LINEAR, 0, 0}},       {"relu", {HOP_RELU, 0, 0}},
        {"elu", {HOP_ELU, 1, 0}},             {"tanh", {HOP_TANH, 0, 0}},
        {"sigmoid", {HOP_SIGMOID, 0, 0}},     {"softmax", {HOP_SOFTMAX, 0, 0}},
        {"leaky_relu", {HOP_LEAKY_RELU, 0.2, INFINITY}},
        {"relu6", {HOP_LEAKY_RELU, 0, 6}},    {"gelu", {HOP_GELU, 0, 0}},
        {"swish", {HOP_SWISH, 0, 0}},         {"silu", {HOP_SWISH, 0, 0}},
        {"selu", {HOP_SELU, 0, 0}},           {"softplus", {HOP_SOFTPLUS, 0, 0}},
    };
    char known[200] = "known:";
    size_t i;

    for (i = 0; i < HOP_LEN(acts); i++) {
        if (!strcmp(name, acts[i].name)) {
            *out = acts[i].p;
            return HOP_OK;
        }
        strcat(known, i ? ", " : " ");
        strcat(known, acts[i].name);
    }
    return hop_fail(e, HOP_EFORMAT, where, known, "unknown activation \"%.60s\"", name);
}

static const struct {
    const char *name, *class_name;
    struct hop_init init;
} inits[] = {
    {"zeros", "Zeros", {HOP_INIT_CONSTANT, 0, 0, 0, 0, false, false}},
    {"ones", "Ones", {HOP_INIT_CONSTANT, 1, 0, 0, 0, false, false}},
    {"constant", "Constant", {HOP_INIT_CONSTANT, 0, 0, 0, 0, false, false}},
    {"glorot_uniform", "GlorotUniform", {HOP_INIT_VARIANCE, 0, 0, 1, 'a', true, false}},
    {"glorot_normal", "GlorotNormal", {HOP_INIT_VARIANCE, 0, 0, 1, 'a', false, true}},
    {"he_uniform", "HeUniform", {HOP_INIT_VARIANCE, 0, 0, 2, 'i', true, false}},
    {"he_normal", "HeNormal", {HOP_INIT_VARIANCE, 0, 0, 2, 'i', false, true}},
    {"lecun_uniform", "LecunUniform", {HOP_INIT_VARIANCE, 0, 0, 1, 'i', true, false}},
    {"lecun_normal", "LecunNormal", {HOP_INIT_VARIANCE, 0, 0, 1, 'i', false, true}},
    {"variance_scaling", "VarianceScaling", {HOP_INIT_VARIANCE, 0, 0, 1, 'i', false, true}},
    {"random_uniform", "RandomUniform", {HOP_INIT_UNIFORM, -0.05, 0.05, 0, 0, true, false}},
    {"random_normal", "RandomNormal", {HOP_INIT_NORMAL, 0, 0.05, 0, 0, false, false}},
    {"truncated_normal", "TruncatedNormal", {HOP_INIT_NORMAL, 0, 0.05, 0, 0, false, true}},
};

/* The keys of an initialiser's "config". */
static int
init_config(const struct hop_json *c, const char *where, struct hop_init *out, struct hop_err *e)
{
    const char *mode = NULL, *dist = NULL;
    int rc;

    if (out->kind == HOP_INIT_CONSTANT)
        return hop_json_get_real(c, "value", false, 0, 0, where, &out->value, e);
    if (out->kind == HOP_INIT_UNIFORM) {
        rc = hop_json_get_real(c, "minval", false, 0, 0, where, &out->value, e);
        return rc ? rc : hop_json_get_real(c, "maxval", false, 0, 0, where, &out->value2, e);
    }
    if (out->kind == HOP_INIT_NORMAL) {
        rc = hop_json_get_real(c, "mean", false, 0, 0, where, &out->value, e);
        return rc ? rc : hop_json_get_real(c, "stddev", false, 0, 0, where, &out->value2, e);
    }
    if ((rc = hop_json_get_real(c, "scale", false, 1e-30, 1e30, where, &out->scale, e)) ||
        (rc = hop_json_get_str(c, "mode", false, where, &mode, e)) ||
        (rc = hop_json_get_str(c, "distribution", false, where, &dist, e)))
        return rc;
    if (mode && strcmp(mode, "fan_in") && strcmp(mode, "fan_out") && strcmp(mode, "fan_avg"))
        return hop_fail(e, HOP_EFORMAT, where, "fan_in, fan_out, fan_avg", "unknown mode \"%.60s\"",
                        mode);
    if (mode)
        out->fan = mode[4];
    if (!dist)
        return HOP_OK;
    out->is_uniform = !strcmp(dist, "uniform");
    /* Keras 2.2 says "normal" for what is now "truncated_normal". */
    out->is_truncated = !strcmp(dist, "truncated_normal") || !strcmp(dist, "normal");
    if (!out->is_uniform && !out->is_truncated && strcmp(dist, "untruncated_normal"))
        return hop_fail(e, HOP_EFORMAT, where, "uniform, truncated_normal, untruncated_normal",
                        "unknown distribution \"%.60s\"", dist);
    return HOP_OK;
}

int
hop_layer_init(const struct hop_json *config, const char *key, const char *dflt, const char *where,
               struct hop_init *out, struct hop_err *e)
{
    const struct hop_json *v = hop_json_get(config, key);
    const char *name = dflt;
    char known[300] = "known:";
    size_t i;

    if (hop_json_kind(v) == HOP_JSON_STR)
        name = hop_json_str(v);
    else if (hop_json_kind(v) == HOP_JSON_OBJECT)
        name = hop_json_str(hop_json_get(v, "class_name"));
    else if (hop_json_kind(v) != HOP_JSON_NULL)
        name = NULL;
    for (i = 0; name && i < HOP_LEN(inits); i++)
        if (!strcmp(name, inits[i].name) || !strcmp(name, inits[i].class_name)) {
            *out = inits[i].init;
            return init_config(hop_json_get(v, "config"), where, out, e);
        }
    for (i = 0; i < HOP_LEN(inits); i++) {
        strcat(known, i ? ", " : " ");
        strcat(known, inits[i].name);
    }
    return hop_fail(e, HOP_EFORMAT, where, known, "unknown \"%s\" \"%.60s\"", key,
                    name ? name : hop_json_kind_name(v));
}

int
hop_layer_reg(const struct hop_json *config, const char *key, const char *where,
              struct hop_weight *w, struct hop_err *e)
{
    static const struct {
        const char *name;
        double l1, l2; /* where not said; Keras's class L1L2 differs from its "l1_l2" */
    } regs[] = {
        {"l1", 0.01, 0}, {"L1", 0.01, 0},       {"l2", 0, 0.01},
        {"L2", 0, 0.01}, {"l1_l2", 0.01, 0.01}, {"L1L2", 0, 0},
    };
    const struct hop_json *v = hop_json_get(config, key), *c = hop_json_get(v, "config");
    const char *name = hop_json_str(v) ? hop_json_str(v)
                                       : hop_json_str(hop_json_get(v, "class_name"));
    size_t i;
    int rc;

    w->l1 = w->l2 = 0;
    if (hop_json_kind(v) == HOP_JSON_NULL)
        return HOP_OK;
    for (i = 0; name && i < HOP_LEN(regs); i++)
        if (!strcmp(name, regs[i].name)) {
            w->l1 = regs[i].l1;
            w->l2 = regs[i].l2;
            rc = hop_json_get_real(c, "l1", false, 0, 1e30, where, &w->l1, e);
            return rc ? rc : hop_json_get_real(c, "l2", false, 0, 1e30, where, &w->l2, e);
        }
    return hop_fail(e, HOP_EFORMAT, where, "known: L1, L2, L1L2", "unknown \"%s\" \"%.60s\"", key,
                    name ? name : hop_json_kind_name(v));
}

int
hop_layer_padding(const struct hop_json *config, const char *where, bool *is_same,
                  struct hop_err *e)
{
    const char *text = "valid";
    int rc = hop_json_get_str(config, "padding", false, where, &text, e);

    *is_same = !strcmp(text, "same");
    if (!rc && !*is_same && strcmp(text, "valid"))
        rc = hop_fail(e, HOP_EFORMAT, where, "same or valid", "unknown padding \"%.60s\"", text);
    return rc;
}

int
hop_layer_window(int64_t in, int64_t window, int64_t stride, bool is_same, const char *where,
                 int64_t *out, int64_t *pad_before, int64_t *pad_after, struct hop_err *e)
{
    int64_t pad;

    *pad_before = *pad_after = 0;
    if (is_same) {
        *out = (in + stride - 1) / stride;
        pad = (*out - 1) * stride + window - in;
        *pad_before = pad > 0 ? pad / 2 : 0;
        *pad_after = pad > 0 ? pad - pad / 2 : 0;
        return HOP_OK;
    }
    if (in < window)
        return hop_fail(e, HOP_EFORMAT, where, "use padding \"same\" or fewer layers",
                        "a window of %lld does not fit an input of %lld", (long long)window,
                        (long long)in);
    *out = (in - window) / stride + 1;
    return HOP_OK;
}

int
hop_layer_image(const struct hop_layer *l, const char *where, struct hop_err *e)
{
    char shape[80];

    if (l->in_shape.n_dims == 3)
        return HOP_OK;
    hop_shape_text(&l->in_shape, shape, sizeof shape);
    return hop_fail(e, HOP_EFORMAT, where, NULL, "needs an input HxWxC, got %s", shape);
}

int
hop_layer_sequence(const struct hop_layer *l, const char *where, struct hop_err *e)
{
    char shape[80];

    if (l->in_shape.n_dims == 2)
        return HOP_OK;
    hop_shape_text(&l->in_shape, shape, sizeof shape);
    return hop_fail(e, HOP_EFORMAT, where, "put a Reshape layer before it",
                    "needs an input LxC, got %s", shape);
}

int
hop_layer_flat(const struct hop_layer *l, const char *where, struct hop_err *e)
{
    char shape[80];

    if (l->in_shape.n_dims == 1)
        return HOP_OK;
    hop_shape_text(&l->in_shape, shape, sizeof shape);
    return hop_fail(e, HOP_EFORMAT, where, "put a Flatten layer before it",
                    "needs a flat input, got %s", shape);
}

int
hop_layer_last_axis(const struct hop_layer *l, const char *where, struct hop_err *e)
{
    const struct hop_json *v = hop_json_get(l->config, "axis");
    int64_t axis;

    if (hop_json_kind(v) == HOP_JSON_ARRAY && hop_json_len(v) == 1)
        v = hop_json_at(v, 0);
    axis = hop_json_kind(v) == HOP_JSON_NULL ? -1 : hop_json_int(v);
    if (axis == -1 || axis == l->in_shape.n_dims)
        return HOP_OK;
    return hop_fail(e, HOP_EFORMAT, where, "only the last, -1", "\"axis\" %lld is not supported",
                    (long long)axis);
}

int
hop_layer_weight(struct hop_net *net, struct hop_layer *l, const char *suffix,
                 const struct hop_weight *w, const char *where, struct hop_err *e)
{
    struct hop_weight *dst;
    size_t n_max = (size_t)1 << 36;

    if (hop_grow(&net->weights, &net->cap_weights, (size_t)net->n_weights + 1, sizeof *dst, e))
        return HOP_ENOMEM;
    dst = &net->weights[net->n_weights];
    *dst = *w;
    snprintf(dst->name, sizeof dst->name, "%s/%s", l->keras_name, suffix);
    dst->is_trainable = w->is_trainable && !l->is_frozen;
    dst->n = hop_shape_len(&w->shape);
    if (dst->n < 0 || (size_t)dst->n > n_max - net->n_params)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "too many parameters");
    dst->offset = net->n_params;
    dst->slot_offset = net->n_trainable;
    net->n_params += (size_t)dst->n;
    if (dst->is_trainable)
        net->n_trainable += (size_t)dst->n;
    net->n_weights++;
    l->n_weights++;
    return HOP_OK;
}

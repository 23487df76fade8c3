/* net - Keras JSON into layers: counts, shapes, names, and what is refused with which words. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/state.h"
#include "net/zoo.h"
#include "tap.h"

static struct hop_net *
parse(const char *text, struct hop_err *e)
{
    struct hop_json *j;
    struct hop_net *net = NULL;

    if (!hop_json_parse(text, strlen(text), "net.json", &j, e)) {
        if (hop_net_parse(j, "net.json", &net, e))
            net = NULL;
        hop_json_free(j);
    }
    return net;
}

static void
test_zoo(void)
{
    static const struct {
        const char *name;
        size_t n_params, n_trainable;
    } zoo[] = {{"cifar10-cnn1", 1250858, 1250858}, {"cifar10-cnn2", 552874, 551722},
               {"cifar10-cnn3", 550570, 550570},   {"lenet5", 61706, 61706},
               {"mlp", 669706, 669706},            {"resnet20", 274442, 273066},
               {"resnet9", 6577600, 6573120},      {"vgg16", 138357544, 138357544},
               {"resnet50", 25636712, 25583592},   {"mobilenet-small", 74858, 72874}};
    struct hop_json *config, *architecture;
    struct hop_err e = {0};
    struct hop_net *net;
    const char *share = getenv("HOP_SHARE");
    char dir[4096];
    size_t i;

    snprintf(dir, sizeof dir, "%s/nets", share ? share : "share");
    for (i = 0; i < HOP_LEN(zoo); i++) {
        config = hop_json_object();
        hop_json_set_str(config, "model", zoo[i].name);
        net = NULL;
        if (!hop_zoo_find(config, dir, "test", &architecture, &e) &&
            hop_net_parse(architecture, zoo[i].name, &net, &e))
            net = NULL;
        ok(net && net->n_params == zoo[i].n_params && net->n_trainable == zoo[i].n_trainable,
           "%s has %zu parameters %s", zoo[i].name, net ? net->n_params : 0, e.what);
        hop_json_free(config);
        hop_json_free(architecture);
        hop_net_free(net);
    }
}

/* Keras 2.2.4 wrote a bare list and VarianceScaling; names may be missing. */
static void
test_forms(void)
{
    struct hop_err e = {0};
    struct hop_net *net = parse(
        "{\"class_name\":\"Sequential\",\"keras_version\":\"2.2.4\",\"config\":["
        "{\"class_name\":\"Conv2D\",\"config\":{\"batch_input_shape\":[null,7,9,2],\"filters\":3,"
        "\"kernel_size\":3,\"strides\":[2,2],\"padding\":\"same\",\"activation\":\"elu\","
        "\"kernel_initializer\":{\"class_name\":\"VarianceScaling\",\"config\":{\"scale\":2.0,"
        "\"mode\":\"fan_in\",\"distribution\":\"normal\",\"seed\":null}},"
        "\"kernel_regularizer\":{\"class_name\":\"L1L2\",\"config\":{\"l1\":0.0,\"l2\":0.5}}}},"
        "{\"class_name\":\"Conv2D\",\"config\":{\"filters\":4,\"kernel_size\":[1,2]}},"
        "{\"class_name\":\"Flatten\",\"config\":{}},"
        "{\"class_name\":\"Dense\",\"config\":{\"units\":5,\"activation\":\"softmax\"}}]}",
        &e);

    ok(net != NULL, "Keras 2.2 list form %s", e.what);
    if (!net)
        return;
    ok(net->layers[0].out_shape.d[0] == 4 && net->layers[0].out_shape.d[1] == 5,
       "same padding, stride 2: 7x9 gives 4x5");
    ok(!strcmp(net->weights[0].name, "conv2d/kernel") &&
           !strcmp(net->weights[2].name, "conv2d_1/kernel") &&
           !strcmp(net->weights[4].name, "dense/kernel"),
       "automatic names count as Keras's do");
    ok(net->layers[1].is_inner && net->weights[0].l2 == 0.5 && net->weights[0].init.fan == 'i' &&
           net->weights[0].init.is_truncated,
       "activation, regulariser and initialiser are read");
    ok(net->weights[4].shape.d[0] == 4 * 4 * 4 && net->output.d[0] == 5, "shapes follow");
    hop_net_free(net);
}

/* Regularizers in Keras 2's and 3's forms; factors left out take Keras's defaults. */
static void
test_regularizers(void)
{
    static const struct {
        const char *text;
        double l1, l2;
    } rows[] = {
        {"null", 0, 0},
        {"\"l1\"", 0.01, 0},
        {"\"L2\"", 0, 0.01},
        {"\"l1_l2\"", 0.01, 0.01},
        {"\"L1L2\"", 0, 0},
        {"{\"class_name\":\"L1\",\"config\":{\"l1\":0.25}}", 0.25, 0},
        {"{\"class_name\":\"L1\",\"config\":{}}", 0.01, 0},
        {"{\"class_name\":\"L1L2\",\"config\":{\"l1\":0.25,\"l2\":0.5}}", 0.25, 0.5},
        {"{\"class_name\":\"L1L2\",\"config\":{\"l2\":0.5}}", 0, 0.5},
        {"{\"module\":\"keras.regularizers\",\"class_name\":\"L1\",\"config\":{\"l1\":0.5},"
         "\"registered_name\":null}", 0.5, 0},
        {"\"l3\"", -1, 0},
        {"{\"class_name\":\"OrthogonalRegularizer\",\"config\":{}}", -1, 0},
        {"{\"class_name\":\"L1\",\"config\":{\"l1\":-1}}", -1, 0},
        {"[1]", -1, 0},
    };
    char text[500];

    for (size_t i = 0; i < HOP_LEN(rows); i++) {
        struct hop_err e = {0};
        struct hop_net *net;

        snprintf(text, sizeof text,
                 "{\"class_name\":\"Sequential\",\"config\":[{\"class_name\":\"Dense\",\"config\":{"
                 "\"units\":3,\"batch_input_shape\":[null,3],\"bias_regularizer\":%s}}]}",
                 rows[i].text);
        net = parse(text, &e);
        ok(rows[i].l1 < 0 ? !net && e.code == HOP_EFORMAT
                          : net && net->weights[1].l1 == rows[i].l1 &&
                                net->weights[1].l2 == rows[i].l2 && net->weights[0].l1 == 0,
           "regularizer %s %s", rows[i].text, e.what);
        hop_net_free(net);
    }
}

/* Names given by hand take none from the count; as Keras, which names these so. */
static void
test_names(void)
{
    struct hop_err e = {0};
    struct hop_net *net = parse(
        "{\"class_name\":\"Sequential\",\"config\":["
        "{\"class_name\":\"Dense\",\"config\":{\"units\":3,\"batch_input_shape\":[null,3]}},"
        "{\"class_name\":\"Dense\",\"config\":{\"units\":3,\"name\":\"hidden\"}},"
        "{\"class_name\":\"Dense\",\"config\":{\"units\":3,\"activation\":\"relu\"}},"
        "{\"class_name\":\"Dense\",\"config\":{\"units\":3}}]}",
        &e);

    ok(net && !strcmp(net->layers[0].name, "dense") && !strcmp(net->layers[1].name, "hidden") &&
           !strcmp(net->layers[2].name, "dense_1") && !strcmp(net->layers[4].name, "dense_2"),
       "a layer named by hand is left out of the count %s", e.what);
    hop_net_free(net);
}

/* Mean and spread of drawn weights against the initialisers' definitions. */
static void
test_init(void)
{
    static const struct {
        const char *name;
        double sd, limit;
    } row[] = {{"glorot_uniform", 0.0624 /* sqrt(2/(256+256)) = .0625 */, 0.10826},
               {"he_uniform", 0.0884, 0.15310},
               {"he_normal", 0.0884, 2.0 * 0.08839 / 0.87962566},
               {"glorot_normal", 0.0625, 2.0 * 0.0625 / 0.87962566}};
    char text[600];
    struct hop_err e = {0};
    struct hop_net *net;
    double sum, sq, max;
    float *w;
    size_t i, k, n = 256 * 256;

    for (i = 0; i < HOP_LEN(row); i++) {
        snprintf(text, sizeof text,
                 "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"Dense\","
                 "\"config\":{\"batch_input_shape\":[null,256],\"units\":256,\"use_bias\":false,"
                 "\"kernel_initializer\":\"%s\"}}]}}",
                 row[i].name);
        net = parse(text, &e);
        w = net ? hop_alloc_floats(n, &e) : NULL;
        if (!ok(w != NULL, "%s parses", row[i].name))
            continue;
        hop_init_weights(net, 1, "c1", w);
        for (k = 0, sum = sq = max = 0; k < n; k++) {
            sum += w[k];
            sq += (double)w[k] * w[k];
            max = fmax(max, fabs(w[k]));
        }
        ok(fabs(sum / (double)n) < 0.002 && fabs(sqrt(sq / (double)n) / row[i].sd - 1) < 0.01 &&
               max <= row[i].limit * 1.0001 && max > row[i].limit * 0.99,
           "%s: mean %.4f sd %.4f max %.4f", row[i].name, sum / (double)n, sqrt(sq / (double)n),
           max);
        free(w);
        hop_net_free(net);
    }
}

#define NET(layers)                                                                                \
    "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\","       \
    "\"config\":{\"batch_input_shape\":[null,8,8,3]}}," layers "]}}"
#define LAYER(name, config) "{\"class_name\":\"" name "\",\"config\":{" config "}}"
#define FLAT                LAYER("Flatten", "")
#define GRAPH(nodes)                                                                               \
    "{\"class_name\":\"Functional\",\"config\":{\"layers\":["                                     \
    NODE("InputLayer", "in", "\"batch_input_shape\":[null,8,8,3]", "") "," nodes "]}}"
#define NODE(class, name, config, in)                                                              \
    "{\"class_name\":\"" class "\",\"name\":\"" name "\",\"config\":{" config "},"               \
    "\"inbound_nodes\":[" in "]}"

static void
test_refusals(void)
{
    static const struct {
        const char *text, *what, *hint;
    } bad[] = {
        {"{}", "not a Keras JSON net", "Sequential"},
        {"{\"class_name\":\"Graph\",\"config\":{}}", "unknown kind of net \"Graph\"", "Functional"},
        {"{\"class_name\":\"Functional\",\"config\":{}}", "has no array \"layers\"", ""},
        {NET(LAYER("LSTM", "\"units\":3")), "unknown layer \"LSTM\"", "Conv2D"},
        {NET(LAYER("Conv2D", "\"filters\":3,\"kernel_size\":3,\"paddding\":\"same\"")),
         "unknown option \"paddding\"", "padding"},
        {NET(LAYER("Conv2D", "\"filters\":3,\"kernel_size\":3,\"dilation_rate\":2,\"strides\":2")),
         "has both strides and dilation_rate", ""},
        {NET(LAYER("Conv2D", "\"filters\":4,\"kernel_size\":3,\"groups\":2")),
         "2 groups for 3 channels", "divide"},
        {NET(LAYER("Conv1D", "\"filters\":3,\"kernel_size\":3")), "needs an input LxC, got 8x8x3",
         "Reshape"},
        {NET(LAYER("GlobalMaxPooling1D", "")), "needs an input LxC, got 8x8x3", "Reshape"},
        {NET(LAYER("Reshape", "\"target_shape\":[64,3]") ","
                 LAYER("Conv2D", "\"filters\":3,\"kernel_size\":3")),
         "needs an input HxWxC, got 64x3", ""},
        {NET(LAYER("Reshape", "\"target_shape\":[64,3]") ","
                 LAYER("Conv1D", "\"filters\":3,\"kernel_size\":[3,3]")),
         "\"kernel_size\" is not a size", "list of one"},
        {NET(LAYER("Reshape", "\"target_shape\":[64,3]") ","
                 LAYER("MaxPooling1D", "\"padding\":\"causal\"")),
         "unknown padding \"causal\"", "same or valid"},
        {NET(LAYER("Add", "")), "Add takes two inputs or more, got 1", ""},
        {GRAPH(NODE("Conv2D", "a", "\"filters\":3,\"kernel_size\":3", "\"in\"") ","
                   NODE("Add", "b", "", "\"a\",\"in\"")),
         "its inputs are 6x6x3 and 8x8x3", "one shape"},
        {GRAPH(NODE("Flatten", "a", "", "\"b\"") "," NODE("Flatten", "b", "", "\"a\"")),
         "layer \"a\" reads \"b\", which follows it", ""},
        {GRAPH(NODE("Flatten", "a", "", "\"c\"")), "layer \"a\" reads \"c\", which is no layer", ""},
        {GRAPH(NODE("Flatten", "a", "", "\"in\"") "," NODE("Flatten", "b", "", "\"in\"")),
         "layer \"a\" leads nowhere", "one output"},
        {GRAPH(NODE("InputLayer", "in2", "\"batch_input_shape\":[null,8,8,3]", "") ","
                   NODE("Add", "a", "", "\"in\",\"in2\"") "," NODE("Flatten", "b", "", "\"a\"")),
         "the net has 2 inputs", "one InputLayer"},
        {GRAPH(NODE("Flatten", "a", "", "[\"in\",1,0,{}]")), "layer \"in\" is shared", ""},
        {NET(LAYER("Conv2D", "\"filters\":-1,\"kernel_size\":3")), "\"filters\" -1 is out of range",
         "1 to"},
        {NET(LAYER("Conv2D", "\"filters\":3")), "\"kernel_size\" is missing", ""},
        {NET(LAYER("Conv2D", "\"filters\":3,\"kernel_size\":9")), "a window of 9 does not fit",
         "same"},
        {NET(LAYER("Conv2D", "\"filters\":3,\"kernel_size\":3,\"data_format\":\"channels_first\"")),
         "\"data_format\": \"channels_first\" is not supported", "channels_last"},
        {NET(LAYER("Dense", "\"units\":3")), "needs a flat input, got 8x8x3", "Flatten"},
        {NET(FLAT "," LAYER("Dense", "\"units\":3,\"activation\":\"mish\"")),
         "unknown activation \"mish\"", "relu"},
        {NET(FLAT "," LAYER("Dense", "\"units\":3,\"kernel_initializer\":\"orthogonal\"")),
         "unknown \"kernel_initializer\" \"orthogonal\"", "he_normal"},
        {NET(FLAT "," LAYER("Dropout", "\"rate\":1.0")), "would drop everything", ""},
        {NET(LAYER("MaxPooling2D", "\"pool_size\":[2,2,2]")), "\"pool_size\" is not a size", ""},
        {NET(LAYER("MaxPooling2D", "")), "the net's output is not flat", "Flatten"},
        {NET(LAYER("BatchNormalization", "\"axis\":1")), "\"axis\" 1 is not supported", "last"},
        {NET(LAYER("Normalization", "\"axis\":-1")), "has no mean and variance", "mean"},
        {NET(FLAT "," LAYER("Dense", "\"units\":3,\"name\":\"a\"") "," LAYER(
             "Dense", "\"units\":3,\"name\":\"a\"")),
         "two layers are named \"a\"", ""},
        {"{\"class_name\":\"Sequential\",\"config\":{\"layers\":[" FLAT "]}}",
         "does not state its input shape", "batch_input_shape"},
        {"{\"class_name\":\"Sequential\",\"config\":{\"layers\":[]}}", "has no layer", ""},
    };
    struct hop_err e;
    struct hop_net *net;
    size_t i;

    for (i = 0; i < HOP_LEN(bad); i++) {
        hop_err_clear(&e);
        net = parse(bad[i].text, &e);
        ok(!net && e.code == HOP_EFORMAT && strstr(e.what, bad[i].what) &&
               strstr(e.hint, bad[i].hint),
           "refused: %s (%s)", e.what, e.hint);
        hop_net_free(net);
    }
}

/* One residual block in the three ways of writing inbound_nodes; layers out of order. */
static void
test_graphs(void)
{
    static const char *const text[] = {
        /* names */
        GRAPH(NODE("Dense", "d", "\"units\":4,\"activation\":\"softmax\"", "\"f\"") ","
              NODE("Conv2D", "c", "\"filters\":3,\"kernel_size\":3,\"padding\":\"same\","
                                  "\"activation\":\"relu\"", "\"in\"") ","
              NODE("Flatten", "f", "", "\"a\"") "," NODE("Add", "a", "", "\"c\",\"in\"")),
        /* Keras 2 */
        GRAPH(NODE("Conv2D", "c", "\"filters\":3,\"kernel_size\":3,\"padding\":\"same\","
                                  "\"activation\":\"relu\"", "[[\"in\",0,0,{}]]") ","
              NODE("Add", "a", "", "[[\"c\",0,0,{}],[\"in\",0,0,{}]]") ","
              NODE("Flatten", "f", "", "[[\"a\",0,0,{}]]") ","
              NODE("Dense", "d", "\"units\":4,\"activation\":\"softmax\"", "[[\"f\",0,0,{}]]")),
#define TENSOR(name)                                                                               \
    "{\"class_name\":\"__keras_tensor__\",\"config\":{\"shape\":[null,8],\"dtype\":\"float32\","    \
    "\"keras_history\":[\"" name "\",0,0]}}"
#define ARGS(tensors) "{\"args\":[" tensors "],\"kwargs\":{\"mask\":null}}"
        /* Keras 3 */
        GRAPH(NODE("Conv2D", "c", "\"filters\":3,\"kernel_size\":3,\"padding\":\"same\","
                                  "\"activation\":\"relu\"", ARGS(TENSOR("in"))) ","
              NODE("Add", "a", "", ARGS("[" TENSOR("c") "," TENSOR("in") "]")) ","
              NODE("Flatten", "f", "", ARGS(TENSOR("a"))) ","
              NODE("Dense", "d", "\"units\":4,\"activation\":\"softmax\"", ARGS(TENSOR("f")))),
    };
    struct hop_err e;
    struct hop_net *net;
    size_t i;

    for (i = 0; i < HOP_LEN(text); i++) {
        hop_err_clear(&e);
        net = parse(text[i], &e);
        ok(net && net->n_layers == 6 && !strcmp(net->layers[2].name, "a") &&
               net->layers[2].n_in == 2 && net->layers[2].in[0] == 1 && net->layers[2].in[1] == -1 &&
               net->output.d[0] == 4,
           "a residual block, written in way %zu %s", i, e.what);
        hop_net_free(net);
    }
}

static void
test_configs(void)
{
    static const struct {
        const char *text, *what;
    } bad[] = {
        {"{\"id\":\"a/b\",\"optimizer\":\"sgd\"}", "cannot be used as a file name"},
        {"{\"id\":\"a\",\"optimizer\":\"adamx\"}", "unknown optimizer \"adamx\""},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"learning_rate\":1}", "\"learning_rate\""},
        {"{\"id\":\"a\",\"optimizer\":\"adam\",\"momentum\":0.9}", "\"adam\" has no \"momentum\""},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"batch_size\":-5}",
         "\"batch_size\" -5 is out of range"},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"lr\":\"fast\"}", "\"lr\" is a string"},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"schedule\":\"warp\"}", "unknown schedule \"warp\""},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"schedule\":\"cosine\"}", "needs \"decay_steps\""},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"schedule\":\"piecewise\",\"boundaries\":[5],"
         "\"factors\":[1]}", "do not fit each other"},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"loss\":\"hinge\"}", "unknown loss \"hinge\""},
        {"{\"id\":\"a\",\"optimizer\":\"sgd\",\"nesterov\":1}", "\"nesterov\" is a whole number"},
        {"{\"optimizer\":\"sgd\"}", "\"id\" is missing"},
    };
    static const char good[] = "{\"id\":\"c1\",\"optimizer\":\"sgd\",\"lr\":0.5,\"momentum\":0.9,"
                               "\"nesterov\":true,\"batch_size\":7,\"colour\":\"red\"}";
    struct hop_train_conf c;
    struct hop_json *j;
    struct hop_err e = {0};
    size_t i;

    ok(!hop_json_parse(good, strlen(good), "t", &j, &e) && !hop_train_conf_parse(j, "t", &c, &e) &&
           c.hyper[HOP_HYPER_LR] == 0.5 && c.hyper[HOP_HYPER_OWN] == 0.9 &&
           c.hyper[HOP_HYPER_OWN + 1] == 1 && c.batch_size == 7 &&
           c.n_slots == 1 && !strcmp(c.slot_names[0], "momentum") && c.seed == 1,
       "a config line with a stranger key %s", e.what);
    hop_json_free(j);
    for (i = 0; i < HOP_LEN(bad); i++) {
        hop_err_clear(&e);
        ok(!hop_json_parse(bad[i].text, strlen(bad[i].text), "t", &j, &e) &&
               hop_train_conf_parse(j, "stdin:1", &c, &e) && strstr(e.what, bad[i].what),
           "refused: %s", e.what);
        hop_json_free(j);
    }
}

int
main(void)
{
    test_zoo();
    test_forms();
    test_regularizers();
    test_names();
    test_init();
    test_refusals();
    test_graphs();
    test_configs();
    return tap_end();
}

/* transfer - start weights by name and by order, in Keras's and PyTorch's layouts; frozen layers. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/state.h"
#include "net/transfer.h"
#include "tap.h"

static const char net_text[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"layers\":["
    "{\"class_name\":\"Conv2D\",\"config\":{\"batch_input_shape\":[null,6,6,2],\"filters\":3,"
    "\"kernel_size\":[2,3],\"trainable\":false}},"
    "{\"class_name\":\"BatchNormalization\",\"config\":{}},"
    "{\"class_name\":\"Flatten\",\"config\":{}},"
    "{\"class_name\":\"Dense\",\"config\":{\"units\":4,\"activation\":\"softmax\"}}]}}";

/* How PyTorch names and lays out the same net, in alphabetical order as its files are. */
static const struct {
    const char *name;
    int n_dims;
    int64_t dims[4];
} torch[] = {{"10.bias", 1, {4}},        {"10.weight", 2, {4, 60}},     {"2.bias", 1, {3}},
             {"2.weight", 4, {3, 2, 2, 3}}, {"9.bias", 1, {3}},         {"9.num_batches_tracked", 1, {1}},
             {"9.running_mean", 1, {3}}, {"9.running_var", 1, {3}},     {"9.weight", 1, {3}}};

static const char net1d_text[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"layers\":["
    "{\"class_name\":\"Reshape\",\"config\":{\"batch_input_shape\":[null,15],\"target_shape\":[5,3]}},"
    "{\"class_name\":\"Conv1D\",\"config\":{\"filters\":4,\"kernel_size\":2}},"
    "{\"class_name\":\"GlobalMaxPooling1D\",\"config\":{}}]}}";

static struct hop_net *
make_net(const char *text)
{
    struct hop_json *j = NULL;
    struct hop_net *net = NULL;
    struct hop_err e = {0};

    if (hop_json_parse(text, strlen(text), "net", &j, &e) ||
        hop_net_parse(j, "net", &net, &e)) {
        printf("Bail out! %s\n", e.what);
        exit(1);
    }
    hop_json_free(j);
    return net;
}

/* Write tensors to a file and parse it back. */
static struct hop_st
round_trip(const struct hop_tensor *v, size_t n)
{
    struct hop_st st = {0};
    struct hop_err e = {0};
    char path[] = "/tmp/t_transfer.XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || hop_st_write(fd, path, v, n, NULL, 0, &e) || hop_st_open(path, true, &st, &e)) {
        printf("Bail out! %s\n", e.what);
        exit(1);
    }
    close(fd);
    unlink(path);
    return st;
}

static void
test_torch(const struct hop_net *net)
{
    struct hop_tensor v[HOP_LEN(torch)];
    float data[HOP_LEN(torch)][240], *w;
    struct hop_transfer t;
    struct hop_st st;
    struct hop_err e = {0};
    size_t i, k, n;
    int d;

    for (i = 0; i < HOP_LEN(torch); i++) {
        for (d = 0, n = 1; d < torch[i].n_dims; d++)
            n *= (size_t)torch[i].dims[d];
        for (k = 0; k < n; k++)
            data[i][k] = (float)(i * 1000 + k);
        v[i] = (struct hop_tensor){.name = torch[i].name, .dtype = HOP_F32, .dtype_name = "F32",
                                   .n_dims = torch[i].n_dims, .data = data[i], .n_bytes = n * 4};
        memcpy(v[i].dims, torch[i].dims, sizeof torch[i].dims);
    }
    st = round_trip(v, HOP_LEN(torch));
    w = hop_alloc_floats(net->n_params, &e);
    ok(!hop_transfer_by_order(&st, net, w, "x", &t, &e) && t.n_loaded == 8 && t.n_missing == 0 &&
           t.n_params == (int64_t)net->n_params,
       "PyTorch by order: %d tensors %s", t.n_loaded, e.what);
    /* kernel [r][s][c][k] of hop is weight [k][c][r][s] of PyTorch: r=1 s=2 c=1 k=2 */
    ok(w[net->weights[0].offset + ((1 * 3 + 2) * 2 + 1) * 3 + 2] ==
           data[3][((2 * 2 + 1) * 2 + 1) * 3 + 2],
       "a convolution's axes are turned");
    ok(w[net->weights[6].offset + 7 * 4 + 3] == data[1][3 * 60 + 7], "a dense layer's too");
    ok(w[net->weights[2].offset + 1] == data[8][1] && w[net->weights[3].offset + 1] == data[4][1] &&
           w[net->weights[4].offset + 1] == data[6][1] && w[net->weights[5].offset + 1] == data[7][1],
       "gamma, beta, moving_mean, moving_variance; 9 comes before 10");
    hop_transfer_clear(&t);
    ok(!hop_transfer_by_name(&st, net, w, &t, &e) && t.n_loaded == 0 && t.n_missing == 8,
       "by name none of PyTorch's fits");
    hop_transfer_clear(&t);
    hop_st_close(&st);
    free(w);
}

/* hop's own tensors, one of them of another shape, one missing, one more than the net has. */
static void
test_names(const struct hop_net *net)
{
    struct hop_tensor v[8];
    struct hop_transfer t;
    struct hop_st st;
    struct hop_err e = {0};
    float data[300] = {0}, *w = hop_alloc_floats(net->n_params, &e);
    int i;

    for (i = 0; i < 300; i++)
        data[i] = (float)i;
    for (i = 0; i < net->n_weights; i++) {
        v[i] = (struct hop_tensor){.name = net->weights[i].name, .dtype = HOP_F32,
                                   .dtype_name = "F32", .n_dims = net->weights[i].shape.n_dims,
                                   .data = data, .n_bytes = (size_t)net->weights[i].n * 4};
        memcpy(v[i].dims, net->weights[i].shape.d, sizeof net->weights[i].shape.d);
    }
    v[1].name = "conv2d/nobody";
    v[7].dims[0] = 9;
    v[7].n_bytes = 36;
    st = round_trip(v, 8);
    ok(!hop_transfer_by_name(&st, net, w, &t, &e) && t.n_loaded == 6 && t.n_missing == 1 &&
           t.n_misfit == 1 && t.n_left == 1,
       "by name: %d loaded, %d missing, %d of another shape, %d left", t.n_loaded, t.n_missing,
       t.n_misfit, t.n_left);
    ok(strstr(t.report.s, "missing, freshly drawn: conv2d/bias") &&
           strstr(t.report.s, "dense/bias (F32 9, the net has 4)") &&
           strstr(t.report.s, "left in the file: conv2d/nobody"),
       "the report names each");
    ok(w[net->weights[0].offset + 5] == 5 && w[net->weights[1].offset] == 0, "values are in place");
    hop_transfer_clear(&t);
    ok(hop_transfer_by_order(&st, net, w, "x.safetensors", &t, &e) == HOP_EFORMAT &&
           strstr(e.what, "does not fit"),
       "by order refuses: %s", e.what);
    hop_transfer_clear(&t);
    hop_st_close(&st);
    free(w);
}

/* A kernel [kw,C,K] is [K,C,kw] in PyTorch. */
static void
test_torch_1d(void)
{
    struct hop_net *net = make_net(net1d_text);
    struct hop_err e = {0};
    float data[24], bias[4] = {1, 2, 3, 4}, *w = hop_alloc_floats(net->n_params, &e);
    struct hop_tensor v[2] = {
        {.name = "0.bias", .dtype = HOP_F32, .dtype_name = "F32", .n_dims = 1, .dims = {4}, .data = bias, .n_bytes = 16},
        {.name = "0.weight", .dtype = HOP_F32, .dtype_name = "F32", .n_dims = 3, .dims = {4, 3, 2}, .data = data, .n_bytes = 96}};
    struct hop_transfer t;
    struct hop_st st;

    for (int i = 0; i < 24; i++)
        data[i] = (float)i;
    st = round_trip(v, 2);
    ok(!hop_transfer_by_order(&st, net, w, "x", &t, &e) && t.n_loaded == 2 &&
           w[(1 * 3 + 2) * 4 + 3] == data[(3 * 3 + 2) * 2 + 1] && w[0] == 0 && w[1] == data[6],
       "the axes of a Conv1D are turned, too %s", e.what);
    hop_transfer_clear(&t);
    hop_st_close(&st);
    hop_net_free(net);
    free(w);
}

int
main(void)
{
    struct hop_net *net = make_net(net_text);

    ok(net->layers[0].is_frozen && !net->weights[0].is_trainable && net->weights[2].is_trainable,
       "a frozen layer's weights are not trainable");
    test_torch(net);
    test_names(net);
    test_torch_1d();
    hop_net_free(net);
    return tap_end();
}

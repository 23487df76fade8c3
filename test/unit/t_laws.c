/* laws 1 and 2 inside one program, for every device that runs here: a chain of visits in one
 * session equals the same visits each in a session of its own with the model written and read
 * between them, byte for byte; and dropping any part of the state would be seen. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/session.h"
#include "net/state.h"
#include "tap.h"

enum { N_SHARDS = 3, N_VISITS = 7, N = 45, H = 7, W = 6, C = 3, K = 4 };

static const int order[N_VISITS] = {0, 1, 2, 1, 2, 0, 2};
static uint8_t pixels[N_SHARDS][N * H * W * C];
static int32_t labels[N_SHARDS][N];
static const float mean[C] = {120, 130, 125}, inv_std[C] = {1 / 70.0f, 1 / 65.0f, 1 / 60.0f};

static const char architecture[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"layers\":["
    "{\"class_name\":\"Conv2D\",\"config\":{\"batch_input_shape\":[null,7,6,3],\"filters\":5,"
    "\"kernel_size\":3,\"padding\":\"same\",\"activation\":\"relu\"}},"
    "{\"class_name\":\"BatchNormalization\",\"config\":{}},"
    "{\"class_name\":\"MaxPooling2D\",\"config\":{}},"
    "{\"class_name\":\"Dropout\",\"config\":{\"rate\":0.3}},"
    "{\"class_name\":\"Flatten\",\"config\":{}},"
    "{\"class_name\":\"Dense\",\"config\":{\"units\":8,\"activation\":\"tanh\","
    "\"kernel_regularizer\":{\"class_name\":\"L2\",\"config\":{\"l2\":0.01}}}},"
    "{\"class_name\":\"BatchNormalization\",\"config\":{}},"
    "{\"class_name\":\"Dense\",\"config\":{\"units\":4,\"activation\":\"softmax\"}}]}}";

static const char *const optimizers[] = {
    "\"optimizer\":\"sgd\",\"lr\":0.1", "\"optimizer\":\"sgd\",\"momentum\":0.9,\"decay\":0.01",
    "\"optimizer\":\"sgd\",\"momentum\":0.9,\"nesterov\":true",
    "\"optimizer\":\"rmsprop\",\"decay\":0.001", "\"optimizer\":\"adam\",\"decay\":0.01",
    "\"optimizer\":\"adamw\",\"schedule\":\"cosine\",\"decay_steps\":30,\"warmup_steps\":5",
    "\"optimizer\":\"nadam\",\"clipnorm\":0.5",
    "\"optimizer\":\"adagrad\",\"lr\":0.05,\"global_clipnorm\":0.5",
    "\"optimizer\":\"adadelta\",\"lr\":1,\"clipvalue\":0.1",
    "\"optimizer\":\"lion\",\"weight_decay\":0.1,\"schedule\":\"onecycle\",\"decay_steps\":21",
    "\"optimizer\":\"adam\",\"loss\":{\"name\":\"categorical_crossentropy\",\"label_smoothing\":0.1}",
    "\"optimizer\":\"sgd\",\"momentum\":0.9,\"loss\":{\"name\":\"huber\",\"delta\":0.2}"};

/* What ref makes of them, on every machine and with every compiler (law 3). A change here is a
 * change of the numerics: say so in NEWS.md and raise ref's fingerprint. */
static const char *const ref_digests[] = {
    "4d475976e853b1cbb3be963ef9ad19d8", "c7b65501f52bbd9cd114f14fbf7f4a47",
    "21546b8554b3ddd996af4cdaee100a90", "e5d011de4e863fad108f19219702ddd3",
    "0df24a580e56c967b39051f334a371da", "ab053ba5429d8bb535b92fb40632446b",
    "932fe227f41fb41adb3cb76f141242b2", "432ef99a9c3d98e9348aca768b1f4bf6",
    "8bfff12ab53e0a2d2a6298d6f9016843", "71e83c026fe19bbc584eb80a9ab608b8",
    "d0d6a05ef6c7366fe02509d86dde5ea6", "b227a09f619ccfc0e9006c59757fda50"};

static void
make_data(void)
{
    uint32_t r[4];
    int s, i;

    for (s = 0; s < N_SHARDS; s++) {
        for (i = 0; i < N * H * W * C; i++) {
            hop_philox(99, (uint32_t)i, (uint32_t)s, 0, 0, r);
            pixels[s][i] = (uint8_t)r[0];
        }
        for (i = 0; i < N; i++)
            labels[s][i] = (i + s) % K;
    }
}

/* Bail out: these steps have tests of their own. */
static void
must(int rc, const struct hop_err *e)
{
    if (rc) {
        printf("Bail out! %s: %s\n", e->where, e->what);
        exit(1);
    }
}

static void
fresh(const char *optimizer, struct hop_model *m, struct hop_training *t)
{
    struct hop_json *config, *arch;
    struct hop_err e = {0};
    char text[300];

    snprintf(text, sizeof text, "{\"id\":\"c1\",\"batch_size\":16,\"model\":\"-\",%s}", optimizer);
    must(hop_json_parse(text, strlen(text), "config", &config, &e), &e);
    must(hop_json_parse(architecture, strlen(architecture), "net", &arch, &e), &e);
    must(hop_training_init(config, arch, "test", m, t, &e), &e);
}

static void
open_session(const struct hop_device_ops *ops, struct hop_training *t, struct hop_state *state,
             struct hop_session *s)
{
    struct hop_plan_spec spec = {.net = t->net, .batch_size = t->conf.batch_size,
                                 .is_training = true, .precision = "fp32", .loss = t->conf.loss,
                                 .optim = t->conf.optim};
    struct hop_err e = {0};

    memcpy(spec.optim_conf, t->conf.hyper, sizeof spec.optim_conf);
    spec.lr = t->conf.lr;
    must(hop_session_open(ops->name, 1, &spec, state, s, &e), &e);
}

static struct hop_state
state_of(struct hop_training *t, int64_t step)
{
    struct hop_state state = {.net = t->net, .optim = t->conf.optim, .weights = t->weights,
                              .step = step};

    memcpy(state.slots, t->slots, sizeof state.slots);
    return state;
}

static void
visit(struct hop_session *s, struct hop_state *state, int k)
{
    struct hop_examples x = {.x = pixels[order[k]], .is_u8 = true, .shape = state->net->input,
                             .y = labels[order[k]], .n = N, .n_classes = K, .mean = mean,
                             .inv_std = inv_std};
    struct hop_pass pass = {.shuffle_key = hop_rng_key(1, "c1", HOP_FOR_SHUFFLE),
                            .dropout_key = hop_rng_key(1, "c1", HOP_FOR_DROPOUT), .visit = k + 1};
    struct hop_result r;
    struct hop_err e = {0};

    must(hop_session_bind(s, &x, &e), &e);
    must(hop_session_train(s, 1, &pass, state, &r, &e), &e);
}

/* All visits in one session. */
static void
run_whole(const struct hop_device_ops *ops, const char *optimizer, char digest[HOP_DIGEST_LEN + 1])
{
    struct hop_model m;
    struct hop_training t;
    struct hop_state state;
    struct hop_session s;
    struct hop_err e = {0};
    int k;

    fresh(optimizer, &m, &t);
    state = state_of(&t, 0);
    open_session(ops, &t, &state, &s);
    for (k = 0; k < N_VISITS; k++)
        visit(&s, &state, k);
    hop_session_close(&s);
    must(hop_training_digest(&t, digest, &e), &e);
    hop_training_clear(&t);
    hop_model_clear(&m);
}

/* Every visit in a session of its own; between two, the model is a file. forget: leave out of the
 * hop 's' the optimizer's slots, 't' the step count, 'b' the moving statistics; 0 nothing. */
static void
run_hopped(const struct hop_device_ops *ops, const char *optimizer, char forget,
           char digest[HOP_DIGEST_LEN + 1])
{
    struct hop_model m, next;
    struct hop_training t;
    struct hop_state state;
    struct hop_session s;
    struct hop_err e = {0};
    FILE *f;
    int i, k;

    fresh(optimizer, &m, &t);
    for (k = 0; k < N_VISITS; k++) {
        state = state_of(&t, forget == 't' ? 0 : m.step);
        for (i = 0; forget == 's' && i < t.conf.n_slots; i++)
            memset(t.slots[i], 0, t.net->n_trainable * sizeof(float));
        for (i = 0; forget == 'b' && i < t.net->n_weights; i++)
            if (!t.net->weights[i].is_trainable)
                memset(t.weights + t.net->weights[i].offset, 0,
                       (size_t)t.net->weights[i].n * sizeof(float));
        open_session(ops, &t, &state, &s);
        visit(&s, &state, k);
        hop_session_close(&s);
        m.step = state.step;
        m.visits++;
        f = tmpfile();
        must(f ? hop_training_write(fileno(f), "tmp", &m, &t, NULL, &e) : HOP_EIO, &e);
        hop_training_clear(&t);
        hop_model_clear(&m);
        lseek(fileno(f), 0, SEEK_SET);
        must(hop_model_read(fileno(f), "tmp", &next, &e), &e);
        must(hop_training_load(&next, "tmp", &t, &e), &e);
        m = next;
        fclose(f);
    }
    must(hop_training_digest(&t, digest, &e), &e);
    hop_training_clear(&t);
    hop_model_clear(&m);
}

int
main(void)
{
    const struct hop_device_ops *const *d;
    char whole[HOP_DIGEST_LEN + 1], hopped[HOP_DIGEST_LEN + 1];
    size_t i;

    make_data();
    for (d = hop_device_list(); *d; d++)
        for (i = 0; i < HOP_LEN(optimizers); i++) {
            run_whole(*d, optimizers[i], whole);
            run_hopped(*d, optimizers[i], 0, hopped);
            ok(!strcmp(whole, hopped), "%s: %s: hopped = whole (%s)", (*d)->name, optimizers[i],
               whole);
            if (!strcmp((*d)->name, "ref"))
                ok(!strcmp(whole, ref_digests[i]), "ref: the digest of every machine");
            run_hopped(*d, optimizers[i], 'b', hopped);
            ok(strcmp(whole, hopped), "%s: %s: lost statistics would show", (*d)->name,
               optimizers[i]);
            run_hopped(*d, optimizers[i], 't', hopped);
            ok(strcmp(whole, hopped), "%s: %s: a lost step count would show", (*d)->name,
               optimizers[i]);
            run_hopped(*d, optimizers[i], 's', hopped);
            ok(strcmp(whole, hopped) || i == 0, "%s: %s: lost slots would show", (*d)->name,
               optimizers[i]);
        }
    return tap_end();
}

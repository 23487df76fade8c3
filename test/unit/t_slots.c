/* Slots: models side by side on one GPU, each with a stream, an arena and graphs of its own, in one process.
 * A model's bits do not depend on how many there are, nor on what the others are. */
#include <pthread.h>

#include "engine/cuda/driver_host.h"
#include "engine/cuda/resident.h"
#include "engine_test.h"
#include "tap.h"

enum { MAX_SLOTS = 8 };
static const struct hop_device_ops *dev;

struct slot {
    pthread_t thread;
    const char *precision;
    struct hop_net *net;
    struct test_data x;
    struct hop_state state;
    char key[32];
    const char *failure; /* or NULL */
};

/* Half of them one net, half another, of other batch sizes. */
static void
slot_init(struct slot *s, int i, const char *precision)
{
    s->precision = precision;
    s->net = i % 2 ? make_net("8,8,3", SMOOTH)
                   : make_net("6,6,3", CONV(8, 3, 3, 1, same, relu) BNORM DROPOUT(0.2)
                                           POOL("MaxPooling2D", 2, 2, valid) FLATTEN);
    s->x = make_data(s->net, 27 + i / 2, 22);
    snprintf(s->key, sizeof s->key, "examples %d", i);
    s->x.x.key = s->key; /* one copy for whoever has the same */
    s->state = make_state(s->net, NULL, (uint64_t)(5 + i));
    s->failure = NULL;
}

static void
slot_clear(struct slot *s)
{
    clear_state(&s->state);
    clear_data(&s->x);
    hop_net_free(s->net);
}

/* Three visits, the device opened anew for each but the plan used for two passes. */
static void *
run(void *arg)
{
    struct slot *s = arg;
    struct hop_plan_spec spec = make_spec(s->net, 8, "adam", "{\"lr\":0.01}");
    struct hop_pass pass = a_pass;
    struct hop_result r;
    struct hop_err e = {0};

    spec.precision = s->precision;
    s->state.optim = spec.optim;
    for (pass.visit = 1; pass.visit <= 3 && !s->failure; pass.visit++) {
        struct test_run t = {.ops = dev};

        if (dev->open(0, 1, &t.d, &e) || dev->compile(t.d, &spec, &t.p, &e) ||
            dev->bind(t.d, &s->x.x, &t.x, &e) || dev->load(t.p, &s->state, &e))
            s->failure = "start";
        for (pass.i_pass = 0; pass.i_pass < 2 && !s->failure; pass.i_pass++)
            if (dev->train(t.p, t.x, &pass, &r, &e))
                s->failure = "train";
        if (!s->failure && dev->store(t.p, &s->state, &e))
            s->failure = "store";
        stop(&t);
    }
    return NULL;
}

static bool
is_same(const struct slot *a, const struct slot *b)
{
    bool is_equal = !a->failure && !b->failure && a->state.step == b->state.step &&
                    !memcmp(a->state.weights, b->state.weights, a->net->n_params * sizeof(float));

    for (int i = 0; i < HOP_MAX_SLOTS; i++)
        is_equal = is_equal && !memcmp(a->state.slots[i], b->state.slots[i],
                                       a->net->n_trainable * sizeof(float));
    return is_equal;
}

static void
test_slots(const char *precision)
{
    struct slot alone[MAX_SLOTS], beside[MAX_SLOTS];
    int n_wrong;

    for (int i = 0; i < MAX_SLOTS; i++) {
        slot_init(&alone[i], i, precision);
        run(&alone[i]);
    }
    for (int k = 2; k <= MAX_SLOTS; k *= 2) {
        n_wrong = 0;
        for (int i = 0; i < k; i++) {
            slot_init(&beside[i], i, precision);
            if (pthread_create(&beside[i].thread, NULL, run, &beside[i]))
                die("thread", &(struct hop_err){0});
        }
        for (int i = 0; i < k; i++) {
            pthread_join(beside[i].thread, NULL);
            n_wrong += !is_same(&alone[i], &beside[i]);
            slot_clear(&beside[i]);
        }
        ok(!n_wrong, "%s: %d models side by side have the bits that they have alone (%d have not)",
           precision, k, n_wrong);
    }
    ok(memcmp(alone[0].state.weights, alone[2].state.weights,
              alone[0].net->n_params * sizeof(float)), "%s: models differ", precision);
    for (int i = 0; i < MAX_SLOTS; i++)
        slot_clear(&alone[i]);
}

int
main(void)
{
    bool is_host = !(dev = asked_device());

    if (is_host)
        dev = hop_cuda_device(hop_cuda_host_driver());
    test_slots("fp32");
    if (is_host || can_bf16(dev))
        test_slots("bf16");
    hop_cuda_residents_drop();
    if (is_host)
        ok(!hop_cuda_host_counts.n_live && !hop_cuda_host_counts.n_contexts &&
               !hop_cuda_host_counts.n_plans, "nothing stays behind");
    return tap_end();
}

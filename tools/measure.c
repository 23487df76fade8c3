#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "devices.h"

static const double run_s = 0.25, pays = 1.05;
enum { MAX_BATCHES = 8, MAX_DOUBLINGS = 9 };

struct bench {
    const struct train_options *o;
    const struct hop_training *t;
    struct hop_plan_spec spec;
    struct hop_examples x;
    struct hop_state state; /* read only */
    pthread_mutex_t lock;
    pthread_cond_t all_ready;
    int n_threads, n_ready;
    int rc; /* of the first that failed */
    struct hop_err err;
    double begin_s;
    atomic_llong n_done;
};

/* Noise, and classes or targets in turn. */
static int
invent(struct bench *b, struct hop_err *e)
{
    const struct hop_net *net = b->spec.net;
    int64_t n = b->spec.batch_size * MAX_BATCHES, len = hop_shape_len(&net->input), i;
    int64_t C = net->input.d[net->input.n_dims - 1], K = net->output.d[0];
    float *x = hop_alloc((size_t)(n * len), sizeof *x, e), *mean = hop_alloc((size_t)C, sizeof *mean, e);
    float *inv_std = hop_alloc((size_t)C, sizeof *inv_std, e);
    int32_t *y = hop_alloc((size_t)n, sizeof *y, e);
    uint32_t r[4];

    b->x = (struct hop_examples){.x = x, .shape = net->input, .y = y, .n = n, .n_classes = K > 1 ? K : 2,
                                 .mean = mean, .inv_std = inv_std};
    if (!x || !mean || !inv_std || !y)
        return HOP_ENOMEM;
    for (i = 0; i < n * len; i++) {
        if (i % 4 == 0)
            hop_philox(1, (uint32_t)i, 0, 0, 0, r);
        x[i] = (float)(r[i % 4] >> 8) / 8388608.0f - 1.0f;
    }
    for (i = 0; i < n; i++)
        y[i] = (int32_t)(i % b->x.n_classes);
    for (i = 0; i < C; i++)
        inv_std[i] = 1;
    return HOP_OK;
}

static void
forget(struct bench *b)
{
    free((void *)b->x.x);
    free((void *)b->x.y);
    free((void *)b->x.mean);
    free((void *)b->x.inv_std);
}

/* Wait until all threads are here; false: one of them has failed. */
static bool
meet(struct bench *b, int rc, struct hop_err *e)
{
    pthread_mutex_lock(&b->lock);
    if (rc && !b->rc) {
        b->rc = rc;
        b->err = *e;
    }
    if (++b->n_ready == b->n_threads) {
        b->begin_s = hop_clock_s();
        pthread_cond_broadcast(&b->all_ready);
    }
    while (b->n_ready < b->n_threads)
        pthread_cond_wait(&b->all_ready, &b->lock);
    rc = b->rc;
    pthread_mutex_unlock(&b->lock);
    return !rc;
}

/* A visit without an end: plan, two passes to warm up, then as many as fit. */
static void *
run(void *arg)
{
    struct bench *b = arg;
    struct hop_pass pass = {.visit = 1};
    struct hop_session s;
    struct hop_result r;
    struct hop_err e = {0};
    int rc = hop_session_open(b->o->device, (int)b->o->threads, &b->spec, &b->state, &s, &e);
    bool is_open = !rc;

    if (!rc)
        rc = hop_session_bind(&s, &b->x, &e);
    for (; pass.i_pass < 2 && !rc; pass.i_pass++)
        rc = s.ops->train(s.plan, s.data, &pass, &r, &e);
    if (meet(b, rc, &e))
        while (hop_clock_s() - b->begin_s < run_s && !s.ops->train(s.plan, s.data, &pass, &r, &e))
            b->n_done += b->x.n;
    if (is_open)
        hop_session_close(&s);
    return NULL;
}

static int
rate_of(struct bench *b, int n_threads, double *rate, struct hop_err *e)
{
    pthread_t threads[256];
    int i, n;

    b->n_ready = b->rc = 0;
    b->n_done = 0;
    b->n_threads = n_threads;
    for (n = 0; n < n_threads && !pthread_create(&threads[n], NULL, run, b); n++)
        ;
    if (n < n_threads) {
        pthread_mutex_lock(&b->lock);
        b->rc = hop_fail(&b->err, HOP_EBUSY, NULL, NULL, "cannot start a thread");
        b->n_threads = n;
        pthread_cond_broadcast(&b->all_ready);
        pthread_mutex_unlock(&b->lock);
    }
    for (i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    *rate = (double)b->n_done / (hop_clock_s() - b->begin_s);
    if (b->rc)
        *e = b->err;
    return b->rc;
}

static int
count_slots(const struct train_options *o, int *n, struct hop_err *e)
{
    const struct hop_device_ops *ops;
    char locks[64];
    int index, rc = hop_device_find(o->device, &ops, &index, e);

    if (rc)
        return rc;
    *n = tool_device_slots(ops, index, o->threads, locks, sizeof locks);
    *n = *n < 256 ? *n : 256;
    return HOP_OK;
}

static void
add_rate(struct hop_json *rates, int n, double rate)
{
    struct hop_json *row = hop_json_object();

    hop_json_set_int(row, "slots", n);
    hop_json_set_real(row, "examples_per_s", rate);
    hop_json_push(rates, row);
}

int
tool_measure(const struct train_options *o, const struct hop_training *t, int *n_slots,
             struct hop_json **rates, struct hop_err *e)
{
    struct bench b = {.o = o, .t = t, .spec = train_job_spec(o, t),
                      .lock = PTHREAD_MUTEX_INITIALIZER, .all_ready = PTHREAD_COND_INITIALIZER};
    double seen[MAX_DOUBLINGS] = {0}, best = 0;
    struct hop_err more = {0};
    int n_max, n, i, rc;

    if ((rc = count_slots(o, &n_max, e)))
        return rc;
    b.state = (struct hop_state){.net = t->net, .optim = t->conf.optim, .weights = t->weights};
    for (i = 0; i < HOP_MAX_SLOTS; i++)
        b.state.slots[i] = t->slots[i];
    *rates = hop_json_array();
    rc = invent(&b, e);
    for (i = 0, n = 1; !rc && i < MAX_DOUBLINGS && n <= n_max; i++, n *= 2) {
        if ((rc = rate_of(&b, n, &seen[i], i ? &more : e)))
            break;
        add_rate(*rates, n, seen[i]);
        if (i && seen[i] < pays * best)
            break;
        best = seen[i] > best ? seen[i] : best;
    }
    rc = i ? HOP_OK : rc; /* no room for so many, say */
    for (i = 0, *n_slots = 1; i < MAX_DOUBLINGS && seen[i] * pays < best; i++)
        *n_slots *= 2;
    hop_err_clear(&more);
    forget(&b);
    if (rc)
        hop_json_free(*rates);
    return rc;
}

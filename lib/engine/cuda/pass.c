/* Passes over bound examples: everything is enqueued, and the host waits once, at the end; where
 * somebody wants to know how far it is, also for what was enqueued some batches before. */
#include <math.h>
#include <string.h>

#include "engine/cuda/plan.h"

/* Room for n elements of `size` in device memory at *p; what was there is dropped. */
static int
make_room(struct hop_plan *plan, void **p, int64_t have, int64_t n, size_t size, struct hop_err *e)
{
    struct hop_device *d = plan->device;
    int rc;

    if (n <= have)
        return HOP_OK;
    d->driver->free(d->context, *p);
    *p = NULL;
    if (!(rc = d->driver->alloc(d->context, (size_t)n * size, p, e)))
        plan->bytes += (size_t)(n - have) * size;
    return rc;
}

static int
rates_room(struct hop_plan *p, int64_t n, struct hop_err *e)
{
    struct hop_device *d = p->device;
    void *device = p->rates.p, *host = p->host_rates;
    int64_t have = p->rates.n;
    int rc = make_room(p, &device, have, n, sizeof *p->rates.p, e);

    p->rates = (struct k_rates){device, rc ? 0 : n > have ? n : have};
    if (rc || n <= have)
        return rc;
    d->driver->host_free(d->context, host);
    p->host_rates = host = NULL;
    if ((rc = d->driver->host_alloc(d->context, (size_t)n * sizeof *p->rates.p, &host, e)))
        p->rates.n = 0;
    p->host_rates = host;
    return rc;
}

/* The optimizer's numbers of the pass's n steps; *lr: the last step's rate. */
static int
send_rates(struct hop_plan *p, int64_t n, double *lr, struct hop_err *e)
{
    const double *hyper = p->spec.optim_conf;
    struct hop_device *d = p->device;
    int64_t i;
    int rc = rates_room(p, n, e);

    for (i = 0; i < n && !rc; i++) {
        p->host_rates[i] = (struct k_rate){0};
        *lr = hop_optim_lr(hyper, &p->spec.lr, p->step + i + 1);
        p->host_rates[i].shrink = hop_optim_shrink(hyper, *lr);
        p->spec.optim->rule(hyper, *lr, p->step + i + 1, p->host_rates[i].c);
    }
    return rc || !n ? rc
                    : d->driver->copy_in(d->context, d->stream, p->rates.p, p->host_rates,
                                         (size_t)n * sizeof *p->host_rates, e);
}

/* Where the pass begins, into device memory. pass NULL: in order, no dropout. n_out: predictions to
 * keep. */
static int
send_now(struct hop_plan *p, const struct hop_data *x, const struct hop_pass *pass, int64_t n_out,
         struct hop_err *e)
{
    struct hop_device *d = p->device;
    struct k_now *now = p->host_now;
    void *out = p->out.p;
    int rc = make_room(p, &out, p->out.n, n_out, sizeof(float), e);

    p->out = (struct k_f32){out, rc ? 0 : n_out > p->out.n ? n_out : p->out.n};
    if (rc)
        return rc;
    *now = x->now;
    if (!pass)
        now->class_weight = (struct k_f32){NULL, 0};
    if (n_out)
        now->out = (struct k_f32){p->out.p, n_out};
    now->rates = p->rates;
    now->t_step = p->step;
    if (pass) {
        now->is_shuffled = 1;
        now->dropout_key = pass->dropout_key;
        hop_perm_init(&now->perm, (uint64_t)x->x.n, pass->shuffle_key, (uint32_t)pass->visit,
                      (uint32_t)pass->i_pass);
    }
    return d->driver->copy_in(d->context, d->stream, p->now.p, now, sizeof *now, e);
}

/* Wait for everything; what the pass has come to is in host_now then. */
static int
receive(struct hop_plan *p, struct hop_err *e)
{
    struct hop_device *d = p->device;
    int rc = d->driver->copy_out(d->context, d->stream, p->host_now, p->now.p, sizeof *p->host_now,
                                 e);

    return rc ? rc : d->driver->stream_sync(d->context, d->stream, e);
}

static void
report(const struct hop_plan *p, int64_t n, struct hop_result *r)
{
    r->loss = n ? p->host_now->loss / (double)n : 0;
    r->n_correct = p->host_now->n_correct;
    r->n_examples = n;
    r->is_diverged = !isfinite(r->loss);
}

enum { MARK_EVERY = 32 }; /* batches: a few milliseconds' work, so that the GPU never runs dry */

/* After batch i: leave a mark on the stream, and wait for the one before it. */
static int
tell(struct hop_plan *p, int64_t n, int64_t i, const struct hop_pass *pass, struct hop_err *e)
{
    struct hop_device *d = p->device;
    int64_t k = (i + 1) / MARK_EVERY;
    struct hop_cuda_event **mark = &p->marks[k % 2];
    int rc;

    if (!pass || !pass->progress || (i + 1) % MARK_EVERY)
        return HOP_OK;
    if ((!*mark && (rc = d->driver->event_new(d->context, mark, e))) ||
        (rc = d->driver->event_record(d->context, *mark, d->stream, e)))
        return rc;
    if (k == 1)
        return HOP_OK;
    if ((rc = d->driver->event_sync(d->context, p->marks[(k - 1) % 2], e)))
        return rc;
    if (pass->progress(pass->progress_arg, (k - 1) * MARK_EVERY * p->spec.batch_size, n))
        return HOP_OK;
    rc = d->driver->stream_sync(d->context, d->stream, e);
    return rc ? rc : hop_pass_told_to_end(e);
}

/* Batches of all examples, enqueued; the tail has its own program. pass: NULL or who wants to know. */
static int
run_batches(struct hop_plan *p, int64_t n, struct hop_cuda_prog *full, struct hop_cuda_prog *tail,
            const struct hop_pass *pass, struct hop_err *e)
{
    int64_t i;
    int rc = HOP_OK;

    for (i = 0; i < n / p->spec.batch_size && !rc; i++)
        if (!(rc = hop_cuda_prog_run(full, e)))
            rc = tell(p, n, i, pass, e);
    return !rc && tail ? hop_cuda_prog_run(tail, e) : rc;
}

/* The programs that a pass over n examples needs: all memory is there before anything is enqueued. */
static int
get_programs(struct hop_plan *p, int64_t n, bool is_training, struct hop_cuda_prog **full,
             struct hop_cuda_prog **tail, struct hop_err *e)
{
    int64_t B = p->spec.batch_size;
    int rc = HOP_OK;

    *full = *tail = NULL;
    if (n >= B)
        rc = hop_cuda_prog_get(p, B, is_training, full, e);
    if (!rc && n % B)
        rc = hop_cuda_prog_get(p, n % B, is_training, tail, e);
    return rc;
}

int
hop_cuda_train(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
               struct hop_result *r, struct hop_err *e)
{
    int64_t n = x->x.n, n_steps = (n + p->spec.batch_size - 1) / p->spec.batch_size;
    struct hop_cuda_prog *full, *tail;
    int rc;

    *r = (struct hop_result){0};
    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)) ||
        (rc = get_programs(p, n, true, &full, &tail, e)) ||
        (rc = send_rates(p, n_steps, &r->lr, e)) || (rc = send_now(p, x, pass, 0, e)) ||
        (rc = run_batches(p, n, full, tail, pass, e)) || (rc = receive(p, e)))
        return rc;
    HOP_BUG_ON(p->host_now->at != n || p->host_now->t_step != p->step + n_steps);
    p->step += n_steps;
    r->n_steps = n_steps;
    report(p, n, r);
    if (pass->progress && !pass->progress(pass->progress_arg, n, n))
        return hop_pass_told_to_end(e);
    return HOP_OK;
}

/* Over all examples in order; predictions or NULL. */
static int
infer(struct hop_plan *p, struct hop_data *x, bool wants_labels, float *predictions,
      struct hop_err *e)
{
    int64_t n = x->x.n, n_out = predictions ? n * p->spec.net->output.d[0] : 0;
    struct hop_device *d = p->device;
    struct hop_cuda_prog *full, *tail;
    int rc;

    if ((rc = hop_examples_check(&x->x, &p->spec, wants_labels, e)) ||
        (rc = get_programs(p, n, false, &full, &tail, e)) ||
        (rc = send_now(p, x, NULL, n_out, e)) || (rc = run_batches(p, n, full, tail, NULL, e)))
        return rc;
    if (n_out && (rc = d->driver->copy_out(d->context, d->stream, predictions, p->out.p,
                                           (size_t)n_out * sizeof(float), e)))
        return rc;
    return receive(p, e);
}

int
hop_cuda_evaluate(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_result *r,
                  struct hop_err *e)
{
    int rc = infer(p, x, true, predictions, e);

    *r = (struct hop_result){0};
    if (!rc)
        report(p, x->x.n, r);
    return rc;
}

int
hop_cuda_predict(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_err *e)
{
    return infer(p, x, false, predictions, e);
}

int
hop_cuda_gradient(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                  float *gradient, double *loss, struct hop_err *e)
{
    int64_t B = p->spec.batch_size, n = x->x.n < B ? x->x.n : B;
    const struct hop_net *net = p->spec.net;
    struct hop_device *d = p->device;
    struct hop_cuda_prog *g;
    struct hop_result r = {0};
    int i, rc;

    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)) ||
        (rc = hop_cuda_prog_get(p, n, true, &g, e)) || (rc = send_now(p, x, pass, 0, e)) ||
        (rc = hop_cuda_prog_run_batch(g, e)))
        return rc;
    if ((rc = d->driver->copy_out(d->context, d->stream, gradient, p->g.p,
                                  net->n_params * sizeof(float), e)) ||
        (rc = receive(p, e)))
        return rc;
    report(p, n, &r);
    *loss = r.loss;
    for (i = 0; i < net->n_weights; i++)
        if (!net->weights[i].is_trainable)
            memset(gradient + net->weights[i].offset, 0,
                   (size_t)net->weights[i].n * sizeof(float));
    return HOP_OK;
}

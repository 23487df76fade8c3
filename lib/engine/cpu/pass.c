/* Passes over bound data: train, evaluate, predict, gradient. */
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "engine/cpu/plan.h"

/* Examples at, at+1, ... of the pass's order (perm NULL: the shard's) into the program's input. */
static void
gather(struct hop_cpu_prog *g, const struct hop_data *d, const struct hop_perm *perm, int64_t at)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g->n; i++) {
        int64_t from = perm ? (int64_t)hop_perm_at(perm, (uint64_t)(at + i)) : at + i;

        hop_cpu_input_row(d, from, &g->values[0], i);
        hop_cpu_targets_row(g, d, from, i);
    }
}

static void
finish(struct hop_result *r)
{
    r->loss = r->n_examples ? r->loss / (double)r->n_examples : 0;
    r->is_diverged = !isfinite(r->loss);
}

/* The programs of a pass: for the two sizes of a full batch's slices, and for what is left of the last
 * batch after slices of the first size; NULL where there is none. All memory is taken here, none in
 * the loop over batches. */
struct programs {
    int64_t batch; /* examples; in inference slices are batches */
    struct hop_cpu_split slices;
    struct hop_cpu_prog *full[2], *tail;
};

static int
get_programs(struct hop_plan *p, int64_t n, bool is_training, struct programs *out,
             struct hop_err *e)
{
    struct hop_cpu_split s = hop_cpu_slices(p, is_training);
    int rc = HOP_OK;

    *out = (struct programs){.batch = is_training ? p->spec.batch_size : s.n[0], .slices = s};
    hop_dn_threads(p->d->n_threads);
    if (n >= s.n[0])
        rc = hop_cpu_prog_get(p, s.n[0], is_training, &out->full[0], e);
    if (!rc && is_training && n >= out->batch && s.count[1])
        rc = hop_cpu_prog_get(p, s.n[1], is_training, &out->full[1], e);
    if (!rc && n % out->batch % s.n[0])
        rc = hop_cpu_prog_get(p, n % out->batch % s.n[0], is_training, &out->tail, e);
    return rc;
}

/* The program for the next slice of a batch of n, of which `done` are done. */
static struct hop_cpu_prog *
next_program(const struct programs *s, int64_t n, int64_t done)
{
    const struct hop_cpu_split *k = &s->slices;

    if (n == s->batch)
        return s->full[done >= k->count[0] * k->n[0]];
    return n - done >= k->n[0] ? s->full[0] : s->tail;
}

static int64_t
count_slices(const struct programs *s, int64_t n)
{
    const struct hop_cpu_split *k = &s->slices;

    return n == s->batch ? k->count[0] + k->count[1] : (n + k->n[0] - 1) / k->n[0];
}

/* Forward, loss and backward over batch `at`, ... of n examples in the pass's order; gradients in the
 * weights' arrays, loss and hits added to r. */
static int
differentiate(struct hop_plan *p, const struct programs *progs, const struct hop_data *x,
              const struct hop_perm *perm, int64_t at, int64_t n, const struct hop_pass *pass,
              struct hop_result *r, struct hop_err *e)
{
    struct hop_cpu_now now = {.dropout_key = pass->dropout_key, .t = (uint32_t)p->step};
    int64_t n_slices = count_slices(progs, n);
    struct hop_cpu_prog *g = NULL, *last = NULL;
    int rc = HOP_OK;

    r->loss += hop_cpu_penalty(p) * (double)n;
    for (int64_t i = 0; i < n_slices && !rc; i++, now.first += g->n) {
        g = next_program(progs, n, now.first);
        gather(g, x, perm, at + now.first);
        if ((g != last && (rc = hop_cpu_prog_run(g, HOP_CPU_PREPARE, &now, e))) ||
            (rc = hop_cpu_prog_run(g, HOP_CPU_FORWARD, &now, e)))
            return rc;
        last = g;
        hop_cpu_score(g, x, r);
        if (!g->dz)
            continue;
        hop_cpu_loss_gradient(g, x, n);
        rc = hop_cpu_prog_run(g, HOP_CPU_BACKWARD, &now, e);
        hop_cpu_sum_gradients(p, i, n_slices);
    }
    if (!rc && g && g->dz)
        hop_cpu_add_penalty_gradient(p);
    return rc;
}

int
hop_cpu_train(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
              struct hop_result *r, struct hop_err *e)
{
    struct programs progs;
    struct hop_perm perm;
    int64_t n = x->x.n, B = p->spec.batch_size, n_now;
    int rc;

    *r = (struct hop_result){0};
    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)) ||
        (rc = get_programs(p, n, true, &progs, e)))
        return rc;
    hop_perm_init(&perm, (uint64_t)n, pass->shuffle_key, (uint32_t)pass->visit,
                  (uint32_t)pass->i_pass);
    for (int64_t at = 0; at < n; at += n_now) {
        n_now = n - at < B ? n - at : B;
        if ((rc = differentiate(p, &progs, x, &perm, at, n_now, pass, r, e)))
            return rc;
        r->lr = hop_cpu_update(p);
        r->n_steps++;
        if (pass->progress && !pass->progress(pass->progress_arg, at + n_now, n))
            return hop_pass_told_to_end(e);
    }
    /* oneDNN's ReLU makes 0 of NaN, so broken weights need not show in the loss. */
    if (!hop_cpu_weights_are_finite(p))
        r->loss = NAN;
    finish(r);
    return HOP_OK;
}

/* Forward over all of x in the shard's order; every slice's predictions are made by `use`. */
static int
infer(struct hop_plan *p, struct hop_data *x, bool wants_labels,
      void (*use)(struct hop_cpu_prog *g, const struct hop_data *x, struct hop_result *r),
      float *predictions, struct hop_result *r, struct hop_err *e)
{
    int64_t K = p->spec.net->output.d[0];
    struct hop_cpu_now now = {0};
    struct hop_cpu_prog *g, *last = NULL;
    struct programs progs;
    int rc;

    if ((rc = hop_examples_check(&x->x, &p->spec, wants_labels, e)) ||
        (rc = get_programs(p, x->x.n, false, &progs, e)))
        return rc;
    for (int64_t at = 0; at < x->x.n; at += g->n, last = g) {
        g = x->x.n - at >= progs.batch ? progs.full[0] : progs.tail;
        if (g != last && (rc = hop_cpu_prog_run(g, HOP_CPU_PREPARE, &now, e)))
            return rc;
        gather(g, x, NULL, at);
        if ((rc = hop_cpu_prog_run(g, HOP_CPU_FORWARD, &now, e)))
            return rc;
        use(g, x, r);
        if (predictions)
            memcpy(predictions + at * K, g->p, (size_t)(g->n * K) * sizeof(float));
    }
    return HOP_OK;
}

int
hop_cpu_evaluate(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_result *r,
                 struct hop_err *e)
{
    int rc;

    *r = (struct hop_result){0};
    if ((rc = infer(p, x, true, hop_cpu_score, predictions, r, e)))
        return rc;
    r->loss += hop_cpu_penalty(p) * (double)x->x.n;
    finish(r);
    return HOP_OK;
}

static void
link_only(struct hop_cpu_prog *g, const struct hop_data *x, struct hop_result *r)
{
    (void)x;
    (void)r;
    hop_cpu_link(g);
}

int
hop_cpu_predict(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_err *e)
{
    return infer(p, x, false, link_only, predictions, NULL, e);
}

int
hop_cpu_gradient(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                 float *gradient, double *loss, struct hop_err *e)
{
    int64_t n = x->x.n < p->spec.batch_size ? x->x.n : p->spec.batch_size;
    struct hop_result r = {0};
    struct programs progs;
    struct hop_perm perm;
    int rc;

    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)) ||
        (rc = get_programs(p, n, true, &progs, e)))
        return rc;
    hop_perm_init(&perm, (uint64_t)x->x.n, pass->shuffle_key, (uint32_t)pass->visit,
                  (uint32_t)pass->i_pass);
    if ((rc = differentiate(p, &progs, x, &perm, 0, n, pass, &r, e)))
        return rc;
    finish(&r);
    *loss = r.loss;
    hop_cpu_gradient_out(p, gradient);
    return HOP_OK;
}

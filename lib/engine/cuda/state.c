/* The model in device memory. Contents: 1 pieces, 2 the model, 3 load and store. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/plan.h"

/* ---- 1 pieces ---- */

void *
hop_cuda_cut(char *base, size_t *at, size_t bytes)
{
    void *p = base && bytes ? base + *at : NULL;

    *at += (bytes + HOP_CUDA_ALIGN - 1) / HOP_CUDA_ALIGN * HOP_CUDA_ALIGN;
    return p;
}

static struct k_val
cut_values(char *base, size_t *at, int64_t n, bool is_half)
{
    return (struct k_val){hop_cuda_cut(base, at, (size_t)n * (is_half ? sizeof(uint16_t) : sizeof(float))), n};
}

static struct k_f32
cut_f32(char *base, size_t *at, int64_t n)
{
    return (struct k_f32){hop_cuda_cut(base, at, (size_t)n * sizeof(float)), n};
}

static int
copy_in(struct hop_device *d, void *to, const void *from, size_t bytes, struct hop_err *e)
{
    return bytes ? d->driver->copy_in(d->context, d->stream, to, from, bytes, e) : HOP_OK;
}

static int
sync(struct hop_device *d, struct hop_err *e)
{
    return d->driver->stream_sync(d->context, d->stream, e);
}

/* ---- 2 the model ---- */

static struct k_parts
cut_parts(char *base, size_t *at, int64_t n)
{
    return (struct k_parts){hop_cuda_cut(base, at, (size_t)n * sizeof(struct k_part)), n};
}

/* Lists of weights: those that learn, the same in pieces, those with a regularizer. */
enum list { PARTS, PIECES, REGULARISED, N_LISTS };

/* Master weights, slots, gradients side by side, then the small things; called twice: to count, then
 * to cut. */
static size_t
lay_out(struct hop_plan *p, const int64_t n[N_LISTS])
{
    const struct hop_net *net = p->spec.net;
    char *base = p->memory;
    size_t at = 0;
    int i;

    p->w = cut_f32(base, &at, (int64_t)net->n_params);
    for (i = 0; i < p->n_slots; i++)
        p->slots[i] = cut_f32(base, &at, (int64_t)net->n_trainable);
    if (p->spec.is_training)
        p->g = cut_f32(base, &at, (int64_t)net->n_params);
    p->parts = cut_parts(base, &at, n[PARTS]);
    p->pieces = cut_parts(base, &at, n[PIECES]);
    p->regularised = cut_parts(base, &at, n[REGULARISED]);
    p->squares = (struct k_f64){hop_cuda_cut(base, &at, (size_t)n[PIECES] * sizeof(double)), n[PIECES]};
    p->penalty = (struct k_f64){hop_cuda_cut(base, &at, (size_t)n[REGULARISED] * sizeof(double)),
                                n[REGULARISED]};
    p->factors = cut_f32(base, &at, n[PARTS]);
    p->shadow = cut_values(base, &at, p->shadow.n, p->is_half);
    p->dshadow = cut_values(base, &at, p->dshadow.n, p->is_half);
    p->shadows.p = hop_cuda_cut(base, &at, (size_t)p->shadows.n * sizeof *p->shadows.p);
    p->now = (struct k_nows){hop_cuda_cut(base, &at, sizeof(struct k_now)), 1};
    return at;
}

/* In how many values at a time one thread adds up a weight of n. Exact plans do it in one go, as ref. In
 * fast ones another thread adds up the sums of all pieces: about as many as a piece has values. */
static int64_t
piece_of(const struct hop_plan *p, enum list list, int64_t n)
{
    int64_t piece = 256;

    if (!p->is_fast || list == PARTS)
        return n;
    while (list == PIECES && piece * piece < n)
        piece *= 2;
    return piece;
}

/* The weights of a list, in order. Returns how many entries it has; out may be NULL. */
static int64_t
list_parts(const struct hop_plan *p, enum list list, struct k_part *out)
{
    const struct hop_weight *w;
    int64_t n = 0, at, piece;
    int i;

    for (i = 0; i < p->spec.net->n_weights; i++) {
        w = &p->spec.net->weights[i];
        if (list == REGULARISED ? w->l1 == 0 && w->l2 == 0
                                : !w->is_trainable || !p->spec.is_training)
            continue;
        piece = piece_of(p, list, w->n);
        for (at = 0; at < w->n; at += piece, n++)
            if (out)
                out[n] = (struct k_part){(int64_t)w->offset + at, (int64_t)w->slot_offset + at,
                                         w->n - at < piece ? w->n - at : piece, w->l1, w->l2};
    }
    return n;
}

/* The lists into device memory. */
static int
put_parts(struct hop_plan *p, struct hop_err *e)
{
    const struct k_parts *to[N_LISTS] = {&p->parts, &p->pieces, &p->regularised};
    int rc = HOP_OK;

    for (int list = 0; list < N_LISTS && !rc; list++) {
        struct k_part *parts = hop_alloc((size_t)to[list]->n + 1, sizeof *parts, e);
        int64_t i, at = 0;

        if (!parts)
            return HOP_ENOMEM;
        list_parts(p, (enum list)list, parts);
        for (i = 0; i < to[list]->n && list != REGULARISED; at += parts[i++].n)
            HOP_BUG_ON(parts[i].slot_offset != at); /* k_part_of counts on it */
        rc = copy_in(p->device, to[list]->p, parts, (size_t)to[list]->n * sizeof *parts, e);
        rc = rc ? rc : sync(p->device, e);
        free(parts);
    }
    return rc;
}

int
hop_cuda_state_new(struct hop_plan *p, struct hop_err *e)
{
    struct hop_device *d = p->device;
    float c[HOP_OPTIM_COEFS];
    int64_t n[N_LISTS];
    struct k_shadow_part *shadows = NULL;
    size_t bytes;
    void *host_now;
    int list, rc;

    for (list = 0; list < N_LISTS; list++)
        n[list] = list_parts(p, (enum list)list, NULL);
    if (p->spec.is_training) {
        p->n_slots = p->spec.optim->slots(p->spec.optim_conf, NULL);
        p->rule = (int)p->spec.optim->rule(p->spec.optim_conf, 1, 1, c);
    }
    if ((rc = hop_cuda_linear_shadows(p, &shadows, e)))
        goto end;
    bytes = lay_out(p, n);
    if ((rc = d->driver->alloc(d->context, bytes, &p->memory, e)))
        goto end;
    lay_out(p, n);
    p->bytes += bytes;
    if ((rc = d->driver->host_alloc(d->context, sizeof *p->host_now, &host_now, e)))
        goto end;
    p->host_now = host_now;
    /* gradients of weights that nothing reads stay 0 */
    if ((rc = d->driver->set(d->context, d->stream, p->memory, 0, bytes, e)) ||
        (rc = copy_in(d, p->shadows.p, shadows, (size_t)p->shadows.n * sizeof *shadows, e)))
        goto end;
    rc = put_parts(p, e); /* waits */
end:
    free(shadows);
    return rc;
}

void
hop_cuda_state_free(struct hop_plan *p)
{
    struct hop_device *d = p->device;

    d->driver->free(d->context, p->memory);
    d->driver->free(d->context, p->rates.p);
    d->driver->free(d->context, p->out.p);
    d->driver->host_free(d->context, p->host_now);
    d->driver->host_free(d->context, p->host_rates);
    d->driver->event_free(d->context, p->marks[0]);
    d->driver->event_free(d->context, p->marks[1]);
    free(p->shadow_at);
}

/* ---- 3 load and store ---- */

int
hop_cuda_load(struct hop_plan *p, const struct hop_state *s, struct hop_err *e)
{
    const struct hop_net *net = p->spec.net;
    int i, rc = copy_in(p->device, p->w.p, s->weights, net->n_params * sizeof(float), e);

    for (i = 0; i < p->n_slots && !rc; i++)
        rc = copy_in(p->device, p->slots[i].p, s->slots[i], net->n_trainable * sizeof(float), e);
    p->step = s->step;
    if (!rc)
        rc = hop_cuda_linear_refresh(p, NULL, e);
    return rc ? rc : sync(p->device, e);
}

int
hop_cuda_store(struct hop_plan *p, struct hop_state *s, struct hop_err *e)
{
    const struct hop_net *net = p->spec.net;
    struct hop_device *d = p->device;
    int i, rc = HOP_OK;

    if (net->n_params)
        rc = d->driver->copy_out(d->context, d->stream, s->weights, p->w.p,
                                 net->n_params * sizeof(float), e);
    for (i = 0; i < p->n_slots && !rc && net->n_trainable; i++)
        rc = d->driver->copy_out(d->context, d->stream, s->slots[i], p->slots[i].p,
                                 net->n_trainable * sizeof(float), e);
    s->step = p->step;
    return rc ? rc : sync(d, e);
}

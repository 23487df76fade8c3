/* The ref device: plans and passes over the layer files. Contents: 1 device, 2 plan, 3 one batch,
 * 4 passes. The order of operations is in ref.h. */
#include "engine/ref/ref.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/ref/loss.h"

/* To add a layer here: ref_NAME.c and a row. */
#define ROWS(X)                                                                                    \
    X(activation)                                                                                  \
    X(add)                                                                                         \
    X(augment)                                                                                     \
    X(average_pooling2d)                                                                           \
    X(batch_normalization)                                                                         \
    X(concatenate)                                                                                 \
    X(conv2d)                                                                                      \
    X(dense)                                                                                       \
    X(dropout)                                                                                     \
    X(flatten)                                                                                     \
    X(global_average_pooling2d)                                                                    \
    X(global_max_pooling2d)                                                                        \
    X(layer_normalization)                                                                         \
    X(max_pooling2d)                                                                               \
    X(multiply)                                                                                    \
    X(rescaling)                                                                                   \
    X(spatial_dropout2d)                                                                           \
    X(zero_padding2d)

#define DECLARE(name) extern const struct ref_op REF_NAME(op_##name);
#define POINT(name)   &REF_NAME(op_##name),
ROWS(DECLARE)
static const struct ref_op *const ops[] = {ROWS(POINT)};

/* ---- 1 device ---- */

struct hop_device {
    int n_threads; /* not used: ref has one order and one thread */
};

struct hop_data {
    struct hop_examples x;
};

static int
open_(int index, int n_threads, struct hop_device **out, struct hop_err *e)
{
    *out = NULL;
    if (index != 0)
        return hop_fail(e, HOP_EDEV, "ref", "use --device ref", "there is one device ref only");
    if (!(*out = hop_alloc(1, sizeof **out, e)))
        return HOP_ENOMEM;
    (*out)->n_threads = n_threads;
    return HOP_OK;
}

static void
close_(struct hop_device *d)
{
    free(d);
}

static const char *
fingerprint(const struct hop_device *d, const struct hop_plan *p)
{
    (void)p;
    (void)d;
    return "ref 1";
}

static int
bind(struct hop_device *d, const struct hop_examples *x, struct hop_data **out, struct hop_err *e)
{
    (void)d;
    if (!(*out = hop_alloc(1, sizeof **out, e)))
        return HOP_ENOMEM;
    (*out)->x = *x;
    return HOP_OK;
}

static void
unbind(struct hop_data *x)
{
    free(x);
}

/* ---- 2 plan ---- */

struct node { /* one layer */
    const struct ref_op *op;
    real *y;   /* [batch, out] */
    real *dy;  /* the same; training only */
    real *aux;
    real *w[8], *dw[8]; /* its weights in p->w and p->g */
    int n_readers;
    bool has_dy;        /* during backward: a reader has written dy */
};

struct hop_plan {
    struct hop_plan_spec spec;
    struct node *nodes;
    real *x;          /* [batch, in] */
    int32_t *y;       /* [batch] classes, or */
    float *t;         /* [batch, K] targets */
    real *p;          /* [batch, K] predictions, where the net gives logits */
    bool is_fused;    /* the loss reads the input of the last layer */
    float *weights;   /* [n_params] canonical, what the optimizer moves */
    real *w;          /* the same as reals: weights itself when real is float */
    real *g;          /* [n_params] gradients */
    float *g32;       /* the same as floats: g itself when real is float */
    float *slots[HOP_MAX_SLOTS];
    struct hop_optim_part *parts; /* room for every weight */
    int64_t step;
    struct ref_tree tree;
    real *scratch;
    real *spare[HOP_NET_INPUTS]; /* [batch, widest] gradients on their way to a value with several
                                    readers; NULL where no such value is */
    size_t bytes;
};

static real *
alloc_reals(struct hop_plan *p, size_t n, struct hop_err *e)
{
    p->bytes += n * sizeof(real);
    /* hop_alloc_floats aligns for vectors; a real may be two floats. */
    return (real *)hop_alloc_floats(n * (sizeof(real) / sizeof(float)), e);
}

static void
plan_free(struct hop_plan *p)
{
    int i;

    if (!p)
        return;
    for (i = 0; p->nodes && i < p->spec.net->n_layers; i++) {
        free(p->nodes[i].y);
        free(p->nodes[i].dy);
        free(p->nodes[i].aux);
    }
    for (i = 0; i < REF_TREE_HEIGHT; i++)
        free(p->tree.level[i]);
    for (i = 0; i < HOP_NET_INPUTS; i++)
        free(p->spare[i]);
    free(p->tree.leaf);
    free(p->scratch);
    if ((void *)p->w != (void *)p->weights)
        free(p->w);
    if ((void *)p->g != (void *)p->g32)
        free(p->g32);
    free(p->g);
    free(p->weights);
    for (i = 0; i < HOP_MAX_SLOTS; i++)
        free(p->slots[i]);
    free(p->x);
    free(p->y);
    free(p->t);
    free(p->p);
    free(p->parts);
    free(p->nodes);
    free(p);
}

/* The arenas: weights, gradients, slots; reals apart from floats only in the double build. */
static int
alloc_arenas(struct hop_plan *p, struct hop_err *e)
{
    const struct hop_net *net = p->spec.net;
    int i, n_slots;

    if (!(p->weights = hop_alloc_floats(net->n_params, e)))
        return HOP_ENOMEM;
    p->w = sizeof(real) == sizeof(float) ? (real *)p->weights : alloc_reals(p, net->n_params, e);
    if (!p->w)
        return HOP_ENOMEM;
    p->bytes += net->n_params * sizeof(float);
    if (!p->spec.is_training)
        return HOP_OK;
    if (!(p->g = alloc_reals(p, net->n_params, e)) ||
        !(p->parts = hop_alloc((size_t)net->n_weights, sizeof *p->parts, e)))
        return HOP_ENOMEM;
    p->g32 = sizeof(real) == sizeof(float) ? (float *)p->g : hop_alloc_floats(net->n_params, e);
    if (!p->g32)
        return HOP_ENOMEM;
    n_slots = p->spec.optim->slots(p->spec.optim_conf, NULL);
    for (i = 0; i < n_slots; i++)
        if (!(p->slots[i] = hop_alloc_floats(net->n_trainable, e)))
            return HOP_ENOMEM;
    p->bytes += net->n_trainable * sizeof(float) * (size_t)n_slots;
    return HOP_OK;
}

/* What a batch is compared with, and its predictions. */
static int
alloc_batch(struct hop_plan *p, struct hop_err *e)
{
    size_t n = (size_t)p->spec.batch_size, K = (size_t)p->spec.net->output.d[0];

    p->bytes += n * (sizeof *p->y + K * sizeof *p->t);
    p->y = hop_alloc(n, sizeof *p->y, e);
    p->t = hop_alloc(n * K, sizeof *p->t, e);
    p->p = alloc_reals(p, n * K, e);
    return p->y && p->t && p->p ? HOP_OK : HOP_ENOMEM;
}

static int
alloc_tree(struct hop_plan *p, size_t n_widest, struct hop_err *e)
{
    int64_t n;
    int h;

    if (!(p->tree.leaf = alloc_reals(p, n_widest, e)) ||
        !(p->scratch = alloc_reals(p, n_widest, e)))
        return HOP_ENOMEM;
    for (h = 0, n = p->spec.batch_size; n > 0; h++, n /= 2)
        if (h >= REF_TREE_HEIGHT || !(p->tree.level[h] = alloc_reals(p, n_widest, e)))
            return hop_fail(e, HOP_EARG, NULL, "use a smaller batch", "the batch is too large");
    return HOP_OK;
}

/* Count readers; make the spare buffers that values with several of them need. */
static int
alloc_spare(struct hop_plan *p, struct hop_err *e)
{
    const struct hop_net *net = p->spec.net;
    int64_t n_widest = 0, n;
    int i, k, n_spare = 0;

    for (i = 0; i < net->n_layers; i++)
        for (k = 0; k < net->layers[i].n_in; k++)
            if (net->layers[i].in[k] >= 0)
                p->nodes[net->layers[i].in[k]].n_readers++;
    for (i = 0; i < net->n_layers; i++)
        for (k = 0; k < net->layers[i].n_in; k++) {
            if (net->layers[i].in[k] < 0 || p->nodes[net->layers[i].in[k]].n_readers < 2)
                continue;
            n = hop_shape_len(&net->layers[i].in_shapes[k]);
            n_widest = n > n_widest ? n : n_widest;
            n_spare = k + 1 > n_spare ? k + 1 : n_spare;
        }
    for (k = 0; k < n_spare; k++)
        if (!(p->spare[k] = alloc_reals(p, (size_t)(p->spec.batch_size * n_widest), e)))
            return HOP_ENOMEM;
    return HOP_OK;
}

static int
compile_layer(struct hop_plan *p, int i, size_t *n_widest, struct hop_err *e)
{
    const struct hop_layer *l = &p->spec.net->layers[i];
    struct node *nd = &p->nodes[i];
    size_t n = (size_t)p->spec.batch_size * (size_t)hop_shape_len(&l->out_shape), sum = 0, k;

    for (k = 0; k < HOP_LEN(ops) && strcmp(ops[k]->name, l->kind->op); k++)
        ;
    if (k == HOP_LEN(ops))
        return hop_fail(e, HOP_EFORMAT, p->spec.net->name, "choose another --device",
                        "device ref has no layer %s", l->kind->name);
    nd->op = ops[k];
    if (!(nd->y = alloc_reals(p, n, e)) ||
        (p->spec.is_training && !(nd->dy = alloc_reals(p, n, e))))
        return HOP_ENOMEM;
    n = nd->op->aux ? nd->op->aux(l, p->spec.batch_size) : 0;
    if (!(nd->aux = alloc_reals(p, n, e)))
        return HOP_ENOMEM;
    HOP_BUG_ON(l->n_weights > (int)HOP_LEN(nd->w));
    for (k = 0; k < (size_t)l->n_weights; k++) {
        nd->w[k] = p->w + p->spec.net->weights[l->i_weight + (int)k].offset;
        nd->dw[k] = p->g ? p->g + p->spec.net->weights[l->i_weight + (int)k].offset : NULL;
        sum += (size_t)p->spec.net->weights[l->i_weight + (int)k].n;
    }
    n = (size_t)l->out_shape.d[l->out_shape.n_dims - 1] + sum;
    *n_widest = n > *n_widest ? n : *n_widest;
    return HOP_OK;
}

static int
compile(struct hop_device *d, const struct hop_plan_spec *spec, struct hop_plan **out,
        struct hop_err *e)
{
    size_t n_widest = 0;
    struct hop_plan *p;
    int i, rc;

    (void)d;
    *out = NULL;
    if (spec->precision && strcmp(spec->precision, "fp32") && strcmp(spec->precision, "auto"))
        return hop_fail(e, HOP_EARG, "--precision", "fp32, auto", "device ref cannot do \"%.20s\"",
                        spec->precision);
    if (!(p = hop_alloc(1, sizeof *p, e)))
        return HOP_ENOMEM;
    p->spec = *spec;
    p->nodes = hop_alloc((size_t)spec->net->n_layers, sizeof *p->nodes, e);
    p->x = alloc_reals(p, (size_t)spec->batch_size * (size_t)hop_shape_len(&spec->net->input), e);
    p->is_fused = hop_loss_is_fused(&spec->loss, spec->net);
    rc = p->nodes && p->x ? alloc_arenas(p, e) : HOP_ENOMEM;
    if (!rc)
        rc = alloc_batch(p, e);
    for (i = 0; i < spec->net->n_layers && !rc; i++)
        rc = compile_layer(p, i, &n_widest, e);
    if (!rc && spec->is_training && !(rc = alloc_tree(p, n_widest, e)))
        rc = alloc_spare(p, e);
    if (rc)
        plan_free(p);
    else
        *out = p;
    return rc;
}

static size_t
plan_bytes(const struct hop_plan *p)
{
    return p->bytes;
}

static const char *
precision(const struct hop_plan *p)
{
    (void)p;
    return "fp32";
}

static int
load(struct hop_plan *p, const struct hop_state *s, struct hop_err *e)
{
    const struct hop_net *net = p->spec.net;
    size_t k;
    int i;

    (void)e;
    memcpy(p->weights, s->weights, net->n_params * sizeof(float));
    for (k = 0; (void *)p->w != (void *)p->weights && k < net->n_params; k++)
        p->w[k] = p->weights[k];
    for (i = 0; i < HOP_MAX_SLOTS && p->slots[i]; i++)
        memcpy(p->slots[i], s->slots[i], net->n_trainable * sizeof(float));
    p->step = s->step;
    return HOP_OK;
}

static int
store(struct hop_plan *p, struct hop_state *s, struct hop_err *e)
{
    const struct hop_net *net = p->spec.net;
    int i;

    (void)e;
    memcpy(s->weights, p->weights, net->n_params * sizeof(float));
    for (i = 0; i < HOP_MAX_SLOTS && p->slots[i]; i++)
        memcpy(s->slots[i], p->slots[i], net->n_trainable * sizeof(float));
    s->step = p->step;
    return HOP_OK;
}

/* ---- 3 one batch ---- */

/* Example `from` of d, normalised, to row `to` of p->x; its class or targets. */
static void
gather(struct hop_plan *p, const struct hop_data *d, int64_t from, int64_t to)
{
    int64_t n = hop_shape_len(&d->x.shape), C = d->x.shape.d[d->x.shape.n_dims - 1], i;
    const uint8_t *u8 = (const uint8_t *)d->x.x + from * n;
    const float *f32 = (const float *)d->x.x + from * n;
    real *x = p->x + to * n;

    for (i = 0; i < n; i++)
        x[i] = ((d->x.is_u8 ? (real)u8[i] : (real)f32[i]) - (real)d->x.mean[i % C]) *
               (real)d->x.inv_std[i % C];
    if (d->x.y)
        p->y[to] = d->x.y[from];
    for (i = 0; d->x.t && i < d->x.n_targets; i++)
        p->t[to * d->x.n_targets + i] = d->x.t[from * d->x.n_targets + i];
}

static struct ref_targets
targets(const struct hop_plan *p, const struct hop_data *d, bool is_training)
{
    return (struct ref_targets){.y = d->x.y ? p->y : NULL, .t = d->x.t ? p->t : NULL,
                                .class_weight = is_training ? d->x.class_weight : NULL};
}

static struct ref_step
begin_step(struct hop_plan *p, int64_t n, const struct hop_pass *pass)
{
    return (struct ref_step){.n = n, .is_training = pass != NULL,
                             .dropout_key = pass ? pass->dropout_key : 0, .t = p->step,
                             .tree = &p->tree, .scratch = p->scratch};
}

/* What layer i reads. */
static void
set_inputs(const struct hop_plan *p, struct ref_step *s, int i)
{
    const struct hop_layer *l = &p->spec.net->layers[i];
    int k;

    s->i_layer = i;
    for (k = 0; k < l->n_in; k++)
        s->xs[k] = l->in[k] < 0 ? p->x : p->nodes[l->in[k]].y;
}

static void
forward(struct hop_plan *p, struct ref_step *s)
{
    const struct hop_net *net = p->spec.net;
    int i;

    for (i = 0; i < net->n_layers; i++) {
        set_inputs(p, s, i);
        p->nodes[i].op->forward(s, &net->layers[i], p->nodes[i].w, s->xs[0], p->nodes[i].y,
                                p->nodes[i].aux);
    }
}

/* Layer i's backward pass, its input gradients put or added where they belong. */
static void
backward_layer(struct hop_plan *p, struct ref_step *s, int i)
{
    const struct hop_layer *l = &p->spec.net->layers[i];
    struct node *nd = &p->nodes[i], *from;
    int64_t n, j;
    int k;

    set_inputs(p, s, i);
    for (k = 0; k < l->n_in; k++) {
        from = l->in[k] < 0 ? NULL : &p->nodes[l->in[k]];
        s->dxs[k] = !from ? NULL : from->n_readers > 1 ? p->spare[k] : from->dy;
    }
    nd->op->backward(s, l, nd->w, s->xs[0], nd->y, nd->aux, nd->dy, s->dxs[0], nd->dw);
    for (k = 0; k < l->n_in; k++) {
        from = l->in[k] < 0 ? NULL : &p->nodes[l->in[k]];
        if (!from || from->n_readers < 2)
            continue;
        n = s->n * hop_shape_len(&l->in_shapes[k]);
        if (!from->has_dy)
            memcpy(from->dy, s->dxs[k], (size_t)n * sizeof(real));
        for (j = 0; from->has_dy && j < n; j++)
            from->dy[j] = from->dy[j] + s->dxs[k][j];
        from->has_dy = true;
    }
}

/* l1 * sum of absolute values + l2 * sum of squares over all regularised weights, in order, in
 * double. */
static double
penalty(const struct hop_plan *p)
{
    const struct hop_net *net = p->spec.net;
    double total = 0, sum1, sum2, v;
    const struct hop_weight *w;
    int64_t j;
    int i;

    for (i = 0; i < net->n_weights; i++) {
        w = &net->weights[i];
        if (w->l1 == 0 && w->l2 == 0)
            continue;
        for (j = 0, sum1 = sum2 = 0; j < w->n; j++) {
            v = (double)p->w[w->offset + (size_t)j];
            sum1 += fabs(v);
            sum2 += v * v;
        }
        total += w->l1 * sum1 + w->l2 * sum2;
    }
    return total;
}

/* Its gradient, added to p->g: 2 * l2 * w, then l1 * sign(w), where 0 has no sign. */
static void
add_penalty_gradient(struct hop_plan *p)
{
    const struct hop_net *net = p->spec.net;
    const struct hop_weight *w;
    const real *v;
    real *g;
    int64_t j;
    int i;

    for (i = 0; i < net->n_weights; i++) {
        w = &net->weights[i];
        v = p->w + w->offset;
        g = p->g + w->offset;
        for (j = 0; j < w->n && w->l2 != 0; j++)
            g[j] += (real)(2 * w->l2) * v[j];
        for (j = 0; j < w->n && w->l1 != 0; j++)
            g[j] += (real)w->l1 * (real)((v[j] > 0) - (v[j] < 0));
    }
}

/* What the loss reads. */
static const real *
logits(const struct hop_plan *p)
{
    int l = p->spec.net->n_layers - 1, from = p->spec.net->layers[l].in[0];

    return !p->is_fused ? p->nodes[l].y : from < 0 ? p->x : p->nodes[from].y;
}

static const real *
predictions(const struct hop_plan *p, int64_t n)
{
    const struct hop_net *net = p->spec.net;

    if (p->is_fused || hop_loss_link(&p->spec.loss) == HOP_LINEAR)
        return p->nodes[net->n_layers - 1].y;
    REF_NAME(loss_link)(&p->spec.loss, logits(p), n, net->output.d[0], p->p);
    return p->p;
}

/* Add the batch's loss (mean times n) and hits to r. */
static void
score(const struct hop_plan *p, int64_t n, const struct ref_targets *t, struct hop_result *r)
{
    int64_t K = p->spec.net->output.d[0];

    r->loss += REF_NAME(loss_sum)(&p->spec.loss, logits(p), n, K, t) + penalty(p) * (double)n;
    r->n_correct += REF_NAME(loss_hits)(predictions(p, n), n, K, t);
    r->n_examples += n;
}

/* From the loss back to p->g. */
static void
backward(struct hop_plan *p, struct ref_step *s, const struct ref_targets *t)
{
    const struct hop_net *net = p->spec.net;
    int l = net->n_layers - 1, from = p->is_fused ? net->layers[l].in[0] : l;

    if (from >= 0)
        REF_NAME(loss_gradient)(&p->spec.loss, predictions(p, s->n), s->n, net->output.d[0], t,
                                s->n, p->nodes[from].dy);
    for (l = 0; l < net->n_layers; l++)
        p->nodes[l].has_dy = false;
    for (l = net->n_layers - 1 - p->is_fused; l >= 0; l--)
        backward_layer(p, s, l);
    add_penalty_gradient(p);
}

/* Between the optimizer's floats and the arithmetic's reals: nothing to do where they are one. */
static void
copy_arenas(struct hop_plan *p, bool is_before)
{
    const struct hop_net *net = p->spec.net;
    const struct hop_weight *w;
    size_t k;
    int i;

    for (i = 0; (void *)p->w != (void *)p->weights && i < net->n_weights; i++) {
        w = &net->weights[i];
        for (k = w->offset; k < w->offset + (size_t)w->n; k++)
            if (is_before)
                p->g32[k] = (float)p->g[k];
            else if (w->is_trainable)
                p->w[k] = p->weights[k];
            else
                p->weights[k] = (float)p->w[k];
    }
}

static void
update(struct hop_plan *p, struct hop_result *r)
{
    const struct hop_net *net = p->spec.net;
    const struct hop_weight *w;
    size_t n = 0;
    int i, j;

    copy_arenas(p, true);
    for (i = 0; i < net->n_weights; i++) {
        w = &net->weights[i];
        if (!w->is_trainable)
            continue;
        p->parts[n] = (struct hop_optim_part){(size_t)w->n, p->weights + w->offset,
                                              p->g32 + w->offset, {NULL}};
        for (j = 0; j < HOP_MAX_SLOTS && p->slots[j]; j++)
            p->parts[n].slots[j] = p->slots[j] + w->slot_offset;
        n++;
    }
    r->lr = hop_optim_update(p->spec.optim, p->spec.optim_conf, &p->spec.lr, p->step + 1, p->parts,
                             n);
    copy_arenas(p, false);
    p->step++;
    r->n_steps++;
}

/* ---- 4 passes ---- */

static void
finish(struct hop_result *r)
{
    r->loss = r->n_examples ? r->loss / (double)r->n_examples : 0;
    r->is_diverged = !isfinite(r->loss);
}

/* Batch [at, at+n) of the pass's order into p->x and its targets. */
static void
gather_shuffled(struct hop_plan *p, const struct hop_data *d, const struct hop_perm *perm,
                int64_t at, int64_t n)
{
    int64_t i;

    for (i = 0; i < n; i++)
        gather(p, d, (int64_t)hop_perm_at(perm, (uint64_t)(at + i)), i);
}

static int
train(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass, struct hop_result *r,
      struct hop_err *e)
{
    int64_t at, n, B = p->spec.batch_size;
    struct ref_targets t = targets(p, x, true);
    struct hop_perm perm;
    struct ref_step s;
    int rc;

    *r = (struct hop_result){0};
    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)))
        return rc;
    hop_perm_init(&perm, (uint64_t)x->x.n, pass->shuffle_key, (uint32_t)pass->visit,
                  (uint32_t)pass->i_pass);
    for (at = 0; at < x->x.n; at += n) {
        n = x->x.n - at < B ? x->x.n - at : B;
        gather_shuffled(p, x, &perm, at, n);
        s = begin_step(p, n, pass);
        forward(p, &s);
        score(p, n, &t, r);
        backward(p, &s, &t);
        update(p, r);
        if (pass->progress && !pass->progress(pass->progress_arg, at + n, x->x.n))
            return hop_pass_told_to_end(e);
    }
    finish(r);
    return HOP_OK;
}

/* Predictions [n,K] of the batch as floats. */
static void
put_predictions(const struct hop_plan *p, int64_t n, float *out)
{
    const real *v = predictions(p, n);
    int64_t i;

    for (i = 0; i < n * p->spec.net->output.d[0]; i++)
        out[i] = (float)v[i];
}

static int
evaluate(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_result *r,
         struct hop_err *e)
{
    int64_t at, n, i, B = p->spec.batch_size;
    struct ref_targets t = targets(p, x, false);
    struct ref_step s;
    int rc;

    *r = (struct hop_result){0};
    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)))
        return rc;
    for (at = 0; at < x->x.n; at += n) {
        n = x->x.n - at < B ? x->x.n - at : B;
        for (i = 0; i < n; i++)
            gather(p, x, at + i, i);
        s = begin_step(p, n, NULL);
        forward(p, &s);
        score(p, n, &t, r);
        if (predictions)
            put_predictions(p, n, predictions + at * p->spec.net->output.d[0]);
    }
    finish(r);
    return HOP_OK;
}

static int
predict(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_err *e)
{
    int64_t at, n, i, B = p->spec.batch_size;
    struct ref_step s;
    int rc;

    if ((rc = hop_examples_check(&x->x, &p->spec, false, e)))
        return rc;
    for (at = 0; at < x->x.n; at += n) {
        n = x->x.n - at < B ? x->x.n - at : B;
        for (i = 0; i < n; i++)
            gather(p, x, at + i, i);
        s = begin_step(p, n, NULL);
        forward(p, &s);
        put_predictions(p, n, predictions + at * p->spec.net->output.d[0]);
    }
    return HOP_OK;
}

static int
gradient(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass, float *gradient,
         double *loss, struct hop_err *e)
{
    int64_t B = p->spec.batch_size, n = x->x.n < B ? x->x.n : B;
    struct ref_targets t = targets(p, x, true);
    struct hop_result r = {0};
    struct hop_perm perm;
    struct ref_step s;
    const struct hop_weight *w;
    size_t k;
    int i, rc;

    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)))
        return rc;
    hop_perm_init(&perm, (uint64_t)x->x.n, pass->shuffle_key, (uint32_t)pass->visit,
                  (uint32_t)pass->i_pass);
    gather_shuffled(p, x, &perm, 0, n);
    s = begin_step(p, n, pass);
    memset(p->g, 0, p->spec.net->n_params * sizeof(real));
    forward(p, &s);
    score(p, n, &t, &r);
    backward(p, &s, &t);
    finish(&r);
    *loss = r.loss;
    for (i = 0; i < p->spec.net->n_weights; i++) {
        w = &p->spec.net->weights[i];
        for (k = w->offset; k < w->offset + (size_t)w->n; k++)
            gradient[k] = w->is_trainable ? (float)p->g[k] : 0.0f;
    }
    return HOP_OK;
}

/* Both are read at each update and by nothing else. */
static void
retune(struct hop_plan *p, const struct hop_plan_spec *spec)
{
    memcpy(p->spec.optim_conf, spec->optim_conf, sizeof p->spec.optim_conf);
    p->spec.lr = spec->lr;
}

extern const struct hop_device_ops REF_DEVICE;
const struct hop_device_ops REF_DEVICE = {
    HOP_ENGINE_ABI, sizeof(struct hop_device_ops), "ref", open_, close_, fingerprint, bind, unbind,
    compile, plan_free, plan_bytes, precision, load, store, train, evaluate, predict, gradient,
    retune, NULL,
};

/* Steps of the convolutions that wino.h makes. 1 which  2 forward  3 backward */
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "engine/cpu/plan.h"
#include "engine/cpu/precision.h"
#include "engine/cpu/wino.h"

enum { LANES = 16 };

/* Of one layer in one program. */
struct conv {
    struct hop_cpu_prog *g;
    struct hop_cpu_weight *w, *bias; /* bias NULL: none */
    struct hop_cpu_wino fwd, back;
    struct hop_cpu_wino_end end, end_back;
    float *padded;       /* [k] the bias, then 0; NULL without bias */
    float *padded_dbias; /* [k] */
    const float *x, *x_back; /* as the forward and the backward pass have the input */
    const float *dy_weights, *dy;
    float *y, *dx;
};

/* ---- 1 which ---- */

enum {
    LEAST_TILES = 24,    /* the kernel's way to the points must pay */
    LEAST_EXAMPLES = 16, /* of a gradient of weights */
    MOST_POINTS = 1 << 20 /* floats: larger kernels go to the points anew each time, in scratch memory */
};

static int64_t
padded(int64_t c)
{
    return (c + LANES - 1) / LANES * LANES;
}

static struct hop_cpu_wino
describe(const struct hop_cpu_prog *g, int i)
{
    const struct hop_conv2d *p = g->plan->spec.net->layers[i].params;
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)], *y = &g->values[i + 1];

    return (struct hop_cpu_wino){.n = x->n, .c = padded(x->c), .h = x->h, .w = x->w,
                                 .k = padded(y->c), .p = y->h, .q = y->w, .top = p->pad_top,
                                 .left = p->pad_left};
}

/* Direct ones need 144 multiplications where a tile takes 36, and more than that for its way to the
 * points and back: tiles must be filled by half. */
static bool
pays(const struct hop_cpu_wino *s)
{
    int64_t n_tiles = (s->p + 3) / 4 * ((s->q + 3) / 4);

    return s->p * s->q >= 6 * n_tiles && s->n * n_tiles >= LEAST_TILES;
}

static const struct hop_dn_md *
kernel_md(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int64_t dims[] = {g->values[i + 1].c, g->values[hop_cpu_in(g, i, 0)].c, 3, 3};

    return hop_dn_md_new(g->set, 4, dims, HOP_DN_OIHW16I16O, e);
}

int
hop_cpu_conv_wino(struct hop_cpu_prog *g, int i, bool *is_wino, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    struct hop_cpu_wino s = describe(g, i);
    const struct hop_dn_md *md;
    int rc;

    *is_wino = false;
    if (g->plan->is_bf16 || !hop_cpu_suits_wino(l) || !hop_dn_has_avx512() ||
        !hop_cpu_wino_can() || !pays(&s))
        return HOP_OK;
    if (!(md = kernel_md(g, i, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_weight_place(g, l->i_weight, md, e)))
        return rc;
    *is_wino = hop_dn_md_equal(md, g->plan->weights[l->i_weight].md);
    return HOP_OK;
}

/* ---- 2 forward ---- */

static void
want_scratch(struct hop_cpu_prog *g, size_t n_floats)
{
    if (n_floats * sizeof(float) > g->scratch_bytes)
        g->scratch_bytes = n_floats * sizeof(float);
}

/* Where the kernel's points are, for a pass that also wants `room` floats of scratch memory. */
static int
place_points(struct hop_cpu_prog *g, struct hop_cpu_weight *w, const struct hop_cpu_wino *s,
             bool is_back, struct hop_err *e)
{
    size_t n = hop_cpu_wino_points(s), room = hop_cpu_wino_room(s, g->plan->d->n_threads);

    want_scratch(g, room + (n > MOST_POINTS ? n : 0));
    if (n > MOST_POINTS || w->points[is_back])
        return HOP_OK;
    if (!(w->points[is_back] = hop_arena_get(&g->plan->arena, n * sizeof(float), e)))
        return HOP_ENOMEM;
    g->plan->bytes += n * sizeof(float);
    return HOP_OK;
}

/* The points as of now; *room: the scratch memory that is left. */
static const float *
points(const struct conv *s, bool is_back, float **room)
{
    const struct hop_cpu_wino *pass = is_back ? &s->back : &s->fwd;
    uint64_t now = s->g->plan->n_changes;
    float *u = s->w->points[is_back];

    *room = s->g->scratch;
    if (!u) {
        u = *room;
        *room += hop_cpu_wino_points(pass);
    } else if (s->w->points_at[is_back] == now) {
        return u;
    }
    hop_cpu_wino_kernel(pass, s->w->v, is_back, u);
    s->w->points_at[is_back] = now;
    return u;
}

static void
run_forward(void *arg, const struct hop_cpu_now *now)
{
    const struct conv *s = arg;
    float *room;
    const float *u = points(s, false, &room);

    (void)now;
    if (s->bias)
        memcpy(s->padded, s->bias->v, s->bias->n * sizeof(float));
    hop_cpu_wino_forward(&s->fwd, s->x, u, &s->end, s->y, room);
}

static int
place_bias(struct hop_cpu_prog *g, int i, struct conv *s, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_dn_md *md = hop_dn_md_new(g->set, 1, &g->values[i + 1].c, HOP_DN_X, e);
    int rc;

    if (!md)
        return HOP_ENOMEM;
    if (l->n_weights < 2)
        return HOP_OK;
    if ((rc = hop_cpu_weight_place(g, l->i_weight + 1, md, e)))
        return rc;
    s->bias = &g->plan->weights[l->i_weight + 1];
    s->padded = hop_cpu_own(g, (size_t)s->fwd.k * sizeof(float), e);
    s->padded_dbias = hop_cpu_own(g, (size_t)s->fwd.k * sizeof(float), e);
    return s->padded && s->padded_dbias ? HOP_OK : HOP_ENOMEM;
}

int
hop_cpu_conv_wino_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_node *next = NULL;
    const struct hop_activation *act = hop_cpu_next_act(g, i, &next);
    const struct hop_dn_md *x_md = hop_cpu_md(g, &g->values[v], HOP_DN_NCHW16C, e);
    const struct hop_dn_md *y_md = hop_cpu_md(g, &g->values[i + 1], HOP_DN_NCHW16C, e);
    struct conv *s = hop_cpu_own(g, sizeof *s, e);
    struct hop_cpu_buf *x;

    if (!x_md || !y_md || !s)
        return HOP_ENOMEM;
    *s = (struct conv){.g = g, .w = &g->plan->weights[g->plan->spec.net->layers[i].i_weight],
                       .fwd = describe(g, i)};
    s->back = hop_cpu_wino_back(&s->fwd);
    if ((rc = place_bias(g, i, s, e)) || (rc = place_points(g, s->w, &s->fwd, false, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, v, x_md, &x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, y_md, e)))
        return rc;
    s->end = (struct hop_cpu_wino_end){s->padded, act && act->act == HOP_RELU, NULL};
    if (s->end.has_relu)
        next->is_fused = true;
    s->x = x->p;
    s->y = g->values[i + 1].buf->p;
    g->nodes[i].aux = s;
    g->nodes[i].is_input_free = !s->w->g;
    hop_cpu_buf_put(x);
    hop_log(HOP_LOG_DEBUG, "device cpu: batch %lld, forward %s: winograd:avx512", (long long)g->n,
            g->plan->spec.net->layers[i].name);
    return hop_cpu_call(g, HOP_CPU_FORWARD, run_forward, s, e);
}

/* ---- 3 backward ---- */

static void
run_weights(void *arg, const struct hop_cpu_now *now)
{
    const struct conv *s = arg;

    (void)now;
    hop_cpu_wino_weights(&s->fwd, s->x_back, s->dy_weights, s->w->g, s->padded_dbias, s->g->scratch);
    if (s->bias && s->bias->g)
        memcpy(s->bias->g, s->padded_dbias, s->bias->n * sizeof(float));
}

static void
run_data(void *arg, const struct hop_cpu_now *now)
{
    const struct conv *s = arg;
    float *room;
    const float *u = points(s, true, &room);

    (void)now;
    hop_cpu_wino_forward(&s->back, s->dy, u, &s->end_back, s->dx, room);
}

/* What is 0 in each of the sums comes out as rounding noise, of which RMSprop and Adam make whole steps
 * while nothing greater drowns it: so the library's direct ones for few examples. */
static int
few_weights(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    struct hop_cpu_node *nd = &g->nodes[i];
    int rc = make(g, i, HOP_DN_TRAIN, NULL, NULL, &nd->fwd, e);

    if (!rc)
        rc = make(g, i, HOP_DN_BWD_WEIGHTS, NULL, nd->fwd, &nd->bwd_weights, e);
    return rc ? rc : hop_cpu_linear_weights(g, i, e);
}

static int
weights(struct hop_cpu_prog *g, int i, const struct hop_dn_md *dy_md, struct hop_err *e)
{
    struct conv *s = g->nodes[i].aux;
    const struct hop_dn_md *x_md = hop_cpu_md(g, &g->values[hop_cpu_in(g, i, 0)], HOP_DN_NCHW16C, e);
    struct hop_cpu_buf *x, *dy;
    int rc;

    if (!x_md)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_BACKWARD, hop_cpu_in(g, i, 0), x_md, &x, e)))
        return rc;
    s->x_back = x->p;
    s->dy_weights = dy->p;
    want_scratch(g, hop_cpu_wino_room(&s->fwd, g->plan->d->n_threads));
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_weights, s, e);
    hop_cpu_buf_put(x);
    return rc ? rc : hop_cpu_grad_give(g, i + 1, dy_md, dy, e);
}

/* Is the input a ReLU's output, read by this layer alone and lying as dx will? Then the ReLU's backward
 * pass is done here. */
static bool
follows_relu(const struct hop_cpu_prog *g, int v, const struct hop_dn_md *dx_md)
{
    const struct hop_layer *l = v > 0 ? &g->plan->spec.net->layers[v - 1] : NULL;

    return l && !strcmp(l->kind->op, "Activation") &&
           ((const struct hop_activation *)l->params)->act == HOP_RELU &&
           !g->nodes[v - 1].is_absorbed && g->values[v].n_readers == 1 &&
           hop_dn_md_equal(g->values[v].md, dx_md);
}

/* Then, too: is that ReLU part of another convolution, which reads no output of its own, and nobody
 * else's backward pass still reads it? Then dx, of which each element wants that one of the input
 * alone, takes the input's place. */
static bool
is_last_to_read(const struct hop_cpu_prog *g, int v)
{
    const struct hop_layer *before;
    int u = hop_cpu_in(g, v - 1, 0);

    if (u == 0 || !g->nodes[v - 1].is_fused || g->values[u].n_readers != 1)
        return false;
    before = &g->plan->spec.net->layers[u - 1];
    return !strcmp(before->kind->op, "Conv2D") && g->values[v].buf->n_refs == 1;
}

static int
data(struct hop_cpu_prog *g, int i, const struct hop_dn_md *dy_md, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    const struct hop_dn_md *dx_md = hop_cpu_md(g, &g->values[v], HOP_DN_NCHW16C, e);
    struct conv *s = g->nodes[i].aux;
    struct hop_cpu_buf *dy, *dx = NULL;

    if (!dx_md)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (rc = place_points(g, s->w, &s->back, true, e)))
        return rc;
    if (follows_relu(g, v, dx_md)) {
        s->end_back.relu_of = g->values[v].buf->p;
        g->nodes[v - 1].is_absorbed = true;
        if (is_last_to_read(g, v)) {
            dx = g->values[v].buf;
            dx->n_refs++;
        }
    }
    if (!dx && !(dx = hop_cpu_grad_new(g, dx_md, e)))
        return HOP_ENOMEM;
    s->dy = dy->p;
    s->dx = dx->p;
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_data, s, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, v, dx_md, dx, e);
}

int
hop_cpu_conv_wino_backward(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_dn_md *dy_md = hop_cpu_md(g, &g->values[i + 1], HOP_DN_NCHW16C, e);
    const struct conv *s = g->nodes[i].aux;
    int rc = HOP_OK;

    if (!dy_md)
        return HOP_ENOMEM;
    if (s->w->g)
        rc = g->n < LEAST_EXAMPLES ? few_weights(g, i, make, e) : weights(g, i, dy_md, e);
    if (!rc && g->values[hop_cpu_in(g, i, 0)].wants_grad)
        return data(g, i, dy_md, e);
    hop_cpu_buf_put(g->values[i + 1].grad);
    return rc;
}

/* What Conv2D and Dense share: y = act(x W + b) forward, and its two backward passes, each in the
 * layouts its primitive chose. Winograd convolutions go through the batch in parts (split.h).
 * 1 parts  2 forward  3 backward */
#include "engine/cpu/plan.h"
#include "engine/cpu/split.h"

/* ---- 1 parts ---- */

/* Fewer examples are slow where there are many channels; so is cutting where an example has few tiles
 * (of 4 x 4), since each part transforms the weights anew. */
enum { LEAST_PART = 13, LEAST_TILES = 16 };

/* A pass of a layer: one primitive over the whole batch, or two over parts of it. */
struct pass {
    enum hop_dn_pass pass;
    const struct hop_activation *act;
    struct hop_dn_prim *whole, *parts[2];
    struct hop_cpu_split split; /* of one part: the whole */
};

static unsigned
split_set(enum hop_dn_pass pass)
{
    return pass == HOP_DN_BWD_DATA      ? HOP_CPU_SPLIT_DATA
           : pass == HOP_DN_BWD_WEIGHTS ? HOP_CPU_SPLIT_WEIGHTS
                                        : HOP_CPU_SPLIT_FORWARD;
}

/* Has the part of n examples the layout of the whole? *out: its md, NULL if not. */
static int
part_md(struct hop_cpu_prog *g, const struct hop_dn_prim *whole, const struct hop_dn_prim *part,
        enum hop_dn_arg arg, int64_t n, const struct hop_dn_md **out, struct hop_err *e)
{
    const struct hop_dn_md *a = hop_dn_prim_md(g->set, whole, arg, e), *b, *like;
    int64_t dims[6];

    *out = NULL;
    if (!a || !(b = hop_dn_prim_md(g->set, part, arg, e)))
        return HOP_ENOMEM;
    if (arg == HOP_DN_WEIGHTS || arg == HOP_DN_DIFF_WEIGHTS) {
        *out = hop_dn_md_equal(a, b) ? b : NULL;
        return HOP_OK;
    }
    if (!hop_dn_md_block(a) || hop_dn_md_dims(a, dims) != 4)
        return HOP_OK;
    dims[0] = n;
    if (!(like = hop_dn_md_like(g->set, a, dims, e)))
        return HOP_ENOMEM;
    *out = hop_dn_md_equal(like, b) ? b : NULL;
    return HOP_OK;
}

static bool
fits(struct hop_cpu_prog *g, const struct pass *s, int k)
{
    static const enum hop_dn_arg args[][3] = {
        [HOP_DN_INFER] = {HOP_DN_SRC, HOP_DN_DST, HOP_DN_WEIGHTS},
        [HOP_DN_TRAIN] = {HOP_DN_SRC, HOP_DN_DST, HOP_DN_WEIGHTS},
        [HOP_DN_BWD_DATA] = {HOP_DN_DIFF_SRC, HOP_DN_DIFF_DST, HOP_DN_WEIGHTS},
        [HOP_DN_BWD_WEIGHTS] = {HOP_DN_SRC, HOP_DN_DIFF_DST, HOP_DN_DIFF_WEIGHTS},
    };
    const struct hop_dn_md *md;
    struct hop_err ignored = {0};

    for (int i = 0; i < 3; i++)
        if (part_md(g, s->whole, s->parts[k], args[s->pass][i], s->split.n[k], &md, &ignored) || !md)
            return false;
    return hop_dn_prim_is_winograd(s->parts[k]);
}

/* Cut the pass of s->whole, if that pays and the parts' primitives take the same layouts. */
static void
cut(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct pass *s)
{
    const struct hop_cpu_value *y = &g->values[i + 1];
    int64_t n = g->n, n_tiles = (y->h + 3) / 4 * ((y->w + 3) / 4);
    bool is_forward = s->pass == HOP_DN_TRAIN || s->pass == HOP_DN_INFER;
    struct hop_dn_prim *fwd;
    struct hop_err ignored = {0};

    s->split = (struct hop_cpu_split){{n, 0}, {1, 0}};
    if (!hop_dn_prim_is_winograd(s->whole) || n_tiles < LEAST_TILES)
        return;
    hop_cpu_split(n, split_set(s->pass), LEAST_PART, &s->split);
    if (s->split.n[0] == n)
        return;
    for (int k = 0; k < 2 && s->split.count[k]; k++) {
        if ((!is_forward &&
             make(g, i, HOP_DN_TRAIN, s->split.n[k], NULL, NULL, &fwd, &ignored)) ||
            make(g, i, s->pass, s->split.n[k], s->act, is_forward ? NULL : fwd, &s->parts[k],
                 &ignored) ||
            !fits(g, s, k)) {
            s->split = (struct hop_cpu_split){{n, 0}, {1, 0}};
            return;
        }
    }
}

struct sum {
    size_t n;
    const float *from;
    float *to;
};

HOP_CPU_HOT static void
run_sum(void *arg, const struct hop_cpu_now *now)
{
    const struct sum *s = arg;
    const float *restrict from = s->from;
    float *restrict to = s->to;

    (void)now;
    for (size_t i = 0; i < s->n; i++)
        to[i] += from[i];
}

static int
add_sum(struct hop_cpu_prog *g, const struct hop_dn_bind *from, const struct hop_dn_bind *to,
        struct hop_err *e)
{
    struct sum *s = hop_cpu_own(g, sizeof *s, e);

    if (!s)
        return HOP_ENOMEM;
    *s = (struct sum){hop_dn_md_bytes(to->md) / sizeof(float), from->p, to->p};
    return hop_cpu_call(g, HOP_CPU_BACKWARD, run_sum, s, e);
}

/* The bindings b of a whole pass, for its part k from example `first` on. */
static int
bind_part(struct hop_cpu_prog *g, const struct pass *s, int k, int64_t first,
          const struct hop_dn_bind *b, int n, struct hop_dn_bind *out, struct hop_err *e)
{
    size_t each;
    int rc;

    for (int i = 0; i < n; i++) {
        out[i] = b[i];
        if (b[i].arg != HOP_DN_SRC && b[i].arg != HOP_DN_DST && b[i].arg != HOP_DN_DIFF_SRC &&
            b[i].arg != HOP_DN_DIFF_DST)
            continue;
        each = hop_dn_md_bytes(b[i].md) / (size_t)g->n;
        if ((rc = part_md(g, s->whole, s->parts[k], b[i].arg, s->split.n[k], &out[i].md, e)))
            return rc;
        out[i].p = (char *)b[i].p + (size_t)first * each;
    }
    return HOP_OK;
}

/* Append the steps of a pass. The gradients of weights, the last n_sums bindings, of later parts are
 * added to those of the first. */
static int
exec(struct hop_cpu_prog *g, enum hop_cpu_list list, const struct pass *s,
     const struct hop_dn_bind *b, int n, int n_sums, struct hop_err *e)
{
    struct hop_cpu_buf *room[2] = {NULL};
    struct hop_dn_bind now[4];
    int64_t first = 0;
    int rc = HOP_OK, k;

    if (s->split.n[0] == g->n)
        return hop_cpu_exec(g, list, s->whole, b, n, e);
    for (int j = 0; j < n_sums; j++)
        if (b[n - 1 - j].p && !(room[j] = hop_cpu_buf_get(g->plan, hop_dn_md_bytes(b[n - 1 - j].md), e)))
            return HOP_ENOMEM;
    for (; first < g->n && !rc; first += s->split.n[k]) {
        k = first >= s->split.count[0] * s->split.n[0];
        if ((rc = bind_part(g, s, k, first, b, n, now, e)))
            break;
        for (int j = 0; j < n_sums && first > 0; j++)
            now[n - 1 - j].p = room[j] ? room[j]->p : NULL;
        rc = hop_cpu_exec(g, list, s->parts[k], now, n, e);
        for (int j = 0; j < n_sums && first > 0 && !rc; j++)
            if (room[j])
                rc = add_sum(g, &now[n - 1 - j], &b[n - 1 - j], e);
    }
    hop_cpu_buf_put(room[0]);
    hop_cpu_buf_put(room[1]);
    return rc;
}

/* ---- 2 forward ---- */

/* The forward primitive, with its activation if there is a fast one that does both. */
static int
choose(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct pass *out, struct hop_err *e)
{
    struct hop_cpu_node *next = NULL;
    struct hop_err ignored = {0};

    *out = (struct pass){.pass = g->is_training ? HOP_DN_TRAIN : HOP_DN_INFER,
                         .act = hop_cpu_next_act(g, i, &next)};
    if (out->act && !make(g, i, out->pass, g->n, out->act, NULL, &out->whole, &ignored) &&
        !hop_dn_prim_is_slow(out->whole)) {
        next->is_fused = true;
        return HOP_OK;
    }
    out->act = NULL;
    return make(g, i, out->pass, g->n, NULL, NULL, &out->whole, e);
}

/* The weights live in the layout of their gradient, so that the optimizer needs no copies. */
static int
place_weights(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *md, *bias_md;
    int rc;

    if (g->is_training) {
        if ((rc = make(g, i, HOP_DN_BWD_WEIGHTS, g->n, NULL, nd->fwd, &nd->bwd_weights, e)))
            return rc;
        md = hop_dn_prim_md(g->set, nd->bwd_weights, HOP_DN_DIFF_WEIGHTS, e);
    } else {
        md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_WEIGHTS, e);
    }
    if (!md || !(md = hop_dn_md_typed(g->set, md, false, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_weight_place(g, l->i_weight, md, e)))
        return rc;
    if (l->n_weights == 1)
        return HOP_OK;
    bias_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_BIAS, e);
    return bias_md ? hop_cpu_weight_place(g, l->i_weight + 1, bias_md, e) : HOP_ENOMEM;
}

int
hop_cpu_linear_forward(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_cpu_weight *w = &g->plan->weights[l->i_weight];
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *x_md, *w_md, *y_md;
    struct hop_cpu_buf *x;
    struct pass s;
    float *kernel;
    int rc;

    if ((rc = choose(g, i, make, &s, e)))
        return rc;
    nd->fwd = s.whole;
    if ((rc = place_weights(g, i, make, e)))
        return rc;
    nd->is_input_free = !w->g;
    if (!(x_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_SRC, e)) ||
        !(w_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_WEIGHTS, e)) ||
        !(y_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_DST, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_weight_as(g, l->i_weight, w_md, &kernel, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, hop_cpu_in(g, i, 0), x_md, &x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, y_md, e)))
        return rc;
    struct hop_dn_bind b[] = {
        {HOP_DN_SRC, x_md, x->p},
        {HOP_DN_WEIGHTS, w_md, kernel},
        {HOP_DN_DST, y_md, g->values[i + 1].buf->p},
        {HOP_DN_BIAS, l->n_weights > 1 ? w[1].md : NULL, l->n_weights > 1 ? w[1].v : NULL}};
    cut(g, i, make, &s);
    rc = exec(g, HOP_CPU_FORWARD, &s, b, 4, 0, e);
    hop_cpu_buf_put(x);
    return rc;
}

/* ---- 3 backward ---- */

static int
backward_weights(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_cpu_weight *w = &g->plan->weights[l->i_weight];
    struct pass s = {.pass = HOP_DN_BWD_WEIGHTS, .whole = g->nodes[i].bwd_weights};
    const struct hop_dn_md *x_md, *dy_md, *dw_md;
    struct hop_cpu_buf *x, *dy;
    float *dw;
    int rc;

    if (!(dy_md = hop_dn_prim_md(g->set, s.whole, HOP_DN_DIFF_DST, e)) ||
        !(x_md = hop_dn_prim_md(g->set, s.whole, HOP_DN_SRC, e)) ||
        !(dw_md = hop_dn_prim_md(g->set, s.whole, HOP_DN_DIFF_WEIGHTS, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_BACKWARD, hop_cpu_in(g, i, 0), x_md, &x, e)) ||
        (rc = hop_cpu_weight_gradient(g, l->i_weight, dw_md, &dw, e)))
        return rc;
    struct hop_dn_bind b[] = {
        {HOP_DN_SRC, x_md, x->p},
        {HOP_DN_DIFF_DST, dy_md, dy->p},
        {HOP_DN_DIFF_WEIGHTS, dw_md, dw},
        {HOP_DN_DIFF_BIAS, l->n_weights > 1 ? w[1].md : NULL, l->n_weights > 1 ? w[1].g : NULL}};
    cut(g, i, make, &s);
    rc = exec(g, HOP_CPU_BACKWARD, &s, b, 4, 2, e);
    hop_cpu_buf_put(x);
    if (rc || (rc = hop_cpu_grad_give(g, i + 1, dy_md, dy, e)))
        return rc;
    return hop_cpu_weight_gradient_done(g, l->i_weight, dw_md, dw, e);
}

static int
backward_data(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    struct pass s = {.pass = HOP_DN_BWD_DATA};
    const struct hop_dn_md *dy_md, *dx_md, *w_md;
    struct hop_cpu_buf *dy, *dx;
    float *kernel;
    int rc;

    if ((rc = make(g, i, HOP_DN_BWD_DATA, g->n, NULL, g->nodes[i].fwd, &s.whole, e)))
        return rc;
    if (!(dy_md = hop_dn_prim_md(g->set, s.whole, HOP_DN_DIFF_DST, e)) ||
        !(dx_md = hop_dn_prim_md(g->set, s.whole, HOP_DN_DIFF_SRC, e)) ||
        !(w_md = hop_dn_prim_md(g->set, s.whole, HOP_DN_WEIGHTS, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (rc = hop_cpu_weight_as(g, l->i_weight, w_md, &kernel, e)))
        return rc;
    if (!(dx = hop_cpu_grad_new(g, dx_md, e)))
        return HOP_ENOMEM;
    struct hop_dn_bind b[] = {{HOP_DN_DIFF_DST, dy_md, dy->p},
                              {HOP_DN_WEIGHTS, w_md, kernel},
                              {HOP_DN_DIFF_SRC, dx_md, dx->p}};
    cut(g, i, make, &s);
    rc = exec(g, HOP_CPU_BACKWARD, &s, b, 3, 0, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), dx_md, dx, e);
}

int
hop_cpu_linear_backward(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    int rc = HOP_OK;

    if (g->plan->weights[g->plan->spec.net->layers[i].i_weight].g)
        rc = backward_weights(g, i, make, e);
    if (!rc && g->values[hop_cpu_in(g, i, 0)].wants_grad)
        return backward_data(g, i, make, e);
    hop_cpu_buf_put(g->values[i + 1].grad);
    return rc;
}

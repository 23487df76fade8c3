/* The Random... layers: lib/engine/augment.c on every image, channels last. */
#include "engine/augment.h"
#include "engine/cpu/plan.h"

struct augment {
    const struct hop_layer *l;
    int i_layer;
    bool is_training;
    int64_t n, n_in, n_out; /* examples; floats in one of the input, of the output */
    const float *x;
    float *y;
};

static void
run_forward(void *arg, const struct hop_cpu_now *now)
{
    const struct augment *s = arg;

    for (int64_t i = 0; i < s->n; i++)
        hop_augment_image(s->l, s->i_layer, s->is_training, now->dropout_key, now->first + i, now->t,
                          s->x + i * s->n_in, s->y + i * s->n_out);
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    int v = hop_cpu_in(g, i, 0), rc;
    const struct hop_dn_md *x_md = hop_cpu_md_last(g, &g->values[v], e);
    const struct hop_dn_md *y_md = hop_cpu_md_last(g, &g->values[i + 1], e);
    struct augment *s = hop_cpu_own(g, sizeof *s, e);
    struct hop_cpu_buf *x;

    if (!x_md || !y_md || !s)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, v, x_md, &x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, y_md, e)))
        return rc;
    *s = (struct augment){.l = l,
                          .i_layer = i,
                          .is_training = g->is_training,
                          .n = g->n,
                          .n_in = hop_shape_len(&l->in_shape),
                          .n_out = hop_shape_len(&l->out_shape),
                          .x = x->p,
                          .y = g->values[i + 1].buf->p};
    g->nodes[i].aux = s;
    hop_cpu_buf_put(x);
    return hop_cpu_call(g, HOP_CPU_FORWARD, run_forward, s, e);
}

/* A net that learns in front of these layers is refused, so no gradient ever comes here. */
const struct hop_cpu_op hop_cpu_op_augment = {"Augment", forward, NULL};

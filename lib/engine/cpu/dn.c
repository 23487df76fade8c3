/* oneDNN, versions 2 and 3: what is the same in both. What differs is dn_own.h's, in dn_v2.c and
 * dn_v3.c.
 *
 * 1 library  2 owners  3 primitives  4 execution
 */
#include "engine/cpu/dn.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "engine/cpu/dn_own.h"

struct hop_dn_prim {
    dnnl_primitive_desc_t pd;
    struct hop_dn_prim *next;
};

struct hop_dn_exec {
    dnnl_primitive_t code;
    dnnl_stream_t stream;
    int n;
    dnnl_exec_arg_t args[HOP_DN_N_ARGS];
    int i_scratch; /* -1: none */
    struct hop_dn_exec *next;
};

static const int arg_ids[HOP_DN_N_ARGS] = {
    [HOP_DN_SRC] = DNNL_ARG_SRC,
    [HOP_DN_DST] = DNNL_ARG_DST,
    [HOP_DN_WEIGHTS] = DNNL_ARG_WEIGHTS,
    [HOP_DN_BIAS] = DNNL_ARG_BIAS,
    [HOP_DN_MEAN] = DNNL_ARG_MEAN,
    [HOP_DN_VARIANCE] = DNNL_ARG_VARIANCE,
    [HOP_DN_SCALE] = DNNL_ARG_SCALE,
    [HOP_DN_SHIFT] = DNNL_ARG_SHIFT,
    [HOP_DN_WORKSPACE] = DNNL_ARG_WORKSPACE,
    [HOP_DN_SCRATCH] = DNNL_ARG_SCRATCHPAD,
    [HOP_DN_DIFF_SRC] = DNNL_ARG_DIFF_SRC,
    [HOP_DN_DIFF_DST] = DNNL_ARG_DIFF_DST,
    [HOP_DN_DIFF_WEIGHTS] = DNNL_ARG_DIFF_WEIGHTS,
    [HOP_DN_DIFF_BIAS] = DNNL_ARG_DIFF_BIAS,
    [HOP_DN_DIFF_SCALE] = DNNL_ARG_DIFF_SCALE,
    [HOP_DN_DIFF_SHIFT] = DNNL_ARG_DIFF_SHIFT,
};

/* ---- 1 library ---- */

const char *
hop_dn_name(void)
{
    static _Thread_local char name[64];
    const dnnl_version_t *v = DN(version)();
    unsigned isa = (unsigned)DN(get_effective_cpu_isa)();
    const char *isa_name = "generic";

    for (const struct hop_dn_isa *i = hop_dn_isas; i->name; i++) {
        if ((isa & i->bits) == i->bits) {
            isa_name = i->name;
            break;
        }
    }
    snprintf(name, sizeof name, "onednn-%d.%d.%d %s", v->major, v->minor, v->patch, isa_name);
    return name;
}

bool
hop_dn_has_avx512(void)
{
    return ((unsigned)DN(get_effective_cpu_isa)() & dnnl_cpu_isa_avx512_core) ==
           dnnl_cpu_isa_avx512_core;
}

bool
hop_dn_has_bf16(void)
{
    unsigned isa = (unsigned)DN(get_effective_cpu_isa)();

    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

bool
hop_dn_has_amx(void)
{
    unsigned isa = (unsigned)DN(get_effective_cpu_isa)();

    return (isa & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx;
}

void
hop_dn_threads(int n_threads)
{
    omp_set_num_threads(n_threads);
}

int
hop_dn_check(dnnl_status_t status, const char *what, struct hop_err *e)
{
    switch (status) {
    case dnnl_success:
        return HOP_OK;
    case dnnl_out_of_memory:
        return hop_fail(e, HOP_ENOMEM, "device cpu", "use a smaller batch or net",
                        "oneDNN is out of memory (%s)", what);
    case dnnl_unimplemented:
        return hop_fail(e, HOP_EFORMAT, "device cpu", "use --device=ref",
                        "oneDNN has no %s for this shape", what);
    default:
        return hop_fail(e, HOP_EFAIL, "device cpu", NULL, "oneDNN refuses %s (status %d)", what,
                        (int)status);
    }
}

/* ---- 2 owners ---- */

int
hop_dn_engine_new(struct hop_dn_engine **out, struct hop_err *e)
{
    struct hop_dn_engine *g = hop_alloc(1, sizeof *g, e);

    *out = NULL;
    if (!g)
        return HOP_ENOMEM;
    if (DN(engine_create)(&g->engine, dnnl_cpu, 0) != dnnl_success ||
        DN(stream_create)(&g->stream, g->engine, dnnl_stream_default_flags) != dnnl_success) {
        hop_dn_engine_free(g);
        return hop_fail(e, HOP_EDEV, "device cpu", NULL, "oneDNN gives no CPU engine");
    }
    *out = g;
    return HOP_OK;
}

void
hop_dn_engine_free(struct hop_dn_engine *g)
{
    if (!g)
        return;
    if (g->stream)
        DN(stream_destroy)(g->stream);
    if (g->engine)
        DN(engine_destroy)(g->engine);
    free(g);
}

struct hop_dn_set *
hop_dn_set_new(struct hop_dn_engine *g, bool is_bf16, struct hop_err *e)
{
    struct hop_dn_set *s = hop_alloc(1, sizeof *s, e);

    if (!s)
        return NULL;
    s->g = g;
    s->type = is_bf16 ? dnnl_bf16 : dnnl_f32;
    return s;
}

void
hop_dn_set_free(struct hop_dn_set *s)
{
    if (!s)
        return;
    for (struct hop_dn_exec *x = s->execs, *next; x; x = next) {
        next = x->next;
        for (int i = 0; i < x->n; i++)
            DN(memory_destroy)(x->args[i].memory);
        if (x->code)
            DN(primitive_destroy)(x->code);
        free(x);
    }
    for (struct hop_dn_prim *p = s->prims, *next; p; p = next) {
        next = p->next;
        DN(primitive_desc_destroy)(p->pd);
        free(p);
    }
    for (struct hop_dn_md *m = s->mds, *next; m; m = next) {
        next = m->next;
        hop_dn_desc_free(m->d);
        free(m);
    }
    free(s);
}

/* ---- 3 primitives ---- */

static const dnnl_prop_kind_t prop_kinds[] = {
    [HOP_DN_INFER] = dnnl_forward_inference,
    [HOP_DN_TRAIN] = dnnl_forward_training,
    [HOP_DN_BWD_DATA] = dnnl_backward_data,
    [HOP_DN_BWD_WEIGHTS] = dnnl_backward_weights,
};

/* Activation as oneDNN's algorithm. Forward-only uses have the same arithmetic. */
static dnnl_alg_kind_t
act_alg(const struct hop_activation *a)
{
    switch (a->act) {
    case HOP_RELU:
        return dnnl_eltwise_relu_use_dst_for_bwd;
    case HOP_ELU:
        return dnnl_eltwise_elu_use_dst_for_bwd;
    case HOP_TANH:
        return dnnl_eltwise_tanh_use_dst_for_bwd;
    case HOP_SIGMOID:
        return dnnl_eltwise_logistic_use_dst_for_bwd;
    case HOP_LEAKY_RELU:
        return isinf(a->max_value) ? dnnl_eltwise_relu_use_dst_for_bwd
               : a->alpha == 0     ? dnnl_eltwise_clip_v2_use_dst_for_bwd
                                   : dnnl_alg_kind_undef;
    case HOP_GELU:
        return dnnl_eltwise_gelu_erf;
    case HOP_SWISH:
        return dnnl_eltwise_swish;
    case HOP_SOFTPLUS:
        return dnnl_eltwise_soft_relu;
    default:
        return dnnl_alg_kind_undef;
    }
}

static float
act_alpha(const struct hop_activation *a)
{
    return a->act == HOP_ELU || a->act == HOP_LEAKY_RELU   ? (float)a->alpha
           : a->act == HOP_SWISH || a->act == HOP_SOFTPLUS ? 1.0f
                                                           : 0.0f;
}

static float
act_beta(const struct hop_activation *a)
{
    return a->act == HOP_LEAKY_RELU && isfinite(a->max_value) ? (float)a->max_value : 0.0f;
}

bool
hop_dn_has_eltwise(const struct hop_activation *act)
{
    return act_alg(act) != dnnl_alg_kind_undef;
}

bool
hop_dn_eltwise_reads_input(const struct hop_activation *act)
{
    return act->act == HOP_GELU || act->act == HOP_SWISH || act->act == HOP_SOFTPLUS;
}

static dnnl_status_t
new_attr(const struct hop_activation *act, dnnl_primitive_attr_t *out)
{
    dnnl_post_ops_t post = NULL;
    dnnl_alg_kind_t alg = dnnl_alg_kind_undef;
    dnnl_status_t status;

    if ((status = DN(primitive_attr_create)(out)) != dnnl_success)
        return status;
    status = DN(primitive_attr_set_scratchpad_mode)(*out, dnnl_scratchpad_mode_user);
    /* Forward they are one, and all primitives know this name. */
    alg = act && act->act == HOP_RELU ? dnnl_eltwise_relu : act ? act_alg(act) : alg;
    if (act && status == dnnl_success && (status = DN(post_ops_create)(&post)) == dnnl_success) {
        status = hop_dn_post_eltwise(post, alg, act_alpha(act), act_beta(act));
        if (status == dnnl_success)
            status = DN(primitive_attr_set_post_ops)(*out, post);
        DN(post_ops_destroy)(post);
    }
    if (status != dnnl_success)
        DN(primitive_attr_destroy)(*out);
    return status;
}

static int
keep_prim(struct hop_dn_set *s, dnnl_primitive_desc_t pd, struct hop_dn_prim **out,
          struct hop_err *e)
{
    struct hop_dn_prim *p = hop_alloc(1, sizeof *p, e);

    if (!p) {
        DN(primitive_desc_destroy)(pd);
        return HOP_ENOMEM;
    }
    p->pd = pd;
    p->next = s->prims;
    s->prims = p;
    *out = p;
    return HOP_OK;
}

/* Asking for a primitive: ask, one of hop_dn_pd_*, take. act: done in the same pass, or NULL. */
static int
ask(const struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_activation *act,
    const struct hop_dn_prim *fwd, struct hop_dn_ask *a, struct hop_err *e)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = new_attr(act, &attr);

    *a = (struct hop_dn_ask){s->g->engine, prop_kinds[pass], fwd ? fwd->pd : NULL, attr};
    return hop_dn_check(status, "activation behind it", e);
}

static int
take(struct hop_dn_set *s, struct hop_dn_ask *a, dnnl_status_t status, dnnl_primitive_desc_t pd,
     const char *what, struct hop_dn_prim **out, struct hop_err *e)
{
    *out = NULL;
    DN(primitive_attr_destroy)(a->attr);
    return status == dnnl_success ? keep_prim(s, pd, out, e) : hop_dn_check(status, what, e);
}

/* The arrays of a convolution or dense layer, until it is made. */
struct operands {
    void *src, *dst, *w, *b; /* b is NULL without bias */
};

static void
free_operands(struct operands *o)
{
    hop_dn_desc_free(o->src);
    hop_dn_desc_free(o->dst);
    hop_dn_desc_free(o->w);
    hop_dn_desc_free(o->b);
}

/* Weights in any layout: [G,K/G,C/G,kh,kw], or without the first axis where there is one group. */
static int
describe_kernel(void **d, const struct hop_dn_conv *c, dnnl_data_type_t type, struct hop_err *e)
{
    const struct hop_conv2d *k = c->conf;
    dnnl_dims_t dims = {k->groups, c->k / k->groups, c->c / k->groups, k->kh, k->kw};

    return k->groups > 1 ? hop_dn_describe(d, 5, dims, type, dnnl_format_tag_any, e)
                         : hop_dn_describe(d, 4, dims + 1, type, dnnl_format_tag_any, e);
}

static int
describe_conv(struct operands *o, const struct hop_dn_set *s, enum hop_dn_pass pass,
              const struct hop_dn_conv *c, dnnl_format_tag_t tag, struct hop_err *e)
{
    dnnl_dims_t src_dims = {c->n, c->c, c->h, c->w}, dst_dims = {c->n, c->k, c->p, c->q};
    int rc;

    if ((rc = hop_dn_describe(&o->src, 4, src_dims, s->type, tag, e)) ||
        (rc = hop_dn_describe(&o->dst, 4, dst_dims, s->type, tag, e)) ||
        (rc = describe_kernel(&o->w, c, pass == HOP_DN_BWD_WEIGHTS ? dnnl_f32 : s->type, e)))
        return rc;
    return c->conf->use_bias ? hop_dn_describe(&o->b, 1, &c->k, dnnl_f32, dnnl_x, e) : HOP_OK;
}

static int
conv_with_tag(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_conv *c,
              dnnl_format_tag_t tag, const struct hop_dn_prim *fwd,
              struct hop_dn_prim **out, struct hop_err *e)
{
    const struct hop_conv2d *k = c->conf;
    struct hop_dn_window window = {.strides = {k->stride_h, k->stride_w},
                                   .gaps = {k->dilation_h - 1, k->dilation_w - 1},
                                   .lo = {k->pad_top, k->pad_left},
                                   .hi = {k->pad_bottom, k->pad_right}};
    struct operands o = {NULL};
    struct hop_dn_ask a;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    int rc;

    if (!(rc = describe_conv(&o, s, pass, c, tag, e)) &&
        !(rc = ask(s, pass, c->act, fwd, &a, e))) {
        status = hop_dn_pd_conv(&a, o.src, o.w, o.b, o.dst, &window, &pd);
        rc = take(s, &a, status, pd, "convolution", out, e);
    }
    free_operands(&o);
    return rc;
}

static int
conv_in_type(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_conv *c,
             const struct hop_dn_prim *fwd, struct hop_dn_prim **out, struct hop_err *e)
{
    /* The library's own choice may be its plain loops where another layout has better ones. */
    static const dnnl_format_tag_t tags[] = {dnnl_format_tag_any, dnnl_nhwc, dnnl_nchw};
    struct hop_dn_prim *first = NULL;
    struct hop_err ignored = {0};

    for (size_t i = 0; i < HOP_LEN(tags); i++) {
        hop_err_clear(&ignored);
        if (conv_with_tag(s, pass, c, tags[i], fwd, out, &ignored))
            continue;
        if (!hop_dn_prim_is_slow(*out))
            return HOP_OK;
        if (!first)
            first = *out;
    }
    *out = first;
    return first ? HOP_OK
                 : hop_fail(e, ignored.code, ignored.where, ignored.hint, "%s", ignored.what);
}

int
hop_dn_conv(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_conv *c,
            const struct hop_dn_prim *fwd, struct hop_dn_prim **out, struct hop_err *e)
{
    dnnl_data_type_t type = s->type;
    struct hop_err ignored = {0};
    int rc;

    if (type == dnnl_f32)
        return conv_in_type(s, pass, c, fwd, out, e);
    if (!conv_in_type(s, pass, c, fwd, out, &ignored) && !hop_dn_prim_is_slow(*out))
        return HOP_OK;
    s->type = dnnl_f32; /* what bfloat16 has no fast code for */
    rc = conv_in_type(s, pass, c, fwd, out, e);
    s->type = type;
    return rc;
}

static int
describe_dense(struct operands *o, const struct hop_dn_set *s, enum hop_dn_pass pass,
               const struct hop_dn_dense *c, struct hop_err *e)
{
    dnnl_dims_t src_dims = {c->n, c->d}, dst_dims = {c->n, c->units}, w_dims = {c->units, c->d};
    bool is_forward = pass == HOP_DN_INFER || pass == HOP_DN_TRAIN;
    dnnl_data_type_t dst_type = is_forward && c->is_f32 ? dnnl_f32 : s->type;
    dnnl_data_type_t w_type = pass == HOP_DN_BWD_WEIGHTS ? dnnl_f32 : s->type;
    int rc;

    if ((rc = hop_dn_describe(&o->src, 2, src_dims, s->type, dnnl_nc, e)) ||
        (rc = hop_dn_describe(&o->dst, 2, dst_dims, dst_type, dnnl_nc, e)) ||
        (rc = hop_dn_describe(&o->w, 2, w_dims, w_type, dnnl_format_tag_any, e)))
        return rc;
    return c->has_bias ? hop_dn_describe(&o->b, 1, &c->units, dnnl_f32, dnnl_x, e) : HOP_OK;
}

int
hop_dn_dense(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_dense *c,
             const struct hop_dn_prim *fwd, struct hop_dn_prim **out, struct hop_err *e)
{
    struct operands o = {NULL};
    struct hop_dn_ask a;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    int rc;

    if (!(rc = describe_dense(&o, s, pass, c, e)) && !(rc = ask(s, pass, c->act, fwd, &a, e))) {
        status = hop_dn_pd_dense(&a, o.src, o.w, o.b, o.dst, &pd);
        rc = take(s, &a, status, pd, "inner product", out, e);
    }
    free_operands(&o);
    return rc;
}

int
hop_dn_pool(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_pool *c,
            const struct hop_dn_md *src, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
            struct hop_err *e)
{
    const struct hop_pool2d *k = &c->conf;
    struct hop_dn_window window = {.size = {k->kh, k->kw},
                                   .strides = {k->stride_h, k->stride_w},
                                   .lo = {k->pad_top, k->pad_left},
                                   .hi = {k->pad_bottom, k->pad_right}};
    dnnl_dims_t dst_dims = {c->n, c->c, c->p, c->q};
    dnnl_alg_kind_t alg = c->is_max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
    struct hop_dn_ask a;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    void *dst;
    int rc;

    if (pass == HOP_DN_BWD_DATA)
        rc = hop_dn_check(
            hop_dn_desc_copy(&dst, DN(primitive_desc_query_md)(fwd->pd, dnnl_query_dst_md, 0)),
            "pooling", e);
    else
        rc = hop_dn_describe(&dst, 4, dst_dims, src->l.type, dnnl_format_tag_any, e);
    if (rc)
        return rc;
    if (!(rc = ask(s, pass, NULL, fwd, &a, e))) {
        status = hop_dn_pd_pool(&a, alg, src->d, dst, &window, &pd);
        rc = take(s, &a, status, pd, "pooling", out, e);
    }
    hop_dn_desc_free(dst);
    return rc;
}

static unsigned
norm_flags(const struct hop_dn_norm *c)
{
    return (c->has_scale ? dnnl_use_scale : 0u) | (c->has_shift ? dnnl_use_shift : 0u);
}

/* Backward with the gradients of scale and shift, where there are any. */
static dnnl_prop_kind_t
norm_prop(enum hop_dn_pass pass, const struct hop_dn_norm *c)
{
    return pass == HOP_DN_BWD_DATA && (c->has_scale || c->has_shift) ? dnnl_backward
                                                                     : prop_kinds[pass];
}

int
hop_dn_bnorm(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_norm *c,
             const struct hop_dn_md *src, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
             struct hop_err *e)
{
    unsigned flags = norm_flags(c) | (c->has_relu ? dnnl_fuse_norm_relu : 0u) |
                     (c->is_frozen || pass == HOP_DN_INFER ? dnnl_use_global_stats : 0u);
    struct hop_dn_ask a;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    int rc = ask(s, pass, NULL, fwd, &a, e);

    if (rc)
        return rc;
    a.prop = norm_prop(pass, c);
    status = hop_dn_pd_bnorm(&a, src->d, c->epsilon, flags, &pd);
    return take(s, &a, status, pd, "batch normalization", out, e);
}

int
hop_dn_lnorm(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_norm *c,
             const struct hop_dn_md *src, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
             struct hop_err *e)
{
    struct hop_dn_ask a;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    void *stat;
    int rc;

    if ((rc = hop_dn_describe(&stat, 1, src->l.dims, dnnl_f32, dnnl_x, e)))
        return rc;
    if (!(rc = ask(s, pass, NULL, fwd, &a, e))) {
        a.prop = norm_prop(pass, c);
        status = hop_dn_pd_lnorm(&a, src->d, stat, c->epsilon, norm_flags(c), &pd);
        rc = take(s, &a, status, pd, "layer normalization", out, e);
    }
    hop_dn_desc_free(stat);
    return rc;
}

int
hop_dn_eltwise(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_activation *act,
               const struct hop_dn_md *md, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
               struct hop_err *e)
{
    struct hop_dn_ask a;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    int rc = ask(s, pass, NULL, fwd, &a, e);

    if (rc)
        return rc;
    status = hop_dn_pd_eltwise(&a, act_alg(act), md->d, act_alpha(act), act_beta(act), &pd);
    return take(s, &a, status, pd, "activation", out, e);
}

int
hop_dn_reorder(struct hop_dn_set *s, const struct hop_dn_md *from, const struct hop_dn_md *to,
               struct hop_dn_prim **out, struct hop_err *e)
{
    struct hop_dn_ask a;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    int rc = ask(s, HOP_DN_INFER, NULL, NULL, &a, e);

    if (rc)
        return rc;
    status =
        DN(reorder_primitive_desc_create)(&pd, from->d, s->g->engine, to->d, s->g->engine, a.attr);
    return take(s, &a, status, pd, "reorder", out, e);
}

/* The library's descriptor of an argument; NULL if the primitive has none of that kind. */
static const void *
query_arg(const struct hop_dn_prim *p, enum hop_dn_arg arg)
{
    const void *d = DN(primitive_desc_query_md)(p->pd, dnnl_query_exec_arg_md, arg_ids[arg]);
    struct hop_dn_layout l;

    hop_dn_desc_layout(d, &l);
    return l.n_dims ? d : NULL;
}

const struct hop_dn_md *
hop_dn_prim_md(struct hop_dn_set *s, const struct hop_dn_prim *p, enum hop_dn_arg arg,
               struct hop_err *e)
{
    const void *d = query_arg(p, arg);

    return d ? hop_dn_md_keep_copy(s, d, e) : NULL;
}

const char *
hop_dn_prim_impl(const struct hop_dn_prim *p)
{
    const char *text = NULL;

    if (DN(primitive_desc_query)(p->pd, dnnl_query_impl_info_str, 0, &text) != dnnl_success)
        return "";
    return text ? text : "";
}

bool
hop_dn_prim_is_slow(const struct hop_dn_prim *p)
{
    return strncmp(hop_dn_prim_impl(p), "ref", 3) == 0;
}

/* ---- 4 execution ---- */

static int
add_arg(struct hop_dn_set *s, struct hop_dn_exec *x, int id, const void *d, void *p,
        struct hop_err *e)
{
    dnnl_memory_t m;
    int rc = hop_dn_check(DN(memory_create)(&m, d, s->g->engine, p), "argument", e);

    if (!rc)
        x->args[x->n++] = (dnnl_exec_arg_t){id, m};
    return rc;
}

/* Backward normalizations have no use for the shift, but some do not run without it (all of 2.6,
 * the layer normalization of 3.7), others not with it: how many inputs they want tells which. */
static bool
wants_shift(const struct hop_dn_prim *p, const struct hop_dn_bind *b, int n)
{
    static const bool is_input[HOP_DN_N_ARGS] = {
        [HOP_DN_SRC] = true,     [HOP_DN_MEAN] = true,  [HOP_DN_VARIANCE] = true,
        [HOP_DN_SCALE] = true,   [HOP_DN_SHIFT] = true, [HOP_DN_WORKSPACE] = true,
        [HOP_DN_DIFF_DST] = true};
    bool is_backward = false;
    int n_inputs = 0;

    for (int i = 0; i < n; i++) {
        is_backward = is_backward || b[i].arg == HOP_DN_DIFF_DST;
        n_inputs += b[i].p && is_input[b[i].arg];
    }
    return !is_backward ||
           n_inputs <= DN(primitive_desc_query_s32)(p->pd, dnnl_query_num_of_inputs_s32, 0);
}

int
hop_dn_exec_new(struct hop_dn_set *s, const struct hop_dn_prim *p, const struct hop_dn_bind *b,
                int n, struct hop_dn_exec **out, struct hop_err *e)
{
    struct hop_dn_exec *x = hop_alloc(1, sizeof *x, e);
    const void *scratch = DN(primitive_desc_query_md)(p->pd, dnnl_query_scratchpad_md, 0);
    size_t bytes = DN(memory_desc_get_size)(scratch);
    int rc;

    *out = NULL;
    if (!x)
        return HOP_ENOMEM;
    x->next = s->execs;
    s->execs = x;
    x->stream = s->g->stream;
    x->i_scratch = -1;
    if ((rc = hop_dn_check(DN(primitive_create)(&x->code, p->pd), "primitive", e)))
        return rc;
    for (int i = 0; i < n; i++) {
        if (b[i].p && (b[i].arg != HOP_DN_SHIFT || wants_shift(p, b, n)) &&
            (rc = add_arg(s, x, arg_ids[b[i].arg], b[i].md->d, b[i].p, e)))
            return rc;
    }
    if (bytes > s->scratch_bytes)
        s->scratch_bytes = bytes;
    if (bytes > 0) {
        x->i_scratch = x->n;
        if ((rc = add_arg(s, x, DNNL_ARG_SCRATCHPAD, scratch, DNNL_MEMORY_NONE, e)))
            return rc;
    }
    *out = x;
    return HOP_OK;
}

size_t
hop_dn_set_scratch_bytes(const struct hop_dn_set *s)
{
    return s->scratch_bytes;
}

int
hop_dn_set_scratch(struct hop_dn_set *s, void *p, struct hop_err *e)
{
    int rc = HOP_OK;

    for (struct hop_dn_exec *x = s->execs; x && !rc; x = x->next) {
        if (x->i_scratch >= 0)
            rc = hop_dn_check(DN(memory_set_data_handle)(x->args[x->i_scratch].memory, p),
                              "scratch", e);
    }
    return rc;
}

int
hop_dn_exec_run(const struct hop_dn_exec *x, struct hop_err *e)
{
    return hop_dn_check(DN(primitive_execute)(x->code, x->stream, x->n, x->args), "execution", e);
}

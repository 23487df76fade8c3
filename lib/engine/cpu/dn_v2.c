/* The calls of oneDNN 2: operation descriptors, one per primitive, are this file's business alone,
 * so that version 3, which has none, can be served by a second file.
 * Source: oneDNN 2.6 developer guide, https://oneapi-src.github.io/oneDNN/v2.6/.
 *
 * 1 library  2 owners  3 layouts  4 primitives  5 execution
 */
#include "engine/cpu/dn.h"

#include <math.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct hop_dn_engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

struct hop_dn_md {
    dnnl_memory_desc_t d;
    struct hop_dn_md *next;
};

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

struct hop_dn_set {
    struct hop_dn_engine *g;
    dnnl_data_type_t type; /* f32 or bf16 */
    struct hop_dn_md *mds;
    struct hop_dn_prim *prims;
    struct hop_dn_exec *execs;
    size_t scratch_bytes;
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
    /* From the newest to the oldest: an instruction set holds all bits of those it contains. */
    static const struct {
        unsigned bits;
        const char *name;
    } isas[] = {
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
        {dnnl_cpu_isa_avx512_core, "avx512_core"},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
        {dnnl_cpu_isa_avx2, "avx2"},
        {dnnl_cpu_isa_avx, "avx"},
        {dnnl_cpu_isa_sse41, "sse41"},
    };
    static _Thread_local char name[64];
    const dnnl_version_t *v = dnnl_version();
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    const char *isa_name = "generic";

    for (size_t i = 0; i < HOP_LEN(isas); i++) {
        if ((isa & isas[i].bits) == isas[i].bits) {
            isa_name = isas[i].name;
            break;
        }
    }
    snprintf(name, sizeof name, "onednn-%d.%d.%d %s", v->major, v->minor, v->patch, isa_name);
    return name;
}

bool
hop_dn_has_bf16(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();

    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

void
hop_dn_threads(int n_threads)
{
    omp_set_num_threads(n_threads);
}

static int
check(dnnl_status_t status, const char *what, struct hop_err *e)
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
    if (dnnl_engine_create(&g->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&g->stream, g->engine, dnnl_stream_default_flags) != dnnl_success) {
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
        dnnl_stream_destroy(g->stream);
    if (g->engine)
        dnnl_engine_destroy(g->engine);
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
            dnnl_memory_destroy(x->args[i].memory);
        if (x->code)
            dnnl_primitive_destroy(x->code);
        free(x);
    }
    for (struct hop_dn_prim *p = s->prims, *next; p; p = next) {
        next = p->next;
        dnnl_primitive_desc_destroy(p->pd);
        free(p);
    }
    for (struct hop_dn_md *m = s->mds, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    free(s);
}

/* ---- 3 layouts ---- */

static const struct hop_dn_md *
keep_md(struct hop_dn_set *s, const dnnl_memory_desc_t *d, struct hop_err *e)
{
    struct hop_dn_md *m = hop_alloc(1, sizeof *m, e);

    if (!m)
        return NULL;
    m->d = *d;
    m->next = s->mds;
    s->mds = m;
    return m;
}

static int
describe(dnnl_memory_desc_t *d, int n_dims, const int64_t *dims, dnnl_data_type_t type,
         dnnl_format_tag_t tag, struct hop_err *e)
{
    dnnl_dims_t all = {0};

    memcpy(all, dims, (size_t)n_dims * sizeof *dims);
    return check(dnnl_memory_desc_init_by_tag(d, n_dims, all, type, tag), "array", e);
}

const struct hop_dn_md *
hop_dn_md_new(struct hop_dn_set *s, int n_dims, const int64_t *dims, enum hop_dn_tag tag,
              struct hop_err *e)
{
    static const dnnl_format_tag_t tags[] = {
        [HOP_DN_NCHW] = dnnl_nchw,
        [HOP_DN_NHWC] = dnnl_nhwc,
        [HOP_DN_NC] = dnnl_nc,
        [HOP_DN_X] = dnnl_x,
    };
    dnnl_memory_desc_t d;

    return describe(&d, n_dims, dims, dnnl_f32, tags[tag], e) ? NULL : keep_md(s, &d, e);
}

const struct hop_dn_md *
hop_dn_md_copy(struct hop_dn_set *s, const struct hop_dn_md *md, struct hop_err *e)
{
    return keep_md(s, &md->d, e);
}

const struct hop_dn_md *
hop_dn_md_typed(struct hop_dn_set *s, const struct hop_dn_md *md, bool is_bf16, struct hop_err *e)
{
    dnnl_memory_desc_t d = md->d;

    d.data_type = is_bf16 ? dnnl_bf16 : dnnl_f32;
    return d.data_type == md->d.data_type ? md : keep_md(s, &d, e);
}

bool
hop_dn_md_is_bf16(const struct hop_dn_md *md)
{
    return md->d.data_type == dnnl_bf16;
}

bool
hop_dn_md_equal(const struct hop_dn_md *a, const struct hop_dn_md *b)
{
    return dnnl_memory_desc_equal(&a->d, &b->d);
}

size_t
hop_dn_md_bytes(const struct hop_dn_md *md)
{
    return dnnl_memory_desc_get_size(&md->d);
}

int64_t
hop_dn_md_block(const struct hop_dn_md *md)
{
    const dnnl_memory_desc_t *d = &md->d;
    const dnnl_blocking_desc_t *k = &d->format_desc.blocking;
    int64_t b, c = d->dims[1], padded = d->padded_dims[1];
    int64_t h = d->ndims == 4 ? d->dims[2] : 1, w = d->ndims == 4 ? d->dims[3] : 1;
    int64_t try[2], stride_c;

    if (d->format_kind != dnnl_blocked || (d->ndims != 2 && d->ndims != 4) || d->offset0 ||
        d->padded_dims[0] != d->dims[0] || k->inner_nblks > 1 ||
        (k->inner_nblks == 1 && k->inner_idxs[0] != 1) || (k->inner_nblks == 0 && padded != c))
        return 0;
    try[0] = try[1] = k->inner_nblks == 1 ? k->inner_blks[0] : c;
    if (k->inner_nblks == 0)
        try[1] = 1;
    for (int i = 0; i < 2; i++) {
        b = try[i];
        stride_c = k->inner_nblks == 0 && b == c ? 1 : h * w * b;
        if ((d->dims[0] == 1 || k->strides[0] == padded * h * w) &&
            (padded == b ? k->inner_nblks == 1 || c == 1 || k->strides[1] == 1
                         : k->strides[1] == stride_c) &&
            (h == 1 || k->strides[2] == w * b) && (w == 1 || k->strides[3] == b))
            return b;
    }
    return 0;
}

const struct hop_dn_md *
hop_dn_md_like(struct hop_dn_set *s, const struct hop_dn_md *md, const int64_t dims[4],
               struct hop_err *e)
{
    int64_t b = hop_dn_md_block(md);
    dnnl_format_tag_t tag = md->d.format_desc.blocking.inner_nblks ? dnnl_format_tag_undef
                            : b == md->d.dims[1]                   ? dnnl_nhwc
                                                                   : dnnl_nchw;
    dnnl_memory_desc_t d;

    if (tag == dnnl_format_tag_undef)
        tag = b == 16 ? dnnl_nChw16c : b == 8 ? dnnl_nChw8c : dnnl_nChw4c;
    return describe(&d, 4, dims, md->d.data_type, tag, e) ? NULL : keep_md(s, &d, e);
}

int
hop_dn_md_dims(const struct hop_dn_md *md, int64_t dims[6])
{
    for (int i = 0; i < md->d.ndims && i < 6; i++)
        dims[i] = md->d.dims[i];
    return md->d.ndims;
}

bool
hop_dn_md_axis_at(const struct hop_dn_md *md, int axis, int64_t i, int64_t *out)
{
    const dnnl_blocking_desc_t *k = &md->d.format_desc.blocking;
    int64_t rest = i, stride = 1, offset = 0;

    if (md->d.format_kind != dnnl_blocked || md->d.extra.flags || md->d.offset0)
        return false;
    for (int b = k->inner_nblks - 1; b >= 0; b--) { /* innermost block first */
        if (k->inner_idxs[b] == axis) {
            offset += rest % k->inner_blks[b] * stride;
            rest /= k->inner_blks[b];
        }
        stride *= k->inner_blks[b];
    }
    *out = offset + rest * k->strides[axis];
    return true;
}

bool
hop_dn_md_axis(const struct hop_dn_md *md, int axis, int64_t *out)
{
    bool is_known = true;

    for (int64_t i = 0; i < md->d.dims[axis] && is_known; i++)
        is_known = hop_dn_md_axis_at(md, axis, i, &out[i]);
    return is_known;
}

/* ---- 4 primitives ---- */

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
    return a->act == HOP_ELU || a->act == HOP_LEAKY_RELU ? (float)a->alpha
           : a->act == HOP_SWISH                         ? 1.0f
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

static dnnl_primitive_attr_t
new_attr(const struct hop_activation *act)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_alg_kind_t alg = dnnl_alg_kind_undef;

    if (dnnl_primitive_attr_create(&attr) != dnnl_success)
        return NULL;
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    /* Forward they are one, but Winograd knows ReLU by this name only. */
    alg = act && act->act == HOP_RELU ? dnnl_eltwise_relu : act ? act_alg(act) : alg;
    if (act && dnnl_post_ops_create(&post) == dnnl_success) {
        if (dnnl_post_ops_append_eltwise(post, 1.0f, alg, act_alpha(act), act_beta(act)) !=
                dnnl_success ||
            dnnl_primitive_attr_set_post_ops(attr, post) != dnnl_success) {
            dnnl_primitive_attr_destroy(attr);
            attr = NULL;
        }
        dnnl_post_ops_destroy(post);
    }
    return attr;
}

static int
keep_prim(struct hop_dn_set *s, dnnl_primitive_desc_t pd, struct hop_dn_prim **out,
          struct hop_err *e)
{
    struct hop_dn_prim *p = hop_alloc(1, sizeof *p, e);
    size_t bytes =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));

    if (!p) {
        dnnl_primitive_desc_destroy(pd);
        return HOP_ENOMEM;
    }
    p->pd = pd;
    p->next = s->prims;
    s->prims = p;
    if (bytes > s->scratch_bytes)
        s->scratch_bytes = bytes;
    *out = p;
    return HOP_OK;
}

static int
new_prim(struct hop_dn_set *s, const_dnnl_op_desc_t op, const struct hop_activation *act,
         const struct hop_dn_prim *fwd, const char *what, struct hop_dn_prim **out,
         struct hop_err *e)
{
    dnnl_primitive_attr_t attr = new_attr(act);
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = dnnl_unimplemented;

    *out = NULL;
    if (attr) {
        status = dnnl_primitive_desc_create(&pd, op, attr, s->g->engine, fwd ? fwd->pd : NULL);
        dnnl_primitive_attr_destroy(attr);
    }
    return status == dnnl_success ? keep_prim(s, pd, out, e) : check(status, what, e);
}

/* Weights in any layout: [G,K/G,C/G,kh,kw], or without the first axis where there is one group. */
static int
describe_kernel(dnnl_memory_desc_t *d, const struct hop_dn_conv *c, dnnl_data_type_t type,
                dnnl_alg_kind_t alg, struct hop_err *e)
{
    const struct hop_conv2d *k = c->conf;
    dnnl_dims_t dims = {k->groups, c->k / k->groups, c->c / k->groups, k->kh, k->kw};

    if (alg == dnnl_convolution_winograd) /* "any" may be a layout that no copy can read */
        return describe(d, 4, dims + 1, type, dnnl_OIhw16i16o, e);
    return k->groups > 1 ? describe(d, 5, dims, type, dnnl_format_tag_any, e)
                         : describe(d, 4, dims + 1, type, dnnl_format_tag_any, e);
}

static int
conv_with_tag(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_conv *c,
              dnnl_alg_kind_t alg, dnnl_format_tag_t tag, const struct hop_dn_prim *fwd,
              struct hop_dn_prim **out, struct hop_err *e)
{
    const struct hop_conv2d *k = c->conf;
    dnnl_dims_t src_dims = {c->n, c->c, c->h, c->w}, dst_dims = {c->n, c->k, c->p, c->q};
    dnnl_dims_t strides = {k->stride_h, k->stride_w}, lo = {k->pad_top, k->pad_left};
    dnnl_dims_t hi = {k->pad_bottom, k->pad_right};
    dnnl_dims_t gaps = {k->dilation_h - 1, k->dilation_w - 1};
    dnnl_memory_desc_t src, dst, w, b, *bias = k->use_bias ? &b : NULL;
    dnnl_convolution_desc_t op;
    dnnl_status_t status;
    int rc;

    if ((rc = describe(&src, 4, src_dims, s->type, tag, e)) ||
        (rc = describe(&dst, 4, dst_dims, s->type, tag, e)) ||
        (rc = describe_kernel(&w, c, pass == HOP_DN_BWD_WEIGHTS ? dnnl_f32 : s->type, alg, e)) ||
        (rc = describe(&b, 1, &c->k, dnnl_f32, dnnl_x, e)))
        return rc;
    if (pass == HOP_DN_BWD_DATA)
        status = dnnl_dilated_convolution_backward_data_desc_init(&op, alg, &src, &w, &dst, strides,
                                                                  gaps, lo, hi);
    else if (pass == HOP_DN_BWD_WEIGHTS)
        status = dnnl_dilated_convolution_backward_weights_desc_init(&op, alg, &src, &w, bias, &dst,
                                                                     strides, gaps, lo, hi);
    else
        status = dnnl_dilated_convolution_forward_desc_init(&op, prop_kinds[pass], alg, &src, &w,
                                                            bias, &dst, strides, gaps, lo, hi);
    if ((rc = check(status, "convolution", e)))
        return rc;
    return new_prim(s, &op, c->act, fwd, "convolution", out, e);
}

/* Winograd, F(4x4,3x3): 1.4 to 2.2 times as fast as direct on AVX-512 with many channels, and
 * float32 still (errors of 1e-6 against 2e-7). Source: Lavin and Gray, arXiv:1509.09308. oneDNN 3.2
 * dropped it; direct convolutions are what is left there.
 * Not for the gradient of weights over few examples: what is 0 in each of the sums comes out as
 * rounding noise, of which RMSprop and Adam make whole steps while nothing greater drowns it.
 * Inference takes the training kind, whose weights lie in a layout that can be copied. */
static bool
wants_winograd(const struct hop_dn_set *s, const struct hop_dn_conv *c, enum hop_dn_pass pass)
{
    const struct hop_conv2d *k = c->conf;
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();

    return s->type == dnnl_f32 && (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core &&
           k->groups == 1 && k->kh == 3 && k->kw == 3 && k->stride_h == 1 && k->stride_w == 1 && k->dilation_h == 1 &&
           k->dilation_w == 1 && c->c >= 32 && c->k >= 32 &&
           (pass != HOP_DN_BWD_WEIGHTS || c->n >= 16);
}

static int
conv_in_type(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_conv *c,
             const struct hop_dn_prim *fwd, struct hop_dn_prim **out, struct hop_err *e)
{
    /* The library's own choice may be its plain loops where another layout has better ones. */
    static const dnnl_format_tag_t tags[] = {dnnl_format_tag_any, dnnl_nhwc, dnnl_nchw};
    struct hop_dn_prim *first = NULL;
    struct hop_dn_conv plain = *c;
    struct hop_err ignored = {0};

    plain.act =
        c->act && c->act->act == HOP_RELU ? c->act : NULL; /* the only one it does as well */
    if (wants_winograd(s, c, pass) &&
        !conv_with_tag(s, pass == HOP_DN_INFER ? HOP_DN_TRAIN : pass, &plain,
                       dnnl_convolution_winograd, tags[0], fwd, out, &ignored) &&
        !hop_dn_prim_is_slow(*out))
        return plain.act == c->act ? HOP_OK
                                   : hop_fail(e, HOP_EFORMAT, "device cpu", NULL,
                                              "faster with the activation apart");
    for (size_t i = 0; i < HOP_LEN(tags); i++) {
        hop_err_clear(&ignored);
        if (conv_with_tag(s, pass, c, dnnl_convolution_direct, tags[i], fwd, out, &ignored))
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

int
hop_dn_dense(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_dense *c,
             const struct hop_dn_prim *fwd, struct hop_dn_prim **out, struct hop_err *e)
{
    dnnl_dims_t src_dims = {c->n, c->d}, dst_dims = {c->n, c->units};
    dnnl_dims_t w_dims = {c->units, c->d};
    dnnl_memory_desc_t src, dst, w, b, *bias = c->has_bias ? &b : NULL;
    bool is_forward = pass == HOP_DN_INFER || pass == HOP_DN_TRAIN;
    dnnl_inner_product_desc_t op;
    dnnl_status_t status;
    int rc;

    if ((rc = describe(&src, 2, src_dims, s->type, dnnl_nc, e)) ||
        (rc = describe(&dst, 2, dst_dims, is_forward && c->is_f32 ? dnnl_f32 : s->type, dnnl_nc,
                       e)) ||
        (rc = describe(&w, 2, w_dims, pass == HOP_DN_BWD_WEIGHTS ? dnnl_f32 : s->type,
                       dnnl_format_tag_any, e)) ||
        (rc = describe(&b, 1, &c->units, dnnl_f32, dnnl_x, e)))
        return rc;
    if (pass == HOP_DN_BWD_DATA)
        status = dnnl_inner_product_backward_data_desc_init(&op, &src, &w, &dst);
    else if (pass == HOP_DN_BWD_WEIGHTS)
        status = dnnl_inner_product_backward_weights_desc_init(&op, &src, &w, bias, &dst);
    else
        status = dnnl_inner_product_forward_desc_init(&op, prop_kinds[pass], &src, &w, bias, &dst);
    if ((rc = check(status, "inner product", e)))
        return rc;
    return new_prim(s, &op, c->act, fwd, "inner product", out, e);
}

int
hop_dn_pool(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_pool *c,
            const struct hop_dn_md *src, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
            struct hop_err *e)
{
    const struct hop_pool2d *k = &c->conf;
    dnnl_dims_t dst_dims = {c->n, c->c, c->p, c->q}, window = {k->kh, k->kw};
    dnnl_dims_t strides = {k->stride_h, k->stride_w}, lo = {k->pad_top, k->pad_left};
    dnnl_dims_t hi = {k->pad_bottom, k->pad_right};
    dnnl_alg_kind_t alg = c->is_max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
    dnnl_memory_desc_t dst;
    dnnl_pooling_desc_t op;
    dnnl_status_t status;
    int rc;

    if (pass == HOP_DN_BWD_DATA) {
        dst = *dnnl_primitive_desc_query_md(fwd->pd, dnnl_query_dst_md, 0);
        status = dnnl_pooling_backward_desc_init(&op, alg, &src->d, &dst, strides, window, lo, hi);
    } else {
        if ((rc = describe(&dst, 4, dst_dims, src->d.data_type, dnnl_format_tag_any, e)))
            return rc;
        status = dnnl_pooling_forward_desc_init(&op, prop_kinds[pass], alg, &src->d, &dst, strides,
                                                window, lo, hi);
    }
    if ((rc = check(status, "pooling", e)))
        return rc;
    return new_prim(s, &op, NULL, fwd, "pooling", out, e);
}

static unsigned
norm_flags(const struct hop_dn_norm *c)
{
    return (c->has_scale ? dnnl_use_scale : 0u) | (c->has_shift ? dnnl_use_shift : 0u);
}

int
hop_dn_bnorm(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_norm *c,
             const struct hop_dn_md *src, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
             struct hop_err *e)
{
    unsigned flags = norm_flags(c) | (c->has_relu ? dnnl_fuse_norm_relu : 0u) |
                     (c->is_frozen || pass == HOP_DN_INFER ? dnnl_use_global_stats : 0u);
    dnnl_batch_normalization_desc_t op;
    dnnl_status_t status;
    int rc;

    if (pass == HOP_DN_BWD_DATA)
        status = dnnl_batch_normalization_backward_desc_init(
            &op, c->has_scale || c->has_shift ? dnnl_backward : dnnl_backward_data, &src->d,
            &src->d, c->epsilon, flags);
    else
        status = dnnl_batch_normalization_forward_desc_init(&op, prop_kinds[pass], &src->d,
                                                            c->epsilon, flags);
    if ((rc = check(status, "batch normalization", e)))
        return rc;
    return new_prim(s, &op, NULL, fwd, "batch normalization", out, e);
}

int
hop_dn_lnorm(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_norm *c,
             const struct hop_dn_md *src, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
             struct hop_err *e)
{
    dnnl_layer_normalization_desc_t op;
    dnnl_memory_desc_t stat;
    dnnl_status_t status;
    int rc;

    if ((rc = describe(&stat, 1, src->d.dims, dnnl_f32, dnnl_x, e)))
        return rc;
    if (pass == HOP_DN_BWD_DATA)
        status = dnnl_layer_normalization_backward_desc_init(
            &op, c->has_scale || c->has_shift ? dnnl_backward : dnnl_backward_data, &src->d,
            &src->d, &stat, c->epsilon, norm_flags(c));
    else
        status = dnnl_layer_normalization_forward_desc_init(&op, prop_kinds[pass], &src->d, &stat,
                                                            c->epsilon, norm_flags(c));
    if ((rc = check(status, "layer normalization", e)))
        return rc;
    return new_prim(s, &op, NULL, fwd, "layer normalization", out, e);
}

int
hop_dn_eltwise(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_activation *act,
               const struct hop_dn_md *md, const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
               struct hop_err *e)
{
    dnnl_eltwise_desc_t op;
    dnnl_status_t status;
    int rc;

    if (pass == HOP_DN_BWD_DATA)
        status = dnnl_eltwise_backward_desc_init(&op, act_alg(act), &md->d, &md->d, act_alpha(act),
                                                 act_beta(act));
    else
        status = dnnl_eltwise_forward_desc_init(&op, prop_kinds[pass], act_alg(act), &md->d,
                                                act_alpha(act), act_beta(act));
    if ((rc = check(status, "activation", e)))
        return rc;
    return new_prim(s, &op, NULL, fwd, "activation", out, e);
}

int
hop_dn_reorder(struct hop_dn_set *s, const struct hop_dn_md *from, const struct hop_dn_md *to,
               struct hop_dn_prim **out, struct hop_err *e)
{
    dnnl_primitive_attr_t attr = new_attr(NULL);
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = dnnl_out_of_memory;

    *out = NULL;
    if (attr) {
        status = dnnl_reorder_primitive_desc_create(&pd, &from->d, s->g->engine, &to->d,
                                                    s->g->engine, attr);
        dnnl_primitive_attr_destroy(attr);
    }
    return status == dnnl_success ? keep_prim(s, pd, out, e) : check(status, "reorder", e);
}

const struct hop_dn_md *
hop_dn_prim_md(struct hop_dn_set *s, const struct hop_dn_prim *p, enum hop_dn_arg arg,
               struct hop_err *e)
{
    const dnnl_memory_desc_t *d =
        dnnl_primitive_desc_query_md(p->pd, dnnl_query_exec_arg_md, arg_ids[arg]);

    return d && d->ndims ? keep_md(s, d, e) : NULL;
}

const char *
hop_dn_prim_impl(const struct hop_dn_prim *p)
{
    const char *text = NULL;

    if (dnnl_primitive_desc_query(p->pd, dnnl_query_impl_info_str, 0, &text) != dnnl_success)
        return "";
    return text ? text : "";
}

bool
hop_dn_prim_is_slow(const struct hop_dn_prim *p)
{
    return strncmp(hop_dn_prim_impl(p), "ref", 3) == 0;
}

/* ---- 5 execution ---- */

static int
add_arg(struct hop_dn_set *s, struct hop_dn_exec *x, int id, const dnnl_memory_desc_t *d, void *p,
        struct hop_err *e)
{
    dnnl_memory_t m;
    int rc = check(dnnl_memory_create(&m, d, s->g->engine, p), "argument", e);

    if (!rc)
        x->args[x->n++] = (dnnl_exec_arg_t){id, m};
    return rc;
}

int
hop_dn_exec_new(struct hop_dn_set *s, const struct hop_dn_prim *p, const struct hop_dn_bind *b,
                int n, struct hop_dn_exec **out, struct hop_err *e)
{
    struct hop_dn_exec *x = hop_alloc(1, sizeof *x, e);
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(p->pd, dnnl_query_scratchpad_md, 0);
    int rc;

    *out = NULL;
    if (!x)
        return HOP_ENOMEM;
    x->next = s->execs;
    s->execs = x;
    x->stream = s->g->stream;
    x->i_scratch = -1;
    if ((rc = check(dnnl_primitive_create(&x->code, p->pd), "primitive", e)))
        return rc;
    for (int i = 0; i < n; i++) {
        if (b[i].p && (rc = add_arg(s, x, arg_ids[b[i].arg], &b[i].md->d, b[i].p, e)))
            return rc;
    }
    if (dnnl_memory_desc_get_size(scratch) > 0) {
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
            rc = check(dnnl_memory_set_data_handle(x->args[x->i_scratch].memory, p), "scratch", e);
    }
    return rc;
}

int
hop_dn_exec_run(const struct hop_dn_exec *x, struct hop_err *e)
{
    return check(dnnl_primitive_execute(x->code, x->stream, x->n, x->args), "execution", e);
}

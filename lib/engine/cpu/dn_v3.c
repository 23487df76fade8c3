/* The calls of oneDNN 3 that version 2 has not: descriptors are handles, and every primitive has a
 * call of its own.
 * Source: oneDNN 3.7 developer guide, https://uxlfoundation.github.io/oneDNN/v3.7/. */
#include "engine/cpu/dn_own.h"

#include <string.h>

/* What 3.0 knows; on newer sets of instructions the newest of these is named. */
const struct hop_dn_isa hop_dn_isas[] = {
    {dnnl_cpu_isa_avx512_core_amx_fp16, "avx512_core_amx_fp16"},
    {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
    {dnnl_cpu_isa_avx512_core_fp16, "avx512_core_fp16"},
    {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
    {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
    {dnnl_cpu_isa_avx512_core, "avx512_core"},
    {dnnl_cpu_isa_avx2_vnni_2, "avx2_vnni_2"},
    {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
    {dnnl_cpu_isa_avx2, "avx2"},
    {dnnl_cpu_isa_avx, "avx"},
    {dnnl_cpu_isa_sse41, "sse41"},
    {0, NULL},
};

/* ---- descriptors ---- */

dnnl_status_t
hop_dn_desc_new(void **out, int n_dims, const dnnl_dims_t dims, dnnl_data_type_t type,
                dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t d = NULL;
    dnnl_status_t status = DN(memory_desc_create_with_tag)(&d, n_dims, dims, type, tag);

    *out = d;
    return status;
}

dnnl_status_t
hop_dn_desc_copy(void **out, const void *d)
{
    dnnl_memory_desc_t copy = NULL;
    dnnl_status_t status = DN(memory_desc_clone)(&copy, d);

    *out = copy;
    return status;
}

void
hop_dn_desc_free(void *d)
{
    if (d)
        DN(memory_desc_destroy)(d);
}

/* Zeros where the library does not answer. */
static void
query_dims(const void *d, dnnl_query_t what, int n, dnnl_dims_t out)
{
    const dnnl_dims_t *dims = NULL;

    if (DN(memory_desc_query)(d, what, &dims) == dnnl_success && dims)
        memcpy(out, *dims, (size_t)n * sizeof **dims);
}

/* Nothing asks for `extra`, which version 2 shows: what comes behind the numbers (sums for int8)
 * makes the array larger than its numbers are. */
static bool
has_extra(const void *d, const struct hop_dn_layout *l)
{
    size_t n = DN(data_type_size)(l->type);

    for (int i = 0; i < l->n_dims; i++)
        n *= (size_t)l->padded[i];
    return DN(memory_desc_get_size)(d) != n;
}

void
hop_dn_desc_layout(const void *d, struct hop_dn_layout *out)
{
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    dnnl_dim_t offset = 0;
    int n_dims = 0, n_blocks = 0;

    memset(out, 0, sizeof *out);
    if (!d || DN(memory_desc_query)(d, dnnl_query_ndims_s32, &n_dims) != dnnl_success || !n_dims ||
        DN(memory_desc_query)(d, dnnl_query_data_type, &out->type) != dnnl_success ||
        DN(memory_desc_query)(d, dnnl_query_format_kind, &kind) != dnnl_success ||
        DN(memory_desc_query)(d, dnnl_query_submemory_offset_s64, &offset) != dnnl_success)
        return;
    out->n_dims = n_dims;
    query_dims(d, dnnl_query_dims, n_dims, out->dims);
    if (kind != dnnl_blocked || offset ||
        DN(memory_desc_query)(d, dnnl_query_inner_nblks_s32, &n_blocks) != dnnl_success)
        return;
    query_dims(d, dnnl_query_padded_dims, n_dims, out->padded);
    query_dims(d, dnnl_query_strides, n_dims, out->strides);
    query_dims(d, dnnl_query_inner_blks, n_blocks, out->blocks);
    query_dims(d, dnnl_query_inner_idxs, n_blocks, out->block_axes);
    out->n_blocks = n_blocks;
    out->is_blocked = !has_extra(d, out);
}

/* ---- primitives ---- */

dnnl_status_t
hop_dn_pd_conv(const struct hop_dn_ask *a, const void *src, const void *weights, const void *bias,
               const void *dst,
               const struct hop_dn_window *k, dnnl_primitive_desc_t *out)
{
    if (a->prop == dnnl_backward_data)
        return DN(convolution_backward_data_primitive_desc_create)(
            out, a->engine, dnnl_convolution_direct, src, weights, dst, k->strides, k->gaps, k->lo, k->hi, a->fwd,
            a->attr);
    if (a->prop == dnnl_backward_weights)
        return DN(convolution_backward_weights_primitive_desc_create)(
            out, a->engine, dnnl_convolution_direct, src, weights, bias, dst, k->strides, k->gaps, k->lo, k->hi, a->fwd,
            a->attr);
    return DN(convolution_forward_primitive_desc_create)(out, a->engine, a->prop, dnnl_convolution_direct, src,
                                                          weights, bias, dst, k->strides, k->gaps,
                                                          k->lo, k->hi, a->attr);
}

dnnl_status_t
hop_dn_pd_dense(const struct hop_dn_ask *a, const void *src, const void *weights, const void *bias,
                const void *dst, dnnl_primitive_desc_t *out)
{
    if (a->prop == dnnl_backward_data)
        return DN(inner_product_backward_data_primitive_desc_create)(out, a->engine, src, weights,
                                                                      dst, a->fwd, a->attr);
    if (a->prop == dnnl_backward_weights)
        return DN(inner_product_backward_weights_primitive_desc_create)(
            out, a->engine, src, weights, bias, dst, a->fwd, a->attr);
    return DN(inner_product_forward_primitive_desc_create)(out, a->engine, a->prop, src, weights,
                                                            bias, dst, a->attr);
}

dnnl_status_t
hop_dn_pd_pool(const struct hop_dn_ask *a, dnnl_alg_kind_t alg, const void *src, const void *dst,
               const struct hop_dn_window *k, dnnl_primitive_desc_t *out)
{
    if (a->prop == dnnl_backward_data)
        return DN(pooling_backward_primitive_desc_create)(out, a->engine, alg, src, dst,
                                                           k->strides, k->size, k->gaps, k->lo,
                                                           k->hi, a->fwd, a->attr);
    return DN(pooling_forward_primitive_desc_create)(out, a->engine, a->prop, alg, src, dst,
                                                      k->strides, k->size, k->gaps, k->lo, k->hi,
                                                      a->attr);
}

dnnl_status_t
hop_dn_pd_bnorm(const struct hop_dn_ask *a, const void *src, float epsilon, unsigned flags,
                dnnl_primitive_desc_t *out)
{
    if (a->fwd)
        return DN(batch_normalization_backward_primitive_desc_create)(
            out, a->engine, a->prop, src, src, src, epsilon, flags, a->fwd, a->attr);
    return DN(batch_normalization_forward_primitive_desc_create)(out, a->engine, a->prop, src, src,
                                                                  epsilon, flags, a->attr);
}

dnnl_status_t
hop_dn_pd_lnorm(const struct hop_dn_ask *a, const void *src, const void *stat, float epsilon,
                unsigned flags, dnnl_primitive_desc_t *out)
{
    if (a->fwd)
        return DN(layer_normalization_backward_primitive_desc_create)(
            out, a->engine, a->prop, src, src, src, stat, epsilon, flags, a->fwd, a->attr);
    return DN(layer_normalization_forward_primitive_desc_create)(out, a->engine, a->prop, src, src,
                                                                  stat, epsilon, flags, a->attr);
}

dnnl_status_t
hop_dn_pd_eltwise(const struct hop_dn_ask *a, dnnl_alg_kind_t alg, const void *src, float alpha,
                  float beta, dnnl_primitive_desc_t *out)
{
    if (a->fwd)
        return DN(eltwise_backward_primitive_desc_create)(out, a->engine, alg, src, src, src,
                                                           alpha, beta, a->fwd, a->attr);
    return DN(eltwise_forward_primitive_desc_create)(out, a->engine, a->prop, alg, src, src, alpha,
                                                      beta, a->attr);
}

dnnl_status_t
hop_dn_post_eltwise(dnnl_post_ops_t post, dnnl_alg_kind_t alg, float alpha, float beta)
{
    return DN(post_ops_append_eltwise)(post, alg, alpha, beta);
}

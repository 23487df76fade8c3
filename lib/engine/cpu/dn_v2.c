/* The calls of oneDNN 2 that version 3 has no more: descriptors are structs, and every primitive is
 * made from an operation descriptor.
 * Source: oneDNN 2.6 developer guide, https://oneapi-src.github.io/oneDNN/v2.6/. */
#include "engine/cpu/dn_own.h"

#include <stdlib.h>
#include <string.h>

const struct hop_dn_isa hop_dn_isas[] = {
    {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
    {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
    {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
    {dnnl_cpu_isa_avx512_core, "avx512_core"},
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
    dnnl_memory_desc_t d;
    dnnl_status_t status = DN(memory_desc_init_by_tag)(&d, n_dims, dims, type, tag);

    *out = NULL;
    return status == dnnl_success ? hop_dn_desc_copy(out, &d) : status;
}

dnnl_status_t
hop_dn_desc_copy(void **out, const void *d)
{
    if (!(*out = malloc(sizeof(dnnl_memory_desc_t))))
        return dnnl_out_of_memory;
    memcpy(*out, d, sizeof(dnnl_memory_desc_t));
    return dnnl_success;
}

void
hop_dn_desc_free(void *d)
{
    free(d);
}

void
hop_dn_desc_layout(const void *desc, struct hop_dn_layout *out)
{
    const dnnl_memory_desc_t *d = desc;
    const dnnl_blocking_desc_t *k;

    memset(out, 0, sizeof *out);
    if (!d)
        return;
    out->type = d->data_type;
    out->n_dims = d->ndims;
    memcpy(out->dims, d->dims, sizeof out->dims);
    if (d->format_kind != dnnl_blocked || d->offset0 || d->extra.flags)
        return;
    k = &d->format_desc.blocking;
    out->is_blocked = true;
    out->n_blocks = k->inner_nblks;
    memcpy(out->padded, d->padded_dims, sizeof out->padded);
    memcpy(out->strides, k->strides, sizeof out->strides);
    memcpy(out->blocks, k->inner_blks, sizeof out->blocks);
    memcpy(out->block_axes, k->inner_idxs, sizeof out->block_axes);
}

/* ---- primitives ---- */

static dnnl_status_t
create(const struct hop_dn_ask *a, dnnl_status_t status, const_dnnl_op_desc_t op,
       dnnl_primitive_desc_t *out)
{
    return status == dnnl_success ? DN(primitive_desc_create)(out, op, a->attr, a->engine, a->fwd)
                                  : status;
}

dnnl_status_t
hop_dn_pd_conv(const struct hop_dn_ask *a, const void *src, const void *weights, const void *bias,
               const void *dst,
               const struct hop_dn_window *k, dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t op;
    dnnl_status_t status;

    if (a->prop == dnnl_backward_data)
        status = DN(dilated_convolution_backward_data_desc_init)(
            &op, dnnl_convolution_direct, src, weights, dst, k->strides, k->gaps, k->lo, k->hi);
    else if (a->prop == dnnl_backward_weights)
        status = DN(dilated_convolution_backward_weights_desc_init)(
            &op, dnnl_convolution_direct, src, weights, bias, dst, k->strides, k->gaps, k->lo, k->hi);
    else
        status = DN(dilated_convolution_forward_desc_init)(&op, a->prop, dnnl_convolution_direct, src, weights, bias,
                                                            dst, k->strides, k->gaps, k->lo, k->hi);
    return create(a, status, &op, out);
}

dnnl_status_t
hop_dn_pd_dense(const struct hop_dn_ask *a, const void *src, const void *weights, const void *bias,
                const void *dst, dnnl_primitive_desc_t *out)
{
    dnnl_inner_product_desc_t op;
    dnnl_status_t status;

    if (a->prop == dnnl_backward_data)
        status = DN(inner_product_backward_data_desc_init)(&op, src, weights, dst);
    else if (a->prop == dnnl_backward_weights)
        status = DN(inner_product_backward_weights_desc_init)(&op, src, weights, bias, dst);
    else
        status = DN(inner_product_forward_desc_init)(&op, a->prop, src, weights, bias, dst);
    return create(a, status, &op, out);
}

dnnl_status_t
hop_dn_pd_pool(const struct hop_dn_ask *a, dnnl_alg_kind_t alg, const void *src, const void *dst,
               const struct hop_dn_window *k, dnnl_primitive_desc_t *out)
{
    dnnl_pooling_desc_t op;
    dnnl_status_t status;

    if (a->prop == dnnl_backward_data)
        status =
            DN(pooling_backward_desc_init)(&op, alg, src, dst, k->strides, k->size, k->lo, k->hi);
    else
        status = DN(pooling_forward_desc_init)(&op, a->prop, alg, src, dst, k->strides, k->size,
                                                k->lo, k->hi);
    return create(a, status, &op, out);
}

dnnl_status_t
hop_dn_pd_bnorm(const struct hop_dn_ask *a, const void *src, float epsilon, unsigned flags,
                dnnl_primitive_desc_t *out)
{
    dnnl_batch_normalization_desc_t op;
    dnnl_status_t status;

    if (a->fwd)
        status =
            DN(batch_normalization_backward_desc_init)(&op, a->prop, src, src, epsilon, flags);
    else
        status = DN(batch_normalization_forward_desc_init)(&op, a->prop, src, epsilon, flags);
    return create(a, status, &op, out);
}

dnnl_status_t
hop_dn_pd_lnorm(const struct hop_dn_ask *a, const void *src, const void *stat, float epsilon,
                unsigned flags, dnnl_primitive_desc_t *out)
{
    dnnl_layer_normalization_desc_t op;
    dnnl_status_t status;

    if (a->fwd)
        status = DN(layer_normalization_backward_desc_init)(&op, a->prop, src, src, stat, epsilon,
                                                             flags);
    else
        status =
            DN(layer_normalization_forward_desc_init)(&op, a->prop, src, stat, epsilon, flags);
    return create(a, status, &op, out);
}

dnnl_status_t
hop_dn_pd_eltwise(const struct hop_dn_ask *a, dnnl_alg_kind_t alg, const void *src, float alpha,
                  float beta, dnnl_primitive_desc_t *out)
{
    dnnl_eltwise_desc_t op;
    dnnl_status_t status;

    if (a->fwd)
        status = DN(eltwise_backward_desc_init)(&op, alg, src, src, alpha, beta);
    else
        status = DN(eltwise_forward_desc_init)(&op, a->prop, alg, src, alpha, beta);
    return create(a, status, &op, out);
}

dnnl_status_t
hop_dn_post_eltwise(dnnl_post_ops_t post, dnnl_alg_kind_t alg, float alpha, float beta)
{
    return DN(post_ops_append_eltwise)(post, 1.0f, alg, alpha, beta);
}

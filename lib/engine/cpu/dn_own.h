/* dn_own - what dn.c and dn_md.c, which suit every version of oneDNN, and the file of one version
 * (dn_v2.c or dn_v3.c: the Makefile takes one) know of each other.
 *
 * A descriptor of an array is a `void *` here: a struct in version 2, a handle in version 3, and in
 * both a pointer to the library's calls, which get it as it is.
 */
#ifndef HOP_ENGINE_CPU_DN_OWN_H
#define HOP_ENGINE_CPU_DN_OWN_H

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include "engine/cpu/dn.h"
#include "engine/cpu/dn_load.h"

/* ---- instruction sets, from the newest to the oldest; the last has no name ---- */

struct hop_dn_isa {
    unsigned bits; /* with all bits of those that it contains */
    const char *name;
};
extern const struct hop_dn_isa hop_dn_isas[];

/* ---- descriptors ---- */

/* What is known of a layout. Position (i0, i1, ...) lies at the sum over the axes of i / block *
 * stride and i % block within the blocks, if is_blocked; else it is the library's secret. */
struct hop_dn_layout {
    dnnl_data_type_t type;
    int n_dims; /* 0: no array */
    dnnl_dims_t dims;
    bool is_blocked; /* the rest is set */
    dnnl_dims_t padded, strides;
    int n_blocks; /* outermost first */
    dnnl_dims_t blocks, block_axes;
};

/* New ones are the caller's. */
dnnl_status_t hop_dn_desc_new(void **out, int n_dims, const dnnl_dims_t dims, dnnl_data_type_t type,
                              dnnl_format_tag_t tag);
dnnl_status_t hop_dn_desc_copy(void **out, const void *d);
void hop_dn_desc_free(void *d);                                    /* NULL is none */
void hop_dn_desc_layout(const void *d, struct hop_dn_layout *out); /* NULL: n_dims is 0 */

/* ---- owners ---- */

struct hop_dn_engine {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

struct hop_dn_md {
    void *d;
    struct hop_dn_layout l;
    struct hop_dn_md *next;
};

struct hop_dn_set {
    struct hop_dn_engine *g;
    dnnl_data_type_t type; /* f32 or bf16 */
    struct hop_dn_md *mds;
    struct hop_dn_prim *prims;
    struct hop_dn_exec *execs;
    size_t scratch_bytes;
};

int hop_dn_check(dnnl_status_t status, const char *what, struct hop_err *e) HOP_MUSTUSE;

/* hop_dn_describe - a new descriptor, the caller's. */
int hop_dn_describe(void **d, int n_dims, const int64_t *dims, dnnl_data_type_t type,
                    dnnl_format_tag_t tag, struct hop_err *e) HOP_MUSTUSE;
/* hop_dn_md_keep_copy - NULL: HOP_ENOMEM. */
const struct hop_dn_md *hop_dn_md_keep_copy(struct hop_dn_set *s, const void *d, struct hop_err *e);

/* ---- primitives ---- */

struct hop_dn_ask { /* what all kinds want */
    dnnl_engine_t engine;
    dnnl_prop_kind_t prop;
    const_dnnl_primitive_desc_t fwd; /* NULL in forward passes */
    dnnl_primitive_attr_t attr;
};
struct hop_dn_window {
    dnnl_dims_t size, strides, gaps, lo, hi; /* gaps: dilation, 0 for none; lo, hi: padding */
};

/* Arrays go by their forward names: in backward passes "src" is the gradient of src where the
 * primitive makes or takes that. bias may be NULL. */
dnnl_status_t hop_dn_pd_conv(const struct hop_dn_ask *a, const void *src, const void *weights,
                             const void *bias, const void *dst,
                             const struct hop_dn_window *k, dnnl_primitive_desc_t *out);
dnnl_status_t hop_dn_pd_dense(const struct hop_dn_ask *a, const void *src, const void *weights,
                              const void *bias, const void *dst, dnnl_primitive_desc_t *out);
dnnl_status_t hop_dn_pd_pool(const struct hop_dn_ask *a, dnnl_alg_kind_t alg, const void *src,
                             const void *dst, const struct hop_dn_window *k,
                             dnnl_primitive_desc_t *out);
/* The output and both gradients have the layout of src. */
dnnl_status_t hop_dn_pd_bnorm(const struct hop_dn_ask *a, const void *src, float epsilon,
                              unsigned flags, dnnl_primitive_desc_t *out);
dnnl_status_t hop_dn_pd_lnorm(const struct hop_dn_ask *a, const void *src, const void *stat,
                              float epsilon, unsigned flags, dnnl_primitive_desc_t *out);
dnnl_status_t hop_dn_pd_eltwise(const struct hop_dn_ask *a, dnnl_alg_kind_t alg, const void *src,
                                float alpha, float beta, dnnl_primitive_desc_t *out);
dnnl_status_t hop_dn_post_eltwise(dnnl_post_ops_t post, dnnl_alg_kind_t alg, float alpha,
                                  float beta);

#endif

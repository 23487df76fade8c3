/* dn_load - oneDNN's functions, from the shared library loaded when a device is first opened.
 *
 * Not linked, since loading and relocating the library takes longer than all else that a process does
 * which hands its visit to a worker process, or prints its help. Calls are written DN(engine_create)(...)
 * for dnnl_engine_create; a function that is not in the lists here is one that is never loaded.
 */
#ifndef HOP_ENGINE_CPU_DN_LOAD_H
#define HOP_ENGINE_CPU_DN_LOAD_H

#include <oneapi/dnnl/dnnl.h>
#include "base/err.h"

#define HOP_DN_FUNCTIONS(X)                                                                        \
    X(engine_create)                                                                               \
    X(engine_destroy)                                                                              \
    X(get_effective_cpu_isa)                                                                       \
    X(memory_create)                                                                               \
    X(memory_desc_equal)                                                                           \
    X(memory_desc_get_size)                                                                        \
    X(memory_destroy)                                                                              \
    X(memory_set_data_handle)                                                                      \
    X(post_ops_append_eltwise)                                                                     \
    X(post_ops_create)                                                                             \
    X(post_ops_destroy)                                                                            \
    X(primitive_attr_create)                                                                       \
    X(primitive_attr_destroy)                                                                      \
    X(primitive_attr_set_post_ops)                                                                 \
    X(primitive_attr_set_scratchpad_mode)                                                          \
    X(primitive_create)                                                                            \
    X(primitive_desc_destroy)                                                                      \
    X(primitive_desc_query)                                                                        \
    X(primitive_desc_query_md)                                                                     \
    X(primitive_desc_query_s32)                                                                    \
    X(primitive_destroy)                                                                           \
    X(primitive_execute)                                                                           \
    X(reorder_primitive_desc_create)                                                               \
    X(stream_create)                                                                               \
    X(stream_destroy)                                                                              \
    X(version)

#if DNNL_VERSION_MAJOR == 2
#define HOP_DN_FUNCTIONS_OWN(X)                                                                    \
    X(batch_normalization_backward_desc_init)                                                      \
    X(batch_normalization_forward_desc_init)                                                       \
    X(dilated_convolution_backward_data_desc_init)                                                 \
    X(dilated_convolution_backward_weights_desc_init)                                              \
    X(dilated_convolution_forward_desc_init)                                                       \
    X(eltwise_backward_desc_init)                                                                  \
    X(eltwise_forward_desc_init)                                                                   \
    X(inner_product_backward_data_desc_init)                                                       \
    X(inner_product_backward_weights_desc_init)                                                    \
    X(inner_product_forward_desc_init)                                                             \
    X(layer_normalization_backward_desc_init)                                                      \
    X(layer_normalization_forward_desc_init)                                                       \
    X(memory_desc_init_by_tag)                                                                     \
    X(pooling_backward_desc_init)                                                                  \
    X(pooling_forward_desc_init)                                                                   \
    X(primitive_desc_create)
#else
#define HOP_DN_FUNCTIONS_OWN(X)                                                                    \
    X(batch_normalization_backward_primitive_desc_create)                                          \
    X(batch_normalization_forward_primitive_desc_create)                                           \
    X(convolution_backward_data_primitive_desc_create)                                             \
    X(convolution_backward_weights_primitive_desc_create)                                          \
    X(convolution_forward_primitive_desc_create)                                                   \
    X(data_type_size)                                                                              \
    X(eltwise_backward_primitive_desc_create)                                                      \
    X(eltwise_forward_primitive_desc_create)                                                       \
    X(inner_product_backward_data_primitive_desc_create)                                           \
    X(inner_product_backward_weights_primitive_desc_create)                                        \
    X(inner_product_forward_primitive_desc_create)                                                 \
    X(layer_normalization_backward_primitive_desc_create)                                          \
    X(layer_normalization_forward_primitive_desc_create)                                           \
    X(memory_desc_clone)                                                                           \
    X(memory_desc_create_with_tag)                                                                 \
    X(memory_desc_destroy)                                                                         \
    X(memory_desc_query)                                                                           \
    X(pooling_backward_primitive_desc_create)                                                      \
    X(pooling_forward_primitive_desc_create)
#endif

struct hop_dn_api {
#define HOP_DN_MEMBER(f) __typeof__(dnnl_##f) *f;
    HOP_DN_FUNCTIONS(HOP_DN_MEMBER)
    HOP_DN_FUNCTIONS_OWN(HOP_DN_MEMBER)
#undef HOP_DN_MEMBER
};
/* Filled in by hop_dn_load (dn.h), once per process, whoever asks first. The file is HOP_DNNL_FILE (the
 * Makefile's), found where the linker would have found it. */
extern struct hop_dn_api hop_dn_api;
#define DN(f) (hop_dn_api.f)

#endif

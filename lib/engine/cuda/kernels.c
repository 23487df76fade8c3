/* kernels - what is known of every kernel's arguments. */
#include "engine/cuda/kernels.h"

/* A value has 4 bytes, or in a variant for bfloat16 2. */
#define SIZE(p, value) _Generic((p), struct k_value *: (value), default: sizeof *(p))
#define SPAN(name, field, mode)                                                                    \
    {offsetof(struct k_##name##_args, field), SIZE(((struct k_##name##_args *)0)->field.p, 4), mode},
#define SPAN_H(name, field, mode)                                                                  \
    {offsetof(struct k_##name##_args, field), SIZE(((struct k_##name##_args *)0)->field.p, 2), mode},
#define ROW(name)  {#name, sizeof(struct k_##name##_args), {K_##name##_SPANS(SPAN, name)}},
#define ROWS(name)                                                                                 \
    ROW(name) {#name "_h", sizeof(struct k_##name##_args), {K_##name##_SPANS(SPAN_H, name)}},

const struct hop_cuda_kernel_row hop_cuda_kernel_rows[] = {HOP_CUDA_KERNELS(ROW, ROWS) ROW(fast)};

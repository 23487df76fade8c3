/* kernels - what is known of every kernel's arguments. */
#include "engine/cuda/kernels.h"

#define SPAN(name, field, mode)                                                                    \
    {offsetof(struct k_##name##_args, field), sizeof *((struct k_##name##_args *)0)->field.p, mode},
#define ROW(name)  {#name, sizeof(struct k_##name##_args), {K_##name##_SPANS(SPAN, name)}},

const struct hop_cuda_kernel_row hop_cuda_kernel_rows[HOP_CUDA_N_KERNELS] = {HOP_CUDA_KERNELS(ROW)};

/* fast - the seam for tensor cores: what cuDNN and cublasLt do for the device "cuda".
 *
 * A problem is made into a plan once, while a net is compiled; running it enqueues on the stream and
 * is allowed in a capture: no memory, no sync. Tensors are NHWC, densely packed, sums in float32; kernels
 * [K,kh,kw,C/groups]. All tensors are of the plan's precision. Weight gradients and the bias of a forward
 * pass, too, are bfloat16 then: cuDNN 9 has no ready engines for others, and PyTorch's autocast does the
 * same. A plan's bits depend on the problem, the GPU and the libraries' versions alone.
 */
#ifndef HOP_ENGINE_CUDA_FAST_H
#define HOP_ENGINE_CUDA_FAST_H

#include "engine/cuda/driver.h"

enum hop_cuda_pass { HOP_CUDA_FORWARD, HOP_CUDA_DATA_GRADIENT, HOP_CUDA_WEIGHT_GRADIENT };

enum hop_cuda_precision {
    HOP_CUDA_BF16, /* all tensors bfloat16; products exact */
    HOP_CUDA_TF32  /* all tensors float32; factors rounded to 10 bits of fraction */
};

/* A convolution of n images; a dense layer is the one with H = W = kh = kw = 1. */
struct hop_cuda_conv {
    enum hop_cuda_pass pass;
    int64_t n, H, W, C, K, kh, kw, P, Q;
    int64_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, pad_bottom, pad_right,
        groups;
    int has_bias, has_relu; /* of the forward pass: in the same kernel */
};

struct hop_cuda_fast_plan;

struct hop_cuda_fast {
    /* Part of the fingerprint: "cudnn 9.19.0"; "" where there is none, e says why. Opens the libraries. */
    const char *(*version)(struct hop_err *e);
    /* What C should be padded to, with zeros in x and w, for tensor cores to be used: C = 3 keeps cuDNN
     * off them. */
    int64_t (*channels)(int64_t c, int64_t groups, enum hop_cuda_precision precision);
    /* Err: HOP_EFORMAT where the library cannot do it deterministically. */
    int (*plan_new)(struct hop_cuda_context *c, const struct hop_cuda_conv *conv,
                    enum hop_cuda_precision precision, struct hop_cuda_fast_plan **out,
                    size_t *workspace_bytes, struct hop_err *e);
    /* Of what the plan's bits depend on besides its problem, the GPU and the versions: equal, the same. */
    uint64_t (*plan_digest)(const struct hop_cuda_fast_plan *p);
    void (*plan_free)(struct hop_cuda_fast_plan *p); /* NULL is fine */
    /* in, in2, out: of the forward pass x, w, y; data gradient dy, w, dx; weight gradient x, dy,
     * dw. bias [K] or NULL. out is overwritten. All 16-byte aligned. */
    int (*run)(struct hop_cuda_fast_plan *p, struct hop_cuda_stream *s, const void *in,
               const void *in2, const void *bias, void *out, void *workspace, struct hop_err *e);
};

#endif

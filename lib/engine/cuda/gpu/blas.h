/* blas - dense layers by cublasLt, opened at run time as cuDNN is.
 *
 * A dense layer is fast.h's convolution with H = W = P = Q = kh = kw = 1. The algorithm is cublasLt's first
 * choice among those that reduce out of place, if at all: the same bits every time on one GPU. As text
 * it can be carried to other hosts with such a GPU.
 */
#ifndef HOP_ENGINE_CUDA_GPU_BLAS_H
#define HOP_ENGINE_CUDA_GPU_BLAS_H

#include <stdbool.h>

#include <cublasLt.h>
#include "engine/cuda/fast.h"

#define HOP_BLAS_FUNCTIONS(X)                                                                      \
    X(cublasLtGetVersion)                                                                          \
    X(cublasLtGetStatusString)                                                                     \
    X(cublasLtCreate)                                                                              \
    X(cublasLtDestroy)                                                                             \
    X(cublasLtMatmulDescCreate)                                                                    \
    X(cublasLtMatmulDescDestroy)                                                                   \
    X(cublasLtMatmulDescSetAttribute)                                                              \
    X(cublasLtMatrixLayoutCreate)                                                                  \
    X(cublasLtMatrixLayoutDestroy)                                                                 \
    X(cublasLtMatmulPreferenceCreate)                                                              \
    X(cublasLtMatmulPreferenceDestroy)                                                             \
    X(cublasLtMatmulPreferenceSetAttribute)                                                        \
    X(cublasLtMatmulAlgoGetHeuristic)                                                              \
    X(cublasLtMatmulAlgoCheck)                                                                     \
    X(cublasLtMatmul)

#define HOP_BLAS_POINTER(f) __typeof__(&f) f;
struct hop_blas {
    HOP_BLAS_FUNCTIONS(HOP_BLAS_POINTER)
    char version[32]; /* "cublaslt 13.1.0" */
};

struct hop_blas_plan;

/* hop_blas_open - the library; the same on every call. Err: HOP_EDEV: not found, or of another major
 * version than the headers. */
int hop_blas_open(const struct hop_blas **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_blas_takes - is c a dense layer? */
bool hop_blas_takes(const struct hop_cuda_conv *c);

/* hop_blas_plan_new - text: an algorithm as hop_blas_plan_text gave it, or NULL: choose.
 * Err: HOP_EFORMAT: cublasLt has none, or does not take that one; HOP_EDEV, HOP_ENOMEM. */
int hop_blas_plan_new(const struct hop_blas *lib, cublasLtHandle_t handle,
                      const struct hop_cuda_conv *c, enum hop_cuda_precision precision,
                      size_t max_workspace_bytes, const char *text, struct hop_blas_plan **out,
                      struct hop_err *e) HOP_MUSTUSE;
void hop_blas_plan_free(struct hop_blas_plan *p); /* NULL is fine */
size_t hop_blas_plan_workspace(const struct hop_blas_plan *p);

uint64_t hop_blas_plan_digest(const struct hop_blas_plan *p); /* of the algorithm */

enum { HOP_BLAS_TEXT = 200 };
/* hop_blas_plan_text - {"algo":"16 hex digits ..."}. */
void hop_blas_plan_text(const struct hop_blas_plan *p, char out[HOP_BLAS_TEXT]);

/* hop_blas_plan_run - enqueue; arguments as in fast.h. stream: a CUstream. */
int hop_blas_plan_run(const struct hop_blas_plan *p, cublasLtHandle_t handle, cudaStream_t stream,
                      const void *in, const void *in2, const void *bias, void *out,
                      void *workspace, struct hop_err *e) HOP_MUSTUSE;

#endif

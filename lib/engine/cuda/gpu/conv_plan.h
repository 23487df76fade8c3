/* conv_plan - one convolution as cuDNN will run it: the first of cuDNN's ranked engines that gives
 * the same bits every time, uses tensor cores in bfloat16 (grouped convolutions: if there are any that
 * do), compiles nothing at run time and keeps within a workspace.
 *
 * The choice depends on the problem, the properties of the GPU and cuDNN's version, on nothing
 * measured; as text it can be carried to other hosts with such a GPU, and gives the same bits there.
 * Tensors are NHWC and dense, 16-byte aligned: x [N,H,W,C], w [K,kh,kw,C/groups], y [N,P,Q,K].
 */
#ifndef HOP_ENGINE_CUDA_GPU_CONV_PLAN_H
#define HOP_ENGINE_CUDA_GPU_CONV_PLAN_H

#include "engine/cuda/gpu/cudnn.h"
#include "engine/cuda/fast.h"

enum hop_conv_precision {
    HOP_CONV_BF16, /* all tensors bfloat16, bias and dw too; products exact, sums float32 */
    HOP_CONV_TF32, /* float32; inputs of products rounded to 10 bits of fraction */
    HOP_CONV_FP32  /* float32 throughout: no tensor cores */
};

struct hop_conv_spec {
    struct hop_cuda_conv conv;
    enum hop_conv_precision precision;
};

struct hop_conv_plan {
    const struct hop_cudnn *lib;
    cudnnBackendDescriptor_t plan, graph, parts[32]; /* what the plan is made of, to be freed */
    int n_parts;
    bool has_bias;
    size_t workspace_bytes;
    int64_t engine;        /* cuDNN's number of it */
    int n_tried;           /* engines refused before it */
    char knobs[200];       /* "2=13 14=4": type=choice in cuDNN's order */
    uint32_t notes, behaviour; /* bit i = cuDNN's note i */
};

/* hop_conv_channels - the number of input channels to pad to (with zeros in x and w) so that tensor
 * cores can be used: a multiple of 8 for bfloat16, else c. Grouped convolutions are left alone. */
int64_t hop_conv_channels(int64_t c, int64_t groups, enum hop_conv_precision precision);

/* hop_conv_plan_new - choose. max_workspace_bytes: 0 = none at all. Err: HOP_EFORMAT: no engine of
 * cuDNN will do (as for tensors of 2^31 elements), says why the best was refused; HOP_EDEV. */
int hop_conv_plan_new(const struct hop_cudnn *lib, const struct hop_cudnn_device *device,
                      const struct hop_conv_spec *spec, size_t max_workspace_bytes,
                      struct hop_conv_plan **out, struct hop_err *e) HOP_MUSTUSE;
void hop_conv_plan_free(struct hop_conv_plan *p); /* NULL is fine */

/* hop_conv_plan_text - the plan as cuDNN's JSON, malloced. hop_conv_plan_read - a plan from that
 * text, on a device like the one it was chosen for. Err: HOP_EFORMAT: cuDNN does not take it (another
 * version, another GPU, not such a text). */
int hop_conv_plan_text(const struct hop_conv_plan *p, char **out, struct hop_err *e) HOP_MUSTUSE;
int hop_conv_plan_read(const struct hop_cudnn *lib, const struct hop_cudnn_device *device,
                       const struct hop_conv_spec *spec, const char *text,
                       struct hop_conv_plan **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_conv_text_digest - of that text but for what names the GPU. hop_conv_plan_digest - of p's; 0: out of
 * memory. */
uint64_t hop_conv_text_digest(const char *text);
uint64_t hop_conv_plan_digest(const struct hop_conv_plan *p);

/* hop_conv_plan_run - enqueue on the handle's stream. in, in2, bias, out as in fast.h; workspace of
 * workspace_bytes (NULL if 0). Allowed in a capture. */
int hop_conv_plan_run(const struct hop_conv_plan *p, cudnnHandle_t handle, const void *in,
                      const void *in2, const void *bias, void *out, void *workspace,
                      struct hop_err *e) HOP_MUSTUSE;

/* hop_conv_spec_text - the problem in one word, "fprop+bias+relu-bf16-n64-h32-w32-c8-k32-...": the key
 * under which a plan set lists its plan. */
void hop_conv_spec_text(const struct hop_conv_spec *spec, char *out, size_t n);

#endif

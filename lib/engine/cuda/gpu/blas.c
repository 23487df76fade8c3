#include "engine/cuda/gpu/blas.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/gpu/library.h"

struct hop_blas_plan {
    const struct hop_blas *lib;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulAlgo_t algo;
    size_t workspace_bytes;
    bool is_swapped; /* `in` is b, not a */
    bool has_bias;
};

_Static_assert(sizeof(cublasLtMatmulAlgo_t) == 64, "an algorithm is eight words");

static struct hop_blas lib;
static bool is_ready;

#define ROW(f) {#f, offsetof(struct hop_blas, f)},
static const struct hop_cuda_symbol functions[] = {HOP_BLAS_FUNCTIONS(ROW)};

static int
open_library(struct hop_err *e)
{
    static const char hint[] = "install cuBLAS beside cuDNN, or name its folder in HOP_CUDNN";
    char name[40];
    const char *why = "", *missing;
    size_t v;
    void *so;

    if (is_ready)
        return HOP_OK;
    snprintf(name, sizeof name, "libcublasLt.so.%d", CUBLAS_VER_MAJOR);
    if (!(so = hop_cuda_library_open(name, &why)))
        return hop_fail(e, HOP_EDEV, "device cuda", hint, "no cublasLt here: %s", why);
    if ((missing = hop_cuda_library_symbols(so, functions, HOP_LEN(functions), &lib)))
        return hop_fail(e, HOP_EDEV, "device cuda", hint, "this cublasLt has no %s", missing);
    v = lib.cublasLtGetVersion();
    snprintf(lib.version, sizeof lib.version, "cublaslt %zu.%zu.%zu", v / 10000, v / 100 % 100,
             v % 100);
    is_ready = true;
    return HOP_OK;
}

int
hop_blas_open(const struct hop_blas **out, struct hop_err *e)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int rc;

    *out = &lib;
    pthread_mutex_lock(&lock);
    rc = open_library(e);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int
check(const struct hop_blas *l, cublasStatus_t s, const char *what, struct hop_err *e)
{
    if (s == CUBLAS_STATUS_SUCCESS)
        return HOP_OK;
    return hop_fail(e, s == CUBLAS_STATUS_ALLOC_FAILED ? HOP_ENOMEM : HOP_EDEV, "device cuda", NULL,
                    "cublasLt: %s: %s", what, l->cublasLtGetStatusString(s));
}

bool
hop_blas_takes(const struct hop_cuda_conv *c)
{
    return c->H == 1 && c->W == 1 && c->P == 1 && c->Q == 1 && c->kh == 1 && c->kw == 1 &&
           c->groups == 1 && !c->pad_top && !c->pad_left;
}

/* cublasLt counts columns first, so an array [n,C] of ours is its matrix C x n: y = x w^T becomes
 * Y = op(A) B with A = w. Rows x columns of what is multiplied, and whether it is transposed first. */
struct shape {
    int64_t a_rows, a_columns, b_rows, b_columns, d_rows, d_columns;
    cublasOperation_t op_a, op_b;
    bool is_swapped;
};

static struct shape
shape_of(const struct hop_cuda_conv *c)
{
    if (c->pass == HOP_CUDA_FORWARD) /* x [n,C], w [K,C] */
        return (struct shape){c->C, c->K, c->C, c->n, c->K, c->n, CUBLAS_OP_T, CUBLAS_OP_N, true};
    if (c->pass == HOP_CUDA_DATA_GRADIENT) /* dy [n,K], w [K,C] */
        return (struct shape){c->C, c->K, c->K, c->n, c->C, c->n, CUBLAS_OP_N, CUBLAS_OP_N, true};
    /* x [n,C], dy [n,K] */
    return (struct shape){c->C, c->n, c->K, c->n, c->C, c->K, CUBLAS_OP_N, CUBLAS_OP_T, false};
}

#define SET(name, value)                                                                           \
    do {                                                                                           \
        if (!s)                                                                                    \
            s = p->lib->cublasLtMatmulDescSetAttribute(p->desc, name, &(value), sizeof(value));    \
    } while (0)

static cublasStatus_t
describe(struct hop_blas_plan *p, const struct hop_cuda_conv *c, enum hop_cuda_precision precision)
{
    cudaDataType_t type = precision == HOP_CUDA_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    cublasComputeType_t compute = precision == HOP_CUDA_BF16 ? CUBLAS_COMPUTE_32F
                                                             : CUBLAS_COMPUTE_32F_FAST_TF32;
    cublasLtEpilogue_t epilogue = !c->has_bias ? CUBLASLT_EPILOGUE_DEFAULT
                                  : c->has_relu ? CUBLASLT_EPILOGUE_RELU_BIAS
                                                : CUBLASLT_EPILOGUE_BIAS;
    struct shape m = shape_of(c);
    cublasStatus_t s = p->lib->cublasLtMatmulDescCreate(&p->desc, compute, CUDA_R_32F);

    p->is_swapped = m.is_swapped;
    p->has_bias = c->has_bias;
    SET(CUBLASLT_MATMUL_DESC_TRANSA, m.op_a);
    SET(CUBLASLT_MATMUL_DESC_TRANSB, m.op_b);
    SET(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    if (c->has_bias)
        SET(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type);
    if (!s)
        s = p->lib->cublasLtMatrixLayoutCreate(&p->a, type, (uint64_t)m.a_rows,
                                               (uint64_t)m.a_columns, m.a_rows);
    if (!s)
        s = p->lib->cublasLtMatrixLayoutCreate(&p->b, type, (uint64_t)m.b_rows,
                                               (uint64_t)m.b_columns, m.b_rows);
    if (!s)
        s = p->lib->cublasLtMatrixLayoutCreate(&p->d, type, (uint64_t)m.d_rows,
                                               (uint64_t)m.d_columns, m.d_rows);
    return s;
}

static int
choose(struct hop_blas_plan *p, cublasLtHandle_t handle, uint64_t max_bytes, struct hop_err *e)
{
    /* sums split over K are added from a workspace, in order, or not split */
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t found;
    int n = 0;
    cublasStatus_t s = p->lib->cublasLtMatmulPreferenceCreate(&preference);

    memset(&found, 0, sizeof found);
    if (!s)
        s = p->lib->cublasLtMatmulPreferenceSetAttribute(
            preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &max_bytes, sizeof max_bytes);
    if (!s)
        s = p->lib->cublasLtMatmulPreferenceSetAttribute(
            preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes);
    if (!s)
        s = p->lib->cublasLtMatmulAlgoGetHeuristic(handle, p->desc, p->a, p->b, p->d, p->d,
                                                   preference, 1, &found, &n);
    if (preference)
        p->lib->cublasLtMatmulPreferenceDestroy(preference);
    if (s == CUBLAS_STATUS_NOT_SUPPORTED || (!s && (n < 1 || found.state)))
        return hop_fail(e, HOP_EFORMAT, "device cuda", "use another --precision",
                        "%s has no algorithm for this dense layer", p->lib->version);
    p->algo = found.algo;
    p->workspace_bytes = found.workspaceSize;
    return check(p->lib, s, "choice", e);
}

static int
read_text(struct hop_blas_plan *p, cublasLtHandle_t handle, uint64_t max_bytes, const char *text,
          struct hop_err *e)
{
    cublasLtMatmulHeuristicResult_t found;
    unsigned long long w[8];
    cublasStatus_t s = CUBLAS_STATUS_INVALID_VALUE;
    int i;

    if (sscanf(text, "{\"algo\":\"%16llx%16llx%16llx%16llx%16llx%16llx%16llx%16llx\"}", &w[0], &w[1],
               &w[2], &w[3], &w[4], &w[5], &w[6], &w[7]) == 8) {
        for (i = 0; i < 8; i++)
            p->algo.data[i] = w[i];
        s = p->lib->cublasLtMatmulAlgoCheck(handle, p->desc, p->a, p->b, p->d, p->d, &p->algo,
                                            &found);
    }
    if (s || found.state || found.workspaceSize > max_bytes)
        return hop_fail(e, HOP_EFORMAT, "device cuda",
                        "plans are for one GPU architecture and one version of cublasLt",
                        "%s does not take this plan", p->lib->version);
    p->workspace_bytes = found.workspaceSize;
    return HOP_OK;
}

int
hop_blas_plan_new(const struct hop_blas *l, cublasLtHandle_t handle, const struct hop_cuda_conv *c,
                  enum hop_cuda_precision precision, size_t max_workspace_bytes, const char *text,
                  struct hop_blas_plan **out, struct hop_err *e)
{
    struct hop_blas_plan *p = hop_alloc(1, sizeof *p, e);
    int rc;

    *out = NULL;
    if (!p)
        return HOP_ENOMEM;
    p->lib = l;
    rc = check(l, describe(p, c, precision), "description", e);
    if (!rc)
        rc = text ? read_text(p, handle, max_workspace_bytes, text, e)
                  : choose(p, handle, max_workspace_bytes, e);
    if (rc)
        hop_blas_plan_free(p);
    else
        *out = p;
    return rc;
}

void
hop_blas_plan_free(struct hop_blas_plan *p)
{
    if (!p)
        return;
    if (p->desc)
        p->lib->cublasLtMatmulDescDestroy(p->desc);
    if (p->a)
        p->lib->cublasLtMatrixLayoutDestroy(p->a);
    if (p->b)
        p->lib->cublasLtMatrixLayoutDestroy(p->b);
    if (p->d)
        p->lib->cublasLtMatrixLayoutDestroy(p->d);
    free(p);
}

size_t
hop_blas_plan_workspace(const struct hop_blas_plan *p)
{
    return p->workspace_bytes;
}

void
hop_blas_plan_text(const struct hop_blas_plan *p, char out[HOP_BLAS_TEXT])
{
    size_t used = (size_t)snprintf(out, HOP_BLAS_TEXT, "{\"algo\":\"");
    int i;

    for (i = 0; i < 8; i++)
        used += (size_t)snprintf(out + used, HOP_BLAS_TEXT - used, "%016llx",
                                 (unsigned long long)p->algo.data[i]);
    snprintf(out + used, HOP_BLAS_TEXT - used, "\"}");
}

uint64_t
hop_blas_plan_digest(const struct hop_blas_plan *p)
{
    uint64_t h = 14695981039346656037u;
    int i;

    for (i = 0; i < 8; i++)
        h = (h ^ p->algo.data[i]) * 1099511628211u;
    return h;
}

int
hop_blas_plan_run(const struct hop_blas_plan *p, cublasLtHandle_t handle, cudaStream_t stream,
                  const void *in, const void *in2, const void *bias, void *out, void *workspace,
                  struct hop_err *e)
{
    const void *a = p->is_swapped ? in2 : in, *b = p->is_swapped ? in : in2;
    float one = 1, zero = 0;
    cublasStatus_t s = CUBLAS_STATUS_SUCCESS;

    if (p->has_bias) /* the description holds the pointer; the call reads it at once */
        SET(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    if (!s)
        s = p->lib->cublasLtMatmul(handle, p->desc, &one, a, p->a, b, p->b, &zero, out, p->d, out,
                                   p->d, &p->algo, workspace, p->workspace_bytes, stream);
    return check(p->lib, s, "dense layer", e);
}

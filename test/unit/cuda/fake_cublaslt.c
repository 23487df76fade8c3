/* A libcublasLt that multiplies in plain loops, from nothing but what it is told: t_blas holds the
 * descriptions of blas.c to it. Counts what is made and destroyed. */
#include <cublasLt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct desc {
    cublasComputeType_t compute;
    cublasOperation_t a, b;
    cublasLtEpilogue_t epilogue;
    const void *bias;
    int32_t bias_type;
};

struct layout {
    cudaDataType type;
    uint64_t rows, columns;
    int64_t ld;
};

struct preference {
    uint64_t bytes;
    uint32_t schemes;
};

int fake_live;
int fake_fail; /* the next choice finds nothing */
uint32_t fake_schemes;

static void *
make(const void *from, size_t n)
{
    void *p = malloc(n);

    memcpy(p, from, n);
    fake_live++;
    return p;
}

static cublasStatus_t
unmake(void *p)
{
    fake_live--;
    free(p);
    return CUBLAS_STATUS_SUCCESS;
}

size_t
cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *
cublasLtGetStatusString(cublasStatus_t s)
{
    return s == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : "some status";
}

cublasStatus_t
cublasLtCreate(cublasLtHandle_t *h)
{
    *h = make("h", 1);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtDestroy(cublasLtHandle_t h)
{
    return unmake(h);
}

cublasStatus_t
cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t compute, cudaDataType_t scale)
{
    struct desc new = {compute, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL, -1};

    if (scale != CUDA_R_32F)
        return CUBLAS_STATUS_INVALID_VALUE;
    *d = make(&new, sizeof new);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
    return unmake(d);
}

cublasStatus_t
cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t o, cublasLtMatmulDescAttributes_t name,
                               const void *value, size_t n)
{
    struct desc *d = (struct desc *)o;

    if (name == CUBLASLT_MATMUL_DESC_TRANSA && n == sizeof d->a)
        memcpy(&d->a, value, n);
    else if (name == CUBLASLT_MATMUL_DESC_TRANSB && n == sizeof d->b)
        memcpy(&d->b, value, n);
    else if (name == CUBLASLT_MATMUL_DESC_EPILOGUE && n == sizeof d->epilogue)
        memcpy(&d->epilogue, value, n);
    else if (name == CUBLASLT_MATMUL_DESC_BIAS_POINTER && n == sizeof d->bias)
        memcpy(&d->bias, value, n);
    else if (name == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE && n == sizeof d->bias_type)
        memcpy(&d->bias_type, value, n);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *l, cudaDataType type, uint64_t rows,
                           uint64_t columns, int64_t ld)
{
    struct layout new = {type, rows, columns, ld};

    if (ld < (int64_t)rows)
        return CUBLAS_STATUS_INVALID_VALUE;
    *l = make(&new, sizeof new);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
    return unmake(l);
}

cublasStatus_t
cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
    struct preference new = {0, CUBLASLT_REDUCTION_SCHEME_MASK};

    *p = make(&new, sizeof new);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    return unmake(p);
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t o,
                                     cublasLtMatmulPreferenceAttributes_t name, const void *value,
                                     size_t n)
{
    struct preference *p = (struct preference *)o;

    if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && n == sizeof p->bytes)
        memcpy(&p->bytes, value, n);
    else if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK && n == sizeof p->schemes)
        memcpy(&p->schemes, value, n);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

/* Do the matrices fit? Then m, n, k. */
static int
fit(const struct desc *d, const struct layout *a, const struct layout *b, const struct layout *out,
    uint64_t *m, uint64_t *n, uint64_t *k)
{
    uint64_t kb = d->b == CUBLAS_OP_N ? b->rows : b->columns;

    *m = d->a == CUBLAS_OP_N ? a->rows : a->columns;
    *k = d->a == CUBLAS_OP_N ? a->columns : a->rows;
    *n = d->b == CUBLAS_OP_N ? b->columns : b->rows;
    return *k == kb && out->rows == *m && out->columns == *n && a->type == b->type &&
           a->type == out->type;
}

cublasStatus_t
cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a,
                               cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                               cublasLtMatrixLayout_t out, cublasLtMatmulPreference_t preference,
                               int n_wanted, cublasLtMatmulHeuristicResult_t results[], int *n)
{
    const struct preference *p = (const struct preference *)preference;
    uint64_t m, n_, k;
    int i;

    *n = 0;
    fake_schemes = p->schemes;
    if (!h || n_wanted < 1 || c != out)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (fake_fail || !fit((struct desc *)d, (struct layout *)a, (struct layout *)b,
                          (struct layout *)out, &m, &n_, &k))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    memset(results, 0, sizeof *results);
    for (i = 0; i < 8; i++)
        results->algo.data[i] = 0xFEDCBA9876543210u + (uint64_t)i;
    results->workspaceSize = p->bytes < 1000 ? p->bytes : 1000;
    *n = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulAlgoCheck(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a,
                        cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                        cublasLtMatrixLayout_t out, const cublasLtMatmulAlgo_t *algo,
                        cublasLtMatmulHeuristicResult_t *result)
{
    uint64_t m, n, k;
    int i;

    if (!h || c != out || !fit((struct desc *)d, (struct layout *)a, (struct layout *)b,
                               (struct layout *)out, &m, &n, &k))
        return CUBLAS_STATUS_INVALID_VALUE;
    for (i = 0; i < 8; i++)
        if (algo->data[i] != 0xFEDCBA9876543210u + (uint64_t)i)
            return CUBLAS_STATUS_NOT_SUPPORTED;
    memset(result, 0, sizeof *result);
    result->workspaceSize = 1000;
    return CUBLAS_STATUS_SUCCESS;
}

static float
get(const void *p, uint64_t i, cudaDataType type)
{
    uint32_t u;
    float v;

    if (type == CUDA_R_32F)
        return ((const float *)p)[i];
    u = (uint32_t)((const uint16_t *)p)[i] << 16;
    memcpy(&v, &u, sizeof v);
    return v;
}

static void
put(void *p, uint64_t i, cudaDataType type, float v)
{
    uint32_t u;

    if (type == CUDA_R_32F) {
        ((float *)p)[i] = v;
        return;
    }
    memcpy(&u, &v, sizeof u);
    ((uint16_t *)p)[i] = (uint16_t)((u + 0x7FFFu + (u >> 16 & 1u)) >> 16);
}

cublasStatus_t
cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t o, const void *alpha, const void *A,
               cublasLtMatrixLayout_t la, const void *B, cublasLtMatrixLayout_t lb,
               const void *beta, const void *C, cublasLtMatrixLayout_t lc, void *D,
               cublasLtMatrixLayout_t ld, const cublasLtMatmulAlgo_t *algo, void *workspace,
               size_t workspace_bytes, cudaStream_t stream)
{
    const struct desc *d = (const struct desc *)o;
    const struct layout *a = (const struct layout *)la, *b = (const struct layout *)lb;
    const struct layout *out = (const struct layout *)ld;
    uint64_t m, n, k, i, j, l;
    float sum;

    if (!h || !stream || C != D || lc != ld || *(const float *)alpha != 1 ||
        *(const float *)beta != 0 || (algo->data[0] & 0xFF) != 0x10 || !workspace ||
        workspace_bytes != 1000 || !fit(d, a, b, out, &m, &n, &k) ||
        (d->epilogue != CUBLASLT_EPILOGUE_DEFAULT && d->bias_type != (int32_t)out->type))
        return CUBLAS_STATUS_INVALID_VALUE;
    for (j = 0; j < n; j++)
        for (i = 0; i < m; i++) {
            sum = 0;
            for (l = 0; l < k; l++)
                sum += get(A, d->a == CUBLAS_OP_N ? i + l * (uint64_t)a->ld : l + i * (uint64_t)a->ld,
                           a->type) *
                       get(B, d->b == CUBLAS_OP_N ? l + j * (uint64_t)b->ld : j + l * (uint64_t)b->ld,
                           b->type);
            if (d->epilogue != CUBLASLT_EPILOGUE_DEFAULT)
                sum += get(d->bias, i, out->type);
            if (d->epilogue == CUBLASLT_EPILOGUE_RELU_BIAS && sum < 0)
                sum = 0;
            put(D, i + j * (uint64_t)out->ld, out->type, sum);
        }
    return CUBLAS_STATUS_SUCCESS;
}

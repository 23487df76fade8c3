/* The seam of fast.h over cuDNN and, where it is there, cublasLt for dense layers: a plan per problem,
 * from the plan set if it is there, else chosen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/cuda/gpu/blas.h"
#include "engine/cuda/gpu/context.h"
#include "engine/cuda/gpu/conv_plan.h"
#include "engine/cuda/gpu/plan_set.h"

/* More would buy little: the engines ranked first for small nets want less than 20 MB. */
static const size_t max_workspace_bytes = 64 << 20;

struct hop_cuda_blas {
    const struct hop_cudnn *lib;
    struct hop_cudnn_device here;
    CUstream stream; /* the handle's, NULL before the first run */
    const struct hop_blas *dense;  /* NULL: cuDNN does dense layers, too */
    cublasLtHandle_t dense_handle;
};

struct hop_cuda_fast_plan {
    struct hop_cuda_context *context;
    struct hop_cuda_blas *blas; /* the context's */
    struct hop_conv_plan *plan; /* or */
    struct hop_blas_plan *dense;
};

static const char *plans = "";
static void (*on_plan)(const char *line);

void
hop_cuda_fast_plans(const char *text, void (*told)(const char *line))
{
    plans = text ? text : "";
    on_plan = told;
}

/* Both libraries: which is there decides about bits. */
const char *
hop_cuda_fast_version(struct hop_err *e)
{
    static _Thread_local char text[80];
    const struct hop_cudnn *lib;
    const struct hop_blas *dense;
    struct hop_err none = {0};
    bool has_dense;

    if (hop_cudnn_open(&lib, e))
        return "";
    has_dense = !hop_blas_open(&dense, &none);
    hop_err_clear(&none);
    snprintf(text, sizeof text, "cudnn %s%s%s", lib->version, has_dense ? " " : "",
             has_dense ? dense->version : "");
    return text;
}

static int64_t
channels(int64_t c, int64_t groups, enum hop_cuda_precision precision)
{
    return hop_conv_channels(c, groups,
                             precision == HOP_CUDA_BF16 ? HOP_CONV_BF16 : HOP_CONV_TF32);
}

static int
start(struct hop_cuda_context *c, struct hop_err *e)
{
    struct hop_err none = {0};
    struct hop_cuda_blas *b;
    int rc;

    hop_cuda_use(c);
    if (c->blas)
        return HOP_OK;
    if (!(b = hop_alloc(1, sizeof *b, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cudnn_open(&b->lib, e)) || (rc = hop_cudnn_device_here(b->lib, &b->here, e))) {
        free(b);
        return rc;
    }
    if (hop_blas_open(&b->dense, &none) || b->dense->cublasLtCreate(&b->dense_handle)) {
        hop_log(HOP_LOG_INFO, "%s: dense layers by cuDNN: %s", c->where,
                none.what[0] ? none.what : "cublasLt does not start");
        hop_err_clear(&none);
        b->dense = NULL;
    }
    c->blas = b;
    return HOP_OK;
}

void
hop_cuda_fast_close(struct hop_cuda_context *c)
{
    if (c->blas && hop_cuda_use(c)) {
        hop_cudnn_device_clear(c->blas->lib, &c->blas->here);
        if (c->blas->dense)
            c->blas->dense->cublasLtDestroy(c->blas->dense_handle);
    }
    free(c->blas);
    c->blas = NULL;
}

static void
tell(const struct hop_plan_key *key, const char *text)
{
    struct hop_str line = {0};

    if (on_plan && hop_plan_set_line(key, text, &line) && !line.is_oom)
        on_plan(line.s);
    hop_str_clear(&line);
}

/* A plan of the set that a library does not take is said and left: a choice follows. */
static void
say_left(const struct hop_plan_key *key, struct hop_err *e)
{
    hop_log(HOP_LOG_WARN, "%s: %s", key->problem, e->what);
    hop_err_clear(e);
}

static void
plan_free(struct hop_cuda_fast_plan *p)
{
    if (!p)
        return;
    hop_conv_plan_free(p->plan);
    hop_blas_plan_free(p->dense);
    free(p);
}

/* text: from the set of plans, or NULL. */
static int
plan_conv(struct hop_cuda_fast_plan *p, const struct hop_conv_spec *spec,
          const struct hop_plan_key *key, const char *text, struct hop_err *e)
{
    const struct hop_cuda_blas *b = p->blas;
    struct hop_err left = {0}, none = {0};
    char *told = NULL;
    int rc;

    if (text && !hop_conv_plan_read(b->lib, &b->here, spec, text, &p->plan, &left))
        return HOP_OK;
    if (text)
        say_left(key, &left);
    rc = hop_conv_plan_new(b->lib, &b->here, spec, max_workspace_bytes, &p->plan, e);
    if (!rc && on_plan && !hop_conv_plan_text(p->plan, &told, &none))
        tell(key, told);
    hop_err_clear(&none);
    free(told);
    return rc;
}

static int
plan_dense(struct hop_cuda_fast_plan *p, const struct hop_conv_spec *spec,
           enum hop_cuda_precision precision, const struct hop_plan_key *key, const char *text,
           struct hop_err *e)
{
    const struct hop_cuda_blas *b = p->blas;
    struct hop_err left = {0};
    char told[HOP_BLAS_TEXT];
    int rc;

    if (text && !hop_blas_plan_new(b->dense, b->dense_handle, &spec->conv, precision,
                                   max_workspace_bytes, text, &p->dense, &left))
        return HOP_OK;
    if (text)
        say_left(key, &left);
    rc = hop_blas_plan_new(b->dense, b->dense_handle, &spec->conv, precision, max_workspace_bytes,
                           NULL, &p->dense, e);
    if (!rc) {
        hop_blas_plan_text(p->dense, told);
        tell(key, told);
    }
    return rc;
}

static int
plan_new(struct hop_cuda_context *c, const struct hop_cuda_conv *conv,
         enum hop_cuda_precision precision, struct hop_cuda_fast_plan **out,
         size_t *workspace_bytes, struct hop_err *e)
{
    struct hop_conv_spec spec = {*conv, precision == HOP_CUDA_BF16 ? HOP_CONV_BF16 : HOP_CONV_TF32};
    struct hop_cuda_fast_plan *p;
    struct hop_str set = {0};
    char problem[200], gpu[16];
    struct hop_plan_key key;
    const char *text;
    bool is_dense;
    int rc;

    *out = NULL;
    if ((rc = start(c, e)))
        return rc;
    if (!(p = hop_alloc(1, sizeof *p, e)))
        return HOP_ENOMEM;
    p->context = c;
    p->blas = c->blas;
    is_dense = c->blas->dense && hop_blas_takes(conv);
    hop_conv_spec_text(&spec, problem, sizeof problem);
    snprintf(gpu, sizeof gpu, "sm_%d", c->capability);
    key = (struct hop_plan_key){gpu, is_dense ? c->blas->dense->version : c->blas->lib->version,
                                problem};
    text = hop_plan_set_find(plans, &key, &set) && !set.is_oom ? set.s : NULL;
    rc = is_dense ? plan_dense(p, &spec, precision, &key, text, e)
                  : plan_conv(p, &spec, &key, text, e);
    hop_str_clear(&set);
    if (rc) {
        plan_free(p);
        return rc;
    }
    *workspace_bytes = is_dense ? hop_blas_plan_workspace(p->dense) : p->plan->workspace_bytes;
    *out = p;
    return HOP_OK;
}

static uint64_t
plan_digest(const struct hop_cuda_fast_plan *p)
{
    return p->dense ? hop_blas_plan_digest(p->dense) : hop_conv_plan_digest(p->plan);
}

static int
run(struct hop_cuda_fast_plan *p, struct hop_cuda_stream *s, const void *in, const void *in2,
    const void *bias, void *out, void *workspace, struct hop_err *e)
{
    struct hop_cuda_blas *b = p->blas;
    int rc;

    hop_cuda_use(p->context);
    if (p->dense)
        return hop_blas_plan_run(p->dense, b->dense_handle, (cudaStream_t)s, in, in2, bias, out,
                                 workspace, e);
    if (b->stream != (CUstream)s) {
        if ((rc = hop_cudnn_check(b->lib, b->lib->cudnnSetStream(b->here.handle, (CUstream)s),
                                  "stream", e)))
            return rc;
        b->stream = (CUstream)s;
    }
    return hop_conv_plan_run(p->plan, b->here.handle, in, in2, bias, out, workspace, e);
}

static const struct hop_cuda_fast table = {hop_cuda_fast_version, channels, plan_new, plan_digest, plan_free,
                                           run};
const struct hop_cuda_fast *const hop_cuda_fast_table = &table;

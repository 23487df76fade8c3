/* The seam of fast.h over cuDNN: a plan per problem, from the plan set if it is there, else chosen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/cuda/gpu/context.h"
#include "engine/cuda/gpu/conv_plan.h"
#include "engine/cuda/gpu/plan_set.h"

/* More would buy little: the engines ranked first for small nets want less than 20 MB. */
static const size_t max_workspace_bytes = 64 << 20;

struct hop_cuda_blas {
    const struct hop_cudnn *lib;
    struct hop_cudnn_device here;
    CUstream stream; /* the handle's, NULL before the first run */
};

struct hop_cuda_fast_plan {
    struct hop_cuda_context *context;
    struct hop_cuda_blas *blas; /* the context's */
    struct hop_conv_plan *plan;
};

static const char *plans = "";
static void (*on_plan)(const char *line);

void
hop_cuda_fast_plans(const char *text, void (*told)(const char *line))
{
    plans = text ? text : "";
    on_plan = told;
}

const char *
hop_cuda_fast_version(struct hop_err *e)
{
    static char text[48];
    const struct hop_cudnn *lib;

    if (hop_cudnn_open(&lib, e))
        return "";
    snprintf(text, sizeof text, "cudnn %s", lib->version);
    return text;
}

static int
start(struct hop_cuda_context *c, struct hop_err *e)
{
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
    c->blas = b;
    return HOP_OK;
}

void
hop_cuda_fast_close(struct hop_cuda_context *c)
{
    if (c->blas && hop_cuda_use(c))
        hop_cudnn_device_clear(c->blas->lib, &c->blas->here);
    free(c->blas);
    c->blas = NULL;
}

/* From the set of plans. A plan that cuDNN does not take is said and left: a choice follows. */
static void
find_plan(const struct hop_cuda_blas *b, const struct hop_conv_spec *spec,
          const struct hop_plan_key *key, struct hop_conv_plan **out)
{
    struct hop_str text = {0};
    struct hop_err e = {0};

    *out = NULL;
    if (hop_plan_set_find(plans, key, &text) && !text.is_oom &&
        hop_conv_plan_read(b->lib, &b->here, spec, text.s, out, &e))
        hop_log(HOP_LOG_WARN, "%s: %s", key->problem, e.what);
    hop_str_clear(&text);
}

static void
tell(const struct hop_conv_plan *plan, const struct hop_plan_key *key)
{
    struct hop_str line = {0};
    struct hop_err e = {0};
    char *text;

    if (!on_plan || hop_conv_plan_text(plan, &text, &e))
        return;
    if (hop_plan_set_line(key, text, &line) && !line.is_oom)
        on_plan(line.s);
    hop_str_clear(&line);
    free(text);
}

static void
plan_free(struct hop_cuda_fast_plan *p)
{
    if (!p)
        return;
    hop_conv_plan_free(p->plan);
    free(p);
}

static int
plan_new(struct hop_cuda_context *c, const struct hop_cuda_conv *conv,
         struct hop_cuda_fast_plan **out, size_t *workspace_bytes, struct hop_err *e)
{
    struct hop_conv_spec spec = {*conv, HOP_CONV_BF16};
    struct hop_cuda_fast_plan *p;
    char problem[200], gpu[16];
    struct hop_plan_key key;
    int rc;

    *out = NULL;
    if ((rc = start(c, e)))
        return rc;
    if (!(p = hop_alloc(1, sizeof *p, e)))
        return HOP_ENOMEM;
    p->context = c;
    p->blas = c->blas;
    hop_conv_spec_text(&spec, problem, sizeof problem);
    snprintf(gpu, sizeof gpu, "sm_%d", c->capability);
    key = (struct hop_plan_key){gpu, c->blas->lib->version, problem};
    find_plan(c->blas, &spec, &key, &p->plan);
    if (!p->plan) {
        rc = hop_conv_plan_new(c->blas->lib, &c->blas->here, &spec, max_workspace_bytes, &p->plan, e);
        if (rc) {
            plan_free(p);
            return rc;
        }
        tell(p->plan, &key);
    }
    *workspace_bytes = p->plan->workspace_bytes;
    *out = p;
    return HOP_OK;
}

static int
run(struct hop_cuda_fast_plan *p, struct hop_cuda_stream *s, const void *in, const void *in2,
    const void *bias, void *out, void *workspace, struct hop_err *e)
{
    struct hop_cuda_blas *b = p->blas;
    int rc;

    hop_cuda_use(p->context);
    if (b->stream != (CUstream)s) {
        if ((rc = hop_cudnn_check(b->lib, b->lib->cudnnSetStream(b->here.handle, (CUstream)s),
                                  "stream", e)))
            return rc;
        b->stream = (CUstream)s;
    }
    return hop_conv_plan_run(p->plan, b->here.handle, in, in2, bias, out, workspace, e);
}

static const struct hop_cuda_fast table = {hop_cuda_fast_version, plan_new, plan_free, run};
const struct hop_cuda_fast *const hop_cuda_fast_table = &table;

#include "engine/cuda/gpu/conv_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Names of the tensors in an operation graph: what run binds pointers to. */
enum { UID_IN = 1, UID_IN2, UID_OUT, UID_BIAS, UID_VIRTUAL };
enum { MAX_CONFIGS = 64, MAX_NOTES = 16, MAX_KNOBS = 32 };

typedef cudnnBackendDescriptor_t desc; /* cuDNN's own name is longer than what it says */

static const char *const pass_names[] = {"fprop", "dgrad", "wgrad"};
static const char *const precision_names[] = {"bf16", "tf32", "fp32"};

/* ---- descriptors ---- */

/* A descriptor that the plan frees at its end. */
static cudnnStatus_t
part(struct hop_conv_plan *p, cudnnBackendDescriptorType_t type, desc *out)
{
    cudnnStatus_t s = p->lib->cudnnBackendCreateDescriptor(type, out);

    HOP_BUG_ON(p->n_parts == (int)HOP_LEN(p->parts));
    if (!s)
        p->parts[p->n_parts++] = *out;
    return s;
}

#define SET(d, name, type, n, value)                                                               \
    do {                                                                                           \
        if (!s)                                                                                    \
            s = p->lib->cudnnBackendSetAttribute(d, name, type, n, value);                         \
    } while (0)
#define FINISH(d)                                                                                  \
    do {                                                                                           \
        if (!s)                                                                                    \
            s = p->lib->cudnnBackendFinalize(d);                                                   \
    } while (0)

/* A tensor of n, c, h, w as cuDNN orders dimensions, NHWC in memory. */
static cudnnStatus_t
tensor(struct hop_conv_plan *p, int64_t uid, cudnnDataType_t type, const int64_t dims[4],
       bool is_virtual, desc *out)
{
    int64_t strides[4] = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};
    int64_t alignment = 16;
    cudnnStatus_t s = part(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR, out);

    SET(*out, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    SET(*out, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    SET(*out, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    SET(*out, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    SET(*out, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
    SET(*out, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    FINISH(*out);
    return s;
}

static cudnnStatus_t
convolution(struct hop_conv_plan *p, const struct hop_cuda_conv *c, desc *out)
{
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    int64_t n_dims = 2, stride[] = {c->stride_h, c->stride_w},
            dilation[] = {c->dilation_h, c->dilation_w}, pre[] = {c->pad_top, c->pad_left},
            post[] = {c->pad_bottom, c->pad_right};
    cudnnStatus_t s = part(p, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, out);

    SET(*out, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    SET(*out, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    SET(*out, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &n_dims);
    SET(*out, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
    SET(*out, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    SET(*out, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pre);
    SET(*out, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, post);
    FINISH(*out);
    return s;
}

/* y = mode(x, b); b NULL for a function of x alone. */
static cudnnStatus_t
pointwise(struct hop_conv_plan *p, cudnnPointwiseMode_t mode, desc x, desc b, desc y, desc *out)
{
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    desc pw;
    cudnnStatus_t s = part(p, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, &pw);

    SET(pw, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    SET(pw, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
    FINISH(pw);
    if (!s)
        s = part(p, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, out);
    SET(*out, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &pw);
    SET(*out, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &x);
    if (b)
        SET(*out, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &b);
    SET(*out, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y);
    FINISH(*out);
    return s;
}

/* The convolution of a pass between three tensors: in, in2, out of fast.h. */
static cudnnStatus_t
convolve(struct hop_conv_plan *p, enum hop_cuda_pass pass, desc conv, desc in, desc in2, desc out,
         desc *op)
{
    static const struct {
        cudnnBackendDescriptorType_t type;
        cudnnBackendAttributeName_t conv, in, in2, out, alpha, beta;
    } rows[] = {
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
    };
    float one = 1, zero = 0;
    cudnnStatus_t s = part(p, rows[pass].type, op);

    SET(*op, rows[pass].conv, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &conv);
    SET(*op, rows[pass].in, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &in);
    SET(*op, rows[pass].in2, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &in2);
    SET(*op, rows[pass].out, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &out);
    SET(*op, rows[pass].alpha, CUDNN_TYPE_FLOAT, 1, &one);
    SET(*op, rows[pass].beta, CUDNN_TYPE_FLOAT, 1, &zero);
    FINISH(*op);
    return s;
}

/* The operations of a forward pass: convolution, + bias, ReLU; what lies between is virtual. */
static cudnnStatus_t
forward_ops(struct hop_conv_plan *p, const struct hop_conv_spec *spec, desc conv, desc x, desc w,
            const int64_t y_dims[4], cudnnDataType_t type, desc ops[3], int64_t *n_ops)
{
    const struct hop_cuda_conv *c = &spec->conv;
    int n_after = !!c->has_bias + !!c->has_relu, i = 0;
    int64_t bias_dims[4] = {1, c->K, 1, 1};
    desc y[3], bias = NULL;
    cudnnStatus_t s = CUDNN_STATUS_SUCCESS;

    for (i = 0; i <= n_after && !s; i++)
        s = tensor(p, i == n_after ? UID_OUT : UID_VIRTUAL + i,
                   i == n_after ? type : CUDNN_DATA_FLOAT, y_dims, i < n_after, &y[i]);
    if (!s)
        s = convolve(p, c->pass, conv, x, w, y[0], &ops[0]);
    *n_ops = 1;
    if (!s && c->has_bias) {
        s = tensor(p, UID_BIAS, type, bias_dims, false, &bias);
        if (!s)
            s = pointwise(p, CUDNN_POINTWISE_ADD, y[0], bias, y[1], &ops[1]);
        *n_ops = 2;
    }
    if (!s && c->has_relu) {
        s = pointwise(p, CUDNN_POINTWISE_RELU_FWD, y[n_after - 1], NULL, y[n_after], &ops[*n_ops]);
        ++*n_ops;
    }
    return s;
}

/* The whole operation graph of spec. */
static cudnnStatus_t
make_graph(struct hop_conv_plan *p, const struct hop_conv_spec *spec,
           const struct hop_cudnn_device *device)
{
    const struct hop_cuda_conv *c = &spec->conv;
    cudnnDataType_t type = spec->precision == HOP_CONV_BF16 ? CUDNN_DATA_BFLOAT16
                                                            : CUDNN_DATA_FLOAT;
    int64_t x_dims[4] = {c->n, c->C, c->H, c->W}, w_dims[4] = {c->K, c->C / c->groups, c->kh, c->kw},
            y_dims[4] = {c->n, c->K, c->P, c->Q}, n_ops = 1;
    bool is_wgrad = c->pass == HOP_CUDA_WEIGHT_GRADIENT;
    desc conv, in = NULL, in2 = NULL, out = NULL, ops[3];
    cudnnStatus_t s = convolution(p, c, &conv);

    if (!s)
        s = tensor(p, UID_IN, type, c->pass == HOP_CUDA_DATA_GRADIENT ? y_dims : x_dims, false,
                   &in);
    if (!s)
        s = tensor(p, UID_IN2, type, is_wgrad ? y_dims : w_dims, false, &in2);
    if (!s && c->pass == HOP_CUDA_FORWARD) {
        s = forward_ops(p, spec, conv, in, in2, y_dims, type, ops, &n_ops);
    } else if (!s) {
        s = tensor(p, UID_OUT, type, is_wgrad ? w_dims : x_dims, false, &out);
        if (!s)
            s = convolve(p, c->pass, conv, in, in2, out, &ops[0]);
    }
    if (!s)
        s = part(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, &p->graph);
    if (device->handle)
        SET(p->graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &device->handle);
    SET(p->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n_ops, ops);
    FINISH(p->graph);
    return s;
}

/* ---- choosing ---- */

/* The notes of an engine as bits. */
static uint32_t
read_notes(const struct hop_cudnn *lib, desc engine, cudnnBackendAttributeName_t name,
           cudnnBackendAttributeType_t type)
{
    int notes[MAX_NOTES]; /* enums of cuDNN's */
    int64_t i, n = 0;
    uint32_t bits = 0;

    if (!lib->cudnnBackendGetAttribute(engine, name, type, MAX_NOTES, &n, notes))
        for (i = 0; i < n && i < MAX_NOTES; i++)
            bits |= 1u << notes[i];
    return bits;
}

static void
read_knobs(const struct hop_cudnn *lib, desc config, char *out, size_t size)
{
    desc knobs[MAX_KNOBS] = {0};
    int64_t i, n = 0, one, value;
    cudnnBackendKnobType_t type;
    size_t used = 0;

    out[0] = '\0';
    for (i = 0; i < MAX_KNOBS; i++)
        if (lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &knobs[i]))
            break;
    if (i == MAX_KNOBS &&
        !lib->cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_KNOBS, &n, knobs))
        for (i = 0; i < n && i < MAX_KNOBS && used < size; i++)
            if (!lib->cudnnBackendGetAttribute(knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                               CUDNN_TYPE_KNOB_TYPE, 1, &one, &type) &&
                !lib->cudnnBackendGetAttribute(knobs[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE,
                                               CUDNN_TYPE_INT64, 1, &one, &value))
                used += (size_t)snprintf(out + used, size - used, "%s%d=%lld", used ? " " : "",
                                         (int)type, (long long)value);
    for (i = 0; i < MAX_KNOBS; i++)
        if (knobs[i])
            lib->cudnnBackendDestroyDescriptor(knobs[i]);
}

#define NOTE(name)      (1u << CUDNN_NUMERICAL_NOTE_##name)
#define BEHAVIOUR(name) (1u << CUDNN_BEHAVIOR_NOTE_##name)

/* Why an engine with these notes will not do, or NULL. */
static const char *
refusal(const struct hop_conv_plan *p, enum hop_conv_precision precision, bool wants_tensor_cores)
{
    if (p->notes & NOTE(NONDETERMINISTIC))
        return "not deterministic";
    if (p->notes & (NOTE(FFT) | NOTE(WINOGRAD) | NOTE(REDUCED_PRECISION_REDUCTION)))
        return "not exact enough";
    if (wants_tensor_cores && !(p->notes & NOTE(TENSOR_CORE)))
        return "no tensor cores";
    if (precision == HOP_CONV_FP32 && p->notes & (NOTE(TENSOR_CORE) | NOTE(DOWN_CONVERT_INPUTS)))
        return "rounds its inputs";
    if (p->behaviour & (BEHAVIOUR(RUNTIME_COMPILATION) | BEHAVIOUR(CUBLASLT_DEPENDENCY)))
        return "compiled at run time";
    return NULL;
}

static cudnnStatus_t
finish_plan(struct hop_conv_plan *p, const struct hop_cudnn_device *device, desc config)
{
    int64_t n, bytes = 0;
    cudnnStatus_t s;

    s = p->lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &p->plan);
    if (device->handle)
        SET(p->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &device->handle);
    else
        SET(p->plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
            &device->described);
    SET(p->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
    FINISH(p->plan);
    if (!s)
        s = p->lib->cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                             CUDNN_TYPE_INT64, 1, &n, &bytes);
    p->workspace_bytes = (size_t)bytes;
    return s;
}

static void
drop_plan(struct hop_conv_plan *p)
{
    if (p->plan)
        p->lib->cudnnBackendDestroyDescriptor(p->plan);
    p->plan = NULL;
}

/* Make p of one engine configuration; NULL, or why it will not do. */
static const char *
try_config(struct hop_conv_plan *p, const struct hop_cudnn_device *device, desc config, desc engine,
           enum hop_conv_precision precision, bool wants_tensor_cores, size_t max_bytes)
{
    const char *why;
    int64_t n;

    if (p->lib->cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                                         CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine) ||
        p->lib->cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64,
                                         1, &n, &p->engine))
        return "cuDNN says nothing of it";
    p->notes = read_notes(p->lib, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                          CUDNN_TYPE_NUMERICAL_NOTE);
    p->behaviour = read_notes(p->lib, engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
                              CUDNN_TYPE_BEHAVIOR_NOTE);
    if ((why = refusal(p, precision, wants_tensor_cores)))
        return why;
    if (finish_plan(p, device, config)) {
        drop_plan(p);
        return "cuDNN cannot finish it";
    }
    if (p->workspace_bytes > max_bytes) {
        drop_plan(p);
        return "wants too large a workspace";
    }
    read_knobs(p->lib, config, p->knobs, sizeof p->knobs);
    return NULL;
}

/* The ranked configurations of one heuristic; *n of them, all [MAX_CONFIGS] to be destroyed. */
static cudnnStatus_t
ask(struct hop_conv_plan *p, const struct hop_cudnn_device *device, cudnnBackendHeurMode_t mode,
    desc *configs, int64_t *n)
{
    desc heuristic;
    cudnnStatus_t s = part(p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristic);
    int i;

    *n = 0;
    SET(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
        &p->graph);
    SET(heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (!device->handle)
        SET(heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
            &device->described);
    FINISH(heuristic);
    for (i = 0; i < MAX_CONFIGS && !s; i++)
        s = p->lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[i]);
    if (!s)
        s = p->lib->cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_CONFIGS, n, configs);
    *n = *n < MAX_CONFIGS ? *n : MAX_CONFIGS;
    return s;
}

/* The first configuration that will do, in cuDNN's order: NULL when found, else why the first was
 * refused. */
static const char *
choose(struct hop_conv_plan *p, const struct hop_cudnn_device *device,
       enum hop_conv_precision precision, bool wants_tensor_cores, size_t max_bytes)
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    const char *why, *first = NULL;
    desc configs[MAX_CONFIGS], engine = NULL;
    bool is_found = false;
    int64_t k, n;
    size_t i;

    if (p->lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine))
        return "cuDNN is out of memory";
    for (i = 0; i < HOP_LEN(modes) && !is_found; i++) {
        memset(configs, 0, sizeof configs);
        if (ask(p, device, modes[i], configs, &n))
            n = 0;
        for (k = 0; k < n && !is_found; k++) {
            why = try_config(p, device, configs[k], engine, precision, wants_tensor_cores,
                             max_bytes);
            is_found = !why;
            first = first ? first : why;
            p->n_tried += !!why;
        }
        for (k = 0; k < MAX_CONFIGS; k++)
            if (configs[k])
                p->lib->cudnnBackendDestroyDescriptor(configs[k]);
    }
    p->lib->cudnnBackendDestroyDescriptor(engine);
    return is_found ? NULL : first ? first : "cuDNN offers none";
}

/* ---- the functions of the header ---- */

int64_t
hop_conv_channels(int64_t c, int64_t groups, enum hop_conv_precision precision)
{
    return precision == HOP_CONV_BF16 && groups == 1 ? (c + 7) / 8 * 8 : c;
}

void
hop_conv_spec_text(const struct hop_conv_spec *spec, char *out, size_t n)
{
    const struct hop_cuda_conv *c = &spec->conv;

#define LL(x) (long long)c->x
    snprintf(out, n,
             "%s%s%s-%s-n%lld-h%lld-w%lld-c%lld-k%lld-r%lld-s%lld-p%lld-q%lld-u%lld-v%lld-d%lld-e%lld-"
             "t%lld-l%lld-b%lld-a%lld-g%lld",
             pass_names[c->pass], c->has_bias ? "+bias" : "", c->has_relu ? "+relu" : "",
             precision_names[spec->precision], LL(n), LL(H), LL(W), LL(C), LL(K), LL(kh), LL(kw),
             LL(P), LL(Q), LL(stride_h), LL(stride_w), LL(dilation_h), LL(dilation_w), LL(pad_top),
             LL(pad_left), LL(pad_bottom), LL(pad_right), LL(groups));
#undef LL
}

void
hop_conv_plan_free(struct hop_conv_plan *p)
{
    if (!p)
        return;
    drop_plan(p);
    while (p->n_parts)
        p->lib->cudnnBackendDestroyDescriptor(p->parts[--p->n_parts]);
    free(p);
}

static struct hop_conv_plan *
start(const struct hop_cudnn *lib, const struct hop_conv_spec *spec, struct hop_err *e)
{
    struct hop_conv_plan *p = hop_alloc(1, sizeof *p, e);

    if (p) {
        p->lib = lib;
        p->has_bias = spec->conv.pass == HOP_CUDA_FORWARD && spec->conv.has_bias;
    }
    return p;
}

int
hop_conv_plan_new(const struct hop_cudnn *lib, const struct hop_cudnn_device *device,
                  const struct hop_conv_spec *spec, size_t max_workspace_bytes,
                  struct hop_conv_plan **out, struct hop_err *e)
{
    struct hop_conv_plan *p = start(lib, spec, e);
    char text[200];
    const char *why;
    int rc;

    *out = NULL;
    if (!p)
        return HOP_ENOMEM;
    hop_conv_spec_text(spec, text, sizeof text);
    if ((rc = hop_cudnn_check(lib, make_graph(p, spec, device), text, e))) {
        hop_conv_plan_free(p);
        return rc;
    }
    /* depthwise convolutions have no engines for tensor cores */
    if ((why = choose(p, device, spec->precision, spec->precision == HOP_CONV_BF16,
                      max_workspace_bytes)) &&
        (spec->precision != HOP_CONV_BF16 || spec->conv.groups == 1 ||
         choose(p, device, spec->precision, false, max_workspace_bytes))) {
        hop_conv_plan_free(p);
        return hop_fail(e, HOP_EFORMAT, "device cuda", "use another --precision",
                        "cuDNN %s has no engine for %s: the best is refused: %s", lib->version, text,
                        why);
    }
    *out = p;
    return HOP_OK;
}

int
hop_conv_plan_text(const struct hop_conv_plan *p, char **out, struct hop_err *e)
{
    int64_t n = 0;
    cudnnStatus_t s;

    *out = NULL;
    s = p->lib->cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                         CUDNN_TYPE_CHAR, 0, &n, NULL);
    if (s)
        return hop_cudnn_check(p->lib, s, "plan as text", e);
    if (!(*out = hop_alloc((size_t)n + 1, 1, e)))
        return HOP_ENOMEM;
    s = p->lib->cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                         CUDNN_TYPE_CHAR, n, &n, *out);
    if (s) {
        free(*out);
        *out = NULL;
    }
    return hop_cudnn_check(p->lib, s, "plan as text", e);
}

/* FNV-1a over cuDNN's text of the plan, the part that names the device left out. */
uint64_t
hop_conv_text_digest(const char *text)
{
    const char *from = strstr(text, "\"GPUProfile\""), *to = strstr(text, "\"engine\":{");
    uint64_t h = 14695981039346656037u;

    for (; *text; text++)
        if (!from || !to || text < from || text >= to)
            h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

uint64_t
hop_conv_plan_digest(const struct hop_conv_plan *p)
{
    struct hop_err e = {0};
    uint64_t h = 0;
    char *text;

    if (!hop_conv_plan_text(p, &text, &e))
        h = hop_conv_text_digest(text);
    hop_err_clear(&e);
    free(text);
    return h;
}

int
hop_conv_plan_read(const struct hop_cudnn *lib, const struct hop_cudnn_device *device,
                   const struct hop_conv_spec *spec, const char *text, struct hop_conv_plan **out,
                   struct hop_err *e)
{
    struct hop_conv_plan *p = start(lib, spec, e);
    struct hop_err ignored = {0};
    cudnnStatus_t s;
    int64_t n, bytes = 0;

    *out = NULL;
    if (!p)
        return HOP_ENOMEM;
    s = lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &p->plan);
    if (device->handle)
        SET(p->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &device->handle);
    else
        SET(p->plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
            &device->described);
    SET(p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
        (int64_t)strlen(text) + 1, text);
    FINISH(p->plan);
    if (!s)
        s = lib->cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                          CUDNN_TYPE_INT64, 1, &n, &bytes);
    if (s) {
        hop_conv_plan_free(p);
        hop_cudnn_check(lib, s, "plan", &ignored);
        return hop_fail(e, HOP_EFORMAT, "device cuda",
                        "plans are for one GPU architecture and one version of cuDNN",
                        "cuDNN %s does not take this plan: %s", lib->version, ignored.what);
    }
    p->workspace_bytes = (size_t)bytes;
    *out = p;
    return HOP_OK;
}

int
hop_conv_plan_run(const struct hop_conv_plan *p, cudnnHandle_t handle, const void *in,
                  const void *in2, const void *bias, void *out, void *workspace, struct hop_err *e)
{
    int64_t uids[4] = {UID_IN, UID_IN2, UID_OUT, UID_BIAS};
    const void *pointers[4] = {in, in2, out, bias};
    int64_t n = p->has_bias ? 4 : 3;
    desc pack = NULL;
    cudnnStatus_t s;

    s = p->lib->cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    SET(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, uids);
    SET(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, pointers);
    SET(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    FINISH(pack);
    if (!s)
        s = p->lib->cudnnBackendExecute(handle, p->plan, pack);
    if (pack)
        p->lib->cudnnBackendDestroyDescriptor(pack);
    return hop_cudnn_check(p->lib, s, "convolution", e);
}

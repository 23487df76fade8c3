/* t_conv_plan - which plans cuDNN would run on a GPU, without one: every convolution and dense layer of
 * every net of the zoo, all three passes, usual batches and their tails. Each must be deterministic,
 * on tensor cores in bfloat16, within the workspace, and the choice for sm_90 the one in
 * test/golden/cudnn/plans-sm_90.jsonl. A line of it that changes means other bits on GPUs: look at it,
 * say so in NEWS.md, and make the file anew: t_conv_plan --write > FILE. On a machine with a GPU,
 * t_conv_plan --here prints its true properties, as test/golden/cudnn/sm_90.json has them.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/cuda/gpu/conv_plan.h"
#include "format/json.h"
#include "net/net.h"
#include "net/zoo.h"

static const char golden_path[] = "test/golden/cudnn/plans-sm_90.jsonl";
static const size_t workspace_cap = 64 << 20;
/* 3125 examples (CIFAR-10 in 16 shards) leave 21 at batch 32, 53 at all larger ones */
static const int64_t batches[] = {32, 64, 128, 256, 512, 1024, 21, 53};

static const struct hop_cudnn *lib, *plain; /* lib counts descriptors */
static int64_t n_made, n_destroyed;
static struct hop_cudnn_device device;
static bool is_writing;
static struct hop_conv_spec *specs; /* no two alike */
static size_t n_specs, cap_specs;

/* cuDNN keeps memory until the end (a cublasLt that found no driver); what we make is counted. */
int __lsan_is_turned_off(void);
int
__lsan_is_turned_off(void)
{
    return 1;
}

static cudnnStatus_t
make(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *d)
{
    cudnnStatus_t s = plain->cudnnBackendCreateDescriptor(type, d);

    n_made += !s;
    return s;
}

static cudnnStatus_t
destroy(cudnnBackendDescriptor_t d)
{
    n_destroyed++;
    return plain->cudnnBackendDestroyDescriptor(d);
}

static char *
read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 21);

    if (!f || !text || fread(text, 1, (1 << 21) - 1, f) == 0) {
        printf("Bail out! cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    return text;
}

static void
add(struct hop_conv_spec spec)
{
    struct hop_err e = {0};
    size_t i;

    for (i = 0; i < n_specs; i++)
        if (!memcmp(&specs[i], &spec, sizeof spec))
            return;
    if (hop_grow(&specs, &cap_specs, n_specs + 1, sizeof *specs, &e))
        exit(1);
    specs[n_specs++] = spec;
}

/* One layer as a problem of the forward pass at batch 1; false if it is neither kind. */
static bool
problem(const struct hop_net *net, int i, struct hop_cuda_conv *c)
{
    const struct hop_layer *l = &net->layers[i];
    const struct hop_layer *next = i + 1 < net->n_layers ? &net->layers[i + 1] : NULL;
    int d = l->in_shape.n_dims;

    memset(c, 0, sizeof *c);
    if (!strcmp(l->kind->op, "Conv2D")) {
        const struct hop_conv2d *p = l->params;

        *c = (struct hop_cuda_conv){
            HOP_CUDA_FORWARD, 1, d == 3 ? l->in_shape.d[0] : 1, l->in_shape.d[d - 2],
            l->in_shape.d[d - 1], p->filters, p->kh, p->kw, d == 3 ? l->out_shape.d[0] : 1,
            l->out_shape.d[d - 2], p->stride_h, p->stride_w, p->dilation_h, p->dilation_w,
            p->pad_top, p->pad_left, p->pad_bottom, p->pad_right, p->groups, p->use_bias, 0};
    } else if (!strcmp(l->kind->op, "Dense")) {
        const struct hop_dense *p = l->params;

        *c = (struct hop_cuda_conv){HOP_CUDA_FORWARD, 1, 1, 1, l->in_shape.d[0], p->units, 1, 1, 1, 1,
                                    1, 1, 1, 1, 0, 0, 0, 0, 1, p->use_bias, 0};
    } else {
        return false;
    }
    if (c->has_bias && next && next->is_inner && !strcmp(next->kind->op, "Activation"))
        c->has_relu = ((const struct hop_activation *)next->params)->act == HOP_RELU;
    return true;
}

static void
add_layer(const struct hop_net *net, int i)
{
    struct hop_conv_spec spec;
    struct hop_cuda_conv c;
    int precision, pass;
    size_t b;

    if (!problem(net, i, &c))
        return;
    for (precision = HOP_CONV_BF16; precision <= HOP_CONV_FP32; precision++)
        for (pass = HOP_CUDA_FORWARD; pass <= HOP_CUDA_WEIGHT_GRADIENT; pass++)
            for (b = 0; b < HOP_LEN(batches); b++) {
                memset(&spec, 0, sizeof spec);
                spec.conv = c;
                spec.precision = precision;
                spec.conv.pass = pass;
                spec.conv.n = batches[b];
                spec.conv.C = hop_conv_channels(c.C, c.groups, precision);
                if (pass != HOP_CUDA_FORWARD)
                    spec.conv.has_bias = spec.conv.has_relu = 0;
                /* float32 is the device's own kernels' business: a sample of it; cuDNN's engines
                 * count the elements of a tensor in 31 bits */
                if ((precision == HOP_CONV_BF16 || batches[b] == 64) &&
                    batches[b] * c.H * c.W * spec.conv.C < INT32_MAX &&
                    batches[b] * c.P * c.Q * c.K < INT32_MAX)
                    add(spec);
            }
}

static void
add_net(const char *path)
{
    struct hop_json *config = hop_json_object(), *j;
    struct hop_net *net;
    struct hop_err e = {0};
    int i;

    hop_json_set_str(config, "model", path);
    if (hop_zoo_find(config, "share/nets", path, &j, &e) || hop_net_parse(j, path, &net, &e)) {
        printf("Bail out! %s: %s\n", e.where, e.what);
        exit(1);
    }
    for (i = 0; i < net->n_layers; i++)
        add_layer(net, i);
    hop_net_free(net);
    hop_json_free(j);
    hop_json_free(config);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add_zoo(void)
{
    DIR *dir = opendir("share/nets");
    struct dirent *d;
    char *names[100], path[400];
    size_t n = 0, i;

    while (dir && (d = readdir(dir)) && n < HOP_LEN(names))
        if (strstr(d->d_name, ".json"))
            names[n++] = hop_dup(d->d_name, NULL);
    if (dir)
        closedir(dir);
    qsort(names, n, sizeof *names, by_name);
    for (i = 0; i < n; i++) {
        snprintf(path, sizeof path, "share/nets/%s", names[i]);
        add_net(path);
        free(names[i]);
    }
}

/* The plan of specs[i] as a line of the golden file, "" where there is none. */
static bool
plan_line(size_t i, const char *where, char *line, size_t n)
{
    const uint32_t tensor_cores = 1u << CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    const struct hop_conv_spec *s = &specs[i];
    struct hop_conv_plan *p, *again;
    struct hop_err e = {0};
    char name[200], *text;
    bool is_right;

    *line = '\0';
    hop_conv_spec_text(s, name, sizeof name);
    if (hop_conv_plan_new(lib, &device, s, workspace_cap, &p, &e))
        return ok(false, "%s: %s", where, e.what);
    is_right = !(p->notes & 1u << CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) &&
               p->workspace_bytes <= workspace_cap &&
               (s->precision != HOP_CONV_BF16 || s->conv.groups > 1 || p->notes & tensor_cores) &&
               (s->precision != HOP_CONV_FP32 || !(p->notes & tensor_cores));
    if (!is_right)
        ok(false, "%s: %s: engine %lld, notes %x, %zu bytes", where, name, (long long)p->engine,
           p->notes, p->workspace_bytes);
    if (hop_conv_plan_text(p, &text, &e)) {
        is_right = ok(false, "%s: %s: %s", where, name, e.what);
    } else {
        snprintf(line, n,
                 "{\"problem\":\"%s\",\"engine\":%lld,\"knobs\":\"%s\",\"workspace\":%zu,\"notes\":%u,"
                 "\"digest\":\"%016llx\"}\n",
                 name, (long long)p->engine, p->knobs, p->workspace_bytes, p->notes,
                 (unsigned long long)hop_conv_text_digest(text));
        if (hop_conv_plan_read(lib, &device, s, text, &again, &e))
            is_right = ok(false, "%s: %s: %s", where, name, e.what);
        else if (again->workspace_bytes != p->workspace_bytes)
            is_right = ok(false, "%s: %s: another plan when read back", where, name);
        if (!e.code)
            hop_conv_plan_free(again);
        free(text);
    }
    hop_conv_plan_free(p);
    return is_right;
}

/* golden: NULL, or lines in the order of specs behind a first line with cuDNN's version. */
static void
test_gpu(const char *sm, const char *golden, int64_t only_batch)
{
    struct hop_err e = {0};
    char path[200], line[800], *json;
    size_t i, n = 0, n_bad = 0, n_other = 0, len;

    snprintf(path, sizeof path, "test/golden/cudnn/%s.json", sm);
    json = read_text(path);
    if (hop_cudnn_device_described(lib, json, &device, &e)) {
        ok(false, "%s: %s", path, e.what);
        free(json);
        return;
    }
    for (i = 0; i < n_specs; i++) {
        if (only_batch && specs[i].conv.n != only_batch)
            continue;
        n++;
        n_bad += !plan_line(i, sm, line, sizeof line);
        if (is_writing)
            fputs(line, stdout);
        len = strlen(line);
        if (golden && strncmp(golden, line, len) && n_other++ < 5)
            printf("# have %s# want %.*s\n", line, (int)strcspn(golden, "\n"), golden);
        if (golden) {
            golden += strcspn(golden, "\n");
            golden += *golden == '\n';
        }
    }
    if (!is_writing)
        ok(n > 50 && !n_bad, "%s: %zu plans are deterministic, on tensor cores, in their workspace",
           sm, n - n_bad);
    if (golden)
        ok(!n_other && !*golden, "%s: %zu plans differ from the golden ones", sm, n_other);
    hop_cudnn_device_clear(lib, &device);
    free(json);
}

/* What is no plan, or no GPU, is refused in words. */
static void
test_errors(void)
{
    struct hop_conv_spec spec = {{HOP_CUDA_FORWARD, 8, 8, 8, 8, 8, 3, 3, 8, 8, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                  0, 0}, HOP_CONV_BF16};
    struct hop_conv_plan *p;
    struct hop_err e = {0};
    char *json = read_text("test/golden/cudnn/sm_90.json");

    ok(hop_cudnn_device_described(lib, "{\"deviceVer\":", &device, &e) == HOP_EDEV, "cut properties: %s",
       e.what);
    hop_err_clear(&e);
    if (hop_cudnn_device_described(lib, json, &device, &e))
        exit(1);
    ok(hop_conv_plan_read(lib, &device, &spec, "{\"engine\":{}}", &p, &e) == HOP_EFORMAT,
       "not a plan: %s", e.what);
    hop_err_clear(&e);
    spec.conv.P = 7; /* not what the padding gives */
    ok(hop_conv_plan_new(lib, &device, &spec, 0, &p, &e) != HOP_OK && e.what[0],
       "impossible shapes: %s", e.what);
    hop_cudnn_device_clear(lib, &device);
    free(json);
}

/* The properties of the first GPU. */
static int
print_here(void)
{
    struct hop_err e = {0};
    char *text;

    if (hop_cudnn_open(&lib, &e) || hop_cudnn_device_text(lib, 0, &text, &e)) {
        fprintf(stderr, "t_conv_plan: %s\n", e.what);
        return hop_err_exit(&e);
    }
    puts(text);
    free(text);
    return 0;
}

int
main(int argc, char **argv)
{
    struct hop_err e = {0};
    char first[100], *golden;
    struct hop_cudnn counting;

    if (argc > 1 && !strcmp(argv[1], "--here"))
        return print_here();
    is_writing = argc > 1 && !strcmp(argv[1], "--write");
    if (hop_cudnn_open(&plain, &e)) {
        ok(true, "no plans # skip %s", e.what);
        return tap_end();
    }
    counting = *plain;
    counting.cudnnBackendCreateDescriptor = make;
    counting.cudnnBackendDestroyDescriptor = destroy;
    lib = &counting;
    snprintf(first, sizeof first, "{\"cudnn\":\"%s\"}\n", lib->version);
    add_zoo();
    if (is_writing) {
        fputs(first, stdout);
        test_gpu("sm_90", NULL, 0);
        return 0;
    }
    test_errors();
    golden = read_text(golden_path);
    if (strncmp(golden, first, strlen(first))) {
        ok(true, "golden plans # skip cuDNN is %s, they are %.*s", lib->version,
           (int)strcspn(golden, "\n"), golden);
        test_gpu("sm_90", NULL, 0);
    } else {
        test_gpu("sm_90", golden + strlen(first), 0);
    }
    test_gpu("sm_80", NULL, 64);
    test_gpu("sm_100", NULL, 53);
    ok(n_made > 10000 && n_made == n_destroyed, "%lld descriptors made, %lld destroyed",
       (long long)n_made, (long long)n_destroyed);
    free(golden);
    free(specs);
    return tap_end();
}

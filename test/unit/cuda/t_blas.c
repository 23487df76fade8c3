/* t_blas - dense layers by cublasLt: what it is told, against a library of plain loops that knows nothing
 * else, and against those of the host driver; algorithms as text; nothing left behind. */
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"
#include "base/num.h"
#include "base/rng.h"
#include "engine/cuda/driver_host.h"
#include "engine/cuda/gpu/blas.h"
#include "engine/cuda/gpu/library.h"

enum { N = 5, C = 24, K = 7, ROOM = 256 };
static const struct hop_blas *lib;
static cublasLtHandle_t handle;
static int *live, *fail;
static uint32_t *schemes;

__attribute__((noreturn)) static void
die(const char *what, const struct hop_err *e)
{
    printf("Bail out! %s: %s (%s)\n", what, e->what, e->hint);
    exit(1);
}

static float
number(uint64_t i)
{
    uint32_t r[4];

    hop_philox(3, (uint32_t)i, 0, 0, 0, r);
    return hop_bits_f32(hop_f32_bits((float)(r[0] >> 8) / 8388608.0f - 1.0f) & 0xFFFF0000u);
}

static void
fill(void *p, int n, uint64_t from, bool is_half)
{
    for (int i = 0; i < n; i++) {
        if (is_half)
            ((uint16_t *)p)[i] = (uint16_t)(hop_f32_bits(number(from + (uint64_t)i)) >> 16);
        else
            ((float *)p)[i] = number(from + (uint64_t)i);
    }
}

static float
at(const void *p, int i, bool is_half)
{
    return is_half ? hop_bits_f32((uint32_t)((const uint16_t *)p)[i] << 16) : ((const float *)p)[i];
}

static void
test_pass(enum hop_cuda_pass pass, enum hop_cuda_precision precision, int has_bias, int has_relu)
{
    static float in[ROOM], in2[ROOM], bias[ROOM], out[ROOM], want[ROOM];
    bool is_half = precision == HOP_CUDA_BF16;
    struct hop_cuda_conv c = {pass, N, 1, 1, C, K, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, has_bias,
                              has_relu};
    struct hop_cuda_host_call call = {.conv = c, .precision = precision, .in = in, .in2 = in2,
                                      .bias = has_bias ? bias : NULL, .out = want};
    struct hop_blas_plan *p, *again;
    char text[HOP_BLAS_TEXT], text2[HOP_BLAS_TEXT], workspace[1000];
    size_t bytes[4], n;
    struct hop_err e = {0};
    double worst = 0, d;

    hop_cuda_host_fast_sizes(&call, bytes);
    fill(in, (int)(bytes[0] / (is_half ? 2 : 4)), 0, is_half);
    fill(in2, (int)(bytes[1] / (is_half ? 2 : 4)), 1000, is_half);
    fill(bias, K, 2000, is_half);
    if (hop_blas_plan_new(lib, handle, &c, precision, 64 << 20, NULL, &p, &e))
        die("plan", &e);
    hop_blas_plan_text(p, text);
    if (hop_blas_plan_new(lib, handle, &c, precision, 64 << 20, text, &again, &e))
        die("plan again", &e);
    hop_blas_plan_text(again, text2);
    hop_cuda_host_fast_run(&call);
    for (int k = 0; k < 2; k++) {
        memset(out, 0xFF, sizeof out);
        if (hop_blas_plan_run(k ? again : p, handle, (cudaStream_t)1, in, in2,
                              has_bias ? bias : NULL, out, workspace, &e))
            die("run", &e);
        n = bytes[3] / (is_half ? 2 : 4);
        for (size_t i = 0; i < n; i++) {
            d = fabs(at(out, (int)i, is_half) - at(want, (int)i, is_half));
            worst = d > worst || d != d ? d : worst;
        }
    }
    ok(hop_blas_takes(&c) && worst <= (is_half ? 0.05 : 0.01) && !strcmp(text, text2) &&
           hop_blas_plan_workspace(p) == 1000 && hop_blas_plan_workspace(again) == 1000 &&
           !(*schemes & CUBLASLT_REDUCTION_SCHEME_INPLACE),
       "pass %d%s%s in %s: as plain loops (%.1e), chosen and from text", (int)pass,
       has_bias ? " bias" : "", has_relu ? " relu" : "", is_half ? "bf16" : "tf32", worst);
    hop_blas_plan_free(p);
    hop_blas_plan_free(again);
}

static void
test_refusals(void)
{
    static const char *const texts[] = {"", "{\"algo\":\"12\"}",
                                        "{\"algo\":\"00000000000000010000000000000001000000000000000"
                                        "10000000000000001000000000000000100000000000000010000000000"
                                        "0000010000000000000001\"}"};
    struct hop_cuda_conv c = {HOP_CUDA_FORWARD, N, 1, 1, C, K, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1,
                              0, 0}, wide = c;
    struct hop_blas_plan *p;
    struct hop_err e;

    for (size_t i = 0; i < HOP_LEN(texts); i++) {
        e = (struct hop_err){0};
        ok(hop_blas_plan_new(lib, handle, &c, HOP_CUDA_BF16, 64 << 20, texts[i], &p, &e) ==
                   HOP_EFORMAT && !p && *live == 1,
           "a text that is no algorithm of it: %s", e.what);
    }
    *fail = 1;
    e = (struct hop_err){0};
    ok(hop_blas_plan_new(lib, handle, &c, HOP_CUDA_BF16, 64 << 20, NULL, &p, &e) == HOP_EFORMAT &&
           !p && *live == 1, "no algorithm: %s", e.what);
    *fail = 0;
    wide.H = wide.P = 2;
    ok(!hop_blas_takes(&wide), "a convolution is none of its business");
}

int
main(void)
{
    struct hop_err e = {0};
    void *so;

    hop_cuda_library_dirs(FAKE_DIR);
    if (hop_blas_open(&lib, &e) || lib->cublasLtCreate(&handle))
        die("open", &e);
    so = dlopen(FAKE_DIR "/" FAKE_LT, RTLD_NOW | RTLD_NOLOAD);
    if (!so || !(live = dlsym(so, "fake_live")) || !(fail = dlsym(so, "fake_fail")) ||
        !(schemes = dlsym(so, "fake_schemes"))) {
        printf("Bail out! the fake library was not opened\n");
        return 1;
    }
    ok(!strncmp(lib->version, "cublaslt ", 9), "%s", lib->version);
    for (int precision = HOP_CUDA_BF16; precision <= HOP_CUDA_TF32; precision++) {
        test_pass(HOP_CUDA_FORWARD, precision, 0, 0);
        test_pass(HOP_CUDA_FORWARD, precision, 1, 0);
        test_pass(HOP_CUDA_FORWARD, precision, 1, 1);
        test_pass(HOP_CUDA_DATA_GRADIENT, precision, 0, 0);
        test_pass(HOP_CUDA_WEIGHT_GRADIENT, precision, 0, 0);
    }
    test_refusals();
    ok(*live == 1, "nothing stays behind but the handle");
    lib->cublasLtDestroy(handle);
    return tap_end();
}

/* bench_peak [THREADS] - what the machine can do at most: oneDNN's product of two 2048 x 2048 matrices,
 * float32 and, where the CPU has it, bfloat16; the best of ten runs each, one JSON line. */
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/opt.h"

enum { N = 2048, N_RUNS = 10 };

static dnnl_memory_t
matrix(dnnl_engine_t engine, dnnl_primitive_desc_t pd, int arg)
{
    const dnnl_memory_desc_t *d = dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, arg);
    dnnl_memory_t m;

    return dnnl_memory_create(&m, d, engine, DNNL_MEMORY_ALLOCATE) == dnnl_success ? m : NULL;
}

/* GFLOP/s; 0 if the library cannot. The numbers are whatever the fresh memory holds: zeros. */
static double
peak(dnnl_engine_t engine, dnnl_stream_t stream, dnnl_data_type_t type)
{
    dnnl_dims_t dims = {N, N};
    dnnl_memory_desc_t in, out;
    dnnl_matmul_desc_t op;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t p;
    dnnl_exec_arg_t args[3] = {{DNNL_ARG_SRC, NULL}, {DNNL_ARG_WEIGHTS, NULL}, {DNNL_ARG_DST, NULL}};
    double start_s, s, best_s = 1e9;

    dnnl_memory_desc_init_by_tag(&in, 2, dims, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&out, 2, dims, type, dnnl_format_tag_any);
    if (dnnl_matmul_desc_init(&op, &in, &in, NULL, &out) ||
        dnnl_primitive_desc_create(&pd, &op, NULL, engine, NULL) || dnnl_primitive_create(&p, pd))
        return 0;
    for (int i = 0; i < 3; i++)
        if (!(args[i].memory = matrix(engine, pd, args[i].arg)))
            return 0;
    for (int i = 0; i <= N_RUNS; i++) { /* the first warms up */
        start_s = hop_clock_s();
        dnnl_primitive_execute(p, stream, 3, args);
        dnnl_stream_wait(stream);
        s = hop_clock_s() - start_s;
        best_s = i && s < best_s ? s : best_s;
    }
    for (int i = 0; i < 3; i++)
        dnnl_memory_destroy(args[i].memory);
    dnnl_primitive_destroy(p);
    dnnl_primitive_desc_destroy(pd);
    return 2.0 * N * N * N / best_s * 1e-9;
}

int
main(int argc, char **argv)
{
    bool has_bf16 = ((unsigned)dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
                    dnnl_cpu_isa_avx512_core_bf16;
    int64_t threads = 1;
    struct hop_err e = {0};
    dnnl_engine_t engine;
    dnnl_stream_t stream;

    if (argc > 2 || (argc == 2 && hop_parse_int(argv[1], 1, 1024, "THREADS", &threads, &e))) {
        fprintf(stderr, "bench_peak [THREADS]\n");
        return 2;
    }
    omp_set_num_threads((int)threads);
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) ||
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags))
        return 1;
    printf("{\"hop\":\"bench/1\",\"bench\":\"peak\",\"threads\":%lld,\"gflop_per_s\":"
           "{\"fp32\":%.1f,\"bf16\":%.1f}}\n",
           (long long)threads, peak(engine, stream, dnnl_f32),
           has_bf16 ? peak(engine, stream, dnnl_bf16) : 0);
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return 0;
}

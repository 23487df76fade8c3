/* bench_wino NET.json BATCH THREADS - the own Winograd convolutions of a net on the device cpu, one by
 * one, which oneDNN's log of its primitives does not tell: for every pass of every such layer a line
 * "hop_verbose,exec,cpu,convolution,IMPLEMENTATION,PASS,SHAPE,MS", SHAPE as oneDNN writes it, MS the
 * least of 21 times, over all slices of a batch. Nothing where the net or the CPU has none. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/rng.h"
#include "engine/cpu/plan.h"
#include "engine/cpu/wino.h"

enum { REPEATS = 21 };

struct arrays {
    float *x, *y, *w, *u, *room;
};

/* n floats in -1 to 1. */
static float *
some(struct hop_arena *a, size_t n, struct hop_err *e)
{
    float *v = hop_arena_get(a, (n + 3) * sizeof *v, e);
    uint32_t words[4];

    for (size_t i = 0; v && i < n; i += 4) {
        hop_philox(1, (uint32_t)(i / 4), 0, 0, 0, words);
        for (size_t k = 0; k < 4; k++)
            v[i + k] = (float)words[k] / 2147483648.0f - 1.0f;
    }
    return v;
}

static void
run(const struct hop_cpu_wino *s, int pass, const struct arrays *v)
{
    static const struct hop_cpu_wino_end none;
    struct hop_cpu_wino back = hop_cpu_wino_back(s);

    if (pass == 0)
        hop_cpu_wino_forward(s, v->x, v->u, &none, v->y, v->room);
    else if (pass == 1)
        hop_cpu_wino_forward(&back, v->y, v->u, &none, v->x, v->room);
    else
        hop_cpu_wino_weights(s, v->x, v->y, v->w, NULL, v->room);
}

static int
measure(const struct hop_cpu_wino *s, int threads, double n_slices, struct hop_err *e)
{
    static const char *const passes[] = {"forward_training", "backward_data", "backward_weights"};
    struct hop_cpu_wino back = hop_cpu_wino_back(s);
    size_t room = hop_cpu_wino_room(s, threads), room_back = hop_cpu_wino_room(&back, threads);
    struct hop_arena a = {0};
    struct arrays v = {some(&a, (size_t)(s->n * s->c * s->h * s->w), e),
                       some(&a, (size_t)(s->n * s->k * s->p * s->q), e),
                       some(&a, (size_t)(9 * s->c * s->k), e), some(&a, hop_cpu_wino_points(s), e),
                       some(&a, room > room_back ? room : room_back, e)};
    double best, now;

    for (int pass = 0; pass < 3 && v.x && v.y && v.w && v.u && v.room; pass++) {
        best = 1e9;
        for (int i = 0; i < REPEATS; i++) {
            now = hop_clock_s();
            run(s, pass, &v);
            now = hop_clock_s() - now;
            best = now < best ? now : best;
        }
        printf("hop_verbose,exec,cpu,convolution,winograd:avx512,%s,"
               "mb%lld_ic%lldoc%lld_ih%lldoh%lldkh3sh1dh0ph%lld_iw%lldow%lldkw3sw1dw0pw%lld,%.4f\n",
               passes[pass], (long long)s->n, (long long)s->c, (long long)s->k, (long long)s->h,
               (long long)s->p, (long long)s->top, (long long)s->w, (long long)s->q,
               (long long)s->left, best * 1e3 * n_slices);
    }
    hop_arena_clear(&a);
    return e->code;
}

static int
measure_net(const struct hop_net *net, const struct hop_plan *p, int threads, struct hop_err *e)
{
    const struct hop_cpu_prog *g = p->progs;
    int rc = HOP_OK;

    for (int i = 0; i < p->n_ops && !rc; i++) {
        const struct hop_conv2d *conf = net->layers[i].params;
        const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)], *y = &g->values[i + 1];

        if (strcmp(net->layers[i].kind->op, "Conv2D") || !g->nodes[i].aux)
            continue;
        rc = measure(&(struct hop_cpu_wino){.n = g->n, .c = (x->c + 15) / 16 * 16, .h = x->h,
                                            .w = x->w, .k = (y->c + 15) / 16 * 16, .p = y->h,
                                            .q = y->w, .top = conf->pad_top, .left = conf->pad_left},
                     threads, (double)p->spec.batch_size / (double)g->n, e);
    }
    return rc;
}

static int
work(const char *path, int64_t batch, int64_t threads, struct hop_err *e)
{
    struct hop_plan_spec spec = {.batch_size = batch, .is_training = true};
    const struct hop_device_ops *ops;
    struct hop_device *d = NULL;
    struct hop_plan *p = NULL;
    struct hop_net *net = NULL;
    struct hop_json *j;
    int index, rc;

    if ((rc = hop_json_read_file(path, &j, e)))
        return rc;
    rc = hop_net_parse(j, path, &net, e);
    hop_json_free(j);
    spec.net = net;
    if (!rc && !(rc = hop_loss_find("categorical_crossentropy", "bench", &spec.loss, e)) &&
        !(rc = hop_optim_find("sgd", "bench", &spec.optim, e)) &&
        !(rc = hop_device_find("cpu", &ops, &index, e)) &&
        !(rc = ops->open(index, (int)threads, &d, e)) && !(rc = ops->compile(d, &spec, &p, e)))
        rc = measure_net(net, p, (int)threads, e);
    if (p)
        ops->plan_free(p);
    if (d)
        ops->close(d);
    hop_net_free(net);
    return rc;
}

int
main(int argc, char **argv)
{
    struct hop_err e = {0};
    int64_t batch, threads;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "bench_wino NET.json BATCH THREADS\n");
        return 2;
    }
    if (!(rc = hop_parse_int(argv[2], 1, 1e6, "BATCH", &batch, &e)) &&
        !(rc = hop_parse_int(argv[3], 1, 1e3, "THREADS", &threads, &e)))
        rc = work(argv[1], batch, threads, &e);
    if (rc)
        fprintf(stderr, "bench_wino: %s: %s (%s)\n", e.where, e.what, e.hint);
    return hop_err_exit(&e);
}

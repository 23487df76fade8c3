/* The checking driver. Contents: 1 context and failures, 2 memory, 3 streams, 4 what they run,
 * 5 capture. Built into tests alone. */
#include "engine/cuda/driver_host.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/kernels.h"

struct hop_cuda_host_counts hop_cuda_host_counts;

#define MUST(x) ((x) ? (void)0 : hop_bug(__FILE__, __LINE__, "cuda-host: " #x))

struct block { /* memory given out */
    struct block *next;
    char *p;
    size_t bytes;
    bool is_host;
    bool is_fresh; /* large, and the system's zeros: tests that run nothing need not touch it */
};

enum op_kind { COPY_IN, COPY_OUT, COPY, SET, LAUNCH, FAST };

struct op {
    enum op_kind kind;
    int kernel, byte;
    int64_t n;
    size_t bytes;
    void *to;
    const void *from;
    void *own; /* arguments of a kernel, or what pageable memory held */
};

struct ops {
    struct op *a;
    size_t n, cap;
};

struct hop_cuda_stream {
    struct hop_cuda_stream *next;
    struct ops queue;
};

struct hop_cuda_event {
    struct hop_cuda_stream *stream; /* recorded there */
};

struct hop_cuda_graph {
    struct ops ops;
};

struct hop_cuda_context {
    struct hop_cuda_context *next;
    struct block *blocks;
    struct hop_cuda_stream *streams;
    int n_events, n_graphs;
    struct hop_cuda_stream *capturing; /* or NULL */
    struct ops captured;
};

/* ---- 1 context and failures ---- */

/* Memory of one context is good in all; each is one thread's, so the lists of blocks are locked. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hop_cuda_context *contexts;

static int64_t fail_at;

void
hop_cuda_host_fail(int64_t n)
{
    fail_at = n ? hop_cuda_host_counts.n_calls + n : 0;
}

static bool
is_failing(void)
{
    return fail_at && hop_cuda_host_counts.n_calls >= fail_at;
}

/* At the start of every call that may fail. */
int
hop_cuda_host_enter(int code, const char *call, struct hop_err *e)
{
    hop_cuda_host_counts.n_calls++;
    return is_failing() ? hop_fail(e, code, "cuda-host", NULL, "%s failed, as the test wants", call)
                        : HOP_OK;
}

static int
count(int *n, struct hop_err *e)
{
    *n = 1;
    return hop_cuda_host_enter(HOP_EDEV, "count", e);
}

static int
props(int index, struct hop_cuda_props *out, struct hop_err *e)
{
    MUST(index == 0);
    *out = (struct hop_cuda_props){.name = "host", .uuid = "GPU-host", .major = 9, .n_multiprocessors = 1,
                                    .memory_bytes = 1 << 30};
    return hop_cuda_host_enter(HOP_EDEV, "props", e);
}

static int
open_(int index, struct hop_cuda_context **out, struct hop_err *e)
{
    *out = NULL;
    MUST(index == 0);
    if (hop_cuda_host_enter(HOP_EDEV, "open", e))
        return HOP_EDEV;
    *out = hop_alloc(1, sizeof **out, e);
    if (*out) {
        hop_cuda_host_counts.n_contexts++;
        pthread_mutex_lock(&lock);
        (*out)->next = contexts;
        contexts = *out;
        pthread_mutex_unlock(&lock);
    }
    return *out ? HOP_OK : HOP_ENOMEM;
}

/* A real driver frees what is left; here nothing may be. */
static void
close_(struct hop_cuda_context *c)
{
    struct hop_cuda_context **at;

    MUST(!c->blocks && !c->streams && !c->n_events && !c->n_graphs);
    pthread_mutex_lock(&lock);
    for (at = &contexts; *at != c; at = &(*at)->next)
        ;
    *at = c->next;
    pthread_mutex_unlock(&lock);
    hop_cuda_host_counts.n_contexts--;
    free(c);
}

/* ---- 2 memory ---- */

static int
get(struct hop_cuda_context *c, size_t bytes, bool is_host, void **out, struct hop_err *e)
{
    size_t room = (bytes + HOP_CUDA_ALIGN - 1) / HOP_CUDA_ALIGN * HOP_CUDA_ALIGN;
    struct block *b;

    *out = NULL;
    MUST(bytes > 0);
    MUST(!c->capturing);
    if (hop_cuda_host_enter(HOP_ENOMEM, "alloc", e))
        return HOP_ENOMEM;
    if (!(b = hop_alloc(1, sizeof *b, e)))
        return HOP_ENOMEM;
    if (!(b->p = aligned_alloc(HOP_CUDA_ALIGN, room))) {
        free(b);
        return hop_fail(e, HOP_ENOMEM, "cuda-host", NULL, "out of memory");
    }
    b->is_fresh = bytes >= 1 << 28;
    if (!b->is_fresh)
        memset(b->p, 0xFF, room);
    b->bytes = bytes;
    b->is_host = is_host;
    pthread_mutex_lock(&lock);
    b->next = c->blocks;
    c->blocks = b;
    pthread_mutex_unlock(&lock);
    hop_cuda_host_counts.n_allocs++;
    hop_cuda_host_counts.n_live++;
    hop_cuda_host_counts.n_live_bytes += (int64_t)bytes;
    *out = b->p;
    return HOP_OK;
}

static void
put(struct hop_cuda_context *c, void *p, bool is_host)
{
    struct hop_cuda_stream *s;
    struct block **at, *b;

    if (!p)
        return;
    MUST(!c->capturing || is_failing());
    for (s = c->streams; s; s = s->next)
        MUST(!s->queue.n || is_failing());
    pthread_mutex_lock(&lock);
    for (at = &c->blocks; *at && (*at)->p != p; at = &(*at)->next)
        ;
    MUST(*at && (*at)->is_host == is_host);
    b = *at;
    *at = b->next;
    pthread_mutex_unlock(&lock);
    if (!b->is_fresh)
        memset(b->p, 0xFF, b->bytes);
    hop_cuda_host_counts.n_live--;
    hop_cuda_host_counts.n_live_bytes -= (int64_t)b->bytes;
    free(b->p);
    free(b);
}

static int
alloc(struct hop_cuda_context *c, size_t bytes, void **out, struct hop_err *e)
{
    return get(c, bytes, false, out, e);
}

static void
free_(struct hop_cuda_context *c, void *p)
{
    put(c, p, false);
}

static int
host_alloc(struct hop_cuda_context *c, size_t bytes, void **out, struct hop_err *e)
{
    return get(c, bytes, true, out, e);
}

static void
host_free(struct hop_cuda_context *c, void *p)
{
    put(c, p, true);
}

static struct block *
find(struct block *b, const void *p, size_t bytes)
{
    while (b && ((const char *)p < b->p || (const char *)p + bytes > b->p + b->bytes))
        b = b->next;
    return b;
}

/* The live block that holds all of these bytes, or NULL. */
static struct block *
holder(const struct hop_cuda_context *c, const void *p, size_t bytes)
{
    struct block *b = find(c->blocks, p, bytes);
    const struct hop_cuda_context *other;

    if (b)
        return b;
    pthread_mutex_lock(&lock);
    for (other = contexts; other && !b; other = other->next)
        b = find(other->blocks, p, bytes);
    pthread_mutex_unlock(&lock);
    return b;
}

static bool
is_device(const struct hop_cuda_context *c, const void *p, size_t bytes)
{
    const struct block *b = holder(c, p, bytes);

    return b && !b->is_host;
}

/* ---- 3 streams ---- */

static void
ops_clear(struct ops *o)
{
    size_t i;

    for (i = 0; i < o->n; i++)
        free(o->a[i].own);
    free(o->a);
    *o = (struct ops){0};
}

static int
ops_add(struct ops *o, struct op op, const void *own, size_t own_bytes, struct hop_err *e)
{
    if (hop_grow(&o->a, &o->cap, o->n + 1, sizeof op, e))
        return HOP_ENOMEM;
    op.own = NULL;
    if (own && !(op.own = hop_alloc(1, own_bytes, e)))
        return HOP_ENOMEM;
    if (own)
        memcpy(op.own, own, own_bytes);
    o->a[o->n++] = op;
    return HOP_OK;
}

static int
stream_new(struct hop_cuda_context *c, struct hop_cuda_stream **out, struct hop_err *e)
{
    *out = NULL;
    MUST(!c->capturing);
    if (hop_cuda_host_enter(HOP_EDEV, "stream_new", e))
        return HOP_EDEV;
    if (!(*out = hop_alloc(1, sizeof **out, e)))
        return HOP_ENOMEM;
    (*out)->next = c->streams;
    c->streams = *out;
    return HOP_OK;
}

static void
stream_free(struct hop_cuda_context *c, struct hop_cuda_stream *s)
{
    struct hop_cuda_stream **at;

    if (!s)
        return;
    MUST(!s->queue.n || is_failing());
    MUST(c->capturing != s);
    for (at = &c->streams; *at && *at != s; at = &(*at)->next)
        ;
    MUST(*at);
    *at = s->next;
    ops_clear(&s->queue);
    free(s);
}

/* ---- 4 what they run ---- */

/* Every buffer of the arguments lies in live device memory. */
static void
check_spans(const struct hop_cuda_context *c, int kernel, const void *args)
{
    const struct hop_cuda_kernel_row *row = &hop_cuda_kernel_rows[kernel];
    struct k_span span;
    int i;

    for (i = 0; i < K_MAX_SPANS && row->spans[i].element; i++) {
        memcpy(&span, (const char *)args + row->spans[i].offset, sizeof span);
        MUST(span.n >= 0);
        MUST(span.n > 0 ? is_device(c, span.p, (size_t)span.n * row->spans[i].element)
                        : span.p == NULL);
    }
}

/* What step kernels reach through their k_now is alive, too. */
static void
check_now(const struct hop_cuda_context *c, const struct k_now *now)
{
    MUST(!now->x8.n || is_device(c, now->x8.p, (size_t)now->x8.n));
    MUST(!now->x32.n || is_device(c, now->x32.p, (size_t)now->x32.n * sizeof(float)));
    MUST(!now->y.n || is_device(c, now->y.p, (size_t)now->y.n * sizeof(int32_t)));
    MUST(!now->t.n || is_device(c, now->t.p, (size_t)now->t.n * sizeof(float)));
    MUST(!now->out.n || is_device(c, now->out.p, (size_t)now->out.n * sizeof(float)));
    MUST(!now->rates.n || is_device(c, now->rates.p, (size_t)now->rates.n * sizeof *now->rates.p));
    MUST(is_device(c, now->mean.p, (size_t)now->mean.n * sizeof(float)));
}

/* A plan's arguments are live, aligned and whole; what it writes is no other of them. */
static void
check_call(const struct hop_cuda_context *c, const struct hop_cuda_host_call *a)
{
    const void *p[4] = {a->in, a->in2, a->bias, a->out};
    size_t bytes[4], i;

    hop_cuda_host_fast_sizes(a, bytes);
    for (i = 0; i < 4; i++) {
        MUST(bytes[i] ? is_device(c, p[i], bytes[i]) && (uintptr_t)p[i] % 16 == 0 : !p[i]);
        MUST(i == 3 || !bytes[i] || (const char *)p[i] + bytes[i] <= (const char *)a->out ||
             (const char *)a->out + bytes[3] <= (const char *)p[i]);
    }
    MUST(!a->workspace_bytes || is_device(c, a->workspace, a->workspace_bytes));
}

static void
run_op(const struct hop_cuda_context *c, const struct op *op)
{
    const struct hop_cuda_host_call *call;
    struct block *b;

    switch (op->kind) {
    case COPY_IN:
        MUST(is_device(c, op->to, op->bytes));
        memcpy(op->to, op->own ? op->own : op->from, op->bytes);
        break;
    case COPY_OUT:
        MUST(is_device(c, op->from, op->bytes));
        memcpy(op->to, op->from, op->bytes);
        break;
    case COPY:
        MUST(is_device(c, op->to, op->bytes) && is_device(c, op->from, op->bytes));
        memcpy(op->to, op->from, op->bytes);
        break;
    case SET:
        MUST(is_device(c, op->to, op->bytes));
        b = holder(c, op->to, op->bytes);
        if (!b->is_fresh || op->byte)
            memset(op->to, op->byte, op->bytes);
        break;
    case LAUNCH:
        check_spans(c, op->kernel, op->own);
        if (op->kernel == K_pick)
            check_now(c, ((const struct k_pick_args *)op->own)->now.p);
        hop_cuda_host_run(op->kernel, op->n, op->own);
        break;
    case FAST:
        call = op->own;
        check_call(c, call);
        if (call->workspace_bytes)
            memset(call->workspace, 0xFF, call->workspace_bytes);
        hop_cuda_host_fast_run(call);
        break;
    }
}

static void
run_all(const struct hop_cuda_context *c, struct ops *o)
{
    size_t i;

    for (i = 0; i < o->n; i++)
        run_op(c, &o->a[i]);
    ops_clear(o);
}

/* To the stream, or to the graph being captured. */
static int
enqueue(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct op op, const void *own,
        size_t own_bytes, struct hop_err *e)
{
    MUST(s);
    MUST(!c->capturing || c->capturing == s);
    MUST(!c->capturing || (op.kind != COPY_IN && op.kind != COPY_OUT));
    return ops_add(c->capturing ? &c->captured : &s->queue, op, own, own_bytes, e);
}

static int
stream_sync(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_err *e)
{
    MUST(!c->capturing);
    hop_cuda_host_counts.n_syncs++;
    if (hop_cuda_host_enter(HOP_EDEV, "stream_sync", e))
        return HOP_EDEV;
    run_all(c, &s->queue);
    return HOP_OK;
}

static int
copy_in(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to, const void *from,
        size_t bytes, struct hop_err *e)
{
    const struct block *b = holder(c, from, bytes);
    struct op op = {.kind = COPY_IN, .to = to, .from = from, .bytes = bytes};

    MUST(is_device(c, to, bytes));
    MUST(!b || b->is_host);
    hop_cuda_host_counts.n_copies_in++;
    if (hop_cuda_host_enter(HOP_EDEV, "copy_in", e))
        return HOP_EDEV;
    return enqueue(c, s, op, b ? NULL : from, bytes, e); /* pinned memory is read late */
}

static int
copy_out(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to, const void *from,
         size_t bytes, struct hop_err *e)
{
    struct op op = {.kind = COPY_OUT, .to = to, .from = from, .bytes = bytes};

    MUST(is_device(c, from, bytes) && !is_device(c, to, bytes));
    hop_cuda_host_counts.n_copies_out++;
    if (hop_cuda_host_enter(HOP_EDEV, "copy_out", e))
        return HOP_EDEV;
    return enqueue(c, s, op, NULL, 0, e);
}

static int
copy(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *to, const void *from,
     size_t bytes, struct hop_err *e)
{
    struct op op = {.kind = COPY, .to = to, .from = from, .bytes = bytes};

    MUST(is_device(c, from, bytes) && is_device(c, to, bytes));
    if (hop_cuda_host_enter(HOP_EDEV, "copy", e))
        return HOP_EDEV;
    return enqueue(c, s, op, NULL, 0, e);
}

static int
set(struct hop_cuda_context *c, struct hop_cuda_stream *s, void *p, int byte, size_t bytes,
    struct hop_err *e)
{
    struct op op = {.kind = SET, .to = p, .byte = byte, .bytes = bytes};

    MUST(is_device(c, p, bytes));
    if (hop_cuda_host_enter(HOP_EDEV, "set", e))
        return HOP_EDEV;
    return enqueue(c, s, op, NULL, 0, e);
}

static int
launch(struct hop_cuda_context *c, struct hop_cuda_stream *s, int kernel, int64_t n,
       const void *args, struct hop_err *e)
{
    struct op op = {.kind = LAUNCH, .kernel = kernel, .n = n};

    MUST(kernel >= 0 && kernel < HOP_CUDA_N_KERNELS && n >= 0);
    check_spans(c, kernel, args);
    hop_cuda_host_counts.n_launches++;
    if (hop_cuda_host_enter(HOP_EDEV, "launch", e))
        return HOP_EDEV;
    return enqueue(c, s, op, args, hop_cuda_kernel_rows[kernel].args_size, e);
}

int
hop_cuda_host_call(struct hop_cuda_context *c, struct hop_cuda_stream *s,
                   const struct hop_cuda_host_call *a, struct hop_err *e)
{
    struct op op = {.kind = FAST};

    check_call(c, a);
    hop_cuda_host_counts.n_fast++;
    if (hop_cuda_host_enter(HOP_EDEV, "fast run", e))
        return HOP_EDEV;
    return enqueue(c, s, op, a, sizeof *a, e);
}

static int
event_new(struct hop_cuda_context *c, struct hop_cuda_event **out, struct hop_err *e)
{
    *out = NULL;
    MUST(!c->capturing);
    if (hop_cuda_host_enter(HOP_EDEV, "event_new", e))
        return HOP_EDEV;
    if (!(*out = hop_alloc(1, sizeof **out, e)))
        return HOP_ENOMEM;
    c->n_events++;
    return HOP_OK;
}

static void
event_free(struct hop_cuda_context *c, struct hop_cuda_event *v)
{
    c->n_events -= v != NULL;
    free(v);
}

static int
event_record(struct hop_cuda_context *c, struct hop_cuda_event *v, struct hop_cuda_stream *s,
             struct hop_err *e)
{
    MUST(!c->capturing && s);
    v->stream = s;
    return hop_cuda_host_enter(HOP_EDEV, "event_record", e);
}

/* Runs a little more than was recorded: all of the stream. */
static int
event_sync(struct hop_cuda_context *c, struct hop_cuda_event *v, struct hop_err *e)
{
    MUST(v->stream);
    return stream_sync(c, v->stream, e);
}

/* ---- 5 capture ---- */

static int
capture_begin(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_err *e)
{
    MUST(!c->capturing);
    if (hop_cuda_host_enter(HOP_EDEV, "capture_begin", e))
        return HOP_EDEV;
    c->capturing = s;
    return HOP_OK;
}

static int
capture_end(struct hop_cuda_context *c, struct hop_cuda_stream *s, struct hop_cuda_graph **out,
            struct hop_err *e)
{
    *out = NULL;
    MUST(c->capturing == s);
    c->capturing = NULL;
    hop_cuda_host_counts.n_captures++;
    if (hop_cuda_host_enter(HOP_EDEV, "capture_end", e) || !(*out = hop_alloc(1, sizeof **out, e))) {
        ops_clear(&c->captured);
        return e->code;
    }
    MUST(c->captured.n > 0);
    (*out)->ops = c->captured;
    c->captured = (struct ops){0};
    c->n_graphs++;
    return HOP_OK;
}

static size_t
own_bytes(const struct op *op)
{
    return op->kind == LAUNCH ? hop_cuda_kernel_rows[op->kernel].args_size
           : op->kind == FAST ? sizeof(struct hop_cuda_host_call)
                              : 0;
}

static int
graph_launch(struct hop_cuda_context *c, struct hop_cuda_graph *g, struct hop_cuda_stream *s,
             struct hop_err *e)
{
    const struct op *op;
    size_t i;
    int rc;

    MUST(!c->capturing && g);
    hop_cuda_host_counts.n_graph_launches++;
    rc = hop_cuda_host_enter(HOP_EDEV, "graph_launch", e);
    for (i = 0; i < g->ops.n && !rc; i++) {
        op = &g->ops.a[i];
        if (op->kind == LAUNCH)
            check_spans(c, op->kernel, op->own);
        rc = ops_add(&s->queue, *op, op->own, own_bytes(op), e);
    }
    return rc;
}

static void
graph_free(struct hop_cuda_context *c, struct hop_cuda_graph *g)
{
    if (!g)
        return;
    ops_clear(&g->ops);
    c->n_graphs--;
    free(g);
}

const struct hop_cuda_driver *
hop_cuda_host_driver(void)
{
    static const struct hop_cuda_driver driver = {
        HOP_CUDA_DRIVER_ABI, sizeof(struct hop_cuda_driver), "cuda-host",
        count, props, open_, close_,
        stream_new, stream_free, stream_sync,
        alloc, free_, host_alloc, host_free,
        copy_in, copy_out, copy, set,
        launch,
        event_new, event_free, event_record, event_sync,
        capture_begin, capture_end, graph_launch, graph_free,
        &hop_cuda_host_fast,
    };

    return &driver;
}

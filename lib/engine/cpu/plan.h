/* plan - what the files of the device "cpu" share.
 *
 * A plan holds the model (weights, gradients, slots) in the layout in which oneDNN computes each
 * weight's gradient, and programs: the whole net compiled for one batch size, for training or
 * inference. A program is three lists of steps, run in order without allocating anything: prepare
 * (copies of weights in other layouts), forward, backward. One op_NAME.c per kind of layer appends
 * that layer's steps when a program is built.
 *
 * A batch goes through in slices, where the net allows it: a program for the slice runs several
 * times, and the gradients of its weights are added up. That takes less memory, and what a layer
 * writes is still in the cache when the next one reads it.
 *
 * Values are what flows between layers: value 0 is the net's input, value i+1 the output of layer
 * i. Their memory comes from the plan's pool and returns to it while the program is being built, as
 * soon as no later step reads it, so the pool is the memory plan: in training that is often long before
 * the backward pass, which reads the inputs of few kinds of layers (is_input_free) and the outputs
 * of fewer (enum hop_cpu_keep). Several values, or gradients, may
 * share one piece: none writes over what another still reads.
 */
#ifndef HOP_ENGINE_CPU_PLAN_H
#define HOP_ENGINE_CPU_PLAN_H

#include "base/arena.h"
#include "base/num.h"
#include "engine/cpu/dn.h"
#include "engine/engine.h"

/* Loops marked so are compiled again for CPUs with AVX2 and AVX-512 and chosen at start; the bits are
 * equal, since no operation is reordered or contracted. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HOP_CPU_HOT __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HOP_CPU_HOT
#endif

/* Before a loop whose output may be one of its inputs, element for element, and overlaps none
 * otherwise: compilers would fall back to one element at a time where they are the same. */
#if defined(__GNUC__) && !defined(__clang__)
#define HOP_CPU_IN_PLACE _Pragma("GCC ivdep")
#else
#define HOP_CPU_IN_PLACE
#endif

/* bfloat16: the upper half of a float32; rounded to the nearest, ties to even; NaN stays NaN. */
static inline float
hop_cpu_from_bf16(uint16_t v)
{
    return hop_bits_f32((uint32_t)v << 16);
}

static inline uint16_t
hop_cpu_to_bf16(float v)
{
    uint32_t bits = hop_f32_bits(v), rounded = bits + 0x7FFFu + (bits >> 16 & 1u);

    return (uint16_t)((v != v ? bits | 0x400000u : rounded) >> 16);
}

/* How a batch is cut: count[0] slices of n[0] examples, then count[1] of n[1]; count[1] may be 0. */
struct hop_cpu_split {
    int64_t n[2], count[2];
};

struct hop_device {
    struct hop_dn_engine *dn;
    int n_threads;
    char fingerprint[96];
};

struct hop_data {
    struct hop_examples x;
    int64_t c;    /* channels, or columns */
    float *table; /* U8 only: [c][256] normalised values */
};

struct hop_cpu_copy { /* of a weight in another layout, for all programs */
    struct hop_cpu_copy *next;
    const struct hop_dn_md *md;
    float *p;
    uint64_t at; /* the plan's n_changes when it was made */
};

struct hop_cpu_weight {
    const struct hop_dn_md *md; /* NULL until the first program is built */
    size_t n;                   /* floats, padding (always 0) included */
    float *v, *g, *slots[HOP_MAX_SLOTS];
    float *sum; /* of the gradients of earlier slices; NULL where a batch is one slice */
    /* Of kernels that wino.h multiplies by: at its points, for data forward and gradients back, as of
     * the plan's n_changes; NULL until wanted. */
    float *points[2];
    uint64_t points_at[2];
    struct hop_cpu_copy *copies;
    /* Canonical position (a,b,c,d) lies at at[0][a] + at[1][b] + at[2][c] + at[3][d]; leading
     * axes that the weight does not have are of length 1. */
    int64_t dims[4], *at[4]; /* at[0] owns the memory */
};

struct hop_cpu_buf { /* one piece of the pool */
    float *p;
    size_t bytes;
    int n_refs; /* 0 = free */
    struct hop_cpu_buf *next;
};

/* What a layer's backward pass reads of its own output, which the next layer must not overwrite. */
enum hop_cpu_keep { HOP_CPU_FREE, HOP_CPU_KEEP_SIGN, HOP_CPU_KEEP };

struct hop_cpu_value {
    int64_t n, c, h, w;         /* h = w = 1 if flat */
    bool is_flat;               /* described as [N,C], else as [N,C,H,W] */
    const struct hop_dn_md *md; /* NULL: not placed yet (the input, whose first reader chooses) */
    const struct hop_dn_md *made; /* as its layer wrote it, and takes its gradient; readers move md */
    struct hop_cpu_buf *buf;
    enum hop_cpu_keep keep;
    int n_readers, i_reader; /* layers; the last of them */
    int n_left;              /* readers not yet built */
    bool is_kept;            /* a reader's backward pass reads it */
    bool is_shared;          /* the memory has other readers than this value's only one */
    bool wants_grad;
    const struct hop_dn_md *grad_md;
    struct hop_cpu_buf *grad;
};

struct hop_cpu_now { /* what changes from run to run */
    uint64_t dropout_key;
    uint32_t t;
    int64_t first; /* the program's example 0 is this one of the batch */
};

struct hop_cpu_step {
    struct hop_dn_exec *exec; /* or */
    void (*fn)(void *arg, const struct hop_cpu_now *now);
    void *arg; /* owned by the program */
    uint64_t *at; /* not NULL: what it makes is of these n_changes; only to be run for others */
};

enum hop_cpu_list { HOP_CPU_PREPARE, HOP_CPU_FORWARD, HOP_CPU_BACKWARD, HOP_CPU_N_LISTS };

struct hop_cpu_node { /* what a layer keeps from building forward to building backward */
    struct hop_dn_prim *fwd, *bwd_weights; /* over the whole batch */
    const struct hop_dn_md *md; /* of the input as forward read it */
    void *aux;                  /* owned by the program */
    bool is_fused;              /* activation: done by the layer before */
    bool is_absorbed;           /* activation: its backward pass, too */
    bool is_input_free;         /* its backward pass reads no input: forward says so */
};

struct hop_cpu_prog {
    struct hop_plan *plan;
    int64_t n;
    bool is_training;
    int i_layer; /* being built */
    struct hop_dn_set *set;
    struct hop_cpu_value *values; /* [n_ops + 1]; the last is the logits */
    struct hop_cpu_node *nodes;   /* [n_ops] */
    struct hop_cpu_step *lists[HOP_CPU_N_LISTS];
    size_t n_steps[HOP_CPU_N_LISTS], cap_steps[HOP_CPU_N_LISTS];
    int32_t *y; /* [n] labels of the batch */
    float *t;   /* [n,K] targets, where the data have them */
    float *p;   /* [n,K] predictions */
    float *scratch;       /* for every step, none of which leaves anything in it */
    size_t scratch_bytes; /* what own steps want of it */
    float *dz;  /* [n,K] where backward reads the loss's gradient; NULL if not wanted */
    struct hop_arena owned;
    size_t bytes; /* owned; not the pool */
    struct hop_cpu_prog *next;
};

struct hop_plan {
    struct hop_device *d;
    struct hop_plan_spec spec;
    int n_ops; /* layers that run as steps: all, or all but a last one that is the loss's */
    bool is_bf16; /* activations, their gradients and kernels' copies; else float32 */
    struct hop_cpu_split slices; /* of a batch, in nets where it may be cut */
    struct hop_dn_set *set; /* of the weights' layouts */
    struct hop_cpu_weight *weights;
    struct hop_optim_part *parts; /* room for every weight */
    int n_slots;
    int64_t step;
    uint64_t n_changes; /* of the weights: loads and updates */
    struct hop_arena arena; /* of weights and the pool */
    float *scratch;         /* of all programs but for those that want more */
    size_t scratch_bytes;
    struct hop_cpu_buf *pool;
    struct hop_cpu_prog *progs; /* the first one made is the last */
    size_t bytes;
};

/* ---- plan.c ---- */

int hop_cpu_compile(struct hop_device *d, const struct hop_plan_spec *spec, struct hop_plan **out,
                    struct hop_err *e);
void hop_cpu_plan_free(struct hop_plan *p);
size_t hop_cpu_plan_bytes(const struct hop_plan *p);
const char *hop_cpu_precision(const struct hop_plan *p);

/* hop_cpu_slices - how a pass cuts its batches. Only training looks at a batch as a whole, and there
 * only batch normalization. */
struct hop_cpu_split hop_cpu_slices(const struct hop_plan *p, bool is_training);

/* hop_cpu_prog_get - the program for n examples, built on first use. The last three that were got
 * stay. */
int hop_cpu_prog_get(struct hop_plan *p, int64_t n, bool is_training, struct hop_cpu_prog **out,
                     struct hop_err *e) HOP_MUSTUSE;
int hop_cpu_prog_run(const struct hop_cpu_prog *g, enum hop_cpu_list list,
                     const struct hop_cpu_now *now, struct hop_err *e) HOP_MUSTUSE;

/* ---- weights.c ---- */

/* hop_cpu_weight_place - decide the layout of weight i, if no program has before, and allocate. */
int hop_cpu_weight_place(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md,
                         struct hop_err *e) HOP_MUSTUSE;
void hop_cpu_weights_free(struct hop_plan *p);
int hop_cpu_load(struct hop_plan *p, const struct hop_state *s, struct hop_err *e);
int hop_cpu_store(struct hop_plan *p, struct hop_state *s, struct hop_err *e);
/* hop_cpu_gradient_out - the gradients [n_params] in canonical order, 0 for statistics. */
void hop_cpu_gradient_out(const struct hop_plan *p, float *gradient);
/* hop_cpu_sum_gradients - after the backward pass of slice i of n of a batch: after the last one the
 * gradients are the sums over all n. */
void hop_cpu_sum_gradients(struct hop_plan *p, int64_t i, int64_t n);
double hop_cpu_penalty(const struct hop_plan *p);      /* sum of l1 * |w| + l2 * w^2 */
void hop_cpu_add_penalty_gradient(struct hop_plan *p); /* g += 2 * l2 * w + l1 * sign(w) */
double hop_cpu_update(struct hop_plan *p);             /* one optimizer step; returns its lr */
bool hop_cpu_weights_are_finite(const struct hop_plan *p);

/* ---- build.c: for the op_*.c ---- */

/* Memory that lives as long as the program, zeroed, 64-byte aligned. */
void *hop_cpu_own(struct hop_cpu_prog *g, size_t bytes, struct hop_err *e);

struct hop_cpu_buf *hop_cpu_buf_get(struct hop_plan *p, size_t bytes, struct hop_err *e);
void hop_cpu_buf_put(struct hop_cpu_buf *b); /* drop one reference */

const struct hop_dn_md *hop_cpu_md(struct hop_cpu_prog *g, const struct hop_cpu_value *v,
                                   enum hop_dn_tag tag, struct hop_err *e); /* float32 */
/* The same in the type of md. */
const struct hop_dn_md *hop_cpu_md_typed(struct hop_cpu_prog *g, const struct hop_cpu_value *v,
                                         enum hop_dn_tag tag, const struct hop_dn_md *md,
                                         struct hop_err *e);
const struct hop_dn_md *hop_cpu_md_last(struct hop_cpu_prog *g, const struct hop_cpu_value *v,
                                        struct hop_err *e); /* channels-last, [N,C] if flat */

/* Append a step. The implementation of a primitive is logged for people (HOP_LOG_DEBUG). */
int hop_cpu_exec(struct hop_cpu_prog *g, enum hop_cpu_list list, const struct hop_dn_prim *p,
                 const struct hop_dn_bind *b, int n, struct hop_err *e) HOP_MUSTUSE;
int hop_cpu_call(struct hop_cpu_prog *g, enum hop_cpu_list list,
                 void (*fn)(void *arg, const struct hop_cpu_now *now), void *arg,
                 struct hop_err *e) HOP_MUSTUSE;

/* hop_cpu_in - which value layer i reads as its input number k. It makes value i + 1. */
int hop_cpu_in(const struct hop_cpu_prog *g, int i, int k);

/* ---- values: v is a value's number ---- */

/* hop_cpu_value_as - value v in layout md, through a reorder (a step of `list`) where that differs.
 * The caller drops the reference *out. */
int hop_cpu_value_as(struct hop_cpu_prog *g, enum hop_cpu_list list, int v,
                     const struct hop_dn_md *md, struct hop_cpu_buf **out,
                     struct hop_err *e) HOP_MUSTUSE;
/* hop_cpu_value_any - value v as it lies, in a layout that hop_dn_md_block knows and in the type it
 * has; hop_cpu_value_f32 - the same in float32, for own loops. */
int hop_cpu_value_any(struct hop_cpu_prog *g, int v, struct hop_err *e) HOP_MUSTUSE;
int hop_cpu_value_f32(struct hop_cpu_prog *g, int v, struct hop_err *e) HOP_MUSTUSE;
/* hop_cpu_value_new - memory for value v in layout md. */
int hop_cpu_value_new(struct hop_cpu_prog *g, int v, const struct hop_dn_md *md,
                      struct hop_err *e) HOP_MUSTUSE;
/* hop_cpu_value_alias - value `to` is value `from`, in its memory. */
void hop_cpu_value_alias(struct hop_cpu_prog *g, int from, int to);
/* hop_cpu_can_overwrite - may the layer that reads value v write its output over it? */
bool hop_cpu_can_overwrite(const struct hop_cpu_prog *g, int v, enum hop_cpu_keep max);

/* hop_cpu_grad_take - the gradient of value v in layout md; it is no longer the value's, and the
 * caller drops the reference. Others may read it: see hop_cpu_grad_over. */
int hop_cpu_grad_take(struct hop_cpu_prog *g, int v, const struct hop_dn_md *md,
                      struct hop_cpu_buf **out, struct hop_err *e) HOP_MUSTUSE;
/* hop_cpu_grad_over - where a step that reads dy may write as much: over it if nobody else reads
 * it, else new memory. A reference of its own, besides dy's. */
struct hop_cpu_buf *hop_cpu_grad_over(struct hop_cpu_prog *g, struct hop_cpu_buf *dy,
                                      const struct hop_dn_md *md, struct hop_err *e);
/* hop_cpu_grad_new - memory for a gradient in layout md. */
struct hop_cpu_buf *hop_cpu_grad_new(struct hop_cpu_prog *g, const struct hop_dn_md *md,
                                     struct hop_err *e);
/* hop_cpu_grad_give - hand a reference over to value v, after the step that writes it; what other
 * readers of v gave is added. Dropped if v wants no gradient. */
int hop_cpu_grad_give(struct hop_cpu_prog *g, int v, const struct hop_dn_md *md,
                      struct hop_cpu_buf *take, struct hop_err *e) HOP_MUSTUSE;

/* hop_cpu_weight_as - weight i of the net in layout md, refreshed in every prepare. */
int hop_cpu_weight_as(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, float **out,
                      struct hop_err *e) HOP_MUSTUSE;
/* hop_cpu_weight_gradient - where a step writes the gradient of weight i in layout md; append that
 * step, then call hop_cpu_weight_gradient_done. */
int hop_cpu_weight_gradient(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, float **out,
                            struct hop_err *e) HOP_MUSTUSE;
int hop_cpu_weight_gradient_done(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md,
                                 float *dw, struct hop_err *e) HOP_MUSTUSE;
/* hop_cpu_gradient_or_scratch - of a weight (or NULL) whose gradient the library always writes. */
int hop_cpu_gradient_or_scratch(struct hop_cpu_prog *g, const struct hop_cpu_weight *w, float **out,
                                struct hop_err *e) HOP_MUSTUSE;
/* hop_cpu_next_act - the activation that alone reads layer i's output, if one pass can do both; its
 * node in *node. NULL: none. */
const struct hop_activation *hop_cpu_next_act(const struct hop_cpu_prog *g, int i,
                                              struct hop_cpu_node **node);

/* ---- op_*.c ---- */

struct hop_cpu_op {
    const char *name; /* a layer kind's op */
    /* Append layer i's steps: make value i+1 from the values it reads. */
    int (*forward)(struct hop_cpu_prog *g, int i, struct hop_err *e);
    /* From the gradient of value i+1 make those of the layer's weights and of the values it reads
     * that want one. Called only if any is wanted. */
    int (*backward)(struct hop_cpu_prog *g, int i, struct hop_err *e);
};

/* ---- linear.c: for Conv2D and Dense ---- */

/* Describe layer i's primitive for a pass; act: also do this activation, or NULL. */
typedef int hop_cpu_make(struct hop_cpu_prog *g, int i, enum hop_dn_pass pass,
                         const struct hop_activation *act, const struct hop_dn_prim *fwd,
                         struct hop_dn_prim **out, struct hop_err *e);
int hop_cpu_linear_forward(struct hop_cpu_prog *g, int i, hop_cpu_make *make,
                           struct hop_err *e) HOP_MUSTUSE;
int hop_cpu_linear_backward(struct hop_cpu_prog *g, int i, hop_cpu_make *make,
                            struct hop_err *e) HOP_MUSTUSE;

/* hop_cpu_linear_weights - the step for the gradient of the weights alone, by the node's bwd_weights;
 * the value's gradient stays for others. */
int hop_cpu_linear_weights(struct hop_cpu_prog *g, int i, struct hop_err *e) HOP_MUSTUSE;

/* ---- conv_wino.c: convolutions by wino.h ---- */

/* hop_cpu_conv_wino - is layer i, a Conv2D, one of those? Decides where its kernel lies if nobody has. */
int hop_cpu_conv_wino(struct hop_cpu_prog *g, int i, bool *is_wino, struct hop_err *e) HOP_MUSTUSE;
int hop_cpu_conv_wino_forward(struct hop_cpu_prog *g, int i, struct hop_err *e) HOP_MUSTUSE;
/* make: for weights' gradients of few examples. */
int hop_cpu_conv_wino_backward(struct hop_cpu_prog *g, int i, hop_cpu_make *make,
                               struct hop_err *e) HOP_MUSTUSE;

/* ---- pass.c ---- */

int hop_cpu_train(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                  struct hop_result *r, struct hop_err *e);
int hop_cpu_evaluate(struct hop_plan *p, struct hop_data *x, float *predictions,
                     struct hop_result *r, struct hop_err *e);
int hop_cpu_predict(struct hop_plan *p, struct hop_data *x, float *predictions,
                    struct hop_err *e);
int hop_cpu_gradient(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                     float *gradient, double *loss, struct hop_err *e);

/* ---- loss.c ---- */

/* hop_cpu_softmax - z [n,K] in, p [n,K] overwritten. */
void hop_cpu_softmax(const float *z, int64_t n, int64_t K, float *p);
/* hop_cpu_targets_row - class or targets of example `from` of x, as row `to` of the batch. */
void hop_cpu_targets_row(struct hop_cpu_prog *g, const struct hop_data *x, int64_t from,
                         int64_t to);
/* hop_cpu_link - the batch's predictions, in g->p. */
void hop_cpu_link(struct hop_cpu_prog *g);
/* hop_cpu_score - the same; the batch's loss, a sum without penalties, hits and n added to r. */
void hop_cpu_score(struct hop_cpu_prog *g, const struct hop_data *x, struct hop_result *r);
/* hop_cpu_loss_gradient - after hop_cpu_score: g->dz overwritten, the sum's gradient / n_batch. */
void hop_cpu_loss_gradient(struct hop_cpu_prog *g, const struct hop_data *x, int64_t n_batch);

/* ---- input.c ---- */

/* hop_cpu_input_table - the normalised value of every byte for every channel, [c][256]. */
void hop_cpu_input_table(const struct hop_examples *x, int64_t c, float *table);
/* hop_cpu_input_row - example `from` of d, normalised, as row `to` of value v. */
void hop_cpu_input_row(const struct hop_data *d, int64_t from, const struct hop_cpu_value *v,
                       int64_t to);

#endif

/* plan - what the files of the device "cuda" share.
 *
 * A plan holds the model in device memory and programs: the whole net compiled for one batch size,
 * for training or inference, as a list of launches over one arena. Building a program appends
 * launches; their buffers are only promised then (hop_cuda_new) and get places when the list is
 * complete, from the launches that read and write them (arena.h). A program runs launch by launch the
 * first time and as a captured graph from the second time on; nothing in it depends on the step, the
 * examples or the pass, which kernels find in struct k_now.
 *
 * Values are what flows between layers: value 0 is the net's input, value i + 1 the output of layer i.
 * A failure while building sticks to the program (g->err) and later calls do nothing, so op_*.c do not
 * check.
 */
#ifndef HOP_ENGINE_CUDA_PLAN_H
#define HOP_ENGINE_CUDA_PLAN_H

#include "engine/cuda/driver.h"
#include "engine/cuda/fast.h"
#include "engine/cuda/kernels.h"

struct hop_device {
    const struct hop_cuda_driver *driver;
    struct hop_cuda_context *context;
    struct hop_cuda_stream *stream; /* everything runs here */
    void *spare;                    /* memory of examples that were unbound: taking and giving back */
    size_t spare_bytes;             /* makes a GPU wait for all its streams */
    char fingerprint[64];           /* of exact plans */
    struct hop_cuda_props props;
    int index;
};

struct hop_data {
    struct hop_device *device;
    struct hop_examples x; /* of the host; its arrays are not read after bind */
    struct hop_cuda_resident *resident; /* where the shard's arrays are; NULL: in memory */
    void *memory;          /* one piece for all else that follows */
    size_t bytes;          /* of it */
    struct k_now now;      /* spans of the examples, the rest zero */
};

struct hop_cuda_step {
    int kernel; /* HOP_CUDA_FAST: a plan of fast.h */
    int64_t n;
    void *args; /* owned */
    struct hop_cuda_fast_plan *fast; /* owned, or NULL */
};

struct hop_cuda_owned { /* device memory of a program's own */
    struct hop_cuda_owned *next;
    void *p;
};

struct hop_cuda_aux { /* what a layer keeps from forward to backward */
    struct k_f32 a, b;
    struct k_val x;
};

struct hop_cuda_prog {
    struct hop_cuda_prog *next;
    struct hop_plan *plan;
    int64_t n; /* examples in the batch */
    bool is_training;
    struct hop_cuda_step *steps;
    size_t n_steps, cap_steps;
    size_t n_batch; /* steps before the update: forward, loss, backward */
    size_t *buffers; /* bytes of every promised buffer */
    size_t n_buffers, cap_buffers;
    struct k_val *values, *grads; /* [n_layers + 1]; grads: n = 0 as long as no reader gave one */
    bool *wants;                  /* [n_layers + 1]: something behind this value learns */
    bool *is_done;                /* [n_layers]: what was before the layer has done its work */
    int64_t input_wide;           /* channels that the input is padded to */
    struct hop_cuda_aux *aux;     /* [n_layers] */
    struct k_loss_of loss;
    struct k_f32 predictions;
    struct hop_cuda_owned *owned;
    void *arena;
    size_t arena_bytes;
    bool owns_arena;
    struct hop_cuda_graph *graph;
    int64_t n_runs;
    struct hop_err err;
};

struct hop_plan {
    struct hop_plan_spec spec;
    struct hop_device *device;
    bool is_fast, is_half;            /* on tensor cores; values in bfloat16 */
    enum hop_cuda_precision precision; /* of a fast plan */
    void *memory;                     /* one piece for all that follows */
    struct k_f32 w, g;                /* [n_params] canonical */
    struct k_f32 slots[HOP_MAX_SLOTS]; /* [n_trainable]; n = 0: not in use */
    struct k_val shadow, dshadow;     /* fast: copies of weights as fast.h wants them, their gradients */
    struct k_shadows shadows;         /* where they are: kernels first, then biases */
    int64_t n_kernels;                /* how many of them are kernels */
    int64_t *shadow_at;               /* [n_weights] places in shadow, -1: none */
    struct k_parts parts;             /* trainable weights, in order */
    struct k_parts pieces;            /* the same in pieces, for their norms */
    struct k_parts regularised;       /* all weights with a regularizer */
    struct k_f64 squares, penalty;    /* one for each piece, one for each regularised */
    struct k_f32 factors;             /* one for each part */
    struct k_nows now;
    struct k_now *host_now;           /* pinned */
    int n_slots, rule;                /* enum hop_optim_rule */
    struct k_rate *host_rates;        /* pinned, with room for cap_rates */
    struct k_rates rates;
    struct k_f32 out;                 /* predictions of a pass */
    struct hop_cuda_event *marks[2];  /* how far a pass is; NULL: nobody has asked yet */
    struct hop_cuda_prog *progs;
    int64_t step;
    size_t bytes;
    char fingerprint[128];            /* of a fast plan */
};

/* One operation of layers. */
struct hop_cuda_op {
    const char *name; /* a layer kind's op */
    /* Append layer i's launches: make value i + 1 (hop_cuda_set_out) from those it reads. */
    void (*forward)(struct hop_cuda_prog *g, int i);
    /* From dy, the gradient of value i + 1, make those of the layer's trainable weights, and give
     * those of the values it reads, where wanted. Called only if any is wanted. */
    void (*backward)(struct hop_cuda_prog *g, int i, struct k_val dy);
};

/* ---- build.c: for the op_*.c ---- */

const struct hop_layer *hop_cuda_layer(const struct hop_cuda_prog *g, int i);
/* [L,C] as the image of one row that it is here. */
struct hop_shape hop_cuda_image(const struct hop_shape *s);

/* hop_cuda_new - n floats (values, bytes) of the arena. */
struct k_f32 hop_cuda_new(struct hop_cuda_prog *g, int64_t n);
struct k_val hop_cuda_new_value(struct hop_cuda_prog *g, int64_t n);
void *hop_cuda_new_bytes(struct hop_cuda_prog *g, size_t bytes);
/* hop_cuda_constant - n floats, from the host, that never change. */
struct k_f32 hop_cuda_constant(struct hop_cuda_prog *g, const float *from, int64_t n);
/* hop_cuda_launch - append a launch over n items; args is copied. */
void hop_cuda_launch(struct hop_cuda_prog *g, enum hop_cuda_kernel kernel, int64_t n,
                     const void *args);
/* hop_cuda_launch_v - of a kernel with two variants, the one for the plan's values. */
void hop_cuda_launch_v(struct hop_cuda_prog *g, enum hop_cuda_kernel kernel, int64_t n,
                       const void *args);
/* hop_cuda_f32 - values that are float32. hop_cuda_widen - made so where they are not. */
struct k_f32 hop_cuda_f32(struct k_val x);
struct k_f32 hop_cuda_widen(struct hop_cuda_prog *g, struct k_val x);

struct k_val hop_cuda_in(const struct hop_cuda_prog *g, int i, int k); /* what layer i reads */
struct k_val hop_cuda_out(const struct hop_cuda_prog *g, int i);       /* what it made */
/* hop_cuda_set_out - y is value i + 1; it may be another value's buffer, since nothing is written
 * over. */
void hop_cuda_set_out(struct hop_cuda_prog *g, int i, struct k_val y);
/* hop_cuda_new_out - a new buffer for it, set. */
struct k_val hop_cuda_new_out(struct hop_cuda_prog *g, int i);

bool hop_cuda_wants(const struct hop_cuda_prog *g, int i, int k); /* the gradient of input k? */
/* hop_cuda_give - dx is a gradient of input k; several readers' are added in ref's order. It may be
 * dy itself. Dropped where it is not wanted. */
void hop_cuda_give(struct hop_cuda_prog *g, int i, int k, struct k_val dx);
struct k_val hop_cuda_new_like(struct hop_cuda_prog *g, struct k_val x);

/* Weight k of layer i, and its gradient, which is {NULL, 0} where it is not trainable; k < 0: {NULL,
 * 0}. */
struct k_f32 hop_cuda_weight(const struct hop_cuda_prog *g, int i, int k);
struct k_f32 hop_cuda_weight_gradient(const struct hop_cuda_prog *g, int i, int k);
/* hop_cuda_tree - out = the sum of part [n,stride] by the tree, places first.. */
void hop_cuda_tree(struct hop_cuda_prog *g, struct k_f32 part, int64_t n, int64_t stride,
                   int64_t first, struct k_f32 out);
/* Sums of many rows. An exact plan sums image by image, then by ref's tree, which takes long where one
 * thread does it; a fast one in stages of few rows. hop_cuda_chunk - how many of an image's rows to sum
 * at first. hop_cuda_shrink - the *n sums [*n,C] made fewer. hop_cuda_sum_rows - out [C] = their sum. */
int64_t hop_cuda_chunk(const struct hop_cuda_prog *g, int64_t rows);
struct k_f32 hop_cuda_shrink(struct hop_cuda_prog *g, struct k_f32 part, int64_t *n, int64_t C);
void hop_cuda_sum_rows(struct hop_cuda_prog *g, struct k_f32 part, int64_t n, int64_t C,
                       struct k_f32 out);

/* ---- linear.c: Conv2D and Dense on tensor cores ---- */

void hop_cuda_linear_forward(struct hop_cuda_prog *g, int i);
void hop_cuda_linear_backward(struct hop_cuda_prog *g, int i, struct k_val dy);
/* hop_cuda_linear_weights_back - the weights' gradients, once all layers have gone back. */
void hop_cuda_linear_weights_back(struct hop_cuda_prog *g);
/* hop_cuda_linear_refresh - the copies made anew: launched at once, or as a step of g. */
int hop_cuda_linear_refresh(struct hop_plan *p, struct hop_cuda_prog *g, struct hop_err *e);
/* hop_cuda_linear_shadows - the copies that p's net needs: their list, malloced; p->shadow_at, n_kernels
 * and the lengths of shadow, dshadow and shadows are filled in. Once for a plan. */
int hop_cuda_linear_shadows(struct hop_plan *p, struct k_shadow_part **parts,
                            struct hop_err *e) HOP_MUSTUSE;
/* hop_cuda_linear_input_wide - channels that g's input should be padded to: those of its readers. */
int64_t hop_cuda_linear_input_wide(const struct hop_cuda_prog *g);

/* ---- prog.c ---- */

/* hop_cuda_prog_get - the program for n examples, built if it is not there. */
int hop_cuda_prog_get(struct hop_plan *p, int64_t n, bool is_training, struct hop_cuda_prog **out,
                      struct hop_err *e) HOP_MUSTUSE;
void hop_cuda_progs_free(struct hop_plan *p);
/* hop_cuda_prog_run - all of it enqueued; captured at the second run. */
int hop_cuda_prog_run(struct hop_cuda_prog *g, struct hop_err *e) HOP_MUSTUSE;
/* hop_cuda_prog_run_batch - without the update, launch by launch. */
int hop_cuda_prog_run_batch(struct hop_cuda_prog *g, struct hop_err *e) HOP_MUSTUSE;

/* ---- loss.c ---- */

/* hop_cuda_loss_forward - predictions, losses, hits. hop_cuda_loss_backward - from the loss into the
 * grads. hop_cuda_update - regularizers' gradients are part of the batch; clipping, step. */
void hop_cuda_loss_forward(struct hop_cuda_prog *g);
void hop_cuda_loss_backward(struct hop_cuda_prog *g);
void hop_cuda_penalty_backward(struct hop_cuda_prog *g);
void hop_cuda_update(struct hop_cuda_prog *g);

/* ---- state.c ---- */

/* hop_cuda_state_new - the model's memory. Freed by hop_cuda_state_free. */
int hop_cuda_state_new(struct hop_plan *p, struct hop_err *e) HOP_MUSTUSE;
void hop_cuda_state_free(struct hop_plan *p);
int hop_cuda_load(struct hop_plan *p, const struct hop_state *s, struct hop_err *e);
int hop_cuda_store(struct hop_plan *p, struct hop_state *s, struct hop_err *e);
/* hop_cuda_cut - room for n bytes at *at, which moves on; base NULL: only counted. */
void *hop_cuda_cut(char *base, size_t *at, size_t bytes);

/* ---- examples.c ---- */

int hop_cuda_bind(struct hop_device *d, const struct hop_examples *x, struct hop_data **out,
                  struct hop_err *e);
void hop_cuda_unbind(struct hop_data *x);

/* ---- pass.c ---- */

int hop_cuda_train(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                   struct hop_result *r, struct hop_err *e);
int hop_cuda_evaluate(struct hop_plan *p, struct hop_data *x, float *predictions,
                      struct hop_result *r, struct hop_err *e);
int hop_cuda_predict(struct hop_plan *p, struct hop_data *x, float *predictions,
                     struct hop_err *e);
int hop_cuda_gradient(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                      float *gradient, double *loss, struct hop_err *e);

#endif

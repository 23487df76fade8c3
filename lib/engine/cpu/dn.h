/* dn - the little of oneDNN that this device uses, in hop's words. dn*.c are its only users.
 *
 * Everything made within a `struct hop_dn_set` lives until the set is freed. Convolutions and dense
 * layers compute in the type of their set: float32, or bfloat16 (8 bits of fraction, summed in
 * float32) for activations, their gradients and copies of kernels, while biases and the gradients
 * of weights stay float32. Other primitives take the type of the layout they are given; statistics,
 * scales and shifts are float32. Activations are [N,C,H,W] or [N,C] in oneDNN's order of axes
 * whatever their layout in memory; convolution weights are [K,C,kh,kw], with groups
 * [G,K/G,C/G,kh,kw], dense weights [units,D]. Convolutions and dense layers choose the layout of
 * all their arguments (hop_dn_prim_md tells); the other primitives take the layout they are given.
 */
#ifndef HOP_ENGINE_CPU_DN_H
#define HOP_ENGINE_CPU_DN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "net/net.h"

struct hop_dn_engine; /* engine and stream */
struct hop_dn_set;    /* owner of the next three */
struct hop_dn_md;     /* shape and layout of an array */
struct hop_dn_prim;   /* an implementation chosen, not yet code */
struct hop_dn_exec;   /* code with its arguments */

/* The last two: channels in blocks of 16, and the kernels [K,C,kh,kw] for them. */
enum hop_dn_tag {
    HOP_DN_NCHW,
    HOP_DN_NHWC,
    HOP_DN_NC,
    HOP_DN_X,
    HOP_DN_NCHW16C,
    HOP_DN_OIHW16I16O
};
enum hop_dn_pass { HOP_DN_INFER, HOP_DN_TRAIN, HOP_DN_BWD_DATA, HOP_DN_BWD_WEIGHTS };
enum hop_dn_arg {
    HOP_DN_SRC,
    HOP_DN_DST,
    HOP_DN_WEIGHTS,
    HOP_DN_BIAS,
    HOP_DN_MEAN,
    HOP_DN_VARIANCE,
    HOP_DN_SCALE,
    HOP_DN_SHIFT,
    HOP_DN_WORKSPACE,
    HOP_DN_SCRATCH,
    HOP_DN_DIFF_SRC,
    HOP_DN_DIFF_DST,
    HOP_DN_DIFF_WEIGHTS,
    HOP_DN_DIFF_BIAS,
    HOP_DN_DIFF_SCALE,
    HOP_DN_DIFF_SHIFT,
    HOP_DN_N_ARGS
};

struct hop_dn_conv {
    int64_t n, c, h, w, k, p, q; /* batch; channels, height, width in; the same out */
    const struct hop_conv2d *conf;
    const struct hop_activation *act; /* done in the same pass, or NULL */
};
struct hop_dn_dense {
    int64_t n, d, units;
    bool has_bias;
    bool is_f32;                      /* the output, whatever the set's type */
    const struct hop_activation *act; /* or NULL */
};
struct hop_dn_pool {
    int64_t n, c, h, w, p, q;
    struct hop_pool2d conf;
    bool is_max; /* else average without padding */
};
struct hop_dn_norm { /* batch or layer normalization */
    float epsilon;
    bool has_scale, has_shift;
    bool has_relu;  /* batch only: ReLU in the same passes, with HOP_DN_WORKSPACE in training */
    bool is_frozen; /* batch only: mean and variance are inputs in training, too */
};

/* ---- the library ---- */

const char *hop_dn_name(void);      /* "onednn-2.6.3 avx2": version and instruction set in use */
bool hop_dn_has_avx512(void);       /* does it use AVX-512? */
bool hop_dn_has_bf16(void);         /* has the CPU instructions for bfloat16? */
bool hop_dn_has_amx(void);          /* and tiles that multiply it (AMX)? */
void hop_dn_threads(int n_threads); /* of the calling thread, from now on */

/* hop_dn_load - before anything else here: load the library. Err: HOP_EDEV. */
int hop_dn_load(struct hop_err *e) HOP_MUSTUSE;

/* hop_dn_expect - begin to load it, in a thread of its own. */
void hop_dn_expect(void);

int hop_dn_engine_new(struct hop_dn_engine **out, struct hop_err *e) HOP_MUSTUSE;
void hop_dn_engine_free(struct hop_dn_engine *g);
struct hop_dn_set *hop_dn_set_new(struct hop_dn_engine *g, bool is_bf16, struct hop_err *e);
void hop_dn_set_free(struct hop_dn_set *s);

/* ---- layouts ---- */

/* hop_dn_md_new - float32, dims in oneDNN's order. NULL: HOP_ENOMEM or a shape that it refuses, in
 * e. */
const struct hop_dn_md *hop_dn_md_new(struct hop_dn_set *s, int n_dims, const int64_t *dims,
                                      enum hop_dn_tag tag, struct hop_err *e);
/* hop_dn_md_copy - the same md owned by another set. */
const struct hop_dn_md *hop_dn_md_copy(struct hop_dn_set *s, const struct hop_dn_md *md,
                                       struct hop_err *e);
/* hop_dn_md_typed - md with elements of that type: md itself if it has it; in its layout if
 * hop_dn_md_block knows that, else in plain order. */
const struct hop_dn_md *hop_dn_md_typed(struct hop_dn_set *s, const struct hop_dn_md *md,
                                        bool is_bf16, struct hop_err *e);
bool hop_dn_md_is_bf16(const struct hop_dn_md *md);
bool hop_dn_md_equal(const struct hop_dn_md *a, const struct hop_dn_md *b);
size_t hop_dn_md_bytes(const struct hop_dn_md *md);

/* hop_dn_md_block - activations only. Layouts here are [n][C/b][h][w][b] for some b: C for
 * channels-last, 1 for channels-first, 4, 8 or 16 for blocked (the last block padded with zeros).
 * Returns b, or 0 for any other layout. */
int64_t hop_dn_md_block(const struct hop_dn_md *md);

/* hop_dn_md_like - layout and type of md, of which hop_dn_md_block says b, for another shape. */
const struct hop_dn_md *hop_dn_md_like(struct hop_dn_set *s, const struct hop_dn_md *md,
                                       const int64_t dims[4], struct hop_err *e);

int hop_dn_md_dims(const struct hop_dn_md *md, int64_t dims[6]); /* returns how many */

/* hop_dn_md_axis - offsets in memory are sums over the axes: out[i] is what position i of `axis`
 * adds. False if the layout is not of that kind (a packed one). */
bool hop_dn_md_axis(const struct hop_dn_md *md, int axis, int64_t *out);
bool hop_dn_md_axis_at(const struct hop_dn_md *md, int axis, int64_t i, int64_t *out); /* one */

/* ---- primitives; *out is owned by s. Err: HOP_EFORMAT no implementation; HOP_ENOMEM ---- */

/* fwd: the forward primitive, needed in backward passes. */
int hop_dn_conv(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_conv *c,
                const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
                struct hop_err *e) HOP_MUSTUSE;
int hop_dn_dense(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_dense *c,
                 const struct hop_dn_prim *fwd, struct hop_dn_prim **out,
                 struct hop_err *e) HOP_MUSTUSE;
/* src: layout of the input; backward passes use the forward's layouts for the gradients. */
int hop_dn_pool(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_pool *c,
                const struct hop_dn_md *src, const struct hop_dn_prim *fwd,
                struct hop_dn_prim **out, struct hop_err *e) HOP_MUSTUSE;
int hop_dn_bnorm(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_norm *c,
                 const struct hop_dn_md *src, const struct hop_dn_prim *fwd,
                 struct hop_dn_prim **out, struct hop_err *e) HOP_MUSTUSE;
/* src: [rows,C]. Mean and variance [rows] are outputs of HOP_DN_TRAIN. */
int hop_dn_lnorm(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_dn_norm *c,
                 const struct hop_dn_md *src, const struct hop_dn_prim *fwd,
                 struct hop_dn_prim **out, struct hop_err *e) HOP_MUSTUSE;
/* hop_dn_has_eltwise - has the library this activation? */
bool hop_dn_has_eltwise(const struct hop_activation *act);
/* hop_dn_eltwise_reads_input - does backward read the input (HOP_DN_SRC)? Else it reads the output
 * (HOP_DN_DST), so forward may run in place. */
bool hop_dn_eltwise_reads_input(const struct hop_activation *act);
int hop_dn_eltwise(struct hop_dn_set *s, enum hop_dn_pass pass, const struct hop_activation *act,
                   const struct hop_dn_md *md, const struct hop_dn_prim *fwd,
                   struct hop_dn_prim **out, struct hop_err *e) HOP_MUSTUSE;
int hop_dn_reorder(struct hop_dn_set *s, const struct hop_dn_md *from, const struct hop_dn_md *to,
                   struct hop_dn_prim **out, struct hop_err *e) HOP_MUSTUSE;

/* Layout of an argument; NULL if the primitive has none of that kind. */
const struct hop_dn_md *hop_dn_prim_md(struct hop_dn_set *s, const struct hop_dn_prim *p,
                                       enum hop_dn_arg arg, struct hop_err *e);
const char *hop_dn_prim_impl(const struct hop_dn_prim *p); /* "jit:avx2" */
bool hop_dn_prim_is_slow(const struct hop_dn_prim *p);     /* the library's plain loops */

/* ---- execution ---- */

struct hop_dn_bind {
    enum hop_dn_arg arg;
    const struct hop_dn_md *md;
    void *p; /* stays where it is; NULL = argument absent, left out */
};

/* hop_dn_exec_new - compile, and bind n arguments. Backward normalizations get their shift, too,
 * which is left out where the library refuses it. Scratch memory comes with hop_dn_set_scratch. */
int hop_dn_exec_new(struct hop_dn_set *s, const struct hop_dn_prim *p, const struct hop_dn_bind *b,
                    int n, struct hop_dn_exec **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_dn_set_scratch_bytes - what the hungriest primitive of the set wants; hop_dn_set_scratch
 * gives that much to all of them, once all are made. p is borrowed. */
size_t hop_dn_set_scratch_bytes(const struct hop_dn_set *s);
int hop_dn_set_scratch(struct hop_dn_set *s, void *p, struct hop_err *e) HOP_MUSTUSE;

int hop_dn_exec_run(const struct hop_dn_exec *x, struct hop_err *e) HOP_MUSTUSE;

#endif

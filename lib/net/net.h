/* net - an architecture: Keras JSON made into layers with shapes and weights. No arithmetic here:
 * devices (lib/engine) run it.
 *
 * Shape letters: N batch, H W height and width, C channels in, K channels out, D features.
 * L length. Shapes are channels-last and never hold the batch: [H,W,C], [L,C] or [D]. To a device
 * [L,C] is an image of one row, [1,L,C], and a kernel [kw,C,K] is [1,kw,C,K].
 * A Keras layer with `activation` becomes two layers here, the second of kind "activation" with
 * is_inner set. Layers are in topological order, the output last; a layer names its inputs by
 * index. In a Sequential net every layer has one, the layer before.
 */
#ifndef HOP_NET_NET_H
#define HOP_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

enum { HOP_NET_DIMS = 4, HOP_NET_INPUTS = 8, HOP_NAME_LEN = 96 };

struct hop_shape {
    int n_dims;
    int64_t d[HOP_NET_DIMS];
};

/* Initialisers. VarianceScaling's forms carry scale, fan mode and distribution. */
enum hop_init_kind { HOP_INIT_CONSTANT, HOP_INIT_VARIANCE, HOP_INIT_UNIFORM, HOP_INIT_NORMAL };
struct hop_init {
    enum hop_init_kind kind;
    double value;            /* CONSTANT; low bound or mean */
    double value2;           /* high bound or standard deviation */
    double scale;            /* VARIANCE */
    char fan;                /* 'i' fan_in, 'o' fan_out, 'a' average */
    bool is_uniform, is_truncated; /* else normal; truncated at two standard deviations */
};

struct hop_weight {
    char name[2 * HOP_NAME_LEN]; /* "conv2d_1/kernel" */
    struct hop_shape shape;      /* Keras layout: conv kernel [kh,kw,C,K], dense kernel [D,units] */
    int64_t n;                   /* product of shape */
    size_t offset;               /* of its first value in the weight arena, in floats */
    size_t slot_offset;          /* the same in a slot arena (trainable weights only) */
    bool is_trainable;           /* false: batch-norm statistics, and all of a frozen layer */
    double l1, l2;               /* regularizer: adds l1 * sum(|w|) + l2 * sum(w^2) to the loss */
    struct hop_init init;
    int64_t fan_in, fan_out;
};

/* Parameters per kind of layer; layer->params points at the one its kind names. */
enum hop_act {
    HOP_LINEAR, HOP_RELU, HOP_ELU, HOP_TANH, HOP_SIGMOID, HOP_SOFTMAX,
    HOP_LEAKY_RELU, /* also ReLU with negative_slope or max_value */
    HOP_GELU, HOP_SWISH, HOP_SELU, HOP_SOFTPLUS
};
struct hop_conv2d { /* also depthwise: groups = C, whose kernel [kh,kw,C,m] is [kh,kw,1,C*m] in memory */
    int64_t filters, kh, kw, stride_h, stride_w, dilation_h, dilation_w, groups;
    int64_t pad_top, pad_left, pad_bottom, pad_right; /* from padding "same"/"valid"/"causal" */
    bool use_bias; /* weights: kernel [kh,kw,C/groups,K], or [kw,C/groups,K], then bias [K] */
};
struct hop_pool2d { /* max and average; average leaves padding out of the mean, as Keras */
    int64_t kh, kw, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
};
struct hop_dense {
    int64_t units;
    bool use_bias; /* weights: kernel [D,units], then bias [units] */
};
struct hop_dropout {
    double rate;
};
struct hop_activation {
    enum hop_act act;
    double alpha;     /* ELU, leaky: factor below 0 */
    double max_value; /* leaky: upper bound, INFINITY = none */
};
struct hop_batch_norm { /* over the last axis. weights: gamma, beta (if any), moving_mean,
                           moving_variance, [C] */
    double momentum, epsilon;
    bool has_scale, has_center;
};
struct hop_layer_norm { /* over the last axis. weights: gamma, beta (if any) [C] */
    double epsilon;
    bool has_scale, has_center;
};
struct hop_zero_padding2d {
    int64_t top, bottom, left, right;
};
struct hop_augment { /* active in training only; no gradient passes through */
    enum hop_augment_kind { HOP_FLIP, HOP_AFFINE, HOP_CONTRAST, HOP_CROP } kind;
    bool flips_rows, flips_columns;
    /* bounds of uniform draws: shifts as parts of height and width (down, right), angle as part of
     * a full turn (counter-clockwise), zoom added to 1 (positive shrinks), contrast factors */
    double shift_h[2], shift_w[2], turn[2], zoom_h[2], zoom_w[2], contrast[2];
    bool zooms_evenly;     /* one draw for both axes */
    char fill;             /* 'r' reflect, 'w' wrap, 'c' constant, 'n' nearest */
    double fill_value;
    bool is_nearest;       /* else bilinear */
};
struct hop_rescaling { /* y = x * scale[c] + offset[c]: Rescaling and Normalization */
    int64_t n; /* 1 or C */
    float *scale, *offset; /* [n] */
};

struct hop_layer;
struct hop_net;

/* One kind of layer: one file layer_NAME.c and one row in layers.c. */
struct hop_layer_kind {
    const char *name;       /* Keras class_name */
    const char *name2;      /* another accepted class_name or NULL */
    const char *op;         /* what devices run: several kinds may be one operation */
    const char *base;       /* base of automatic names: "conv2d" */
    const char *const *keys; /* known keys of "config", NULL-ended, besides name/trainable/dtype */
    size_t params_size;
    /* Read the layer's config into l->params. Err: HOP_EFORMAT at where. */
    int (*parse)(const struct hop_json *config, const char *where, struct hop_layer *l,
                 struct hop_err *e);
    /* From l->in_shape set l->out_shape, add weights, set l->flops. */
    int (*shape)(struct hop_net *net, struct hop_layer *l, const char *where, struct hop_err *e);
    void (*free_params)(void *params); /* or NULL */
    bool is_merging; /* takes two inputs or more; all others take one */
    const struct hop_layer_kind *then; /* an inner layer that follows with the same config, or NULL */
};

struct hop_layer {
    const struct hop_layer_kind *kind;
    char name[HOP_NAME_LEN];
    char keras_name[HOP_NAME_LEN]; /* of the Keras layer it is a part of; its weights' names begin so */
    bool is_frozen; /* "trainable": false: its weights stay, BatchNormalization uses its moving
                       statistics in training too and leaves them alone (as Keras) */
    bool is_inner; /* a part of the Keras layer before: its activation, its second half */
    int n_in;                   /* 1, or more for kinds that merge */
    int in[HOP_NET_INPUTS];     /* indices of layers; -1 = the net's input */
    struct hop_shape in_shapes[HOP_NET_INPUTS];
    struct hop_shape in_shape;  /* = in_shapes[0] */
    struct hop_shape out_shape;
    void *params;
    int i_weight, n_weights;    /* its weights in net->weights */
    double flops;               /* forward, per example; multiply and add count as two */
    const struct hop_json *config; /* during parsing only */
};

struct hop_net {
    char name[HOP_NAME_LEN];
    struct hop_shape input, output;
    struct hop_layer *layers;
    int n_layers;
    struct hop_weight *weights;
    int n_weights;
    size_t n_params;     /* floats in the weight arena */
    size_t n_trainable;  /* floats in one slot arena */
    double flops;        /* forward, per example */
    bool is_normalizing; /* starts with Rescaling or Normalization: wants raw pixels */
    size_t cap_layers, cap_weights;
};

/* hop_net_parse - a Keras `model.to_json()` object (Keras 2 or 3, Sequential or functional with one
 * input and one output), or a short form written by hand: keys left out take Keras's defaults, and
 * "inbound_nodes" may simply list names of layers. Unknown layers and options are errors that name
 * them and list what is known. Err: HOP_EFORMAT at `where`. */
int hop_net_parse(const struct hop_json *keras, const char *where, struct hop_net **out,
                  struct hop_err *e) HOP_MUSTUSE;
void hop_net_free(struct hop_net *net);

int64_t hop_shape_len(const struct hop_shape *s);
void hop_shape_text(const struct hop_shape *s, char *out, size_t n); /* "32x32x3" */

#endif

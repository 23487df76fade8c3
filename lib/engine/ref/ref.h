/* ref - the oracle: plain loops with a fixed order of operations. It defines right.
 *
 * Order of operations (what a device must do to match its bits):
 *  - all arithmetic in float32 (`real`), no contraction; fma only where written here
 *  - input: (x - mean[c]) * inv_std[c]
 *  - Conv2D, Dense: acc = 0; over (kh, kw, c) or d ascending: acc = fma(x, w, acc), taps outside
 *    the image skipped; y = acc + bias
 *  - their input gradient: over (kh, kw, k) or units ascending: acc = fma(dy, w, acc)
 *  - their weight gradient: per image, over output positions in raster order,
 *    acc = fma(x, dy, acc); the images are then added by the tree below. Bias likewise with sums.
 *  - the tree over images: struct ref_tree, a binary counter: image i is a leaf, two neighbours of
 *    equal height are added (left + right) as soon as both are there; what is left at the end is
 *    added from the lowest to the highest (high + low).
 *  - BatchNormalization: per-image sums in raster order, tree over images; mean = sum / n; the
 *    variance from a second pass over (x - mean)^2
 *  - softmax: subtract the maximum; sum of exponentials ascending; divide
 *  - Add, Multiply: inputs in order; a value that several layers read gets its gradient from the last
 *    reader first, then + the one before it, and so on
 *  - loss of an example: of a softmax log(sum) - (z_y - max); targets, outputs and the other losses
 *    as ref_loss.c has them, outputs ascending; examples are summed in order in double
 *  - regularizers: after all gradients, dw += (2 * l2) * w, then dw += l1 * sign(w), sign(0) = 0; the
 *    loss gets l1 * sum(|w|) + l2 * sum(w^2), in order, in double
 *  - exp, log, tanh are lib/base/num.h's; sqrt and division are IEEE's
 */
#ifndef HOP_ENGINE_REF_REF_H
#define HOP_ENGINE_REF_REF_H

#include "engine/engine.h"
#include "engine/ref/real.h"

/* A sum of vectors of n reals by a fixed tree, with one buffer per height. */
enum { REF_TREE_HEIGHT = 22 };
struct ref_tree {
    real *level[REF_TREE_HEIGHT];
    bool is_full[REF_TREE_HEIGHT];
    real *leaf; /* write the next vector here, zeroed by ref_tree_start and _add */
    size_t n;
};

struct ref_step {
    int64_t n; /* examples in this batch */
    bool is_training;
    uint64_t dropout_key;
    int64_t t;     /* optimizer steps done before this one */
    int i_layer;
    const real *xs[HOP_NET_INPUTS]; /* inputs of a merging layer; xs[0] is also passed as x */
    real *dxs[HOP_NET_INPUTS];      /* their gradients, NULL = not wanted; dxs[0] is also dx */
    struct ref_tree *tree; /* scratch, big enough for any weight of the layer */
    real *scratch;         /* as many reals as the net's largest weight */
};

/* How one operation runs. x [n,in], y [n,out]; w and dw: the layer's weights in order.
 * forward overwrites y. backward overwrites dx (NULL = not wanted) and dw. aux is the layer's own
 * memory from forward to backward. BatchNormalization's forward updates its statistics in w. */
struct ref_op {
    const char *name; /* a layer kind's op */
    size_t (*aux)(const struct hop_layer *l, int64_t n); /* reals; or NULL */
    void (*forward)(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                    const real *x, real *y, real *aux);
    void (*backward)(const struct ref_step *s, const struct hop_layer *l, real *const *w,
                     const real *x, const real *y, const real *aux, const real *dy, real *dx,
                     real *const *dw);
};

/* Start a sum of vectors of n reals; then fill t->leaf and add, for every image; then end, which
 * writes the sum to out. */
void REF_NAME(tree_start)(struct ref_tree *t, size_t n);
void REF_NAME(tree_add)(struct ref_tree *t);
void REF_NAME(tree_end)(struct ref_tree *t, real *out);

/* [L,C] as the image of one row that it is here. */
static inline struct hop_shape
ref_image(const struct hop_shape *s)
{
    return s->n_dims == 2 ? (struct hop_shape){3, {1, s->d[0], s->d[1]}} : *s;
}

#endif

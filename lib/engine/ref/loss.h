/* loss - what a batch costs, for ref and for devices that share its arithmetic.
 *
 * Letters: n examples of the batch, K outputs of the net. z [n,K] is what the loss reads
 * (hop_loss_is_fused: the input of the net's last layer; else its output), p [n,K] the predictions
 * made of it. Targets t [n,K] are given, or made of classes y [n]: one-hot, or for K = 1 the class
 * itself. Everything is taken in order, examples, then outputs; examples are summed in double.
 */
#ifndef HOP_ENGINE_REF_LOSS_H
#define HOP_ENGINE_REF_LOSS_H

#include <stdint.h>
#include "engine/ref/real.h"
#include "net/loss.h"

struct ref_targets { /* y or t is NULL */
    const int32_t *y;          /* [n] */
    const float *t;            /* [n,K] */
    const float *class_weight; /* [classes], factors of the examples' losses; NULL = all 1 */
};

/* ref_loss_link - p [n,K] overwritten: softmax or sigmoid of z, or z itself. */
void REF_NAME(loss_link)(const struct hop_loss *l, const real *z, int64_t n, int64_t K, real *p);

/* ref_loss_sum - the sum of the examples' losses. */
double REF_NAME(loss_sum)(const struct hop_loss *l, const real *z, int64_t n, int64_t K,
                          const struct ref_targets *t);

/* ref_loss_gradient - dz [n,K] overwritten: the gradient of the sum / n_batch. */
void REF_NAME(loss_gradient)(const struct hop_loss *l, const real *p, int64_t n, int64_t K,
                             const struct ref_targets *t, int64_t n_batch, real *dz);

/* ref_loss_hits - how many examples have their greatest p at their class; for K = 1 the class is
 * p > 0.5. 0 with targets. */
int64_t REF_NAME(loss_hits)(const real *p, int64_t n, int64_t K, const struct ref_targets *t);

/* ref_softmax_row - y [n] overwritten. */
void REF_NAME(softmax_row)(const real *x, real *y, int64_t n);

#endif

/* transfer - start weights from another file: transfer learning.
 *
 * Source files are safetensors: models of hop and Keras ("conv2d/kernel", also with ":0" behind),
 * or PyTorch state dicts ("features.0.weight"), whose layouts are turned: conv [K,C,kh,kw] ->
 * [kh,kw,C,K], linear [out,in] -> [in,out]; weight, bias, running_mean, running_var of a norm become
 * gamma, beta, moving_mean, moving_variance; num_batches_tracked is passed over.
 */
#ifndef HOP_NET_TRANSFER_H
#define HOP_NET_TRANSFER_H

#include "base/str.h"
#include "format/safetensors.h"
#include "net/net.h"

struct hop_transfer {
    int n_loaded, n_left, n_missing, n_misfit; /* tensors: used; of the file, unused; of the net,
                                                  without and with a source of another shape */
    int64_t n_params;     /* values loaded */
    struct hop_str report; /* a line per tensor that was left, missing or misfit */
};

/* hop_transfer_by_name - every weight whose name (and shape) the file has. */
int hop_transfer_by_name(const struct hop_st *from, const struct hop_net *net, float *weights,
                         struct hop_transfer *t, struct hop_err *e) HOP_MUSTUSE;

/* hop_transfer_by_order - the file's layers (names up to the last '.' or '/', numbers in them compared
 * as numbers) and the net's layers that have weights, in order, as long as they last.
 * Err: HOP_EFORMAT naming the first pair that does not fit. */
int hop_transfer_by_order(const struct hop_st *from, const struct hop_net *net, float *weights,
                          const char *where, struct hop_transfer *t, struct hop_err *e)
    HOP_MUSTUSE;

void hop_transfer_clear(struct hop_transfer *t);

#endif

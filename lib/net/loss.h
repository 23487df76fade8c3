/* loss - the losses, by Keras's names. One row per loss in loss.c.
 *
 * Both cross-entropies are computed from the logits of the final softmax (as Keras does), so they
 * need a net whose last layer is a softmax activation. Labels are class ids in either case.
 */
#ifndef HOP_NET_LOSS_H
#define HOP_NET_LOSS_H

#include "base/err.h"
#include "base/str.h"

struct hop_net;

enum hop_loss_kind { HOP_LOSS_SOFTMAX_XENT };

struct hop_loss {
    const char *name; /* "categorical_crossentropy" */
    enum hop_loss_kind kind;
};

/* hop_loss_find - by name. Err: HOP_EFORMAT listing the known names. */
int hop_loss_find(const char *name, const char *where, const struct hop_loss **out,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_loss_check - can this loss train this net on n_classes classes? Err: HOP_EFORMAT. */
int hop_loss_check(const struct hop_loss *l, const struct hop_net *net, const char *where,
                   struct hop_err *e) HOP_MUSTUSE;

#endif

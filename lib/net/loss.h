/* loss - the losses, by Keras's names. One row per loss in loss.c; its arithmetic is a case of
 * lib/engine/ref/ref_loss.c.
 *
 * The cross-entropies are computed from logits: those of the net's final softmax or sigmoid (as
 * Keras does), or, with from_logits, the net's output itself, which then must not end so.
 * The loss of an example is a mean over its outputs, but for the categorical ones, which are sums.
 * Source: Keras 2.15, keras/losses.py and keras/backend.py.
 */
#ifndef HOP_NET_LOSS_H
#define HOP_NET_LOSS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "format/json.h"
#include "format/shard.h"
#include "net/net.h"

enum hop_loss_rule {
    HOP_LOSS_SOFTMAX,  /* -sum t log softmax(z) */
    HOP_LOSS_SIGMOID,  /* -mean t log s(z) + (1 - t) log(1 - s(z)), s = sigmoid */
    HOP_LOSS_SQUARE,   /* mean (p - t)^2 */
    HOP_LOSS_ABSOLUTE, /* mean |p - t| */
    HOP_LOSS_HUBER     /* mean (p - t)^2 / 2 where |p - t| <= delta, else delta |p - t| - delta^2 / 2 */
};

enum hop_loss_option { HOP_LOSS_FROM_LOGITS = 1, HOP_LOSS_SMOOTHING = 2, HOP_LOSS_DELTA = 4 };

struct hop_loss_kind {
    const char *name;  /* "mean_squared_error" */
    const char *name2; /* "mse", or NULL */
    enum hop_loss_rule rule;
    unsigned options; /* of enum hop_loss_option */
    bool wants_classes; /* labels are class ids, never targets */
};

/* A loss with its options: what a config line says. */
struct hop_loss {
    const struct hop_loss_kind *kind;
    bool from_logits;
    double label_smoothing; /* s: targets t become t (1 - s) + s / K, of a sigmoid t (1 - s) + s / 2 */
    double delta;           /* huber */
};

/* hop_loss_list - the table. */
const struct hop_loss_kind *hop_loss_list(size_t *n);

/* hop_loss_find - by name, with the default options. Err: HOP_EFORMAT listing the known names. */
int hop_loss_find(const char *name, const char *where, struct hop_loss *out,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_loss_parse - "huber"; {"name":"huber","delta":0.5}; or as Keras writes it,
 * {"class_name":"Huber","config":{"delta":0.5}}. NULL and null are categorical_crossentropy.
 * Err: HOP_EFORMAT listing the options that this loss has. */
int hop_loss_parse(const struct hop_json *j, const char *where, struct hop_loss *out,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_loss_conf - "loss" of a config line; its options may stand beside it, as those of an optimizer
 * do: {"loss":"huber","delta":0.5}. Err: as hop_loss_parse, also for an option of another loss. */
int hop_loss_conf(const struct hop_json *config, const char *where, struct hop_loss *out,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_loss_link - what makes predictions of the numbers that the loss reads: HOP_SOFTMAX,
 * HOP_SIGMOID, or HOP_LINEAR. */
enum hop_act hop_loss_link(const struct hop_loss *l);

/* hop_loss_is_fused - does the loss read the input of the net's last layer, its link? */
bool hop_loss_is_fused(const struct hop_loss *l, const struct hop_net *net);

/* hop_loss_check - can this loss train this net? Err: HOP_EFORMAT saying what output it needs. */
int hop_loss_check(const struct hop_loss *l, const struct hop_net *net, const char *where,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_loss_check_data - on these data? Classes need one output each; two classes may share one,
 * but for a softmax. Targets need one output each. Err: HOP_EFORMAT. */
int hop_loss_check_data(const struct hop_loss *l, const struct hop_net *net,
                        const struct hop_dataset_info *d, const char *where,
                        struct hop_err *e) HOP_MUSTUSE;

#endif

/* state - a model file made ready for a device and back: config line, net, weights, slots.
 *
 * The seam between files (lib/format/model) and arithmetic (lib/engine), which know nothing of one
 * another.
 */
#ifndef HOP_NET_STATE_H
#define HOP_NET_STATE_H

#include "base/err.h"
#include "format/model.h"
#include "format/shard.h"
#include "net/loss.h"
#include "net/lr.h"
#include "net/metrics.h"
#include "net/net.h"
#include "net/optim.h"

/* A config line, understood. */
struct hop_train_conf {
    char id[128];
    const struct hop_optim *optim;
    double hyper[HOP_MAX_HYPER];
    struct hop_lr lr;
    int n_slots;
    const char *slot_names[HOP_MAX_SLOTS];
    struct hop_loss loss;
    struct hop_metrics metrics; /* besides those that every evaluation reports */
    int64_t batch_size, seed, passes, until;
    enum { HOP_NORM_AUTO, HOP_NORM_STANDARD, HOP_NORM_UNIT, HOP_NORM_NONE } normalization;
};

/* hop_train_conf_parse - keys: id, optimizer ("sgd"), its hyperparameters, loss
 * ("categorical_crossentropy"; net/loss.h), a learning-rate schedule (net/lr.h), metrics (net/metrics.h), class_weight
 * (net/class_weight.h), batch_size (32), seed (1), passes (1), until (1), normalization
 * ("auto" | "standard" (x-mean)/std | "unit" x/255 | "none"; auto = none for nets that start with
 * Rescaling or Normalization, else standard). Other keys pass. Err: HOP_EFORMAT. */
int hop_train_conf_parse(const struct hop_json *config, const char *where,
                         struct hop_train_conf *c, struct hop_err *e) HOP_MUSTUSE;

struct hop_training {
    struct hop_train_conf conf;
    struct hop_net *net;
    float *weights;              /* [net->n_params] */
    float *slots[HOP_MAX_SLOTS]; /* [net->n_trainable] each */
    float *own;                  /* memory for them; NULL while they are the model's bytes */
};

/* hop_training_init - a fresh model from a config line and its architecture: m is filled in (no
 * tensors yet), t holds initial weights. take_config and take_architecture become m's. */
int hop_training_init(struct hop_json *take_config, struct hop_json *take_architecture,
                      const char *where, struct hop_model *m, struct hop_training *t,
                      struct hop_err *e) HOP_MUSTUSE;

/* hop_training_load - from a model that was read. Err: HOP_EFORMAT naming the tensor that is
 * missing, misshapen or not the net's. */
int hop_training_load(const struct hop_model *m, const char *where, struct hop_training *t,
                      struct hop_err *e) HOP_MUSTUSE;

/* hop_training_adopt - the same without a copy, if the tensors lie in m's bytes as
 * hop_training_write puts them: then these bytes become t's, who may write to them, and must outlive
 * it. Else a copy. */
int hop_training_adopt(const struct hop_model *m, const char *where, struct hop_training *t,
                       struct hop_err *e) HOP_MUSTUSE;

/* hop_training_reload - hop_training_adopt into the net and the memory of t, which an earlier model
 * with the same architecture, optimizer and number of slots left. Failed, t is still that to clear. */
int hop_training_reload(const struct hop_model *m, const char *where, struct hop_training *t,
                        struct hop_err *e) HOP_MUSTUSE;

/* hop_training_write - m's metadata with t's tensors to fd; digest: what hop_training_digest says of
 * them, or NULL. */
int hop_training_write(int fd, const char *where, const struct hop_model *m,
                       const struct hop_training *t, const char *digest,
                       struct hop_err *e) HOP_MUSTUSE;
void hop_training_clear(struct hop_training *t);

/* hop_training_digest - digest of t's tensors as hop_training_write lays them out. */
int hop_training_digest(const struct hop_training *t, char hex[HOP_DIGEST_LEN + 1],
                        struct hop_err *e) HOP_MUSTUSE;

/* hop_training_bind_data - first visit: note the shard's dataset in m; later: refuse shards of
 * another dataset, and shapes or classes that do not fit the net. Err: HOP_EFORMAT. */
int hop_training_bind_data(struct hop_model *m, const struct hop_training *t,
                           const struct hop_dataset_info *d, const char *where,
                           struct hop_err *e) HOP_MUSTUSE;

/* hop_training_norm - mean and 1/std per channel for struct hop_examples; caller frees both. */
int hop_training_norm(const struct hop_training *t, const struct hop_dataset_info *d, float **mean,
                      float **inv_std, struct hop_err *e) HOP_MUSTUSE;

/* hop_init_weights - draw all weights of `net` for (seed, id); weights [net->n_params]. */
void hop_init_weights(const struct hop_net *net, uint64_t seed, const char *id, float *weights);

#endif

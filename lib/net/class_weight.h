/* class_weight - "class_weight" of a config line: examples of some classes count for more.
 *
 * "balanced" (n / (K n_c): all classes weigh alike; n, n_c counted over the whole train split, so
 * all shards agree); [1, 2.5] by class id; {"dog": 2.5} by name, the others 1. As in Keras the
 * training loss of a batch is sum(w_i loss_i) / its size, and evaluation does not weigh.
 */
#ifndef HOP_NET_CLASS_WEIGHT_H
#define HOP_NET_CLASS_WEIGHT_H

#include "base/err.h"
#include "format/json.h"
#include "format/shard.h"

/* hop_class_weight_check - is what the config says one of the above? Err: HOP_EFORMAT. */
int hop_class_weight_check(const struct hop_json *config, const char *where,
                           struct hop_err *e) HOP_MUSTUSE;

/* hop_class_weight_read - *out [n_classes], to be freed, or NULL when the config has none. Err:
 * HOP_EFORMAT where the data have no such classes, or do not say how many examples each has. */
int hop_class_weight_read(const struct hop_json *config, const struct hop_dataset_info *d,
                          const char *where, float **out, struct hop_err *e) HOP_MUSTUSE;

#endif

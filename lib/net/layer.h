/* layer - what the layer_*.c files share: reading Keras configs and adding weights. */
#ifndef HOP_NET_LAYER_H
#define HOP_NET_LAYER_H

#include "net/net.h"

/* The table of kinds (layers.c): by class_name, or NULL. hop_layer_known lists them,
 * comma-separated. */
const struct hop_layer_kind *hop_layer_find(const char *class_name);
void hop_layer_known(char *out, size_t n);

/* hop_layer_pair - "key": 3 or [3, 3], each 1..2^20, or dflt where missing or null. */
int hop_layer_pair(const struct hop_json *config, const char *key, int64_t dflt, const char *where,
                   int64_t out[2], struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_size - "key": 3 or [3], 1..2^20, or dflt where missing or null. */
int hop_layer_size(const struct hop_json *config, const char *key, int64_t dflt, const char *where,
                   int64_t *out, struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_only - refuse a "key" whose value is neither missing, null nor the JSON `only`. */
int hop_layer_only(const struct hop_json *config, const char *key, const char *only,
                   const char *where, struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_init - an initialiser in any of Keras's forms, dflt (a name) where missing. */
int hop_layer_init(const struct hop_json *config, const char *key, const char *dflt,
                   const char *where, struct hop_init *out, struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_reg - "kernel_regularizer" and the like: null, L1, L2 or L1L2 in any of Keras's forms;
 * sets w->l1 and w->l2. */
int hop_layer_reg(const struct hop_json *config, const char *key, const char *where,
                  struct hop_weight *w, struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_act - an activation by its name, with Keras's defaults. */
int hop_layer_act(const char *name, const char *where, struct hop_activation *out,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_window - output size and padding along one axis of a sliding window.
 * Source: TensorFlow's "same": out = ceil(in / stride), the odd pixel of padding at the end. */
int hop_layer_window(int64_t in, int64_t window, int64_t stride, bool is_same, const char *where,
                     int64_t *out, int64_t *pad_before, int64_t *pad_after, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_layer_padding - "padding": "same" or "valid" (default). */
int hop_layer_padding(const struct hop_json *config, const char *where, bool *is_same,
                      struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_image, hop_layer_sequence, hop_layer_flat - refuse inputs that are not [H,W,C], not
 * [L,C], not [D]. */
int hop_layer_image(const struct hop_layer *l, const char *where, struct hop_err *e) HOP_MUSTUSE;
int hop_layer_sequence(const struct hop_layer *l, const char *where, struct hop_err *e) HOP_MUSTUSE;
int hop_layer_flat(const struct hop_layer *l, const char *where, struct hop_err *e) HOP_MUSTUSE;

/* hop_layer_last_axis - refuse an "axis" that is not the last: Keras writes -1, 3 or [3]. */
int hop_layer_last_axis(const struct hop_layer *l, const char *where, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_layer_weight - add weight "layer/suffix" to the net, after those l has. w holds shape, init,
 * fans, l1, l2 and is_trainable; name, n and offsets are filled in. */
int hop_layer_weight(struct hop_net *net, struct hop_layer *l, const char *suffix,
                     const struct hop_weight *w, const char *where, struct hop_err *e) HOP_MUSTUSE;

#endif

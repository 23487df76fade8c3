/* param - nets with open places that a config fills: width, depth, dropout, activation.
 *
 *   {"$param": "units"}                   the config's member "units"
 *   {"$param": "units", "default": 64}    64 where the config has none
 *   {"$param": "units", "times": 2}       twice that number
 *   {"$repeat": N, "layers": [...]}       in a list: what is in `layers`, N times; N is a number from 0
 *                                         to 1000, true or false, or a place as above. Layers that
 *                                         have names get them with _1, _2 and so on at the end
 * What comes out is plain Keras JSON: model files know nothing of places.
 */
#ifndef HOP_NET_PARAM_H
#define HOP_NET_PARAM_H

#include "base/err.h"
#include "format/json.h"

/* hop_param_fill - *architecture, the caller's, is replaced by what it is with its places filled;
 * one that has none stays as it is. where: its file, for errors. Err: HOP_EFORMAT at "where: path",
 * *architecture unchanged. */
int hop_param_fill(struct hop_json **architecture, const struct hop_json *config, const char *where,
                   struct hop_err *e) HOP_MUSTUSE;

#endif

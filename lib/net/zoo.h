/* zoo - find the architecture that a config names. */
#ifndef HOP_NET_ZOO_H
#define HOP_NET_ZOO_H

#include <stdbool.h>
#include "base/err.h"
#include "format/json.h"

/* hop_zoo_find - the Keras JSON for config's "model": an object (the architecture itself), the
 * name of a net in nets_dir ("cifar10-cnn2"), or the path of a file (has a '/' or ends in .json).
 * Places that the net leaves open (param.h) are filled from config. *out is the caller's. Err: HOP_EFORMAT at `where`, HOP_EIO naming the file. */
int hop_zoo_find(const struct hop_json *config, const char *nets_dir, const char *where,
                 struct hop_json **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_zoo_is_net - is `model` (may be NULL) something that hop_zoo_find would look for: an
 * architecture, a path, or the name of a net in nets_dir? A path's file need not be there. */
bool hop_zoo_is_net(const struct hop_json *model, const char *nets_dir);

#endif

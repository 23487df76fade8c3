/* columns - the members in which configs differ: what a table shows, and what can matter. */
#ifndef HOP_SEARCH_COLUMNS_H
#define HOP_SEARCH_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "format/json.h"

struct hop_columns {
    const char **keys; /* [n] borrowed from the configs, in the order in which they first come */
    size_t n, cap;
};

/* hop_columns_make - of configs [n] (NULL = one that is not known). "hop", "id" and "until" are
 * left out: they say nothing of what a config is. */
int hop_columns_make(const struct hop_json *const *configs, size_t n, struct hop_columns *out,
                     struct hop_err *e) HOP_MUSTUSE;
void hop_columns_clear(struct hop_columns *c);

#endif

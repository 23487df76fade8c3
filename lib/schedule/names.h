/* names - which number has the thing of this name, found in O(log n): plans have many visits, and
 * each names its config, shard and worker. */
#ifndef HOP_SCHEDULE_NAMES_H
#define HOP_SCHEDULE_NAMES_H

#include <stddef.h>
#include "base/err.h"

struct hop_names {
    struct hop_name *v; /* [n] */
    size_t n;
};

/* hop_names_init - for `cap` names. Err: HOP_ENOMEM. */
int hop_names_init(struct hop_names *names, size_t cap, struct hop_err *e) HOP_MUSTUSE;

/* hop_names_add - the next name, borrowed; the first has the number 0. Then hop_names_sort. */
void hop_names_add(struct hop_names *names, const char *name);
void hop_names_sort(struct hop_names *names);

/* hop_names_find - its number, or -1; of names that are there twice the lowest. */
long hop_names_find(const struct hop_names *names, const char *name);
void hop_names_clear(struct hop_names *names);

#endif

/* shards - the shards of a data folder in one list, as planners number them. */
#ifndef HOP_SCHEDULE_SHARDS_H
#define HOP_SCHEDULE_SHARDS_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct hop_shard_ref {
    char name[64];     /* "train-005" */
    const char *split; /* "train" or "val" */
    int64_t examples;
};

struct hop_shard_list {
    struct hop_shard_ref *v; /* [n], the train shards first, each split in its order */
    size_t n, n_train;       /* n_train >= 1 */
};

/* hop_shard_list_read - from dir/manifest.json. Err: HOP_EIO, HOP_EFORMAT. */
int hop_shard_list_read(const char *dir, struct hop_shard_list *s, struct hop_err *e) HOP_MUSTUSE;

/* hop_shard_list_invent - n train shards of n_examples together, and n val shards of n_val (0:
 * none). Err: HOP_ENOMEM. */
int hop_shard_list_invent(size_t n, int64_t n_examples, int64_t n_val, struct hop_shard_list *s,
                          struct hop_err *e) HOP_MUSTUSE;
void hop_shard_list_clear(struct hop_shard_list *s);

/* hop_shard_list_find - index of the shard called `name`, or -1. */
long hop_shard_list_find(const struct hop_shard_list *s, const char *name);

#endif

/* shard_write - from sources to a data folder: shards and their manifest.
 *
 * How examples are placed. Within each class a keyed permutation gives every example a rank. The
 * classes' ranks, one class behind the other, are dealt out like cards: card g goes to shard
 * g mod p, as its card number g div p. So the examples of a class differ by at most one between
 * shards, and so do the shards' sizes. A second keyed permutation gives each card its place in its
 * shard. All follows from (seed, order of the source, options): no file holds the order, no memory
 * grows with the data, and the file system's order of names does not count.
 *
 * Targets have no classes: all examples are dealt as one.
 *
 * hop.dataset is the digest of shape, dtype and classes or targets (as JSON), then of every train
 * example in the source's order: class (32 bits, little-endian; 0 with targets), values, targets. It does not depend on the number
 * of shards or the seed, except through --val-fraction and --fraction, which choose what
 * train is.
 *
 * Nothing half-made passes for a data folder: shards are written beside their names, synced and
 * renamed, and manifest.json comes last.
 */
#ifndef HOP_FORMAT_SHARD_WRITE_H
#define HOP_FORMAT_SHARD_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "format/manifest.h"

enum { HOP_MAX_SHARDS = 999, HOP_MAX_SIZE = 8192 };

struct hop_shard_options {
    const char *dir;          /* made if missing */
    const char *source, *val; /* val NULL = none */
    const char *format;       /* of both; NULL = guess */
    const char *label;        /* column of a CSV file, or */
    const char *target;       /* columns of it: "a,b" */
    double
        val_fraction; /* 0 = none, else under 1: per class, rounded, leaving train one at least */
    double fraction;  /* 0 = all, else what is kept of every class of both splits, rounded, one at
                         least: the first by rank, so less is a part of more */
    int64_t n_shards;
    int64_t n_val_shards; /* 0 = as many as train; never more than there are val examples */
    int64_t h, w;         /* 0 = as the pictures are */
    uint64_t seed;
    bool want_skip_bad, want_force;
    /* Called for every example that was "read", "measured", "written"; false = stop: clean up and
     * fail. Or NULL. */
    bool (*progress)(const char *what, int64_t n_examples);
};

/* hop_shard_make - all of the above; m says what was made. Err: HOP_EARG, HOP_EIO, HOP_EFORMAT,
 * HOP_ENOMEM; HOP_EBUSY while another process makes the same folder. On failure a complete folder
 * that was there before stays as it was, unless the failure comes while files are being renamed. */
int hop_shard_make(const struct hop_shard_options *o, struct hop_manifest *m,
                   struct hop_err *e) HOP_MUSTUSE;

#endif

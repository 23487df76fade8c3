/* shard - one immutable part of a split: a safetensors file that training maps and reads.
 *
 * Tensors: x U8 [N,H,W,C] (images) or F32 [N,D] (tables); y I32 [N] class ids, or F32 [N,K] targets
 * (numbers to be predicted, finite).
 * Metadata, all strings:
 *   hop.kind     "shard/1"
 *   hop.dataset  digest of the train split's content: equal for all shards made together, of both
 *                splits; a model trains on shards of one dataset only
 *   hop.split    "train" or "val"
 *   hop.index, hop.count   this is number `index` (from 0) of `count` shards of the split
 *   hop.classes  JSON array of class names, in the order of their ids; or, with targets,
 *   hop.targets  JSON array of their K names
 *   hop.columns  of tables: JSON array of the names of the D columns of x; older files lack it
 *   hop.per_class  JSON array: examples of each class in the whole train split; older files lack it
 *   hop.mean, hop.std      JSON arrays, one number per channel (or column), of the train split, in
 *                the units of x (0..255 for images)
 * File names: DIR/train-000.safetensors, DIR/val-000.safetensors; the shard's name is "train-000".
 */
#ifndef HOP_FORMAT_SHARD_H
#define HOP_FORMAT_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "format/safetensors.h"

enum { HOP_MAX_CLASSES = 100000 };

/* What a model must know of its data to use pictures without them ("hop.data" in model files). */
struct hop_dataset_info {
    char dataset[HOP_DIGEST_LEN + 1];
    int n_dims;      /* of one example: 3 for images, 1 for tables */
    int64_t dims[3]; /* [H,W,C] or [D] */
    bool is_u8;
    int64_t n_classes; /* 0 = the data have targets */
    char **classes;     /* [n_classes] */
    int64_t *per_class; /* [n_classes] examples in the train split; NULL = unknown */
    int64_t n_targets;  /* 0 = the data have classes */
    char **targets;     /* [n_targets] names */
    int64_t n_channels; /* C or D */
    int64_t n_columns;  /* D, or 0 = pictures, or not known */
    char **columns;     /* [n_columns] names */
    float *mean, *std;  /* [n_channels] */
};

struct hop_shard {
    struct hop_st st; /* keeps the map */
    char name[64];    /* "train-005" */
    char split[16];   /* "train" or "val" */
    int64_t index, count;
    int64_t n;        /* examples */
    const void *x;    /* [n, dims...] U8 or F32 */
    const int32_t *y; /* [n], each 0..n_classes-1; NULL with targets */
    const float *t;   /* [n, n_targets], finite; NULL with classes */
    struct hop_dataset_info info;
};

/* hop_shard_open - map `path` and check everything: digests, dtypes, shapes, labels in range.
 * Err: HOP_EIO, HOP_EFORMAT. */
int hop_shard_open(const char *path, struct hop_shard *s, struct hop_err *e) HOP_MUSTUSE;

/* hop_shard_peek - the same without the data digest and the labels (for planning). */
int hop_shard_peek(const char *path, struct hop_shard *s, struct hop_err *e) HOP_MUSTUSE;
void hop_shard_close(struct hop_shard *s);

/* Dataset information as JSON {"dataset","shape","dtype","classes","per_class","mean","std"}, with
 * "targets" instead of "classes" and "per_class" where the data have them, "columns" of tables; and
 * back. */
struct hop_json *hop_dataset_info_json(const struct hop_dataset_info *d);
int hop_dataset_info_parse(const struct hop_json *j, const char *where, struct hop_dataset_info *d,
                           struct hop_err *e) HOP_MUSTUSE;
void hop_dataset_info_clear(struct hop_dataset_info *d);

#endif

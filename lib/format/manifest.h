/* manifest - DIR/manifest.json: what a data folder holds. Written last, so a folder with a manifest
 * is complete.
 *
 *   {"hop":"manifest/1","dataset":DIGEST,"shape":[H,W,C],"dtype":"U8","classes":[...],"mean":[...],
 *    "std":[...],"seed":1,"splits":{"train":{"examples":50000,"shards":[{"name":"train-000",
 *    "examples":6250,"bytes":19250432,"digest":"...","per_class":[625,...]},...]},"val":{...}}}
 */
#ifndef HOP_FORMAT_MANIFEST_H
#define HOP_FORMAT_MANIFEST_H

#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "format/shard.h"

struct hop_manifest_shard {
    char name[64]; /* "train-005"; its file is DIR/NAME.safetensors */
    int64_t examples;
    int64_t bytes;                   /* of the file */
    char digest[HOP_DIGEST_LEN + 1]; /* hop.digest of the file */
    int64_t *per_class;              /* [n_classes] examples; none with targets */
};

struct hop_manifest_split {
    int64_t n_shards; /* 0 = there is no such split */
    struct hop_manifest_shard *shards;
    int64_t examples;
};

struct hop_manifest {
    struct hop_dataset_info info;
    struct hop_manifest_split train, val;
};

/* hop_manifest_read - DIR/manifest.json, checked. Err: HOP_EIO, HOP_EFORMAT. */
int hop_manifest_read(const char *dir, struct hop_manifest *m, struct hop_err *e) HOP_MUSTUSE;

/* hop_manifest_json - the whole as JSON, without "seed". */
struct hop_json *hop_manifest_json(const struct hop_manifest *m);
void hop_manifest_clear(struct hop_manifest *m);

#endif

/* shard_check - is a data folder what its manifest says?
 *
 * Every shard: there, of the size and digests noted, of this data set, its labels as counted; no
 * shard too many; classes spread evenly (no class, and no shard, differs by more than one example
 * between shards of a split); no example of val equal to one of train, byte for byte.
 */
#ifndef HOP_FORMAT_SHARD_CHECK_H
#define HOP_FORMAT_SHARD_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

/* hop_shard_check - look at all of `dir`. *out is a "check/1" record, owned by the caller:
 *   {"hop":"check/1","dataset","shards","train","val","classes","damaged","strangers",
 *    "unbalanced","duplicates","problems":[TEXT,...],"status":"ok"|"wrong"}
 * duplicates counts the examples of val that are in train too; problems holds the first 20.
 * Memory: 64 MiB at most for finding duplicates, whatever the size of the data (read again as often
 * as that needs). Err: only when nothing can be said: no manifest, or an unreadable one. */
int hop_shard_check(const char *dir, bool (*progress)(const char *what, int64_t n_examples),
                    struct hop_json **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_shard_check_file - one shard by itself, all of it: a "shard/1" record, owned by the caller:
 *   {"hop":"shard/1","name","split","examples","bytes","digest","dataset","status":"ok"}, or
 *   {"hop":"shard/1","name","status":"wrong"|"missing","problem":TEXT}
 * The name is the file's, and must be the shard's. */
struct hop_json *hop_shard_check_file(const char *path);

#endif

#include "schedule/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format/manifest.h"

long
hop_shard_list_find(const struct hop_shard_list *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        if (!strcmp(s->v[i].name, name))
            return (long)i;
    return -1;
}

static void
add_split(struct hop_shard_list *s, const struct hop_manifest_split *from, const char *split)
{
    int64_t i;

    for (i = 0; i < from->n_shards; i++) {
        struct hop_shard_ref *ref = &s->v[s->n++];

        memcpy(ref->name, from->shards[i].name, sizeof ref->name);
        ref->split = split;
        ref->examples = from->shards[i].examples;
    }
}

int
hop_shard_list_read(const char *dir, struct hop_shard_list *s, struct hop_err *e)
{
    struct hop_manifest m;
    int rc;

    *s = (struct hop_shard_list){0};
    if ((rc = hop_manifest_read(dir, &m, e)))
        return rc;
    s->v = hop_alloc((size_t)(m.train.n_shards + m.val.n_shards), sizeof *s->v, e);
    if (!s->v) {
        rc = HOP_ENOMEM;
    } else if (m.train.n_shards < 1) {
        rc = hop_fail(e, HOP_EFORMAT, dir, NULL, "manifest.json lists no train shards");
    } else {
        add_split(s, &m.train, "train");
        s->n_train = s->n;
        add_split(s, &m.val, "val");
    }
    hop_manifest_clear(&m);
    if (rc)
        hop_shard_list_clear(s);
    return rc;
}

static void
invent_split(struct hop_shard_list *s, const char *split, size_t n, int64_t examples)
{
    size_t i;

    for (i = 0; i < n && examples; i++) {
        struct hop_shard_ref *ref = &s->v[s->n++];

        snprintf(ref->name, sizeof ref->name, "%s-%03zu", split, i);
        ref->split = split;
        ref->examples = examples / (int64_t)n + ((int64_t)i < examples % (int64_t)n);
    }
}

int
hop_shard_list_invent(size_t n, int64_t n_examples, int64_t n_val, struct hop_shard_list *s,
                      struct hop_err *e)
{
    *s = (struct hop_shard_list){.v = hop_alloc(2 * n, sizeof *s->v, e)};
    if (!s->v)
        return HOP_ENOMEM;
    invent_split(s, "train", n, n_examples);
    s->n_train = s->n;
    invent_split(s, "val", n, n_val);
    return HOP_OK;
}

void
hop_shard_list_clear(struct hop_shard_list *s)
{
    free(s->v);
    *s = (struct hop_shard_list){0};
}

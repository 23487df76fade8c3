#include "format/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { MAX_SHARDS = 1000 };

/* ---- writing ---- */

static struct hop_json *
shard_json(const struct hop_manifest_shard *s, int64_t n_classes)
{
    struct hop_json *o = hop_json_object(), *a = hop_json_array();
    int64_t i;

    hop_json_set_str(o, "name", s->name);
    hop_json_set_int(o, "examples", s->examples);
    hop_json_set_int(o, "bytes", s->bytes);
    hop_json_set_str(o, "digest", s->digest);
    for (i = 0; i < n_classes; i++)
        hop_json_push(a, hop_json_new_int(s->per_class[i]));
    hop_json_set(o, "per_class", a);
    return o;
}

static struct hop_json *
split_json(const struct hop_manifest_split *p, int64_t n_classes)
{
    struct hop_json *o = hop_json_object(), *a = hop_json_array();
    int64_t i;

    hop_json_set_int(o, "examples", p->examples);
    for (i = 0; i < p->n_shards; i++)
        hop_json_push(a, shard_json(&p->shards[i], n_classes));
    hop_json_set(o, "shards", a);
    return o;
}

struct hop_json *
hop_manifest_json(const struct hop_manifest *m)
{
    struct hop_json *o = hop_json_record("manifest/1"), *info = hop_dataset_info_json(&m->info);
    struct hop_json *splits = hop_json_object();
    void *it;

    for (it = hop_json_first(info); it; it = hop_json_next(info, it))
        hop_json_set(o, hop_json_it_key(it), hop_json_copy(hop_json_it_value(it)));
    hop_json_free(info);
    hop_json_set(splits, "train", split_json(&m->train, m->info.n_classes));
    if (m->val.n_shards)
        hop_json_set(splits, "val", split_json(&m->val, m->info.n_classes));
    hop_json_set(o, "splits", splits);
    return o;
}

/* ---- reading ---- */

static int
read_shard(const struct hop_json *j, const char *split, int64_t i_shard, int64_t n_classes,
           const char *where, struct hop_manifest_shard *s, struct hop_err *e)
{
    const struct hop_json *a = hop_json_get(j, "per_class");
    const char *name, *digest;
    char place[700];
    int64_t i, sum = 0;
    int rc;

    snprintf(s->name, sizeof s->name, "%s-%03lld", split, (long long)i_shard);
    snprintf(place, sizeof place, "%.600s: %s", where, s->name);
    if ((rc = hop_json_get_str(j, "name", true, place, &name, e)) ||
        (rc = hop_json_get_int(j, "examples", true, 1, 1e15, place, &s->examples, e)) ||
        (rc = hop_json_get_int(j, "bytes", true, 1, 9e15, place, &s->bytes, e)) ||
        (rc = hop_json_get_str(j, "digest", true, place, &digest, e)))
        return rc;
    if (strcmp(name, s->name))
        return hop_fail(e, HOP_EFORMAT, place, NULL, "is called \"%.60s\"", name);
    if (strlen(digest) != HOP_DIGEST_LEN)
        return hop_fail(e, HOP_EFORMAT, place, NULL, "\"digest\" is not a digest");
    memcpy(s->digest, digest, HOP_DIGEST_LEN + 1);
    if (hop_json_kind(a) != HOP_JSON_ARRAY || hop_json_len(a) != (size_t)n_classes)
        return hop_fail(e, HOP_EFORMAT, place, NULL, "\"per_class\" is not an array of %lld",
                        (long long)n_classes);
    if (!(s->per_class = hop_alloc((size_t)n_classes, sizeof *s->per_class, e)))
        return HOP_ENOMEM;
    for (i = 0; i < n_classes; i++) {
        s->per_class[i] = hop_json_int(hop_json_at(a, (size_t)i));
        if (s->per_class[i] < 0 || s->per_class[i] > s->examples - sum)
            return hop_fail(e, HOP_EFORMAT, place, NULL, "\"per_class\" is impossible");
        sum += s->per_class[i];
    }
    if (n_classes && sum != s->examples)
        return hop_fail(e, HOP_EFORMAT, place, NULL, "\"per_class\" sums to %lld, not %lld",
                        (long long)sum, (long long)s->examples);
    return HOP_OK;
}

static int
read_split(const struct hop_json *splits, const char *split, int64_t n_classes, const char *where,
           struct hop_manifest_split *p, struct hop_err *e)
{
    const struct hop_json *o = hop_json_get(splits, split), *a = hop_json_get(o, "shards");
    size_t i, n = hop_json_len(a);
    int rc;

    if (!o)
        return HOP_OK;
    if (hop_json_kind(a) != HOP_JSON_ARRAY || n < 1 || n > MAX_SHARDS)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "split \"%s\": not 1 to %d shards", split,
                        MAX_SHARDS);
    if (!(p->shards = hop_alloc(n, sizeof *p->shards, e)))
        return HOP_ENOMEM;
    p->n_shards = (int64_t)n;
    for (i = 0; i < n; i++) {
        if ((rc = read_shard(hop_json_at(a, i), split, (int64_t)i, n_classes, where, &p->shards[i],
                             e)))
            return rc;
        p->examples += p->shards[i].examples;
    }
    return HOP_OK;
}

int
hop_manifest_read(const char *dir, struct hop_manifest *m, struct hop_err *e)
{
    struct hop_json *j = NULL;
    struct hop_str path = {0};
    const char *kind = "", *where;
    int rc;

    *m = (struct hop_manifest){0};
    hop_str_addf(&path, "%s/manifest.json", dir);
    where = hop_str_c(&path);
    if (!(rc = hop_str_check(&path, e)) && !(rc = hop_json_read_file(where, &j, e)) &&
        !(rc = hop_json_get_str(j, "hop", true, where, &kind, e))) {
        if (strcmp(kind, "manifest/1"))
            rc = hop_fail(e, HOP_EFORMAT, where, NULL, "a \"%.40s\", not a \"manifest/1\"", kind);
        else if (!(rc = hop_dataset_info_parse(j, where, &m->info, e)) &&
                 !(rc = read_split(hop_json_get(j, "splits"), "train", m->info.n_classes, where,
                                   &m->train, e)) &&
                 !(rc = read_split(hop_json_get(j, "splits"), "val", m->info.n_classes, where,
                                   &m->val, e)) &&
                 m->train.n_shards == 0)
            rc = hop_fail(e, HOP_EFORMAT, where, NULL, "no split \"train\"");
    }
    hop_json_free(j);
    hop_str_clear(&path);
    if (rc)
        hop_manifest_clear(m);
    return rc;
}

static void
split_clear(struct hop_manifest_split *p)
{
    int64_t i;

    for (i = 0; i < p->n_shards; i++)
        free(p->shards[i].per_class);
    free(p->shards);
}

void
hop_manifest_clear(struct hop_manifest *m)
{
    split_clear(&m->train);
    split_clear(&m->val);
    hop_dataset_info_clear(&m->info);
    *m = (struct hop_manifest){0};
}

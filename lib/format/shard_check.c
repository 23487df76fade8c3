#include "format/shard_check.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/manifest.h"
#include "format/shard.h"

enum { MAX_PROBLEMS = 20, HASHES_AT_ONCE = (64 << 20) / 16 };

struct check {
    const char *dir;
    struct hop_manifest m;
    struct hop_json *problems;
    int64_t damaged, strangers, unbalanced, duplicates, done;
    bool (*progress)(const char *what, int64_t n_examples);
    struct hop_str path;
};

HOP_PRINTF(2, 3) static void problem(struct check *k, const char *fmt, ...)
{
    char text[1400];
    va_list ap;

    if (hop_json_len(k->problems) >= MAX_PROBLEMS)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hop_json_push(k->problems, hop_json_new_str(text));
}

static int
set_path(struct check *k, const char *name, struct hop_err *e)
{
    k->path.n = 0;
    hop_str_addf(&k->path, "%s/%s.safetensors", k->dir, name);
    return hop_str_check(&k->path, e);
}

/* ---- shards against the manifest ---- */

static bool
is_same_data(const struct hop_dataset_info *a, const struct hop_dataset_info *b)
{
    struct hop_json *x = hop_dataset_info_json(a), *y = hop_dataset_info_json(b);
    bool is_same = hop_json_equal(x, y);

    hop_json_free(x);
    hop_json_free(y);
    return is_same;
}

/* What is wrong with an open shard, or NULL. `counts` [n_classes] is room to count in. */
static const char *
compare(const struct hop_shard *s, const struct hop_manifest_shard *note,
        const struct hop_dataset_info *info, int64_t n_shards, int64_t *counts)
{
    int64_t i;

    if (!is_same_data(&s->info, info))
        return "belongs to another data set";
    if (strcmp(s->name, note->name) || s->count != n_shards)
        return "is another shard of this data set";
    if ((int64_t)s->st.map.n_bytes != note->bytes ||
        strcmp(hop_st_meta(&s->st, "hop.digest"), note->digest))
        return "is not the file that the manifest describes";
    memset(counts, 0, (size_t)info->n_classes * sizeof *counts);
    for (i = 0; s->y && i < s->n; i++)
        counts[s->y[i]]++;
    if (s->n != note->examples ||
        memcmp(counts, note->per_class, (size_t)info->n_classes * sizeof *counts))
        return "does not hold the classes that the manifest counts";
    return NULL;
}

static int
check_shards(struct check *k, const struct hop_manifest_split *p, struct hop_err *e)
{
    int64_t i, *counts = hop_alloc((size_t)k->m.info.n_classes, sizeof *counts, e);
    struct hop_err why = {0};
    struct hop_shard s;
    const char *text;
    int rc = counts ? HOP_OK : HOP_ENOMEM;

    for (i = 0; i < p->n_shards && !rc; i++) {
        if ((rc = set_path(k, p->shards[i].name, e)))
            break;
        hop_err_clear(&why);
        if (hop_shard_open(k->path.s, &s, &why)) {
            k->damaged++;
            problem(k, "%s: %s", why.where, why.what);
            continue;
        }
        if ((text = compare(&s, &p->shards[i], &k->m.info, p->n_shards, counts))) {
            k->damaged++;
            problem(k, "%s: %s", k->path.s, text);
        }
        hop_shard_close(&s);
        k->done += p->shards[i].examples;
        if (k->progress && !k->progress("checked", k->done))
            rc = hop_fail(e, HOP_EFAIL, NULL, NULL, "stopped");
    }
    free(counts);
    return rc;
}

static void
check_balance(struct check *k, const char *split, const struct hop_manifest_split *p)
{
    int64_t c, i, n, lo, hi;

    for (c = -1; c < k->m.info.n_classes; c++) { /* -1: all classes together */
        for (lo = INT64_MAX, hi = 0, i = 0; i < p->n_shards; i++) {
            n = c < 0 ? p->shards[i].examples : p->shards[i].per_class[c];
            lo = n < lo ? n : lo;
            hi = n > hi ? n : hi;
        }
        if (p->n_shards && hi - lo > 1) {
            k->unbalanced++;
            problem(k, "%s: %s: %lld to %lld examples per %s shard", k->dir,
                    c < 0 ? "all classes" : k->m.info.classes[c], (long long)lo, (long long)hi,
                    split);
        }
    }
}

/* Files that look like shards, but are not in the manifest. */
static int
check_strangers(struct check *k, struct hop_err *e)
{
    struct dirent *d;
    DIR *h = opendir(k->dir);
    long long i;
    char split[6];
    int n;

    if (!h)
        return hop_fail_errno(e, k->dir, NULL, "cannot read the folder");
    while ((d = readdir(h))) {
        n = 0;
        if (sscanf(d->d_name, "%5[a-z]-%3lld.safetensors%n", split, &i, &n) != 2 || !n ||
            d->d_name[n] || (strcmp(split, "train") && strcmp(split, "val")) ||
            (i >= 0 && i < (split[0] == 't' ? k->m.train.n_shards : k->m.val.n_shards)))
            continue;
        k->strangers++;
        problem(k, "%s/%s: not in the manifest", k->dir, d->d_name);
    }
    closedir(h);
    return HOP_OK;
}

/* ---- examples in both splits ---- */

struct hash {
    uint64_t hi, lo;
};

static int
by_value(const void *a, const void *b)
{
    const struct hash *x = a, *y = b;

    if (x->hi != y->hi)
        return x->hi < y->hi ? -1 : 1;
    return (x->lo > y->lo) - (x->lo < y->lo);
}

static size_t
example_bytes(const struct hop_dataset_info *d)
{
    size_t n = d->is_u8 ? 1 : 4;
    int i;

    for (i = 0; i < d->n_dims; i++)
        n *= (size_t)d->dims[i];
    return n;
}

static struct hash
hash_of(const void *bytes, size_t n)
{
    char hex[HOP_DIGEST_LEN + 1], half[17] = "";
    struct hash h;

    hop_digest_of(bytes, n, hex);
    memcpy(half, hex, 16);
    h.hi = strtoull(half, NULL, 16);
    memcpy(half, hex + 16, 16);
    h.lo = strtoull(half, NULL, 16);
    return h;
}

/* The hashes of train examples whose hash is `turn` modulo n_turns, sorted. */
static int
collect(struct check *k, uint64_t turn, uint64_t n_turns, struct hash *v, size_t cap, size_t *n,
        struct hop_err *e)
{
    const struct hop_manifest_split *p = &k->m.train;
    size_t n_bytes = example_bytes(&k->m.info);
    struct hop_shard s;
    struct hash h;
    int64_t i, j;
    int rc;

    *n = 0;
    for (i = 0; i < p->n_shards; i++) {
        if ((rc = set_path(k, p->shards[i].name, e)) || (rc = hop_shard_peek(k->path.s, &s, e)))
            return rc;
        for (j = 0; j < s.n; j++) {
            h = hash_of((const uint8_t *)s.x + (size_t)j * n_bytes, n_bytes);
            if (h.hi % n_turns == turn && *n < cap)
                v[(*n)++] = h;
        }
        hop_shard_close(&s);
    }
    qsort(v, *n, sizeof *v, by_value);
    return HOP_OK;
}

static int
look_up(struct check *k, uint64_t turn, uint64_t n_turns, const struct hash *v, size_t n,
        struct hop_err *e)
{
    const struct hop_manifest_split *p = &k->m.val;
    size_t n_bytes = example_bytes(&k->m.info);
    struct hop_shard s;
    struct hash h;
    int64_t i, j;
    int rc;

    for (i = 0; i < p->n_shards; i++) {
        if ((rc = set_path(k, p->shards[i].name, e)) || (rc = hop_shard_peek(k->path.s, &s, e)))
            return rc;
        for (j = 0; j < s.n; j++) {
            h = hash_of((const uint8_t *)s.x + (size_t)j * n_bytes, n_bytes);
            if (h.hi % n_turns != turn || !bsearch(&h, v, n, sizeof *v, by_value))
                continue;
            k->duplicates++;
            problem(k, "%s: example %lld%s%s%s is in train too", k->path.s, (long long)j,
                    s.y ? " (" : "", s.y ? k->m.info.classes[s.y[j]] : "", s.y ? ")" : "");
        }
        hop_shard_close(&s);
    }
    return HOP_OK;
}

/* Only called when every shard is sound. Twice the expected number has room in each turn. */
static int
check_duplicates(struct check *k, struct hop_err *e)
{
    uint64_t turn, n_turns = (uint64_t)k->m.train.examples / (HASHES_AT_ONCE / 2) + 1;
    size_t n, cap = (size_t)k->m.train.examples;
    struct hash *v;
    int rc = HOP_OK;

    cap = cap < HASHES_AT_ONCE ? cap : HASHES_AT_ONCE;
    if (!(v = hop_alloc(cap, sizeof *v, e)))
        return HOP_ENOMEM;
    for (turn = 0; turn < n_turns && !rc; turn++)
        if (!(rc = collect(k, turn, n_turns, v, cap, &n, e)))
            rc = look_up(k, turn, n_turns, v, n, e);
    free(v);
    return rc;
}

/* ---- all of it ---- */

static struct hop_json *
record(struct check *k)
{
    struct hop_json *o = hop_json_record("check/1");
    bool is_wrong = k->damaged || k->strangers || k->unbalanced || k->duplicates;

    hop_json_set_str(o, "dataset", k->m.info.dataset);
    hop_json_set_int(o, "shards", k->m.train.n_shards + k->m.val.n_shards);
    hop_json_set_int(o, "train", k->m.train.examples);
    hop_json_set_int(o, "val", k->m.val.examples);
    if (k->m.info.n_targets)
        hop_json_set_int(o, "targets", k->m.info.n_targets);
    else
        hop_json_set_int(o, "classes", k->m.info.n_classes);
    hop_json_set_int(o, "damaged", k->damaged);
    hop_json_set_int(o, "strangers", k->strangers);
    hop_json_set_int(o, "unbalanced", k->unbalanced);
    hop_json_set_int(o, "duplicates", k->duplicates);
    hop_json_set(o, "problems", k->problems);
    k->problems = NULL;
    hop_json_set_str(o, "status", is_wrong ? "wrong" : "ok");
    return o;
}

int
hop_shard_check(const char *dir, bool (*progress)(const char *what, int64_t n_examples),
                struct hop_json **out, struct hop_err *e)
{
    struct check k = {.dir = dir, .progress = progress};
    int rc;

    *out = NULL;
    if ((rc = hop_manifest_read(dir, &k.m, e)))
        return rc;
    k.problems = hop_json_array();
    if (!(rc = check_shards(&k, &k.m.train, e)) && !(rc = check_shards(&k, &k.m.val, e)) &&
        !(rc = check_strangers(&k, e))) {
        check_balance(&k, "train", &k.m.train);
        check_balance(&k, "val", &k.m.val);
        if (!k.damaged && k.m.val.n_shards)
            rc = check_duplicates(&k, e);
    }
    if (!rc)
        *out = record(&k);
    hop_json_free(k.problems);
    hop_str_clear(&k.path);
    hop_manifest_clear(&k.m);
    return rc;
}

/* ---- one file ---- */

static struct hop_json *
bad_file(struct hop_json *j, const char *status, const struct hop_err *e)
{
    hop_json_set_str(j, "status", status);
    hop_json_set_str(j, "problem", e->what);
    return j;
}

struct hop_json *
hop_shard_check_file(const char *path)
{
    struct hop_json *j = hop_json_record("shard/1");
    const char *base = strrchr(path, '/');
    char name[300];
    struct hop_shard s;
    struct hop_err e = {0};
    bool is_missing;

    snprintf(name, sizeof name, "%s", base ? base + 1 : path);
    if (strlen(name) > 12 && !strcmp(name + strlen(name) - 12, ".safetensors"))
        name[strlen(name) - 12] = '\0';
    hop_json_set_str(j, "name", name);
    is_missing = access(path, F_OK) < 0 && errno == ENOENT;
    if (hop_shard_open(path, &s, &e))
        return bad_file(j, is_missing ? "missing" : "wrong", &e);
    if (strcmp(name, s.name)) {
        hop_fail(&e, HOP_EFORMAT, NULL, NULL, "this is the shard \"%s\"", s.name);
        bad_file(j, "wrong", &e);
    } else {
        hop_json_set_str(j, "split", s.split);
        hop_json_set_int(j, "examples", s.n);
        hop_json_set_int(j, "bytes", (int64_t)s.st.map.n_bytes);
        hop_json_set_str(j, "digest", hop_st_meta(&s.st, "hop.digest"));
        hop_json_set_str(j, "dataset", s.info.dataset);
        hop_json_set_str(j, "status", "ok");
    }
    hop_shard_close(&s);
    return j;
}

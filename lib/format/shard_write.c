#include "format/shard_write.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "format/spill.h"

/* Contents: 1 which example goes where, 2 statistics of train, 3 one shard's file, 4 a split,
 * 5 the folder */

enum { COPY_BYTES = 1 << 20 };

/* ---- 1 which example goes where ---- */

/* One split: ranks from[c] to from[c] + n[c] of each class c of a spill. */
struct part {
    const char *name; /* "train" or "val" */
    struct hop_spill *spill;
    int64_t n_classes, n_shards, n_total;
    int64_t *from, *n, *start; /* [n_classes]; start: cards of the classes before */
    int64_t *seen;             /* [n_classes] examples read so far, whatever their split */
    struct hop_perm *ranks;    /* [n_classes] */
    struct hop_perm *places;   /* [n_shards] */
};

static void
part_clear(struct part *p)
{
    free(p->from);
    free(p->n);
    free(p->start);
    free(p->seen);
    free(p->ranks);
    free(p->places);
}

static int64_t
shard_len(const struct part *p, int64_t i_shard)
{
    return (p->n_total - i_shard + p->n_shards - 1) / p->n_shards;
}

/* How many of the class lie in the shard: cards g in [start, start + n) with g mod p = i_shard. */
static int64_t
shard_class_len(const struct part *p, int64_t i_shard, int64_t c)
{
    int64_t lo = p->start[c], hi = lo + p->n[c], k = p->n_shards;

    return (hi - i_shard + k - 1) / k - (lo - i_shard + k - 1) / k;
}

static int
part_alloc(struct part *p, int64_t n_classes, struct hop_err *e)
{
    size_t n = (size_t)n_classes;

    p->n_classes = n_classes;
    p->from = hop_alloc(n, sizeof *p->from, e);
    p->n = hop_alloc(n, sizeof *p->n, e);
    p->start = hop_alloc(n, sizeof *p->start, e);
    p->seen = hop_alloc(n, sizeof *p->seen, e);
    p->ranks = hop_alloc(n, sizeof *p->ranks, e);
    return p->from && p->n && p->start && p->seen && p->ranks ? HOP_OK : HOP_ENOMEM;
}

/* Of n, the part that --fraction keeps. */
static int64_t
kept(int64_t n, double fraction)
{
    int64_t k = (int64_t)floor((double)n * fraction + 0.5);

    return fraction > 0 && n ? (k ? k : 1) : n;
}

/* Choose the ranks of a split and count: fraction is val's, of this spill; of its ranks, the first
 * o->fraction are taken. */
static void
part_choose(struct part *p, bool is_val_of_train, double fraction,
            const struct hop_shard_options *o)
{
    /* A val split cut from train needs train's ranks, of which it takes the first. */
    uint64_t key = hop_rng_key(o->seed, is_val_of_train ? "train" : p->name, HOP_FOR_SHARD);
    int64_t c, n_val;

    hop_spill_counts(p->spill, p->n);
    for (c = 0; c < p->n_classes; c++) {
        hop_perm_init(&p->ranks[c], (uint64_t)p->n[c], key, (uint32_t)c, 0);
        n_val = (int64_t)floor((double)p->n[c] * fraction + 0.5);
        if (n_val && n_val >= p->n[c])
            n_val = p->n[c] - 1;
        p->from[c] = is_val_of_train ? 0 : n_val;
        p->n[c] = kept(is_val_of_train ? n_val : p->n[c] - n_val, o->fraction);
        p->start[c] = p->n_total;
        p->n_total += p->n[c];
    }
}

static int
part_deal(struct part *p, int64_t n_shards, uint64_t seed, struct hop_err *e)
{
    uint64_t key = hop_rng_key(seed, p->name, HOP_FOR_SHARD);
    int64_t i;

    p->n_shards = n_shards;
    if (!(p->places = hop_alloc((size_t)n_shards, sizeof *p->places, e)))
        return HOP_ENOMEM;
    for (i = 0; i < n_shards; i++)
        hop_perm_init(&p->places[i], (uint64_t)shard_len(p, i), key, (uint32_t)i, 1);
    return HOP_OK;
}

static void
part_rewind(struct part *p)
{
    hop_spill_rewind(p->spill);
    memset(p->seen, 0, (size_t)p->n_classes * sizeof *p->seen);
}

/* The next example of this split: class, channels, values, and its card. HOP_EOF at the end. */
static int
part_next(struct part *p, int64_t *c, int64_t *channels, const void **x, int64_t *card,
          struct hop_err *e)
{
    int64_t rank;
    int rc;

    do {
        if ((rc = hop_spill_next(p->spill, c, channels, x, e)))
            return rc;
        rank = (int64_t)hop_perm_at(&p->ranks[*c], (uint64_t)p->seen[*c]++) - p->from[*c];
    } while (rank < 0 || rank >= p->n[*c]);
    *card = p->start[*c] + rank;
    return HOP_OK;
}

static int
tell(const struct hop_shard_options *o, const char *what, int64_t n, struct hop_err *e)
{
    if (o->progress && !o->progress(what, n))
        return hop_fail(e, HOP_EFAIL, NULL, NULL, "stopped");
    return HOP_OK;
}

/* ---- 2 statistics of train ---- */

/* Grey to the data set's channels, in `wide`, or x itself. */
static const void *
widen(const void *x, int64_t channels, int64_t want, int64_t n_pixels, uint8_t *wide)
{
    const uint8_t *p = x;
    int64_t i;

    if (channels == want)
        return x;
    for (i = 0; i < n_pixels; i++)
        wide[3 * i] = wide[3 * i + 1] = wide[3 * i + 2] = p[i];
    return wide;
}

struct stats {
    uint64_t sum[3], sum_sq[3]; /* pictures: exact */
    double *mean, *m2;          /* tables: Welford's running mean and sum of squares, per column */
    int64_t n;
};

static void
stats_add(struct stats *t, const struct hop_dataset_info *d, const void *x)
{
    const uint8_t *u = x;
    const float *f = x;
    int64_t i, k, n_pixels;
    double delta;

    t->n++;
    if (d->is_u8) {
        n_pixels = d->dims[0] * d->dims[1];
        for (i = 0; i < n_pixels; i++)
            for (k = 0; k < d->n_channels; k++, u++) {
                t->sum[k] += *u;
                t->sum_sq[k] += (unsigned)*u * *u;
            }
        return;
    }
    for (k = 0; k < d->n_channels; k++) {
        delta = f[k] - t->mean[k];
        t->mean[k] += delta / (double)t->n;
        t->m2[k] += delta * (f[k] - t->mean[k]);
    }
}

static void
stats_end(const struct stats *t, struct hop_dataset_info *d)
{
    double n = (double)t->n, mean, var;
    int64_t k;

    if (d->is_u8)
        n *= (double)(d->dims[0] * d->dims[1]);
    for (k = 0; k < d->n_channels; k++) {
        mean = d->is_u8 ? (double)t->sum[k] / n : t->mean[k];
        var = d->is_u8 ? (double)t->sum_sq[k] / n - mean * mean : t->m2[k] / n;
        d->mean[k] = (float)mean;
        d->std[k] = var > 0 ? (float)sqrt(var) : 0.0f;
    }
}

static int
digest_head(struct hop_digest *g, const struct hop_dataset_info *d, struct hop_err *e)
{
    struct hop_json *j = hop_dataset_info_json(d);
    struct hop_str s = {0};
    int rc;

    hop_json_del(j, "dataset");
    hop_json_del(j, "mean");
    hop_json_del(j, "std");
    hop_json_del(j, "per_class"); /* shards made before they had these keep their digest */
    hop_json_del(j, "columns");
    rc = hop_json_dump(j, &s, e);
    hop_json_free(j);
    hop_digest_add(g, hop_str_c(&s), s.n);
    hop_str_clear(&s);
    return rc;
}

/* info->dims and classes are set: mean, std and dataset from the train split. */
static int
measure(struct part *p, const struct hop_shard_options *o, struct hop_dataset_info *d,
        struct hop_err *e)
{
    struct stats t = {0};
    struct hop_digest *g = hop_digest_new(e);
    int64_t c, channels, card, n_bytes = d->dims[0] * d->dims[1] * d->dims[2];
    uint8_t label[8], *wide = hop_alloc((size_t)n_bytes, 1, e);
    const void *x;
    int rc = HOP_ENOMEM;

    t.mean = hop_alloc((size_t)d->n_channels, sizeof *t.mean, e);
    t.m2 = hop_alloc((size_t)d->n_channels, sizeof *t.m2, e);
    if (!g || !wide || !t.mean || !t.m2 || (rc = digest_head(g, d, e)))
        goto out;
    part_rewind(p);
    while (!(rc = part_next(p, &c, &channels, &x, &card, e))) {
        if (d->is_u8)
            x = widen(x, channels, d->n_channels, d->dims[0] * d->dims[1], wide);
        stats_add(&t, d, x);
        hop_put_le64(label, (uint64_t)c);
        hop_digest_add(g, label, 4);
        hop_digest_add(g, x, (size_t)(d->is_u8 ? n_bytes : (d->dims[0] + d->n_targets) * 4));
        if ((rc = tell(o, "measured", t.n, e)))
            break;
    }
    if (rc == HOP_EOF) {
        rc = HOP_OK;
        stats_end(&t, d);
    }
out:
    if (g)
        hop_digest_end(g, d->dataset);
    free(wide);
    free(t.mean);
    free(t.m2);
    return rc;
}

/* ---- 3 one shard's file ---- */

struct out_shard {
    struct hop_atomic file;
    struct hop_manifest_shard *note;
    struct hop_tensor tensors[2]; /* y, then x: y is aligned whatever the size of x */
    int64_t index, count;
    size_t n_header;
};

static int
array_text(const float *v, int64_t n, struct hop_str *s, struct hop_err *e)
{
    struct hop_json *a = hop_json_array();
    int64_t i;
    int rc;

    for (i = 0; i < n; i++)
        hop_json_push(a, hop_json_new_real(v[i]));
    rc = hop_json_dump(a, s, e);
    hop_json_free(a);
    return rc;
}

static int
counts_text(const int64_t *v, int64_t n, struct hop_str *s, struct hop_err *e)
{
    struct hop_json *a = hop_json_array();
    int64_t i;
    int rc;

    for (i = 0; i < n; i++)
        hop_json_push(a, hop_json_new_int(v[i]));
    rc = hop_json_dump(a, s, e);
    hop_json_free(a);
    return rc;
}

static int
names_text(char *const *names, int64_t n, struct hop_str *s, struct hop_err *e)
{
    struct hop_json *a = hop_json_array();
    int64_t i;
    int rc;

    for (i = 0; i < n; i++)
        hop_json_push(a, hop_json_new_str(names[i]));
    rc = hop_json_dump(a, s, e);
    hop_json_free(a);
    return rc;
}

/* The header for this digest of the data; its length does not depend on the digest. */
static int
make_header(const struct out_shard *s, const char *split, const struct hop_dataset_info *d,
            const char *digest, char **out, size_t *n_out, struct hop_err *e)
{
    struct hop_str names = {0}, per_class = {0}, columns = {0}, mean = {0}, std = {0};
    bool has_classes = d->n_classes > 0;
    char index[24], count[24];
    int rc;

    snprintf(index, sizeof index, "%lld", (long long)s->index);
    snprintf(count, sizeof count, "%lld", (long long)s->count);
    if (!(rc = names_text(has_classes ? d->classes : d->targets,
                           has_classes ? d->n_classes : d->n_targets, &names, e)) &&
        !(rc = counts_text(d->per_class, d->n_classes, &per_class, e)) &&
        !(rc = names_text(d->columns, d->n_columns, &columns, e)) &&
        !(rc = array_text(d->mean, d->n_channels, &mean, e)) &&
        !(rc = array_text(d->std, d->n_channels, &std, e))) {
        struct hop_meta meta[10] = {
            {"hop.kind", "shard/1"}, {"hop.dataset", d->dataset}, {"hop.split", split},
            {"hop.index", index},    {"hop.count", count},
            {has_classes ? "hop.classes" : "hop.targets", names.s},
            {"hop.mean", mean.s},    {"hop.std", std.s},
        };
        size_t n = 8;

        if (has_classes)
            meta[n++] = (struct hop_meta){"hop.per_class", per_class.s};
        if (d->n_columns)
            meta[n++] = (struct hop_meta){"hop.columns", columns.s};
        rc = hop_st_header(s->tensors, 2, meta, n, digest, out, n_out, e);
    }
    hop_str_clear(&names);
    hop_str_clear(&per_class);
    hop_str_clear(&columns);
    hop_str_clear(&mean);
    hop_str_clear(&std);
    return rc;
}

static void
set_tensors(struct out_shard *s, const struct hop_dataset_info *d)
{
    int i;
    size_t n_bytes = d->is_u8 ? 1 : 4, n = (size_t)s->note->examples;

    s->tensors[0] = (struct hop_tensor){.name = "y",
                                        .dtype = HOP_I32,
                                        .dtype_name = "I32",
                                        .n_dims = 1,
                                        .dims = {s->note->examples},
                                        .n_bytes = 4 * n};
    if (d->n_targets) {
        s->tensors[0].dtype = HOP_F32;
        snprintf(s->tensors[0].dtype_name, sizeof s->tensors[0].dtype_name, "F32");
        s->tensors[0].n_dims = 2;
        s->tensors[0].dims[1] = d->n_targets;
        s->tensors[0].n_bytes *= (size_t)d->n_targets;
    }
    s->tensors[1] = (struct hop_tensor){.name = "x",
                                        .dtype = d->is_u8 ? HOP_U8 : HOP_F32,
                                        .n_dims = d->n_dims + 1,
                                        .dims = {s->note->examples}};
    snprintf(s->tensors[1].dtype_name, sizeof s->tensors[1].dtype_name, "%s",
             d->is_u8 ? "U8" : "F32");
    for (i = 0; i < d->n_dims; i++) {
        s->tensors[1].dims[i + 1] = d->dims[i];
        n_bytes *= (size_t)d->dims[i];
    }
    s->tensors[1].n_bytes = n * n_bytes;
}

static int
shard_begin(struct out_shard *s, const struct part *p, int64_t i_shard, const char *dir,
            const struct hop_dataset_info *d, struct hop_manifest_shard *note, struct hop_err *e)
{
    static const char no_digest[HOP_DIGEST_LEN + 1] = "00000000000000000000000000000000";
    struct hop_str path = {0};
    char *header = NULL;
    int64_t c;
    int rc;

    s->note = note;
    s->index = i_shard;
    s->count = p->n_shards;
    note->examples = shard_len(p, i_shard);
    snprintf(note->name, sizeof note->name, "%s-%03lld", p->name, (long long)i_shard);
    if (!(note->per_class = hop_alloc((size_t)p->n_classes, sizeof *note->per_class, e)))
        return HOP_ENOMEM;
    for (c = 0; c < d->n_classes; c++)
        note->per_class[c] = shard_class_len(p, i_shard, c);
    set_tensors(s, d);
    hop_str_addf(&path, "%s/%s.safetensors", dir, note->name);
    if (!(rc = hop_str_check(&path, e))) {
        hop_atomic_sweep(path.s);
        rc = hop_atomic_open(&s->file, path.s, e);
    }
    if (!rc)
        rc = make_header(s, p->name, d, no_digest, &header, &s->n_header, e);
    note->bytes = (int64_t)(s->n_header + s->tensors[0].n_bytes + s->tensors[1].n_bytes);
    hop_str_clear(&path);
    free(header);
    return rc;
}

/* Put one example at its place; targets lie behind the values of x. */
static int
shard_put(struct out_shard *s, int64_t place, int64_t c, const void *x, struct hop_err *e)
{
    int64_t n_x = (int64_t)s->tensors[1].n_bytes / s->note->examples,
            n_y = (int64_t)s->tensors[0].n_bytes / s->note->examples,
            at = (int64_t)s->n_header + n_y * place;
    bool has_targets = s->tensors[0].dtype == HOP_F32;
    uint8_t label[8];
    int rc;

    hop_put_le64(label, (uint64_t)c);
    if ((rc = hop_pwrite_fd(s->file.fd, s->file.path,
                            has_targets ? (const uint8_t *)x + n_x : label, (size_t)n_y, at, e)))
        return rc;
    at = (int64_t)(s->n_header + s->tensors[0].n_bytes) + n_x * place;
    return hop_pwrite_fd(s->file.fd, s->file.path, x, (size_t)n_x, at, e);
}

/* Digest of what was written, read back. */
static int
digest_file(const struct out_shard *s, char hex[HOP_DIGEST_LEN + 1], struct hop_err *e)
{
    struct hop_digest *g = hop_digest_new(e);
    uint8_t *buffer = hop_alloc(COPY_BYTES, 1, e);
    int64_t at = (int64_t)s->n_header;
    ssize_t got = 0;
    int rc = g && buffer ? HOP_OK : HOP_ENOMEM;

    while (!rc && at < s->note->bytes) {
        got = pread(s->file.fd, buffer, COPY_BYTES, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            rc = hop_fail_errno(e, s->file.path, NULL, "cannot read back");
        else
            hop_digest_add(g, buffer, (size_t)got);
        at += got;
    }
    if (g)
        hop_digest_end(g, hex);
    free(buffer);
    return rc;
}

/* The file is ready to be renamed: the header in front of the data. */
static int
shard_end(struct out_shard *s, const char *split, const struct hop_dataset_info *d,
          struct hop_err *e)
{
    char *header = NULL;
    size_t n = 0;
    int rc;

    if ((rc = digest_file(s, s->note->digest, e)) ||
        (rc = make_header(s, split, d, s->note->digest, &header, &n, e)))
        return rc;
    HOP_BUG_ON(n != s->n_header);
    rc = hop_pwrite_fd(s->file.fd, s->file.path, header, n, 0, e);
    free(header);
    return rc;
}

/* ---- 4 a split ---- */

struct out_split {
    struct out_shard *shards;
    int64_t n_shards;
};

static void
split_abort(struct out_split *s)
{
    int64_t i;

    for (i = 0; i < s->n_shards; i++)
        hop_atomic_abort(&s->shards[i].file);
    free(s->shards);
    *s = (struct out_split){0};
}

static int
place_all(struct part *p, const struct hop_shard_options *o, const struct hop_dataset_info *d,
          struct out_split *out, struct hop_err *e)
{
    int64_t c, channels, card, i_shard, place, done = 0, n_pixels = d->dims[0] * d->dims[1];
    uint8_t *wide = hop_alloc(d->is_u8 ? (size_t)n_pixels : 1, 3, e);
    const void *x;
    int rc = wide ? HOP_OK : HOP_ENOMEM;

    part_rewind(p);
    while (!rc && !(rc = part_next(p, &c, &channels, &x, &card, e))) {
        if (d->is_u8)
            x = widen(x, channels, d->n_channels, n_pixels, wide);
        i_shard = card % p->n_shards;
        place = (int64_t)hop_perm_at(&p->places[i_shard], (uint64_t)(card / p->n_shards));
        if (!(rc = shard_put(&out->shards[i_shard], place, c, x, e)))
            rc = tell(o, "written", ++done, e);
    }
    free(wide);
    return rc == HOP_EOF ? HOP_OK : rc;
}

/* All files of a split, whole but under their temporary names. */
static int
write_split(struct part *p, const struct hop_shard_options *o, const struct hop_dataset_info *d,
            struct out_split *out, struct hop_manifest_split *note, struct hop_err *e)
{
    int64_t i;
    int rc = HOP_OK;

    note->shards = hop_alloc((size_t)p->n_shards, sizeof *note->shards, e);
    out->shards = hop_alloc((size_t)p->n_shards, sizeof *out->shards, e);
    if (!note->shards || !out->shards)
        return HOP_ENOMEM;
    note->n_shards = p->n_shards;
    note->examples = p->n_total;
    for (i = 0; i < p->n_shards; i++)
        out->shards[i].file.fd = -1;
    out->n_shards = p->n_shards;
    for (i = 0; i < p->n_shards && !rc; i++)
        rc = shard_begin(&out->shards[i], p, i, o->dir, d, &note->shards[i], e);
    if (!rc)
        rc = place_all(p, o, d, out, e);
    for (i = 0; i < p->n_shards && !rc; i++)
        rc = shard_end(&out->shards[i], p->name, d, e);
    return rc;
}

static int
commit_split(struct out_split *s, struct hop_err *e)
{
    int64_t i;
    int rc = HOP_OK;

    for (i = 0; i < s->n_shards && !rc; i++)
        rc = hop_atomic_commit(&s->shards[i].file, e);
    return rc;
}

/* ---- 5 the folder ---- */

struct making {
    const struct hop_shard_options *o;
    struct hop_spill train_spill, val_spill;
    struct part train, val;
    struct out_split train_out, val_out;
    struct hop_manifest *m;
    struct hop_str manifest_path;
    int lock;
};

static int
check_options(const struct hop_shard_options *o, struct hop_err *e)
{
    if (o->val && o->val_fraction > 0)
        return hop_fail(e, HOP_EARG, "--val", NULL, "does not go with --val-fraction");
    if (!(o->val_fraction >= 0 && o->val_fraction < 1))
        return hop_fail(e, HOP_EARG, "--val-fraction", NULL, "must lie under 1");
    return HOP_OK;
}

static int
open_folder(struct making *k, struct hop_err *e)
{
    struct hop_str path = {0};
    const struct hop_shard_options *o = k->o;
    int rc;

    hop_str_addf(&k->manifest_path, "%s/manifest.json", o->dir);
    hop_str_addf(&path, "%s/.lock", o->dir);
    if (!(rc = hop_str_check(&k->manifest_path, e)) && !(rc = hop_str_check(&path, e)) &&
        !(rc = hop_mkdirs(o->dir, e)))
        rc = hop_lock(path.s, false, &k->lock, e);
    path.n = 0;
    hop_str_addf(&path, "%s/spill", o->dir);
    if (!rc && !(rc = hop_str_check(&path, e)))
        hop_atomic_sweep(path.s);
    hop_str_clear(&path);
    if (rc)
        return rc;
    if (!o->want_force && access(k->manifest_path.s, F_OK) == 0)
        return hop_fail(e, HOP_EFAIL, k->manifest_path.s,
                        "another folder with -o, or --force to replace it",
                        "there is a finished data set here");
    hop_atomic_sweep(k->manifest_path.s);
    return HOP_OK;
}

static int
read_sources(struct making *k, struct hop_err *e)
{
    const struct hop_shard_options *o = k->o;
    struct hop_spill_options so = {.dir = o->dir,
                                   .format = o->format,
                                   .label = o->label,
                                   .target = o->target,
                                   .h = o->h,
                                   .w = o->w,
                                   .want_skip_bad = o->want_skip_bad,
                                   .progress = o->progress};
    int rc = hop_spill_fill(&so, o->source, NULL, &k->train_spill, e);

    if (rc || !o->val)
        return rc;
    if ((rc = hop_spill_fill(&so, o->val, &k->train_spill, &k->val_spill, e)))
        return rc;
    if (k->val_spill.c > k->train_spill.c)
        k->train_spill.c = k->val_spill.c;
    return HOP_OK;
}

static int
set_classes(const struct hop_spill *s, struct hop_dataset_info *d, struct hop_err *e)
{
    size_t i;

    if (!(d->classes = hop_alloc(s->n_classes, sizeof *d->classes, e)) ||
        !(d->per_class = hop_alloc(s->n_classes, sizeof *d->per_class, e)))
        return HOP_ENOMEM;
    d->n_classes = (int64_t)s->n_classes;
    for (i = 0; i < s->n_classes; i++)
        if (!(d->classes[s->classes[i].id] = hop_dup(s->classes[i].name, e)))
            return HOP_ENOMEM;
    return HOP_OK;
}

/* n of the names at *p, one a line, which moves on. */
static int
take_lines(const char **p, int64_t n, char ***out, int64_t *n_out, struct hop_err *e)
{
    size_t len;

    if (!(*out = hop_alloc((size_t)n, sizeof **out, e)))
        return HOP_ENOMEM;
    for (; *n_out < n; ++*n_out, *p += len + ((*p)[len] == '\n')) {
        len = strcspn(*p, "\n");
        if (!((*out)[*n_out] = hop_alloc(len + 1, 1, e)))
            return HOP_ENOMEM;
        memcpy((*out)[*n_out], *p, len);
    }
    return HOP_OK;
}

/* The columns' names, those of the targets last. */
static int
set_columns(const struct hop_spill *s, struct hop_dataset_info *d, struct hop_err *e)
{
    const char *p = s->columns;
    int rc = take_lines(&p, s->n_values, &d->columns, &d->n_columns, e);

    return rc ? rc : take_lines(&p, s->n_targets, &d->targets, &d->n_targets, e);
}

static int
set_info(struct making *k, struct hop_err *e)
{
    const struct hop_spill *s = &k->train_spill;
    struct hop_dataset_info *d = &k->m->info;
    int rc;

    d->is_u8 = s->is_u8;
    d->n_dims = s->is_u8 ? 3 : 1;
    d->dims[0] = s->is_u8 ? s->h : s->n_values;
    d->dims[1] = s->is_u8 ? s->w : 1;
    d->dims[2] = s->is_u8 ? s->c : 1;
    d->n_channels = d->dims[d->n_dims - 1];
    rc = s->n_targets ? HOP_OK : set_classes(s, d, e);
    if (!rc && !s->is_u8)
        rc = set_columns(s, d, e);
    d->mean = hop_alloc((size_t)d->n_channels, sizeof *d->mean, e);
    d->std = hop_alloc((size_t)d->n_channels, sizeof *d->std, e);
    return rc ? rc : d->mean && d->std ? HOP_OK : HOP_ENOMEM;
}

static int
plan(struct making *k, struct hop_err *e)
{
    const struct hop_shard_options *o = k->o;
    bool is_val_of_train = o->val_fraction > 0;
    int64_t n_classes = (int64_t)k->train_spill.n_classes, n_val = o->n_val_shards;
    int rc;

    k->train.name = "train";
    k->train.spill = &k->train_spill;
    if ((rc = part_alloc(&k->train, n_classes, e)))
        return rc;
    part_choose(&k->train, false, o->val_fraction, o);
    if (k->m->info.per_class)
        memcpy(k->m->info.per_class, k->train.n, (size_t)n_classes * sizeof *k->train.n);
    if (k->train.n_total < o->n_shards)
        return hop_fail(e, HOP_EARG, "-n", NULL, "%lld shards, but only %lld train examples",
                        (long long)o->n_shards, (long long)k->train.n_total);
    if ((rc = part_deal(&k->train, o->n_shards, o->seed, e)) || (!o->val && !is_val_of_train))
        return rc;
    k->val.name = "val";
    k->val.spill = is_val_of_train ? &k->train_spill : &k->val_spill;
    if ((rc = part_alloc(&k->val, n_classes, e)))
        return rc;
    part_choose(&k->val, is_val_of_train, is_val_of_train ? o->val_fraction : 0, o);
    if (k->val.n_total == 0)
        return hop_fail(e, HOP_EARG, "--val-fraction", NULL,
                        "%.9g of so few examples leaves none for val", o->val_fraction);
    n_val = n_val ? n_val : o->n_shards;
    return part_deal(&k->val, n_val < k->val.n_total ? n_val : k->val.n_total, o->seed, e);
}

/* Shards of an earlier data set or of a run that was killed: with the new manifest they would be
 * strangers. Called when all new files are whole, so a failure before keeps the old data. */
static int
remove_old(struct making *k, struct hop_err *e)
{
    struct hop_str path = {0};
    struct dirent *d;
    DIR *h;
    int n, rc = HOP_OK;
    char split[6];

    if (unlink(k->manifest_path.s) < 0 && errno != ENOENT)
        return hop_fail_errno(e, k->manifest_path.s, NULL, "cannot remove");
    if ((rc = hop_sync_dir(k->manifest_path.s, e)))
        return rc;
    if (!(h = opendir(k->o->dir)))
        return hop_fail_errno(e, k->o->dir, NULL, "cannot read the folder");
    while (!rc && (d = readdir(h))) {
        n = 0;
        if (sscanf(d->d_name, "%5[a-z]-%*3[0-9].safetensors%n", split, &n) != 1 || !n ||
            d->d_name[n] || (strcmp(split, "train") && strcmp(split, "val")))
            continue;
        path.n = 0;
        hop_str_addf(&path, "%s/%s", k->o->dir, d->d_name);
        rc = hop_str_check(&path, e);
        if (!rc && unlink(path.s) < 0)
            rc = hop_fail_errno(e, path.s, NULL, "cannot remove");
    }
    closedir(h);
    hop_str_clear(&path);
    return rc;
}

static int
write_manifest(struct making *k, struct hop_err *e)
{
    struct hop_json *j = hop_manifest_json(k->m), *splits;
    struct hop_atomic a;
    struct hop_str s = {0};
    int rc;

    splits = hop_json_copy(hop_json_get(j, "splits"));
    hop_json_del(j, "splits"); /* the long part last */
    hop_json_set_int(j, "seed", (int64_t)k->o->seed);
    hop_json_set(j, "splits", splits);
    rc = hop_json_dump(j, &s, e);
    hop_json_free(j);
    hop_str_add(&s, "\n");
    if (!rc && !(rc = hop_str_check(&s, e)) && !(rc = hop_atomic_open(&a, k->manifest_path.s, e))) {
        rc = hop_write_fd(a.fd, k->manifest_path.s, s.s, s.n, e);
        if (rc)
            hop_atomic_abort(&a);
        else
            rc = hop_atomic_commit(&a, e);
    }
    hop_str_clear(&s);
    return rc;
}

static int
make(struct making *k, struct hop_err *e)
{
    int rc;

    if ((rc = check_options(k->o, e)) || (rc = open_folder(k, e)) || (rc = read_sources(k, e)) ||
        (rc = set_info(k, e)) || (rc = plan(k, e)) ||
        (rc = measure(&k->train, k->o, &k->m->info, e)) ||
        (rc = write_split(&k->train, k->o, &k->m->info, &k->train_out, &k->m->train, e)))
        return rc;
    if (k->val.n_total &&
        (rc = write_split(&k->val, k->o, &k->m->info, &k->val_out, &k->m->val, e)))
        return rc;
    if ((rc = remove_old(k, e)) || (rc = commit_split(&k->train_out, e)) ||
        (rc = commit_split(&k->val_out, e)))
        return rc;
    return write_manifest(k, e);
}

int
hop_shard_make(const struct hop_shard_options *o, struct hop_manifest *m, struct hop_err *e)
{
    struct making k = {.o = o, .m = m, .lock = -1, .train_spill.fd = -1, .val_spill.fd = -1};
    int rc;

    *m = (struct hop_manifest){0};
    rc = make(&k, e);
    split_abort(&k.train_out);
    split_abort(&k.val_out);
    part_clear(&k.train);
    part_clear(&k.val);
    hop_spill_clear(&k.train_spill);
    hop_spill_clear(&k.val_spill);
    hop_str_clear(&k.manifest_path);
    if (k.lock >= 0)
        close(k.lock);
    if (rc)
        hop_manifest_clear(m);
    return rc;
}

/* Shards: the deal (each example once, balanced, the same for the same input), the reader against
 * damage, and every kind of source cut short. */
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "base/str.h"
#include "format/shard.h"
#include "format/shard_write.h"
#include "format/source.h"
#include "tap.h"

static char root[] = "/tmp/hop-t-shard.XXXXXX";

static const char *
at(const char *name)
{
    static char path[8][400];
    static int i;

    i = (i + 1) % 8;
    snprintf(path[i], sizeof path[i], "%s/%s", root, name);
    return path[i];
}

static void
put_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
        perror(path);
        exit(1);
    }
}

static int
rm_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void
rm(const char *path)
{
    nftw(path, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- 1 the deal ---- */

/* A table whose one column numbers the rows; row i has class i * i % n_classes in a fixed mess. */
static int
class_of(int i, int n_classes)
{
    return (i * i + i / 7) % n_classes;
}

static void
make_table(int n, int n_classes)
{
    struct hop_str s = {0};
    int i;

    hop_str_add(&s, "number,class\n");
    for (i = 0; i < n; i++)
        hop_str_addf(&s, "%d,k%02d\n", i, class_of(i, n_classes));
    put_file(at("t.csv"), s.s, s.n);
    hop_str_clear(&s);
}

static int
make_data(const char *dir, int64_t n_shards, double val_fraction, uint64_t seed,
          struct hop_manifest *m, struct hop_err *e)
{
    struct hop_shard_options o = {.dir = dir,
                                  .source = at("t.csv"),
                                  .label = "class",
                                  .n_shards = n_shards,
                                  .val_fraction = val_fraction,
                                  .seed = seed,
                                  .want_force = true};

    return hop_shard_make(&o, m, e);
}

/* Read a split back: how often each row is seen, and is its class right? */
static bool
count_rows(const char *dir, const struct hop_manifest_split *p, int n_classes, int *seen)
{
    char path[500];
    struct hop_shard s;
    struct hop_err e = {0};
    int64_t i, k;
    bool is_right = true;
    int row;

    for (i = 0; i < p->n_shards; i++) {
        snprintf(path, sizeof path, "%s/%s.safetensors", dir, p->shards[i].name);
        if (hop_shard_open(path, &s, &e)) {
            printf("# %s: %s\n", e.where, e.what);
            return false;
        }
        is_right = is_right && s.n == p->shards[i].examples && s.index == i &&
                   s.count == p->n_shards && !strcmp(s.name, p->shards[i].name);
        for (k = 0; k < s.n; k++) {
            row = (int)((const float *)s.x)[k];
            seen[row]++;
            is_right = is_right && atoi(s.info.classes[s.y[k]] + 1) == class_of(row, n_classes);
        }
        hop_shard_close(&s);
    }
    return is_right;
}

static bool
is_balanced(const struct hop_manifest *m, const struct hop_manifest_split *p)
{
    int64_t c, i, n, lo, hi;

    for (c = -1; c < m->info.n_classes; c++) {
        for (lo = INT64_MAX, hi = 0, i = 0; i < p->n_shards; i++) {
            n = c < 0 ? p->shards[i].examples : p->shards[i].per_class[c];
            lo = n < lo ? n : lo;
            hi = n > hi ? n : hi;
        }
        if (p->n_shards && hi - lo > 1)
            return false;
    }
    return true;
}

static void
test_deal(int n, int n_classes, int n_shards, double val_fraction)
{
    struct hop_manifest m;
    struct hop_err e = {0};
    int *seen = calloc((size_t)n, sizeof *seen), i, n_wrong = 0;
    bool is_right;

    make_table(n, n_classes);
    if (!ok(!make_data(at("deal"), n_shards, val_fraction, 1, &m, &e), "%d rows made %s", n,
            e.what)) {
        free(seen);
        return;
    }
    is_right = count_rows(at("deal"), &m.train, n_classes, seen) &&
               count_rows(at("deal"), &m.val, n_classes, seen);
    for (i = 0; i < n; i++)
        n_wrong += seen[i] != 1;
    ok(is_right && n_wrong == 0 && m.train.examples + m.val.examples == n &&
           is_balanced(&m, &m.train) && is_balanced(&m, &m.val),
       "%d rows, %d classes, %d shards, val %.2f (%d rows): each once, balanced", n, n_classes,
       n_shards, val_fraction, (int)m.val.examples);
    hop_manifest_clear(&m);
    free(seen);
}

static void
test_seed(void)
{
    struct hop_manifest a, b, c, d;
    struct hop_err e = {0};
    struct hop_shard s;
    const float *x;
    int64_t i, n_in_place = 0;

    make_table(300, 4);
    ok(!make_data(at("a"), 3, 0.1, 1, &a, &e) && !make_data(at("b"), 3, 0.1, 1, &b, &e) &&
           !make_data(at("c"), 3, 0.1, 2, &c, &e) && !make_data(at("d"), 5, 0.1, 1, &d, &e),
       "made four times %s", e.what);
    ok(!strcmp(a.train.shards[1].digest, b.train.shards[1].digest) &&
           !strcmp(a.info.dataset, b.info.dataset),
       "same input, same seed: same bytes");
    ok(strcmp(a.train.shards[1].digest, c.train.shards[1].digest), "another seed: another order");
    ok(!strcmp(a.info.dataset, d.info.dataset), "the data set's digest knows no shard count");
    ok(!hop_shard_open(at("a/train-000.safetensors"), &s, &e), "open");
    for (x = s.x, i = 1; i < s.n; i++)
        n_in_place += x[i] > x[i - 1];
    ok(n_in_place > s.n / 4 && n_in_place < s.n * 3 / 4, "shuffled: %d of %d steps go up",
       (int)n_in_place, (int)s.n);
    hop_shard_close(&s);
    hop_manifest_clear(&a);
    hop_manifest_clear(&b);
    hop_manifest_clear(&c);
    hop_manifest_clear(&d);
}

/* Targets: every row once, each with its own two targets, in the order of the option; per_class and
 * balance of tables with classes. */
static void
test_targets(void)
{
    struct hop_shard_options o = {.dir = at("targets"), .source = at("t.csv"), .target = "b,a",
                                  .n_shards = 3, .val_fraction = 0.2, .seed = 1};
    int seen[101] = {0}, i, n_once = 0;
    struct hop_manifest m, again;
    struct hop_str s = {0};
    struct hop_shard shard;
    struct hop_err e = {0};
    bool is_right = true;
    char path[500];
    int64_t k;

    hop_str_add(&s, "a,number,b,c\n");
    for (i = 0; i < 101; i++)
        hop_str_addf(&s, "%d,%d,%d.5,7\n", 3 * i, i, -i);
    put_file(at("t.csv"), s.s, s.n);
    hop_str_clear(&s);
    ok(!hop_shard_make(&o, &m, &e) && m.info.n_targets == 2 && !m.info.n_classes &&
           !strcmp(m.info.targets[0], "b") && !strcmp(m.info.targets[1], "a") &&
           m.info.dims[0] == 2 && m.val.examples == 20 && is_balanced(&m, &m.train),
       "shards with targets %s", e.what);
    for (i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/%s-%03d.safetensors", o.dir, i < 3 ? "train" : "val", i % 3);
        if (hop_shard_open(path, &shard, &e)) {
            is_right = ok(false, "%s: %s", e.where, e.what);
            continue;
        }
        is_right = is_right && !shard.y && shard.t && shard.info.n_targets == 2;
        for (k = 0; k < shard.n && is_right; k++) {
            int row = (int)((const float *)shard.x)[2 * k];

            seen[row]++;
            is_right = ((const float *)shard.x)[2 * k + 1] == 7 &&
                       shard.t[2 * k] == (float)-row - (row ? 0.5f : -0.5f) &&
                       shard.t[2 * k + 1] == (float)(3 * row);
        }
        hop_shard_close(&shard);
    }
    for (i = 0; i < 101; i++)
        n_once += seen[i] == 1;
    ok(is_right && n_once == 101, "each row once, with its targets (%d of 101)", n_once);
    o.want_force = true;
    o.target = "a";
    ok(!hop_shard_make(&o, &again, &e) && strcmp(again.info.dataset, m.info.dataset) &&
           again.info.dims[0] == 3,
       "other targets make another data set %s", e.what);
    hop_manifest_clear(&m);
    hop_manifest_clear(&again);
}

static void
test_per_class(void)
{
    struct hop_manifest m;
    struct hop_shard s;
    struct hop_err e = {0};
    int64_t n[2] = {0};
    int64_t i;

    make_table(200, 2);
    ok(!make_data(at("counts"), 3, 0.25, 1, &m, &e) &&
           !hop_shard_open(at("counts/val-001.safetensors"), &s, &e) && s.info.per_class,
       "a val shard knows the classes of train %s", e.what);
    for (i = 0; i < m.train.n_shards; i++) {
        n[0] += m.train.shards[i].per_class[0];
        n[1] += m.train.shards[i].per_class[1];
    }
    ok(s.info.per_class[0] == n[0] && s.info.per_class[1] == n[1] && n[0] != n[1] &&
           n[0] + n[1] == m.train.examples,
       "%d and %d of %d", (int)n[0], (int)n[1], (int)m.train.examples);
    hop_shard_close(&s);
    hop_manifest_clear(&m);
}

static void
test_stats(void)
{
    static const char text[] = "a,class,b\n1,x,5\n2,y,5\n3,x,5\n6,y,5\n";
    struct hop_manifest m;
    struct hop_err e = {0};

    put_file(at("t.csv"), text, sizeof text - 1);
    ok(!make_data(at("stats"), 2, 0, 1, &m, &e) && m.info.mean[0] == 3 &&
           m.info.std[0] == 1.8708287f && m.info.mean[1] == 5 && m.info.std[1] == 0 &&
           m.info.dims[0] == 2 && m.info.n_classes == 2,
       "mean %.9g, std %.9g", m.info.mean ? m.info.mean[0] : 0, m.info.std ? m.info.std[0] : 0);
    hop_manifest_clear(&m);
}

/* ---- 2 the reader against damage ---- */

static int
open_bytes(const void *bytes, size_t n, struct hop_err *e)
{
    struct hop_shard s;
    int rc;

    put_file(at("x.safetensors"), bytes, n);
    rc = hop_shard_open(at("x.safetensors"), &s, e);
    if (!rc)
        hop_shard_close(&s);
    return rc;
}

static void
test_damage(void)
{
    struct hop_manifest m;
    struct hop_err e = {0};
    char *bytes;
    size_t n, i, n_passed = 0;

    make_table(6, 2);
    ok(!make_data(at("small"), 2, 0, 1, &m, &e), "small shard made");
    hop_manifest_clear(&m);
    ok(!hop_read_file(at("small/train-000.safetensors"), 1 << 20, &bytes, &n, &e) &&
           !open_bytes(bytes, n, &e),
       "whole: %zu bytes %s", n, e.what);
    for (i = 0; i < n; i++) {
        e = (struct hop_err){0};
        n_passed += open_bytes(bytes, i, &e) != HOP_EFORMAT;
    }
    ok(n_passed == 0, "cut at each byte is refused");
    for (n_passed = i = 0; i < n; i++) {
        bytes[i] ^= 1 << i % 8;
        e = (struct hop_err){0};
        n_passed += open_bytes(bytes, n, &e) != HOP_EFORMAT || !e.where[0];
        bytes[i] ^= 1 << i % 8;
    }
    ok(n_passed == 0, "a flipped bit in each byte is refused");
    free(bytes);
}

/* A shard with right digests and one thing impossible. */
/* The same of shards with targets: y F32 [2,2]. */
static void
test_forged_targets(void)
{
    static const struct {
        const char *what, *key, *value;
        float last;
        int n_dims_y;
        int64_t n_row;
    } rows[] = {
        {NULL, "hop.targets", "[\"a\",\"b\"]", 4, 2, 2},
        {"target nan is not finite", "hop.targets", "[\"a\",\"b\"]", NAN, 2, 2},
        {"target infinite", "hop.targets", "[\"a\",\"b\"]", -INFINITY, 2, 2},
        {"a name too few", "hop.targets", "[\"a\"]", 4, 2, 2},
        {"a name too many", "hop.targets", "[\"a\",\"b\",\"c\"]", 4, 2, 2},
        {"a name is a number", "hop.targets", "[\"a\",1]", 4, 2, 2},
        {"classes for targets", "hop.classes", "[\"a\",\"b\"]", 4, 2, 2},
        {"y has one dimension", "hop.targets", "[\"a\",\"b\"]", 4, 1, 4},
        {"rows of one", "hop.targets", "[\"a\",\"b\"]", 4, 2, 1},
    };
    static const uint8_t x[2 * 2 * 2 * 3];
    size_t i;

    for (i = 0; i < HOP_LEN(rows); i++) {
        const float y[4] = {1, 2, 3, rows[i].last};
        struct hop_meta meta[] = {
            {"hop.kind", "shard/1"}, {"hop.dataset", "0123456789abcdef0123456789abcdef"},
            {"hop.split", "val"},    {"hop.index", "0"},
            {"hop.count", "2"},      {rows[i].key, rows[i].value},
            {"hop.mean", "[1,2,3]"}, {"hop.std", "[1,2,3]"},
        };
        struct hop_tensor t[2] = {
            {.name = "y", .dtype_name = "F32", .n_dims = rows[i].n_dims_y,
             .dims = {rows[i].n_dims_y == 1 ? 4 : 2, rows[i].n_row}, .data = y,
             .n_bytes = rows[i].n_row == 1 ? 8 : sizeof y},
            {.name = "x", .dtype_name = "U8", .n_dims = 4, .dims = {2, 2, 2, 3}, .data = x,
             .n_bytes = sizeof x},
        };
        struct hop_shard s;
        struct hop_err e = {0};
        FILE *file = fopen(at("forged.safetensors"), "wb");
        int rc = hop_st_write(fileno(file), "forged", t, 2, meta, HOP_LEN(meta), &e);

        fclose(file);
        if (!rc && !(rc = hop_shard_open(at("forged.safetensors"), &s, &e)))
            hop_shard_close(&s);
        ok(rows[i].what ? rc == HOP_EFORMAT : !rc, "%s: %s",
           rows[i].what ? rows[i].what : "targets as they should be", e.what);
    }
}

struct forged {
    const char *what;
    const char *key, *value; /* metadata to change; value NULL = leave out */
    int32_t label;           /* of the second example */
    int64_t n_y;
    int n_dims_x;
    const char *dtype_y;
};

static int
open_forged(const struct forged *f, struct hop_err *e)
{
    static const uint8_t x[2 * 2 * 2 * 3];
    const int32_t y[3] = {0, f->label, 0};
    struct hop_meta meta[8] = {
        {"hop.kind", "shard/1"}, {"hop.dataset", "0123456789abcdef0123456789abcdef"},
        {"hop.split", "val"},    {"hop.index", "0"},
        {"hop.count", "2"},      {"hop.classes", "[\"a\",\"b\"]"},
        {"hop.mean", "[1,2,3]"}, {"hop.std", "[1,2,3]"},
    };
    struct hop_tensor t[2] = {
        {.name = "y",
         .dtype_name = "I32",
         .n_dims = 1,
         .dims = {f->n_y},
         .data = y,
         .n_bytes = 4 * (size_t)f->n_y},
        {.name = "x",
         .dtype_name = "U8",
         .n_dims = f->n_dims_x,
         .dims = {2, 2, 2, 3},
         .data = x,
         .n_bytes = sizeof x},
    };
    struct hop_shard s;
    FILE *file = fopen(at("forged.safetensors"), "wb");
    size_t i, n = 0;
    int rc;

    snprintf(t[0].dtype_name, sizeof t[0].dtype_name, "%s", f->dtype_y);
    if (f->n_dims_x == 3)
        t[1].dims[2] = 6;
    for (i = 0; i < HOP_LEN(meta); i++)
        if (!f->key || strcmp(f->key, meta[i].key) || f->value) {
            meta[n] = meta[i];
            if (f->key && !strcmp(f->key, meta[i].key))
                meta[n].value = f->value;
            n++;
        }
    rc = hop_st_write(fileno(file), "forged", t, 2, meta, n, e);
    fclose(file);
    if (!rc && !(rc = hop_shard_open(at("forged.safetensors"), &s, e)))
        hop_shard_close(&s);
    return rc;
}

/* What a data set says of itself, in the words of manifests and model files. */
static void
test_info(void)
{
#define INFO(more) "{\"dataset\":\"0123456789abcdef0123456789abcdef\",\"shape\":[2],"             \
                   "\"dtype\":\"F32\",\"mean\":[1,2],\"std\":[1,2]," more "}"
    static const struct {
        const char *text, *what;
    } rows[] = {
        {INFO("\"classes\":[\"x\",\"y\"]"), NULL},
        {INFO("\"classes\":[\"x\",\"y\"],\"per_class\":[3,0],\"columns\":[\"a\",\"b\"]"), NULL},
        {INFO("\"targets\":[\"x\"]"), NULL},
        {INFO("\"targets\":[\"x\"],\"classes\":[\"x\"]"), "both classes and targets"},
        {INFO("\"targets\":[]"), "targets: not an array of 1"},
        {INFO("\"classes\":[\"x\",\"y\"],\"per_class\":[3]"), "per_class: not an array of 2"},
        {INFO("\"classes\":[\"x\",\"y\"],\"per_class\":[3,-1]"), "per_class: number 1"},
        {INFO("\"classes\":[\"x\",\"y\"],\"per_class\":[3,1.5]"), "per_class: number 1"},
        {INFO("\"classes\":[\"x\"],\"columns\":[\"a\"]"), "columns: 1 names for 2 columns"},
    };
    struct hop_dataset_info d;
    struct hop_json *j = NULL, *back;
    size_t i;
    int rc;

    for (i = 0; i < HOP_LEN(rows); i++) {
        struct hop_err e = {0};

        rc = hop_json_parse(rows[i].text, strlen(rows[i].text), "test", &j, &e);
        if (!rc && !(rc = hop_dataset_info_parse(j, "test", &d, &e))) {
            back = hop_dataset_info_json(&d);
            rc = hop_json_len(back) == hop_json_len(j) ? HOP_OK : HOP_EFAIL;
            hop_json_free(back);
            hop_dataset_info_clear(&d);
        }
        ok(rows[i].what ? rc == HOP_EFORMAT && strstr(e.what, rows[i].what) : !rc,
           "a data set's description: %s", rc ? e.what : "there and back");
        hop_json_free(j);
    }
}

static void
test_forged(void)
{
    static const struct forged good = {"as it should be", NULL, NULL, 1, 2, 4, "I32"};
    static const struct forged bad[] = {
        {"label too large", NULL, NULL, 2, 2, 4, "I32"},
        {"label negative", NULL, NULL, -1, 2, 4, "I32"},
        {"three labels for two examples", NULL, NULL, 1, 3, 4, "I32"},
        {"x has three dimensions", NULL, NULL, 1, 2, 3, "I32"},
        {"y is F32", NULL, NULL, 1, 2, 4, "F32"},
        {"a model", "hop.kind", "model/1", 1, 2, 4, "I32"},
        {"no kind", "hop.kind", NULL, 1, 2, 4, "I32"},
        {"dataset no digest", "hop.dataset", "0123", 1, 2, 4, "I32"},
        {"split unknown", "hop.split", "test", 1, 2, 4, "I32"},
        {"index past count", "hop.index", "2", 1, 2, 4, "I32"},
        {"index negative", "hop.index", "-1", 1, 2, 4, "I32"},
        {"index no number", "hop.index", "x", 1, 2, 4, "I32"},
        {"count 0", "hop.count", "0", 1, 2, 4, "I32"},
        {"no classes", "hop.classes", "[]", 1, 2, 4, "I32"},
        {"one class too few", "hop.classes", "[\"a\"]", 1, 2, 4, "I32"},
        {"class is a number", "hop.classes", "[\"a\",3]", 1, 2, 4, "I32"},
        {"classes no array", "hop.classes", "{}", 1, 2, 4, "I32"},
        {"mean too short", "hop.mean", "[1,2]", 1, 2, 4, "I32"},
        {"mean is text", "hop.mean", "[1,2,\"3\"]", 1, 2, 4, "I32"},
        {"mean too large for a float", "hop.mean", "[1,2,1e300]", 1, 2, 4, "I32"},
        {"no mean", "hop.mean", NULL, 1, 2, 4, "I32"},
        {"std negative", "hop.std", "[1,2,-3]", 1, 2, 4, "I32"},
        {"std missing", "hop.std", NULL, 1, 2, 4, "I32"},
    };
    struct hop_err e = {0};
    size_t i;

    ok(!open_forged(&good, &e), "%s %s", good.what, e.what);
    for (i = 0; i < HOP_LEN(bad); i++) {
        e = (struct hop_err){0};
        ok(open_forged(&bad[i], &e) == HOP_EFORMAT, "%s: %s", bad[i].what, e.what);
    }
}

/* ---- 3 sources cut short ---- */

/* Read all of a source; the number of examples, or the error code. */
static int64_t
read_all(const char *name, const char *format, struct hop_err *e)
{
    struct hop_source s;
    struct hop_sample x;
    bool is_bad;
    int64_t n = 0;
    int rc = hop_source_open(name, format, "class", NULL, &s, e);

    if (rc)
        return rc;
    while (!(rc = hop_source_next(&s, &x, &is_bad, e)))
        n++;
    hop_source_close(&s);
    return rc == HOP_EOF ? n : rc;
}

static void
put32(uint8_t *p, uint32_t v)
{
    int i;

    for (i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void
put_gz(const char *path, const void *bytes, size_t n)
{
    gzFile g = gzopen(path, "wb9");

    if (!g || gzwrite(g, bytes, (unsigned)n) != (int)n || gzclose(g))
        exit(1);
}

static void
test_idx(void)
{
    uint8_t images[16 + 3 * 4] = {0, 0, 8, 3}, labels[8 + 3] = {0, 0, 8, 1}, *gz;
    const char *ip = at("t-images-idx3-ubyte"), *lp = at("t-labels-idx1-ubyte");
    char *text;
    struct hop_err e = {0};
    size_t i, n, n_passed = 0;

    put32(images + 4, 3);
    put32(images + 8, 2);
    put32(images + 12, 2);
    put32(labels + 4, 3);
    labels[9] = 10;
    put_file(ip, images, sizeof images);
    put_file(lp, labels, sizeof labels);
    ok(read_all(ip, NULL, &e) == 3, "idx: three pictures %s", e.what);
    for (i = 0; i < sizeof images; i++) {
        e = (struct hop_err){0};
        put_file(ip, images, i);
        n_passed += read_all(ip, NULL, &e) >= 0;
    }
    put_file(ip, images, sizeof images);
    for (i = 0; i < sizeof labels; i++) {
        e = (struct hop_err){0};
        put_file(lp, labels, i);
        n_passed += read_all(ip, NULL, &e) >= 0;
    }
    put_file(lp, labels, sizeof labels);
    ok(n_passed == 0, "idx: images or labels cut at each byte are refused");
    put_gz(at("gz-images-idx3-ubyte.gz"), images, sizeof images);
    put_file(at("gz-labels-idx1-ubyte"), labels, sizeof labels);
    e = (struct hop_err){0};
    ok(read_all(at("gz-images-idx3-ubyte.gz"), NULL, &e) == 3, "idx.gz, labels plain %s", e.what);
    if (hop_read_file(at("gz-images-idx3-ubyte.gz"), 1 << 20, &text, &n, &e))
        exit(1);
    gz = (uint8_t *)text;
    for (i = 0; i < n; i++) {
        e = (struct hop_err){0};
        put_file(at("gz-images-idx3-ubyte.gz"), gz, i);
        n_passed += read_all(at("gz-images-idx3-ubyte.gz"), NULL, &e) >= 0;
    }
    ok(n_passed == 0, "idx.gz: cut at each of %zu bytes is refused", n);
    free(text);
    put32(images + 4, 0x7FFFFFFF);
    put_file(ip, images, sizeof images);
    e = (struct hop_err){0};
    ok(read_all(ip, NULL, &e) == HOP_EFORMAT, "idx: 2147483647 pictures: %s", e.what);
    put32(images + 4, 3);
    put32(images + 8, 0xFFFFFFFF);
    put32(images + 12, 0xFFFFFFFF);
    put_file(ip, images, sizeof images);
    e = (struct hop_err){0};
    ok(read_all(ip, NULL, &e) == HOP_EFORMAT, "idx: 4294967295 a side: %s", e.what);
}

static void
test_cifar(void)
{
    static uint8_t batch[2 * 3073];
    const char *path = at("data_batch_1.bin");
    struct hop_err e = {0};
    size_t i, n_wrong = 0;

    batch[3073] = 9;
    put_file(path, batch, sizeof batch);
    ok(read_all(path, NULL, &e) == 2, "cifar10: two records %s", e.what);
    for (i = 0; i<sizeof batch; i += i> 3000 && i < 3080 ? 1 : 41) {
        e = (struct hop_err){0};
        put_file(path, batch, i);
        n_wrong += (read_all(path, NULL, &e) >= 0) != (i == 3073);
    }
    ok(n_wrong == 0, "cifar10: cut inside a record is refused");
    batch[3073] = 10;
    put_file(path, batch, sizeof batch);
    e = (struct hop_err){0};
    ok(read_all(path, NULL, &e) == HOP_EFORMAT, "cifar10: label 10: %s: %s", e.where, e.what);
}

static int64_t
csv(const char *text, struct hop_err *e)
{
    *e = (struct hop_err){0};
    put_file(at("c.csv"), text, strlen(text));
    return read_all(at("c.csv"), NULL, e);
}

static void
test_csv(void)
{
    static const char good[] = "\xEF\xBB\xBF\"a,\"\"1\"\"\",class,b\r\n"
                               "1,\"two\nlines\",-2.5e3\r\n\r\n 3 ,x,4\r\n\"5\",\"\"\"q\"\"\",6";
    static const struct {
        const char *text, *where;
    } bad[] = {
        {"", ":1"},
        {"a,class\n1\n", ":2"},
        {"a,class\n1,x,3\n", ":2"},
        {"a,class\n1,x\nz,x\n", ":3"},
        {"a,class\n,x\n", ":2"},
        {"a,class\nnan,x\n", ":2"},
        {"a,class\ninf,x\n", ":2"},
        {"a,class\n1e99,x\n", ":2"},
        {"a,class\n0x10,x\n", ":2"},
        {"a,class\n1,\n", ":2"},
        {"a,class\n\"1\"2,x\n", ":2"},
        {"a,class\n1,\"x\n", ":2"},
        {"class\nx\n", ":1"},
        {"class,a,class\nx,1,y\n", ":1"},
    };
    struct hop_err e;
    size_t i;
    char cut[sizeof good];

    ok(csv(good, &e) == 3, "csv: quotes, newlines in quotes, CRLF, byte order mark %s", e.what);
    for (i = 0; i < HOP_LEN(bad); i++) {
        ok(csv(bad[i].text, &e) == HOP_EFORMAT && strstr(e.where, bad[i].where), "csv: %s: %s",
           strrchr(e.where, '/') ? strrchr(e.where, '/') + 1 : e.where, e.what);
    }
    ok(csv("a,b\n1,2\n", &e) == HOP_EARG && strstr(e.hint, "a, b"), "csv: %s (%s)", e.what, e.hint);
    for (i = 0; i < sizeof good; i++) {
        snprintf(cut, i + 1, "%s", good);
        if (csv(cut, &e) < 0 && !e.what[0])
            break;
    }
    ok(i == sizeof good, "csv: cut at each byte is read or refused in words");
}

int
main(void)
{
    if (!mkdtemp(root))
        return 1;
    test_deal(1000, 10, 8, 0);
    test_deal(997, 7, 8, 0.1);
    test_deal(50, 13, 3, 0.5);
    test_deal(40, 40, 40, 0);
    test_deal(100, 3, 1, 0.2);
    test_deal(5000, 100, 16, 0.15);
    test_seed();
    test_targets();
    test_per_class();
    test_stats();
    test_damage();
    test_forged();
    test_forged_targets();
    test_info();
    test_idx();
    test_cifar();
    test_csv();
    rm(root);
    return tap_end();
}

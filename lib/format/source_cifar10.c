/* source_cifar10 - the binary version of CIFAR-10: records of one label byte and 3072 pixel bytes,
 * three planes of 32 x 32 (red, green, blue). A folder or archive gives its data_batch_*.bin; one
 * batch (test_batch.bin) is named itself. Class names come from batches.meta.txt where it is there.
 * Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version". */
#include "format/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "format/tree.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, CLASSES = 10, MAX_NAME = 100 };
/* A batch stands near the front of its archive; do not unroll all of a large one to find none. */
enum { PROBE_ENTRIES = 50 };

struct cifar10 {
    struct hop_tree *tree;
    bool want_all; /* all data_batch_*.bin, else the one file that was named */
    bool is_in_batch, is_any;
    int64_t i_record; /* in the batch */
    char names[CLASSES][MAX_NAME + 1];
    uint8_t record[RECORD], pixels[3 * PLANE];
    struct hop_str batch, where;
};

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool
is_batch(const char *path)
{
    const char *b = base_name(path);
    size_t n = strlen(b);

    return n > 4 && !strcmp(b + n - 4, ".bin") &&
           (!strncmp(b, "data_batch_", 11) || !strncmp(b, "test_batch", 10));
}

static bool
is_bin(const char *path)
{
    size_t n = strlen(path);

    return n > 4 && !strcmp(path + n - 4, ".bin");
}

static bool
is_train_batch(const char *path)
{
    return is_batch(path) && base_name(path)[0] == 'd';
}

static bool
probe(const char *name)
{
    struct hop_err ignored = {0};
    struct hop_tree_entry entry;
    struct hop_tree *t = NULL;
    struct stat st;
    bool is_found = false;
    size_t n_file;
    char *file;
    int i;

    if (stat(name, &st) == 0 && !S_ISDIR(st.st_mode) && is_batch(name))
        return true;
    hop_tree_split(name, &n_file); /* FOLDER may lie far back in the archive */
    if (!(file = strndup(name, n_file)) || hop_tree_open(file, &t, &ignored)) {
        free(file);
        return false;
    }
    for (i = 0; i < PROBE_ENTRIES && !is_found && !hop_tree_next(t, &entry, &ignored); i++)
        is_found = !entry.is_dir && is_batch(entry.path);
    hop_tree_close(t);
    free(file);
    return is_found;
}

static void
read_names(struct cifar10 *c, const char *text, size_t n)
{
    size_t i = 0, len;
    int k = 0;

    for (; i < n && k < CLASSES; i += len + (i + len < n)) {
        const char *end = memchr(text + i, '\n', n - i);

        len = end ? (size_t)(end - text) - i : n - i;
        if (len > 1 || (len == 1 && text[i] != '\r'))
            snprintf(c->names[k++], sizeof c->names[0], "%.*s",
                     (int)(text[i + len - 1] == '\r' ? len - 1 : len), text + i);
    }
}

/* batches.meta.txt anywhere in the folder or archive `name`, or beside the file. */
static int
find_names(struct cifar10 *c, const char *name, bool is_file, struct hop_err *e)
{
    struct hop_tree_entry entry;
    struct hop_tree *t = NULL;
    struct hop_str path = {0};
    size_t n_file, n;
    const void *text;
    int rc, k;

    for (k = 0; k < CLASSES; k++)
        snprintf(c->names[k], sizeof c->names[0], "%d", k);
    hop_tree_split(name, &n_file);
    hop_str_add_n(&path, name, is_file ? (size_t)(base_name(name) - name) : n_file);
    if (is_file)
        hop_str_add(&path, "batches.meta.txt");
    rc = is_file ? hop_tree_open_file(hop_str_c(&path), &t, e)
                 : hop_tree_open(hop_str_c(&path), &t, e);
    while (!rc && !(rc = hop_tree_next(t, &entry, e))) {
        if (entry.is_dir || strcmp(base_name(entry.path), "batches.meta.txt"))
            continue;
        /* A file of that name need not be there: classes are then called 0 to 9. */
        if (!(rc = hop_tree_read(t, 1 << 16, &text, &n, is_file ? NULL : e)))
            read_names(c, text, n);
        else if (is_file)
            rc = HOP_OK;
        break;
    }
    hop_tree_close(t);
    hop_str_clear(&path);
    return rc == HOP_EOF ? HOP_OK : rc;
}

static int
open_(struct hop_source *s, struct hop_err *e)
{
    struct cifar10 *c = hop_alloc(1, sizeof *c, e);
    size_t n_file;
    struct stat st;
    bool is_file;
    int rc;

    s->private_ = c;
    if (!c)
        return HOP_ENOMEM;
    hop_tree_split(s->name, &n_file);
    is_file = stat(s->name, &st) == 0 && !S_ISDIR(st.st_mode) && is_bin(s->name);
    c->want_all = !is_file && !(s->name[n_file] == '#' && is_batch(s->name + n_file + 1));
    if ((rc = find_names(c, s->name, is_file, e)))
        return rc;
    return is_file ? hop_tree_open_file(s->name, &c->tree, e) : hop_tree_open(s->name, &c->tree, e);
}

/* Go to the next batch. */
static int
next_batch(struct cifar10 *c, const char *name, struct hop_err *e)
{
    struct hop_tree_entry entry;
    int rc;

    do
        rc = hop_tree_next(c->tree, &entry, e);
    while (!rc && (entry.is_dir || (c->want_all && !is_train_batch(entry.path))));
    if (rc == HOP_EOF && !c->is_any)
        return hop_fail(e, HOP_EFORMAT, name, NULL, "no data_batch_*.bin in it");
    if (rc)
        return rc;
    c->is_any = c->is_in_batch = true;
    c->i_record = 0;
    c->batch.n = 0;
    hop_str_add(&c->batch, entry.where);
    return hop_str_check(&c->batch, e);
}

/* One record, or HOP_EOF at the end of the batch. */
static int
read_record(struct cifar10 *c, struct hop_err *e)
{
    size_t n = 0, got;
    int rc;

    do {
        if ((rc = hop_tree_part(c->tree, c->record + n, RECORD - n, &got, e)))
            return rc;
        n += got;
    } while (got && n < RECORD);
    c->where.n = 0;
    hop_str_addf(&c->where, "%s@%lld", hop_str_c(&c->batch), (long long)c->i_record * RECORD);
    if (hop_str_check(&c->where, e))
        return HOP_ENOMEM;
    if (n == 0 && c->i_record == 0)
        return hop_fail(e, HOP_EFORMAT, hop_str_c(&c->batch), NULL, "no record in it");
    if (n == 0)
        return HOP_EOF;
    if (n < RECORD)
        return hop_fail(e, HOP_EFORMAT, c->where.s, "was the file cut?",
                        "%zu bytes left, a record has %d", n, RECORD);
    if (c->record[0] >= CLASSES)
        return hop_fail(e, HOP_EFORMAT, c->where.s, "is this CIFAR-10's binary version?",
                        "label %d, but there are %d classes", c->record[0], CLASSES);
    c->i_record++;
    return HOP_OK;
}

static int
next(struct hop_source *s, struct hop_sample *out, bool *is_bad_sample, struct hop_err *e)
{
    struct cifar10 *c = s->private_;
    int rc = HOP_EOF, i, k;

    (void)is_bad_sample;
    while (rc == HOP_EOF) {
        if (!c->is_in_batch && (rc = next_batch(c, s->name, e)))
            return rc;
        rc = read_record(c, e);
        c->is_in_batch = rc == HOP_OK;
    }
    if (rc)
        return rc;
    for (i = 0; i < PLANE; i++)
        for (k = 0; k < 3; k++)
            c->pixels[3 * i + k] = c->record[1 + k * PLANE + i];
    *out = (struct hop_sample){.kind = HOP_SAMPLE_PIXELS,
                               .where = c->where.s,
                               .class_name = c->names[c->record[0]],
                               .class_order = c->record[0],
                               .bytes = c->pixels,
                               .n_bytes = sizeof c->pixels,
                               .h = SIDE,
                               .w = SIDE,
                               .c = 3};
    return HOP_OK;
}

static void
close_(struct hop_source *s)
{
    struct cifar10 *c = s->private_;

    if (!c)
        return;
    hop_tree_close(c->tree);
    hop_str_clear(&c->batch);
    hop_str_clear(&c->where);
    free(c);
}

const struct hop_source_kind hop_source_cifar10 = {
    "cifar10", "CIFAR-10 binary batches: a folder, an archive, or one .bin file",
    probe,     open_,
    next,      close_,
};

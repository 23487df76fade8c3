/* source_idx - MNIST's IDX files, plain or gzipped: images given, labels found beside them by name
 * (train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz). A folder stands for its train-images.
 * Layout: bytes 0 0 8 D (8 = unsigned byte, D dimensions), D big-endian 32-bit sizes, the values.
 * Source: http://yann.lecun.com/exdb/mnist/, "the IDX file format". */
#include "format/source.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/mem.h"
#include "format/image.h"

struct idx {
    gzFile images, labels; /* zlib reads plain files as they are */
    struct hop_str images_path, labels_path, where;
    int64_t n, h, w, c, at;
    uint8_t *pixels;
    char name[8]; /* class of the example */
};

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* train-images-idx3-ubyte, train-images.idx3-ubyte, with or without .gz */
static bool
is_images_name(const char *path)
{
    const char *b = base_name(path);

    return strstr(b, "images") && (strstr(b, "idx3") || strstr(b, "idx4"));
}

/* The one train-images file of a folder, "" if there is none. */
static int
find_images(const char *dir, struct hop_str *out, struct hop_err *e)
{
    struct dirent *d;
    DIR *h = opendir(dir);

    if (!h)
        return hop_fail_errno(e, dir, NULL, "cannot read the folder");
    while ((d = readdir(h))) {
        if (d->d_name[0] == '.' || !is_images_name(d->d_name) || !strstr(d->d_name, "train"))
            continue;
        /* The plain file when both are there, whatever the order of the folder. */
        if (out->n && strlen(base_name(out->s)) < strlen(d->d_name))
            continue;
        out->n = 0;
        hop_str_addf(out, "%s/%s", dir, d->d_name);
    }
    closedir(h);
    return hop_str_check(out, e);
}

static bool
is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
probe(const char *name)
{
    struct hop_str found = {0};
    bool is_found;
    struct stat st;

    if (!is_dir(name))
        return stat(name, &st) == 0 && is_images_name(name);
    is_found = !find_images(name, &found, NULL) && found.n;
    hop_str_clear(&found);
    return is_found;
}

/* The labels' path: images -> labels, idx3 -> idx1; .gz may differ. */
static int
find_labels(const char *images, struct hop_str *out, struct hop_err *e)
{
    const char *b = base_name(images), *word = strstr(b, "images"), *idx;
    struct stat st;

    if (!word)
        return hop_fail(e, HOP_EFORMAT, images, "name it like train-images-idx3-ubyte",
                        "no \"images\" in the name to find the labels by");
    hop_str_add_n(out, images, (size_t)(word - images));
    hop_str_add(out, "labels");
    word += 6;
    if ((idx = strstr(word, "idx3")) || (idx = strstr(word, "idx4"))) {
        hop_str_add_n(out, word, (size_t)(idx - word));
        hop_str_add(out, "idx1");
        word = idx + 4;
    }
    hop_str_add(out, word);
    if (hop_str_check(out, e))
        return HOP_ENOMEM;
    if (stat(out->s, &st) == 0)
        return HOP_OK;
    if (out->n > 3 && !strcmp(out->s + out->n - 3, ".gz"))
        out->s[out->n -= 3] = '\0';
    else
        hop_str_add(out, ".gz");
    if (hop_str_check(out, e))
        return HOP_ENOMEM;
    if (stat(out->s, &st) < 0)
        return hop_fail(e, HOP_EFORMAT, images, NULL, "no labels beside it: looked for %.300s",
                        out->s);
    return HOP_OK;
}

/* n bytes from g. Err: HOP_EFORMAT when fewer are there. */
static int
get(gzFile g, const char *where, void *to, size_t n, struct hop_err *e)
{
    int got = gzread(g, to, (unsigned)n), code = Z_OK;
    const char *text;

    if (got >= 0 && (size_t)got == n)
        return HOP_OK;
    text = gzerror(g, &code);
    return hop_fail(e, HOP_EFORMAT, where, "was the file cut?", "ends early%s%s",
                    code != Z_OK && *text ? ": " : "", code != Z_OK ? text : "");
}

/* Header of `path`: opens it and reads up to 4 sizes. */
static int
open_idx(const char *path, gzFile *g, int64_t sizes[4], int *n_sizes, struct hop_err *e)
{
    uint8_t b[4];
    int i, rc;

    if (!(*g = gzopen(path, "rb")))
        return hop_fail_errno(e, path, NULL, "cannot open");
    if ((rc = get(*g, path, b, 4, e)))
        return rc;
    if (b[0] || b[1] || b[2] != 8 || b[3] < 1 || b[3] > 4)
        return hop_fail(e, HOP_EFORMAT, path, NULL,
                        "not an IDX file of bytes (starts with %02x %02x %02x %02x)", b[0], b[1],
                        b[2], b[3]);
    *n_sizes = b[3];
    for (i = 0; i < *n_sizes; i++) {
        if ((rc = get(*g, path, b, 4, e)))
            return rc;
        sizes[i] = (int64_t)b[0] << 24 | (int64_t)b[1] << 16 | (int64_t)b[2] << 8 | b[3];
    }
    return HOP_OK;
}

static int
check_sizes(struct idx *x, const int64_t *sizes, int n_sizes, int64_t n_labels, struct hop_err *e)
{
    const char *path = x->images_path.s;

    x->n = sizes[0];
    x->h = sizes[1];
    x->w = sizes[2];
    x->c = n_sizes == 4 ? sizes[3] : 1;
    if (n_sizes < 3 || (x->c != 1 && x->c != 3))
        return hop_fail(e, HOP_EFORMAT, path, NULL, "an IDX file of %d dimensions, not of pictures",
                        n_sizes);
    if (x->h < 1 || x->w < 1 || x->h > HOP_IMAGE_MAX_SIDE || x->w > HOP_IMAGE_MAX_SIDE ||
        x->h * x->w > HOP_IMAGE_MAX_PIXELS)
        return hop_fail(e, HOP_EFORMAT, path, NULL, "pictures of %lldx%lld", (long long)x->h,
                        (long long)x->w);
    if (x->n < 1 || x->n != n_labels)
        return hop_fail(e, HOP_EFORMAT, path, NULL, "%lld pictures, but %lld labels in %.300s",
                        (long long)x->n, (long long)n_labels, x->labels_path.s);
    return HOP_OK;
}

static int
open_(struct hop_source *s, struct hop_err *e)
{
    struct idx *x = hop_alloc(1, sizeof *x, e);
    int64_t sizes[4] = {0}, label_sizes[4] = {0};
    int rc, n_sizes = 0, n_label_sizes = 0;

    s->private_ = x;
    if (!x)
        return HOP_ENOMEM;
    if (!is_dir(s->name))
        hop_str_add(&x->images_path, s->name);
    else if ((rc = find_images(s->name, &x->images_path, e)))
        return rc;
    if ((rc = hop_str_check(&x->images_path, e)))
        return rc;
    if (!x->images_path.n)
        return hop_fail(e, HOP_EFORMAT, s->name, NULL, "no train-images-idx3-ubyte in it");
    if ((rc = find_labels(x->images_path.s, &x->labels_path, e)) ||
        (rc = open_idx(x->images_path.s, &x->images, sizes, &n_sizes, e)) ||
        (rc = open_idx(x->labels_path.s, &x->labels, label_sizes, &n_label_sizes, e)))
        return rc;
    if (n_label_sizes != 1)
        return hop_fail(e, HOP_EFORMAT, x->labels_path.s, NULL,
                        "an IDX file of %d dimensions, not of labels", n_label_sizes);
    if ((rc = check_sizes(x, sizes, n_sizes, label_sizes[0], e)))
        return rc;
    x->pixels = hop_alloc((size_t)(x->h * x->w), (size_t)x->c, e);
    return x->pixels ? HOP_OK : HOP_ENOMEM;
}

/* Behind the last example both files must end: then gzip's checksum has been checked too. */
static int
check_end(gzFile g, const char *path, struct hop_err *e)
{
    uint8_t b;
    int got = gzread(g, &b, 1), code = Z_OK;
    const char *text = gzerror(g, &code);

    if (got == 0 && code == Z_OK)
        return HOP_OK;
    return hop_fail(e, HOP_EFORMAT, path, NULL, "%s%s",
                    got > 0 ? "bytes after the last example" : "damaged: ", got > 0 ? "" : text);
}

static int
next(struct hop_source *s, struct hop_sample *out, bool *is_bad_sample, struct hop_err *e)
{
    struct idx *x = s->private_;
    size_t n = (size_t)(x->h * x->w * x->c);
    uint8_t label = 0;
    int rc;

    (void)is_bad_sample;
    x->where.n = 0;
    hop_str_addf(&x->where, "%s[%lld]", x->images_path.s, (long long)x->at);
    if ((rc = hop_str_check(&x->where, e)))
        return rc;
    if (x->at == x->n) {
        rc = check_end(x->images, x->images_path.s, e);
        if (!rc)
            rc = check_end(x->labels, x->labels_path.s, e);
        return rc ? rc : HOP_EOF;
    }
    if ((rc = get(x->images, x->where.s, x->pixels, n, e)) ||
        (rc = get(x->labels, x->labels_path.s, &label, 1, e)))
        return rc;
    x->at++;
    snprintf(x->name, sizeof x->name, "%d", label);
    *out = (struct hop_sample){.kind = HOP_SAMPLE_PIXELS,
                               .where = x->where.s,
                               .class_name = x->name,
                               .class_order = label,
                               .bytes = x->pixels,
                               .n_bytes = n,
                               .h = x->h,
                               .w = x->w,
                               .c = x->c};
    return HOP_OK;
}

static void
close_(struct hop_source *s)
{
    struct idx *x = s->private_;

    if (!x)
        return;
    if (x->images)
        gzclose(x->images);
    if (x->labels)
        gzclose(x->labels);
    hop_str_clear(&x->images_path);
    hop_str_clear(&x->labels_path);
    hop_str_clear(&x->where);
    free(x->pixels);
    free(x);
}

const struct hop_source_kind hop_source_idx = {
    "idx", "MNIST IDX images with their labels beside them, .gz too: a file or its folder",
    probe, open_,
    next,  close_,
};

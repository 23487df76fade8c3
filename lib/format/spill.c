#include "format/spill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/image.h"
#include "format/shard.h"
#include "format/source.h"

/* Contents: 1 the file, 2 classes, 3 filling, 4 reading */

enum { BUFFER_BYTES = 1 << 20, RECORD_HEAD = 8 };

/* ---- 1 the file ---- */

static int
open_file(struct hop_spill *s, const char *dir, struct hop_err *e)
{
    struct hop_str path = {0};
    int rc;

    hop_str_addf(&path, "%s/.spill.XXXXXX.tmp", dir);
    if ((rc = hop_str_check(&path, e)))
        return rc;
    s->fd = mkstemps(path.s, 4);
    if (s->fd < 0)
        rc = hop_fail_errno(e, dir, NULL, "cannot make a temporary file in it");
    else
        unlink(path.s);
    hop_str_clear(&path);
    if (!rc && !(s->buffer = hop_alloc(BUFFER_BYTES, 1, e)))
        rc = HOP_ENOMEM;
    s->cap_buffer = BUFFER_BYTES;
    return rc;
}

static int
flush(struct hop_spill *s, struct hop_err *e)
{
    int rc = hop_pwrite_fd(s->fd, "temporary file", s->buffer, s->n_buffer, s->at, e);

    s->at += (int64_t)s->n_buffer;
    s->n_buffer = 0;
    return rc;
}

static int
put(struct hop_spill *s, const void *bytes, size_t n, struct hop_err *e)
{
    const uint8_t *p = bytes;
    size_t part;
    int rc;

    for (; n; p += part, n -= part) {
        if (s->n_buffer == BUFFER_BYTES && (rc = flush(s, e)))
            return rc;
        part = BUFFER_BYTES - s->n_buffer;
        part = n < part ? n : part;
        memcpy(s->buffer + s->n_buffer, p, part);
        s->n_buffer += part;
    }
    return HOP_OK;
}

/* ---- 2 classes ---- */

/* Where `name` stands, or would stand, in by_name. */
static size_t
find_place(const struct hop_spill *s, const char *name, bool *is_found)
{
    size_t lo = 0, hi = s->n_classes, mid;
    int order;

    *is_found = false;
    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        order = strcmp(name, s->classes[s->by_name[mid]].name);
        if (order == 0) {
            *is_found = true;
            return mid;
        }
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static int
add_class(struct hop_spill *s, const struct hop_sample *x, const struct hop_spill *like,
          size_t place, struct hop_err *e)
{
    struct hop_spill_class *c;
    bool is_known = true;

    if (like)
        find_place(like, x->class_name, &is_known);
    if (!is_known)
        return hop_fail(e, HOP_EFORMAT, x->where, "val may only have classes that train has",
                        "class \"%.200s\" is not in the train split", x->class_name);
    if (s->n_classes == HOP_MAX_CLASSES)
        return hop_fail(e, HOP_EFORMAT, x->where, "a number to be predicted is a --target",
                        "more than %d classes", HOP_MAX_CLASSES);
    if (hop_grow(&s->classes, &s->cap_classes, s->n_classes + 1, sizeof *s->classes, e) ||
        hop_grow(&s->by_name, &s->cap_by_name, s->n_classes + 1, sizeof *s->by_name, e))
        return HOP_ENOMEM;
    c = &s->classes[s->n_classes];
    *c = (struct hop_spill_class){.order = x->class_order};
    if (!(c->name = hop_dup(x->class_name, e)))
        return HOP_ENOMEM;
    memmove(s->by_name + place + 1, s->by_name + place,
            (s->n_classes - place) * sizeof *s->by_name);
    s->by_name[place] = s->n_classes++;
    return HOP_OK;
}

static int
get_class(struct hop_spill *s, const struct hop_sample *x, const struct hop_spill *like,
          struct hop_spill_class **out, struct hop_err *e)
{
    bool is_found;
    size_t place = find_place(s, x->class_name, &is_found);
    int rc;

    if (!is_found && (rc = add_class(s, x, like, place, e)))
        return rc;
    *out = &s->classes[s->by_name[place]];
    return HOP_OK;
}

static int
by_order(const void *a, const void *b)
{
    const struct hop_spill_class *x = *(struct hop_spill_class *const *)a,
                                 *y = *(struct hop_spill_class *const *)b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Final numbers; every class must have examples. */
static int
number_classes(struct hop_spill *s, const char *source, const struct hop_spill *like,
               struct hop_err *e)
{
    struct hop_spill_class **sorted;
    size_t i;
    bool is_found;

    for (i = 0; i < s->n_classes; i++)
        if (s->classes[s->by_name[i]].n == 0)
            return hop_fail(e, HOP_EFORMAT, source, "every class folder needs one at least",
                            "no picture of class \"%.200s\"", s->classes[s->by_name[i]].name);
    if (s->n == 0)
        return hop_fail(e, HOP_EFORMAT, source,
                        "SOURCE holds class folders, and they hold the pictures",
                        "no example in it");
    if (!(sorted = hop_alloc(s->n_classes, sizeof *sorted, e)))
        return HOP_ENOMEM;
    for (i = 0; i < s->n_classes; i++)
        sorted[i] = &s->classes[i];
    qsort(sorted, s->n_classes, sizeof *sorted, by_order);
    for (i = 0; i < s->n_classes; i++)
        sorted[i]->id =
            like ? like->classes[like->by_name[find_place(like, sorted[i]->name, &is_found)]].id
                 : (int64_t)i;
    free(sorted);
    return HOP_OK;
}

void
hop_spill_counts(const struct hop_spill *s, int64_t *n)
{
    size_t i;

    for (i = 0; i < s->n_classes; i++)
        n[s->classes[i].id] = s->classes[i].n;
}

/* ---- 3 filling ---- */

/* The first example sets the shape unless --size or the train split has. */
static int
set_shape(struct hop_spill *s, const struct hop_spill *like, const struct hop_spill_options *o,
          const struct hop_sample *x, int64_t h, int64_t w, struct hop_err *e)
{
    bool is_u8 = x->kind != HOP_SAMPLE_VALUES;

    if (!is_u8 && o->h)
        return hop_fail(e, HOP_EARG, "--size", NULL, "goes with pictures, not with tables");
    if (like && like->is_u8 != is_u8)
        return hop_fail(e, HOP_EFORMAT, x->where, NULL, "%s, but the train split has %s",
                        is_u8 ? "a picture" : "a table row", is_u8 ? "table rows" : "pictures");
    s->is_u8 = is_u8;
    s->c = like ? like->c : 1;
    s->n_values = like ? like->n_values : x->n_values;
    s->n_targets = like ? like->n_targets : x->n_targets;
    s->h = o->h ? o->h : like ? like->h : h;
    s->w = o->w ? o->w : like ? like->w : w;
    s->first = hop_dup(like ? like->first : x->where, e);
    s->columns = hop_dup(x->columns ? x->columns : "", e);
    return s->first && s->columns ? HOP_OK : HOP_ENOMEM;
}

static int
add_record(struct hop_spill *s, struct hop_spill_class *c, int64_t channels, const void *x,
           size_t n, struct hop_err *e)
{
    uint8_t head[RECORD_HEAD];
    int rc;

    hop_put_le64(head, (uint64_t)(c - s->classes) | (uint64_t)channels << 32);
    if ((rc = put(s, head, sizeof head, e)) || (rc = put(s, x, n, e)))
        return rc;
    c->n++;
    s->n++;
    return HOP_OK;
}

static int
add_picture(struct hop_spill *s, const struct hop_spill *like, const struct hop_spill_options *o,
            const struct hop_sample *x, struct hop_spill_class *c, struct hop_image *img,
            struct hop_err *e)
{
    char hint[100];
    int rc;

    if (!s->first && (rc = set_shape(s, like, o, x, img->h, img->w, e)))
        return rc;
    if (o->h && (rc = hop_image_resize(img, o->h, o->w, e)))
        return rc;
    if (img->h != s->h || img->w != s->w) {
        snprintf(hint, sizeof hint, "--size %lldx%lld makes all alike", (long long)s->h,
                 (long long)s->w);
        return hop_fail(e, HOP_EFORMAT, x->where, hint, "%lldx%lld, but %.300s is %lldx%lld",
                        (long long)img->h, (long long)img->w, s->first, (long long)s->h,
                        (long long)s->w);
    }
    s->c = img->c > s->c ? img->c : s->c;
    return add_record(s, c, img->c, img->pixels, (size_t)(img->h * img->w * img->c), e);
}

static int
add_values(struct hop_spill *s, const struct hop_spill *like, const struct hop_spill_options *o,
           const struct hop_sample *x, struct hop_spill_class *c, struct hop_err *e)
{
    int rc;

    if (!s->first && (rc = set_shape(s, like, o, x, 0, 0, e)))
        return rc;
    if (x->n_values != s->n_values)
        return hop_fail(e, HOP_EFORMAT, x->where, NULL,
                        "%lld feature columns, but the train split has %lld",
                        (long long)x->n_values, (long long)s->n_values);
    if (like && strcmp(like->columns, x->columns))
        return hop_fail(e, HOP_EFORMAT, x->where, "same names in the same order",
                        "the columns are not those of the train split");
    return add_record(s, c, 1, x->values, (size_t)(x->n_values + x->n_targets) * sizeof(float), e);
}

/* One sample of any kind. *is_bad: the error concerns this picture only. */
static int
add_sample(struct hop_spill *s, const struct hop_spill *like, const struct hop_spill_options *o,
           const struct hop_sample *x, bool *is_bad, struct hop_err *e)
{
    struct hop_image img = {0};
    struct hop_spill_class *c;
    int rc;

    if ((rc = get_class(s, x, like, &c, e)) || x->kind == HOP_SAMPLE_CLASS)
        return rc;
    if (x->kind == HOP_SAMPLE_VALUES)
        return add_values(s, like, o, x, c, e);
    if (x->kind == HOP_SAMPLE_ENCODED) {
        if ((rc = hop_image_decode(x->bytes, x->n_bytes, x->where, &img, e))) {
            *is_bad = rc == HOP_EFORMAT;
            return rc;
        }
    } else {
        img = (struct hop_image){.h = x->h, .w = x->w, .c = x->c};
        if (!(img.pixels = hop_alloc(x->n_bytes, 1, e)))
            return HOP_ENOMEM;
        memcpy(img.pixels, x->bytes, x->n_bytes);
    }
    rc = add_picture(s, like, o, x, c, &img, e);
    hop_image_clear(&img);
    return rc;
}

static int
fill(const struct hop_spill_options *o, struct hop_source *source, const struct hop_spill *like,
     struct hop_spill *s, struct hop_err *e)
{
    struct hop_sample x;
    bool is_bad;
    int rc;

    for (;;) {
        if ((rc = hop_source_next(source, &x, &is_bad, e)) == HOP_EOF)
            return HOP_OK;
        if (!rc)
            rc = add_sample(s, like, o, &x, &is_bad, e);
        if (rc && is_bad && o->want_skip_bad) {
            hop_log(HOP_LOG_WARN, "%s: %s: skipped", e->where, e->what);
            hop_err_clear(e);
            s->n_bad++;
            rc = HOP_OK;
        }
        if (rc)
            return rc;
        if (o->progress && !o->progress("read", s->n))
            return hop_fail(e, HOP_EFAIL, NULL, NULL, "stopped");
    }
}

int
hop_spill_fill(const struct hop_spill_options *o, const char *source, const struct hop_spill *like,
               struct hop_spill *s, struct hop_err *e)
{
    struct hop_source src = {0};
    int rc;

    *s = (struct hop_spill){.fd = -1};
    if ((rc = hop_source_open(source, o->format, o->label, o->target, &src, e)))
        return rc;
    if (!(rc = open_file(s, o->dir, e)) && !(rc = fill(o, &src, like, s, e)) && !(rc = flush(s, e)))
        rc = number_classes(s, source, like, e);
    hop_source_close(&src);
    if (rc)
        hop_spill_clear(s);
    else
        hop_spill_rewind(s);
    return rc;
}

void
hop_spill_clear(struct hop_spill *s)
{
    size_t i;

    if (s->fd >= 0)
        close(s->fd);
    for (i = 0; i < s->n_classes; i++)
        free(s->classes[i].name);
    free(s->classes);
    free(s->by_name);
    free(s->first);
    free(s->columns);
    free(s->buffer);
    *s = (struct hop_spill){.fd = -1};
}

/* ---- 4 reading ---- */

void
hop_spill_rewind(struct hop_spill *s)
{
    s->n_buffer = s->at_buffer = 0;
    s->at = s->i_next = 0;
}

/* At least n bytes in the buffer from at_buffer on. n is at most a whole example, and the buffer
 * grows to hold one. */
static int
need(struct hop_spill *s, size_t n, struct hop_err *e)
{
    ssize_t got;

    if (s->n_buffer - s->at_buffer >= n)
        return HOP_OK;
    memmove(s->buffer, s->buffer + s->at_buffer, s->n_buffer - s->at_buffer);
    s->n_buffer -= s->at_buffer;
    s->at_buffer = 0;
    if (hop_grow(&s->buffer, &s->cap_buffer, n, 1, e))
        return HOP_ENOMEM;
    while (s->n_buffer < n) {
        got = pread(s->fd, s->buffer + s->n_buffer, s->cap_buffer - s->n_buffer, (off_t)s->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return hop_fail_errno(e, "temporary file", NULL, "cannot read back");
        s->n_buffer += (size_t)got;
        s->at += got;
    }
    return HOP_OK;
}

int
hop_spill_next(struct hop_spill *s, int64_t *id, int64_t *c, const void **x, struct hop_err *e)
{
    uint64_t head;
    size_t n;
    int rc;

    if (s->i_next == s->n)
        return HOP_EOF;
    if ((rc = need(s, RECORD_HEAD, e)))
        return rc;
    head = hop_get_le64(s->buffer + s->at_buffer);
    *id = s->classes[head & UINT32_MAX].id;
    *c = (int64_t)(head >> 32);
    n = s->is_u8 ? (size_t)(s->h * s->w * *c)
                 : (size_t)(s->n_values + s->n_targets) * sizeof(float);
    if ((rc = need(s, RECORD_HEAD + n, e)))
        return rc;
    *x = s->buffer + s->at_buffer + RECORD_HEAD;
    s->at_buffer += RECORD_HEAD + n;
    s->i_next++;
    return HOP_OK;
}

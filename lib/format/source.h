/* source - where examples come from: one kind = one file source_NAME.c and one row in source.c.
 *
 * A source gives its examples one by one, always in the same order for the same content, and holds
 * no more than a few of them at a time.
 */
#ifndef HOP_FORMAT_SOURCE_H
#define HOP_FORMAT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum hop_sample_kind {
    HOP_SAMPLE_CLASS,   /* no example: a class exists, its examples come or do not */
    HOP_SAMPLE_ENCODED, /* bytes of a PNG or JPEG file (or of something else: a bad picture) */
    HOP_SAMPLE_PIXELS,  /* U8 [h,w,c] */
    HOP_SAMPLE_VALUES   /* F32 [n_values + n_targets] */
};

/* Everything is borrowed until the next call. */
struct hop_sample {
    enum hop_sample_kind kind;
    const char *where; /* file, member or row, for messages */
    const char *class_name;
    int64_t class_order; /* classes are numbered by this, then by the bytes of their names */
    const void *bytes;   /* ENCODED: n_bytes; PIXELS: h * w * c */
    size_t n_bytes;
    int64_t h, w, c;
    const float *values; /* features, then targets */
    int64_t n_values, n_targets; /* with targets there is one class, "" */
    const char *columns; /* VALUES: names of the columns, one a line, in the order of values */
};

struct hop_source_kind;

struct hop_source {
    const struct hop_source_kind *kind;
    const char *name;  /* as given: a path, or FILE#FOLDER */
    const char *label;  /* column of a CSV file, or NULL */
    const char *target; /* columns of a CSV file: "a,b", or NULL */
    char *const *wanted; /* [n_wanted] names of the columns to be read, and no others; or NULL */
    size_t n_wanted;
    void *private_;
};

struct hop_source_kind {
    const char *name; /* --format NAME */
    const char *help;
    /* Does `name` look like this kind? Reads little. NULL: never guessed. */
    bool (*probe)(const char *name);
    int (*open)(struct hop_source *s, struct hop_err *e);
    /* HOP_OK, HOP_EOF or an error. An error with *is_bad_sample set concerns this one example only,
     * and the next call goes on behind it. */
    int (*next)(struct hop_source *s, struct hop_sample *out, bool *is_bad_sample,
                struct hop_err *e);
    void (*close)(struct hop_source *s);
};

/* hop_source_open - `format` names a kind or is NULL (guessed, in the order of the table). name,
 * label and target must outlive s. Err: HOP_EARG unknown format, a label or target of what is no
 * table; HOP_EIO, HOP_EFORMAT. */
int hop_source_open(const char *name, const char *format, const char *label, const char *target,
                    struct hop_source *s, struct hop_err *e) HOP_MUSTUSE;

/* hop_source_open_table - a CSV file of which only these columns are read, in this order: for
 * predictions. names must outlive s. Err: HOP_EARG no table, HOP_EFORMAT a column is missing. */
int hop_source_open_table(const char *name, char *const *names, size_t n, struct hop_source *s,
                          struct hop_err *e) HOP_MUSTUSE;
int hop_source_next(struct hop_source *s, struct hop_sample *out, bool *is_bad_sample,
                    struct hop_err *e) HOP_MUSTUSE;
void hop_source_close(struct hop_source *s);

/* hop_source_list - the table as text: "pictures, cifar10, idx, csv". */
void hop_source_list(struct hop_str *out);

extern const struct hop_source_kind hop_source_pictures, hop_source_cifar10, hop_source_idx,
    hop_source_csv;

#endif

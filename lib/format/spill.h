/* spill - every example of a source, decoded once, in a file that has no name.
 *
 * Memory does not grow with the data: the file lies in the output folder, unlinked as soon as it is
 * made, and is read from front to end as often as needed. Record: class (32 bits, by first
 * appearance), channels (32 bits), then U8 [h,w,channels] or F32 [n_values +
 * n_targets].
 */
#ifndef HOP_FORMAT_SPILL_H
#define HOP_FORMAT_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct hop_spill_options {
    const char *dir;    /* where the file lies */
    const char *format; /* NULL = guess */
    const char *label, *target; /* CSV */
    int64_t h, w;       /* 0 = as the first picture */
    bool want_skip_bad;
    bool (*progress)(const char *what, int64_t n_examples); /* false = stop; or NULL */
};

struct hop_spill_class {
    char *name;
    int64_t order;
    int64_t n;  /* examples */
    int64_t id; /* its final number: by order, then by the bytes of the name */
};

struct hop_spill {
    int fd;
    int64_t n; /* examples */
    int64_t n_bad;
    bool is_u8;
    int64_t h, w, c;                 /* pictures: c = 3 as soon as one has colour, else 1 */
    int64_t n_values, n_targets;     /* tables */
    struct hop_spill_class *classes; /* by first appearance */
    size_t n_classes, cap_classes;
    size_t *by_name; /* [n_classes] */
    size_t cap_by_name;
    char *first;     /* name of the first example, for messages */
    char *columns;   /* of tables, one a line */
    uint8_t *buffer; /* of writing, then of reading */
    size_t cap_buffer, n_buffer, at_buffer;
    int64_t at;     /* in the file, of what follows the buffer */
    int64_t i_next; /* example to be read next */
};

/* hop_spill_fill - read all of `source`. With `like` (the train split when this is val), classes
 * and shape must be those of `like`, and ids follow it. Err: as the source and the pictures have
 * it; HOP_EFORMAT for a class without examples, for a picture of another size. */
int hop_spill_fill(const struct hop_spill_options *o, const char *source,
                   const struct hop_spill *like, struct hop_spill *s,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_spill_rewind, hop_spill_next - read the examples in the source's order. *id is the final
 * class, *c the channels of this example; *x is borrowed until the next call, targets behind values. HOP_EOF at the end.
 */
void hop_spill_rewind(struct hop_spill *s);
int hop_spill_next(struct hop_spill *s, int64_t *id, int64_t *c, const void **x,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_spill_counts - examples per final class into n [n_classes]. */
void hop_spill_counts(const struct hop_spill *s, int64_t *n);

void hop_spill_clear(struct hop_spill *s);

#endif

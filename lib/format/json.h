/* json - JSON values and JSON lines. The only includer of jansson.h.
 *
 * A `struct hop_json` is reference counted inside; hop_json_free() drops what the caller owns. The
 * `get` functions borrow. Objects keep the order of insertion; duplicate keys are errors.
 * Reals are written with 9 significant digits (f32 by contract); counts, bytes, seeds are integers.
 */
#ifndef HOP_FORMAT_JSON_H
#define HOP_FORMAT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct hop_json;

enum hop_json_kind {
    HOP_JSON_NULL, HOP_JSON_BOOL, HOP_JSON_INT, HOP_JSON_REAL, HOP_JSON_STR, HOP_JSON_ARRAY,
    HOP_JSON_OBJECT
};

/* ---- reading ---- */

/* hop_json_parse - n bytes that hold exactly one JSON value. Err: HOP_EFORMAT, place `where@BYTE`.
 * *out is owned by the caller, NULL on failure. */
int hop_json_parse(const char *text, size_t n, const char *where, struct hop_json **out,
                   struct hop_err *e) HOP_MUSTUSE;
int hop_json_read_file(const char *path, struct hop_json **out, struct hop_err *e) HOP_MUSTUSE;

void hop_json_free(struct hop_json *j);
struct hop_json *hop_json_copy(const struct hop_json *j); /* deep; NULL when out of memory */

enum hop_json_kind hop_json_kind(const struct hop_json *j); /* NULL counts as HOP_JSON_NULL */
const char *hop_json_kind_name(const struct hop_json *j);   /* "a string", "an object", ... */
const struct hop_json *hop_json_get(const struct hop_json *object, const char *key); /* or NULL */
const struct hop_json *hop_json_at(const struct hop_json *array, size_t i);          /* or NULL */
size_t hop_json_len(const struct hop_json *j); /* of an array or object, else 0 */
const char *hop_json_str(const struct hop_json *j);  /* NULL unless a string */
double hop_json_real(const struct hop_json *j);      /* 0 unless a number */
int64_t hop_json_int(const struct hop_json *j);      /* 0 unless an integer */
bool hop_json_bool(const struct hop_json *j);        /* false unless true */
bool hop_json_equal(const struct hop_json *a, const struct hop_json *b);

/* Members of an object in order: for (it = hop_json_first(o); it; it = hop_json_next(o, it)). */
void *hop_json_first(const struct hop_json *object);
void *hop_json_next(const struct hop_json *object, void *it);
const char *hop_json_it_key(void *it);
const struct hop_json *hop_json_it_value(void *it);

/* Checked members. Each returns HOP_OK with *out set, also when the key is missing or null and
 * `is_needed` is false (*out is then left alone, so set the default first). Otherwise HOP_EFORMAT
 * naming `where` and the key. Numbers: min..max inclusive unless both are 0. */
int hop_json_get_str(const struct hop_json *o, const char *key, bool is_needed, const char *where,
                     const char **out, struct hop_err *e) HOP_MUSTUSE;
int hop_json_get_int(const struct hop_json *o, const char *key, bool is_needed, double min,
                     double max, const char *where, int64_t *out, struct hop_err *e) HOP_MUSTUSE;
int hop_json_get_real(const struct hop_json *o, const char *key, bool is_needed, double min,
                      double max, const char *where, double *out, struct hop_err *e) HOP_MUSTUSE;
int hop_json_get_bool(const struct hop_json *o, const char *key, bool is_needed, const char *where,
                      bool *out, struct hop_err *e) HOP_MUSTUSE;

/* ---- making: running out of memory for these few bytes aborts (hop_bug) ---- */

struct hop_json *hop_json_object(void);
struct hop_json *hop_json_array(void);
struct hop_json *hop_json_new_str(const char *s);
struct hop_json *hop_json_new_int(int64_t v);
struct hop_json *hop_json_new_real(double v); /* null when not finite */
/* hop_json_record - an object whose first key is "hop":kind, e.g. "train/1". */
struct hop_json *hop_json_record(const char *kind);

/* Setters replace a key that is there (keeping its place); strings must be UTF-8, other bytes are
 * written as U+FFFD. set_real writes null when v is not finite. `take` is owned by o afterwards,
 * also on failure. */
void hop_json_set_str(struct hop_json *o, const char *key, const char *v);
void hop_json_set_int(struct hop_json *o, const char *key, int64_t v);
void hop_json_set_real(struct hop_json *o, const char *key, double v);
void hop_json_set_bool(struct hop_json *o, const char *key, bool v);
void hop_json_set(struct hop_json *o, const char *key, struct hop_json *take);
void hop_json_del(struct hop_json *o, const char *key);
void hop_json_push(struct hop_json *array, struct hop_json *take);

/* hop_json_dump - compact text, no newline, added to out. Err: HOP_ENOMEM. */
int hop_json_dump(const struct hop_json *j, struct hop_str *out, struct hop_err *e) HOP_MUSTUSE;

/* ---- JSON lines ---- */

struct hop_jsonl; /* a reader */

/* hop_jsonl_open - read lines from fd (not closed by hop_jsonl_close). `where` is its name. */
struct hop_jsonl *hop_jsonl_open(int fd, const char *where, struct hop_err *e);
void hop_jsonl_close(struct hop_jsonl *r);

/* hop_jsonl_next - the next line that is not blank, as an object owned by the caller.
 * Returns HOP_OK, HOP_EOF, or an error at `where:LINE`. A last line without newline is an error (a
 * pipe was cut). After a HOP_EFORMAT error the reader stands behind the bad line and may go on. */
int hop_jsonl_next(struct hop_jsonl *r, struct hop_json **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_jsonl_place - "where:LINE" of the line last read; borrowed, changes with the next read. */
const char *hop_jsonl_place(const struct hop_jsonl *r);

#endif

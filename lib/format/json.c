#include "format/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

enum { MAX_JSON_BYTES = 256 << 20 };

static json_t *
in(const struct hop_json *j)
{
    return (json_t *)j;
}

static struct hop_json *
out_(json_t *j)
{
    return (struct hop_json *)j;
}

/* Contents: 1 reading, 2 making, 3 JSON lines */

/* ---- 1 reading ---- */

int
hop_json_parse(const char *text, size_t n, const char *where, struct hop_json **out,
               struct hop_err *e)
{
    json_error_t je;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    char place[640];

    *out = out_(j);
    if (j)
        return HOP_OK;
    if (json_error_code(&je) == json_error_out_of_memory)
        return hop_fail(e, HOP_ENOMEM, where, NULL, "out of memory");
    snprintf(place, sizeof place, "%s@%d", where, je.position);
    return hop_fail(e, HOP_EFORMAT, place, NULL, "not valid JSON: %s", je.text);
}

int
hop_json_read_file(const char *path, struct hop_json **out, struct hop_err *e)
{
    char *text;
    size_t n;
    int rc = hop_read_file(path, MAX_JSON_BYTES, &text, &n, e);

    *out = NULL;
    if (rc)
        return rc;
    rc = hop_json_parse(text, n, path, out, e);
    free(text);
    return rc;
}

void
hop_json_free(struct hop_json *j)
{
    json_decref(in(j));
}

struct hop_json *
hop_json_copy(const struct hop_json *j)
{
    return j ? out_(json_deep_copy(in(j))) : NULL;
}

enum hop_json_kind
hop_json_kind(const struct hop_json *j)
{
    if (!j)
        return HOP_JSON_NULL;
    switch (json_typeof(in(j))) {
    case JSON_OBJECT:
        return HOP_JSON_OBJECT;
    case JSON_ARRAY:
        return HOP_JSON_ARRAY;
    case JSON_STRING:
        return HOP_JSON_STR;
    case JSON_INTEGER:
        return HOP_JSON_INT;
    case JSON_REAL:
        return HOP_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return HOP_JSON_BOOL;
    default:
        return HOP_JSON_NULL;
    }
}

const char *
hop_json_kind_name(const struct hop_json *j)
{
    static const char *const names[] = {"null",     "a boolean", "a whole number", "a number",
                                        "a string", "an array",  "an object"};
    return j ? names[hop_json_kind(j)] : "missing";
}

const struct hop_json *
hop_json_get(const struct hop_json *object, const char *key)
{
    return out_(json_object_get(in(object), key));
}

const struct hop_json *
hop_json_at(const struct hop_json *array, size_t i)
{
    return out_(json_array_get(in(array), i));
}

size_t
hop_json_len(const struct hop_json *j)
{
    return json_is_array(in(j)) ? json_array_size(in(j)) : json_object_size(in(j));
}

const char *
hop_json_str(const struct hop_json *j)
{
    return json_string_value(in(j));
}

double
hop_json_real(const struct hop_json *j)
{
    return json_number_value(in(j));
}

int64_t
hop_json_int(const struct hop_json *j)
{
    return json_integer_value(in(j));
}

bool
hop_json_bool(const struct hop_json *j)
{
    return json_is_true(in(j));
}

bool
hop_json_equal(const struct hop_json *a, const struct hop_json *b)
{
    return json_equal(in(a), in(b));
}

void *
hop_json_first(const struct hop_json *object)
{
    return json_object_iter(in(object));
}

void *
hop_json_next(const struct hop_json *object, void *it)
{
    return json_object_iter_next(in(object), it);
}

const char *
hop_json_it_key(void *it)
{
    return json_object_iter_key(it);
}

const struct hop_json *
hop_json_it_value(void *it)
{
    return out_(json_object_iter_value(it));
}

/* The member, or NULL with *rc set: HOP_OK when it may be missing, else the error. */
static const struct hop_json *
member(const struct hop_json *o, const char *key, bool is_needed, const char *where, int *rc,
       struct hop_err *e)
{
    const struct hop_json *v = hop_json_get(o, key);

    *rc = HOP_OK;
    if (v && hop_json_kind(v) != HOP_JSON_NULL)
        return v;
    if (is_needed)
        *rc = hop_fail(e, HOP_EFORMAT, where, NULL, "\"%s\" is missing", key);
    return NULL;
}

static int
wrong_kind(const struct hop_json *v, const char *key, const char *want, const char *where,
           struct hop_err *e)
{
    return hop_fail(e, HOP_EFORMAT, where, NULL, "\"%s\" is %s, should be %s", key,
                    hop_json_kind_name(v), want);
}

static int
check_range(double v, const char *key, double min, double max, const char *where,
            struct hop_err *e)
{
    char hint[96];

    if ((min == 0 && max == 0) || (v >= min && v <= max))
        return HOP_OK;
    snprintf(hint, sizeof hint, "%.9g to %.9g", min, max);
    return hop_fail(e, HOP_EFORMAT, where, hint, "\"%s\" %.9g is out of range", key, v);
}

int
hop_json_get_str(const struct hop_json *o, const char *key, bool is_needed, const char *where,
                 const char **out, struct hop_err *e)
{
    int rc;
    const struct hop_json *v = member(o, key, is_needed, where, &rc, e);

    if (!v)
        return rc;
    if (hop_json_kind(v) != HOP_JSON_STR)
        return wrong_kind(v, key, "a string", where, e);
    *out = hop_json_str(v);
    return HOP_OK;
}

int
hop_json_get_int(const struct hop_json *o, const char *key, bool is_needed, double min, double max,
                 const char *where, int64_t *out, struct hop_err *e)
{
    int rc;
    const struct hop_json *v = member(o, key, is_needed, where, &rc, e);
    double r;

    if (!v)
        return rc;
    r = hop_json_real(v);
    /* 128.0 is a whole number too: searches that draw reals write it so. */
    if (hop_json_kind(v) != HOP_JSON_INT &&
        !(hop_json_kind(v) == HOP_JSON_REAL && r == floor(r) && fabs(r) < 9e15))
        return wrong_kind(v, key, "a whole number", where, e);
    if ((rc = check_range(r, key, min, max, where, e)))
        return rc;
    *out = hop_json_kind(v) == HOP_JSON_INT ? hop_json_int(v) : (int64_t)r;
    return HOP_OK;
}

int
hop_json_get_real(const struct hop_json *o, const char *key, bool is_needed, double min,
                  double max, const char *where, double *out, struct hop_err *e)
{
    int rc;
    const struct hop_json *v = member(o, key, is_needed, where, &rc, e);

    if (!v)
        return rc;
    if (hop_json_kind(v) != HOP_JSON_INT && hop_json_kind(v) != HOP_JSON_REAL)
        return wrong_kind(v, key, "a number", where, e);
    if ((rc = check_range(hop_json_real(v), key, min, max, where, e)))
        return rc;
    *out = hop_json_real(v);
    return HOP_OK;
}

int
hop_json_get_bool(const struct hop_json *o, const char *key, bool is_needed, const char *where,
                  bool *out, struct hop_err *e)
{
    int rc;
    const struct hop_json *v = member(o, key, is_needed, where, &rc, e);

    if (!v)
        return rc;
    if (hop_json_kind(v) != HOP_JSON_BOOL)
        return wrong_kind(v, key, "true or false", where, e);
    *out = hop_json_bool(v);
    return HOP_OK;
}

/* ---- 2 making ---- */

struct hop_json *
hop_json_object(void)
{
    return out_(json_object());
}

struct hop_json *
hop_json_array(void)
{
    return out_(json_array());
}

/* File names are bytes, JSON is UTF-8: what is not UTF-8 becomes U+FFFD. */
struct hop_json *
hop_json_new_str(const char *s)
{
    json_t *j = json_string(s);
    struct hop_str fixed = {0};
    size_t n;

    if (j)
        return out_(j);
    for (; *s; s += n) {
        for (n = 4; n > 1; n--) {
            j = strnlen(s, n) == n ? json_stringn(s, n) : NULL;
            if (j && n > 1 && ((unsigned char)s[0] & 0x80))
                break;
            json_decref(j);
        }
        if (n > 1) {
            json_decref(j);
            hop_str_add_n(&fixed, s, n);
        } else if ((unsigned char)*s & 0x80) {
            hop_str_add(&fixed, "\xEF\xBF\xBD");
        } else {
            hop_str_add_n(&fixed, s, 1);
        }
    }
    j = fixed.is_oom ? NULL : json_string(hop_str_c(&fixed));
    hop_str_clear(&fixed);
    return out_(j);
}

struct hop_json *
hop_json_new_int(int64_t v)
{
    return out_(json_integer(v));
}

struct hop_json *
hop_json_new_real(double v)
{
    return out_(isfinite(v) ? json_real(v) : json_null());
}

struct hop_json *
hop_json_record(const char *kind)
{
    struct hop_json *o = hop_json_object();

    hop_json_set_str(o, "hop", kind);
    return o;
}

void
hop_json_set(struct hop_json *o, const char *key, struct hop_json *take)
{
    /* A dropped key must not pass for success. Only a lack of memory for a few bytes gets here. */
    if (json_object_set_new(in(o), key, in(take)))
        hop_bug(__FILE__, __LINE__, "a JSON member could not be set (out of memory?)");
}

void
hop_json_set_str(struct hop_json *o, const char *key, const char *v)
{
    hop_json_set(o, key, hop_json_new_str(v));
}

void
hop_json_set_int(struct hop_json *o, const char *key, int64_t v)
{
    hop_json_set(o, key, hop_json_new_int(v));
}

void
hop_json_set_real(struct hop_json *o, const char *key, double v)
{
    hop_json_set(o, key, hop_json_new_real(v));
}

void
hop_json_set_bool(struct hop_json *o, const char *key, bool v)
{
    hop_json_set(o, key, out_(json_boolean(v)));
}

void
hop_json_del(struct hop_json *o, const char *key)
{
    json_object_del(in(o), key);
}

void
hop_json_push(struct hop_json *array, struct hop_json *take)
{
    if (json_array_append_new(in(array), in(take)))
        hop_bug(__FILE__, __LINE__, "a JSON element could not be added (out of memory?)");
}

static int
append(const char *buffer, size_t size, void *data)
{
    hop_str_add_n(data, buffer, size);
    return 0;
}

int
hop_json_dump(const struct hop_json *j, struct hop_str *out, struct hop_err *e)
{
    if (!j || json_dump_callback(in(j), append, out,
                                 JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)))
        return hop_fail(e, HOP_ENOMEM, NULL, NULL, "cannot write JSON (out of memory)");
    return hop_str_check(out, e);
}

/* ---- 3 JSON lines ---- */

struct hop_jsonl {
    FILE *f;
    char *name, *line, *place;
    size_t cap;
    long i_line;
};

struct hop_jsonl *
hop_jsonl_open(int fd, const char *where, struct hop_err *e)
{
    struct hop_jsonl *r = hop_alloc(1, sizeof *r, e);
    int copy;

    if (!r)
        return NULL;
    r->name = hop_dup(where, e);
    r->place = hop_alloc(strlen(where) + 32, 1, e);
    copy = dup(fd);
    r->f = copy < 0 ? NULL : fdopen(copy, "r");
    if (!r->name || !r->place || !r->f) {
        hop_fail_errno(e, where, NULL, "cannot read");
        hop_jsonl_close(r);
        return NULL;
    }
    return r;
}

void
hop_jsonl_close(struct hop_jsonl *r)
{
    if (!r)
        return;
    if (r->f)
        fclose(r->f);
    free(r->name);
    free(r->line);
    free(r->place);
    free(r);
}

int
hop_jsonl_next(struct hop_jsonl *r, struct hop_json **out, struct hop_err *e)
{
    json_error_t je;
    ssize_t n;

    *out = NULL;
    do {
        n = getline(&r->line, &r->cap, r->f);
        if (n < 0) {
            if (ferror(r->f))
                return hop_fail_errno(e, r->name, NULL, "cannot read");
            return HOP_EOF;
        }
        r->i_line++;
        snprintf(r->place, strlen(r->name) + 32, "%s:%ld", r->name, r->i_line);
        if (r->line[n - 1] != '\n')
            return hop_fail(e, HOP_EFORMAT, r->place, "was the pipe or the file cut?",
                            "the last line has no newline");
    } while (strspn(r->line, " \t\r\n") == (size_t)n);
    *out = out_(json_loadb(r->line, (size_t)n, JSON_REJECT_DUPLICATES, &je));
    if (!*out)
        return hop_fail(e, HOP_EFORMAT, r->place, NULL, "not valid JSON: %s (column %d)", je.text,
                        je.column);
    if (hop_json_kind(*out) != HOP_JSON_OBJECT) {
        hop_json_free(*out);
        *out = NULL;
        return hop_fail(e, HOP_EFORMAT, r->place, NULL, "not a JSON object");
    }
    return HOP_OK;
}

const char *
hop_jsonl_place(const struct hop_jsonl *r)
{
    return r->place;
}

/* The table of importers: one row per import_NAME.c; and what they share. */
#include "search/import.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/str.h"
#include "search/python.h"

const struct hop_importer *const hop_importers[] = {&hop_import_madlib, &hop_import_nni,
                                                    &hop_import_optuna, &hop_import_wandb, NULL};

int
hop_import_find(const char *name, const struct hop_importer **out, struct hop_err *e)
{
    struct hop_str known = {0};
    size_t i;
    int rc;

    for (i = 0; hop_importers[i]; i++) {
        if (!strcmp(hop_importers[i]->name, name)) {
            *out = hop_importers[i];
            hop_str_clear(&known);
            return HOP_OK;
        }
        hop_str_addf(&known, "%s%s", i ? ", " : "", hop_importers[i]->name);
    }
    rc = hop_fail(e, HOP_EARG, NULL, NULL, "unknown format \"%.40s\" (known: %s)", name,
                  hop_str_c(&known));
    hop_str_clear(&known);
    return rc;
}

const struct hop_importer *
hop_import_guess(const struct hop_json *j)
{
    size_t i;

    for (i = 0; hop_importers[i] && hop_json_kind(j) == HOP_JSON_OBJECT; i++)
        if (hop_importers[i]->is(j))
            return hop_importers[i];
    return NULL;
}

int
hop_import_run(const struct hop_importer *from, const struct hop_json *j, const char *where,
               struct hop_json **space, struct hop_err *e)
{
    int rc;

    *space = NULL;
    if (hop_json_kind(j) != HOP_JSON_OBJECT)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "a space is %s, should be an object",
                        hop_json_kind_name(j));
    *space = hop_json_object();
    if (!(rc = from->read(j, where, *space, e)))
        return HOP_OK;
    hop_json_free(*space);
    *space = NULL;
    return rc;
}

int
hop_import_read_file(const char *path, struct hop_json **out, struct hop_err *e)
{
    struct hop_err json_error = {0}, python_error = {0};
    char *text;
    size_t n;
    int rc;

    *out = NULL;
    if ((rc = hop_read_file(path, (size_t)1 << 26, &text, &n, e)))
        return rc;
    if ((rc = hop_json_parse(text, n, path, out, &json_error))) {
        /* JSON's own message, unless it was meant as Python */
        if (rc == HOP_EFORMAT && hop_python_is_likely(text, n))
            rc = hop_python_parse(text, n, path, out, &python_error);
        if (rc && python_error.code)
            *e = python_error;
        else if (rc)
            *e = json_error;
    }
    free(text);
    return rc;
}

/* ---- for importers ---- */

struct hop_import_at
hop_import_below(const struct hop_import_at *at, const char *key, size_t i)
{
    struct hop_import_at below = {.file = at->file};

    if (key)
        snprintf(below.path, sizeof below.path, "%.250s%s%.100s", at->path, *at->path ? "." : "",
                 key);
    else
        snprintf(below.path, sizeof below.path, "%.350s[%zu]", at->path, i);
    return below;
}

int
hop_import_fail(const struct hop_import_at *at, const char *hint, struct hop_err *e,
                const char *fmt, ...)
{
    char where[800], what[400];
    va_list ap;

    snprintf(where, sizeof where, "%.390s%s%s", at->file, *at->path ? ": " : "", at->path);
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return hop_fail(e, HOP_EFORMAT, where, hint, "%s", what);
}

int
hop_import_number(const struct hop_json *j, const char *what, const struct hop_import_at *at,
                  double *out, struct hop_err *e)
{
    if (hop_json_kind(j) != HOP_JSON_INT && hop_json_kind(j) != HOP_JSON_REAL)
        return hop_import_fail(at, NULL, e, "%s is %s, should be a number", what,
                               j ? hop_json_kind_name(j) : "missing");
    *out = hop_json_real(j);
    return HOP_OK;
}

static void
set_number(struct hop_json *o, const char *key, double v, bool is_int)
{
    if (is_int && fabs(v) < 9e15)
        hop_json_set_int(o, key, (int64_t)v);
    else
        hop_json_set_real(o, key, v);
}

struct hop_json *
hop_import_range(const char *type, double low, double high, double q)
{
    bool is_int = strstr(type, "int") && low == floor(low) && high == floor(high) && q == floor(q);
    struct hop_json *o;

    if (!(low < high) && !(low > high))
        return is_int && fabs(low) < 9e15 ? hop_json_new_int((int64_t)low) : hop_json_new_real(low);
    o = hop_json_object();
    hop_json_set_str(o, "type", type);
    set_number(o, "low", low, is_int);
    set_number(o, "high", high, is_int);
    if (q > 0 && !(is_int && q <= 1))
        set_number(o, "q", q, is_int);
    return o;
}

int
hop_import_multiples(const char *type, double low, double high, double q,
                     const struct hop_import_at *at, struct hop_json **out, struct hop_err *e)
{
    /* 0.3 / 0.1 is a bit less than 3 */
    double first = ceil(low / q - 1e-9) * q, last = floor(high / q + 1e-9) * q;
    bool is_log = !strncmp(type, "log", 3);

    *out = NULL;
    if (!(q > 0))
        return hop_import_fail(at, NULL, e, "q %.9g is not above 0", q);
    if (is_log && first <= 0)
        first = q;
    if (first > last * (1 + 1e-12) + 1e-300)
        return hop_import_fail(at, NULL, e, "there is no multiple of q %.9g from %.9g to %.9g", q,
                               low, high);
    /* Where only whole numbers come out, they are meant as such (a batch size). */
    if (first == floor(first) && q == floor(q))
        type = is_log ? "logint" : "int";
    *out = hop_import_range(type, first, fabs(last - first) < q / 2 ? first : last, q);
    return HOP_OK;
}

struct hop_json *
hop_import_choice(const struct hop_json *values, const struct hop_json *weights)
{
    struct hop_json *o;

    if (hop_json_len(values) == 1)
        return hop_json_copy(hop_json_at(values, 0));
    if (!weights)
        return hop_json_copy(values);
    o = hop_json_object();
    hop_json_set_str(o, "type", "choice");
    hop_json_set(o, "values", hop_json_copy(values));
    hop_json_set(o, "weights", hop_json_copy(weights));
    return o;
}

#include "search/python.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { MAX_DEPTH = 32 };

/* Python in, JSON's text out: the JSON library then has the last word. */
struct reader {
    const char *text, *p, *end, *where;
    struct hop_str out;
    int depth;
};

static int
fail(const struct reader *r, struct hop_err *e, const char *what)
{
    char where[700];

    snprintf(where, sizeof where, "%.600s@%zu", r->where, (size_t)(r->p - r->text));
    return hop_fail(e, HOP_EFORMAT, where, NULL, "%s", what);
}

static void
skip_blanks(struct reader *r)
{
    while (r->p < r->end && (isspace((unsigned char)*r->p) || *r->p == '#'))
        if (*r->p == '#')
            while (r->p < r->end && *r->p != '\n')
                r->p++;
        else
            r->p++;
}

static bool
take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* A string; \' and a bare " are what JSON writes otherwise. */
static int
read_string(struct reader *r, struct hop_err *e)
{
    char quote = *r->p++;

    hop_str_add(&r->out, "\"");
    for (; r->p < r->end && *r->p != quote; r->p++) {
        if (*r->p == '\n')
            return fail(r, e, "a string ends with its line");
        if (*r->p == '"') {
            hop_str_add(&r->out, "\\\"");
        } else if (*r->p == '\\' && r->p + 1 < r->end) {
            r->p++;
            hop_str_addf(&r->out, *r->p == '\'' ? "%c" : "\\%c", *r->p);
        } else {
            hop_str_add_n(&r->out, r->p, 1);
        }
    }
    if (r->p == r->end)
        return fail(r, e, "a string does not end");
    r->p++;
    hop_str_add(&r->out, "\"");
    return HOP_OK;
}

static int
read_word(struct reader *r, struct hop_err *e)
{
    static const struct {
        const char *python, *json;
    } words[] = {{"True", "true"}, {"False", "false"}, {"None", "null"}};
    const char *start = r->p;
    size_t n, i;

    while (r->p < r->end && (isalnum((unsigned char)*r->p) || strchr("+-._", *r->p)) && *r->p)
        r->p++;
    n = (size_t)(r->p - start);
    for (i = 0; i < HOP_LEN(words); i++)
        if (n == strlen(words[i].python) && !memcmp(start, words[i].python, n)) {
            hop_str_add(&r->out, words[i].json);
            return HOP_OK;
        }
    if (!n || isalpha((unsigned char)*start) || *start == '_') {
        r->p = start;
        return fail(r, e, "this is no value");
    }
    if (*start == '.')
        hop_str_add(&r->out, "0");
    hop_str_add_n(&r->out, start, n);
    if (start[n - 1] == '.')
        hop_str_add(&r->out, "0");
    return HOP_OK;
}

static int read_value(struct reader *r, struct hop_err *e);

/* What is between brackets; `close` is the last of them. */
static int
read_items(struct reader *r, char close, struct hop_err *e)
{
    bool is_dict = close == '}', is_first = true;
    int rc;

    if (++r->depth > MAX_DEPTH)
        return fail(r, e, "brackets nest too deep");
    r->p++;
    hop_str_add(&r->out, is_dict ? "{" : "[");
    while (!take(r, close)) {
        if (!is_first)
            hop_str_add(&r->out, ",");
        is_first = false;
        if (is_dict && (r->p == r->end || (*r->p != '\'' && *r->p != '"')))
            return fail(r, e, "a key should be a string here");
        if ((rc = read_value(r, e)))
            return rc;
        if (is_dict) {
            if (!take(r, ':'))
                return fail(r, e, "\":\" is missing behind a key");
            hop_str_add(&r->out, ":");
            if ((rc = read_value(r, e)))
                return rc;
        }
        if (!take(r, ',') && (r->p == r->end || *r->p != close))
            return fail(r, e, "a comma or the closing bracket is missing");
    }
    hop_str_add(&r->out, is_dict ? "}" : "]");
    r->depth--;
    return HOP_OK;
}

static int
read_value(struct reader *r, struct hop_err *e)
{
    skip_blanks(r);
    if (r->p == r->end)
        return fail(r, e, "the text ends in the middle of a value");
    switch (*r->p) {
    case '{': return read_items(r, '}', e);
    case '[': return read_items(r, ']', e);
    case '(': return read_items(r, ')', e);
    case '\'':
    case '"': return read_string(r, e);
    default: return read_word(r, e);
    }
}

bool
hop_python_is_likely(const char *text, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (text[i] == '\'' || (text[i] == '$' && i + 1 < n && text[i + 1] == '$'))
            return true;
    return false;
}

/* The members of `from` into `into`. */
static int
merge(const struct reader *r, const struct hop_json *from, struct hop_json *into,
      struct hop_err *e)
{
    void *it;

    for (it = hop_json_first(from); it; it = hop_json_next(from, it)) {
        if (hop_json_get(into, hop_json_it_key(it)))
            return hop_fail(e, HOP_EFORMAT, r->where, NULL, "\"%.100s\" is there twice",
                            hop_json_it_key(it));
        hop_json_set(into, hop_json_it_key(it), hop_json_copy(hop_json_it_value(it)));
    }
    return HOP_OK;
}

int
hop_python_parse(const char *text, size_t n, const char *where, struct hop_json **out,
                 struct hop_err *e)
{
    struct reader r = {.text = text, .p = text, .end = text + n, .where = where};
    struct hop_json *one;
    int rc = HOP_OK;

    *out = hop_json_object();
    while (!rc) {
        do
            skip_blanks(&r);
        while (take(&r, ',') || take(&r, '$') || take(&r, ';'));
        if (r.p == r.end)
            break;
        if (*r.p != '{') {
            rc = fail(&r, e, "a dictionary { } should begin here");
            break;
        }
        r.out.n = 0;
        if (!(rc = read_value(&r, e)) && !(rc = hop_str_check(&r.out, e)) &&
            !(rc = hop_json_parse(hop_str_c(&r.out), r.out.n, where, &one, e))) {
            rc = merge(&r, one, *out, e);
            hop_json_free(one);
        }
    }
    hop_str_clear(&r.out);
    if (rc) {
        hop_json_free(*out);
        *out = NULL;
    }
    return rc;
}

#include "format/flat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *p, *end;
};

static void
skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '\n'))
        r->p++;
}

static bool
take_char(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* How many bytes the UTF-8 character at p, which is none of ASCII, has; 0 if it is none at all. */
static size_t
character_bytes(const char *p, const char *end)
{
    const uint8_t *b = (const uint8_t *)p;
    size_t n = b[0] >= 0xC2 && b[0] < 0xE0 ? 2 : b[0] >= 0xE0 && b[0] < 0xF0 ? 3
               : b[0] >= 0xF0 && b[0] < 0xF5 ? 4 : 0;
    size_t i;

    if (!n || (size_t)(end - p) < n)
        return 0;
    for (i = 1; i < n; i++)
        if (b[i] >> 6 != 2)
            return 0;
    /* longer than need be; surrogates; beyond the last one */
    if ((b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xED && b[1] > 0x9F) ||
        (b[0] == 0xF0 && b[1] < 0x90) || (b[0] == 0xF4 && b[1] > 0x8F))
        return 0;
    return n;
}

/* The inside of a string whose first quote was read. */
static bool
read_string(struct reader *r, const char **s, uint32_t *n)
{
    const char *start = r->p;
    size_t step;

    for (; r->p < r->end && *r->p != '"'; r->p += step) {
        step = *r->p & 0x80 ? character_bytes(r->p, r->end) : 1;
        if (!step || (step == 1 && ((unsigned char)*r->p < ' ' || *r->p == '\\')))
            return false;
    }
    if (r->p == r->end)
        return false;
    *s = start;
    *n = (uint32_t)(r->p++ - start);
    return true;
}

static const char *
skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* A number by JSON's grammar. */
static bool
read_number(struct reader *r, struct hop_flat_member *m)
{
    const char *p = r->p, *digits;

    if (p < r->end && *p == '-')
        p++;
    digits = p;
    p = skip_digits(p, r->end);
    if (p == digits || (*digits == '0' && p - digits > 1) || p - digits > 18)
        return false;
    m->kind = 'i';
    if (p < r->end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, r->end);
        m->kind = 'r';
        if (p == digits)
            return false;
    }
    if (p < r->end && (*p == 'e' || *p == 'E')) {
        if (++p < r->end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, r->end);
        m->kind = 'r';
        if (p == digits || p - digits > 2) /* it might be too large for a double */
            return false;
    }
    m->value = r->p;
    m->n_value = (uint32_t)(p - r->p);
    r->p = p;
    return true;
}

static bool
read_word(struct reader *r, const char *word, char kind, struct hop_flat_member *m)
{
    size_t n = strlen(word);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n))
        return false;
    m->value = r->p;
    m->n_value = (uint32_t)n;
    m->kind = kind;
    r->p += n;
    return true;
}

static bool
read_value(struct reader *r, struct hop_flat_member *m)
{
    skip_blanks(r);
    if (r->p == r->end)
        return false;
    switch (*r->p) {
    case '"':
        r->p++;
        m->kind = 's';
        return read_string(r, &m->value, &m->n_value);
    case 't': return read_word(r, "true", 'b', m);
    case 'f': return read_word(r, "false", 'b', m);
    case 'n': return read_word(r, "null", 'n', m);
    default: return read_number(r, m);
    }
}

static bool
read_member(struct reader *r, struct hop_flat *f)
{
    struct hop_flat_member *m = &f->v[f->n];
    size_t i;

    if (f->n == HOP_FLAT_MAX || !take_char(r, '"') || !read_string(r, &m->key, &m->n_key) ||
        !take_char(r, ':') || !read_value(r, m))
        return false;
    for (i = 0; i < f->n; i++)
        if (f->v[i].n_key == m->n_key && !memcmp(f->v[i].key, m->key, m->n_key))
            return false;
    f->n++;
    return true;
}

bool
hop_flat_parse(const char *text, size_t n, struct hop_flat *out)
{
    struct reader r = {text, text + n};

    out->n = 0;
    if (n > UINT32_MAX || !take_char(&r, '{'))
        return false;
    if (!take_char(&r, '}')) {
        do
            if (!read_member(&r, out))
                return false;
        while (take_char(&r, ','));
        if (!take_char(&r, '}'))
            return false;
    }
    skip_blanks(&r);
    return r.p == r.end;
}

const struct hop_flat_member *
hop_flat_find(const struct hop_flat *f, const char *key)
{
    size_t i, n = strlen(key);

    for (i = 0; i < f->n; i++)
        if (f->v[i].n_key == n && !memcmp(f->v[i].key, key, n))
            return &f->v[i];
    return NULL;
}

bool
hop_flat_is(const struct hop_flat_member *m, const char *text)
{
    return m && m->kind == 's' && strlen(text) == m->n_value &&
           !memcmp(m->value, text, m->n_value);
}

double
hop_flat_real(const struct hop_flat_member *m)
{
    char text[64];

    if (!m || (m->kind != 'i' && m->kind != 'r'))
        return NAN;
    if (m->n_value < sizeof text) {
        memcpy(text, m->value, m->n_value);
        text[m->n_value] = 0;
        return strtod(text, NULL);
    }
    return strtod(m->value, NULL); /* it stops at the ',' or '}' behind it */
}

int64_t
hop_flat_int(const struct hop_flat_member *m)
{
    int64_t v = 0;
    uint32_t i;

    if (!m || m->kind != 'i')
        return 0;
    for (i = m->value[0] == '-'; i < m->n_value; i++)
        v = v * 10 + (m->value[i] - '0');
    return m->value[0] == '-' ? -v : v;
}

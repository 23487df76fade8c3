#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
hop_str_add_n(struct hop_str *s, const void *bytes, size_t n)
{
    if (s->is_oom || hop_grow(&s->s, &s->cap, s->n + n + 1, 1, NULL)) {
        s->is_oom = true;
        return;
    }
    if (n)
        memcpy(s->s + s->n, bytes, n);
    s->n += n;
    s->s[s->n] = '\0';
}

void
hop_str_add(struct hop_str *s, const char *bytes)
{
    hop_str_add_n(s, bytes, strlen(bytes));
}

void
hop_str_addf(struct hop_str *s, const char *fmt, ...)
{
    char small[256], *big;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) {
        s->is_oom = true;
    } else if ((size_t)n < sizeof small) {
        hop_str_add_n(s, small, (size_t)n);
    } else if ((big = malloc((size_t)n + 1))) {
        va_start(ap, fmt);
        vsnprintf(big, (size_t)n + 1, fmt, ap);
        va_end(ap);
        hop_str_add_n(s, big, (size_t)n);
        free(big);
    } else {
        s->is_oom = true;
    }
}

void
hop_str_clear(struct hop_str *s)
{
    free(s->s);
    *s = (struct hop_str){0};
}

int
hop_str_check(const struct hop_str *s, struct hop_err *e)
{
    return s->is_oom ? hop_fail(e, HOP_ENOMEM, NULL, NULL, "out of memory") : HOP_OK;
}

const char *
hop_str_c(const struct hop_str *s)
{
    return s->s ? s->s : "";
}

static const char plain_bytes[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,+%@-";

static void
quote(struct hop_str *s, const char *word, const char *newline)
{
    if (*word && *word != '-' && word[strspn(word, plain_bytes)] == '\0') {
        hop_str_add(s, word);
        return;
    }
    hop_str_add(s, "'");
    for (; *word; word++) {
        if (*word == '\'')
            hop_str_add(s, "'\\''");
        else if (*word == '\n')
            hop_str_add(s, newline);
        else
            hop_str_add_n(s, word, 1);
    }
    hop_str_add(s, "'");
}

void
hop_str_quote(struct hop_str *s, const char *word)
{
    quote(s, word, "\n");
}

void
hop_str_quote_line(struct hop_str *s, const char *word)
{
    quote(s, word, "'\"$HOP_NL\"'");
}

/* str - a growable byte string, always NUL-terminated.
 *
 * Start with `struct hop_str s = {0};`, end with hop_str_clear(). Additions that run out of memory
 * set is_oom and are ignored; check it once at the end (hop_str_check).
 */
#ifndef HOP_BASE_STR_H
#define HOP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct hop_str {
    char *s;   /* NULL until something is added */
    size_t n;  /* bytes, without the NUL */
    size_t cap;
    bool is_oom;
};

void hop_str_add(struct hop_str *s, const char *bytes);
void hop_str_add_n(struct hop_str *s, const void *bytes, size_t n);
void hop_str_addf(struct hop_str *s, const char *fmt, ...) HOP_PRINTF(2, 3);
void hop_str_clear(struct hop_str *s);
int hop_str_check(const struct hop_str *s, struct hop_err *e) HOP_MUSTUSE;
const char *hop_str_c(const struct hop_str *s); /* s->s, or "" */

/* hop_str_quote - add `word` so that a POSIX shell reads it back as that one word, whatever bytes
 * it holds: plain words of [A-Za-z0-9_./:=,+%@-] (not starting with '-', not empty) as they are,
 * all else in single quotes. The one function through which text reaches a shell. */
void hop_str_quote(struct hop_str *s, const char *word);

/* hop_str_quote_line - the same for a shell command that must stay on one line (a GNU parallel
 * job): a newline is written "$HOP_NL", which the script must have set to a newline and exported.
 */
void hop_str_quote_line(struct hop_str *s, const char *word);

#endif

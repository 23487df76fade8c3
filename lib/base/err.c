#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void HOP_PRINTF(5, 0)
record(struct hop_err *e, int code, const char *where, const char *hint, const char *fmt,
       va_list ap)
{
    e->code = code;
    snprintf(e->where, sizeof e->where, "%s", where ? where : "");
    snprintf(e->hint, sizeof e->hint, "%s", hint ? hint : "");
    vsnprintf(e->what, sizeof e->what, fmt, ap);
}

int
hop_fail(struct hop_err *e, int code, const char *where, const char *hint, const char *fmt, ...)
{
    va_list ap;

    if (e && !e->code) {
        va_start(ap, fmt);
        record(e, code, where, hint, fmt, ap);
        va_end(ap);
    }
    return code;
}

int
hop_fail_errno(struct hop_err *e, const char *where, const char *hint, const char *fmt, ...)
{
    int saved = errno, code = saved == ENOMEM ? HOP_ENOMEM : HOP_EIO;
    va_list ap;
    size_t n;

    if (e && !e->code) {
        va_start(ap, fmt);
        record(e, code, where, hint, fmt, ap);
        va_end(ap);
        n = strlen(e->what);
        snprintf(e->what + n, sizeof e->what - n, ": %s", strerror(saved));
    }
    return code;
}

void
hop_err_clear(struct hop_err *e)
{
    e->code = 0;
    e->where[0] = e->what[0] = e->hint[0] = '\0';
}

int
hop_err_exit(const struct hop_err *e)
{
    switch (e->code) {
    case HOP_OK:
    case HOP_EOF:
        return 0;
    case HOP_EARG:
        return 2;
    case HOP_ENOMEM:
    case HOP_EBUSY:
    case HOP_EDEV:
        return 75;
    default:
        return 1;
    }
}

void
hop_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "hop: bug at %s:%d: %s\n", file, line, what);
    abort();
}

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static hop_log_fn *sink;

void
hop_log_set(hop_log_fn *fn)
{
    sink = fn;
}

void
hop_log(int level, const char *fmt, ...)
{
    char line[1200];
    va_list ap;

    if (!sink)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    sink(level, line);
}

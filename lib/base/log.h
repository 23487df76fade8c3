/* log - what the library has to tell people: levelled lines to one callback, set by the tool. */
#ifndef HOP_BASE_LOG_H
#define HOP_BASE_LOG_H

#include "base/err.h"

enum { HOP_LOG_WARN = 0, HOP_LOG_INFO = 1, HOP_LOG_DEBUG = 2 };

typedef void hop_log_fn(int level, const char *line);

/* hop_log_set - where lines go (default: nowhere). Call once, before threads. */
void hop_log_set(hop_log_fn *fn);

/* hop_log - one line, no newline at its end. */
void hop_log(int level, const char *fmt, ...) HOP_PRINTF(2, 3);

#endif

/* tap - the few lines that unit tests share: TAP on stdout, exit status 1 if anything failed. */
#ifndef HOP_TEST_TAP_H
#define HOP_TEST_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_n, tap_n_failed;

__attribute__((format(printf, 2, 3), unused)) static bool
ok(bool is_ok, const char *fmt, ...)
{
    va_list ap;

    printf("%sok %d - ", is_ok ? "" : "not ", ++tap_n);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
    tap_n_failed += !is_ok;
    return is_ok;
}

static int
tap_end(void)
{
    printf("1..%d\n", tap_n);
    return tap_n_failed || tap_n == 0 ? 1 : 0;
}

#endif

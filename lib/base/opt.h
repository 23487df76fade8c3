/* opt - one table of options per tool: the parser, --help and the test of the man page read it.
 *
 * Long options "--name VALUE" or "--name=VALUE", one-letter ones "-n VALUE" or "-nVALUE"; options
 * and operands mix; "--" ends options; "-" is an operand. Unknown, abbreviated and repeated
 * options (except HOP_OPT_LIST and HOP_OPT_COUNT) are refused, numbers are parsed whole and ranges
 * checked.
 */
#ifndef HOP_BASE_OPT_H
#define HOP_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum hop_opt_type {
    HOP_OPT_FLAG,  /* bool *dest set to true */
    HOP_OPT_COUNT, /* int *dest incremented */
    HOP_OPT_STR,   /* const char **dest, borrowed from argv */
    HOP_OPT_INT,   /* int64_t *dest, min..max */
    HOP_OPT_REAL,  /* double *dest, min..max */
    HOP_OPT_LIST   /* struct hop_opt_list *dest, appended */
};

struct hop_opt_list {
    const char **v; /* each borrowed from argv; free(v) */
    size_t n, cap;
};

struct hop_opt {
    const char *name; /* long name without dashes */
    char letter;      /* or 0 */
    enum hop_opt_type type;
    void *dest;
    const char *arg; /* name of the value in --help, NULL for flags */
    const char *help;
    double min, max; /* numbers only; both 0 = no bounds */
    bool is_seen;    /* set by the parser */
};

/* hop_opt_parse - read argv[1..]; operands are moved to argv[1..*argc-1] in order.
 * want_all_options: false = stop at the first operand (hop-visit's FILTER, hop-search's METHOD).
 * rows end with a row whose name is NULL. Err: HOP_EARG. */
int hop_opt_parse(struct hop_opt *rows, bool want_all_options, int *argc, char **argv,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_opt_help - the rows as text for --help, two columns. */
void hop_opt_help(const struct hop_opt *rows, struct hop_str *out);

/* hop_parse_int, hop_parse_real - the whole of `text` or HOP_EARG naming `where`; both bounds 0 =
 * no bounds. Reals must be finite. */
int hop_parse_int(const char *text, double min, double max, const char *where, int64_t *out,
                  struct hop_err *e) HOP_MUSTUSE;
int hop_parse_real(const char *text, double min, double max, const char *where, double *out,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_parse_duration - a whole number, from 1, and its unit ("30s", "10m", "2h", "1d"), up to a
 * year, in seconds. hop_parse_bytes - the same of 1024 bytes and its powers ("512M": K, M, G, T),
 * up to 2^60. Err: HOP_EARG. */
int hop_parse_duration(const char *text, const char *where, int64_t *out_s,
                       struct hop_err *e) HOP_MUSTUSE;
int hop_parse_bytes(const char *text, const char *where, int64_t *out_bytes,
                    struct hop_err *e) HOP_MUSTUSE;

#endif

/* python - dictionaries, lists and values as Python writes them, read as JSON: MADlib's grids. */
#ifndef HOP_SEARCH_PYTHON_H
#define HOP_SEARCH_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "format/json.h"

/* hop_python_is_likely - is the text rather Python than broken JSON? (It has strings in single
 * quotes, or $$ of SQL around it.) */
bool hop_python_is_likely(const char *text, size_t n);

/* hop_python_parse - dictionaries, one or more with commas, $$ and blanks between them, as one
 * object: {...}, [...], (...), 'text', "text", numbers, True, False, None; # to the end of the line is
 * a comment. Err: HOP_EFORMAT at where@BYTE. */
int hop_python_parse(const char *text, size_t n, const char *where, struct hop_json **out,
                     struct hop_err *e) HOP_MUSTUSE;

#endif

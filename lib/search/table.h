/* table - texts in rows and columns, for people. */
#ifndef HOP_SEARCH_TABLE_H
#define HOP_SEARCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"
#include "format/json.h"

struct hop_table {
    char **cells; /* [n_rows * n_cols]; NULL is shown as "-" */
    size_t n_rows, n_cols;
    bool *is_text; /* [n_cols]: set left; others are set right */
};

int hop_table_init(struct hop_table *t, size_t n_rows, size_t n_cols, struct hop_err *e)
    HOP_MUSTUSE;
void hop_table_clear(struct hop_table *t);

/* hop_table_set, _number, _json - what a cell holds; NAN leaves it as it is, an object (a net's
 * description) is shown as "{...}" only, and text sets its column left. Out of memory leaves a cell
 * empty. */
void hop_table_set(struct hop_table *t, size_t row, size_t col, const char *text);
void hop_table_number(struct hop_table *t, size_t row, size_t col, int decimals, double v);
void hop_table_json(struct hop_table *t, size_t row, size_t col, const struct hop_json *v);

/* hop_table_print - columns as wide as they need, two blanks between them, none at the end. */
void hop_table_print(const struct hop_table *t, struct hop_str *out);

#endif

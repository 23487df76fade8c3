#include "search/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int
hop_table_init(struct hop_table *t, size_t n_rows, size_t n_cols, struct hop_err *e)
{
    *t = (struct hop_table){.n_rows = n_rows, .n_cols = n_cols};
    t->cells = hop_alloc(n_rows * n_cols, sizeof *t->cells, e);
    t->is_text = hop_alloc(n_cols, sizeof *t->is_text, e);
    if (t->cells && t->is_text)
        return HOP_OK;
    hop_table_clear(t);
    return HOP_ENOMEM;
}

void
hop_table_clear(struct hop_table *t)
{
    size_t i;

    for (i = 0; t->cells && i < t->n_rows * t->n_cols; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->is_text);
    *t = (struct hop_table){0};
}

void
hop_table_set(struct hop_table *t, size_t row, size_t col, const char *text)
{
    struct hop_err e = {0};

    free(t->cells[row * t->n_cols + col]);
    t->cells[row * t->n_cols + col] = hop_dup(text, &e);
}

void
hop_table_number(struct hop_table *t, size_t row, size_t col, int decimals, double v)
{
    char text[400];

    if (isnan(v))
        return;
    snprintf(text, sizeof text, "%.*f", decimals, v);
    hop_table_set(t, row, col, text);
}

void
hop_table_json(struct hop_table *t, size_t row, size_t col, const struct hop_json *v)
{
    struct hop_str s = {0};
    struct hop_err e = {0};

    if (hop_json_kind(v) == HOP_JSON_OBJECT) {
        hop_table_set(t, row, col, "{...}");
    } else if (hop_json_kind(v) == HOP_JSON_STR) {
        hop_table_set(t, row, col, hop_json_str(v));
        t->is_text[col] = true;
    } else if (v && !hop_json_dump(v, &s, &e)) {
        hop_table_set(t, row, col, hop_str_c(&s));
    }
    hop_str_clear(&s);
}

static const char *
cell(const struct hop_table *t, size_t row, size_t col)
{
    const char *text = t->cells[row * t->n_cols + col];

    return text ? text : "-";
}

void
hop_table_print(const struct hop_table *t, struct hop_str *out)
{
    struct hop_err e = {0};
    size_t row, col, *widths = hop_alloc(t->n_cols, sizeof *widths, &e);

    if (!widths) {
        out->is_oom = true;
        return;
    }
    for (row = 0; row < t->n_rows; row++)
        for (col = 0; col < t->n_cols; col++)
            if (strlen(cell(t, row, col)) > widths[col])
                widths[col] = strlen(cell(t, row, col));
    for (row = 0; row < t->n_rows; row++) {
        for (col = 0; col < t->n_cols; col++) {
            if (!t->is_text[col])
                hop_str_addf(out, "%s%*s", col ? "  " : "", (int)widths[col], cell(t, row, col));
            else if (col + 1 < t->n_cols)
                hop_str_addf(out, "%s%-*s", col ? "  " : "", (int)widths[col], cell(t, row, col));
            else
                hop_str_addf(out, "%s%s", col ? "  " : "", cell(t, row, col));
        }
        hop_str_add(out, "\n");
    }
    free(widths);
}

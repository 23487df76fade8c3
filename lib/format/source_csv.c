/* source_csv - a table: a header row, one label column (any text) or target columns (numbers to be
 * predicted), all other columns numbers.
 * Quotes as in RFC 4180; lines end in LF or CRLF; .gz too. */
#include "format/source.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/mem.h"

enum { MAX_COLUMNS = 1 << 16, MAX_ROW_BYTES = 1 << 24, BUFFER_BYTES = 1 << 16 };

struct csv {
    gzFile file;
    uint8_t buffer[BUFFER_BYTES];
    int n_buffer, at;
    int64_t line, row_line; /* counted from 1; where the present row starts */
    struct hop_str text;    /* fields of the row, each ended by NUL */
    size_t *starts;         /* [n_fields] in text */
    size_t n_fields, cap;
    char **names; /* [n_columns] */
    size_t n_columns, i_label; /* i_label = n_columns: targets */
    size_t *order;             /* [n_values + n_targets] columns of the features, of the targets */
    size_t n_values, n_targets;
    float *values;          /* [n_values + n_targets] */
    size_t cap_values;
    struct hop_str columns; /* names of the values, one a line */
    struct hop_str where;
};

static bool
probe(const char *name)
{
    size_t n = strlen(name);
    struct stat st;

    return stat(name, &st) == 0 && !S_ISDIR(st.st_mode) &&
           ((n > 4 && !strcmp(name + n - 4, ".csv")) ||
            (n > 7 && !strcmp(name + n - 7, ".csv.gz")));
}

static int
fail_row(struct hop_source *s, struct hop_err *e, const char *hint, const char *what)
{
    struct csv *c = s->private_;
    char place[640];

    snprintf(place, sizeof place, "%.600s:%lld", s->name, (long long)c->row_line);
    return hop_fail(e, HOP_EFORMAT, place, hint, "%s", what);
}

/* The next byte, -1 at the end, -2 on failure. */
static int
get(struct hop_source *s, struct hop_err *e)
{
    struct csv *c = s->private_;
    int code = Z_OK;
    const char *text;

    if (c->at == c->n_buffer) {
        c->at = 0;
        c->n_buffer = gzread(c->file, c->buffer, BUFFER_BYTES);
        text = gzerror(c->file, &code);
        if (c->n_buffer < 0 || (c->n_buffer == 0 && code != Z_OK)) {
            c->n_buffer = 0;
            hop_fail(e, HOP_EIO, s->name, "was the file cut?", "cannot read: %s", text);
            return -2;
        }
        if (c->n_buffer == 0)
            return -1;
    }
    return c->buffer[c->at++];
}

static int
begin_field(struct csv *c, struct hop_err *e)
{
    if (hop_grow(&c->starts, &c->cap, c->n_fields + 1, sizeof *c->starts, e))
        return HOP_ENOMEM;
    c->starts[c->n_fields++] = c->text.n;
    return HOP_OK;
}

enum place { AT_START, IN_PLAIN, IN_QUOTES, AFTER_QUOTE };

/* End the field; `is_last` of its row, where a CR belongs to the end of the line. */
static int
end_field(struct hop_source *s, enum place place, bool is_last, struct hop_err *e)
{
    struct csv *c = s->private_;

    if (is_last && place == IN_PLAIN && c->text.s[c->text.n - 1] == '\r')
        c->text.n--;
    hop_str_add_n(&c->text, "", 1);
    if (hop_str_check(&c->text, e))
        return HOP_ENOMEM;
    if (c->text.n > MAX_ROW_BYTES)
        return fail_row(s, e, NULL, "a row longer than 16 MiB");
    if (!is_last && c->n_fields == MAX_COLUMNS)
        return fail_row(s, e, NULL, "more than 65536 columns");
    return is_last ? HOP_OK : begin_field(c, e);
}

/* One byte of a field; *place moves on. */
static int
add_byte(struct hop_source *s, int b, enum place *place, struct hop_err *e)
{
    struct csv *c = s->private_;
    char byte = (char)b;

    if (b == '\0')
        return fail_row(s, e, NULL, "a zero byte: this is no CSV file");
    if (c->text.n > MAX_ROW_BYTES)
        return fail_row(s, e, NULL, "a row longer than 16 MiB");
    if (b == '"' && (*place == AT_START || *place == IN_QUOTES)) {
        *place = *place == AT_START ? IN_QUOTES : AFTER_QUOTE;
        return HOP_OK;
    }
    if (*place == AFTER_QUOTE && b == '\r')
        return HOP_OK; /* of CRLF */
    if (*place == AFTER_QUOTE && b != '"')
        return fail_row(s, e, NULL, "text after a closing quote");
    *place = *place == AFTER_QUOTE || *place == IN_QUOTES ? IN_QUOTES : IN_PLAIN;
    c->line += b == '\n';
    hop_str_add_n(&c->text, &byte, 1);
    return HOP_OK;
}

/* One row into text and starts; HOP_EOF at the end of the file. */
static int
read_row(struct hop_source *s, struct hop_err *e)
{
    struct csv *c = s->private_;
    enum place place = AT_START;
    int b, rc;

    c->text.n = c->n_fields = 0;
    c->row_line = ++c->line;
    if ((rc = begin_field(c, e)))
        return rc;
    for (;;) {
        if ((b = get(s, e)) == -2)
            return HOP_EIO;
        if (b == -1 && place == IN_QUOTES)
            return fail_row(s, e, "was the file cut?", "a quote is never closed");
        if (b == -1 && place == AT_START && c->n_fields == 1)
            return HOP_EOF;
        if (b == -1 || (b == '\n' && place != IN_QUOTES))
            return end_field(s, place, true, e);
        if (b == ',' && place != IN_QUOTES) {
            rc = end_field(s, place, false, e);
            place = AT_START;
        } else {
            rc = add_byte(s, b, &place, e);
        }
        if (rc)
            return rc;
    }
}

static const char *
field(const struct csv *c, size_t i)
{
    return c->text.s + c->starts[i];
}

/* The column called name[0..n); n_columns if there is none. */
static size_t
find_column(const struct csv *c, const char *name, size_t n)
{
    size_t i;

    for (i = 0; i < c->n_columns; i++)
        if (strlen(c->names[i]) == n && !memcmp(c->names[i], name, n))
            break;
    return i;
}

static int
no_column(struct hop_source *s, const char *option, const char *name, size_t n, struct hop_err *e)
{
    struct csv *c = s->private_;
    size_t j;

    for (j = 0; j < c->n_columns && c->where.n < 200; j++)
        hop_str_addf(&c->where, "%s%s", j ? ", " : "columns: ", c->names[j]);
    return hop_fail(e, HOP_EARG, option, hop_str_c(&c->where), "no column \"%.*s\" in %.300s",
                    n < 200 ? (int)n : 200, name, s->name);
}

/* The columns of "a,b" to the end of order; a column's whole name may hold a comma. */
static int
find_targets(struct hop_source *s, struct hop_err *e)
{
    struct csv *c = s->private_;
    const char *p = s->target;
    size_t n, i, k;

    for (n = strlen(p); *p; p += n + (p[n] == ',')) {
        if (p != s->target || find_column(c, p, n) == c->n_columns)
            n = strcspn(p, ",");
        if ((i = find_column(c, p, n)) == c->n_columns)
            return no_column(s, "--target", p, n, e);
        for (k = 0; k < c->n_targets; k++)
            if (c->order[c->n_columns - 1 - k] == i)
                return hop_fail(e, HOP_EARG, "--target", NULL, "names column \"%.200s\" twice",
                                c->names[i]);
        c->order[c->n_columns - 1 - c->n_targets++] = i;
    }
    return c->n_targets ? HOP_OK : hop_fail(e, HOP_EARG, "--target", NULL, "names no column");
}

/* The columns of s->wanted, and no others. */
static int
find_wanted(struct hop_source *s, struct hop_err *e)
{
    struct csv *c = s->private_;
    size_t k, i;

    free(c->order);
    if (!(c->order = hop_alloc(s->n_wanted, sizeof *c->order, e)) ||
        hop_grow(&c->values, &c->cap_values, s->n_wanted, sizeof *c->values, e))
        return HOP_ENOMEM;
    for (k = 0; k < s->n_wanted; k++) {
        i = find_column(c, s->wanted[k], strlen(s->wanted[k]));
        if (i == c->n_columns)
            return hop_fail(e, HOP_EFORMAT, s->name, "the model was trained on it",
                            "no column \"%.200s\"", s->wanted[k]);
        c->order[k] = i;
    }
    c->n_values = s->n_wanted;
    return HOP_OK;
}

/* Which columns are features, label, targets: features in the file's order, targets in that of the
 * option. Until here order holds the targets backwards from its end. */
static int
set_order(struct hop_source *s, struct hop_err *e)
{
    struct csv *c = s->private_;
    size_t i, k, *order = hop_alloc(c->n_columns, sizeof *order, e);

    if (!order)
        return HOP_ENOMEM;
    for (i = 0; i < c->n_columns; i++) {
        for (k = 0; k < c->n_targets && c->order[c->n_columns - 1 - k] != i; k++)
            ;
        if (k == c->n_targets && i != c->i_label)
            order[c->n_values++] = i;
    }
    for (k = 0; k < c->n_targets; k++)
        order[c->n_values + k] = c->order[c->n_columns - 1 - k];
    free(c->order);
    c->order = order;
    if (!c->n_values)
        return fail_row(s, e, NULL, s->target ? "no column besides the targets"
                                              : "no column besides the label");
    for (k = 0; k < c->n_values + c->n_targets; k++)
        hop_str_addf(&c->columns, "%s\n", c->names[order[k]]);
    return hop_str_check(&c->columns, e);
}

/* The header row: names of the columns, and which is the label or a target. */
static int
read_header(struct hop_source *s, struct hop_err *e)
{
    struct csv *c = s->private_;
    size_t i, k;
    int rc = read_row(s, e);

    if (rc == HOP_EOF)
        return fail_row(s, e, NULL, "the file is empty");
    if (rc)
        return rc;
    if (!(c->names = hop_alloc(c->n_fields, sizeof *c->names, e)) ||
        !(c->order = hop_alloc(c->n_fields, sizeof *c->order, e)) ||
        hop_grow(&c->values, &c->cap_values, c->n_fields, sizeof *c->values, e))
        return HOP_ENOMEM;
    for (i = 0; i < c->n_fields; i++) {
        if (!(c->names[i] = hop_dup(field(c, i), e)))
            return HOP_ENOMEM;
        c->n_columns = i + 1;
    }
    c->i_label = c->n_columns;
    if (s->wanted)
        return find_wanted(s, e);
    if (s->target) {
        if ((rc = find_targets(s, e)))
            return rc;
    } else if ((c->i_label = find_column(c, s->label, strlen(s->label))) == c->n_columns) {
        return no_column(s, "--label", s->label, strlen(s->label), e);
    }
    for (i = 0; i < c->n_columns; i++) /* of other columns, equal names do no harm */
        for (k = 0; k < (s->target ? c->n_targets : 1); k++) {
            size_t one = s->target ? c->order[c->n_columns - 1 - k] : c->i_label;

            if (i != one && !strcmp(c->names[i], c->names[one]))
                return fail_row(s, e, NULL, s->target ? "two columns have the target's name"
                                                      : "two columns have the label's name");
        }
    return set_order(s, e);
}

static int
open_(struct hop_source *s, struct hop_err *e)
{
    struct csv *c;

    if (!s->wanted && !s->label == !s->target)
        return hop_fail(e, HOP_EARG, s->name, NULL,
                        s->label ? "--label and --target exclude one another"
                                 : "a CSV file needs --label COLUMN to name the column of classes, "
                                   "or --target COLUMN,... for numbers to be predicted");
    if (!(c = s->private_ = hop_alloc(1, sizeof *c, e)))
        return HOP_ENOMEM;
    errno = 0;
    if (!(c->file = gzopen(s->name, "rb")))
        return hop_fail_errno(e, s->name, NULL, "cannot open");
    if (get(s, e) == -2)
        return HOP_EIO;
    /* Behind the byte order mark, if there is one, else back to the first byte. */
    c->at = c->n_buffer >= 3 && !memcmp(c->buffer, "\xEF\xBB\xBF", 3) ? 3 : 0;
    return read_header(s, e);
}

/* A number of a feature column: decimal, finite as a 32-bit float. */
static int
read_value(struct hop_source *s, size_t i, float *out, struct hop_err *e)
{
    struct csv *c = s->private_;
    const char *text = field(c, i);
    char *end, what[400];
    float v = strtof(text, &end);

    while (*end == ' ')
        end++;
    if (end == text || *end || !isfinite(v) || text[strcspn(text, "xXnN")]) {
        snprintf(what, sizeof what, "column \"%.100s\": \"%.100s\" is not a finite number",
                 c->names[i], text);
        return fail_row(s, e, s->label ? "only the label may be text" : s->target ? "classes are a --label" : NULL,
                        what);
    }
    *out = v;
    return HOP_OK;
}

static int
next(struct hop_source *s, struct hop_sample *out, bool *is_bad_sample, struct hop_err *e)
{
    struct csv *c = s->private_;
    char what[100];
    size_t i;
    int rc;

    (void)is_bad_sample; /* a broken row is a broken table */
    do
        rc = read_row(s, e);
    while (!rc && c->n_fields == 1 && !*field(c, 0)); /* a blank line */
    if (rc)
        return rc;
    if (c->n_fields != c->n_columns) {
        snprintf(what, sizeof what, "%zu fields, but the header has %zu", c->n_fields,
                 c->n_columns);
        return fail_row(s, e, NULL, what);
    }
    if (s->label && !*field(c, c->i_label))
        return fail_row(s, e, NULL, "the label is empty");
    for (i = 0; i < c->n_values + c->n_targets; i++)
        if ((rc = read_value(s, c->order[i], &c->values[i], e)))
            return rc;
    c->where.n = 0;
    hop_str_addf(&c->where, "%s:%lld", s->name, (long long)c->row_line);
    *out = (struct hop_sample){.kind = HOP_SAMPLE_VALUES,
                               .where = hop_str_c(&c->where),
                               .class_name = s->label ? field(c, c->i_label) : "",
                               .values = c->values,
                               .n_values = (int64_t)c->n_values,
                               .n_targets = (int64_t)c->n_targets,
                               .columns = c->columns.s};
    return hop_str_check(&c->where, e);
}

static void
close_(struct hop_source *s)
{
    struct csv *c = s->private_;
    size_t i;

    if (!c)
        return;
    if (c->file)
        gzclose(c->file);
    for (i = 0; i < c->n_columns; i++)
        free(c->names[i]);
    free(c->names);
    free(c->order);
    free(c->values);
    free(c->starts);
    hop_str_clear(&c->text);
    hop_str_clear(&c->columns);
    hop_str_clear(&c->where);
    free(c);
}

const struct hop_source_kind hop_source_csv = {
    "csv", "a table with a header row; --label names the column of classes, --target numbers", probe,
    open_, next, close_,
};

#include "base/opt.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int
out_of_range(const char *text, double min, double max, const char *where, struct hop_err *e)
{
    char hint[96];

    snprintf(hint, sizeof hint, "%.15g to %.15g", min, max);
    return hop_fail(e, HOP_EARG, where, hint, "\"%s\" is out of range", text);
}

int
hop_parse_int(const char *text, double min, double max, const char *where, int64_t *out,
              struct hop_err *e)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(text, &end, 10);
    if (end == text || *end || errno || text[0] == ' ')
        return hop_fail(e, HOP_EARG, where, NULL, "\"%s\" is not a whole number", text);
    if ((min != 0 || max != 0) && ((double)v < min || (double)v > max))
        return out_of_range(text, min, max, where, e);
    *out = v;
    return HOP_OK;
}

int
hop_parse_real(const char *text, double min, double max, const char *where, double *out,
               struct hop_err *e)
{
    char *end;
    double v;

    errno = 0;
    v = strtod(text, &end);
    if (end == text || *end || text[0] == ' ' || !isfinite(v))
        return hop_fail(e, HOP_EARG, where, NULL, "\"%s\" is not a number", text);
    if ((min != 0 || max != 0) && (v < min || v > max))
        return out_of_range(text, min, max, where, e);
    *out = v;
    return HOP_OK;
}

static int
store(struct hop_opt *o, const char *shown, const char *value, struct hop_err *e)
{
    struct hop_opt_list *list;

    if (o->is_seen && o->type != HOP_OPT_LIST && o->type != HOP_OPT_COUNT)
        return hop_fail(e, HOP_EARG, shown, NULL, "given twice");
    o->is_seen = true;
    switch (o->type) {
    case HOP_OPT_FLAG:
        *(bool *)o->dest = true;
        return HOP_OK;
    case HOP_OPT_COUNT:
        ++*(int *)o->dest;
        return HOP_OK;
    case HOP_OPT_STR:
        *(const char **)o->dest = value;
        return HOP_OK;
    case HOP_OPT_INT:
        return hop_parse_int(value, o->min, o->max, shown, o->dest, e);
    case HOP_OPT_REAL:
        return hop_parse_real(value, o->min, o->max, shown, o->dest, e);
    case HOP_OPT_LIST:
        list = o->dest;
        if (hop_grow(&list->v, &list->cap, list->n + 1, sizeof *list->v, e))
            return HOP_ENOMEM;
        list->v[list->n++] = value;
        return HOP_OK;
    }
    return HOP_OK;
}

static bool
takes_value(const struct hop_opt *o)
{
    return o->type != HOP_OPT_FLAG && o->type != HOP_OPT_COUNT;
}

static struct hop_opt *
find(struct hop_opt *rows, const char *name, size_t n, char letter)
{
    for (; rows->name; rows++)
        if (letter ? rows->letter == letter
                   : strlen(rows->name) == n && !memcmp(rows->name, name, n))
            return rows;
    return NULL;
}

/* One long option at argv[*i]; *i moves over its value. */
static int
parse_long(struct hop_opt *rows, int argc, char **argv, int *i, struct hop_err *e)
{
    const char *name = argv[*i] + 2, *eq = strchr(name, '=');
    size_t n = eq ? (size_t)(eq - name) : strlen(name);
    struct hop_opt *o = find(rows, name, n, 0);
    char shown[80];

    snprintf(shown, sizeof shown, "--%.*s", (int)(n < 70 ? n : 70), name);
    if (!o)
        return hop_fail(e, HOP_EARG, shown, "see --help", "unknown option");
    if (!takes_value(o))
        return eq ? hop_fail(e, HOP_EARG, shown, NULL, "takes no value") : store(o, shown, "", e);
    if (!eq && *i + 1 >= argc)
        return hop_fail(e, HOP_EARG, shown, NULL, "needs a value: %s %s", shown, o->arg);
    return store(o, shown, eq ? eq + 1 : argv[++*i], e);
}

/* A cluster of letters at argv[*i]. */
static int
parse_letters(struct hop_opt *rows, int argc, char **argv, int *i, struct hop_err *e)
{
    const char *p;
    struct hop_opt *o;
    char shown[3] = "-?";
    int rc;

    for (p = argv[*i] + 1; *p; p++) {
        shown[1] = *p;
        o = find(rows, NULL, 0, *p);
        if (!o)
            return hop_fail(e, HOP_EARG, shown, "see --help", "unknown option");
        if (takes_value(o)) {
            if (!p[1] && *i + 1 >= argc)
                return hop_fail(e, HOP_EARG, shown, NULL, "needs a value: %s %s", shown, o->arg);
            return store(o, shown, p[1] ? p + 1 : argv[++*i], e);
        }
        if ((rc = store(o, shown, "", e)))
            return rc;
    }
    return HOP_OK;
}

int
hop_opt_parse(struct hop_opt *rows, bool want_all_options, int *argc, char **argv,
              struct hop_err *e)
{
    int i, n = 1, rc;
    bool is_over = false;

    for (i = 1; i < *argc; i++) {
        if (is_over || argv[i][0] != '-' || !argv[i][1]) {
            argv[n++] = argv[i];
            is_over = is_over || !want_all_options;
        } else if (!strcmp(argv[i], "--")) {
            is_over = true;
        } else if ((rc = argv[i][1] == '-' ? parse_long(rows, *argc, argv, &i, e)
                                           : parse_letters(rows, *argc, argv, &i, e))) {
            return rc;
        }
    }
    *argc = n;
    argv[n] = NULL;
    return HOP_OK;
}

void
hop_opt_help(const struct hop_opt *rows, struct hop_str *out)
{
    char left[64];

    for (; rows->name; rows++) {
        snprintf(left, sizeof left, "  %c%c%s --%s%s%s", rows->letter ? '-' : ' ',
                 rows->letter ? rows->letter : ' ', rows->letter ? "," : " ", rows->name,
                 rows->arg ? " " : "", rows->arg ? rows->arg : "");
        if (strlen(left) > 28)
            hop_str_addf(out, "%s\n%30s%s\n", left, "", rows->help);
        else
            hop_str_addf(out, "%-30s%s\n", left, rows->help);
    }
}

/* N and one letter of `units`, whose factors are given. */
static int
parse_unit(const char *text, const char *units, const double *factors, double max,
           const char *where, const char *hint, int64_t *out, struct hop_err *e)
{
    size_t n = strspn(text, "0123456789");
    const char *unit = n && n < 16 && text[n] && !text[n + 1] ? strchr(units, text[n]) : NULL;
    double v = unit ? strtod(text, NULL) * factors[unit - units] : 0;

    if (!unit || v < 1 || v > max)
        return hop_fail(e, HOP_EARG, where, hint, "\"%.60s\" is %s", text,
                        unit ? "out of range" : "not a number and its unit");
    *out = (int64_t)v;
    return HOP_OK;
}

int
hop_parse_duration(const char *text, const char *where, int64_t *out_s, struct hop_err *e)
{
    static const double factors[] = {1, 60, 3600, 86400};

    return parse_unit(text, "smhd", factors, 365 * 86400.0, where, "like 30s, 10m, 2h", out_s, e);
}

int
hop_parse_bytes(const char *text, const char *where, int64_t *out_bytes, struct hop_err *e)
{
    static const double factors[] = {1024, 1048576, 1073741824, 1099511627776};

    return parse_unit(text, "KMGT", factors, 1152921504606846976, where, "like 512M, 4G", out_bytes,
                      e);
}

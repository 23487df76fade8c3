#include "format/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "format/tree.h"

/* Guessed in this order; "pictures" takes every folder and archive that the others leave. */
static const struct hop_source_kind *const kinds[] = {
    &hop_source_cifar10,
    &hop_source_idx,
    &hop_source_csv,
    &hop_source_pictures,
};

void
hop_source_list(struct hop_str *out)
{
    size_t i;

    for (i = 0; i < HOP_LEN(kinds); i++)
        hop_str_addf(out, "%s%s", i ? ", " : "", kinds[i]->name);
}

static int
check_there(const char *name, struct hop_err *e)
{
    struct stat st;
    size_t n_file;

    hop_tree_split(name, &n_file);
    if (name[n_file] == '\0' && stat(name, &st) < 0)
        return hop_fail_errno(e, name, NULL, "cannot open");
    return HOP_OK;
}

int
hop_source_open(const char *name, const char *format, const char *label, const char *target,
                struct hop_source *s, struct hop_err *e)
{
    struct hop_str known = {0};
    size_t i;
    int rc;

    *s = (struct hop_source){.name = name, .label = label, .target = target};
    if ((rc = check_there(name, e)))
        return rc;
    for (i = 0; i < HOP_LEN(kinds) && !s->kind; i++)
        if (format ? !strcmp(format, kinds[i]->name) : kinds[i]->probe(name))
            s->kind = kinds[i];
    if (!s->kind) {
        hop_source_list(&known);
        hop_fail(e, HOP_EARG, format ? "--format" : name, hop_str_c(&known),
                 format ? "unknown format \"%s\"" : "no known kind of source; choose --format",
                 format);
        hop_str_clear(&known);
        return HOP_EARG;
    }
    if (target && s->kind != &hop_source_csv)
        return hop_fail(e, HOP_EARG, "--target", NULL, "goes with tables, not with %s",
                        s->kind->name);
    if ((rc = s->kind->open(s, e)))
        hop_source_close(s);
    return rc;
}

int
hop_source_open_table(const char *name, char *const *names, size_t n, struct hop_source *s,
                      struct hop_err *e)
{
    int rc;

    *s = (struct hop_source){.name = name, .wanted = names, .n_wanted = n};
    if ((rc = check_there(name, e)))
        return rc;
    if (!hop_source_csv.probe(name))
        return hop_fail(e, HOP_EFORMAT, name, "FILE.csv or FILE.csv.gz", "is no table");
    s->kind = &hop_source_csv;
    if ((rc = s->kind->open(s, e)))
        hop_source_close(s);
    return rc;
}

int
hop_source_next(struct hop_source *s, struct hop_sample *out, bool *is_bad_sample,
                struct hop_err *e)
{
    *out = (struct hop_sample){0};
    *is_bad_sample = false;
    return s->kind->next(s, out, is_bad_sample, e);
}

void
hop_source_close(struct hop_source *s)
{
    if (s->kind)
        s->kind->close(s);
    *s = (struct hop_source){0};
}

/* source_pictures - class folders of PNG and JPEG files, in a folder or in an archive. The first
 * folder of a path is the class; deeper folders are its parts. */
#include "format/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "format/image.h"
#include "format/tree.h"

struct pictures {
    struct hop_tree *tree;
    struct hop_str class_name;
};

static bool
probe(const char *name)
{
    (void)name; /* the last row of the table: what no other kind wanted */
    return true;
}

static int
open_(struct hop_source *s, struct hop_err *e)
{
    struct pictures *p = hop_alloc(1, sizeof *p, e);

    s->private_ = p;
    return p ? hop_tree_open(s->name, &p->tree, e) : HOP_ENOMEM;
}

static int
next(struct hop_source *s, struct hop_sample *out, bool *is_bad_sample, struct hop_err *e)
{
    struct pictures *p = s->private_;
    struct hop_tree_entry entry;
    const char *slash;
    int rc;

    for (;;) {
        if ((rc = hop_tree_next(p->tree, &entry, e)))
            return rc;
        slash = strchr(entry.path, '/');
        if (slash && entry.is_dir)
            continue;
        if (slash || entry.is_dir)
            break;
        hop_log(HOP_LOG_WARN, "%s: lies in no class folder, left out", entry.where);
    }
    p->class_name.n = 0;
    hop_str_add_n(&p->class_name, entry.path,
                  slash ? (size_t)(slash - entry.path) : strlen(entry.path));
    if ((rc = hop_str_check(&p->class_name, e)))
        return rc;
    out->class_name = p->class_name.s;
    out->where = entry.where;
    if (entry.is_dir)
        return HOP_OK; /* HOP_SAMPLE_CLASS */
    out->kind = HOP_SAMPLE_ENCODED;
    rc = hop_tree_read(p->tree, HOP_IMAGE_MAX_BYTES, &out->bytes, &out->n_bytes, e);
    *is_bad_sample = rc == HOP_EFORMAT;
    return rc;
}

static void
close_(struct hop_source *s)
{
    struct pictures *p = s->private_;

    if (!p)
        return;
    hop_tree_close(p->tree);
    hop_str_clear(&p->class_name);
    free(p);
}

const struct hop_source_kind hop_source_pictures = {
    "pictures", "folder or archive of class folders of PNG or JPEG files", probe, open_, next,
    close_,
};

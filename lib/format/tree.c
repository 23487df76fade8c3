#include "format/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

/* Contents: 1 the common part, 2 folders, 3 archives */

enum { MAX_DEPTH = 64, ARCHIVE_BLOCK_BYTES = 65536 };

/* The sorted names of one folder being walked. */
struct level {
    char **names;
    size_t n, cap, at;
    size_t n_path; /* length of this folder's path in t->path */
};

struct hop_tree {
    char *root;   /* folder or file */
    char *inside; /* "train/" within an archive, "" = all */
    struct hop_str path, where;
    int fd;       /* of the plain file being read, else -1 */
    bool is_file; /* root is one plain file */
    bool is_done;
    bool is_found; /* a member of `inside` was seen */
    char *bytes;   /* of the last whole read */
    size_t cap_bytes;
    struct archive *archive; /* or NULL */
    const char *trouble;     /* why the present entry cannot be read, or NULL */
    struct level levels[MAX_DEPTH];
    int n_levels;
};

/* ---- 1 the common part ---- */

void
hop_tree_split(const char *source, size_t *n_file)
{
    const char *hash;
    struct stat st;
    char *file;

    *n_file = strlen(source);
    if (stat(source, &st) == 0)
        return;
    for (hash = strchr(source, '#'); hash; hash = strchr(hash + 1, '#')) {
        file = strndup(source, (size_t)(hash - source));
        if (file && stat(file, &st) == 0) {
            *n_file = (size_t)(hash - source);
            free(file);
            return;
        }
        free(file);
    }
}

static int
set_where(struct hop_tree *t, struct hop_err *e)
{
    t->where.n = 0;
    hop_str_add(&t->where, t->root);
    if (!t->is_file) {
        hop_str_add(&t->where, t->archive ? "#" : "/");
        hop_str_add(&t->where, t->inside);
        hop_str_add(&t->where, hop_str_c(&t->path));
    }
    return hop_str_check(&t->where, e);
}

static int
open_plain(struct hop_tree *t, struct hop_err *e)
{
    struct stat st;
    const char *where = hop_str_c(&t->where);

    /* Not blocking: a named pipe among the files must not stop the walk for ever. */
    t->fd = open(where, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (t->fd < 0)
        return hop_fail_errno(e, where, NULL, "cannot open");
    if (fstat(t->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return hop_fail(e, HOP_EFORMAT, where, NULL, "not a plain file");
    return HOP_OK;
}

int
hop_tree_part(struct hop_tree *t, void *to, size_t n, size_t *n_got, struct hop_err *e)
{
    const char *where = hop_str_c(&t->where);
    ssize_t got;
    int rc;

    *n_got = 0;
    if (t->trouble)
        return hop_fail(e, HOP_EFORMAT, where, NULL, "%s", t->trouble);
    if (!t->archive && t->fd < 0 && (rc = open_plain(t, e)))
        return rc;
    do
        got = t->archive ? archive_read_data(t->archive, to, n) : read(t->fd, to, n);
    while (got < 0 && (t->archive ? got == ARCHIVE_RETRY : errno == EINTR));
    if (got < 0 && t->archive)
        return hop_fail(e, HOP_EIO, where, "was the archive cut or damaged?", "cannot read: %s",
                        archive_error_string(t->archive) ? archive_error_string(t->archive) : "?");
    if (got < 0)
        return hop_fail_errno(e, where, NULL, "cannot read");
    *n_got = (size_t)got;
    return HOP_OK;
}

int
hop_tree_read(struct hop_tree *t, size_t max_bytes, const void **bytes, size_t *n,
              struct hop_err *e)
{
    size_t got;
    int rc;

    *n = 0;
    do {
        if (hop_grow(&t->bytes, &t->cap_bytes, *n + 65536, 1, e))
            return HOP_ENOMEM;
        if ((rc = hop_tree_part(t, t->bytes + *n, t->cap_bytes - *n, &got, e)))
            return rc;
        *n += got;
        if (*n > max_bytes)
            return hop_fail(e, HOP_EFORMAT, hop_str_c(&t->where), NULL, "longer than %zu bytes",
                            max_bytes);
    } while (got);
    *bytes = t->bytes;
    return HOP_OK;
}

/* ---- 2 folders ---- */

static int
by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
level_clear(struct level *l)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        free(l->names[i]);
    free(l->names);
    *l = (struct level){0};
}

/* Read the folder t->where names; its path in the tree is t->path. */
static int
push_level(struct hop_tree *t, struct hop_err *e)
{
    const char *where = hop_str_c(&t->where);
    struct level *l = &t->levels[t->n_levels];
    struct dirent *d;
    DIR *h;
    int rc = HOP_OK;

    if (t->n_levels == MAX_DEPTH)
        return hop_fail(e, HOP_EFORMAT, where, "does a link point back up?",
                        "folders more than %d deep", MAX_DEPTH);
    if (!(h = opendir(where)))
        return hop_fail_errno(e, where, NULL, "cannot read the folder");
    t->n_levels++;
    l->n_path = t->path.n;
    for (errno = 0; !rc && (d = readdir(h)); errno = 0) {
        if (d->d_name[0] == '.')
            continue;
        if ((rc = hop_grow(&l->names, &l->cap, l->n + 1, sizeof *l->names, e)))
            break;
        if (!(l->names[l->n] = hop_dup(d->d_name, e)))
            rc = HOP_ENOMEM;
        else
            l->n++;
    }
    if (!rc && errno)
        rc = hop_fail_errno(e, where, NULL, "cannot read the folder");
    closedir(h);
    if (l->n)
        qsort(l->names, l->n, sizeof *l->names, by_bytes);
    return rc;
}

static int
next_in_folder(struct hop_tree *t, struct hop_tree_entry *entry, struct hop_err *e)
{
    struct level *l;
    struct stat st;
    int rc;

    for (;;) {
        if (t->n_levels == 0)
            return HOP_EOF;
        l = &t->levels[t->n_levels - 1];
        if (l->at < l->n)
            break;
        level_clear(l);
        t->n_levels--;
    }
    t->path.n = l->n_path;
    if (l->n_path)
        hop_str_add(&t->path, "/");
    hop_str_add(&t->path, l->names[l->at++]);
    if ((rc = hop_str_check(&t->path, e)) || (rc = set_where(t, e)))
        return rc;
    if (stat(t->where.s, &st) < 0 && errno == ELOOP)
        return hop_fail_errno(e, t->where.s, "a link leads in circles", "cannot follow");
    if (stat(t->where.s, &st) < 0)
        t->trouble = "a link to nothing, or a file that went away";
    entry->is_dir = !t->trouble && S_ISDIR(st.st_mode);
    return entry->is_dir ? push_level(t, e) : HOP_OK;
}

/* ---- 3 archives ---- */

static int
archive_fail(struct hop_tree *t, struct hop_err *e)
{
    const char *text = archive_error_string(t->archive);

    return hop_fail(e, HOP_EFORMAT, t->root, "is this a whole tar or zip archive?",
                    "cannot read: %s", text ? text : "unknown archive error");
}

static int
open_archive(struct hop_tree *t, struct hop_err *e)
{
    struct archive *a = archive_read_new();

    if (!a)
        return hop_fail(e, HOP_ENOMEM, t->root, NULL, "out of memory (libarchive)");
    t->archive = a;
    /* Named one by one: "all" would also start programs that happen to be installed. */
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_lzma(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_lz4(a);
    archive_read_support_filter_compress(a);
    archive_read_support_format_tar(a);
    archive_read_support_format_zip_streamable(a);
    if (archive_read_open_filename(a, t->root, ARCHIVE_BLOCK_BYTES) != ARCHIVE_OK)
        return archive_fail(t, e);
    return HOP_OK;
}

/* The member's name without "./", doubled slashes and a slash at the end, into `out`. */
static void
clean_name(const char *name, struct hop_str *out)
{
    size_t n;

    for (out->n = 0; *name; name += n) {
        name += strspn(name, "/");
        n = strcspn(name, "/");
        if (n == 0 || (n == 1 && name[0] == '.'))
            continue;
        if (out->n)
            hop_str_add(out, "/");
        hop_str_add_n(out, name, n);
    }
    hop_str_add(out, "");
}

static bool
is_hidden(const char *path)
{
    return path[0] == '.' || strstr(path, "/.");
}

/* What lies inside FOLDER: cut its name off t->path; false when the member lies elsewhere. A
 * member whose whole name is FOLDER stays as its last part. */
static bool
step_inside(struct hop_tree *t, bool is_dir)
{
    size_t n = strlen(t->inside);
    const char *path = hop_str_c(&t->path), *slash;

    if (n == 0)
        return path[0] != '\0';
    if (!strncmp(path, t->inside, n - 1) && !path[n - 1] && !is_dir) {
        slash = strrchr(path, '/');
        n = slash ? (size_t)(slash + 1 - path) : 0;
    } else if (strncmp(path, t->inside, n)) {
        return false;
    }
    memmove(t->path.s, path + n, t->path.n - n + 1);
    t->path.n -= n;
    return t->path.n > 0;
}

static void
note_trouble(struct hop_tree *t, struct archive_entry *m, const char *name)
{
    if (!name)
        t->trouble = "the member's name cannot be read";
    else if (archive_entry_hardlink(m))
        t->trouble = "a link to another member of the archive";
    else if (archive_entry_filetype(m) != AE_IFREG)
        t->trouble = "not a plain file";
}

static int
next_in_archive(struct hop_tree *t, struct hop_tree_entry *entry, struct hop_err *e)
{
    struct archive_entry *m;
    const char *name;
    int rc;

    do {
        do
            rc = archive_read_next_header(t->archive, &m);
        while (rc == ARCHIVE_RETRY);
        if (rc == ARCHIVE_EOF && *t->inside && !t->is_found)
            return hop_fail(e, HOP_EFORMAT, t->root, "tar -tf FILE shows what is in it",
                            "no member lies in \"%s\"", t->inside);
        if (rc == ARCHIVE_EOF)
            return HOP_EOF;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return archive_fail(t, e);
        name = archive_entry_pathname(m);
        if (!name)
            name = archive_entry_pathname_utf8(m);
        clean_name(name ? name : "?", &t->path);
        if (t->path.is_oom)
            return HOP_ENOMEM;
        entry->is_dir = archive_entry_filetype(m) == AE_IFDIR && !archive_entry_hardlink(m);
    } while (!step_inside(t, entry->is_dir) || is_hidden(hop_str_c(&t->path)));
    t->is_found = true;
    if (!entry->is_dir)
        note_trouble(t, m, name);
    return set_where(t, e);
}

/* ---- opening, walking ---- */

int
hop_tree_open(const char *source, struct hop_tree **out, struct hop_err *e)
{
    struct hop_tree *t = hop_alloc(1, sizeof *t, e);
    size_t n_file, n = strlen(source);
    struct hop_str inside = {0};
    struct stat st;
    int rc = HOP_OK;

    *out = NULL;
    if (!t)
        return HOP_ENOMEM;
    t->fd = -1;
    hop_tree_split(source, &n_file);
    clean_name(n_file < n ? source + n_file + 1 : "", &inside);
    if (inside.n)
        hop_str_add(&inside, "/");
    t->root = hop_dup(source, e);
    t->inside = inside.s;
    if (!t->root || hop_str_check(&inside, e)) {
        hop_tree_close(t);
        return HOP_ENOMEM;
    }
    t->root[n_file] = '\0';
    while (n_file > 1 && t->root[n_file - 1] == '/')
        t->root[--n_file] = '\0';
    if (stat(t->root, &st) < 0)
        rc = hop_fail_errno(e, t->root, NULL, "cannot open");
    else if (!S_ISDIR(st.st_mode))
        rc = open_archive(t, e);
    else if (inside.n)
        rc = hop_fail(e, HOP_EARG, source, NULL, "\"#\" goes with archives, this is a folder");
    else if (!(rc = set_where(t, e)))
        rc = push_level(t, e);
    if (rc)
        hop_tree_close(t);
    else
        *out = t;
    return rc;
}

int
hop_tree_open_file(const char *path, struct hop_tree **out, struct hop_err *e)
{
    struct hop_tree *t = hop_alloc(1, sizeof *t, e);
    const char *slash = strrchr(path, '/');

    *out = NULL;
    if (!t)
        return HOP_ENOMEM;
    t->fd = -1;
    t->is_file = true;
    t->root = hop_dup(path, e);
    hop_str_add(&t->path, slash ? slash + 1 : path);
    if (!t->root || hop_str_check(&t->path, e)) {
        hop_tree_close(t);
        return HOP_ENOMEM;
    }
    *out = t;
    return HOP_OK;
}

int
hop_tree_next(struct hop_tree *t, struct hop_tree_entry *entry, struct hop_err *e)
{
    int rc;

    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    t->trouble = NULL;
    *entry = (struct hop_tree_entry){0};
    if (t->is_done)
        return HOP_EOF;
    if (t->is_file) {
        t->is_done = true;
        rc = set_where(t, e);
    } else {
        rc = t->archive ? next_in_archive(t, entry, e) : next_in_folder(t, entry, e);
    }
    t->is_done = t->is_done || rc != HOP_OK;
    entry->path = hop_str_c(&t->path);
    entry->where = hop_str_c(&t->where);
    return rc;
}

void
hop_tree_close(struct hop_tree *t)
{
    if (!t)
        return;
    while (t->n_levels > 0)
        level_clear(&t->levels[--t->n_levels]);
    if (t->archive)
        archive_read_free(t->archive);
    if (t->fd >= 0)
        close(t->fd);
    hop_str_clear(&t->path);
    hop_str_clear(&t->where);
    free(t->root);
    free(t->inside);
    free(t->bytes);
    free(t);
}

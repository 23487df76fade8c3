/* tree - the files of a folder, of an archive, or one file alone, one after another.
 *
 * A folder is walked depth first, names in the order of their bytes, so that the file system's own
 * order never shows. An archive (tar or zip; gzip, bzip2, xz, lzma, zstd, lz4, compress) is read as
 * a stream, in its own order, and never unpacked. Names that begin with '.' are left out.
 */
#ifndef HOP_FORMAT_TREE_H
#define HOP_FORMAT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct hop_tree; /* a walk */

struct hop_tree_entry {
    const char *path;  /* from the tree's root: "airplane/0001.jpg" */
    const char *where; /* for messages: "DIR/airplane/0001.jpg", "FILE.tar#train/airplane/..." */
    bool is_dir;       /* its files follow (folder) or may come in any order (archive) */
};

/* hop_tree_open - walk `source`: a folder, or an archive with or without "#FOLDER" (only what lies
 * in FOLDER, paths counted from there; FOLDER may also be one file). Err: HOP_EIO, HOP_EFORMAT. */
int hop_tree_open(const char *source, struct hop_tree **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_tree_open_file - the walk of one plain file. */
int hop_tree_open_file(const char *path, struct hop_tree **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_tree_next - the next entry, borrowed until the call after. Returns HOP_OK, HOP_EOF, error.
 * An archive that ends without a single member of FOLDER is an error. */
int hop_tree_next(struct hop_tree *t, struct hop_tree_entry *entry, struct hop_err *e) HOP_MUSTUSE;

/* hop_tree_read - the bytes of the entry last given, borrowed until the next call with t; at most
 * max_bytes. Err: HOP_EIO, HOP_EFORMAT (too long, not a plain file, damaged archive). */
int hop_tree_read(struct hop_tree *t, size_t max_bytes, const void **bytes, size_t *n,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_tree_part - up to n bytes more of the entry last given; *n_got = 0 at its end. Entries are
 * read either whole or in parts. */
int hop_tree_part(struct hop_tree *t, void *to, size_t n, size_t *n_got,
                  struct hop_err *e) HOP_MUSTUSE;

void hop_tree_close(struct hop_tree *t);

/* hop_tree_split - for "FILE#FOLDER", when FILE is there and no file has the whole as its name,
 * *n_file is the length of FILE; else of all. */
void hop_tree_split(const char *source, size_t *n_file);

#endif

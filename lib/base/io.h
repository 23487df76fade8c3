/* io - whole reads and writes, atomic replacement, maps, locks, little-endian numbers. */
#ifndef HOP_BASE_IO_H
#define HOP_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* hop_read_fd - all of fd until end of file into *out (NUL added after n_bytes; caller frees).
 * Err: HOP_EIO; HOP_ENOMEM; HOP_EFORMAT when more than max_bytes come. */
int hop_read_fd(int fd, const char *where, size_t max_bytes, char **out, size_t *n_bytes,
                struct hop_err *e) HOP_MUSTUSE;

/* hop_read_file - the same for a path. */
int hop_read_file(const char *path, size_t max_bytes, char **out, size_t *n_bytes,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_write_fd - all n bytes, retrying short writes and EINTR. Err: HOP_EIO. */
int hop_write_fd(int fd, const char *where, const void *bytes, size_t n, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_pwrite_fd - all n bytes at `offset`. Err: HOP_EIO. */
int hop_pwrite_fd(int fd, const char *where, const void *bytes, size_t n, int64_t offset,
                  struct hop_err *e) HOP_MUSTUSE;

/* A read-only map of a whole file. bytes is NULL for an empty file. */
struct hop_map {
    const uint8_t *bytes;
    size_t n_bytes;
};
int hop_map_open(const char *path, struct hop_map *m, struct hop_err *e) HOP_MUSTUSE;
void hop_map_close(struct hop_map *m);

/* Atomic replacement: write to `fd`, then commit (fsync, rename, fsync of the folder) or abort
 * (temporary removed). The temporary lies beside the target, named .BASE.XXXXXX.tmp. */
struct hop_atomic {
    int fd; /* -1 when closed */
    char *path;
    char *tmp;
};
int hop_atomic_open(struct hop_atomic *a, const char *path, struct hop_err *e) HOP_MUSTUSE;
int hop_atomic_commit(struct hop_atomic *a, struct hop_err *e) HOP_MUSTUSE;
void hop_atomic_abort(struct hop_atomic *a);

/* hop_atomic_link - put the file `from`, which is on disk and never written to again, in the place of
 * `path`, too: as a second name of the same file, which costs no room and no time, or where the
 * file system has no such names as a copy. Atomic and on disk like a commit. */
int hop_atomic_link(const char *from, const char *path, struct hop_err *e) HOP_MUSTUSE;

/* hop_atomic_sweep - remove the temporaries that earlier, killed writers of `path` left. Call it
 * only while holding the lock that keeps other writers of `path` away. */
void hop_atomic_sweep(const char *path);

/* hop_lock - take an exclusive flock(2) on `path`, made if missing and never removed. The lock goes
 * with the descriptor, so a dead holder's lock is gone; it is close-on-exec.
 * *fd is the descriptor to close. Err: HOP_EBUSY when held and !want_wait; HOP_EIO. */
int hop_lock(const char *path, bool want_wait, int *fd, struct hop_err *e) HOP_MUSTUSE;

/* hop_lock_shared - the same beside any number of others who hold it so; waits while somebody has it
 * alone. */
int hop_lock_shared(const char *path, int *fd, struct hop_err *e) HOP_MUSTUSE;

/* hop_mkdirs - mkdir -p. */
int hop_mkdirs(const char *path, struct hop_err *e) HOP_MUSTUSE;

/* hop_sync_dir - fsync the folder that holds `path`. */
int hop_sync_dir(const char *path, struct hop_err *e) HOP_MUSTUSE;

uint64_t hop_get_le64(const void *p);
void hop_put_le64(void *p, uint64_t v);

#endif

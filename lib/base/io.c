#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

int
hop_read_fd(int fd, const char *where, size_t max_bytes, char **out, size_t *n_bytes,
            struct hop_err *e)
{
    struct stat st;
    char *buf = NULL;
    size_t cap = 0, n = 0;
    ssize_t got;

    *out = NULL;
    *n_bytes = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        (uint64_t)st.st_size < max_bytes &&
        hop_grow(&buf, &cap, (size_t)st.st_size + 2, 1, e))
        return HOP_ENOMEM;
    for (;;) {
        if (hop_grow(&buf, &cap, n + (n < 65536 ? 65536 : 2), 1, e)) {
            free(buf);
            return HOP_ENOMEM;
        }
        got = read(fd, buf + n, cap - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(buf);
            return hop_fail_errno(e, where, NULL, "cannot read");
        }
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max_bytes) {
            free(buf);
            return hop_fail(e, HOP_EFORMAT, where, NULL, "longer than %zu bytes", max_bytes);
        }
    }
    buf[n] = '\0';
    *out = buf;
    *n_bytes = n;
    return HOP_OK;
}

int
hop_read_file(const char *path, size_t max_bytes, char **out, size_t *n_bytes, struct hop_err *e)
{
    int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

    *out = NULL;
    *n_bytes = 0;
    if (fd < 0)
        return hop_fail_errno(e, path, NULL, "cannot open");
    rc = hop_read_fd(fd, path, max_bytes, out, n_bytes, e);
    close(fd);
    return rc;
}

int
hop_write_fd(int fd, const char *where, const void *bytes, size_t n, struct hop_err *e)
{
    const char *p = bytes;
    ssize_t put;

    while (n) {
        put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return hop_fail_errno(e, where, NULL, "cannot write");
        p += put;
        n -= (size_t)put;
    }
    return HOP_OK;
}

int
hop_pwrite_fd(int fd, const char *where, const void *bytes, size_t n, int64_t offset,
              struct hop_err *e)
{
    const char *p = bytes;
    ssize_t put;

    while (n) {
        put = pwrite(fd, p, n, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return hop_fail_errno(e, where, NULL, "cannot write");
        p += put;
        n -= (size_t)put;
        offset += put;
    }
    return HOP_OK;
}

int
hop_map_open(const char *path, struct hop_map *m, struct hop_err *e)
{
    struct stat st;
    void *p;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *m = (struct hop_map){0};
    if (fd < 0)
        return hop_fail_errno(e, path, NULL, "cannot open");
    if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
        if (S_ISDIR(st.st_mode))
            errno = EISDIR;
        hop_fail_errno(e, path, NULL, "cannot read");
        close(fd);
        return HOP_EIO;
    }
    if (st.st_size > 0) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            hop_fail_errno(e, path, NULL, "cannot map");
            close(fd);
            return HOP_EIO;
        }
        m->bytes = p;
        m->n_bytes = (size_t)st.st_size;
    }
    close(fd);
    return HOP_OK;
}

void
hop_map_close(struct hop_map *m)
{
    if (m->bytes)
        munmap((void *)m->bytes, m->n_bytes);
    *m = (struct hop_map){0};
}

/* Split path into folder (as a string ending in '/', or "") and base name (borrowed). */
static const char *
split(const char *path, struct hop_str *dir)
{
    const char *slash = strrchr(path, '/');

    if (slash)
        hop_str_add_n(dir, path, (size_t)(slash + 1 - path));
    return slash ? slash + 1 : path;
}

int
hop_sync_dir(const char *path, struct hop_err *e)
{
    struct hop_str dir = {0};
    int fd, rc = HOP_OK;

    split(path, &dir);
    fd = open(dir.n ? dir.s : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems refuse fsync of a folder (EINVAL); there is then nothing more to do. */
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        rc = hop_fail_errno(e, path, NULL, "cannot sync the folder of this file");
    if (fd >= 0)
        close(fd);
    hop_str_clear(&dir);
    return rc;
}

int
hop_atomic_open(struct hop_atomic *a, const char *path, struct hop_err *e)
{
    struct hop_str tmp = {0};
    mode_t mask;
    const char *base = split(path, &tmp);

    *a = (struct hop_atomic){.fd = -1};
    hop_str_addf(&tmp, ".%s.XXXXXX.tmp", base);
    a->path = hop_dup(path, e);
    a->tmp = tmp.s;
    if (!a->path || hop_str_check(&tmp, e)) {
        hop_atomic_abort(a);
        return HOP_ENOMEM;
    }
    a->fd = mkstemps(a->tmp, 4);
    if (a->fd < 0) {
        hop_fail_errno(e, path, NULL, "cannot make a temporary file beside it");
        free(a->tmp);
        a->tmp = NULL;
        hop_atomic_abort(a);
        return HOP_EIO;
    }
    mask = umask(0);
    umask(mask);
    fchmod(a->fd, 0666 & ~mask);
    fcntl(a->fd, F_SETFD, FD_CLOEXEC);
    return HOP_OK;
}

int
hop_atomic_commit(struct hop_atomic *a, struct hop_err *e)
{
    int rc = HOP_OK;

    if (fsync(a->fd) < 0)
        rc = hop_fail_errno(e, a->path, NULL, "cannot sync to disk");
    if (close(a->fd) < 0 && !rc)
        rc = hop_fail_errno(e, a->path, NULL, "cannot close");
    a->fd = -1;
    if (!rc && rename(a->tmp, a->path) < 0)
        rc = hop_fail_errno(e, a->path, NULL, "cannot rename into place");
    if (!rc) {
        free(a->tmp);
        a->tmp = NULL;
        rc = hop_sync_dir(a->path, e);
    }
    hop_atomic_abort(a);
    return rc;
}

void
hop_atomic_abort(struct hop_atomic *a)
{
    if (a->fd >= 0)
        close(a->fd);
    if (a->tmp)
        unlink(a->tmp);
    free(a->tmp);
    free(a->path);
    *a = (struct hop_atomic){.fd = -1};
}

static int
copy_into(const char *from, struct hop_atomic *a, struct hop_err *e)
{
    struct hop_map m;
    int rc = hop_map_open(from, &m, e);

    if (rc)
        return rc;
    rc = hop_write_fd(a->fd, a->path, m.bytes, m.n_bytes, e);
    hop_map_close(&m);
    return rc;
}

int
hop_atomic_link(const char *from, const char *path, struct hop_err *e)
{
    struct hop_atomic a;
    struct stat x, y;
    int rc;

    /* rename(2) would do nothing between two names of one file, and leave the temporary. */
    if (stat(from, &x) == 0 && stat(path, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino)
        return HOP_OK;
    if ((rc = hop_atomic_open(&a, path, e)))
        return rc;
    if (unlink(a.tmp) == 0 && link(from, a.tmp) == 0)
        return hop_atomic_commit(&a, e);
    hop_atomic_abort(&a);
    if ((rc = hop_atomic_open(&a, path, e)))
        return rc;
    if (!(rc = copy_into(from, &a, e)))
        return hop_atomic_commit(&a, e);
    hop_atomic_abort(&a);
    return rc;
}

void
hop_atomic_sweep(const char *path)
{
    struct hop_str dir = {0}, file = {0};
    const char *base = split(path, &dir);
    size_t n_base = strlen(base), n;
    struct dirent *d;
    DIR *h = opendir(dir.n ? dir.s : ".");

    while (h && (d = readdir(h))) {
        n = strlen(d->d_name); /* .BASE.XXXXXX.tmp */
        if (n == n_base + 12 && d->d_name[0] == '.' && !memcmp(d->d_name + 1, base, n_base) &&
            d->d_name[n_base + 1] == '.' && !strcmp(d->d_name + n - 4, ".tmp")) {
            file.n = 0;
            hop_str_add(&file, hop_str_c(&dir));
            hop_str_add(&file, d->d_name);
            if (!file.is_oom)
                unlink(file.s);
        }
    }
    if (h)
        closedir(h);
    hop_str_clear(&dir);
    hop_str_clear(&file);
}

static int
lock(const char *path, int how, int *fd, struct hop_err *e)
{
    int h = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), rc;

    *fd = -1;
    if (h < 0)
        return hop_fail_errno(e, path, NULL, "cannot open the lock");
    do
        rc = flock(h, how);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        rc = errno == EWOULDBLOCK
                 ? hop_fail(e, HOP_EBUSY, path, "try again when it has ended",
                            "held by another process")
                 : hop_fail_errno(e, path, NULL, "cannot lock");
        close(h);
        return rc;
    }
    *fd = h;
    return HOP_OK;
}

int
hop_lock(const char *path, bool want_wait, int *fd, struct hop_err *e)
{
    return lock(path, want_wait ? LOCK_EX : LOCK_EX | LOCK_NB, fd, e);
}

int
hop_lock_shared(const char *path, int *fd, struct hop_err *e)
{
    return lock(path, LOCK_SH, fd, e);
}

int
hop_mkdirs(const char *path, struct hop_err *e)
{
    struct hop_str s = {0};
    struct stat st;
    size_t i;
    int rc;

    hop_str_add(&s, path);
    if ((rc = hop_str_check(&s, e)))
        return rc;
    for (i = 1; i <= s.n && !rc; i++) {
        if (i < s.n && s.s[i] != '/')
            continue;
        s.s[i] = '\0';
        if (mkdir(s.s, 0777) < 0 && !(stat(s.s, &st) == 0 && S_ISDIR(st.st_mode))) {
            if (errno == EEXIST)
                errno = ENOTDIR;
            rc = hop_fail_errno(e, s.s, NULL, "cannot make the folder");
        }
        if (i < s.n)
            s.s[i] = '/';
    }
    hop_str_clear(&s);
    return rc;
}

uint64_t
hop_get_le64(const void *p)
{
    const uint8_t *b = p;
    uint64_t v = 0;
    int i;

    for (i = 7; i >= 0; i--)
        v = v << 8 | b[i];
    return v;
}

void
hop_put_le64(void *p, uint64_t v)
{
    uint8_t *b = p;
    int i;

    for (i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> 8 * i);
}

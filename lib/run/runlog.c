#include "run/runlog.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/metrics.h"

enum { SCAN_BYTES = 1 << 18, LINE_BYTES = 4096 };

/* Contents: 1 appending and reading, 2 keys, 3 merging */

/* ---- 1 appending and reading ---- */

/* Does the file end in the middle of a line? */
static bool
is_torn(int fd)
{
    struct stat st;
    char last;

    return fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
           last != '\n';
}

int
hop_runlog_append(const char *path, const struct hop_json *line, int64_t *at, struct hop_err *e)
{
    struct hop_str s = {0};
    size_t n_blank = 0;
    ssize_t put;
    int fd, rc;

    fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return hop_fail_errno(e, path, NULL, "cannot open");
    /* Two appenders may both see the torn line; the blank line that makes is skipped by all. */
    if (is_torn(fd)) {
        hop_str_add(&s, "\n");
        n_blank = 1;
    }
    rc = hop_json_dump(line, &s, e);
    hop_str_add(&s, "\n");
    if (!rc && !(rc = hop_str_check(&s, e))) {
        do
            put = write(fd, s.s, s.n);
        while (put < 0 && errno == EINTR);
        if (put < 0)
            rc = hop_fail_errno(e, path, NULL, "cannot write");
        else if ((size_t)put < s.n)
            rc = hop_fail(e, HOP_EIO, path, "is the disk full?", "only a part could be written");
        else if (fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS)
            rc = hop_fail_errno(e, path, NULL, "cannot sync to disk");
        if (at) /* appending leaves the offset at the end of what was written */
            *at = (int64_t)lseek(fd, 0, SEEK_CUR) - (int64_t)(s.n - n_blank);
    }
    hop_str_clear(&s);
    if (close(fd) < 0 && !rc)
        rc = hop_fail_errno(e, path, NULL, "cannot close");
    return rc;
}

int
hop_runlog_next(struct hop_jsonl *r, struct hop_json **out, struct hop_err *e)
{
    struct hop_err one;
    int rc;

    for (;;) {
        one = (struct hop_err){0};
        rc = hop_jsonl_next(r, out, &one);
        if (rc != HOP_EFORMAT)
            break;
        hop_log(HOP_LOG_WARN, "%s: line skipped: %s", one.where, one.what);
    }
    if (rc < 0)
        hop_fail(e, rc, one.where, one.hint, "%s", one.what);
    return rc;
}

/* What is done with a line about an id; it owns `take`. False: that was enough. */
typedef bool on_line_fn(void *arg, struct hop_json *take, int64_t at);

struct scan {
    const char *path, *id;
    struct hop_str quoted; /* the id */
    on_line_fn *on_line;
    void *arg;
};

/* The line at text[0..n), if it is about the id; at: its place in the log. */
static bool
take_line(const struct scan *scan, const char *text, size_t n, int64_t at)
{
    struct hop_err e = {0};
    struct hop_json *j;
    const char *s;

    if (hop_json_parse(text, n, scan->path, &j, &e)) {
        hop_log(HOP_LOG_WARN, "%s: line skipped: %s", e.where, e.what);
        return true;
    }
    s = hop_json_str(hop_json_get(j, "id"));
    if (s && !strcmp(s, scan->id))
        return scan->on_line(scan->arg, j, at);
    hop_json_free(j);
    return true;
}

/* All lines in text, which ends with a NUL and has no other. */
static bool
take_lines(const struct scan *scan, const char *text, int64_t at)
{
    const char *p, *start, *eol;

    for (p = strstr(text, scan->quoted.s); p; p = *eol ? strstr(eol, scan->quoted.s) : NULL) {
        for (start = p; start > text && start[-1] != '\n'; start--)
            ;
        eol = p + strcspn(p, "\n");
        if (!take_line(scan, start, (size_t)(eol - start), at + (start - text)))
            return false;
    }
    return true;
}

/* Read on: buf[n..] from the log's byte at + n. *got 0 at its end. */
static int
read_on(const struct scan *scan, int fd, char *buf, size_t n, int64_t at, size_t *got,
        struct hop_err *e)
{
    ssize_t k;
    size_t i;

    do
        k = pread(fd, buf + n, SCAN_BYTES, (off_t)(at + (int64_t)n));
    while (k < 0 && errno == EINTR);
    if (k < 0)
        return hop_fail_errno(e, scan->path, NULL, "cannot read");
    *got = (size_t)k;
    for (i = n; i < n + *got; i++)
        if (!buf[i]) /* a crash can leave zeros */
            buf[i] = '\n';
    return HOP_OK;
}

/* The log at fd from byte `at` on, whole lines at a time, as many as a buffer holds. Not mapped: the
 * log grows while it is read. */
static int
scan_fd(const struct scan *scan, int fd, int64_t at, struct hop_err *e)
{
    char *buf = NULL, kept;
    size_t cap = 0, n = 0, got = 1, end;
    bool is_more = true;
    int rc = HOP_OK;

    while (got && is_more && !(rc = hop_grow(&buf, &cap, n + SCAN_BYTES + 1, 1, e)) &&
           !(rc = read_on(scan, fd, buf, n, at, &got, e))) {
        end = n += got;
        while (got && end && buf[end - 1] != '\n') /* at the end of the log a line may be torn */
            end--;
        kept = buf[end];
        buf[end] = '\0';
        is_more = take_lines(scan, buf, at);
        buf[end] = kept;
        memmove(buf, buf + end, n - end);
        n -= end;
        at += (int64_t)end;
    }
    free(buf);
    return rc;
}

static int
scan_log(struct scan *scan, int64_t from, struct hop_err *e)
{
    struct stat st;
    int fd = open(scan->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc;

    if (fd < 0)
        return errno == ENOENT ? HOP_OK : hop_fail_errno(e, scan->path, NULL, "cannot open");
    hop_str_addf(&scan->quoted, "\"%s\"", scan->id);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        rc = hop_fail(e, HOP_EIO, scan->path, NULL, "not a regular file");
    else if (!(rc = hop_str_check(&scan->quoted, e)))
        rc = scan_fd(scan, fd, from, e);
    hop_str_clear(&scan->quoted);
    close(fd);
    return rc;
}

static bool
collect_line(void *arg, struct hop_json *take, int64_t at)
{
    (void)at;
    hop_json_push(arg, take);
    return true;
}

int
hop_runlog_of(const char *path, const char *id, int64_t from, struct hop_json **out,
              struct hop_err *e)
{
    struct hop_json *lines = hop_json_array();
    struct scan scan = {.path = path, .id = id, .on_line = collect_line, .arg = lines};
    int rc = scan_log(&scan, from, e);

    *out = rc ? NULL : lines;
    if (rc)
        hop_json_free(lines);
    return rc;
}

struct find {
    const struct hop_json *like;
    int64_t *at;
};

static bool
compare_line(void *arg, struct hop_json *take, int64_t at)
{
    struct find *find = arg;
    bool is_it = hop_record_same(take, find->like);

    if (is_it)
        *find->at = at;
    hop_json_free(take);
    return !is_it;
}

int
hop_runlog_find(const char *path, const struct hop_json *like, int64_t *at, struct hop_err *e)
{
    struct find find = {like, at};
    struct scan scan = {.path = path, .id = hop_json_str(hop_json_get(like, "id")),
                        .on_line = compare_line, .arg = &find};

    *at = -1;
    return scan.id ? scan_log(&scan, 0, e) : HOP_OK;
}

bool
hop_runlog_is_at(const char *path, int64_t at, const struct hop_json *like)
{
    struct hop_err e = {0};
    struct hop_json *j = NULL;
    char *buf = NULL, *eol = NULL;
    size_t cap = 0, n = 0;
    ssize_t got = 1;
    int fd = at < 0 ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool is_it;

    while (fd >= 0 && !eol && got > 0 && !hop_grow(&buf, &cap, n + LINE_BYTES, 1, &e)) {
        got = pread(fd, buf + n, LINE_BYTES, (off_t)(at + (int64_t)n));
        if (got > 0 && (eol = memchr(buf + n, '\n', (size_t)got)) == NULL)
            n += (size_t)got;
    }
    is_it = eol && !hop_json_parse(buf, (size_t)(eol - buf), path, &j, &e) &&
            hop_record_same(j, like);
    hop_json_free(j);
    free(buf);
    if (fd >= 0)
        close(fd);
    return is_it;
}

/* ---- 2 keys ---- */

bool
hop_record_is(const struct hop_json *j, const char *kind)
{
    const char *s = hop_json_str(hop_json_get(j, "hop"));

    return s && !strcmp(s, kind);
}

static bool
has_same(const struct hop_json *a, const struct hop_json *b, const char *key)
{
    const struct hop_json *x = hop_json_get(a, key), *y = hop_json_get(b, key);

    return (!x && !y) || (x && y && hop_json_equal(x, y));
}

bool
hop_record_same(const struct hop_json *a, const struct hop_json *b)
{
    if (!has_same(a, b, "hop") || !has_same(a, b, "id"))
        return false;
    if (hop_record_is(a, "train/1"))
        return has_same(a, b, "visit");
    if (hop_record_is(a, "eval/1"))
        return has_same(a, b, "iteration") && has_same(a, b, "split") && has_same(a, b, "shard");
    return true;
}

const struct hop_json *
hop_record_find(const struct hop_json *lines, const struct hop_json *like)
{
    size_t i;

    for (i = 0; i < hop_json_len(lines); i++)
        if (hop_record_same(hop_json_at(lines, i), like))
            return hop_json_at(lines, i);
    return NULL;
}

static bool
is_text(const struct hop_json *j, const char *key, const char *text)
{
    const char *s = hop_json_str(hop_json_get(j, key));

    return text ? s && !strcmp(s, text) : !s;
}

const struct hop_json *
hop_eval_find(const struct hop_json *lines, int64_t iteration, const char *split,
              const char *shard)
{
    const struct hop_json *j;
    size_t i;

    for (i = 0; i < hop_json_len(lines); i++) {
        j = hop_json_at(lines, i);
        if (hop_record_is(j, "eval/1") && is_text(j, "split", split) &&
            is_text(j, "shard", shard) && hop_json_int(hop_json_get(j, "iteration")) == iteration)
            return j;
    }
    return NULL;
}

/* ---- 3 merging ---- */

static int
by_shard(const void *a, const void *b)
{
    const struct hop_json *const *x = a, *const *y = b;

    return strcmp(hop_json_str(hop_json_get(*x, "shard")), hop_json_str(hop_json_get(*y, "shard")));
}

static bool
is_number(const struct hop_json *j)
{
    return hop_json_kind(j) == HOP_JSON_INT || hop_json_kind(j) == HOP_JSON_REAL;
}

/* Member `key` of the merged line. A metric that one part lacks (null: not finite) is null. */
static void
merge_member(struct hop_json *out, const char *key, const struct hop_json **parts, size_t n)
{
    const struct hop_json *first = hop_json_get(parts[0], key);
    double sum = 0, weight, n_examples = 0, value;
    bool is_sum = !strcmp(key, "wall_s");
    size_t i;

    if (!strcmp(key, "shard") || !strcmp(key, "shards") || !strcmp(key, "worker") ||
        !strcmp(key, "counts"))
        return;
    if (n > 1 && hop_metrics_merge(key, parts, n, &value)) {
        hop_json_set_real(out, key, value);
        return;
    }
    for (i = 0; i < n && is_number(hop_json_get(parts[i], key)); i++) {
        weight = hop_json_real(hop_json_get(parts[i], "examples"));
        sum += hop_json_real(hop_json_get(parts[i], key)) * (is_sum ? 1 : weight);
        n_examples += weight;
    }
    if (!strcmp(key, "examples"))
        hop_json_set_int(out, key, (int64_t)n_examples);
    else if (!strcmp(key, "iteration") || !strcmp(key, "visit"))
        hop_json_set(out, key, hop_json_copy(first));
    else if (i == n)
        hop_json_set_real(out, key, is_sum ? sum : sum / n_examples);
    else if (is_number(first) || hop_json_kind(first) == HOP_JSON_NULL)
        hop_json_set_real(out, key, NAN);
    else {
        for (i = 1; i < n && hop_json_equal(first, hop_json_get(parts[i], key)); i++)
            ;
        if (i == n)
            hop_json_set(out, key, hop_json_copy(first));
        else if (!strcmp(key, "status"))
            hop_json_set_str(out, key, "diverged"); /* one part that is, is enough */
    }
}

/* The parts of (iteration, split), one per shard, sorted; *n_want is how many there must be. */
static int
collect(const struct hop_json *lines, int64_t iteration, const char *split, const char *where,
        const struct hop_json **parts, size_t *n, int64_t *n_want, struct hop_err *e)
{
    const struct hop_json *j;
    const char *shard;
    int64_t shards, examples;
    size_t i;
    int rc;

    *n = 0;
    *n_want = 0;
    for (i = 0; i < hop_json_len(lines); i++) {
        j = hop_json_at(lines, i);
        shard = hop_json_str(hop_json_get(j, "shard"));
        if (!shard || hop_eval_find(lines, iteration, split, shard) != j)
            continue;
        if ((rc = hop_json_get_int(j, "shards", true, 1, 1e6, where, &shards, e)) ||
            (rc = hop_json_get_int(j, "examples", true, 1, 1e15, where, &examples, e)))
            return rc;
        if (*n_want && shards != *n_want)
            return hop_fail(e, HOP_EFORMAT, where, NULL,
                            "eval/1 parts of \"%s\" disagree on how many there are", split);
        *n_want = shards;
        parts[(*n)++] = j;
    }
    qsort(parts, *n, sizeof *parts, by_shard);
    return HOP_OK;
}

int
hop_eval_merge(const struct hop_json *lines, int64_t iteration, const char *split,
               const char *where, struct hop_json **out, struct hop_err *e)
{
    const struct hop_json **parts = hop_alloc(hop_json_len(lines), sizeof *parts, e);
    int64_t n_want;
    size_t n;
    void *it;
    int rc;

    *out = NULL;
    if (!parts)
        return HOP_ENOMEM;
    rc = collect(lines, iteration, split, where, parts, &n, &n_want, e);
    if (!rc && n && (int64_t)n == n_want) {
        *out = hop_json_object();
        for (it = hop_json_first(parts[0]); it; it = hop_json_next(parts[0], it))
            merge_member(*out, hop_json_it_key(it), parts, n);
    }
    free(parts);
    return rc;
}

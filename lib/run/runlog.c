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
hop_runlog_append(const char *path, const struct hop_json *line, struct hop_err *e)
{
    struct hop_str s = {0};
    ssize_t put;
    int fd, rc;

    fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return hop_fail_errno(e, path, NULL, "cannot open");
    /* Two appenders may both see the torn line; the blank line that makes is skipped by all. */
    if (is_torn(fd))
        hop_str_add(&s, "\n");
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

/* The line at text[0..n) into `lines` if it is about `id`. */
static void
take_line(const char *text, size_t n, const char *id, const char *path, struct hop_json *lines)
{
    struct hop_err e = {0};
    struct hop_json *j;
    const char *s;

    if (hop_json_parse(text, n, path, &j, &e)) {
        hop_log(HOP_LOG_WARN, "%s: line skipped: %s", e.where, e.what);
        return;
    }
    s = hop_json_str(hop_json_get(j, "id"));
    if (s && !strcmp(s, id))
        hop_json_push(lines, j);
    else
        hop_json_free(j);
}

int
hop_runlog_of(const char *path, const char *id, struct hop_json **out, struct hop_err *e)
{
    struct hop_str quoted = {0};
    struct stat st = {0};
    char *text;
    const char *p, *start, *eol;
    size_t n, i;
    int rc;

    *out = NULL;
    if (stat(path, &st) < 0 && errno == ENOENT) {
        *out = hop_json_array();
        return HOP_OK;
    }
    if (!S_ISREG(st.st_mode))
        return hop_fail(e, HOP_EIO, path, NULL, "not a regular file");
    hop_str_addf(&quoted, "\"%s\"", id);
    if ((rc = hop_str_check(&quoted, e)))
        return rc;
    /* Not mapped: the log grows while it is read. */
    if (!(rc = hop_read_file(path, (size_t)1 << 40, &text, &n, e))) {
        *out = hop_json_array();
        for (i = 0; i < n; i++)
            if (!text[i]) /* a crash can leave zeros */
                text[i] = '\n';
        for (p = strstr(text, quoted.s); p; p = *eol ? strstr(eol, quoted.s) : NULL) {
            for (start = p; start > text && start[-1] != '\n'; start--)
                ;
            eol = p + strcspn(p, "\n");
            take_line(start, (size_t)(eol - start), id, path, *out);
        }
        free(text);
    }
    hop_str_clear(&quoted);
    return rc;
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

/* runlog - RUN/log.jsonl: append, read, and the merging of eval parts.
 *
 * Appending is one write(2) with O_APPEND, so lines of several processes do not mix. A crash may
 * leave a torn last line: the next appender ends it with a newline, and readers skip it with a
 * warning. What a record is "about" is its key: config/1 the id; train/1 id and visit; eval/1 id,
 * iteration, split and, for a part, shard.
 */
#ifndef HOP_RUN_RUNLOG_H
#define HOP_RUN_RUNLOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

/* hop_runlog_append - one line, on disk when this returns. *at (NULL: not wanted): the byte where it
 * begins. Err: HOP_EIO, HOP_ENOMEM. */
int hop_runlog_append(const char *path, const struct hop_json *line, int64_t *at, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_runlog_next - the next good line of a log, owned by the caller; HOP_EOF at the end. Bad
 * lines are skipped with a warning. */
int hop_runlog_next(struct hop_jsonl *r, struct hop_json **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_runlog_of - all lines about `id` from byte `from` on (where a line begins; 0 = all) as an array,
 * owned by the caller; an empty one when there is no log. Only lines that hold the id are parsed. */
int hop_runlog_of(const char *path, const char *id, int64_t from, struct hop_json **out,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_runlog_find - *at: where the first line with the key of `like` begins, -1 = there is none. */
int hop_runlog_find(const char *path, const struct hop_json *like, int64_t *at, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_runlog_is_at - does a line with the key of `like` begin at byte `at`? */
bool hop_runlog_is_at(const char *path, int64_t at, const struct hop_json *like);

/* hop_record_is - is j a record of this kind ("train/1")? */
bool hop_record_is(const struct hop_json *j, const char *kind);

/* hop_record_same - have two records the same key? */
bool hop_record_same(const struct hop_json *a, const struct hop_json *b);

/* hop_record_find - the first in `lines` with the key of `like`, or NULL. */
const struct hop_json *hop_record_find(const struct hop_json *lines, const struct hop_json *like);

/* hop_eval_find - the merged eval/1 line (shard NULL) or a part among `lines`, or NULL. */
const struct hop_json *hop_eval_find(const struct hop_json *lines, int64_t iteration,
                                     const char *split, const char *shard);

/* hop_eval_merge - the eval/1 line that the parts of (iteration, split) among `lines` make
 * together: examples and wall_s summed, precision and recall made of the sums of "counts"
 * (net/metrics.h), other numbers averaged by examples, texts kept where all agree; no "shard". Parts are taken in the order of their names, so the order of arrival changes
 * nothing. *out is NULL when not all parts are there. Err: HOP_EFORMAT at `where` when the parts
 * contradict one another. */
int hop_eval_merge(const struct hop_json *lines, int64_t iteration, const char *split,
                   const char *where, struct hop_json **out, struct hop_err *e) HOP_MUSTUSE;

#endif

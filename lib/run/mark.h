/* mark - where in the log a config's last lines are, so that a visit need not read all of it.
 *
 * Kept in the model's lock file, as one line "log STATE LAST": byte offsets of the line that its
 * present state came with (train/1, or config/1 before any), behind which all parts of evaluations of
 * that state are, and of the last line of its history. Whoever takes the lock empties the file, and
 * writes it again when all that he did is done and in the log. So a mark says two things: nothing was
 * left behind by somebody who was killed, and the log was complete up to there. It is never taken on
 * trust: lines are looked at in their places, and where they are not what they should be (the log was
 * edited, a machine lost its power) the log is read as a whole.
 */
#ifndef HOP_RUN_MARK_H
#define HOP_RUN_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include "format/model.h"

struct hop_mark {
    int64_t state_at, last_at; /* -1 = not known */
};

/* hop_mark_take - the mark in the lock file open (and held) at fd, which then has none. False where
 * there is none: the last holder did not come to his end, or has never been. */
bool hop_mark_take(int fd, struct hop_mark *mark);

/* hop_mark_leave - write it. What cannot be written is no mark. */
void hop_mark_leave(int fd, const struct hop_mark *mark);

/* hop_mark_is_last - is the last line of m's history (its config line, if that is empty) where the
 * mark says? Then the log has all of them. */
bool hop_mark_is_last(const struct hop_mark *mark, const char *log, const struct hop_model *m);

/* hop_mark_since - from which byte of the log on the parts of evaluations of m's present state are: by
 * the mark, else 0. */
int64_t hop_mark_since(const struct hop_mark *mark, const char *log, const struct hop_model *m);

/* hop_mark_peek - without the lock: the mark of `id` as it is now. */
void hop_mark_peek(const char *run, const char *id, struct hop_mark *mark);

#endif

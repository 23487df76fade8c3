#include "run/mark.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "run/run.h"
#include "run/runlog.h"

enum { MAX_MARK_BYTES = 64 };

static bool
read_mark(int fd, struct hop_mark *mark)
{
    char text[MAX_MARK_BYTES + 1];
    ssize_t n = pread(fd, text, MAX_MARK_BYTES, 0);
    long long state_at, last_at;
    char end;

    *mark = (struct hop_mark){-1, -1};
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (sscanf(text, "log %lld %lld%c", &state_at, &last_at, &end) != 3 || end != '\n')
        return false;
    *mark = (struct hop_mark){state_at, last_at};
    return true;
}

bool
hop_mark_take(int fd, struct hop_mark *mark)
{
    bool is_there = read_mark(fd, mark);

    /* One that cannot be taken away would outlive what it says. */
    if (is_there && ftruncate(fd, 0) < 0)
        *mark = (struct hop_mark){-1, -1};
    return is_there;
}

void
hop_mark_leave(int fd, const struct hop_mark *mark)
{
    char text[MAX_MARK_BYTES];
    int n = snprintf(text, sizeof text, "log %lld %lld\n", (long long)mark->state_at,
                     (long long)mark->last_at);

    if (pwrite(fd, text, (size_t)n, 0) != n && ftruncate(fd, 0) < 0)
        return;
}

void
hop_mark_peek(const char *run, const char *id, struct hop_mark *mark)
{
    struct hop_err e = {0};
    char *path = hop_run_model_lock(run, id, &e);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    *mark = (struct hop_mark){-1, -1};
    if (fd >= 0) {
        read_mark(fd, mark);
        close(fd);
    }
    free(path);
}

bool
hop_mark_is_last(const struct hop_mark *mark, const char *log, const struct hop_model *m)
{
    size_t n = hop_json_len(m->history);

    return hop_runlog_is_at(log, mark->last_at, n ? hop_json_at(m->history, n - 1) : m->config);
}

int64_t
hop_mark_since(const struct hop_mark *mark, const char *log, const struct hop_model *m)
{
    const struct hop_json *line = hop_model_last_train(m);

    return hop_runlog_is_at(log, mark->state_at, line ? line : m->config) ? mark->state_at : 0;
}

#define _GNU_SOURCE /* sched_setaffinity */
#include "base/slot.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/opt.h"
#include "base/str.h"

enum { MAX_TURNS = 64 };

/* One round over the locks; HOP_EBUSY when all are held. */
static int
try_all(const char *dir, const char *device, int n_slots, int *k, int *fd, struct hop_err *e)
{
    struct hop_str path = {0};
    struct hop_err busy = {0};
    int i, rc = HOP_EBUSY;

    for (i = 0; i < n_slots && rc == HOP_EBUSY; i++) {
        path.n = 0;
        hop_str_addf(&path, "%s/%s.%d", dir, device, i);
        if ((rc = hop_str_check(&path, e)))
            break;
        hop_err_clear(&busy);
        rc = hop_lock(path.s, false, fd, &busy);
        *k = i;
        if (rc && rc != HOP_EBUSY)
            hop_fail(e, rc, busy.where, NULL, "%s", busy.what);
    }
    hop_str_clear(&path);
    return rc;
}

int
hop_slot_try(const char *dir, const char *device, int n_slots, int *k, int *fd, struct hop_err *e)
{
    struct stat st;

    *fd = -1;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return hop_fail_errno(e, dir, NULL, "cannot make the folder for device locks");
    if (stat(dir, &st) < 0 || st.st_uid != geteuid())
        return hop_fail(e, HOP_EIO, dir, "set XDG_RUNTIME_DIR to a folder of your own",
                        "the folder for device locks belongs to somebody else");
    return try_all(dir, device, n_slots, k, fd, e);
}

/* Longer naps for those who have waited longer: what a device then stands idle is small beside that. */
static struct timespec
nap_after(double waited_s)
{
    double s = waited_s / 500;

    s = s < 0.0002 ? 0.0002 : s > 0.05 ? 0.05 : s;
    return (struct timespec){0, (long)(s * 1e9)};
}

int
hop_slot_take(const char *dir, const char *device, int n_slots, bool (*is_wanted)(void *arg),
              void *arg, int *k, int *fd, struct hop_err *e)
{
    double start_s = hop_clock_s();
    struct timespec nap;
    int rc;

    while ((rc = hop_slot_try(dir, device, n_slots, k, fd, e)) == HOP_EBUSY) {
        if (is_wanted && !is_wanted(arg))
            return hop_fail(e, HOP_EBUSY, NULL, NULL, "nobody waits for the result any more");
        nap = nap_after(hop_clock_s() - start_s);
        nanosleep(&nap, NULL);
    }
    return rc;
}

int
hop_turn_parse(const char *text, const char *where, struct hop_turn *t, struct hop_err *e)
{
    size_t n = text ? strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") : 0;
    int64_t at_once = 1;
    int rc = HOP_OK;

    *t = (struct hop_turn){0};
    if (!text)
        return HOP_OK;
    if (n < 1 || n > 64 || (text[n] && text[n] != ':'))
        return hop_fail(e, HOP_EARG, where, "NAME or NAME:N; a name is 1 to 64 letters, digits, _ and -",
                        "\"%s\" names no turn", text);
    if (text[n] && (rc = hop_parse_int(text + n + 1, 1, MAX_TURNS, where, &at_once, e)))
        return rc;
    snprintf(t->lock, sizeof t->lock, "turn-%.*s", (int)n, text);
    t->n = (int)at_once;
    return HOP_OK;
}

#ifdef CPU_SETSIZE
int
hop_slot_pin(int k, int n_threads, struct hop_err *e)
{
    cpu_set_t all, mine;
    int i_allowed = 0;

    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return hop_fail_errno(e, "--pin", "leave it out", "cannot tell this process's processors");
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &all))
            continue;
        if (i_allowed >= k * n_threads && i_allowed < (k + 1) * n_threads)
            CPU_SET(i, &mine);
        i_allowed++;
    }
    if (CPU_COUNT(&mine) && sched_setaffinity(0, sizeof mine, &mine) < 0)
        return hop_fail_errno(e, "--pin", "leave it out", "cannot keep to the slot's processors");
    return HOP_OK;
}
#else
int
hop_slot_pin(int k, int n_threads, struct hop_err *e)
{
    (void)k;
    (void)n_threads;
    return hop_fail(e, HOP_EFAIL, "--pin", "leave it out", "this system cannot pin processes");
}
#endif

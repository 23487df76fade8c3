#define _GNU_SOURCE /* sched_setaffinity */
#include "base/slot.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"

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

int
hop_slot_take(const char *dir, const char *device, int n_slots, int *k, int *fd,
              struct hop_err *e)
{
    struct timespec nap = {0, 1000000};
    int rc;

    while ((rc = hop_slot_try(dir, device, n_slots, k, fd, e)) == HOP_EBUSY) {
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < 50000000)
            nap.tv_nsec *= 2;
    }
    return rc;
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

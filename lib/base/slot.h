/* slot - at most n processes of a user on one device of a host at a time; and at most n of those that
 * take turns by a name of their own choice, whatever device they are for.
 *
 * Locks are flock(2)s: they go with the process that holds them, however it ends. Who wants both a turn
 * and a slot takes the turn first; so nobody waits in a circle. */
#ifndef HOP_BASE_SLOT_H
#define HOP_BASE_SLOT_H

#include <stdbool.h>
#include "base/err.h"

/* hop_slot_take - wait for one of n_slots locks "DIR/DEVICE.K" (DIR is made, mode 0700, and must be
 * the caller's own). *k: which; *fd holds it until closed or the process ends. Who waits looks again
 * after a 500th of the time that it has waited (0.2 to 50 ms), and each time asks is_wanted(arg), unless
 * NULL. Err: HOP_EIO; HOP_EBUSY when it is not wanted any more. */
int hop_slot_take(const char *dir, const char *device, int n_slots, bool (*is_wanted)(void *arg),
                  void *arg, int *k, int *fd, struct hop_err *e) HOP_MUSTUSE;

/* Turns: locks of slots whose "device" is lock[]. */
struct hop_turn {
    char lock[72]; /* "turn-NAME" */
    int n;         /* at a time; 0 = none are taken */
};

/* hop_turn_parse - "NAME" or "NAME:N": N at a time (1, at most 64). NAME is 1 to 64 letters, digits, '_',
 * '-'. NULL: none. Err: HOP_EARG at `where`. */
int hop_turn_parse(const char *text, const char *where, struct hop_turn *t, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_slot_try - as hop_slot_take, without waiting: HOP_EBUSY when all are held. Threads of one process
 * exclude one another, too. */
int hop_slot_try(const char *dir, const char *device, int n_slots, int *k, int *fd,
                 struct hop_err *e) HOP_MUSTUSE;

/* hop_slot_pin - keep this thread, and those that it starts later, to the processors of slot k:
 * numbers k * n_threads and on of those it may use. Err: HOP_EFAIL if the system refuses or cannot. */
int hop_slot_pin(int k, int n_threads, struct hop_err *e) HOP_MUSTUSE;

#endif

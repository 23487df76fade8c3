/* slot - at most n processes of a user on one device of a host at a time. */
#ifndef HOP_BASE_SLOT_H
#define HOP_BASE_SLOT_H

#include "base/err.h"

/* hop_slot_take - wait for one of n_slots locks "DIR/DEVICE.K" (DIR is made, mode 0700, and must be
 * the caller's own). *k: which; *fd holds it until closed or the process ends. Err: HOP_EIO. */
int hop_slot_take(const char *dir, const char *device, int n_slots, int *k, int *fd,
                  struct hop_err *e) HOP_MUSTUSE;

/* hop_slot_try - the same without waiting: HOP_EBUSY when all are held. Threads of one process
 * exclude one another, too. */
int hop_slot_try(const char *dir, const char *device, int n_slots, int *k, int *fd,
                 struct hop_err *e) HOP_MUSTUSE;

/* hop_slot_pin - keep this thread, and those that it starts later, to the processors of slot k:
 * numbers k * n_threads and on of those it may use. Err: HOP_EFAIL if the system refuses or cannot. */
int hop_slot_pin(int k, int n_threads, struct hop_err *e) HOP_MUSTUSE;

#endif

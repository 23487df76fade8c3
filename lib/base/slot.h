/* slot - at most n processes of a user on one device of a host at a time. */
#ifndef HOP_BASE_SLOT_H
#define HOP_BASE_SLOT_H

#include "base/err.h"

/* hop_slot_take - wait for one of n_slots locks "DIR/DEVICE.K" (DIR is made, mode 0700, and must be
 * the caller's own). *fd holds it until closed or the process ends. Err: HOP_EIO. */
int hop_slot_take(const char *dir, const char *device, int n_slots, int *fd, struct hop_err *e)
    HOP_MUSTUSE;

#endif

/* turn - the visits of one worker process take turns on the device in the order of their arrival.
 *
 * A visit waits as long as an earlier one claims its turn and is not inside. Those whose model comes
 * through a pipe claim theirs only when it is there, so that nobody waits for a slow sender; and one
 * whose turn by name (hop-train --turn) others have is passed by. The locks of turns and slots
 * (base/slot.h) are taken on top, so that visits of other processes count, too.
 */
#ifndef HOP_TOOL_TURN_H
#define HOP_TOOL_TURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "base/err.h"
#include "base/slot.h"

struct turn {
    struct turn *next;
    bool is_claimed, is_inside;
    atomic_bool is_over;    /* nobody wants it any more */
    struct hop_turn named;  /* set before turns_join */
    int slot_fd, named_fd;  /* -1: none */
};

struct turns {
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct turn *first; /* in the order of arrival */
    int n_inside;
};

void turns_init(struct turns *q);
void turns_clear(struct turns *q); /* nobody is in it */

/* turns_join - t is the last to arrive. turns_claim - and from now on the next ones wait for it. */
void turns_join(struct turns *q, struct turn *t);
void turns_claim(struct turns *q, struct turn *t);

/* turns_admit - wait until so few are before t that its turn comes soon: until then it should hold
 * no memory. Err: HOP_EBUSY when it is over. */
int turns_admit(struct turns *q, struct turn *t, int n_slots, struct hop_err *e) HOP_MUSTUSE;

/* turns_enter - wait for t's turn, the one by name included, and one of n_slots slots, whose locks are
 * called `locks`; *k: which.
 * Err: HOP_EBUSY when it is over; HOP_EIO. */
int turns_enter(struct turns *q, struct turn *t, const char *lock_dir, const char *locks,
                int n_slots, int *k, struct hop_err *e) HOP_MUSTUSE;

/* turns_leave - out of the queue, inside or not, and free the slot; may be called again. */
void turns_leave(struct turns *q, struct turn *t);

/* turns_end - make it over: whoever waits in it stops. */
void turns_end(struct turns *q, struct turn *t);

#endif

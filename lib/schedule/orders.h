/* orders - which visit comes when, read from a file: the visit/1 lines of a plan or the train/1
 * lines of a log (each config's visits by number, all visits by line). */
#ifndef HOP_SCHEDULE_ORDERS_H
#define HOP_SCHEDULE_ORDERS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "schedule/shards.h"
#include "schedule/tasks.h"

struct hop_orders {
    uint32_t **shards; /* [n] of each task */
    double **ranks;    /* [n] */
    size_t n;
};

/* hop_orders_read - give tasks their order (want_shards) and rank; what the file does not have of a
 * task, from its first gap on, is not given. tasks borrow from *o. Err: HOP_EIO, HOP_EFORMAT at
 * path:LINE, also for a shard that the data have not. */
int hop_orders_read(const char *path, const struct hop_shard_list *data, bool want_shards,
                    struct hop_tasks *tasks, struct hop_orders *o, struct hop_err *e) HOP_MUSTUSE;
void hop_orders_clear(struct hop_orders *o);

#endif

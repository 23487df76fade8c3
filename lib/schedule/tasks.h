/* tasks - what is left to do of a batch of configs: their lines, their model files, their costs. */
#ifndef HOP_SCHEDULE_TASKS_H
#define HOP_SCHEDULE_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "run/run.h"
#include "schedule/shards.h"
#include "schedule/plan.h"
#include "schedule/workers.h"

struct hop_tasks_in {
    const struct hop_configs *configs; /* the batch, in order */
    const char *run;                   /* or NULL: nothing is done yet */
    const char *nets_dir;              /* where nets named in configs lie */
    const struct hop_shard_list *data;
    const struct hop_workers *workers;
    const char *where;     /* the batch's name, for errors */
    int64_t iterations;    /* overrides "until"; 0 = as in the config */
    int64_t ahead;         /* no more iterations of each config, counting one under way; 0 = all */
    int64_t eval_every;    /* as in struct hop_sched_in */
    const bool *is_eval;   /* [data->n] shards that configs are evaluated on */
};

struct hop_tasks {
    struct hop_sched_task *v; /* [n] one per config that has something left; ids are borrowed */
    const struct hop_json **configs; /* [n] borrowed */
    size_t n;
    size_t n_done, n_diverged; /* left out */
    char *eval_todo;           /* [n * data->n] */
    char *seen;                /* [n * data->n_train] */
    double *speed;             /* [workers->n] as told in their file, else by visits */
    double flops_per_s;        /* speed of training that costs were reckoned with */
    bool is_measured;          /* flops_per_s comes from visits of RUN, not from a guess */
};

/* hop_tasks_read - look at RUN's model files and nets. A config that RUN/configs.jsonl lists has
 * its place there, others follow. Err: HOP_EFORMAT, HOP_EIO. */
int hop_tasks_read(const struct hop_tasks_in *in, struct hop_tasks *t, struct hop_err *e)
    HOP_MUSTUSE;
void hop_tasks_clear(struct hop_tasks *t);

#endif

/* workers - the places that train, and which shards lie there.
 *
 * A number N stands for N workers on this machine, w0 to w(N-1). Else a file of JSON lines, one
 * per worker:
 *   name    needed, unique
 *   ssh     "user@host" or ["-p","2222","user@host"]: how to get there; absent = this machine
 *   srun    ["--mem=4G"], options or none: through Slurm's srun; absent = not. Not with ssh
 *   device  what its hop-train is given as --device; absent = none given
 *   precision  what its hop-train and hop-eval are given as --precision; absent = none given
 *   keep    what its hop-train is given as --keep; absent = none given
 *   folder  where its shards lie; absent = the data folder
 *   path    where hop-train and hop-eval lie there; absent = found by PATH
 *   shards  the names of its shards; absent = every W-th of each split, from its own place on;
 *           a shard that several workers list has replicas: any of them may train on it
 *   slots   visits at a time; absent = 1
 *   send_ahead  visits for each slot whose models are sent while others train there; absent: as asked
 *           for in general (hop_emit_ahead)
 *   speed   relative to the others, where visits have not told yet; absent = 1
 *   bytes_per_s  of the way of models to it and back; absent = not reckoned (ssh: 1e8)
 *   node    the Slurm node that its jobs (and steps) are pinned to; absent = any
 *   gres    what these ask Slurm for, like gpu:1; absent = nothing
 *   sbatch  ["--partition=gpu"]: more options for its jobs
 *   probe   what `hop-schedule probe` found out about it: for people; but for the fingerprints
 *           (numerics.h) not read
 */
#ifndef HOP_SCHEDULE_WORKERS_H
#define HOP_SCHEDULE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "schedule/shards.h"

enum { HOP_MAX_SEND_AHEAD = 8 };

struct hop_worker {
    const char *name, *device, *precision, *keep, *folder, *path; /* all but name may be NULL */
    const char *node, *gres;                   /* or NULL */
    const char *fingerprint, *fast;            /* of its probe, or NULL */
    const struct hop_json *ssh;                /* a string, an array of strings, or NULL */
    const struct hop_json *srun;               /* an array of strings, or NULL */
    const struct hop_json *sbatch;             /* an array of strings, or NULL */
    const struct hop_json *shards;             /* an array of strings, or NULL */
    int64_t n_slots;
    int64_t send_ahead; /* < 0 = not said */
    double speed;       /* 0 = not said */
    double bytes_per_s; /* 0 = not reckoned */
};

struct hop_workers {
    struct hop_worker *v; /* [n], borrowing from lines */
    size_t n;
    struct hop_json *lines;
};

/* hop_workers_read - `text` is a number or a file's path. Err: HOP_EARG, HOP_EIO; HOP_EFORMAT for
 * two workers of one name, unknown keys. */
int hop_workers_read(const char *text, struct hop_workers *w, struct hop_err *e) HOP_MUSTUSE;
void hop_workers_clear(struct hop_workers *w);

/* hop_worker_is_far - is it elsewhere, its files not to be looked at from here, and do models travel to
 * it through the command that gets there? */
bool hop_worker_is_far(const struct hop_worker *w);

/* hop_workers_find - index of the worker called `name`, or -1. */
long hop_workers_find(const struct hop_workers *w, const char *name);

/* Which workers hold which shards: shard i of m is held by worker[first[i]] to
 * worker[first[i + 1] - 1], in their order. */
struct hop_placement {
    uint32_t *worker;
    size_t *first; /* [m->n + 1] */
};

/* hop_workers_place - for workers on this machine the file must be there (folder as given, or
 * data_dir; NULL: files are not looked at). Err: HOP_EFORMAT for a shard that lies nowhere or is
 * unknown, or whose file is another or one of another number of shards; HOP_EIO for a file that is
 * not there. */
int hop_workers_place(const struct hop_workers *w, const struct hop_shard_list *m,
                      const char *data_dir, struct hop_placement *out, struct hop_err *e)
    HOP_MUSTUSE;
void hop_placement_clear(struct hop_placement *p);

#endif

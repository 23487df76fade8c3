/* reach - how a command gets to a worker: as it is on this machine, else through ssh or srun. */
#ifndef HOP_SCHEDULE_REACH_H
#define HOP_SCHEDULE_REACH_H

#include <stddef.h>
#include "base/err.h"
#include "schedule/workers.h"

/* Words of a command, NULL-ended, all on the heap. Begin with {0}. Additions that run out of memory
 * set is_oom and are ignored; hop_words_check tells. */
struct hop_words {
    char **v;
    size_t n, cap;
    bool is_oom;
};

void hop_words_add(struct hop_words *w, const char *word);
void hop_words_addf(struct hop_words *w, const char *fmt, ...) HOP_PRINTF(2, 3);
int hop_words_check(const struct hop_words *w, struct hop_err *e) HOP_MUSTUSE;
void hop_words_clear(struct hop_words *w);

/* hop_reach_ssh - "ssh" and the worker's own words up to its host, which is the last. timeout_s: the
 * time that a connection may take to come about (0: ssh's own). Nobody is there to be asked, so what
 * would ask fails instead. */
void hop_reach_ssh(const struct hop_worker *w, int timeout_s, struct hop_words *out);

/* hop_reach_srun - the words before a command that run it as one task on the node of a worker with
 * "srun": in the job that we are in, else in a job of its own. Standard input and output go through as
 * they are. What goes wrong with Slurm, not with the command, is exit 75: try again. */
void hop_reach_srun(const struct hop_worker *w, struct hop_words *out);

/* hop_reach - the command `words` on worker w: the same words where it is this machine; with "srun"
 * the words of that before them; else ssh, and all of them, quoted, as the one word that the shell over
 * there reads back. */
int hop_reach(const struct hop_worker *w, int timeout_s, const struct hop_words *words,
              struct hop_words *out, struct hop_err *e) HOP_MUSTUSE;

/* hop_reach_host - the last word of "ssh": "user@host"; NULL for this machine. Borrowed. */
const char *hop_reach_host(const struct hop_worker *w);

#endif

/* emitters - a plan as text for whatever carries it out. One emitter = one file emit_NAME.c and
 * one row in emitters.c. */
#ifndef HOP_SCHEDULE_EMITTERS_H
#define HOP_SCHEDULE_EMITTERS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "schedule/plan.h"
#include "schedule/tasks.h"
#include "schedule/workers.h"

struct hop_emit_in {
    const struct hop_sched_in *in;
    const struct hop_sched *plan;
    const struct hop_tasks *tasks; /* those of in */
    const struct hop_workers *workers;
    const char *policy;
    const char *run;    /* NULL: no script can be made */
    const char *data_dir;
    const char *device; /* for workers that name none; or NULL */
    const char *precision, *keep; /* the same */
    const char *nets_dir; /* as given by the user, else NULL */
    const char *run_id; /* tells runs apart on the hosts of workers: where `run` lies; or NULL: run */
    int64_t send_ahead; /* of workers that say nothing; < 0: 1 of those behind ssh, else 0 */
    int64_t retries;    /* of visits that ask for it (exit 75) */
    const char *halt;   /* when one fails: "never", "soon" or "now" */
    /* Print what is in out and empty it; NULL: keep it all. Emitters whose text is long and whose lines
     * can no longer fail call it now and then (HOP_EMIT_BYTES). */
    void (*spill)(struct hop_str *out);
};

enum { HOP_EMIT_BYTES = 1 << 16 };

struct hop_emitter {
    const char *name, *summary;
    int (*emit)(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e);
    bool has_commands; /* needs in->run, and a plan whose workers are no inventions */
};
extern const struct hop_emitter *const hop_emitters[]; /* NULL-ended; the first is the default */
extern const struct hop_emitter hop_emitter_json, hop_emitter_plan, hop_emitter_lines,
    hop_emitter_sh, hop_emitter_make, hop_emitter_slurm, hop_emitter_more;

/* hop_emitter_find - by name. Err: HOP_EARG listing the known ones. */
int hop_emitter_find(const char *name, const struct hop_emitter **out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_emit_plan - the plan/1 line. */
int hop_emit_plan(const struct hop_emit_in *in, struct hop_str *out, struct hop_err *e) HOP_MUSTUSE;

/* hop_emit_visit - the whole command of one visit, on one line, every word quoted: hop-visit here,
 * with hop-train or hop-eval here or behind ssh or srun as its filter. $HOP_NL must hold a newline. */
void hop_emit_visit(const struct hop_emit_in *in, const struct hop_sched_visit *v,
                    struct hop_str *out);

/* hop_emit_ahead - how many visits more than it has slots an engine may begin at this worker, so that
 * their models are there when a slot gets free: its send_ahead for each slot. Their commands then have
 * a turn by name (base/slot.h), so that no more train there than it has slots. 0 where the plan has
 * barriers. */
size_t hop_emit_ahead(const struct hop_emit_in *in, size_t worker);

/* hop_emit_host - append the words by which ssh finds the worker's host, each quoted, on one line. */
void hop_emit_host(const struct hop_worker *w, struct hop_str *out);

/* hop_emit_birth - the same for the making of a config's model file. */
void hop_emit_birth(const struct hop_emit_in *in, const char *id, struct hop_str *out);

#endif

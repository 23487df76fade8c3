/* status - how a run stands, from its files alone: whoever asks takes no lock and writes nothing, so it
 * may be asked at any time, whether somebody works on the run or not.
 *
 *   RUN/schedule.jsonl      what the last call of hop-run planned: the lines from its last plan/1 on
 *   RUN/log.jsonl           what was done
 *   RUN/jobs/failures.jsonl visits that died: failure/1 lines (hop_failure_note)
 *   RUN/best.txt            what "best" means
 */
#ifndef HOP_RUN_STATUS_H
#define HOP_RUN_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "format/json.h"

struct hop_status {
    int64_t n_configs, n_diverged;
    int64_t n_visits, n_evals; /* done in all: visits, evaluations of single shards */
    /* Of the last plan; all 0 where there is none. */
    int64_t n_planned, n_done; /* visits and evaluations */
    double elapsed_s;          /* since it was made; of a run that is over, until its last line */
    double to_go_s;            /* by what the plan expects of the rest; -1 = not known */
    double per_s;              /* visits and evaluations done in a second */
    double idle_frac;          /* part of the slots' time in which nobody trained; -1 = not known */
    int64_t n_failures;        /* since then */
    char failure[400];         /* the last one, in words; "" = none */
    enum { HOP_STATUS_UNKNOWN, HOP_STATUS_IDLE, HOP_STATUS_RUNNING } activity;
    char best_id[128]; /* "" = nothing evaluated yet */
    char best_key[64]; /* "val.accuracy" */
    double best;
    int64_t best_iteration;
};

/* hop_status_read - Err: HOP_EIO where RUN is no folder; damaged lines are skipped. */
int hop_status_read(const char *run, struct hop_status *s, struct hop_err *e) HOP_MUSTUSE;

/* hop_status_json - the status/1 record. */
struct hop_json *hop_status_json(const struct hop_status *s);

/* hop_status_text - a few lines for people; hop_status_brief - rate, idle part, failures and the best so
 * far, in words that continue a line. */
void hop_status_text(const struct hop_status *s, struct hop_str *out);
void hop_status_brief(const struct hop_status *s, struct hop_str *out);

/* hop_failure_note - append a failure/1 line about a visit that died. Whether that works or not, the
 * visit has failed for its own reason, so nothing is returned. worker, shard may be NULL. */
void hop_failure_note(const char *run, const char *id, int64_t visit, const char *shard,
                      const char *worker, bool is_eval, const struct hop_err *why);

#endif

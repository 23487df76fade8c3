/* visit - one atomic step in the life of a config: birth, training on a shard, evaluation.
 *
 * The model file is the truth. A step runs the filter with the model file as its input, checks
 * the whole result, puts it in the model file's place in one rename, and only then appends to the
 * log; whatever dies in between, the next call for the same id finds either the old or the new
 * file whole, removes what is left over, and appends the log lines that the file's history has
 * and the log has not.
 */
#ifndef HOP_RUN_VISIT_H
#define HOP_RUN_VISIT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

struct hop_visit {
    const char *run, *id;
    const char *shard;    /* NULL at birth */
    const char *worker;   /* recorded in eval parts; or NULL */
    int64_t visit;        /* K >= 1; 0 = birth; with is_eval the state to be evaluated */
    bool is_eval;
    char *const *filter;  /* argv, NULL-ended */
    bool is_skipped;      /* out: it was done before */
    bool is_tried;        /* out: the filter was run */
    struct hop_json *line; /* out: what went to the log (to be freed), or NULL */
    /* out: where the time of a birth or a training visit went. begin: the lock, the old model, a log
     * that lacked lines; filter: from its start to its end; check: the result read and digested; commit:
     * fsync and rename; log: what was appended. */
    double begin_s, filter_s, check_s, commit_s, log_s;
};

/* hop_visit_run - do it unless it is done. Training locks the model and does not wait; evaluation
 * reads the model without a lock and waits for it only to record.
 * Err: HOP_EBUSY when the model is locked, or has not yet the visits before this one, or the
 * filter may be tried again; HOP_EFAIL for a filter that failed; HOP_EFORMAT for a result that is
 * not what it should be (the model file stays as it was), or a model whose config is not that of
 * RUN/configs.jsonl. Whatever fails after the filter was begun, but for our being told to end, is noted
 * in RUN/jobs/failures.jsonl (status.h). */
int hop_visit_run(struct hop_visit *v, struct hop_err *e) HOP_MUSTUSE;

/* hop_run_restore - for `id`, or for all models when NULL: append what the log lacks, merge eval
 * parts that are complete, remove what killed writers left. Models in use are left to their
 * users. */
int hop_run_restore(const char *run, const char *id, struct hop_err *e) HOP_MUSTUSE;

#endif

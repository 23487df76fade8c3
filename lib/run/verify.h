/* verify - the proof of a model file: its config, begun afresh and given the same visits one after
 * the other, in the order of its history, must come to the same bytes.
 *
 * A config with a parent (run/parent.h) begins with the parent's state: its visits up to there are repeated
 * first, as its model file in the same folder tells of them, and so on to the first ancestor.
 *
 * Nothing is taken from a model file but its config line, its architecture, its history, and the
 * tensors to compare with; nothing of the run is locked or changed. Each train/1 line has the digest
 * of the tensors after its visit, so the visit that went another way is known, too.
 */
#ifndef HOP_RUN_VERIFY_H
#define HOP_RUN_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "format/safetensors.h"
#include "net/state.h"

/* A visit as the history tells of it; borrowed from there. */
struct hop_verify_visit {
    int64_t visit, n; /* number `visit` (from 1) of n */
    int64_t passes; /* 0 = as the config says */
    const char *shard, *device, *fingerprint, *digest; /* digest: of the tensors after it */
};

struct hop_verify {
    const char *model; /* path of the model file */
    const char *tmp;   /* folder for copies of the model (two at a time, without names) */
    /* Called before each visit: the command that gives it, as hop_filter_run takes it; borrowed
     * until the next call. */
    int (*filter)(void *arg, const struct hop_verify_visit *v, char *const **argv,
                  struct hop_err *e);
    /* Called when the config names start weights: put them into t. */
    int (*weights)(void *arg, const char *path, struct hop_training *t, struct hop_err *e);
    void *arg;
};

/* What came of it. Visits are 0 where there is no such visit. */
struct hop_verify_found {
    char id[128];
    int64_t n_visits;
    bool is_equal;          /* every byte of every tensor, step and iteration */
    int64_t other_bytes;    /* the first visit after which the digest was another */
    int64_t other_numerics; /* the first visit that was made with another fingerprint */
    char was[160], now[160]; /* these fingerprints; without such a visit the last one's */
    char digest[HOP_DIGEST_LEN + 1]; /* of the tensors in the model file */
    char tensor[256];       /* the first tensor that differs ("" = none does), */
    char what[160];         /* in what */
    int64_t byte;           /* and the first such byte in it; -1 = not a matter of bytes */
};

/* hop_verify_run - Err: HOP_EFORMAT for a model file without visits, or one that is damaged; a
 * shard of another data set; what the filter fails with (run/filter.h). A difference is no error. */
int hop_verify_run(const struct hop_verify *v, struct hop_verify_found *found, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_verify_compare - the first difference between two files' tensors into found (tensor, what,
 * byte, is_equal). */
void hop_verify_compare(const struct hop_st *was, const struct hop_st *now,
                        struct hop_verify_found *found);

/* hop_verify_json - the verify/1 record. */
struct hop_json *hop_verify_json(const struct hop_verify_found *found);

#endif

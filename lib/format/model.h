/* model - a model file: the whole state of one config, in safetensors.
 *
 * Tensors (F32, Keras layout and names): "conv2d_1/kernel" [kh,kw,in,out], "dense/kernel" [in,out],
 * "batch_normalization/moving_mean" ...; optimizer slots "optimizer/<slot>/<weight>".
 * Metadata, all strings:
 *   hop.kind          "model/1"
 *   hop.config        the config line (JSON)
 *   hop.architecture  Keras JSON of the net
 *   hop.progress      {"iteration","visits","step","status"}: complete iterations, visits done,
 *                     optimizer steps done, "ok" or "diverged"
 *   hop.data          hop_dataset_info JSON of the data trained on; missing before the first visit
 *   hop.history       JSON array of every train/1 and eval/1 line so far, in order
 */
#ifndef HOP_FORMAT_MODEL_H
#define HOP_FORMAT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"
#include "format/safetensors.h"

#define HOP_MAX_MODEL_BYTES ((size_t)64 << 30)

struct hop_model {
    struct hop_st st;   /* tensors; data NULL-checked; empty for a model in the making */
    char *bytes;        /* what st borrows from, if it is m's to free (hop_model_read), else NULL */
    struct hop_json *config;
    struct hop_json *architecture;
    struct hop_json *data;    /* or NULL */
    struct hop_json *history; /* array */
    char id[128];             /* of the config */
    int64_t iteration, visits, step;
    bool is_diverged;
};

/* hop_model_read - from fd (a pipe or file), all checks and digests. Err: HOP_EFORMAT, HOP_EIO. */
int hop_model_read(int fd, const char *where, struct hop_model *m, struct hop_err *e) HOP_MUSTUSE;

/* hop_model_parse - the same from what was read: m borrows its bytes, which must outlive m. */
int hop_model_parse(const struct hop_st_input *in, const char *where, struct hop_model *m,
                    struct hop_err *e) HOP_MUSTUSE;

/* hop_model_open - map a file. want_data_digest false reads only the header (planning, status). */
int hop_model_open(const char *path, bool want_data_digest, struct hop_model *m,
                   struct hop_err *e) HOP_MUSTUSE;

/* hop_model_write - m's metadata with the given tensors. `tensors` NULL = m's own; digest: theirs, if
 * the caller has it, else NULL. */
int hop_model_write(int fd, const char *where, const struct hop_model *m,
                    const struct hop_tensor *tensors, size_t n_tensors, const char *digest,
                    struct hop_err *e) HOP_MUSTUSE;

void hop_model_clear(struct hop_model *m);

/* hop_model_last_train - the last train/1 line of the history, borrowed, or NULL. */
const struct hop_json *hop_model_last_train(const struct hop_model *m);

/* hop_id_check - ids are file names and reach shells: 1 to 100 of [A-Za-z0-9._-], not starting
 * with '.' or '-'. Err: HOP_EFORMAT at where. */
int hop_id_check(const char *id, const char *where, struct hop_err *e) HOP_MUSTUSE;

#endif

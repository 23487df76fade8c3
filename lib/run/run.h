/* run - the run folder: where its files lie, and its configs.
 *
 *   RUN/configs.jsonl          one config/1 line per id
 *   RUN/models/ID.safetensors  the state of each config, replaced as a whole
 *   RUN/models/.ID.lock        held by whoever may replace it; never removed
 *   RUN/best/ID.safetensors    the state of each config that did best so far (best.h)
 *   RUN/best.txt               by which metric
 *   RUN/log.jsonl              train/1, eval/1 and config/1 lines, only appended to
 *   RUN/.lock                  held by the hop-run that works on it, and its script
 *   RUN/.visits.lock           held by every visit that is being made, beside others (shared), so that a
 *                              hop-run sees those that outlived an earlier one
 *   RUN/jobs/                  what engines leave: job logs, scripts
 */
#ifndef HOP_RUN_RUN_H
#define HOP_RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "format/json.h"

/* Paths, on the heap; NULL with HOP_ENOMEM in e. */
char *hop_run_path(const char *run, const char *name, struct hop_err *e); /* RUN/NAME */
char *hop_run_model(const char *run, const char *id, struct hop_err *e);
char *hop_run_best(const char *run, const char *id, struct hop_err *e);
char *hop_run_model_lock(const char *run, const char *id, struct hop_err *e);

/* hop_run_enter - hold RUN/.visits.lock as a visit does, for as long as *fd is open. Err: HOP_EIO. */
int hop_run_enter(const char *run, int *fd, struct hop_err *e) HOP_MUSTUSE;

/* hop_run_make - the folder and what must be in it; nothing happens to what is there. */
int hop_run_make(const char *run, struct hop_err *e) HOP_MUSTUSE;

/* Configs in the order in which their ids first came. */
struct hop_configs {
    struct hop_json **v;
    size_t n, cap;
    uint32_t *places; /* [n_places] a hash table of ids: place + 1 in v, 0 = free */
    size_t n_places;
};

/* hop_configs_read - config/1 lines from fd. A line whose id was there before replaces it if they
 * differ in "until" alone, else HOP_EFORMAT at `where:LINE`. */
int hop_configs_read(int fd, const char *where, struct hop_configs *c, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_configs_load - RUN/configs.jsonl; none when the file is missing. */
int hop_configs_load(const char *run, struct hop_configs *c, struct hop_err *e) HOP_MUSTUSE;

/* hop_configs_load_one - the same, of the lines that hold `id` alone: what else is in the file costs
 * little, and is not checked. */
int hop_configs_load_one(const char *run, const char *id, struct hop_configs *c, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_configs_add - add `take` (owned by c on success) as hop_configs_read does with a line. */
int hop_configs_add(struct hop_configs *c, struct hop_json *take, const char *where,
                    struct hop_err *e) HOP_MUSTUSE;

/* hop_configs_record - add `more` to RUN/configs.jsonl under its lock, in one replacement; the
 * folder is made where missing. Err: HOP_EFORMAT when an id has another config there. */
int hop_configs_record(const char *run, const struct hop_configs *more, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_configs_find - the line of `id` and its place (from 0; may be NULL), or NULL. */
const struct hop_json *hop_configs_find(const struct hop_configs *c, const char *id,
                                        size_t *place);
void hop_configs_clear(struct hop_configs *c);

/* hop_config_differs - the first key in which two configs differ, or NULL. "until" is no part of
 * what a config is, and numbers are compared as they are written (9 digits). */
const char *hop_config_differs(const struct hop_json *a, const struct hop_json *b);

#endif

/* warm - what a worker process keeps between visits: memory for models, compiled plans, shards.
 *
 * What is taken is the taker's until it is given back; plans and models' memory have one user at a
 * time, so as many are made as visits run side by side. What nobody uses is dropped, the longest
 * unused first, where all together hold more than the limit. Safe to call from many threads.
 */
#ifndef HOP_TOOL_WARM_H
#define HOP_TOOL_WARM_H

#include "train_job.h"

struct warm *warm_new(int64_t max_bytes, struct hop_err *e);
void warm_free(struct warm *w); /* nothing is taken; NULL is none */
void warm_set_limit(struct warm *w, int64_t max_bytes);

/* warm_input_take - memory for an input: fd's bytes in memory that an earlier input left, which spares
 * the system finding and clearing as many pages. `wait` (or NULL) is called before each read and fails
 * with a code when nobody wants it any more. */
int warm_input_take(struct warm *w, int fd, int (*wait)(void *arg, int fd, struct hop_err *e),
                    void *arg, struct hop_st_input **out, struct hop_err *e) HOP_MUSTUSE;
void warm_input_give(struct warm *w, struct hop_st_input *in);

/* warm_training_take, _give - as the rows of struct train_place. Kept by architecture, optimizer
 * and number of slots. Not good: dropped. */
int warm_training_take(struct warm *w, const struct hop_model *m, struct hop_training *t,
                       struct hop_err *e) HOP_MUSTUSE;
void warm_training_give(struct warm *w, struct hop_training *t, bool is_good);

/* warm_plan_take - a plan in which `state` is loaded: one kept for all that compiling depends on
 * (net, device, threads, precision, batch size, loss, optimizer and slots; hyperparameters where the
 * device cannot change them), or a fresh one. */
int warm_plan_take(struct warm *w, const struct train_options *o, const struct hop_model *m,
                   const struct hop_plan_spec *spec, const struct hop_state *state,
                   struct train_plan **out, struct hop_err *e) HOP_MUSTUSE;
void warm_plan_give(struct warm *w, struct train_plan *p, bool is_good);

/* warm_shard_take - the shard at `path`, taken from folder cwd_fd on, for which errors know it as
 * `path`. It is opened and checked again when the file is another than before: by device, inode, size,
 * or the times of its last change. */
int warm_shard_take(struct warm *w, int cwd_fd, const char *path, const struct hop_shard **out,
                    struct hop_err *e) HOP_MUSTUSE;
void warm_shard_give(struct warm *w, const struct hop_shard *s);

#endif

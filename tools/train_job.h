/* train_job - what hop-train does for one call, as a function: the model from one descriptor,
 * trained, to another.
 *
 * Nothing in here ends the process, reads its environment or options, or touches its standard
 * streams, so that a worker process (keep.h) can do many calls side by side, one per thread. What a
 * call says to people goes through tool_warn and tool_progress, in the voice of its thread. Where it
 * waits and what it finds ready is the seam `struct train_place`.
 */
#ifndef HOP_TOOL_TRAIN_JOB_H
#define HOP_TOOL_TRAIN_JOB_H

#include "engine/session.h"
#include "format/shard.h"
#include "net/state.h"

struct train_options {
    const char *shard;  /* NULL: pass the model through */
    const char *device, *precision;
    const char *worker; /* or NULL */
    const char *nets, *weights, *weights_by; /* with is_init; nets, weights may be NULL */
    const char *share_dir; /* holds nets/ where nets is NULL */
    const char *lock_dir;  /* of the device's slots (base/slot.h) */
    int64_t passes;        /* 0: the config's */
    int64_t threads;
    bool is_init;          /* the input is a config line */
    bool is_pinned;
};

/* A compiled plan, its device and the net that it was compiled with; the examples' binding. */
struct train_plan {
    struct hop_session session;
    struct hop_net *net; /* owned */
};

/* Where a visit is made. The functions of a place are called in the order of their rows; once a row
 * has failed with HOP_EBUSY, nobody wants the visit's result any more. */
struct train_place {
    /* All bytes of the input; given back with input_give, when nothing points into them any more. */
    int (*input_take)(struct train_place *p, int fd, struct hop_st_input **out, struct hop_err *e);
    /* Memory for m's net, loaded with its tensors. Given back with training_give. */
    int (*training_take)(struct train_place *p, const struct hop_model *m, struct hop_training *t,
                         struct hop_err *e);
    /* The shard at `path`, checked; stays as it is until shard_give. */
    int (*shard_take)(struct train_place *p, const char *path, const struct hop_shard **out,
                      struct hop_err *e);
    /* Wait for one of n_slots slots of the device, whose locks have this name; *k: which. */
    int (*enter)(struct train_place *p, const char *locks, int n_slots, int *k, struct hop_err *e);
    /* A plan for t's net and spec, loaded with `state`. */
    int (*plan_take)(struct train_place *p, const struct hop_model *m,
                     const struct hop_plan_spec *spec, const struct hop_state *state,
                     struct train_plan **out, struct hop_err *e);
    /* After each step: is the result still wanted? */
    bool (*is_wanted)(struct train_place *p);
    void (*plan_give)(struct train_place *p, struct train_plan *plan, bool is_good);
    void (*leave)(struct train_place *p); /* the slot */
    void (*shard_give)(struct train_place *p, const struct hop_shard *shard);
    void (*training_give)(struct train_place *p, struct hop_training *t, bool is_good);
    void (*input_give)(struct train_place *p, struct hop_st_input *in);
    const struct train_options *options; /* set by train_job_run */
};

/* train_job_run - one call. place NULL: a process of its own, which holds its slot until it ends.
 * Err: as hop-train's manual has them; 2, 1 and 75 come of hop_err_exit. Writing to out_fd fails with
 * e->where "stdout". */
int train_job_run(const struct train_options *o, int in_fd, int out_fd, struct train_place *place,
                  struct hop_err *e) HOP_MUSTUSE;

/* train_job_input - the first half of it, for --dry-run: the model, or a fresh one, from in_fd. */
int train_job_input(const struct train_options *o, int in_fd, struct hop_model *m,
                    struct hop_training *t, struct hop_err *e) HOP_MUSTUSE;

/* train_job_spec - what to compile for t. */
struct hop_plan_spec train_job_spec(const struct train_options *o, const struct hop_training *t);

#endif

/* engine - the device interface. Deep and narrow: a device compiles a whole net for (batch,
 * precision, train or infer) into a plan, then runs it over resident data. Layouts, fusion,
 * threads and memory plans are the device's own business.
 *
 * Who frees: what open, bind and compile give is closed by close, unbind and plan_free; all other
 * pointers are borrowed for the call. One plan is used by one thread at a time.
 * `ref` is plain float32 loops with a fixed order of operations and defines right; every other
 * device is held to it by test/unit/t_conformance.c.
 */
#ifndef HOP_ENGINE_ENGINE_H
#define HOP_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "net/loss.h"
#include "net/lr.h"
#include "net/net.h"
#include "net/optim.h"

enum { HOP_ENGINE_ABI = 5 };

/* Examples as they lie in a shard or a picture; borrowed until unbind. Before the first layer each
 * value becomes (x - mean[c]) * inv_std[c] in float32, c = index of the last axis. */
struct hop_examples {
    const void *x; /* [n, shape...], U8 or F32, row-major */
    bool is_u8;
    struct hop_shape shape; /* equals net->input */
    const int32_t *y; /* [n] class ids in 0..n_classes-1; NULL with targets and for predict */
    int64_t n, n_classes;
    const float *mean, *inv_std; /* [C] */
    const float *t;            /* [n, n_targets] to be predicted; NULL with classes and for predict */
    int64_t n_targets;         /* as many as the net has outputs */
    const float *class_weight; /* [n_classes] factors of the examples' losses in training (gradient,
                                  too), not in evaluation; NULL = all 1 */
    const char *key;           /* NULL, or text: what x, y, t and n hold is the same wherever it is the
                                  same, so a device may keep a copy beyond unbind */
};

/* The whole training state of one model in canonical order (net->weights), one arena each. */
struct hop_state {
    const struct hop_net *net;
    const struct hop_optim *optim; /* NULL for inference */
    float *weights;                /* [net->n_params] */
    float *slots[HOP_MAX_SLOTS];   /* [net->n_trainable] each, optim->n_slots of them */
    int64_t step;                  /* optimizer steps done */
};

struct hop_plan_spec {
    const struct hop_net *net;
    int64_t batch_size;
    bool is_training;
    const char *precision;         /* "fp32", "tf32", "bf16"; "auto": the device's fastest */
    struct hop_loss loss;          /* needed for inference, too: it says what an output is */
    const struct hop_optim *optim; /* training only */
    double optim_conf[HOP_MAX_HYPER]; /* in the order of optim->hyper */
    struct hop_lr lr;                 /* all zeros = no schedule */
};

/* One pass over bound data. Batches never cross its end; the tail batch is used. */
struct hop_pass {
    uint64_t shuffle_key, dropout_key; /* hop_rng_key(seed, id, HOP_FOR_SHUFFLE / _DROPOUT) */
    int64_t visit;                     /* from 1; with i_pass the counter of the shuffle */
    int64_t i_pass;                    /* from 0 */
    /* After each step (on a device that runs by itself: now and then, and after the pass), or NULL. false =
     * end the pass now: HOP_EBUSY, the plan's state is of no use. */
    bool (*progress)(void *arg, int64_t n_done, int64_t n_total);
    void *progress_arg;
};

struct hop_result {
    double loss;       /* mean over examples (weighted by class_weight: sum / n), regularisation
                          included (as Keras reports it) */
    int64_t n_correct; /* argmax(p) == y; of equal p the first counts; of one output p > 0.5 is class
                          1; 0 with targets */
    int64_t n_examples, n_steps;
    double lr;         /* of the last step, decay applied; 0 for evaluation */
    bool is_diverged;  /* the loss is not finite */
};

struct hop_device;
struct hop_data; /* bound examples */
struct hop_plan;

/* A device: one table. Slots marked "or NULL" are optional. */
struct hop_device_ops {
    uint32_t abi;  /* HOP_ENGINE_ABI */
    uint32_t size; /* sizeof(struct hop_device_ops) */
    const char *name;
    /* index: N of "cuda:N", else 0. n_threads >= 1. Err: HOP_EDEV with the reason. */
    int (*open)(int index, int n_threads, struct hop_device **out, struct hop_err *e);
    void (*close)(struct hop_device *d);
    /* Everything the bits depend on besides the visit order and the plan's precision, e.g.
     * "cpu onednn-2.6.3 avx2 t1": of what p trains, or (NULL) of plans in fp32. */
    const char *(*fingerprint)(const struct hop_device *d, const struct hop_plan *p);
    int (*bind)(struct hop_device *d, const struct hop_examples *x, struct hop_data **out,
                struct hop_err *e);
    void (*unbind)(struct hop_data *x);
    /* Err: HOP_EFORMAT naming a layer this device lacks; HOP_EARG an unknown precision, HOP_EDEV one
     * that this machine has no instructions for; HOP_ENOMEM. */
    int (*compile)(struct hop_device *d, const struct hop_plan_spec *spec, struct hop_plan **out,
                   struct hop_err *e);
    void (*plan_free)(struct hop_plan *p);
    size_t (*plan_bytes)(const struct hop_plan *p); /* memory the plan holds */
    /* What the plan computes in, never "auto". bf16: activations, their gradients and the weights
     * they meet have 8 bits of fraction; master weights, slots, statistics, sums and loss are
     * float32. */
    const char *(*precision)(const struct hop_plan *p);
    /* Canonical state in; canonical state out (all arenas and step overwritten). */
    int (*load)(struct hop_plan *p, const struct hop_state *s, struct hop_err *e);
    int (*store)(struct hop_plan *p, struct hop_state *s, struct hop_err *e);
    /* Train on every example of x once in the pass's order. */
    int (*train)(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                 struct hop_result *r, struct hop_err *e);
    /* Loss and hits in shard order; predictions as predict makes them, or NULL. */
    int (*evaluate)(struct hop_plan *p, struct hop_data *x, float *predictions,
                    struct hop_result *r, struct hop_err *e);
    /* predictions [n, K] of examples 0..n-1 of x, overwritten: probabilities of the cross-entropies
     * (also where the net gives logits), else the net's outputs. */
    int (*predict)(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_err *e);
    /* For tests: gradient [net->n_params] (overwritten; 0 where not trainable) and loss of the first
     * batch in the order of `pass`, at the loaded weights, with training behaviour; the plan's
     * state is afterwards undefined. */
    int (*gradient)(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                    float *gradient, double *loss, struct hop_err *e);
    /* or NULL. From now on p trains as one compiled for *spec would, to the bit. spec differs from
     * p's only in optim_conf and lr, and its optimizer has as many slots; what p needs of it is
     * copied, and p goes on to use the net that it was compiled with. */
    void (*retune)(struct hop_plan *p, const struct hop_plan_spec *spec);
    /* or NULL. See hop_device_expect. */
    void (*expect)(void);
};

/* hop_device_find - the table for "auto", "ref", "cpu", "cuda", "cuda:N"; *index is N or 0.
 * auto = the fastest that can be used here. Err: HOP_EARG unknown name (lists the known);
 * HOP_EDEV not built in, its plugin missing (engine/plugin.h). */
int hop_device_find(const char *name, const struct hop_device_ops **ops, int *index,
                    struct hop_err *e) HOP_MUSTUSE;

/* hop_device_expect - this process will open the device `name` soon: what that takes and can be done
 * at once begins in a thread of its own, while the caller reads its model. Nothing is reported; a
 * process that forks before it opens the device must not call it. */
void hop_device_expect(const char *name);

/* hop_device_identity - which device of this host `name` ("auto", "cuda:1", ...) means, as a word
 * that can be part of a file name: equal words, equal device. Cheap: no device is opened and no
 * library loaded, since it is asked before each visit that a worker process may take over. A name
 * that no device has is its own identity. "auto" is "cuda" where there is a driver for it, usable or not:
 * to know needs a look that a process must not have had which forks. */
void hop_device_identity(const char *name, char *out, size_t n);

/* hop_pass_told_to_end - what a device returns when progress() said false: HOP_EBUSY. */
int hop_pass_told_to_end(struct hop_err *e) HOP_MUSTUSE;

/* hop_examples_check - do x fit a plan of this spec? Every device asks before it uses x; wants_labels:
 * all but predict. Err: HOP_EFORMAT. */
int hop_examples_check(const struct hop_examples *x, const struct hop_plan_spec *spec,
                       bool wants_labels, struct hop_err *e) HOP_MUSTUSE;

/* hop_device_list - the tables built in, and of plugins with a usable device; NULL-ended, fastest
 * first. */
const struct hop_device_ops *const *hop_device_list(void);

#endif

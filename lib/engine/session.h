/* session - one net on one device with one set of examples: opened, used, closed together. */
#ifndef HOP_ENGINE_SESSION_H
#define HOP_ENGINE_SESSION_H

#include "engine/engine.h"

struct hop_session {
    const struct hop_device_ops *ops;
    struct hop_device *device;
    struct hop_plan *plan;
    struct hop_data *data; /* or NULL */
    char device_name[32];  /* "cpu", "cuda:1": never "auto" */
    char fingerprint[160]; /* the device's, and the precision where it is not fp32 */
};

/* hop_session_open - open `device` ("auto", ...) with n_threads, compile spec, load state if not
 * NULL. Err: of the device; nothing stays open. */
int hop_session_open(const char *device, int n_threads, const struct hop_plan_spec *spec,
                     const struct hop_state *state, struct hop_session *s, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_session_load - another model into the plan: spec equals the one that it was compiled for, but
 * for optim_conf and lr where the device has `retune`. */
int hop_session_load(struct hop_session *s, const struct hop_plan_spec *spec,
                     const struct hop_state *state, struct hop_err *e) HOP_MUSTUSE;

/* hop_session_bind - make x the examples, in place of earlier ones. */
int hop_session_bind(struct hop_session *s, const struct hop_examples *x, struct hop_err *e)
    HOP_MUSTUSE;
void hop_session_unbind(struct hop_session *s); /* forget them, before their memory goes */
void hop_session_close(struct hop_session *s);

/* hop_session_train - n_passes passes over the bound examples, then the state stored back. pass:
 * i_pass is filled in here. r: loss and hits of the last pass, steps and examples of all; ends
 * early when the loss is no longer finite. */
int hop_session_train(struct hop_session *s, int64_t n_passes, struct hop_pass *pass,
                      struct hop_state *state, struct hop_result *r, struct hop_err *e) HOP_MUSTUSE;

#endif

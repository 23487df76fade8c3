#include "engine/session.h"

#include <stdio.h>
#include <string.h>

int
hop_session_open(const char *device, int n_threads, const struct hop_plan_spec *spec,
                 const struct hop_state *state, struct hop_session *s, struct hop_err *e)
{
    const char *precision;
    bool is_plain;
    int index, rc;

    *s = (struct hop_session){0};
    if ((rc = hop_device_find(device, &s->ops, &index, e)))
        return rc;
    if (index > 0)
        snprintf(s->device_name, sizeof s->device_name, "%s:%d", s->ops->name, index);
    else
        snprintf(s->device_name, sizeof s->device_name, "%s", s->ops->name);
    if ((rc = s->ops->open(index, n_threads, &s->device, e)) ||
        (rc = s->ops->compile(s->device, spec, &s->plan, e)) ||
        (state && (rc = s->ops->load(s->plan, state, e)))) {
        hop_session_close(s);
        return rc;
    }
    precision = s->ops->precision(s->plan);
    is_plain = !strcmp(precision, "fp32");
    snprintf(s->fingerprint, sizeof s->fingerprint, "%s%s%s", s->ops->fingerprint(s->device, s->plan),
             is_plain ? "" : " ", is_plain ? "" : precision);
    return HOP_OK;
}

int
hop_session_load(struct hop_session *s, const struct hop_plan_spec *spec,
                 const struct hop_state *state, struct hop_err *e)
{
    if (s->ops->retune)
        s->ops->retune(s->plan, spec);
    return s->ops->load(s->plan, state, e);
}

void
hop_session_unbind(struct hop_session *s)
{
    if (s->data)
        s->ops->unbind(s->data);
    s->data = NULL;
}

int
hop_session_bind(struct hop_session *s, const struct hop_examples *x, struct hop_err *e)
{
    hop_session_unbind(s);
    return s->ops->bind(s->device, x, &s->data, e);
}

void
hop_session_close(struct hop_session *s)
{
    hop_session_unbind(s);
    if (s->plan)
        s->ops->plan_free(s->plan);
    if (s->device)
        s->ops->close(s->device);
    *s = (struct hop_session){0};
}

int
hop_session_train(struct hop_session *s, int64_t n_passes, struct hop_pass *pass,
                  struct hop_state *state, struct hop_result *r, struct hop_err *e)
{
    int64_t n_steps = 0, n_examples = 0;
    int rc;

    for (pass->i_pass = 0; pass->i_pass < n_passes; pass->i_pass++) {
        if ((rc = s->ops->train(s->plan, s->data, pass, r, e)))
            return rc;
        n_steps += r->n_steps;
        n_examples += r->n_examples;
        if (r->is_diverged)
            break;
    }
    rc = s->ops->store(s->plan, state, e);
    /* accuracy is a share of one pass's examples: scale hits so that hits / examples stays it */
    r->n_correct = r->n_examples ? r->n_correct * (n_examples / r->n_examples) : 0;
    r->n_steps = n_steps;
    r->n_examples = n_examples;
    return rc;
}

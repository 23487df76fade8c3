/* engine - the table of devices. */
#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

#include "base/opt.h"

extern const struct hop_device_ops hop_device_ref;
extern const struct hop_device_ops *const hop_device_cpu; /* NULL where oneDNN is missing */

/* Fastest first: the order in which "auto" tries them. */
static const struct hop_device_ops *list[3];

const struct hop_device_ops *const *
hop_device_list(void)
{
    size_t n = 0;

    if (hop_device_cpu)
        list[n++] = hop_device_cpu;
    list[n] = &hop_device_ref;
    return list;
}

int
hop_device_find(const char *name, const struct hop_device_ops **ops, int *index, struct hop_err *e)
{
    static const char *const known[] = {"ref", "cpu", "cuda"};
    const struct hop_device_ops *const *d = hop_device_list();
    const char *colon = strchr(name, ':');
    size_t i, n = colon ? (size_t)(colon - name) : strlen(name);
    int64_t number = 0;
    int rc;

    if (colon && (rc = hop_parse_int(colon + 1, 0, 1023, name, &number, e)))
        return rc;
    *index = (int)number;
    if (!strcmp(name, "auto")) {
        *ops = d[0];
        return HOP_OK;
    }
    for (; *d; d++)
        if (strlen((*d)->name) == n && !memcmp((*d)->name, name, n)) {
            *ops = *d;
            return HOP_OK;
        }
    for (i = 0; i < HOP_LEN(known); i++)
        if (strlen(known[i]) == n && !memcmp(known[i], name, n))
            return hop_fail(e, HOP_EDEV, name, "use --device ref, or build hop with its library",
                            "device %s is not built in", known[i]);
    return hop_fail(e, HOP_EARG, "--device", "auto, ref, cpu, cuda, cuda:N",
                    "unknown device \"%.60s\"", name);
}

void
hop_device_identity(const char *name, char *out, size_t n)
{
    size_t i;

    if (!strcmp(name, "auto"))
        name = hop_device_cpu ? "cpu" : "ref";
    snprintf(out, n, "%s", name);
    for (i = 0; out[i]; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", out[i]))
            out[i] = '-';
}

int
hop_pass_told_to_end(struct hop_err *e)
{
    return hop_fail(e, HOP_EBUSY, NULL, NULL, "told to end");
}

int
hop_examples_check(const struct hop_examples *x, const struct hop_plan_spec *spec,
                   bool wants_labels, struct hop_err *e)
{
    const struct hop_net *net = spec->net;
    int64_t K = net->output.d[0];
    bool fits = x->t ? x->n_targets == K
                     : x->y && (x->n_classes <= K || (K == 1 && x->n_classes == 2));

    if (hop_shape_len(&x->shape) != hop_shape_len(&net->input) || net->output.n_dims != 1)
        return hop_fail(e, HOP_EFORMAT, net->name, "put a Flatten layer at the end",
                        "the examples do not fit, or the net's output is not flat");
    if (wants_labels && !fits)
        return hop_fail(e, HOP_EFORMAT, net->name, "change the units of the net's last layer",
                        "%lld %s do not fit the net's output of %lld",
                        (long long)(x->t ? x->n_targets : x->n_classes),
                        x->t ? "targets" : "classes", (long long)K);
    return HOP_OK;
}

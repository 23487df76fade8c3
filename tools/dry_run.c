#include "dry_run.h"

#include <stdio.h>

int
tool_dry_run(const struct hop_training *t, const struct hop_plan_spec *spec, const char *device,
             int n_threads, struct hop_err *e)
{
    const struct hop_net *net = t->net;
    struct hop_session s;
    char shape[80];
    int64_t n;
    int i, k, rc;

    printf("net %s: %zu parameters, %zu of them trainable\n", net->name, net->n_params,
           net->n_trainable);
    printf("%-28s %-24s %-12s %10s %12s\n", "layer", "kind", "output", "params", "MFLOP");
    for (i = 0; i < net->n_layers; i++) {
        hop_shape_text(&net->layers[i].out_shape, shape, sizeof shape);
        for (n = 0, k = 0; k < net->layers[i].n_weights; k++)
            n += net->weights[net->layers[i].i_weight + k].n;
        printf("%-28s %-24s %-12s %10lld %12.3f\n", net->layers[i].name, net->layers[i].kind->name,
               shape, (long long)n, net->layers[i].flops / 1e6);
    }
    if ((rc = hop_session_open(device, n_threads, spec, NULL, &s, e)))
        return rc;
    printf("forward %.3f MFLOP per example (training: about three times that)\n", net->flops / 1e6);
    printf("model file %.2f MB; device %s at batch %lld: %.1f MB\n",
           (double)(net->n_params + net->n_trainable * (size_t)t->conf.n_slots) * 4 / 1e6,
           s.device_name, (long long)t->conf.batch_size, (double)s.ops->plan_bytes(s.plan) / 1e6);
    hop_session_close(&s);
    return HOP_OK;
}

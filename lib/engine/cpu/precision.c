#include "engine/cpu/precision.h"

#include <string.h>
#include "base/log.h"
#include "engine/cpu/dn.h"
#include "engine/cpu/wino.h"

enum { LEAST_CHANNELS = 16 };

bool
hop_cpu_suits_wino(const struct hop_layer *l)
{
    const struct hop_conv2d *p = l->params;

    return !strcmp(l->kind->op, "Conv2D") && p->kh == 3 && p->kw == 3 && p->stride_h == 1 &&
           p->stride_w == 1 && p->dilation_h == 1 && p->dilation_w == 1 && p->groups == 1 &&
           l->in_shape.d[l->in_shape.n_dims - 1] >= LEAST_CHANNELS &&
           l->out_shape.d[l->out_shape.n_dims - 1] >= LEAST_CHANNELS;
}

static bool
has_wino(const struct hop_net *net)
{
    for (int i = 0; i < net->n_layers; i++)
        if (hop_cpu_suits_wino(&net->layers[i]))
            return true;
    return false;
}

bool
hop_cpu_auto_is_bf16(const struct hop_net *net, const struct hop_cpu_can *can, const char **why)
{
    bool is_wino = can->wino && has_wino(net);

    *why = !can->bf16 ? "this CPU has no bf16 instructions"
           : can->amx ? "this CPU has AMX"
           : is_wino  ? "the net has Winograd convolutions, faster in fp32 on a CPU without AMX"
                      : "this CPU has bf16 instructions, and the net no Winograd convolutions";
    return can->bf16 && (can->amx || !is_wino);
}

int
hop_cpu_precision_choose(const char *name, const struct hop_net *net, bool *is_bf16,
                         struct hop_err *e)
{
    struct hop_cpu_can can = {hop_dn_has_bf16(), hop_dn_has_amx(),
                              hop_dn_has_avx512() && hop_cpu_wino_can()};
    const char *why;

    *is_bf16 = false;
    if (!name || !strcmp(name, "fp32"))
        return HOP_OK;
    if (!strcmp(name, "auto")) {
        *is_bf16 = hop_cpu_auto_is_bf16(net, &can, &why);
        hop_log(HOP_LOG_INFO, "device cpu: precision auto is %s: %s", *is_bf16 ? "bf16" : "fp32", why);
        return HOP_OK;
    }
    if (strcmp(name, "bf16"))
        return hop_fail(e, HOP_EARG, "--precision", "fp32, bf16, auto", "device cpu cannot do \"%.20s\"",
                        name);
    *is_bf16 = can.bf16;
    return can.bf16 ? HOP_OK
                    : hop_fail(e, HOP_EDEV, "device cpu", "use --precision=fp32 or auto",
                               "this CPU has no bf16 instructions (%s)", hop_dn_name());
}

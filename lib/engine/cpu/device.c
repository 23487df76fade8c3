/* The device "cpu": oneDNN under the engine's table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "engine/cpu/plan.h"
#include "engine/cpu/wino.h"

static void
close_(struct hop_device *d)
{
    if (!d)
        return;
    hop_dn_engine_free(d->dn);
    free(d);
}

static int
open_(int index, int n_threads, struct hop_device **out, struct hop_err *e)
{
    struct hop_device *d;
    int rc;

    *out = NULL;
    if (index != 0)
        return hop_fail(e, HOP_EDEV, "device cpu", "use --device=cpu and --threads",
                        "there is one device cpu only");
    if ((rc = hop_dn_load(e)))
        return rc;
    if (!(d = hop_alloc(1, sizeof *d, e)))
        return HOP_ENOMEM;
    d->n_threads = n_threads;
    hop_dn_threads(n_threads);
    if ((rc = hop_dn_engine_new(&d->dn, e))) {
        close_(d);
        return rc;
    }
    snprintf(d->fingerprint, sizeof d->fingerprint, "cpu %s %st%d", hop_dn_name(),
             hop_dn_has_avx512() && hop_cpu_wino_can() ? "wino1 " : "", n_threads);
    *out = d;
    return HOP_OK;
}

static const char *
fingerprint(const struct hop_device *d, const struct hop_plan *p)
{
    (void)p;
    return d->fingerprint;
}

static void
unbind(struct hop_data *x)
{
    if (!x)
        return;
    free(x->table);
    free(x);
}

static int
bind(struct hop_device *d, const struct hop_examples *x, struct hop_data **out, struct hop_err *e)
{
    struct hop_data *data = hop_alloc(1, sizeof *data, e);

    (void)d;
    *out = NULL;
    if (!data)
        return HOP_ENOMEM;
    data->x = *x;
    data->c = x->shape.d[x->shape.n_dims - 1];
    if (x->is_u8) {
        if (!(data->table = hop_alloc_floats((size_t)data->c * 256, e))) {
            unbind(data);
            return HOP_ENOMEM;
        }
        hop_cpu_input_table(x, data->c, data->table);
    }
    *out = data;
    return HOP_OK;
}

/* Both are read at each update and by nothing that was compiled. */
static void
retune(struct hop_plan *p, const struct hop_plan_spec *spec)
{
    memcpy(p->spec.optim_conf, spec->optim_conf, sizeof p->spec.optim_conf);
    p->spec.lr = spec->lr;
}

static const struct hop_device_ops ops = {
    HOP_ENGINE_ABI,
    sizeof(struct hop_device_ops),
    "cpu",
    open_,
    close_,
    fingerprint,
    bind,
    unbind,
    hop_cpu_compile,
    hop_cpu_plan_free,
    hop_cpu_plan_bytes,
    hop_cpu_precision,
    hop_cpu_load,
    hop_cpu_store,
    hop_cpu_train,
    hop_cpu_evaluate,
    hop_cpu_predict,
    hop_cpu_gradient,
    retune,
    hop_dn_expect,
};

extern const struct hop_device_ops *const hop_device_cpu;
const struct hop_device_ops *const hop_device_cpu = &ops;

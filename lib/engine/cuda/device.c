/* The device "cuda": opening it, plans. It reaches the GPU through driver.h alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/plan.h"

static const struct hop_cuda_driver *driver; /* of hop_cuda_device */

static void
close_(struct hop_device *d)
{
    if (d->context) {
        driver->free(d->context, d->spare);
        driver->stream_free(d->context, d->stream);
        driver->close(d->context);
    }
    free(d);
}

static int
open_(int index, int n_threads, struct hop_device **out, struct hop_err *e)
{
    struct hop_device *d;
    int n = 0, rc;

    (void)n_threads;
    *out = NULL;
    if ((rc = driver->count(&n, e)))
        return rc;
    if (index >= n)
        return hop_fail(e, HOP_EDEV, driver->name, "use a smaller number, or another --device",
                        "there is no GPU number %d: %d here", index, n);
    if (!(d = hop_alloc(1, sizeof *d, e)))
        return HOP_ENOMEM;
    d->driver = driver;
    d->index = index;
    /* Bits depend on ref's order of operations alone, which every GPU keeps. */
    snprintf(d->fingerprint, sizeof d->fingerprint, "%s exact 1", driver->name);
    if ((rc = driver->props(index, &d->props, e)) || (rc = driver->open(index, &d->context, e)) ||
        (rc = driver->stream_new(d->context, &d->stream, e))) {
        close_(d);
        return rc;
    }
    *out = d;
    return HOP_OK;
}

static const char *
fingerprint(const struct hop_device *d, const struct hop_plan *p)
{
    return p && p->is_fast ? p->fingerprint : d->fingerprint;
}

/* Tensor cores where there are libraries for them. */
static int
needs_fast(const char *name, struct hop_err *e)
{
    struct hop_err why = {0};
    int rc = HOP_OK;

    if (!driver->fast)
        rc = hop_fail(e, HOP_EDEV, driver->name, "use --precision fp32",
                      "device %s has no %s: hop was built without cuDNN", driver->name, name);
    else if (!driver->fast->version(&why)[0])
        rc = hop_fail(e, HOP_EDEV, driver->name, why.hint, "device %s has no %s: %.160s",
                      driver->name, name, why.what);
    hop_err_clear(&why);
    return rc;
}

static int
set_precision(struct hop_plan *p, const char *name, struct hop_err *e)
{
    struct hop_err none = {0};

    if (!name || !strcmp(name, "fp32"))
        return HOP_OK;
    p->precision = strcmp(name, "tf32") ? HOP_CUDA_BF16 : HOP_CUDA_TF32;
    if (!strcmp(name, "auto")) {
        p->is_fast = p->is_half = !needs_fast("bf16", &none);
        hop_err_clear(&none);
        return HOP_OK;
    }
    if (strcmp(name, "bf16") && strcmp(name, "tf32"))
        return hop_fail(e, HOP_EARG, "--precision", "fp32, tf32, bf16, auto",
                        "device %s cannot do \"%.20s\"", driver->name, name);
    p->is_fast = true;
    p->is_half = p->precision == HOP_CUDA_BF16;
    return needs_fast(name, e);
}

static void
plan_free(struct hop_plan *p)
{
    if (!p)
        return;
    hop_cuda_progs_free(p);
    hop_cuda_state_free(p);
    free(p);
}

void
hop_cuda_fast_name(const struct hop_cuda_driver *with, const struct hop_cuda_props *props, char *out,
                   size_t n)
{
    struct hop_err none = {0};
    const char *version = with->fast ? with->fast->version(&none) : "";

    if (n)
        out[0] = '\0';
    if (version[0])
        snprintf(out, n, "%s fast sm_%d%d %d %.60s", with->name, props->major, props->minor,
                 props->n_multiprocessors, version);
    hop_err_clear(&none);
}

/* What a fast plan's bits depend on: which GPU it is, the libraries, what they chose for the full batch's
 * layers. */
static void
set_fingerprint(struct hop_plan *p, const struct hop_cuda_prog *g)
{
    uint64_t h = 14695981039346656037u;
    size_t i, used;

    for (i = 0; i < g->n_steps; i++)
        if (g->steps[i].fast)
            h = (h ^ driver->fast->plan_digest(g->steps[i].fast)) * 1099511628211u;
    hop_cuda_fast_name(driver, &p->device->props, p->fingerprint, sizeof p->fingerprint);
    used = strlen(p->fingerprint);
    snprintf(p->fingerprint + used, sizeof p->fingerprint - used, " plans %016llx",
             (unsigned long long)h);
}

static int
compile(struct hop_device *d, const struct hop_plan_spec *spec, struct hop_plan **out,
        struct hop_err *e)
{
    struct hop_cuda_prog *g;
    struct hop_plan *p;
    int rc;

    *out = NULL;
    if (!(p = hop_alloc(1, sizeof *p, e)))
        return HOP_ENOMEM;
    p->spec = *spec;
    p->device = d;
    rc = set_precision(p, spec->precision, e);
    if (!rc)
        rc = hop_cuda_state_new(p, e);
    if (!rc)
        rc = hop_cuda_prog_get(p, spec->batch_size, spec->is_training, &g, e);
    if (rc) {
        plan_free(p);
        return rc;
    }
    if (p->is_fast)
        set_fingerprint(p, g);
    *out = p;
    return rc;
}

static size_t
plan_bytes(const struct hop_plan *p)
{
    return p->bytes;
}

static const char *
precision(const struct hop_plan *p)
{
    return p->is_half ? "bf16" : p->is_fast ? "tf32" : "fp32";
}

/* What of the hyperparameters is part of a program: which kernel steps, how gradients are clipped. */
static bool
is_same_program(const struct hop_plan *p, const struct hop_plan_spec *spec)
{
    static const int fixed[] = {HOP_HYPER_CLIPNORM, HOP_HYPER_GLOBAL_CLIPNORM, HOP_HYPER_CLIPVALUE};
    float c[HOP_OPTIM_COEFS];
    size_t i;

    for (i = 0; i < HOP_LEN(fixed); i++)
        if (p->spec.optim_conf[fixed[i]] != spec->optim_conf[fixed[i]])
            return false;
    return p->rule == (int)spec->optim->rule(spec->optim_conf, 1, 1, c);
}

/* Between passes nothing runs, so programs may go; the next pass builds them again. */
static void
retune(struct hop_plan *p, const struct hop_plan_spec *spec)
{
    float c[HOP_OPTIM_COEFS];

    if (!is_same_program(p, spec))
        hop_cuda_progs_free(p);
    memcpy(p->spec.optim_conf, spec->optim_conf, sizeof p->spec.optim_conf);
    p->spec.lr = spec->lr;
    p->rule = (int)spec->optim->rule(spec->optim_conf, 1, 1, c);
}

const struct hop_device_ops *
hop_cuda_device(const struct hop_cuda_driver *with)
{
    static struct hop_device_ops ops = {
        HOP_ENGINE_ABI, sizeof(struct hop_device_ops), NULL,
        open_, close_, fingerprint, hop_cuda_bind, hop_cuda_unbind,
        compile, plan_free, plan_bytes, precision,
        hop_cuda_load, hop_cuda_store,
        hop_cuda_train, hop_cuda_evaluate, hop_cuda_predict, hop_cuda_gradient, retune, NULL,
    };

    driver = with;
    ops.name = with->name;
    return &ops;
}

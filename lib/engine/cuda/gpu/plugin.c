/* The plugin hop-cuda.so: its one symbol, and what the host asks before it opens a device. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/cuda/gpu/context.h"
#include "engine/cuda/gpu/library.h"

static struct hop_cuda_driver driver;

static int
count(int *n, struct hop_err *e)
{
    return driver.count(n, e);
}

/* Free memory of device i: that takes a context. */
static int
read_free(int i, uint64_t *out, struct hop_err *e)
{
    struct hop_cuda_context *c;
    size_t n_free = 0, n_all = 0;
    int rc;

    if ((rc = driver.open(i, &c, e)))
        return rc;
    rc = hop_cuda_check(hop_cuda_use(c)->cuMemGetInfo(&n_free, &n_all), c->where, "memory", e);
    *out = n_free;
    driver.close(c);
    return rc;
}

static int
describe(int i, bool want_free, struct hop_device_info *out, struct hop_err *e)
{
    struct hop_err why = {0};
    struct hop_cuda_props p;
    int rc;

    memset(out, 0, sizeof *out);
    if ((rc = driver.props(i, &p, e)))
        return rc;
    snprintf(out->name, sizeof out->name, "%s", p.name);
    snprintf(out->uuid, sizeof out->uuid, "%s", p.uuid);
    snprintf(out->driver, sizeof out->driver, "%d.%d", p.driver_version / 1000,
             p.driver_version % 1000 / 10);
    out->capability = 10 * p.major + p.minor;
    out->n_units = p.n_multiprocessors;
    out->memory_bytes = p.memory_bytes;
    if (out->capability < HOP_CUDA_CAPABILITY)
        snprintf(out->why_not, sizeof out->why_not, "compute capability %d.%d, hop needs %d.%d",
                 p.major, p.minor, HOP_CUDA_CAPABILITY / 10, HOP_CUDA_CAPABILITY % 10);
    if (!want_free)
        return HOP_OK;
    snprintf(out->libraries, sizeof out->libraries, "%s", hop_cuda_fast_version(&why));
    hop_err_clear(&why);
    hop_cuda_fast_name(&driver, &p, out->fast, sizeof out->fast);
    if (!out->why_not[0] && read_free(i, &out->free_bytes, &why))
        snprintf(out->why_not, sizeof out->why_not, "%.190s", why.what);
    return HOP_OK;
}

static struct hop_plugin plugin = {
    HOP_PLUGIN_ABI, sizeof(struct hop_plugin), HOP_PLUGIN_LAYOUT, NULL, count, describe};

#pragma GCC visibility push(default)
const struct hop_plugin *
hop_plugin(const struct hop_plugin_host *host)
{
    if (host->size != sizeof *host)
        return NULL;
    hop_log_set(host->log);
    hop_cuda_library_dirs(host->library_dirs);
    hop_cuda_fast_plans(host->plans, host->on_plan);
    driver = hop_cuda_driver_real;
    driver.fast = hop_cuda_fast_table;
    plugin.ops = hop_cuda_device(&driver);
    return &plugin;
}
#pragma GCC visibility pop

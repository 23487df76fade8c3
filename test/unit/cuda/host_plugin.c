/* A plugin hop-cuda.so whose GPU is host memory and plain loops (driver_host.h): tests of tools that need
 * a device from a plugin set HOP_PLUGINS to its folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/cuda/driver_host.h"
#include "engine/plugin.h"

static int
count(int *n, struct hop_err *e)
{
    return hop_cuda_host_driver()->count(n, e);
}

static int
describe(int i, bool want_free, struct hop_device_info *out, struct hop_err *e)
{
    struct hop_cuda_props p;
    int rc;

    memset(out, 0, sizeof *out);
    if ((rc = hop_cuda_host_driver()->props(i, &p, e)))
        return rc;
    snprintf(out->name, sizeof out->name, "%s", p.name);
    snprintf(out->uuid, sizeof out->uuid, "%s", p.uuid);
    snprintf(out->driver, sizeof out->driver, "13.0");
    out->capability = 90;
    out->n_units = 1;
    out->memory_bytes = 1 << 30;
    out->free_bytes = want_free ? 1 << 29 : 0;
    if (want_free)
        hop_cuda_fast_name(hop_cuda_host_driver(), &p, out->fast, sizeof out->fast);
    if (want_free)
        snprintf(out->libraries, sizeof out->libraries, "loops 1");
    return HOP_OK;
}

/* What a library would choose: told unless the plans have it. */
static const char choice[] = "{\"hop\":\"cudnn-plan/1\",\"gpu\":\"sm_90\",\"cudnn\":\"loops 1\","
                             "\"problem\":\"all\",\"plan\":{\"tag\":\"loops\"}}\n";

static struct hop_plugin plugin = {
    HOP_PLUGIN_ABI, sizeof(struct hop_plugin), HOP_PLUGIN_LAYOUT, NULL, count, describe};

#pragma GCC visibility push(default)
const struct hop_plugin *
hop_plugin(const struct hop_plugin_host *host)
{
    if (host->size != sizeof *host)
        return NULL;
    if (getenv("HOP_FAKE_FAIL")) /* after so many calls the GPU is lost */
        hop_cuda_host_fail(atoi(getenv("HOP_FAKE_FAIL")));
    hop_log_set(host->log);
    if (host->on_plan && !strstr(host->plans, choice))
        host->on_plan(choice);
    plugin.ops = hop_cuda_device(hop_cuda_host_driver());
    return &plugin;
}
#pragma GCC visibility pop

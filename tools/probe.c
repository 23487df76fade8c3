#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/plugin.h"
#include "format/json.h"
#include "measure.h"
#include "tool.h"
#include "version.h"

#ifndef _SC_AVPHYS_PAGES
#define _SC_AVPHYS_PAGES (-1) /* no such number here: sysconf says -1 */
#endif

/* "HOST:PLACE", the name of a worker; its device; what was found out goes into the object returned. */
static struct hop_json *
new_line(const char *place, const char *device, struct hop_json **facts)
{
    struct hop_json *line = hop_json_record("worker/1");
    char host[256] = "", name[300];

    if (gethostname(host, sizeof host - 1))
        strcpy(host, "localhost");
    snprintf(name, sizeof name, "%s:%s", host, place);
    hop_json_set_str(line, "name", name);
    hop_json_set_str(line, "device", device);
    *facts = hop_json_object();
    hop_json_set_str(*facts, "host", host);
    hop_json_set_str(*facts, "version", hop_version());
    return line;
}

static void
print(struct hop_json *line, struct hop_json *facts)
{
    hop_json_set(line, "probe", facts);
    tool_record(line);
    hop_json_free(line);
}

/* The fingerprint of an opened device, or why it does not open (stderr). */
static void
set_fingerprint(const struct hop_device_ops *ops, int index, struct hop_json *facts)
{
    struct hop_device *d;
    struct hop_err e = {0};

    if (ops->open(index, 1, &d, &e)) {
        tool_show(&e);
        return;
    }
    hop_json_set_str(facts, "fingerprint", ops->fingerprint(d, NULL));
    ops->close(d);
}

/* The processors: the fastest device that runs on them. */
static void
probe_cpu(void)
{
    const struct hop_device_ops *ops;
    struct hop_json *line, *facts;
    struct hop_err e = {0};
    long page = sysconf(_SC_PAGESIZE), n_pages = sysconf(_SC_PHYS_PAGES), n_free = sysconf(_SC_AVPHYS_PAGES);
    int index;

    if (hop_device_find("cpu", &ops, &index, &e)) {
        hop_err_clear(&e);
        if (hop_device_find("ref", &ops, &index, &e))
            tool_die(&e);
    }
    line = new_line("cpu", ops->name, &facts);
    hop_json_set_int(facts, "processors", sysconf(_SC_NPROCESSORS_ONLN));
    hop_json_set_int(facts, "memory_bytes", (int64_t)n_pages * page);
    if (n_free > 0)
        hop_json_set_int(facts, "free_bytes", (int64_t)n_free * page);
    set_fingerprint(ops, 0, facts);
    print(line, facts);
}

static void
probe_gpu(const struct hop_plugin *p, int i)
{
    struct hop_device_info d;
    struct hop_json *line, *facts;
    struct hop_err e = {0};
    char place[16], device[32], capability[16];

    if (p->describe(i, true, &d, &e)) {
        tool_show(&e);
        return;
    }
    snprintf(place, sizeof place, "%d", i);
    snprintf(device, sizeof device, "cuda:%d", i);
    snprintf(capability, sizeof capability, "%d.%d", d.capability / 10, d.capability % 10);
    if (d.why_not[0]) {
        tool_warn("device %s: %s: not usable: %s", device, d.name, d.why_not);
        return;
    }
    line = new_line(place, device, &facts);
    hop_json_set_str(facts, "gpu", d.name);
    hop_json_set_str(facts, "uuid", d.uuid);
    hop_json_set_str(facts, "capability", capability);
    hop_json_set_int(facts, "multiprocessors", d.n_units);
    hop_json_set_int(facts, "memory_bytes", (int64_t)d.memory_bytes);
    hop_json_set_int(facts, "free_bytes", (int64_t)d.free_bytes);
    hop_json_set_str(facts, "driver", d.driver);
    if (d.libraries[0])
        hop_json_set_str(facts, "libraries", d.libraries);
    if (d.fast[0])
        hop_json_set_str(facts, "fast", d.fast);
    set_fingerprint(p->ops, i, facts);
    print(line, facts);
}

int
tool_probe(void)
{
    const struct hop_plugin *p;
    struct hop_err e = {0};
    int i, n;

    probe_cpu();
    if (hop_plugin_load("cuda", &p, &e) || p->count(&n, &e)) {
        tool_show(&e);
        return tool_finish();
    }
    for (i = 0; i < n; i++)
        probe_gpu(p, i);
    return tool_finish();
}

int
tool_probe_slots(const struct train_options *o, const struct hop_training *t, struct hop_err *e)
{
    const char *colon = strchr(o->device, ':');
    struct hop_json *line, *facts, *rates;
    int n_slots, rc;

    if ((rc = tool_measure(o, t, &n_slots, &rates, e)))
        return rc;
    line = new_line(colon ? colon + 1 : o->device, o->device, &facts);
    hop_json_set_int(line, "slots", n_slots);
    hop_json_set_str(facts, "net", t->net->name);
    hop_json_set_int(facts, "batch_size", t->conf.batch_size);
    hop_json_set_str(facts, "precision", o->precision);
    hop_json_set(facts, "rates", rates);
    print(line, facts);
    return HOP_OK;
}

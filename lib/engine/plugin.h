/* plugin - devices in shared objects of their own, opened at run time: no tool is linked with the
 * libraries of a GPU, so one binary runs on hosts with and without.
 *
 * A plugin is DIR/hop-NAME.so and exports one function, `hop_plugin`. Who calls it checks `abi` and
 * `size` before anything else: the two sides share the structures of engine.h and net/net.h by
 * layout. Plugins carry static copies of what they need of the library; nothing of theirs is seen
 * outside, nothing of ours by them. They are never unloaded.
 */
#ifndef HOP_ENGINE_PLUGIN_H
#define HOP_ENGINE_PLUGIN_H

#include "base/log.h"
#include "engine/engine.h"

/* One device of a plugin, without opening it. */
struct hop_device_info {
    char name[96];        /* "NVIDIA H200" */
    char uuid[48];        /* "GPU-8-4-4-4-12", the same in every process; "" where there is none */
    char fast[128];       /* what fingerprints begin with of what it trains in fewer bits; "" if it cannot
                             or was not asked for free memory */
    char driver[32];      /* "13.0": what the driver can do; "" unknown */
    char libraries[64];   /* "cudnn 9.19.0"; "" none found */
    int capability;       /* 90 = 9.0 */
    int n_units;          /* multiprocessors */
    uint64_t memory_bytes, free_bytes; /* free: 0 unless asked for */
    char why_not[200];    /* why the device cannot be used; "" = it can */
};

/* What a plugin is told about its host; borrowed for ever. */
struct hop_plugin_host {
    uint32_t size;            /* sizeof(struct hop_plugin_host) */
    hop_log_fn *log;          /* where its log lines go */
    const char *library_dirs; /* absolute folders, ':' between them, in which it looks for libraries
                                 before the system's places; "" none */
    const char *plans;        /* plans of kernels to be used, lines as the plugin once told them; "" */
    void (*on_plan)(const char *line); /* told of each plan that it chose itself; or NULL */
};

struct hop_plugin {
    uint32_t abi;    /* HOP_PLUGIN_ABI */
    uint32_t size;   /* sizeof(struct hop_plugin) */
    uint64_t layout; /* HOP_PLUGIN_LAYOUT */
    const struct hop_device_ops *ops;
    /* count - devices here, usable or not, in the order of "NAME:N". Makes no context.
     * Err: HOP_EDEV why there are none. */
    int (*count)(int *n, struct hop_err *e);
    /* describe - device i; want_free opens a context on it to ask for free_bytes (costly, keeps
     * memory until the process ends). Err: HOP_EDEV. */
    int (*describe)(int i, bool want_free, struct hop_device_info *out, struct hop_err *e);
};

const struct hop_plugin *hop_plugin(const struct hop_plugin_host *host);

enum { HOP_PLUGIN_ABI = HOP_ENGINE_ABI << 8 | 2 };

/* Changes with the layout of whatever crosses the border. */
#define HOP_PLUGIN_LAYOUT                                                                          \
    (sizeof(struct hop_device_ops) + 31 * sizeof(struct hop_plan_spec) +                           \
     31 * 31 * sizeof(struct hop_state) + 31 * 31 * 31 * sizeof(struct hop_net) +                  \
     961ull * 961 * sizeof(struct hop_layer) + 961ull * 961 * 31 * sizeof(struct hop_weight) +     \
     961ull * 961 * 961 * sizeof(struct hop_err) + 7 * sizeof(struct hop_examples) +               \
     7 * 7 * sizeof(struct hop_pass) + 7 * 7 * 7 * sizeof(struct hop_result) +                     \
     7 * 7 * 7 * 7 * sizeof(struct hop_optim) + 7 * 7 * 7 * 7 * 7 * sizeof(struct hop_device_info))

/* hop_plugins_set - where plugins lie and where they look for libraries (kept, not copied), before
 * the first hop_device_find; without it there are none. Err: HOP_EARG: a folder is not absolute. */
int hop_plugins_set(const char *dir, const char *library_dirs, struct hop_err *e) HOP_MUSTUSE;

/* hop_plugins_ask - where hop_plugins_set was told of no libraries: `library_dirs` is asked when the
 * first plugin is loaded, since looking for them takes as long as a warm visit (kept, not copied). */
void hop_plugins_ask(const char *(*library_dirs)(void));

/* hop_plugins_plans - `plans` and `on_plan` of plugins loaded later (kept, not copied). */
void hop_plugins_plans(const char *plans, void (*on_plan)(const char *line));

/* hop_plugin_load - the plugin of device `name` ("cuda"), loaded once. Err: HOP_EDEV: no folder set,
 * no such file, not loadable, of another version of hop. */
int hop_plugin_load(const char *name, const struct hop_plugin **out, struct hop_err *e) HOP_MUSTUSE;

/* hop_plugin_may_be_usable - is there such a plugin, and the driver that it needs? Nothing is
 * initialised. */
bool hop_plugin_may_be_usable(const char *name);

/* hop_plugin_usable - the plugin if it has a device that can be used, else NULL. Cheap where the
 * driver is missing: then nothing is loaded. The answer is kept. */
const struct hop_plugin *hop_plugin_usable(const char *name);

#endif

#include "engine/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* Devices that may come as plugins. `driver` is asked for first when nobody named the device. */
static struct row {
    const char *name, *driver, *hint;
    const struct hop_plugin *plugin; /* once loaded */
    bool is_tried, is_usable;
} rows[] = {
    {.name = "cuda",
     .driver = "libcuda.so.1",
     .hint = "build hop with the CUDA Toolkit, or use --device cpu"},
};

static const char *plugin_dir;
static const char *(*ask_dirs)(void);

static void
on_log(int level, const char *line)
{
    hop_log(level, "%s", line);
}

static struct hop_plugin_host host = {sizeof host, on_log, "", "", NULL};

static bool
are_absolute(const char *dirs)
{
    const char *p;

    for (p = dirs; *p; p += strcspn(p, ":"), p += *p == ':')
        if (*p != '/')
            return false;
    return true;
}

int
hop_plugins_set(const char *dir, const char *library_dirs, struct hop_err *e)
{
    if (dir && *dir != '/')
        return hop_fail(e, HOP_EARG, dir, "give the whole path",
                        "the folder of plugins is not absolute");
    if (library_dirs && !are_absolute(library_dirs))
        return hop_fail(e, HOP_EARG, library_dirs, "give whole paths, ':' between them",
                        "a folder of libraries is not absolute");
    plugin_dir = dir;
    host.library_dirs = library_dirs ? library_dirs : "";
    return HOP_OK;
}

void
hop_plugins_ask(const char *(*library_dirs)(void))
{
    ask_dirs = library_dirs;
}

void
hop_plugins_plans(const char *plans, void (*on_plan)(const char *line))
{
    host.plans = plans ? plans : "";
    host.on_plan = on_plan;
}

static int
check_version(const struct hop_plugin *p, const char *where, struct hop_err *e)
{
    if (p && p->abi == HOP_PLUGIN_ABI && p->size == sizeof *p && p->layout == HOP_PLUGIN_LAYOUT &&
        p->ops && p->ops->abi == HOP_ENGINE_ABI && p->ops->size == sizeof *p->ops)
        return HOP_OK;
    return hop_fail(e, HOP_EDEV, where, "install tools and plugins of one build",
                    "the plugin is of another version of hop");
}

/* A function in a pointer to an object: POSIX says that works, ISO C needs the detour. */
static const struct hop_plugin *
call(void *symbol)
{
    const struct hop_plugin *(*fn)(const struct hop_plugin_host *);

    memcpy(&fn, &symbol, sizeof fn);
    return fn(&host);
}

static int
load(struct row *r, const char *path, struct hop_err *e)
{
    const struct hop_plugin *p;
    void *so, *symbol;
    int rc;

    if (access(path, F_OK))
        return hop_fail_errno(e, path, r->hint, "device %s is not here", r->name);
    if (!(so = dlopen(path, RTLD_NOW | RTLD_LOCAL)))
        return hop_fail(e, HOP_EDEV, path, r->hint, "cannot load the plugin: %s", dlerror());
    if (!(symbol = dlsym(so, "hop_plugin")))
        return hop_fail(e, HOP_EDEV, path, r->hint, "is no plugin of hop");
    if (!*host.library_dirs && ask_dirs)
        host.library_dirs = ask_dirs();
    p = call(symbol);
    if ((rc = check_version(p, path, e)))
        return rc;
    r->plugin = p;
    return HOP_OK;
}

static struct row *
find(const char *name)
{
    size_t i;

    for (i = 0; i < HOP_LEN(rows); i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}

int
hop_plugin_load(const char *name, const struct hop_plugin **out, struct hop_err *e)
{
    struct row *r = find(name);
    struct hop_str path = {0};
    int rc;

    if (!r || !plugin_dir)
        return hop_fail(e, HOP_EDEV, name, r ? r->hint : NULL, "device %s is not built in", name);
    if (!r->plugin) {
        hop_str_addf(&path, "%s/hop-%s.so", plugin_dir, name);
        rc = hop_str_check(&path, e);
        rc = rc ? rc : load(r, path.s, e);
        hop_str_clear(&path);
        if (rc)
            return e->code = HOP_EDEV;
    }
    *out = r->plugin;
    return HOP_OK;
}

bool
hop_plugin_may_be_usable(const char *name)
{
    struct row *r = find(name);
    struct hop_str path = {0};
    bool is_there;

    if (!r || !plugin_dir)
        return false;
    hop_str_addf(&path, "%s/hop-%s.so", plugin_dir, name);
    is_there = !path.is_oom && !access(path.s, F_OK) && dlopen(r->driver, RTLD_LAZY | RTLD_LOCAL);
    hop_str_clear(&path);
    return is_there;
}

/* Can any of its devices be used? */
static bool
has_usable(const struct hop_plugin *p, struct hop_err *e)
{
    struct hop_device_info info;
    int i, n;

    if (p->count(&n, e))
        return false;
    for (i = 0; i < n; i++) {
        if (p->describe(i, false, &info, e))
            return false;
        if (!info.why_not[0])
            return true;
        hop_fail(e, HOP_EDEV, info.name, NULL, "%s", info.why_not);
    }
    return false;
}

const struct hop_plugin *
hop_plugin_usable(const char *name)
{
    struct row *r = find(name);
    const struct hop_plugin *p;
    struct hop_err e = {0};

    if (r && plugin_dir && !r->is_tried) {
        r->is_tried = true;
        if (!dlopen(r->driver, RTLD_LAZY | RTLD_LOCAL))
            hop_fail(&e, HOP_EDEV, name, NULL, "%s", dlerror());
        else if (!hop_plugin_load(name, &p, &e))
            r->is_usable = has_usable(p, &e);
        if (!r->is_usable)
            hop_log(HOP_LOG_DEBUG, "no device %s: %s: %s", name, e.where, e.what);
    }
    return r && r->is_usable ? r->plugin : NULL;
}

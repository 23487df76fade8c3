/* engine - the table of devices. */
#include "engine/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/opt.h"
#include "engine/plugin.h"

extern const struct hop_device_ops hop_device_ref;
extern const struct hop_device_ops *const hop_device_cpu; /* NULL where oneDNN is missing */

/* Fastest first: the order in which "auto" tries them. */
static const struct hop_device_ops *list[4];

static void
fill_list(void)
{
    const struct hop_plugin *cuda = hop_plugin_usable("cuda");
    size_t n = 0;

    if (cuda)
        list[n++] = cuda->ops;
    if (hop_device_cpu)
        list[n++] = hop_device_cpu;
    list[n++] = &hop_device_ref;
    list[n] = NULL;
}

const struct hop_device_ops *const *
hop_device_list(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* visits ask side by side */

    pthread_once(&once, fill_list);
    return list;
}

static bool
is_name(const char *text, size_t n, const char *name)
{
    return strlen(name) == n && !memcmp(text, name, n);
}

int
hop_device_find(const char *name, const struct hop_device_ops **ops, int *index, struct hop_err *e)
{
    const char *colon = strchr(name, ':');
    size_t n = colon ? (size_t)(colon - name) : strlen(name);
    const struct hop_plugin *plugin;
    int64_t number = 0;
    int rc;

    if (colon && (rc = hop_parse_int(colon + 1, 0, 1023, name, &number, e)))
        return rc;
    *index = (int)number;
    if (!strcmp(name, "auto")) {
        *ops = hop_device_list()[0];
        return HOP_OK;
    }
    /* a named device is that device or an error: nothing else is asked, or loaded */
    if (is_name(name, n, "ref")) {
        *ops = &hop_device_ref;
        return HOP_OK;
    }
    if (is_name(name, n, "cuda")) {
        if (!(rc = hop_plugin_load("cuda", &plugin, e)))
            *ops = plugin->ops;
        return rc;
    }
    if (is_name(name, n, "cpu") && !(*ops = hop_device_cpu))
        return hop_fail(e, HOP_EDEV, name, "use --device ref, or build hop with oneDNN",
                        "device cpu is not built in");
    if (is_name(name, n, "cpu"))
        return HOP_OK;
    return hop_fail(e, HOP_EARG, "--device", "auto, ref, cpu, cuda, cuda:N",
                    "unknown device \"%.60s\"", name);
}

void
hop_device_expect(const char *name)
{
    const struct hop_device_ops *ops;
    struct hop_err ignored = {0};
    int index;

    if (!hop_device_find(name, &ops, &index, &ignored) && ops->expect)
        ops->expect();
    hop_err_clear(&ignored);
}

void
hop_device_identity(const char *name, char *out, size_t n)
{
    size_t i;

    if (!strcmp(name, "auto"))
        name = hop_plugin_may_be_usable("cuda") ? "cuda" : hop_device_list()[0]->name;
    snprintf(out, n, "%s", name);
    for (i = 0; out[i]; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", out[i]))
            out[i] = '-';
}

#include "devices.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/plugin.h"
#include "tool.h"
#include "version.h"

/* More at once gain nothing; and a context of each process takes some 500 MB of the GPU. */
enum { GPU_SLOTS = 16, MAX_PLANS_BYTES = 64 << 20 };

static const char *plans_path;

/* lib/hop beside the folder of this program, if it is there: installed, moved, or where it was built. */
static const char *
plugins_beside(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    int i;

    if (n <= 0 || n >= (ssize_t)sizeof path - 32)
        return NULL;
    for (path[n] = '\0', i = 0; i < 2 && strrchr(path, '/'); i++)
        *strrchr(path, '/') = '\0';
    strcat(path, "/lib/hop");
    return access(path, F_OK) ? NULL : path;
}

/* cuDNN and cuBLAS often lie in Python packages and nowhere else. Folders, ':' between them; kept. */
static const char *
cudnn_dirs(void)
{
    static struct hop_str dirs;
    const char *roots[] = {tool_env("VIRTUAL_ENV"), tool_env("CONDA_PREFIX"), "/usr/local", "/usr",
                           "/opt/conda"};
    const char *packages[] = {"cudnn", "cublas", "cu13"};
    struct hop_str pattern = {0};
    glob_t found;
    size_t i, j, k;

    for (j = 0; j < HOP_LEN(roots) * HOP_LEN(packages); j++) {
        i = j / HOP_LEN(packages);
        if (!roots[i] || *roots[i] != '/')
            continue;
        pattern.n = 0;
        hop_str_addf(&pattern, "%s/lib/python3*/*-packages/nvidia/%s/lib", roots[i],
                     packages[j % HOP_LEN(packages)]);
        if (pattern.is_oom || glob(pattern.s, GLOB_NOSORT, NULL, &found))
            continue;
        for (k = 0; k < found.gl_pathc; k++)
            hop_str_addf(&dirs, "%s%s", dirs.n ? ":" : "", found.gl_pathv[k]);
        globfree(&found);
    }
    hop_str_clear(&pattern);
    return hop_str_c(&dirs);
}

/* Whole lines, one write each: several processes may add to the file, and all say the same. */
static void
on_plan(const char *line)
{
    int fd = open(plans_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    size_t n = strlen(line);

    if (fd < 0 || write(fd, line, n) != (ssize_t)n || close(fd) < 0)
        tool_warn("%s: cannot write the plan", plans_path);
}

static const char *
read_plans(const char *path)
{
    struct hop_err e = {0};
    struct hop_str text = {0};
    char part[65536];
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && text.n < MAX_PLANS_BYTES && (n = read(fd, part, sizeof part)) > 0)
        hop_str_add_n(&text, part, (size_t)n);
    if (fd >= 0)
        close(fd);
    if (n < 0 || hop_str_check(&text, &e)) {
        hop_fail_errno(&e, path, "see HOP_GPU_PLANS", "cannot read the plans");
        tool_die(&e);
    }
    return hop_str_c(&text); /* kept */
}

void
tool_devices_init(void)
{
    const char *dir = tool_env("HOP_PLUGINS");
    struct hop_err e = {0};

    if (!dir)
        dir = plugins_beside();
    if (hop_plugins_set(dir ? dir : hop_plugin_dir, tool_env("HOP_CUDNN"), &e))
        tool_die(&e);
    hop_plugins_ask(cudnn_dirs);
    if ((plans_path = tool_env("HOP_GPU_PLANS")))
        hop_plugins_plans(read_plans(plans_path), on_plan);
}

void
tool_devices_share(void)
{
    /* With CUDA's 8 queues, streams beyond them would wait for one another. */
    setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
}

int
tool_device_slots(const struct hop_device_ops *ops, int index, int64_t n_threads, char *name,
                  size_t size)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN) / n_threads;
    const struct hop_plugin *plugin;
    struct hop_device_info info;
    struct hop_err e = {0};

    if (!strcmp(ops->name, "ref") || !strcmp(ops->name, "cpu")) {
        snprintf(name, size, "cpu");
        return n < 1 ? 1 : (int)n;
    }
    /* Which number a GPU has depends on the process's environment. */
    if (!hop_plugin_load("cuda", &plugin, &e) && !plugin->describe(index, false, &info, &e) &&
        info.uuid[0])
        snprintf(name, size, "%s", info.uuid);
    else
        snprintf(name, size, "%s%d", ops->name, index);
    hop_err_clear(&e);
    return GPU_SLOTS;
}

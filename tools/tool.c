#include "tool.h"

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "format/json.h"
#include "format/safetensors.h"
#include "version.h"

extern char **environ;

bool tool_is_quiet, tool_want_progress, tool_want_help, tool_want_version;
int tool_verbosity;

static const char *progname = "hop";
static char called_as[40]; /* what messages begin with: HOP_CALLED_AS, else the same */
static _Thread_local bool is_progress_shown;
static _Thread_local const struct tool_voice *voice;

void
tool_voice_set(const struct tool_voice *v)
{
    voice = v;
    is_progress_shown = false;
}

struct tool_voice
tool_voice_now(void)
{
    struct tool_voice own = {STDERR_FILENO, tool_is_quiet, tool_want_progress, tool_verbosity};

    return voice ? *voice : own;
}

static void
put(const char *text, size_t n)
{
    if (write(tool_voice_now().fd, text, n) < 0) {
        /* stderr itself is gone: nothing is left to tell it to */
    }
}

/* One line, control characters replaced, one write. */
static void
say(const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    size_t i, n;

    tool_progress_end();
    n = (size_t)snprintf(line, sizeof line, "%s: ", called_as);
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    va_end(ap);
    n = strlen(line);
    for (i = 0; i < n; i++)
        if ((unsigned char)line[i] < 32 || line[i] == 127)
            line[i] = '?';
    line[n] = '\n';
    put(line, n + 1);
}

static void
on_log(int level, const char *line)
{
    struct tool_voice v = tool_voice_now();

    if (level <= (v.is_quiet ? -1 : v.verbosity))
        say("%s", line);
}

static void
show_help(const char *summary, const char *synopsis, const struct hop_opt *rows)
{
    struct hop_str s = {0};
    const char *p, *end;

    for (p = synopsis; p; p = *end ? end + 1 : NULL) {
        end = p + strcspn(p, "\n");
        hop_str_addf(&s, "%s %s %.*s\n", p == synopsis ? "usage:" : "      ", progname,
                     (int)(end - p), p);
    }
    hop_str_addf(&s, "\n%s\n\noptions:\n", summary);
    hop_opt_help(rows, &s);
    hop_str_addf(&s, "\nexit: 0 done, 1 failed, 2 usage, 75 try again later or elsewhere\n"
                     "More: man %s\n", progname);
    tool_print(hop_str_c(&s));
    hop_str_clear(&s);
}

void
tool_init(const char *name, const char *summary, const char *synopsis, struct hop_opt *rows,
          bool want_all_options, int *argc, char **argv)
{
    struct hop_err e = {0};
    int rc;

    progname = name;
    snprintf(called_as, sizeof called_as, "%s",
             getenv("HOP_CALLED_AS") ? getenv("HOP_CALLED_AS") : name);
    unsetenv("HOP_CALLED_AS"); /* not for those that this one calls */
    hop_log_set(on_log);
    rc = hop_opt_parse(rows, want_all_options, argc, argv, &e);
    if (tool_want_help)
        show_help(summary, synopsis, rows);
    else if (tool_want_version)
        tool_print(hop_version_text(name));
    else if (rc)
        tool_die(&e);
    else
        return;
    exit(tool_finish());
}

void
tool_show(const struct hop_err *e)
{
    say("%s%s%s%s%s%s", e->where, e->where[0] ? ": " : "", e->what, e->hint[0] ? " (" : "",
        e->hint, e->hint[0] ? ")" : "");
}

void
tool_die(const struct hop_err *e)
{
    tool_show(e);
    exit(hop_err_exit(e));
}

void
tool_usage(const char *where, const char *fmt, ...)
{
    struct hop_err e = {0};
    char what[500];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    hop_fail(&e, HOP_EARG, where, "see --help", "%s", what);
    tool_die(&e);
}

void
tool_warn(const char *fmt, ...)
{
    char line[1500];
    va_list ap;

    if (tool_voice_now().is_quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    say("%s", line);
}

static void
stdout_failed(void)
{
    struct hop_err e = {0};

    hop_fail_errno(&e, "stdout", NULL, "cannot write");
    tool_die(&e);
}

void
tool_print(const char *text)
{
    if (fputs(text, stdout) == EOF)
        stdout_failed();
}

void
tool_record(const struct hop_json *j)
{
    struct hop_str s = {0};
    struct hop_err e = {0};

    if (hop_json_dump(j, &s, &e))
        tool_die(&e);
    hop_str_add(&s, "\n");
    tool_print(hop_str_c(&s));
    if (fflush(stdout) == EOF)
        stdout_failed();
    hop_str_clear(&s);
}

void
tool_progress(const char *fmt, ...)
{
    struct tool_voice v = tool_voice_now();
    struct hop_str s = {0};
    char line[300];
    va_list ap;

    if (v.is_quiet || (!v.want_progress && !isatty(v.fd)))
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    hop_str_addf(&s, "\r\033[K%s: %s", progname, line);
    put(hop_str_c(&s), s.n);
    hop_str_clear(&s);
    is_progress_shown = true;
}

void
tool_progress_end(void)
{
    if (is_progress_shown)
        put("\n", 1);
    is_progress_shown = false;
}

const char *
tool_env(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
}

void
tool_env_digest(bool is_plugin, char out[17])
{
    enum { N_OURS = 3 };
    static const char *const prefixes[] = {
        "DNNL_", "ONEDNN_", "OMP_",   "GOMP_", "KMP_",       "CUDA_",          "CUDNN_",
        "CUBLAS", "NVIDIA", "LD_",    "HOP_CUDNN=", "HOP_GPU_PLANS=", "HOP_PLUGINS="};
    size_t n = HOP_LEN(prefixes) - (is_plugin ? 0 : N_OURS);
    char hex[HOP_DIGEST_LEN + 1], part[17] = "";
    uint64_t sum = 0;
    size_t i, k;

    /* A sum, since the same variables may come in another order. */
    for (i = 0; environ && environ[i]; i++)
        for (k = 0; k < n; k++)
            if (!strncmp(environ[i], prefixes[k], strlen(prefixes[k]))) {
                hop_digest_of(environ[i], strlen(environ[i]), hex);
                memcpy(part, hex, 16);
                sum += strtoull(part, NULL, 16);
            }
    out[0] = '\0';
    if (part[0])
        snprintf(out, 17, "%016llx", (unsigned long long)sum);
}

void
tool_plans_of(const char *run)
{
    char *whole = realpath(run, NULL);
    struct hop_str path = {0};

    hop_str_addf(&path, "%s/gpu-plans.jsonl", whole ? whole : run);
    if (whole && !path.is_oom)
        setenv("HOP_GPU_PLANS", path.s, 0);
    hop_str_clear(&path);
    free(whole);
}

/* share/hop beside the bin folder of this program, or share of the source tree it was built in. */
static const char *
share_beside(void)
{
    static const char *const places[] = {"/../share/hop", "/../../share"};
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    size_t i, n_dir;

    if (n <= 0 || n >= (ssize_t)sizeof path - 32)
        return NULL;
    path[n] = '\0';
    n_dir = (size_t)(strrchr(path, '/') - path);
    for (i = 0; i < HOP_LEN(places); i++) {
        snprintf(path + n_dir, sizeof path - n_dir, "%s/nets", places[i]);
        if (!access(path, F_OK)) {
            path[strlen(path) - strlen("/nets")] = '\0';
            return path;
        }
    }
    return NULL;
}

const char *
tool_share_dir(void)
{
    const char *v = tool_env("HOP_SHARE");

    if (!v)
        v = share_beside();
    return v ? v : hop_share_dir;
}

const char *
tool_beside(const char *name)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
    size_t n_dir;

    if (n <= 0 || n >= (ssize_t)sizeof path - 64 || strlen(name) > 60)
        return name;
    path[n] = '\0';
    n_dir = (size_t)(strrchr(path, '/') - path);
    snprintf(path + n_dir, sizeof path - n_dir, "/%s", name);
    return access(path, X_OK) ? name : path;
}

bool
tool_is_unread(int fd)
{
    struct pollfd p = {fd, 0, 0};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

int
tool_finish(void)
{
    tool_progress_end();
    if (fclose(stdout) == EOF)
        stdout_failed();
    return 0;
}

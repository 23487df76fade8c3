#include "tool.h"

#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "format/json.h"
#include "version.h"

bool tool_is_quiet, tool_want_progress, tool_want_help, tool_want_version;
int tool_verbosity;

static const char *progname = "hop";
static bool is_progress_shown;

/* One line, control characters replaced, one write. */
static void
say(const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    size_t i, n;

    tool_progress_end();
    n = (size_t)snprintf(line, sizeof line, "%s: ", progname);
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    va_end(ap);
    n = strlen(line);
    for (i = 0; i < n; i++)
        if ((unsigned char)line[i] < 32 || line[i] == 127)
            line[i] = '?';
    line[n] = '\n';
    if (write(STDERR_FILENO, line, n + 1) < 0) {
        /* stderr itself is gone: nothing is left to tell it to */
    }
}

static void
on_log(int level, const char *line)
{
    if (level <= (tool_is_quiet ? -1 : tool_verbosity))
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

    if (tool_is_quiet)
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
    char line[300];
    va_list ap;

    if (tool_is_quiet || (!tool_want_progress && !isatty(STDERR_FILENO)))
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\r\033[K%s: %s", progname, line);
    fflush(stderr);
    is_progress_shown = true;
}

void
tool_progress_end(void)
{
    if (is_progress_shown)
        fputc('\n', stderr);
    is_progress_shown = false;
}

const char *
tool_env(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
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

int
tool_finish(void)
{
    tool_progress_end();
    if (fclose(stdout) == EOF)
        stdout_failed();
    return 0;
}

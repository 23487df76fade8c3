/* tool - what every main shares: the only exit(), stderr and environment of hop. */
#ifndef HOP_TOOL_H
#define HOP_TOOL_H

#include <stdbool.h>
#include "base/err.h"
#include "base/opt.h"

/* Rows that every tool's table ends with. */
#define TOOL_COMMON_OPTIONS                                                                        \
    {"quiet", 'q', HOP_OPT_FLAG, &tool_is_quiet, NULL, "say nothing but errors", 0, 0, false},     \
    {"verbose", 'v', HOP_OPT_COUNT, &tool_verbosity, NULL, "say more (twice: even more)", 0, 0,    \
     false},                                                                                       \
    {"progress", 0, HOP_OPT_FLAG, &tool_want_progress, NULL,                                       \
     "show progress even if stderr is no terminal", 0, 0, false},                                  \
    {"help", 'h', HOP_OPT_FLAG, &tool_want_help, NULL, "show this help", 0, 0, false},             \
    {"version", 'V', HOP_OPT_FLAG, &tool_want_version, NULL, "show version and libraries", 0, 0,   \
     false},                                                                                       \
    {NULL, 0, HOP_OPT_FLAG, NULL, NULL, NULL, 0, 0, false}

extern bool tool_is_quiet, tool_want_progress, tool_want_help, tool_want_version;
extern int tool_verbosity;

/* tool_init - name the tool, read its options, answer --help and --version (exit 0).
 * synopsis: one line per form, without the tool's name, '\n' between forms. want_all_options as in
 * hop_opt_parse. Sets SIGPIPE to its default, log lines to stderr. */
void tool_init(const char *name, const char *summary, const char *synopsis, struct hop_opt *rows,
               bool want_all_options, int *argc, char **argv);

/* tool_show - one line about e on stderr: "NAME: WHERE: WHAT (HINT)". */
void tool_show(const struct hop_err *e);

/* tool_die - tool_show and exit with e's status. */
void tool_die(const struct hop_err *e) __attribute__((noreturn));
void tool_usage(const char *where, const char *fmt, ...) HOP_PRINTF(2, 3)
    __attribute__((noreturn)); /* exit 2 */

/* tool_warn - a line on stderr unless --quiet. */
void tool_warn(const char *fmt, ...) HOP_PRINTF(1, 2);

/* What hop-train's worker process says for one call goes to the caller's stderr. */
struct tool_voice {
    int fd; /* stderr */
    bool is_quiet, want_progress;
    int verbosity;
};
/* tool_voice_set - from now on this thread speaks so (borrowed); NULL = as the process does, by its
 * options. tool_voice_now - how this thread speaks. */
void tool_voice_set(const struct tool_voice *v);
struct tool_voice tool_voice_now(void);

/* tool_print - text to stdout. tool_record - one JSON line to stdout, flushed. Both die on error.
 */
struct hop_json;
void tool_print(const char *text);
void tool_record(const struct hop_json *j);

/* tool_progress - on a terminal (or --progress): a line that replaces the last one; NULL ends it.
 */
void tool_progress(const char *fmt, ...) HOP_PRINTF(1, 2);
void tool_progress_end(void);

/* tool_env - getenv, NULL when unset or empty. tool_share_dir - where nets and spaces lie:
 * HOP_SHARE, else beside this program (installed, moved, or in its source tree), else where `make`
 * was told. */
const char *tool_env(const char *name);
const char *tool_share_dir(void);

/* tool_beside - the path of the tool `name` beside this program, or `name` itself where that cannot be
 * told: then PATH finds it. Borrowed until the next call. */
const char *tool_beside(const char *name);

/* tool_env_digest - of those variables on which numbers may depend: the libraries' own (DNNL_...,
 * OMP_..., CUDA_..., LD_...), and for plugins ours that choose among them, their libraries and plans.
 * "" when none is set, else 16 hex digits. */
void tool_env_digest(bool is_plugin, char out[17]);

/* tool_plans_of - programs that this one runs use and extend the plans of GPU libraries that belong to
 * the run folder `run`, RUN/gpu-plans.jsonl, unless HOP_GPU_PLANS names others. */
void tool_plans_of(const char *run);

/* tool_is_unread - is fd a pipe or a socket whose reader has gone? */
bool tool_is_unread(int fd);

/* tool_finish - close stdout and check it; returns the exit status for main. */
int tool_finish(void);

#endif

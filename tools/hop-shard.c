/* hop-shard - pictures and tables to shards; and is a data folder sound? */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/str.h"
#include "check_data.h"
#include "format/json.h"
#include "format/shard_write.h"
#include "format/source.h"
#include "push.h"
#include "tool.h"

static struct hop_shard_options options = {.dir = ".", .n_shards = 8};
static int64_t seed = 1;
static const char *size_text;
static bool want_check;
static struct tool_push_options push = {.n_at_once = 8, .timeout_s = 60};
static const char *push_timeout;

/* "32x48" to h = 32, w = 48; "32" is 32x32. */
static void
read_size(const char *text)
{
    struct hop_err e = {0};
    const char *x = strchr(text, 'x');
    char *h = strndup(text, x ? (size_t)(x - text) : strlen(text));

    if (!h || hop_parse_int(h, 1, HOP_MAX_SIZE, "--size", &options.h, &e) ||
        hop_parse_int(x ? x + 1 : h, 1, HOP_MAX_SIZE, "--size", &options.w, &e)) {
        if (!e.code)
            hop_fail(&e, HOP_ENOMEM, NULL, NULL, "out of memory");
        tool_die(&e);
    }
    free(h);
}

/* Temporary files as large as the data must not stay behind: a signal stops the work, and is raised
 * again when all is cleared away. */
static volatile sig_atomic_t stop_signal;

static void
on_signal(int number)
{
    stop_signal = number;
}

static void
catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
    size_t i;

    for (i = 0; i < HOP_LEN(numbers); i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &a, NULL);
}

static void
die(const struct hop_err *e)
{
    if (stop_signal) {
        tool_progress_end();
        signal(stop_signal, SIG_DFL);
        raise(stop_signal);
    }
    tool_die(e);
}

static bool
progress(const char *what, int64_t n_examples)
{
    static double last_s;
    double now_s = hop_clock_s();

    if (now_s - last_s > 0.1) {
        tool_progress("%s %lld examples", what, (long long)n_examples);
        last_s = now_s;
    }
    return !stop_signal;
}

/* Every shard of a split is open while it is written. */
static void
allow_files(void)
{
    rlim_t want = (rlim_t)(2 * options.n_shards + options.n_val_shards + 64);
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= want)
        return;
    r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r); /* if refused, opening says so */
}

static void
print_split(const char *split, const struct hop_manifest_split *p)
{
    struct hop_json *j;
    int64_t i;

    for (i = 0; i < p->n_shards; i++) {
        j = hop_json_record("shard/1");
        hop_json_set_str(j, "name", p->shards[i].name);
        hop_json_set_str(j, "split", split);
        hop_json_set_int(j, "examples", p->shards[i].examples);
        hop_json_set_int(j, "bytes", p->shards[i].bytes);
        hop_json_set_str(j, "digest", p->shards[i].digest);
        tool_record(j);
        hop_json_free(j);
    }
}

static void
make(const char *source)
{
    struct hop_manifest m;
    struct hop_err e = {0};

    options.source = source;
    options.seed = (uint64_t)seed;
    options.progress = progress;
    if (size_text)
        read_size(size_text);
    allow_files();
    catch_signals();
    if (hop_shard_make(&options, &m, &e))
        die(&e);
    tool_progress_end();
    print_split("train", &m.train);
    print_split("val", &m.val);
    hop_manifest_clear(&m);
}

static void
send_shards(const char *dir)
{
    struct hop_err e = {0};

    push.dir = dir;
    if ((push_timeout && hop_parse_duration(push_timeout, "--timeout", &push.timeout_s, &e)) ||
        tool_push(&push, &e))
        tool_die(&e);
}

int
main(int argc, char **argv)
{
    struct hop_str formats = {0};
    int status = 0;
    struct hop_opt rows[] = {
        {"shards", 'n', HOP_OPT_INT, &options.n_shards, "SHARDS", "train shards to make (8)", 1,
         HOP_MAX_SHARDS, false},
        {"output", 'o', HOP_OPT_STR, &options.dir, "DIR", "where to make them (.)", 0, 0, false},
        {"val", 0, HOP_OPT_STR, &options.val, "SOURCE", "a second source for the val split", 0, 0,
         false},
        {"val-fraction", 0, HOP_OPT_REAL, &options.val_fraction, "F",
         "take this part of every class for val", 0, 0.999999, false},
        {"fraction", 0, HOP_OPT_REAL, &options.fraction, "F",
         "keep only this part of every class, of train and val (1)", 1e-9, 1, false},
        {"val-shards", 0, HOP_OPT_INT, &options.n_val_shards, "SHARDS",
         "val shards to make (as many as train)", 1, HOP_MAX_SHARDS, false},
        {"size", 0, HOP_OPT_STR, &size_text, "HxW", "make all pictures this size", 0, 0, false},
        {"format", 0, HOP_OPT_STR, &options.format, "F", NULL, 0, 0, false},
        {"label", 0, HOP_OPT_STR, &options.label, "COLUMN", "column of classes in a CSV file", 0, 0,
         false},
        {"target", 0, HOP_OPT_STR, &options.target, "COLUMN,...",
         "columns of numbers to be predicted in a CSV file", 0, 0, false},
        {"seed", 0, HOP_OPT_INT, &seed, "N", "seed of the shuffle (1)", 0, 9e15, false},
        {"skip-bad", 0, HOP_OPT_FLAG, &options.want_skip_bad, NULL,
         "leave corrupt pictures out and name them", 0, 0, false},
        {"force", 0, HOP_OPT_FLAG, &options.want_force, NULL, "replace the data set in DIR", 0, 0,
         false},
        {"check", 0, HOP_OPT_FLAG, &want_check, NULL, "check the data set in DIR, or files of it", 0, 0,
         false},
        {"push", 0, HOP_OPT_STR, &push.workers, "WORKERS", "send the shards in DIR to where they belong",
         0, 0, false},
        {"jobs", 'j', HOP_OPT_INT, &push.n_at_once, "N", "--push: folders sent to at a time (8)", 1, 1024,
         false},
        {"timeout", 0, HOP_OPT_STR, &push_timeout, "TIME", "--push: a connection may be silent (60s)", 0,
         0, false},
        TOOL_COMMON_OPTIONS,
    };

    hop_str_add(&formats, "kind of SOURCE, instead of a guess: ");
    hop_source_list(&formats);
    rows[7].help = hop_str_c(&formats);
    tool_init("hop-shard", "Make shuffled, class-balanced shards of pictures or table rows.",
              "[-n SHARDS] [-o DIR] [--val SOURCE | --val-fraction F] [--size HxW] SOURCE\n"
              "--check DIR | FILE...\n--push WORKERS DIR",
              rows, true, &argc, argv);
    if (argc > 1 && want_check && tool_is_shard(argv[1]))
        status = tool_check_shards(argc - 1, argv + 1);
    else if (argc != 2)
        tool_usage("", argc < 2 ? "needs a SOURCE" : "one SOURCE only, \"%s\" is too much",
                   argc < 2 ? "" : argv[2]);
    else if (want_check && push.workers)
        tool_usage("--check", "does not go with --push");
    else if (want_check)
        tool_check_data(argv[1], progress);
    else if (push.workers)
        send_shards(argv[1]);
    else
        make(argv[1]);
    hop_str_clear(&formats);
    return status ? status : tool_finish();
}

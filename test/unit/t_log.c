/* The log: appending beside others, torn ends, keys of records, merging of eval parts. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "run/runlog.h"
#include "tap.h"

static const char path[] = "log.jsonl";

static struct hop_json *
json(const char *text)
{
    struct hop_err e = {0};
    struct hop_json *j;

    if (hop_json_parse(text, strlen(text), "test", &j, &e))
        printf("# bad JSON in the test: %s\n", text);
    return j;
}

static bool
append(const char *line)
{
    struct hop_err e = {0};
    struct hop_json *j = json(line);
    bool is_ok = !hop_runlog_append(path, j, NULL, &e);

    hop_json_free(j);
    return is_ok;
}

/* Put raw bytes at the end, as a crash may leave them. */
static void
tear(const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0666);

    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        printf("# cannot write\n");
    close(fd);
}

static size_t
count_of(const char *id)
{
    struct hop_err e = {0};
    struct hop_json *lines;
    size_t n;

    if (hop_runlog_of(path, id, 0, &lines, &e))
        return (size_t)-1;
    n = hop_json_len(lines);
    hop_json_free(lines);
    return n;
}

/* How many good lines a reader of the whole log finds. */
static size_t
count_all(void)
{
    struct hop_err e = {0};
    struct hop_json *j;
    struct hop_jsonl *r;
    size_t n = 0;
    int fd = open(path, O_RDONLY), rc;

    r = hop_jsonl_open(fd, path, &e);
    while (!(rc = hop_runlog_next(r, &j, &e))) {
        hop_json_free(j);
        n++;
    }
    hop_jsonl_close(r);
    close(fd);
    return rc == HOP_EOF ? n : (size_t)-1;
}

static void
test_torn(void)
{
    static const char torn[] = "{\"hop\":\"train/1\",\"id\":\"a\",\"vis";

    unlink(path);
    ok(count_of("a") == 0, "no log, no lines");
    ok(append("{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":1}"), "append");
    tear(torn, sizeof torn - 1);
    ok(count_of("a") == 1 && count_all() == 1, "a torn end is passed over");
    ok(append("{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":2}"), "append after it");
    ok(count_of("a") == 2 && count_all() == 2, "the line after a torn one is whole");
    tear("\0\0\0\0", 4);
    ok(append("{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":3}"), "append after zeros");
    ok(append("{\"hop\":\"train/1\",\"id\":\"ab\",\"note\":\"a\",\"visit\":3}"), "of another id");
    ok(count_of("a") == 3 && count_of("ab") == 1, "zeros hide nothing; ids are whole words");
    tear("not json \"a\"\n[]\n", 16);
    ok(count_of("a") == 3 && count_all() == 4, "lines that are no records are passed over");
}

/* Eight processes, a hundred lines each. */
static void
test_beside_others(void)
{
    enum { N_PROCESSES = 8, N_LINES = 100 };
    char line[300];
    int i, k, status, n_bad = 0;

    unlink(path);
    for (i = 0; i < N_PROCESSES; i++)
        if (fork() == 0) {
            for (k = 0; k < N_LINES; k++) {
                snprintf(line, sizeof line,
                         "{\"hop\":\"train/1\",\"id\":\"p%d\",\"visit\":%d,\"fill\":\"%0*d\"}", i,
                         k, 50 + k, 0);
                if (!append(line))
                    _exit(1);
            }
            _exit(0);
        }
    while (wait(&status) > 0)
        n_bad += status != 0;
    ok(!n_bad && count_all() == N_PROCESSES * N_LINES && count_of("p3") == N_LINES,
       "lines of %d processes do not mix", N_PROCESSES);
}

/* Places of lines, and reading on from one, in a log that is longer than what is read at a time; one
 * line alone is. */
static void
test_places(void)
{
    enum { N = 4000, LONG = 1500 };
    static int64_t at[N];
    char *big = malloc(700000), line[200];
    struct hop_err e = {0};
    struct hop_json *j, *lines;
    int64_t found;
    int i, n_bad = 0;

    unlink(path);
    memset(big, 'x', 600000);
    for (i = 0; i < N; i++) {
        snprintf(line, sizeof line,
                 "{\"hop\":\"train/1\",\"id\":\"%s\",\"visit\":%d,\"note\":\"................................\"}",
                 i % 2 ? "odd" : "even", i);
        j = json(line);
        big[600000] = '\0';
        if (i == LONG)
            hop_json_set_str(j, "note", big);
        if (i == 2)
            tear("torn", 4);
        n_bad += hop_runlog_append(path, j, &at[i], &e) != HOP_OK;
        n_bad += !hop_runlog_is_at(path, at[i], j) || hop_runlog_is_at(path, at[i] + 1, j) ||
                 hop_runlog_is_at(path, i ? at[i - 1] : -1, j);
        hop_json_free(j);
    }
    free(big);
    ok(!n_bad, "lines are where appending says, and nowhere else");
    for (i = 0; i < N; i += 13) {
        snprintf(line, sizeof line, "{\"hop\":\"train/1\",\"id\":\"%s\",\"visit\":%d}",
                 i % 2 ? "odd" : "even", i);
        j = json(line);
        n_bad += hop_runlog_find(path, j, &found, &e) || found != at[i];
        hop_json_free(j);
        n_bad += hop_runlog_of(path, "odd", at[i], &lines, &e) != HOP_OK ||
                 hop_json_len(lines) != (size_t)(N - i + 1) / 2 ||
                 hop_json_int(hop_json_get(hop_json_at(lines, 0), "visit")) != i + !(i % 2);
        hop_json_free(lines);
    }
    ok(!n_bad, "they are found there, and all behind a place");
    j = json("{\"hop\":\"train/1\",\"id\":\"odd\",\"visit\":4000}");
    ok(!hop_runlog_find(path, j, &found, &e) && found == -1, "what is not there is not found");
    ok(!hop_runlog_is_at("nowhere", 0, j) && !hop_runlog_is_at(path, 1 << 30, j), "nor beyond the end");
    hop_json_free(j);
}

static void
test_full_disk(void)
{
    struct hop_err e = {0};
    struct hop_json *j = json("{\"id\":\"a\"}");

    ok(hop_runlog_append("/dev/full", j, NULL, &e) == HOP_EIO, "a full disk is an error: %s", e.what);
    hop_json_free(j);
}

static void
test_keys(void)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } pairs[] = {
        {"{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":1,\"loss\":1}",
         "{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":1,\"loss\":2}", true},
        {"{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":1}",
         "{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":2}", false},
        {"{\"hop\":\"train/1\",\"id\":\"a\",\"visit\":1}",
         "{\"hop\":\"train/1\",\"id\":\"b\",\"visit\":1}", false},
        {"{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":1,\"split\":\"val\"}",
         "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":1,\"split\":\"train\"}", false},
        {"{\"hop\":\"eval/1\","
         "\"id\":\"a\",\"iteration\":1,\"split\":\"val\",\"shard\":\"val-000\"}",
         "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":1,\"split\":\"val\"}", false},
        {"{\"hop\":\"config/1\",\"id\":\"a\",\"lr\":1}", "{\"hop\":\"config/1\",\"id\":\"a\"}",
         true},
        {"{\"hop\":\"config/1\",\"id\":\"a\"}", "{\"hop\":\"train/1\",\"id\":\"a\"}", false}};
    size_t i;

    for (i = 0; i < HOP_LEN(pairs); i++) {
        struct hop_json *a = json(pairs[i].a), *b = json(pairs[i].b);

        ok(hop_record_same(a, b) == pairs[i].is_same, "%s and %s", pairs[i].a, pairs[i].b);
        hop_json_free(a);
        hop_json_free(b);
    }
}

#define PART(shard, shards, loss, n)                                                               \
    "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":2,\"split\":\"val\",\"shard\":\"" shard        \
    "\",\"shards\":" shards ",\"loss\":" loss ",\"accuracy\":0.5,\"examples\":" n                  \
    ",\"wall_s\":0.25,\"worker\":\"w\",\"device\":\"ref\",\"status\":\"ok\"}"

/* The merged line of an array's parts as text; "none" or the error. */
static const char *
merge(const char *array)
{
    static char text[600];
    struct hop_err e = {0};
    struct hop_json *lines = json(array), *out = NULL;
    struct hop_str s = {0};

    if (hop_eval_merge(lines, 2, "val", "log", &out, &e))
        snprintf(text, sizeof text, "error: %.500s", e.what);
    else if (!out || hop_json_dump(out, &s, &e))
        snprintf(text, sizeof text, "none");
    else
        snprintf(text, sizeof text, "%s", s.s);
    hop_json_free(lines);
    hop_json_free(out);
    hop_str_clear(&s);
    return text;
}

static void
test_merge(void)
{
    static const char want[] =
        "{\"hop\":\"eval/1\",\"id\":\"a\",\"iteration\":2,\"split\":\"val\",\"loss\":1.75,"
        "\"accuracy\":0.5,\"examples\":40,\"wall_s\":0.5,\"device\":\"ref\",\"status\":\"ok\"}";
    char first[600];

    ok(!strcmp(
           merge("[" PART("val-000", "2", "1.0", "10") "," PART("val-001", "2", "2.0", "30") "]"),
           want),
       "parts are averaged by their examples");
    ok(!strcmp(
           merge("[" PART("val-001", "2", "2.0", "30") "," PART("val-000", "2", "1.0", "10") "]"),
           want),
       "their order changes nothing");
    ok(!strcmp(merge("[" PART("val-001", "2", "2.0", "30") "," PART("val-001", "2", "9.0", "30") ","
                     PART("val-000", "2", "1.0", "10") "]"), want), "a part twice counts once");
    ok(!strcmp(merge("[" PART("val-001", "2", "2.0", "30") "]"), "none"), "one of two is not all");
    ok(!strcmp(
           merge("[" PART("val-001", "2", "2.0", "30") "," PART("val-001", "2", "2.0", "30") "]"),
           "none"),
       "the same one twice neither");
    ok(strstr(
           merge("[" PART("val-001", "2", "2.0", "30") "," PART("val-000", "3", "1.0", "10") "]"),
           "disagree") != NULL,
       "parts of different wholes are refused");
    snprintf(
        first, sizeof first, "%s",
        merge("[" PART("val-000", "2", "null", "10") "," PART("val-001", "2", "2.0", "30") "]"));
    ok(strstr(first, "\"loss\":null") && strstr(first, "\"accuracy\":0.5"),
       "a loss that is not finite stays so");
    snprintf(first, sizeof first, "%s",
             merge("[" PART("val-000", "3", "0.1", "7") "," PART("val-001", "3", "0.2", "11") ","
                   PART("val-002", "3", "0.7", "13") "]"));
    ok(!strcmp(first, merge("[" PART("val-002", "3", "0.7", "13") "," PART(
                          "val-000", "3", "0.1", "7") "," PART("val-001", "3", "0.2", "11") "]")),
       "digits do not depend on the order of arrival");
}

int
main(void)
{
    char dir[] = "/tmp/t_log.XXXXXX";

    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    test_torn();
    test_beside_others();
    test_places();
    test_full_disk();
    test_keys();
    test_merge();
    unlink(path);
    if (chdir("/") < 0 || rmdir(dir) < 0)
        return 1;
    return tap_end();
}

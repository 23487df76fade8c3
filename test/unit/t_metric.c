/* Metrics: what is meant, what is better; and second names of files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "run/metric.h"
#include "tap.h"

static struct hop_json *
json(const char *text)
{
    struct hop_err e = {0};
    struct hop_json *j = NULL;

    if (hop_json_parse(text, strlen(text), "test", &j, &e))
        printf("# bad JSON in the test: %s\n", text);
    return j;
}

static void
test_parse(void)
{
    static const char *const bad[] = {"", ".", ".loss", "val.", "accuracy", "a-name-of-a-split-that-is-far-too-long.loss"};
    struct hop_metric m;
    struct hop_err e = {0};

    ok(!hop_metric_parse("val.loss", "x", &m, &e) && !strcmp(m.split, "val") &&
           !strcmp(m.name, "loss"), "val.loss");
    ok(!hop_metric_parse("train", "x", &m, &e) && !strcmp(m.split, "train") && !*m.name, "train");
    for (size_t i = 0; i < HOP_LEN(bad); i++) {
        e = (struct hop_err){0};
        ok(hop_metric_parse(bad[i], "x", &m, &e) == HOP_EARG, "\"%s\" is none", bad[i]);
    }
}

static void
test_values(void)
{
    struct hop_json *line = json("{\"hop\":\"eval/1\",\"split\":\"val\",\"loss\":0.25,"
                                 "\"accuracy\":0.33333333333333,\"f1\":null}");
    struct hop_json *bare = json("{\"hop\":\"eval/1\",\"split\":\"val\",\"loss\":7}");
    struct hop_json *part = json("{\"hop\":\"eval/1\",\"split\":\"val\",\"shard\":\"val-000\"}");
    struct hop_metric any = {.split = "val"}, loss = {"val", "loss"}, f1 = {"val", "f1"};
    struct hop_metric train = {.split = "train"};

    ok(!strcmp(hop_metric_key(&any, line), "accuracy") && !strcmp(hop_metric_key(&any, bare), "loss"),
       "without a name: accuracy, else loss");
    ok(hop_metric_value(&any, line) == 0.333333333, "rounded as it is written");
    ok(hop_metric_value(&loss, line) == 0.25 && hop_metric_value(&any, bare) == 7, "numbers");
    ok(isnan(hop_metric_value(&f1, line)) && isnan(hop_metric_value(&f1, bare)), "null and missing");
    ok(hop_metric_is_of(&any, line) && !hop_metric_is_of(&any, part) && !hop_metric_is_of(&train, line),
       "parts and other splits are not meant");
    ok(hop_metric_is_less_better("loss") && hop_metric_is_less_better("mae") &&
           !hop_metric_is_less_better("accuracy") && !hop_metric_is_less_better("top_k_accuracy") &&
           !hop_metric_is_less_better("auc"), "what is better");
    hop_json_free(line);
    hop_json_free(bare);
    hop_json_free(part);
}

static bool
holds(const char *path, const char *text)
{
    struct hop_err e = {0};
    char *got;
    size_t n;
    bool is = !hop_read_file(path, 100, &got, &n, &e) && !strcmp(got, text);

    free(got);
    return is;
}

static bool
put(const char *path, const char *text)
{
    struct hop_atomic a;
    struct hop_err e = {0};

    return !hop_atomic_open(&a, path, &e) && !hop_write_fd(a.fd, path, text, strlen(text), &e) &&
           !hop_atomic_commit(&a, &e);
}

static bool
is_one_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static void
test_links(void)
{
    char far[] = "/dev/shm/t_metric.XXXXXX";
    struct hop_err e = {0};
    int fd;

    ok(put("a", "one") && !hop_atomic_link("a", "b", &e) && holds("b", "one") && is_one_file("a", "b"),
       "a second name of the same file");
    ok(!hop_atomic_link("a", "b", &e) && holds("b", "one"), "once more changes nothing");
    ok(put("a", "two") && holds("b", "one") && !is_one_file("a", "b"),
       "replacing the first name leaves the second as it was");
    ok(!hop_atomic_link("a", "b", &e) && holds("b", "two"), "the second is replaced, too");
    ok(hop_atomic_link("nix", "b", &e) == HOP_EIO && holds("b", "two"), "from nothing: %s", e.what);
    if ((fd = mkstemp(far)) >= 0 && put(far, "far")) {
        e = (struct hop_err){0};
        ok(!hop_atomic_link(far, "b", &e) && holds("b", "far") && !is_one_file(far, "b"),
           "a copy, from another file system");
        unlink(far);
        close(fd);
    }
    unlink("a");
    unlink("b");
}

int
main(void)
{
    char dir[] = "/tmp/t_metric.XXXXXX";

    test_parse();
    test_values();
    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    test_links();
    if (chdir("/") < 0 || rmdir(dir) < 0) { /* a leftover would keep the folder */
        printf("Bail out! %s is not empty\n", dir);
        return 1;
    }
    return tap_end();
}

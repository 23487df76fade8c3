/* JSON values and lines: what is read, what is refused, what is written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/json.h"
#include "tap.h"

static int
parse(const char *text, size_t n, struct hop_err *e)
{
    char *copy = malloc(n ? n : 1); /* an own block: a sanitizer sees one byte too many */
    struct hop_json *j;
    int rc;

    memcpy(copy, text, n);
    rc = hop_json_parse(copy, n, "t", &j, e);
    hop_json_free(j);
    free(copy);
    return rc;
}

static void
test_refused(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "{\"a\":1,\"a\":2}",
        "[1,]",
        "{\"a\":}",
        "nul",
        "1 2",
        "{\"a\":1}x",
        "\"\\ud800\"",
        "\"\xff\"",
        "[1e999]",
        "99999999999999999999",
        "{\"a\\u0000b\":1}",
        "{'a':1}",
        "[NaN]",
        "\x01",
    };
    struct hop_err e;
    size_t i;

    for (i = 0; i < HOP_LEN(bad); i++) {
        e = (struct hop_err){0};
        ok(parse(bad[i], strlen(bad[i]), &e) == HOP_EFORMAT && !strncmp(e.where, "t@", 2),
           "refused: %s (%s: %s)", bad[i], e.where, e.what);
    }
}

static void
test_cut(void)
{
    static const char text[] =
        "{\"hop\":\"config/"
        "1\",\"id\":\"c0\",\"lr\":1e-3,\"a\":[1,[2,{\"b\":null}],true,\"\\u00e9\"]}";
    size_t i, n = sizeof text - 1, passed = 0;
    struct hop_err e = {0};

    ok(parse(text, n, &e) == HOP_OK, "whole");
    for (i = 0; i < n; i++) {
        e = (struct hop_err){0};
        passed += parse(text, i, &e) != HOP_EFORMAT;
    }
    ok(passed == 0, "cut at each byte is refused");
}

static void
test_deep(void)
{
    size_t n = 1 << 20;
    char *text = malloc(n);
    struct hop_err e = {0};

    memset(text, '[', n);
    ok(parse(text, n, &e) == HOP_EFORMAT, "a million brackets are refused, not a stack overflow");
    free(text);
}

static void
test_members(void)
{
    static const char text[] =
        "{\"s\":\"x\",\"i\":3,\"r\":2.5,\"w\":128.0,\"b\":true,\"z\":null,\"neg\":-1}";
    struct hop_json *j = NULL;
    struct hop_err e = {0};
    const char *s = "default";
    int64_t i = 7;
    double r = 7;
    bool b = false;

    ok(!hop_json_parse(text, strlen(text), "t", &j, &e), "parsed");
    ok(!hop_json_get_str(j, "s", true, "t", &s, &e) && !strcmp(s, "x"), "string");
    ok(!hop_json_get_int(j, "i", true, 0, 0, "t", &i, &e) && i == 3, "whole number");
    ok(!hop_json_get_int(j, "w", true, 0, 0, "t", &i, &e) && i == 128, "128.0 is whole");
    ok(!hop_json_get_real(j, "i", true, 0, 0, "t", &r, &e) && r == 3, "a whole number is a number");
    ok(!hop_json_get_bool(j, "b", true, "t", &b, &e) && b, "boolean");
    i = 42;
    ok(!hop_json_get_int(j, "none", false, 0, 0, "t", &i, &e) && i == 42, "missing: left alone");
    ok(!hop_json_get_int(j, "z", false, 0, 0, "t", &i, &e) && i == 42, "null: left alone");
    ok(hop_json_get_int(j, "none", true, 0, 0, "t", &i, &e) == HOP_EFORMAT &&
           strstr(e.what, "none"),
       "needed and missing: %s", e.what);
    hop_err_clear(&e);
    ok(hop_json_get_int(j, "r", true, 0, 0, "t", &i, &e) == HOP_EFORMAT, "2.5: %s", e.what);
    hop_err_clear(&e);
    ok(hop_json_get_int(j, "neg", true, 1, 10, "t", &i, &e) == HOP_EFORMAT, "range: %s (%s)",
       e.what, e.hint);
    hop_err_clear(&e);
    ok(hop_json_get_str(j, "i", true, "t", &s, &e) == HOP_EFORMAT, "kind: %s", e.what);
    hop_json_free(j);
}

static void
test_writing(void)
{
    struct hop_json *o = hop_json_record("train/1");
    struct hop_err e = {0};
    struct hop_str s = {0};

    hop_json_set_str(o, "b", "\"\n\xC3\xA9");
    hop_json_set_real(o, "nan", NAN);
    hop_json_set_real(o, "tenth", 0.1f);
    hop_json_set_int(o, "big", 9007199254740993);
    hop_json_set_str(o, "bytes", "a\xFF\xC3(z");
    hop_json_set_str(o, "hop", "eval/1");
    ok(!hop_json_dump(o, &s, &e), "dumped");
    ok(!strcmp(hop_str_c(&s), "{\"hop\":\"eval/1\",\"b\":\"\\\"\\n\xC3\xA9\",\"nan\":null,"
                              "\"tenth\":0.100000001,\"big\":9007199254740993,"
                              "\"bytes\":\"a\xEF\xBF\xBD\xEF\xBF\xBD(z\"}"),
       "order kept, not finite = null, 9 digits, exact integers, bad UTF-8 mended: %s",
       hop_str_c(&s));
    hop_str_clear(&s);
    hop_json_free(o);
}

/* Lines through a pipe; *last is what ended the reading. */
static int
count_lines(const char *text, size_t n, int *last, struct hop_err *e)
{
    struct hop_jsonl *r;
    struct hop_json *j;
    int fd[2], n_lines = 0;

    if (pipe(fd) || write(fd[1], text, n) != (ssize_t)n)
        return -1;
    close(fd[1]);
    r = hop_jsonl_open(fd[0], "in", e);
    while (!(*last = hop_jsonl_next(r, &j, e))) {
        n_lines++;
        hop_json_free(j);
    }
    hop_jsonl_close(r);
    close(fd[0]);
    return n_lines;
}

static void
test_lines(void)
{
    static const char text[] = "{\"a\":1}\n\n  \n{\"b\":[2,3]}\r\n{\"c\":\"d\"}\n";
    static const struct {
        const char *text, *where;
    } bad[] = {
        {"{\"a\":1}\n{\"a\":", "in:2"},      {"{\"a\":1}", "in:1"},  {"[1]\n", "in:1"},
        {"{}\n{\"a\":1,\"a\":1}\n", "in:2"}, {"{}\n\n{]\n", "in:3"}, {"{} {}\n", "in:1"},
    };
    struct hop_err e = {0};
    size_t i, n_odd = 0;
    int last;

    ok(count_lines(text, sizeof text - 1, &last, &e) == 3 && last == HOP_EOF, "three lines");
    ok(count_lines("", 0, &last, &e) == 0 && last == HOP_EOF, "no lines");
    for (i = 0; i < HOP_LEN(bad); i++) {
        e = (struct hop_err){0};
        count_lines(bad[i].text, strlen(bad[i].text), &last, &e);
        ok(last == HOP_EFORMAT && !strcmp(e.where, bad[i].where), "%s: %s (%s)", e.where, e.what,
           e.hint);
    }
    for (i = 0; i < sizeof text - 1; i++) {
        e = (struct hop_err){0};
        count_lines(text, i, &last, &e);
        n_odd += last != (i == 0 || text[i - 1] == '\n' ? HOP_EOF : HOP_EFORMAT);
    }
    ok(n_odd == 0, "cut at each byte: an error unless at the end of a line");
}

int
main(void)
{
    test_refused();
    test_cut();
    test_deep();
    test_members();
    test_writing();
    test_lines();
    return tap_end();
}

/* The option parser: one table, everything that is not in it refused. */
#include <stdlib.h>
#include <string.h>

#include "base/opt.h"
#include "tap.h"

static bool flag;
static int count;
static const char *text;
static int64_t number;
static double real;
static struct hop_opt_list list;

static const struct hop_opt table[] = {
    {"flag", 'f', HOP_OPT_FLAG, &flag, NULL, "a flag", 0, 0, false},
    {"count", 'c', HOP_OPT_COUNT, &count, NULL, "a count", 0, 0, false},
    {"text", 't', HOP_OPT_STR, &text, "S", "a text", 0, 0, false},
    {"number", 'n', HOP_OPT_INT, &number, "N", "a number", 1, 100, false},
    {"real", 'r', HOP_OPT_REAL, &real, "X", "a real", -1, 1, false},
    {"list", 'l', HOP_OPT_LIST, &list, "S", "a list", 0, 0, false},
    {NULL, 0, HOP_OPT_FLAG, NULL, NULL, NULL, 0, 0, false}};

static struct hop_err err;
static char *args[20];
static int n_args;

/* Parse a command line of words divided by '|'. */
static int
parse(bool want_all, const char *line)
{
    static char buf[400];
    static struct hop_opt rows[HOP_LEN(table)];
    char *p;

    memcpy(rows, table, sizeof rows);
    flag = false;
    count = 0;
    text = NULL;
    number = 0;
    real = 0;
    list.n = 0;
    hop_err_clear(&err);
    snprintf(buf, sizeof buf, "%s", line);
    n_args = 0;
    args[n_args++] = "tool";
    for (p = strtok(buf, "|"); p; p = strtok(NULL, "|"))
        args[n_args++] = p;
    args[n_args] = NULL;
    return hop_opt_parse(rows, want_all, &n_args, args, &err);
}

static void
refused(const char *line, const char *where, const char *what)
{
    int rc = parse(true, line);

    ok(rc == HOP_EARG && hop_err_exit(&err) == 2 && !strcmp(err.where, where) &&
           strstr(err.what, what),
       "\"%s\": %s: %s", line, err.where, err.what);
}

static void
test_good(void)
{
    ok(!parse(true, "-f|a|--text|x y|b|-n5|--real=-0.5|-cc|-l|p|--list=q|--|-f|--text") && flag &&
           count == 2 && !strcmp(text, "x y") && number == 5 && real > -0.51 && real < -0.49 &&
           list.n == 2 && !strcmp(list.v[0], "p") && !strcmp(list.v[1], "q"),
       "every kind of option, every way to write it");
    ok(n_args == 5 && !strcmp(args[1], "a") && !strcmp(args[2], "b") && !strcmp(args[3], "-f") &&
           !strcmp(args[4], "--text") && !args[5],
       "operands stay, in order; -- ends options");
    ok(!parse(true, "-|-t|-") && n_args == 2 && !strcmp(args[1], "-") && !strcmp(text, "-"),
       "\"-\" is an operand and a value");
    ok(!parse(true, "--text=") && text && !*text, "an empty value");
    ok(!parse(true, "--text|--flag") && !strcmp(text, "--flag") && !flag,
       "a value may look like an option");
    ok(!parse(false, "-f|cmd|-n|x|--nix") && flag && n_args == 5 && !strcmp(args[2], "-n"),
       "of a filter's command only what comes before it is ours");
    ok(!parse(false, "-f|--|cmd|-c") && n_args == 3 && !count, "the same after --");
    ok(!parse(true, "-n|100|-r|1") && number == 100 && real == 1, "bounds are included");
}

static void
test_bad(void)
{
    static const struct {
        const char *line, *where, *what;
    } bad[] = {{"--nix", "--nix", "unknown"},     {"--tex|x", "--tex", "unknown"},
               {"--textt=1", "--textt", "unknown"}, {"-z", "-z", "unknown"},
               {"-fz", "-z", "unknown"},          {"--text", "--text", "needs a value"},
               {"-t", "-t", "needs a value"},     {"-ft", "-t", "needs a value"},
               {"--flag=1", "--flag", "takes no value"}, {"-f|-f", "-f", "twice"},
               {"-t|a|--text|b", "--text", "twice"}, {"-n|1x", "-n", "whole number"},
               {"-n|", "-n", "needs a value"},    {"-n| 1", "-n", "whole number"},
               {"-n|1.5", "-n", "whole number"},  {"-n|0", "-n", "out of range"},
               {"-n|101", "-n", "out of range"},  {"-n|99999999999999999999", "-n", "number"},
               {"-r|nan", "-r", "not a number"},  {"-r|inf", "-r", "not a number"},
               {"-r|0.5x", "-r", "not a number"}, {"-r|1.01", "-r", "out of range"}};
    size_t i;

    for (i = 0; i < HOP_LEN(bad); i++)
        refused(bad[i].line, bad[i].where, bad[i].what);
}

static void
test_help(void)
{
    struct hop_str s = {0};
    size_t i;
    bool is_ok = true;
    char name[40];

    hop_opt_help(table, &s);
    for (i = 0; table[i].name; i++) {
        snprintf(name, sizeof name, "--%s", table[i].name);
        is_ok = is_ok && strstr(hop_str_c(&s), name) && strstr(hop_str_c(&s), table[i].help);
    }
    ok(is_ok, "help names every row");
    hop_str_clear(&s);
}

int
main(void)
{
    test_good();
    test_bad();
    test_help();
    free(list.v);
    return tap_end();
}

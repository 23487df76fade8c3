/* Quoting for the shell: whatever bytes a word has, sh reads it back as that one word; also within
 * a line of its own, and twice over as for ssh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "tap.h"

static const char *const words[] = {
    "",            "plain",        "with space",    "two  spaces ",  "single'quote",
    "'",           "''",           "double\"quote", "$HOME",         "$(touch pwned)",
    "`touch pwned`", "a\nb",       "\n",            "trailing\n",    "-leading-dash",
    "--",          "back\\slash",  "\\",            "a;b|c&d",       "<>()",
    "*?[a]",       "~root",        "#comment",      "tab\there",     "!history",
    "{1..3}",      "a=b",          "\xc3\xa9t\xc3\xa9", "\xff\xfe",  "\x01\x7f",
    "'$(touch pwned)'\n'`x`'\"$HOP_NL\"", "user@host:/path/x.safetensors", "%s%n", "a\rb",
};

/* What `sh -c "printf %s COMMAND_WORDS"` prints, compared with want. */
static bool
reads_back(const char *quoted, const char *want)
{
    struct hop_str script = {0};
    char got[400];
    size_t n;
    int fd[2], status;
    pid_t pid;

    hop_str_addf(&script, "set -f; IFS=; f() { [ $# = 1 ] && printf %%s \"$1\"; }; f %s", quoted);
    if (pipe(fd) < 0 || (pid = fork()) < 0)
        return false;
    if (!pid) {
        dup2(fd[1], STDOUT_FILENO);
        close(fd[0]);
        close(fd[1]);
        setenv("HOP_NL", "\n", 1);
        execl("/bin/sh", "sh", "-c", script.s, (char *)NULL);
        _exit(127);
    }
    close(fd[1]);
    n = 0;
    for (ssize_t k; n < sizeof got - 1 && (k = read(fd[0], got + n, sizeof got - 1 - n)) > 0;)
        n += (size_t)k;
    close(fd[0]);
    waitpid(pid, &status, 0);
    hop_str_clear(&script);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && n == strlen(want) &&
           !memcmp(got, want, n);
}

int
main(void)
{
    struct hop_str s = {0}, t = {0};
    char dir[] = "/tmp/t_quote.XXXXXX";
    size_t i;

    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    for (i = 0; i < HOP_LEN(words); i++) {
        s.n = t.n = 0;
        hop_str_quote(&s, words[i]);
        ok(reads_back(hop_str_c(&s), words[i]), "word %zu", i);
        s.n = 0;
        hop_str_quote_line(&s, words[i]);
        ok(reads_back(hop_str_c(&s), words[i]) && !strchr(s.s, '\n'), "word %zu on one line", i);
        s.n = 0;
        /* As for ssh: the words of a command there are one word here. */
        hop_str_quote(&s, words[i]);
        hop_str_quote_line(&t, hop_str_c(&s));
        ok(reads_back(hop_str_c(&t), hop_str_c(&s)) && !strchr(t.s, '\n'), "word %zu twice", i);
    }
    s.n = 0;
    hop_str_quote(&s, "/data/train-000.safetensors");
    ok(!strcmp(s.s, "/data/train-000.safetensors"), "a plain word stays as it is");
    ok(access("pwned", F_OK) < 0, "nothing in a word was run");
    hop_str_clear(&s);
    hop_str_clear(&t);
    unlink("pwned");
    if (chdir("/") < 0 || rmdir(dir) < 0)
        return 1;
    return tap_end();
}

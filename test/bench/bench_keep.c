/* bench_keep - how long from exec until training starts, and until the end, of one command:
 *
 *   bench_keep N MODEL OUT COMMAND...
 *
 * runs COMMAND (hop-train -vv ...) N times with MODEL as its input and OUT, each time a new file, as its
 * output, and prints
 * medians in ms: {"ready_ms":..,"ready_min_ms":..,"end_ms":..}. Ready is the line that hop-train -vv
 * writes right before the first step. */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void
die(const char *what)
{
    fprintf(stderr, "bench_keep: %s\n", what);
    exit(1);
}

/* One run; *ready and *end in ms from exec on. */
static void
run(char **argv, double *ready, double *end)
{
    posix_spawn_file_actions_t files;
    char text[65536];
    size_t n = 0;
    ssize_t got;
    int fds[2], status;
    double start_s;
    pid_t pid;

    if (pipe(fds) < 0)
        die("no pipe");
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, argv[2], O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&files, fds[1], 2);
    posix_spawn_file_actions_addclose(&files, fds[0]);
    posix_spawn_file_actions_addclose(&files, fds[1]);
    *ready = -1;
    unlink(argv[3]); /* to cut a file of 10 MB takes milliseconds that a visit does not spend */
    start_s = hop_clock_s();
    if (posix_spawn(&pid, argv[4], &files, NULL, argv + 4, environ))
        die("cannot run the command");
    close(fds[1]);
    while ((got = read(fds[0], text + n, sizeof text - 1 - n)) > 0) {
        n += (size_t)got;
        text[n] = '\0';
        if (*ready < 0 && strstr(text, "are ready"))
            *ready = (hop_clock_s() - start_s) * 1e3;
        if (n > sizeof text / 2)
            n = 0;
    }
    if (waitpid(pid, &status, 0) != pid || status || *ready < 0)
        die(n ? text : "the command failed");
    *end = (hop_clock_s() - start_s) * 1e3;
    close(fds[0]);
    posix_spawn_file_actions_destroy(&files);
}

int
main(int argc, char **argv)
{
    int i, n = argc > 4 ? (int)strtol(argv[1], NULL, 10) : 0;
    double *ready, *end;

    if (n < 1)
        die("N MODEL OUT COMMAND...");
    ready = calloc((size_t)n, sizeof *ready);
    end = calloc((size_t)n, sizeof *end);
    if (!ready || !end)
        die("out of memory");
    for (i = 0; i < n; i++)
        run(argv, &ready[i], &end[i]);
    qsort(ready, (size_t)n, sizeof *ready, compare);
    qsort(end, (size_t)n, sizeof *end, compare);
    printf("{\"ready_ms\":%.2f,\"ready_min_ms\":%.2f,\"end_ms\":%.2f,\"repeats\":%d}\n", ready[n / 2],
           ready[0], end[n / 2], n);
    free(ready);
    free(end);
    return 0;
}

/* bench_run COMMAND [ARGUMENT...] - run it; then one JSON line on stderr: wall time, processor time and
 * the greatest resident memory. Its exit status is the command's. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"

int
main(int argc, char **argv)
{
    double start_s = hop_clock_s();
    struct rusage used;
    int status;
    pid_t pid;

    if (argc < 2) {
        fprintf(stderr, "bench_run COMMAND [ARGUMENT...]\n");
        return 2;
    }
    if (!(pid = fork())) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) < 0) {
        perror("bench_run");
        return 1;
    }
    fprintf(stderr, "{\"hop\":\"bench/1\",\"bench\":\"run\",\"wall_s\":%.3f,\"cpu_s\":%.3f,\"rss_mb\":%ld}\n",
            hop_clock_s() - start_s,
            (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec),
            used.ru_maxrss / 1024);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* bench_link HOST PORT BYTES_PER_S DELAY_MS - a slow link for ssh's ProxyCommand: what comes on standard
 * input goes to HOST:PORT, what comes from there to standard output, each way at that rate and that much
 * later. HOST is a number. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { CHUNK_BYTES = 8192, N_CHUNKS = 64 }; /* what is on the way, at most */

struct chunk {
    double due_s;
    ssize_t n; /* 0: the end */
    char bytes[CHUNK_BYTES];
};

struct way {
    int in_fd, out_fd;
    pthread_mutex_t lock;
    pthread_cond_t change;
    size_t n_in, n_out; /* of chunks so far */
    struct chunk ring[N_CHUNKS];
};

static double bytes_per_s, delay_s;
static struct way ways[2];

static void
sleep_until(double end_s)
{
    double left_s = end_s - hop_clock_s();
    struct timespec t = {(time_t)left_s, (long)(1e9 * (left_s - (double)(time_t)left_s))};

    if (left_s > 0)
        nanosleep(&t, NULL);
}

static void *
take(void *arg)
{
    struct way *w = arg;
    double free_s = 0, now_s;
    struct chunk *c;
    ssize_t n;

    do {
        pthread_mutex_lock(&w->lock);
        while (w->n_in - w->n_out == N_CHUNKS)
            pthread_cond_wait(&w->change, &w->lock);
        pthread_mutex_unlock(&w->lock);
        c = &w->ring[w->n_in % N_CHUNKS];
        n = read(w->in_fd, c->bytes, sizeof c->bytes);
        c->n = n > 0 ? n : 0;
        now_s = hop_clock_s();
        free_s = (free_s > now_s ? free_s : now_s) + (double)c->n / bytes_per_s;
        c->due_s = free_s + delay_s;
        pthread_mutex_lock(&w->lock);
        w->n_in++;
        pthread_cond_broadcast(&w->change);
        pthread_mutex_unlock(&w->lock);
    } while (n > 0);
    return NULL;
}

static void *
give(void *arg)
{
    struct way *w = arg;
    struct chunk *c;
    ssize_t at, n, sent;

    do {
        pthread_mutex_lock(&w->lock);
        while (w->n_in == w->n_out)
            pthread_cond_wait(&w->change, &w->lock);
        pthread_mutex_unlock(&w->lock);
        c = &w->ring[w->n_out % N_CHUNKS];
        n = c->n;
        sleep_until(c->due_s);
        for (at = 0; at < n; at += sent)
            if ((sent = write(w->out_fd, c->bytes + at, (size_t)(n - at))) <= 0)
                exit(1);
        pthread_mutex_lock(&w->lock);
        w->n_out++;
        pthread_cond_broadcast(&w->change);
        pthread_mutex_unlock(&w->lock);
    } while (n > 0);
    if (w == &ways[0])
        shutdown(w->out_fd, SHUT_WR);
    return NULL;
}

int
main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    pthread_t threads[4];
    int fd, i;

    if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
        (bytes_per_s = strtod(argv[3], NULL)) <= 0 || (delay_s = strtod(argv[4], NULL) / 1000) < 0) {
        fputs("usage: bench_link HOST PORT BYTES_PER_S DELAY_MS\n", stderr);
        return 2;
    }
    to.sin_port = htons((uint16_t)strtol(argv[2], NULL, 10));
    if ((fd = socket(AF_INET, SOCK_STREAM, 0)) < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("bench_link");
        return 1;
    }
    for (i = 0; i < 2; i++) {
        ways[i].in_fd = i ? fd : STDIN_FILENO;
        ways[i].out_fd = i ? STDOUT_FILENO : fd;
        pthread_mutex_init(&ways[i].lock, NULL);
        pthread_cond_init(&ways[i].change, NULL);
        if (pthread_create(&threads[2 * i], NULL, take, &ways[i]) ||
            pthread_create(&threads[2 * i + 1], NULL, give, &ways[i]))
            return 1;
    }
    pthread_join(threads[3], NULL); /* the other end has said all */
    return 0;
}

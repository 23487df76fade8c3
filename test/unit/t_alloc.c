/* The loop over batches takes no memory: none by hop at all, none of 64 KiB or more by the
 * libraries below it. (oneDNN builds a small table of arguments in every call.) malloc and its kin
 * are counted here, in front of glibc's; where they cannot be, the test says so. */
#include <errno.h>

#if defined(__linux__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) &&                  \
    !defined(__SANITIZE_THREAD__)
#define CAN_COUNT 1
#else
#define CAN_COUNT 0
#endif
#include "engine_test.h"
#include "tap.h"

static volatile bool is_counting; /* volatile: compilers know that malloc reads no variables */
static volatile long n_own, n_large, n_small;

#if CAN_COUNT
extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n), *__libc_memalign(size_t align, size_t n);
extern char __executable_start, etext; /* of this program, into which hop's libraries are linked */

static void
count(const void *caller, size_t n)
{
    const char *at = caller;

    if (!is_counting)
        return;
    n_own += at >= &__executable_start && at < &etext;
    n_large += n >= 65536;
    n_small += n < 65536;
}

void *
malloc(size_t n)
{
    count(__builtin_return_address(0), n);
    return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    count(__builtin_return_address(0), n * size);
    return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
    count(__builtin_return_address(0), n);
    return __libc_realloc(p, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
    count(__builtin_return_address(0), n);
    return __libc_memalign(align, n);
}

int
posix_memalign(void **out, size_t align, size_t n)
{
    count(__builtin_return_address(0), n);
    *out = __libc_memalign(align, n);
    return *out ? 0 : ENOMEM;
}
#endif

static bool
after_step(void *arg, int64_t n_done, int64_t n_total)
{
    (void)arg;
    is_counting = n_done < n_total; /* from the first step's end to the last step's */
    return true;
}

static void
test_net(const struct hop_device_ops *ops, const char *what, struct hop_net *net, const char *optim,
         const char *hyper)
{
    struct hop_plan_spec spec = make_spec(net, 4, optim, hyper);
    struct test_data x = make_data(net, 18, 21); /* the tail has a program of its own */
    struct hop_state s = make_state(net, spec.optim, 5);
    struct test_run t = start(ops, &spec, &x);
    struct hop_pass pass = {.shuffle_key = 1, .dropout_key = 2, .visit = 1, .progress = after_step};
    struct hop_result r;
    struct hop_err e = {0};

    n_own = n_large = n_small = 0;
    if (ops->load(t.p, &s, &e) || ops->train(t.p, t.x, &pass, &r, &e))
        die(what, &e);
    ok(n_own == 0 && n_large == 0 && r.n_steps == 5,
       "%s %s: %ld allocations by hop, %ld large and %ld small below it", ops->name, what, n_own,
       n_large, n_small);
    stop(&t);
    clear_state(&s);
    clear_data(&x);
    hop_net_free(net);
}

int
main(void)
{
    const struct hop_device_ops *ops;
    struct hop_err e = {0};
    void *volatile p;
    int index;

    if (!CAN_COUNT || hop_device_find("cpu", &ops, &index, &e)) {
        hop_err_clear(&e);
        ok(true, "skipped: allocations cannot be counted here, or there is no device cpu");
        return tap_end();
    }
    is_counting = true;
    free(p = malloc(100000));
    is_counting = false;
    ok(n_own == 1 && n_large == 1, "the counter counts");
    test_net(ops, "chain",
             make_net("12,12,3", CONV(16, 3, 3, 1, same, relu) POOL("MaxPooling2D", 2, 2, valid)
                                     DROPOUT(0.3) FLATTEN DENSE(32, elu) BNORM),
             "sgd", "{\"momentum\":0.9,\"global_clipnorm\":1.0}");
    test_net(ops, "resnet20", read_net("resnet20"), "adam", "{}");
    test_net(ops, "mobilenet-small", read_net("mobilenet-small"), "rmsprop", "{}");
    return tap_end();
}

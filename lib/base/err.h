/* err - one error value for the whole library.
 *
 * Library functions return 0, HOP_EOF at a normal end, or a negative code, and take a
 * `struct hop_err *` as last argument. The first failure wins: later calls of hop_fail() on the
 * same value change nothing, so clean-up paths may fail without hiding the cause. The library
 * never prints and never exits; tools turn the value into one line and an exit status.
 */
#ifndef HOP_BASE_ERR_H
#define HOP_BASE_ERR_H

#define HOP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define HOP_MUSTUSE           __attribute__((warn_unused_result))
#define HOP_LEN(a)            (sizeof(a) / sizeof((a)[0]))

enum {
    HOP_OK = 0,
    HOP_EOF = 1,      /* normal end of input */
    HOP_EIO = -1,     /* a system call on a file failed             exit 1 */
    HOP_EFORMAT = -2, /* a file or line says something impossible   exit 1 */
    HOP_EARG = -3,    /* the caller or user asked for nonsense      exit 2 */
    HOP_ENOMEM = -4,  /* out of memory                              exit 75 */
    HOP_EBUSY = -5,   /* a lock is held, or it is not yet our turn  exit 75 */
    HOP_EDEV = -6,    /* device missing or lost                     exit 75 */
    HOP_EFAIL = -7    /* anything else                              exit 1 */
};

struct hop_err {
    int code;        /* 0 = no error so far */
    char where[600]; /* FILE, FILE:LINE, FILE@BYTE, --option, device NAME; "" if nowhere */
    char what[600];  /* lower case, no full stop */
    char hint[400];  /* what to do, or "" */
};

/* hop_fail - record a failure and return `code`. where and hint may be NULL. */
int hop_fail(struct hop_err *e, int code, const char *where, const char *hint, const char *fmt, ...)
    HOP_PRINTF(5, 6);

/* hop_fail_errno - the same, with ": strerror(errno)" appended; ENOMEM becomes HOP_ENOMEM. */
int hop_fail_errno(struct hop_err *e, const char *where, const char *hint, const char *fmt, ...)
    HOP_PRINTF(4, 5);

/* hop_err_clear - back to "no error". */
void hop_err_clear(struct hop_err *e);

/* hop_err_exit - exit status for e->code: 0, 1, 2 or 75. */
int hop_err_exit(const struct hop_err *e);

/* hop_bug - print FILE:LINE and abort: for states that no input can reach. */
void hop_bug(const char *file, int line, const char *what) __attribute__((noreturn));
#define HOP_BUG_ON(x) ((x) ? hop_bug(__FILE__, __LINE__, #x) : (void)0)

#endif

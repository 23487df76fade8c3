/* import - spaces written for other programs, as spaces of ours (space.h).
 *
 * One file import_NAME.c and one row in import.c each. What a space says that ours cannot is an
 * error that names its place; what does not matter to us (verbose, method, ...) is passed over.
 */
#ifndef HOP_SEARCH_IMPORT_H
#define HOP_SEARCH_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "format/json.h"

struct hop_importer {
    const char *name, *summary;
    bool (*is)(const struct hop_json *j); /* is it one of these, and none of ours? */
    /* Add to `space` what j says. Err: HOP_EFORMAT at "where: path". */
    int (*read)(const struct hop_json *j, const char *where, struct hop_json *space,
                struct hop_err *e);
};
extern const struct hop_importer *const hop_importers[]; /* NULL-ended */
extern const struct hop_importer hop_import_madlib;
extern const struct hop_importer hop_import_nni;
extern const struct hop_importer hop_import_optuna;
extern const struct hop_importer hop_import_wandb;

/* hop_import_find - by name. Err: HOP_EARG listing the known ones. */
int hop_import_find(const char *name, const struct hop_importer **out, struct hop_err *e)
    HOP_MUSTUSE;

/* hop_import_guess - whose space it is; NULL: ours, or nobody's. */
const struct hop_importer *hop_import_guess(const struct hop_json *j);

/* hop_import_run - *space, the caller's. */
int hop_import_run(const struct hop_importer *from, const struct hop_json *j, const char *where,
                   struct hop_json **space, struct hop_err *e) HOP_MUSTUSE;

/* hop_import_read_file - a file's JSON; or where it is none, but a Python dictionary, or several,
 * as MADlib's calls have them ($$ and commas between them are skipped), what they say as one object. */
int hop_import_read_file(const char *path, struct hop_json **out, struct hop_err *e) HOP_MUSTUSE;

/* ---- for importers ---- */

/* Where we are: errors are at "file: path". Both borrowed. */
struct hop_import_at {
    const char *file;
    char path[400];
};

/* hop_import_below - the member `key` of, or (key NULL) item i in, what `at` is. */
struct hop_import_at hop_import_below(const struct hop_import_at *at, const char *key, size_t i);

int hop_import_fail(const struct hop_import_at *at, const char *hint, struct hop_err *e,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* hop_import_number - the number at j. Err: HOP_EFORMAT. */
int hop_import_number(const struct hop_json *j, const char *what, const struct hop_import_at *at,
                      double *out, struct hop_err *e) HOP_MUSTUSE;

/* hop_import_range - {"type":type,"low":low,"high":high,"q":q}, the caller's; q 0 = none. Of ints
 * all are written as such. low = high gives the constant. */
struct hop_json *hop_import_range(const char *type, double low, double high, double q);

/* hop_import_multiples - the same for those who round to multiples of q, wherever low is: from the
 * first multiple that is not below low to the last that is not above high; whole ones are ints. Err: HOP_EFORMAT when
 * there is none. */
int hop_import_multiples(const char *type, double low, double high, double q,
                         const struct hop_import_at *at, struct hop_json **out,
                         struct hop_err *e) HOP_MUSTUSE;

/* hop_import_choice - a copy of `values` as a choice of ours; one value alone is a constant.
 * weights NULL: none. What is an array or object in there stays a value (no branch). */
struct hop_json *hop_import_choice(const struct hop_json *values, const struct hop_json *weights);

#endif

/* flat - the members of one flat JSON object, found in its text without building values: for logs
 * of millions of lines, ten times as fast as json.h.
 *
 * Flat: strings have no escapes, numbers fit doubles and int64, there are no arrays
 * or objects inside and at most HOP_FLAT_MAX members. What is not flat may still be JSON: ask
 * hop_json_parse then.
 */
#ifndef HOP_FORMAT_FLAT_H
#define HOP_FORMAT_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOP_FLAT_MAX = 64 };

struct hop_flat_member {
    const char *key, *value; /* borrowed from the text; strings without their quotes */
    uint32_t n_key, n_value;
    char kind; /* 's' string, 'i' integer, 'r' real, 'b' true or false, 'n' null */
};

struct hop_flat {
    struct hop_flat_member v[HOP_FLAT_MAX];
    size_t n;
};

/* hop_flat_parse - text[0..n) as one flat object without duplicate keys; false if it is not one. */
bool hop_flat_parse(const char *text, size_t n, struct hop_flat *out);

/* hop_flat_find - the member called key, or NULL. */
const struct hop_flat_member *hop_flat_find(const struct hop_flat *f, const char *key);

/* hop_flat_is - is m (may be NULL) the string `text`? */
bool hop_flat_is(const struct hop_flat_member *m, const char *text);

/* hop_flat_real - m's number, NAN unless it is one. hop_flat_int - 0 unless it is an integer. */
double hop_flat_real(const struct hop_flat_member *m);
int64_t hop_flat_int(const struct hop_flat_member *m);

#endif

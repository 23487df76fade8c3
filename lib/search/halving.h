/* halving - what Hyperband and BOHB share: brackets run along their diagonals, and a way to draw configs.
 *
 * A diagonal begins when all results of the one before are known, so what is asked for depends on no
 * worker's speed. Configs have one number each: bracket s_max has the first ones.
 */
#ifndef HOP_SEARCH_HALVING_H
#define HOP_SEARCH_HALVING_H

#include "search/brackets.h"
#include "search/evidence.h"
#include "search/methods.h"

struct hop_halving {
    const struct hop_search_in *in;
    struct hop_brackets brackets;
    int64_t *until; /* [n_configs] what config number - 1 was asked for; 0 = it has not begun */
    struct hop_evidence *evidence; /* [brackets.n] by the rung of the first bracket; NULL without --evidence */
};

/* hop_halving_draw_fn - x of config `number`, which begins on diagonal `diagonal`: by results of
 * earlier diagonals alone. */
typedef int hop_halving_draw_fn(const struct hop_halving *h, int diagonal, size_t number, double *x,
                                struct hop_err *e);

/* hop_halving_next - the whole method. Options: iterations (R, 27), eta (3), shape (A), want_added. */
int hop_halving_next(const struct hop_search_in *in, struct hop_search_out *out,
                     hop_halving_draw_fn *draw, struct hop_err *e) HOP_MUSTUSE;

/* hop_halving_table - the brackets of these options, for people. */
int hop_halving_table(const struct hop_search_options *options, struct hop_str *out,
                      struct hop_err *e) HOP_MUSTUSE;

/* hop_halving_loss - of config `number` of bracket `bracket` (its place, from 0) after its rung on
 * `diagonal`; NAN when it was not on that rung, or the result is not known. */
double hop_halving_loss(const struct hop_halving *h, int bracket, int diagonal, size_t number);

#endif

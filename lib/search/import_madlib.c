/* MADlib's grids: compile_params_grid and fit_params_grid of generate_model_configs and
 * madlib_keras_automl, Python dictionaries from names to lists; and "model": names of nets. A list
 * [low, high, 'linear' | 'log' | 'log_near_one'] is a distribution; optimizer_params_list is a list of
 * such dictionaries, one for each optimizer. epochs, those of a visit, are our passes.
 * Source: madlib_keras_model_selection.py_in, MADlib 1.18. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "search/import.h"

static bool
is_madlib(const struct hop_json *j)
{
    static const char *const keys[] = {"compile_params_grid", "fit_params_grid",
                                       "optimizer_params_list"};
    size_t i;

    for (i = 0; i < HOP_LEN(keys); i++)
        if (hop_json_get(j, keys[i]))
            return true;
    return false;
}

/* MADlib's rule: the last is a text, the others are not. */
static bool
is_triple(const struct hop_json *list)
{
    size_t i, n = hop_json_len(list);

    if (n < 2 || !hop_json_str(hop_json_at(list, n - 1)))
        return false;
    for (i = 0; i + 1 < n; i++)
        if (hop_json_str(hop_json_at(list, i)))
            return false;
    return true;
}

static int
read_triple(const struct hop_json *list, const struct hop_import_at *at, struct hop_json **out,
            struct hop_err *e)
{
    static const char *const names[][2] = {
        {"linear", "uniform"}, {"log", "loguniform"}, {"log_near_one", "lognearone"}};
    const char *name = hop_json_str(hop_json_at(list, hop_json_len(list) - 1));
    double low, high;
    size_t i;
    int rc;

    for (i = 0; i < HOP_LEN(names) && strcmp(names[i][0], name); i++)
        ;
    if (i == HOP_LEN(names) || hop_json_len(list) != 3)
        return hop_import_fail(at, "[low, high, 'linear' or 'log' or 'log_near_one']", e,
                               "\"%.60s\" makes no distribution of this list", name);
    if ((rc = hop_import_number(hop_json_at(list, 0), "low", at, &low, e)) ||
        (rc = hop_import_number(hop_json_at(list, 1), "high", at, &high, e)))
        return rc;
    if (low > high)
        return hop_import_fail(at, NULL, e, "low %.9g > high %.9g", low, high);
    *out = hop_import_range(names[i][1], low, high, 0);
    return HOP_OK;
}

static int
read_value(const struct hop_json *j, const struct hop_import_at *at, struct hop_json **out,
           struct hop_err *e)
{
    if (hop_json_kind(j) != HOP_JSON_ARRAY) {
        *out = hop_json_copy(j);
        return HOP_OK;
    }
    if (!hop_json_len(j))
        return hop_import_fail(at, NULL, e, "the list is empty");
    if (is_triple(j))
        return read_triple(j, at, out, e);
    *out = hop_import_choice(j, NULL);
    return HOP_OK;
}

/* Keras calls optimizers SGD and RMSprop, or sgd and rmsprop; so one way. */
static void
set_name(struct hop_json *branch, const char *name)
{
    struct hop_str low = {0};

    for (; *name; name++) {
        char c = (char)tolower((unsigned char)*name);

        hop_str_add_n(&low, &c, 1);
    }
    hop_json_set_str(branch, "_name", hop_str_c(&low));
    hop_str_clear(&low);
}

/* One dictionary of optimizer_params_list: a branch for each of its optimizers, which share its
 * weight, since MADlib draws the dictionary first. */
static int
read_optimizer(const struct hop_json *j, const struct hop_import_at *at, struct hop_json *branches,
               struct hop_json *weights, struct hop_err *e)
{
    const struct hop_json *names = hop_json_get(j, "optimizer"), *name;
    size_t i, n = hop_json_kind(names) == HOP_JSON_ARRAY ? hop_json_len(names) : 1;
    struct hop_json *branch, *one;
    struct hop_import_at below;
    void *it;
    int rc = HOP_OK;

    for (i = 0; i < n && !rc; i++) {
        name = hop_json_kind(names) == HOP_JSON_ARRAY ? hop_json_at(names, i) : names;
        if (!hop_json_str(name))
            return hop_import_fail(at, "{'optimizer': ['SGD'], 'lr': [0.1, 0.01]}", e,
                                   "\"optimizer\" should be a name, or a list of names");
        branch = hop_json_object();
        set_name(branch, hop_json_str(name));
        for (it = hop_json_first(j); it && !rc; it = hop_json_next(j, it)) {
            if (!strcmp(hop_json_it_key(it), "optimizer"))
                continue;
            below = hop_import_below(at, hop_json_it_key(it), 0);
            if (!(rc = read_value(hop_json_it_value(it), &below, &one, e)))
                hop_json_set(branch, strcmp(hop_json_it_key(it), "learning_rate")
                                         ? hop_json_it_key(it) : "lr", one);
        }
        hop_json_push(branches, branch);
        hop_json_push(weights, hop_json_new_real(1 / (double)n));
    }
    return rc;
}

static int
read_optimizers(const struct hop_json *list, const struct hop_import_at *at,
                struct hop_json *space, struct hop_err *e)
{
    struct hop_json *branches = hop_json_array(), *weights = hop_json_array(), *choice;
    bool is_even = true;
    struct hop_import_at below;
    size_t i;
    int rc = HOP_OK;

    if (hop_json_kind(list) != HOP_JSON_ARRAY || !hop_json_len(list))
        rc = hop_import_fail(at, NULL, e, "this should be a list of dictionaries");
    for (i = 0; i < hop_json_len(list) && !rc; i++) {
        below = hop_import_below(at, NULL, i);
        rc = read_optimizer(hop_json_at(list, i), &below, branches, weights, e);
    }
    for (i = 0; i < hop_json_len(weights); i++)
        is_even = is_even && !(hop_json_real(hop_json_at(weights, i)) < 1);
    if (!rc && is_even) {
        hop_json_set(space, "optimizer", hop_json_copy(branches));
    } else if (!rc) {
        choice = hop_json_object();
        hop_json_set_str(choice, "type", "choice");
        hop_json_set(choice, "values", hop_json_copy(branches));
        hop_json_set(choice, "weights", hop_json_copy(weights));
        hop_json_set(space, "optimizer", choice);
    }
    hop_json_free(branches);
    hop_json_free(weights);
    return rc;
}

/* accuracy is in every evaluation of ours; verbose and shuffle change nothing. */
static bool
is_passed_over(const char *key, const struct hop_json *v)
{
    const struct hop_json *first = hop_json_at(v, 0);

    if (!strcmp(key, "verbose") || !strcmp(key, "shuffle"))
        return true;
    if (hop_json_kind(first) == HOP_JSON_ARRAY)
        first = hop_json_at(first, 0);
    return !strcmp(key, "metrics") && hop_json_len(v) <= 1 &&
           (!first || (hop_json_str(first) && strstr(hop_json_str(first), "accuracy")));
}

static int
read_member(const char *key, const struct hop_json *v, const struct hop_import_at *at,
            struct hop_json *space, struct hop_err *e)
{
    struct hop_json *one = NULL;
    int rc;

    if (!strcmp(key, "optimizer_params_list"))
        return read_optimizers(v, at, space, e);
    if (is_passed_over(key, v)) {
        hop_log(HOP_LOG_INFO, "%s: %s: passed over", at->file, at->path);
        return HOP_OK;
    }
    if (!strcmp(key, "epochs"))
        key = "passes";
    if (!strcmp(key, "model_ids") || !strcmp(key, "model_id"))
        key = "model";
    if (!strcmp(key, "model") && !hop_json_str(v) && !hop_json_str(hop_json_at(v, 0)))
        return hop_import_fail(at, "'model': ['cifar10-cnn1', './net.json']", e,
                               "numbers of a model table mean nothing here: give names of nets");
    if (!(rc = read_value(v, at, &one, e)))
        hop_json_set(space, key, one);
    return rc;
}

static int
read_grid(const struct hop_json *j, const struct hop_import_at *at, int depth,
          struct hop_json *space, struct hop_err *e)
{
    struct hop_import_at below;
    const char *key;
    void *it;
    int rc = HOP_OK;

    for (it = hop_json_first(j); it && !rc; it = hop_json_next(j, it)) {
        key = hop_json_it_key(it);
        below = hop_import_below(at, key, 0);
        if (!depth && (!strcmp(key, "compile_params_grid") || !strcmp(key, "fit_params_grid")))
            rc = hop_json_kind(hop_json_it_value(it)) == HOP_JSON_OBJECT
                     ? read_grid(hop_json_it_value(it), &below, 1, space, e)
                     : hop_import_fail(&below, NULL, e, "this should be a dictionary");
        else
            rc = read_member(key, hop_json_it_value(it), &below, space, e);
    }
    return rc;
}

static int
read_madlib(const struct hop_json *j, const char *where, struct hop_json *space, struct hop_err *e)
{
    struct hop_import_at at = {.file = where};

    return read_grid(j, &at, 0, space, e);
}

const struct hop_importer hop_import_madlib = {"madlib", "MADlib's compile_params_grid and "
                                               "fit_params_grid, Python or JSON",
                                               is_madlib, read_madlib};

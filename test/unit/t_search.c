/* Methods are functions of (space, options, log). Every method of the table searches a made-up
 * world, trained in batches or one config at a time, and is asked again and again: with the log cut
 * at every line and in the middle of lines, doubled, with lines of other runs between. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "search/methods.h"
#include "tap.h"

static const char space_text[] =
    "{\"lr\":{\"type\":\"loguniform\",\"low\":1e-4,\"high\":0.1},\"batch_size\":[8,16,32],"
    "\"optimizer\":[{\"_name\":\"sgd\",\"momentum\":{\"type\":\"lognearone\",\"low\":0.9,\"high\":"
    "0.99},\"nesterov\":[{\"_name\":true,\"z\":{\"type\":\"int\",\"low\":1,\"high\":9}},false]},"
    "\"adam\"],\"units\":{\"type\":\"logint\",\"low\":8,\"high\":128,\"q\":8}}";
/* What grid can search, too. */
static const char lists_text[] = "{\"lr\":[0.1,0.01],\"o\":[{\"_name\":\"sgd\",\"m\":[0.5,0.9]},"
                                 "\"adam\"],\"units\":{\"type\":\"int\",\"low\":1,\"high\":2}}";

struct world {
    const struct hop_method *method;
    struct hop_space *space;
    struct hop_search_options options;
    struct hop_str log;
    uint64_t seed;
    int64_t done[1024], asked[1024]; /* by number: iterations that it had, that it was asked for */
    char *config[1024];              /* without "until" */
    size_t n_asks;
    const char *bad;
};

static bool
has_name(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

/* The method's answer to a log: its configs; NULL with w->bad set. */
static struct hop_json *
ask(struct world *w, const char *log, size_t n)
{
    struct hop_trials trials;
    struct hop_search_out out;
    struct hop_err e = {0};
    struct hop_search_in in = {.space = w->space, .trials = &trials, .options = &w->options,
                               .where = "space"};
    int rc = hop_trials_parse(log, n, "log", &trials, &e);

    if (!rc)
        rc = hop_search_run(w->method, &in, &out, &e);
    hop_trials_clear(&trials);
    if (!rc)
        return out.configs;
    printf("# %s: %s (%s)\n", e.where, e.what, e.hint);
    w->bad = "it fails";
    return NULL;
}

static bool
is_same_answer(struct world *w, const struct hop_json *want, const char *log, size_t n)
{
    struct hop_json *got = ask(w, log, n);
    bool is_same = got && hop_json_equal(want, got);

    hop_json_free(got);
    return is_same;
}

static double
draw(struct world *w, const char *what, uint32_t a, uint32_t b)
{
    uint32_t r[4];

    hop_philox(hop_rng_key(w->seed, what, HOP_FOR_SEARCH), a, b, 0, 0, r);
    return r[0] / 4294967296.0;
}

/* The config's place in our arrays: its number, further repeats a half of them behind it. */
enum { HALF = 512 };

static size_t
number_of(const struct hop_json *config)
{
    char *end;
    size_t number = strtoul(hop_json_str(hop_json_get(config, "id")) + 1, &end, 10);

    return *end == '-' && number < HALF ? number + HALF : number;
}

/* Train `number` up to `until`: its lines into the log. Numbers 5 and 11 diverge at iteration 2. */
static void
train(struct world *w, size_t number, int64_t until)
{
    int64_t i;
    bool is_bad;
    char id[40];

    snprintf(id, sizeof id, "c%04zu%s", number % HALF, number > HALF ? "-2" : "");
    for (i = w->done[number] + 1; i <= until; i++) {
        is_bad = (number == 5 || number == 11) && i == 2;
        hop_str_addf(&w->log,
                     "{\"hop\":\"train/1\",\"id\":\"%s\",\"visit\":%lld,\"iteration\":%lld,"
                     "\"examples\":10,\"accuracy\":0.5,\"wall_s\":1.5,\"status\":\"%s\"}\n",
                     id, (long long)i, (long long)i, is_bad ? "diverged" : "ok");
        if (is_bad) {
            w->done[number] = 1 << 30;
            return;
        }
        hop_str_addf(&w->log,
                     "{\"hop\":\"eval/1\",\"id\":\"%s\",\"iteration\":%lld,\"split\":\"val\","
                     "\"loss\":%.9g,\"accuracy\":0.5}\n",
                     id, (long long)i,
                     draw(w, "level", (uint32_t)number, 0) +
                         draw(w, "noise", (uint32_t)number, (uint32_t)i) / (double)(i + 1));
    }
    if (until > w->done[number])
        w->done[number] = until;
}

/* Nothing twice, and ids keep their configs. The lines go into the log, as those of a run do. */
static void
take_answer(struct world *w, const struct hop_json *answer)
{
    struct hop_str text = {0};
    struct hop_err e = {0};
    struct hop_json *bare;
    size_t i, k, number;
    int64_t until;

    for (i = 0; i < hop_json_len(answer); i++) {
        const struct hop_json *config = hop_json_at(answer, i);

        number = number_of(config);
        until = hop_json_int(hop_json_get(config, "until"));
        if (number >= HOP_LEN(w->config)) {
            w->bad = "too many configs";
            continue;
        }
        if (until <= w->done[number])
            w->bad = "it asks for what was done";
        for (k = 0; k < i; k++)
            if (number_of(hop_json_at(answer, k)) == number)
                w->bad = "one config twice in an answer";
        if (until < w->asked[number])
            w->bad = "it takes back what it asked for";
        bare = hop_json_copy(config);
        hop_json_del(bare, "until");
        text.n = 0;
        if (hop_json_dump(bare, &text, &e))
            w->bad = "no memory";
        hop_json_free(bare);
        if (w->config[number] && strcmp(w->config[number], hop_str_c(&text)))
            w->bad = "an id has another config than before";
        if (until != w->asked[number]) {
            text.n = 0;
            if (!hop_json_dump(config, &text, &e))
                hop_str_addf(&w->log, "%s\n", hop_str_c(&text));
        }
        if (!w->config[number]) {
            bare = hop_json_copy(config);
            hop_json_del(bare, "until");
            text.n = 0;
            if (!hop_json_dump(bare, &text, &e))
                w->config[number] = strdup(hop_str_c(&text));
            hop_json_free(bare);
        }
        w->asked[number] = until;
    }
    hop_str_clear(&text);
}

/* The same log in other clothes. */
static void
check_clothes(struct world *w, const struct hop_json *answer)
{
    static const char *const foreign[] = {
        "{\"hop\":\"config/1\",\"id\":\"other1\",\"lr\":0.01,\"until\":7}\n",
        "{\"hop\":\"eval/1\",\"id\":\"c7\",\"iteration\":1,\"split\":\"val\",\"loss\":0.001}\n",
        "{\"hop\":\"train/1\",\"id\":\"d0001\",\"visit\":1,\"iteration\":1,\"status\":\"diverged\"}\n",
        "\n", "not JSON\n", "{\"hop\":\"plan/1\",\"policy\":\"auto\"}\n",
        "{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iteration\":1,\"split\":\"val\",\"shard\":\"val-000\","
        "\"shards\":2,\"loss\":0.0}\n"};
    struct hop_str mixed = {0};
    const char *p = hop_str_c(&w->log), *eol;
    size_t i = 0;

    for (; (eol = strchr(p, '\n')); p = eol + 1, i++) {
        hop_str_add_n(&mixed, p, (size_t)(eol - p) + 1);
        if (i % 3 == 0)
            hop_str_add(&mixed, foreign[i / 3 % HOP_LEN(foreign)]);
    }
    if (!is_same_answer(w, answer, hop_str_c(&mixed), mixed.n))
        w->bad = "lines of other runs change the answer";
    mixed.n = 0;
    hop_str_addf(&mixed, "%s%s", hop_str_c(&w->log), hop_str_c(&w->log));
    if (!is_same_answer(w, answer, hop_str_c(&mixed), mixed.n))
        w->bad = "lines that come twice change the answer";
    mixed.n = 0;
    hop_str_addf(&mixed, "%s{\"hop\":\"eval/1\",\"id\":\"c0001\",\"iter", hop_str_c(&w->log));
    if (!is_same_answer(w, answer, hop_str_c(&mixed), mixed.n))
        w->bad = "a torn line changes the answer";
    hop_str_clear(&mixed);
}

/* Until it is over: train all that was asked for (want_all), or the first alone. */
static void
search(struct world *w, bool want_all)
{
    struct hop_json *answer;
    size_t i, n;

    for (;; w->n_asks++) {
        if (!(answer = ask(w, hop_str_c(&w->log), w->log.n)))
            return;
        if (!is_same_answer(w, answer, hop_str_c(&w->log), w->log.n))
            w->bad = "the same log, another answer";
        check_clothes(w, answer);
        take_answer(w, answer);
        n = hop_json_len(answer);
        for (i = 0; i < (want_all ? n : n > 0); i++) {
            /* any of them may be the first to end */
            const struct hop_json *config = hop_json_at(
                answer, (i + (size_t)(draw(w, "turn", (uint32_t)w->n_asks, 0) * (double)n)) % n);

            if (number_of(config) < HOP_LEN(w->done))
                train(w, number_of(config), hop_json_int(hop_json_get(config, "until")));
        }
        hop_json_free(answer);
        if (!n || w->bad)
            return;
        if (w->n_asks > 2000)
            w->bad = "it never ends";
    }
}

/* Do the first n bytes of the log have the config's line? */
static bool
is_known(const char *text, size_t n, size_t number)
{
    char start[60];
    const char *p;

    snprintf(start, sizeof start, "{\"hop\":\"config/1\",\"id\":\"c%04zu%s\"", number % HALF,
             number > HALF ? "-2" : "");
    p = strstr(text, start);
    return p && (size_t)(p - text) < n;
}

/* A killed run's log ends anywhere: what is asked for then is asked of the same configs, and what
 * was torn off was never said. */
static void
check_cuts(struct world *w)
{
    const char *text = hop_str_c(&w->log);
    size_t n, i, whole, number;
    struct hop_json *at_line, *torn;

    size_t step = w->log.n / 60; /* of cuts, in the mean twice that many */

    for (n = 0; n < w->log.n && !w->bad; n += 1 + (size_t)(draw(w, "cut", (uint32_t)n, 0) * (double)step)) {
        for (whole = n; whole && text[whole - 1] != '\n'; whole--)
            ;
        at_line = ask(w, text, whole);
        torn = ask(w, text, n);
        if (!at_line || !torn || !hop_json_equal(at_line, torn))
            w->bad = "a log cut inside a line is another than the one before that line";
        for (i = 0; i < hop_json_len(torn) && !w->bad; i++) {
            struct hop_json *bare = hop_json_copy(hop_json_at(torn, i));
            struct hop_str line = {0};
            struct hop_err e = {0};

            number = number_of(bare);
            hop_json_del(bare, "until");
            if (hop_json_dump(bare, &line, &e))
                w->bad = "no memory";
            /* Configs that are not in the cut log may depend on what it did not say yet. */
            if (is_known(text, whole, number) && w->config[number] &&
                strcmp(w->config[number], hop_str_c(&line)))
                w->bad = "a cut log changes a config that it knows";
            hop_str_clear(&line);
            hop_json_free(bare);
        }
        hop_json_free(at_line);
        hop_json_free(torn);
    }
}

static void
free_world(struct world *w)
{
    size_t i;

    for (i = 0; i < HOP_LEN(w->config); i++)
        free(w->config[i]);
    hop_str_clear(&w->log);
    hop_space_free(w->space);
    free(w);
}

static void
test_method(const struct hop_method *m, const char *space, bool want_all, int64_t parallel,
            int64_t patience, int64_t median_from, int64_t repeats)
{
    struct world *w = calloc(1, sizeof *w);
    struct hop_json *json;
    struct hop_err e = {0};
    size_t n = 0, i;

    if (!w || hop_json_parse(space, strlen(space), "space", &json, &e) ||
        hop_space_parse(json, "space", &w->space, &e)) {
        ok(false, "%s: space: %s", m->name, e.what);
        free(w);
        return;
    }
    w->method = m;
    w->seed = 7;
    w->options = (struct hop_search_options){
        .parallel = parallel, .seed = 3, .repeats = repeats, .median_from = median_from, .prefix = "c",
        .objective = {.max_gap = -1, .metric = {"val", "loss"}},
        .patience = {.iterations = patience, .eval_every = 1}};
    if (has_name(m->takes, "num-configs"))
        w->options.num_configs = 20;
    if (has_name(m->takes, "iterations") || has_name(m->takes, "max-iterations"))
        w->options.iterations = 9;
    search(w, want_all);
    for (i = 0; i < HOP_LEN(w->config); i++)
        n += w->config[i] != NULL;
    if (!w->bad)
        check_cuts(w);
    ok(!w->bad && n >= 3,
       "%s, %s, %lld in parallel, patience %lld, median from %lld, %lld repeats: %zu configs in %zu "
       "answers%s%s",
       m->name, want_all ? "all that it asks for" : "one at a time", (long long)parallel,
       (long long)patience, (long long)median_from, (long long)repeats, n, w->n_asks, w->bad ? ": " : "", w->bad ? w->bad : "");
    free_world(w);
}

int
main(void)
{
    size_t i;

    for (i = 0; hop_methods[i]; i++) {
        const char *space = strcmp(hop_methods[i]->name, "grid") ? space_text : lists_text;

        test_method(hop_methods[i], space, true, 4, 0, 0, 1);
        test_method(hop_methods[i], space, false, 1, 0, 0, 1);
        test_method(hop_methods[i], space, false, 4, 0, 0, 1);
        test_method(hop_methods[i], space, true, 4, 2, 0, 1);
        test_method(hop_methods[i], space, false, 4, 0, 3, 1);
        test_method(hop_methods[i], space, true, 4, 0, 0, 2);
        test_method(hop_methods[i], space, false, 3, 2, 0, 2);
    }
    return tap_end();
}

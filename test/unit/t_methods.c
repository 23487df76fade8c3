/* methods - every method driven to its end by a driver that finishes configs in any order, dies, and asks
 * again: the answers must be a function of the log, ask for nothing twice and lose nothing. And what
 * each method is for. */
#include "search/brackets.h"
#include "search_sim.h"
#include "tap.h"

#define SPACE                                                                                     \
    "{\"lr\":{\"type\":\"loguniform\",\"low\":1e-4,\"high\":1e-1},"                               \
    "\"opt\":[{\"_name\":\"sgd\",\"momentum\":{\"type\":\"lognearone\",\"low\":0.9,\"high\":0.99}}," \
    "{\"_name\":\"adam\",\"beta\":[0.9,0.95]}],"                                                  \
    "\"units\":{\"type\":\"logint\",\"low\":8,\"high\":64},\"batch\":[16,32],\"fixed\":7}"

enum { MAX_ASKED = 4000 };

/* What a config is worth after `until` iterations; some diverge. */
static double
loss_of(const struct hop_json *c)
{
    double lr = log10(sim_real(c, "lr")), loss;
    bool is_sgd = !strcmp(hop_json_str(hop_json_get(c, "opt")), "sgd");

    if (lr > -1.15 && is_sgd)
        return INFINITY;
    loss = fabs(lr + 2.5) + fabs(log(sim_real(c, "units") / 24)) + (is_sgd ? 0.1 : 0.3);
    return loss + 1.0 / (double)sim_until(c);
}

/* A driver: what it has asked for and not finished. */
struct driver {
    struct sim s;
    struct hop_json *flying[MAX_ASKED]; /* config lines in training */
    size_t n_flying, max_flying;
    struct hop_str done; /* " id:until" of what was finished */
    struct hop_str seen; /* lines "id config" of each id, without until */
    size_t n_finished, n_twice, n_changed;
    int64_t work;        /* iterations trained, going on from the model files */
    uint64_t key;
    uint32_t k;
};

static double
chance(struct driver *d)
{
    return sim_uniform(d->key, d->k++, 0);
}

static void
name(const struct hop_json *c, int64_t until, char out[100])
{
    snprintf(out, 100, " %s:%lld ", hop_json_str(hop_json_get(c, "id")), (long long)until);
}

/* Is this config the one that its id was before? */
static void
check_same(struct driver *d, const struct hop_json *c)
{
    struct hop_json *copy = hop_json_copy(c);
    struct hop_str text = {0};
    struct hop_err e = {0};
    char id[100];
    const char *at;

    hop_json_del(copy, "until");
    if (hop_json_dump(copy, &text, &e))
        sim_die("dump", &e);
    snprintf(id, sizeof id, "\n%s {", hop_json_str(hop_json_get(c, "id")));
    if ((at = strstr(hop_str_c(&d->seen), id)))
        d->n_changed += strncmp(at + strlen(id) - 1, hop_str_c(&text), text.n) != 0;
    else
        hop_str_addf(&d->seen, "\n%s %s\n", hop_json_str(hop_json_get(c, "id")), hop_str_c(&text));
    hop_str_clear(&text);
    hop_json_free(copy);
}

static void
forget(struct driver *d)
{
    while (d->n_flying)
        hop_json_free(d->flying[--d->n_flying]);
}

/* Ask, and begin what is not in training; false when there is nothing to do. */
static bool
ask(struct driver *d)
{
    struct hop_json *configs = sim_ask(&d->s);
    const struct hop_json *c;
    char mine[100], other[100];
    size_t i, k;

    for (i = 0; i < hop_json_len(configs); i++) {
        c = hop_json_at(configs, i);
        name(c, sim_until(c), mine);
        check_same(d, c);
        d->n_twice += strstr(hop_str_c(&d->done), mine) != NULL;
        for (k = 0; k < d->n_flying; k++) {
            name(d->flying[k], sim_until(d->flying[k]), other);
            if (!strcmp(mine, other))
                break;
        }
        if (k < d->n_flying)
            continue;
        sim_begin(&d->s, c);
        d->flying[d->n_flying++] = hop_json_copy(c);
    }
    hop_json_free(configs);
    if (d->n_flying > d->max_flying)
        d->max_flying = d->n_flying;
    return d->n_flying > 0;
}

/* One of those in training, whichever, has been evaluated, or has diverged. */
static void
finish(struct driver *d)
{
    size_t i = (size_t)(chance(d) * (double)d->n_flying);
    struct hop_json *c = d->flying[i], *line;
    double loss = loss_of(c);
    char mine[100];

    name(c, sim_until(c), mine);
    hop_str_add(&d->done, mine);
    d->n_finished++;
    if (isinf(loss)) {
        line = hop_json_record("train/1");
        hop_json_set_str(line, "id", hop_json_str(hop_json_get(c, "id")));
        hop_json_set_int(line, "visit", 1);
        hop_json_set_int(line, "iteration", 1);
        hop_json_set_str(line, "status", "diverged");
        sim_add(&d->s, line);
        hop_json_free(line);
    } else {
        sim_tell(&d->s, c, sim_until(c), loss);
    }
    hop_json_free(c);
    d->flying[i] = d->flying[--d->n_flying];
}

static void
open_driver(struct driver *d, const char *method, uint64_t seed)
{
    memset(d, 0, sizeof *d);
    d->key = hop_rng_key(seed, method, HOP_FOR_SHARD);
    sim_open(&d->s, method, SPACE);
}

static void
close_driver(struct driver *d)
{
    forget(d);
    hop_str_clear(&d->done);
    hop_str_clear(&d->seen);
    sim_close(&d->s);
}

/* To the end; with deaths, the driver forgets what it has in training every now and then. */
static void
drive(struct driver *d, bool has_deaths)
{
    int n_left = MAX_ASKED;

    while (ask(d) && n_left-- > 0) {
        finish(d);
        if (has_deaths && chance(d) < 0.1)
            forget(d);
    }
}

static const struct {
    const char *method, *rule;
    int64_t num_configs, iterations, parallel;
} all[] = {
    {"random", NULL, 20, 2, 1},     {"sobol", NULL, 20, 2, 1},      {"hyperband", NULL, 0, 9, 1},
    {"bohb", NULL, 0, 27, 1},       {"asha", "promote", 30, 9, 4},  {"asha", "stop", 30, 9, 4},
    {"tpe", NULL, 25, 3, 3},        {"tpe", "univariate", 25, 3, 1}, {"tpe", "hyperopt", 25, 3, 2},
    {"pbt", NULL, 0, 10, 1},
};

static void
set_up(struct driver *d, size_t i, uint64_t seed)
{
    open_driver(d, all[i].method, seed);
    d->s.o.rule = all[i].rule;
    d->s.o.num_configs = all[i].num_configs;
    d->s.o.iterations = all[i].iterations;
    d->s.o.parallel = all[i].parallel;
}

static void
test_end(void)
{
    const char *rule;
    size_t i, seed;

    for (i = 0; i < HOP_LEN(all); i++) {
        size_t n_bad = 0, n_lost = 0, n_finished = 0;

        rule = all[i].rule ? all[i].rule : "";
        for (seed = 1; seed <= 5; seed++) {
            struct driver d;

            set_up(&d, i, seed);
            drive(&d, seed > 1);
            n_bad += d.n_twice + d.n_changed;
            n_lost += d.s.n_done != d.s.n_all ||
                      (all[i].num_configs && d.s.n_all != (size_t)all[i].num_configs);
            n_finished += d.n_finished;
            close_driver(&d);
        }
        ok(!n_bad && n_finished, "%s %s: asks for nothing twice, whoever dies when", all[i].method,
           rule);
        ok(!n_lost, "%s %s: and ends with all configs finished", all[i].method, rule);
    }
}

/* The same bytes of log, the same answer: at every line, and with lines of others between. */
static void
test_pure(void)
{
    static const char other[] =
        "{\"hop\":\"config/1\",\"id\":\"other0001\",\"lr\":0.05,\"until\":3}\n"
        "{\"hop\":\"eval/1\",\"id\":\"other0001\",\"iteration\":1,\"split\":\"val\",\"loss\":0}\n";
    size_t i, at, n, k;

    for (i = 0; i < HOP_LEN(all); i++) {
        struct driver d;
        struct sim mixed;
        struct hop_str log;
        bool is_same = true, is_mixed = true;

        set_up(&d, i, 9);
        drive(&d, true);
        log = d.s.log;
        mixed = d.s;
        mixed.log = (struct hop_str){0};
        for (at = 0, k = 0; at < log.n; at = n, k++) {
            struct hop_json *a = sim_ask_of(&d.s, at), *b = sim_ask_of(&d.s, at), *c = sim_ask(&mixed);

            is_same = is_same && hop_json_equal(a, b);
            is_mixed = is_mixed && hop_json_equal(a, c);
            hop_json_free(a);
            hop_json_free(b);
            hop_json_free(c);
            n = (size_t)(strchr(log.s + at, '\n') - log.s) + 1;
            hop_str_add_n(&mixed.log, log.s + at, n - at);
            hop_str_add(&mixed.log, other);
        }
        ok(is_same && k > 20, "%s %s: same log, same answer, cut at any of %zu lines", all[i].method,
           all[i].rule ? all[i].rule : "", k);
        ok(is_mixed, "%s %s: lines of others change nothing", all[i].method,
           all[i].rule ? all[i].rule : "");
        hop_str_clear(&mixed.log);
        close_driver(&d);
    }
}

/* How many configs were asked for until `until`. */
static size_t
count(const struct driver *d, int64_t until)
{
    char text[40];
    const char *at = hop_str_c(&d->done);
    size_t n = 0;

    snprintf(text, sizeof text, ":%lld ", (long long)until);
    while ((at = strstr(at, text))) {
        n++;
        at++;
    }
    return n;
}

/* Every diagonal has as many configs as the plan, whatever order they finish in. */
static void
test_hyperband(const char *method)
{
    static const size_t want[] = {27, 18, 12, 8};
    static const int64_t added[] = {27 + 9 + 3 + 1, 27 + 9 + 3, 27 + 9, 27};
    struct driver d, e, f;
    size_t i;
    bool is_ok = true, is_added = true;

    open_driver(&d, method, 1);
    open_driver(&e, method, 2);
    open_driver(&f, method, 3);
    drive(&d, false);
    drive(&e, true);
    for (i = 0; i < 4; i++)
        is_ok = is_ok && count(&d, (int64_t[]){1, 3, 9, 27}[i]) == want[i];
    ok(is_ok && d.s.n_all == 46, "%s: R 27 trains 27, 18, 12, 8 configs to 1, 3, 9, 27", method);
    ok(d.done.n == e.done.n && d.seen.n == e.seen.n,
       "%s: as many, whatever comes first", method);
    f.s.o.want_added = true;
    drive(&f, false);
    for (i = 0; i < 4; i++)
        is_added = is_added && count(&f, added[i]) == (size_t[]){1, 1, 2, 4}[i];
    ok(is_added, "%s: --added: finalists have had 40, 39, 36, 27 iterations", method);
    close_driver(&d);
    close_driver(&e);
    close_driver(&f);
}

/* Do two texts hold the same words in any order? */
static bool
has_same_words(const struct hop_str *a, const struct hop_str *b)
{
    const char *at = hop_str_c(a);
    char word[1000];
    int n;

    while (sscanf(at, " %999s%n", word, &n) == 1) {
        if (!strstr(hop_str_c(b), word))
            return false;
        at += n;
    }
    return a->n == b->n;
}

/* Synchronous methods: who finishes first changes nothing. */
static void
test_order(void)
{
    static const char *const methods[] = {"random", "sobol", "hyperband", "bohb"};
    size_t i;

    for (i = 0; i < HOP_LEN(methods); i++) {
        struct driver a, b;

        open_driver(&a, methods[i], 1);
        open_driver(&b, methods[i], 2);
        drive(&a, false);
        drive(&b, true);
        ok(has_same_words(&a.done, &b.done) && has_same_words(&a.seen, &b.seen),
           "%s: who finishes first changes neither configs nor who goes on", methods[i]);
        close_driver(&a);
        close_driver(&b);
    }
}

static void
test_asha(void)
{
    struct driver d;
    size_t n[4], i;

    open_driver(&d, "asha", 1);
    d.s.o.iterations = 27;
    d.s.o.num_configs = 81;
    d.s.o.parallel = 5;
    drive(&d, false);
    for (i = 0; i < 4; i++)
        n[i] = count(&d, (int64_t[]){1, 3, 9, 27}[i]);
    ok(n[0] == 81 && n[1] >= 27 && n[1] <= 36 && n[2] >= n[1] / 3 && n[3] >= n[2] / 3 && n[3] >= 3,
       "asha: %zu, %zu, %zu, %zu configs on the rungs", n[0], n[1], n[2], n[3]);
    ok(d.max_flying == 5, "asha: never more than --parallel in training");
    close_driver(&d);
    open_driver(&d, "asha", 1);
    d.s.o.iterations = 27;
    d.s.o.min_iterations = 3;
    d.s.o.num_configs = 27;
    drive(&d, false);
    ok(count(&d, 1) == 0 && count(&d, 3) == 27 && count(&d, 27) >= 3, "asha: --min-iterations");
    close_driver(&d);
}

/* Children: of a good config of their generation, at its iteration, near its parameters; their parents
 * wait for their birth. */
static void
test_pbt(void)
{
    struct driver d;
    struct hop_json *configs[100] = {0}, *answer;
    size_t n = 0, i, k, n_children = 0, n_near = 0, n_drawn = 0, n_early = 0;
    const char *parent;
    double a, b;

    open_driver(&d, "pbt", 1);
    d.s.o.num_configs = 8;
    d.s.o.iterations = 20;
    d.s.o.interval = 2;
    while (ask(&d)) {
        answer = sim_ask(&d.s);
        for (i = 0; i < hop_json_len(answer); i++) {
            const struct hop_json *c = hop_json_at(answer, i);
            char mine[100];

            for (k = 0; k < n && strcmp(hop_json_str(hop_json_get(configs[k], "id")),
                                        hop_json_str(hop_json_get(c, "id")));
                 k++)
                ;
            if (k == n)
                configs[n++] = hop_json_copy(c);
            /* while a child is to be born, nobody is asked for more than its parent's iteration */
            if ((parent = hop_json_str(hop_json_get(c, "parent")))) {
                name(c, hop_json_int(hop_json_get(c, "parent_iteration")), mine);
                for (k = 0; k < hop_json_len(answer) && !strstr(hop_str_c(&d.done), mine); k++)
                    n_early += sim_until(hop_json_at(answer, k)) >
                               hop_json_int(hop_json_get(c, "parent_iteration"));
            }
        }
        hop_json_free(answer);
        while (d.n_flying)
            finish(&d);
    }
    for (i = 0; i < n; i++) {
        if (!(parent = hop_json_str(hop_json_get(configs[i], "parent"))))
            continue;
        for (k = 0; strcmp(hop_json_str(hop_json_get(configs[k], "id")), parent); k++)
            ;
        n_children++;
        a = sim_real(configs[i], "lr");
        b = sim_real(configs[k], "lr");
        n_near += fabs(a / b - 1.2) < 1e-6 || fabs(a / b - 0.8) < 1e-6 || a == 1e-4 || a == 1e-1;
        n_drawn += hop_json_equal(hop_json_get(configs[i], "opt"), hop_json_get(configs[k], "opt"));
    }
    ok(n > 8 && n <= 8 + 9 * 2 && n == d.s.n_all, "pbt: %zu configs in 10 generations", n);
    ok(n_children == n - 8 && n_near > n_children / 2 && n_near < n_children,
       "pbt: %zu of %zu children have 1.2 or 0.8 times their parent's lr, others a new one", n_near,
       n_children);
    ok(n_drawn == n_children, "pbt: what is no number stays the parent's");
    ok(!n_early, "pbt: parents wait until their children are born and evaluated");
    ok(count(&d, 20) == 8, "pbt: the population ends whole");
    while (n)
        hop_json_free(configs[--n]);
    close_driver(&d);
}

/* Evaluated after each iteration, in turn: the worse half is given up, the best are not. */
static void
test_median(void)
{
    enum { N = 20, T = 6 };
    struct sim s;
    struct hop_json *configs, *again;
    size_t n_later, i, k;
    int64_t t;

    sim_open(&s, "random", SPACE);
    s.o.num_configs = N;
    s.o.iterations = T;
    s.o.median_from = 2;
    configs = sim_ask(&s);
    ok(hop_json_len(configs) == N && sim_until(hop_json_at(configs, 0)) == 2,
       "--median-stop: asks for the first iteration at which it judges");
    for (t = 1; t <= 2; t++)
        for (i = 0; i < N; i++)
            sim_tell(&s, hop_json_at(configs, i), t, (double)((i * 7) % N) + 1 / (double)t);
    again = sim_ask(&s);
    /* number i + 1 has loss (7 i) mod 20: it stays while it is not above the median of those before */
    for (i = n_later = 0; i < N; i++) {
        double before[N], best = (double)((i * 7) % N) + 0.5, v;
        size_t j, above = 0, below = 0;
        bool is_asked = false;

        for (k = 0; k < i; k++) {
            before[k] = (double)((k * 7) % N) + 0.75;
            for (j = k; j && before[j - 1] > before[j]; j--) {
                v = before[j];
                before[j] = before[j - 1];
                before[j - 1] = v;
            }
        }
        if (i >= 5)
            above = best > (i % 2 ? before[i / 2] : (before[i / 2 - 1] + before[i / 2]) / 2);
        for (k = 0; k < hop_json_len(again); k++)
            is_asked = is_asked || hop_json_equal(hop_json_get(hop_json_at(again, k), "id"),
                                                  hop_json_get(hop_json_at(configs, i), "id"));
        below = is_asked && sim_until(hop_json_at(again, 0)) == 3;
        n_later += below != above;
    }
    ok(n_later == N && hop_json_len(again) > N / 4 && hop_json_len(again) < N,
       "--median-stop: %zu of 20 go on, as the rule says", hop_json_len(again));
    hop_json_free(configs);
    hop_json_free(again);
    sim_close(&s);
}

/* The stopping rule on the test vector: losses in the order of arrival, eta 3. */
static void
test_asha_stop(void)
{
    static const double loss[] = {5, 3, 4, 6, 2, 7, 1, 8, 3.5, 2.5};
    struct sim s;
    struct hop_json *configs, *c;
    char went_on[11] = "";
    int i;

    sim_open(&s, "asha", SPACE);
    s.o.rule = "stop";
    s.o.iterations = 3;
    s.o.num_configs = 10;
    s.o.parallel = 100;
    configs = sim_ask(&s);
    for (i = 0; i < 10; i++)
        sim_begin(&s, hop_json_at(configs, (size_t)i));
    for (i = 0; i < 10; i++)
        sim_tell(&s, hop_json_at(configs, (size_t)i), 1, loss[i]);
    c = sim_ask(&s);
    for (i = 0; i < 10; i++) {
        size_t k;

        went_on[i] = 'S';
        for (k = 0; k < hop_json_len(c); k++)
            if (!strcmp(hop_json_str(hop_json_get(hop_json_at(c, k), "id")),
                        hop_json_str(hop_json_get(hop_json_at(configs, (size_t)i), "id"))) &&
                sim_until(hop_json_at(c, k)) == 3)
                went_on[i] = 'C';
    }
    ok(!strcmp(went_on, "CCSSCSCSSC"), "asha --rule stop: %s", went_on);
    hop_json_free(configs);
    hop_json_free(c);
    sim_close(&s);
}

int
main(void)
{
    test_end();
    test_pure();
    test_hyperband("hyperband");
    test_hyperband("bohb");
    test_order();
    test_asha();
    test_asha_stop();
    test_pbt();
    test_median();
    return tap_end();
}

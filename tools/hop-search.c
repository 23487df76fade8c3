/* hop-search - which configs to train next, and which were best. */
#include <stdio.h>
#include <string.h>

#include "format/json.h"
#include "net/zoo.h"
#include "search/import.h"
#include "search/methods.h"
#include "search/space.h"
#include "search/trials.h"
#include "search_options.h"
#include "search_select.h"
#include "tool.h"

static const char synopsis[] = "METHOD [OPTIONS] SPACE < log.jsonl\n"
                               "METHOD --table [OPTIONS]\n"
                               "select [OPTIONS] < log.jsonl\n"
                               "narrow [OPTIONS] SPACE < log.jsonl\n"
                               "import FORMAT FILE";

static void
check(int rc, const struct hop_err *e)
{
    if (rc)
        tool_die(e);
}

/* ---- commands ---- */

static bool
is_net(const struct hop_json *model)
{
    struct hop_str nets = {0};
    bool is;

    hop_str_addf(&nets, "%s/nets", tool_share_dir());
    is = hop_zoo_is_net(model, hop_str_c(&nets));
    hop_str_clear(&nets);
    return is;
}

/* Losses of different kinds do not compare: said before a search goes by them. */
static void
warn_of_losses(const struct hop_method *method, const struct hop_search_in *in)
{
    const struct hop_dim *d;
    size_t i;

    for (i = 0; i < in->space->n_all && !method->is_blind; i++) {
        d = in->space->all[i];
        if (!strcmp(d->key, "loss") && d->n_choices > 1 && in->trials->n &&
            !strcmp(in->objective.key, "loss"))
            tool_warn("%s: the configs have different losses, which do not compare (try --metric "
                      "%s.mae or %s.accuracy)", method->name, in->objective.metric.split,
                      in->objective.metric.split);
    }
}

static void
search(const struct hop_method *method, const char *space_path)
{
    struct hop_trials trials;
    struct hop_search_out out;
    struct hop_err e = {0};
    struct hop_space *space;
    struct hop_search_in in;
    char stopped[40] = "";
    size_t i;

    check(hop_space_read(space_path, &space, &e), &e);
    search_read_log(&trials);
    search_args.o.is_net = is_net;
    in = (struct hop_search_in){.space = space, .trials = &trials, .options = &search_args.o,
                                .where = space_path};
    check(hop_search_run(method, &in, &out, &e), &e);
    warn_of_losses(method, &in);
    for (i = 0; i < hop_json_len(out.configs); i++)
        tool_record(hop_json_at(out.configs, i));
    if (search_args.o.patience.iterations)
        snprintf(stopped, sizeof stopped, ", %zu given up", out.n_stopped);
    tool_warn("%s: %zu configs, %zu finished (%zu of them diverged%s), %zu to train", method->name,
              out.n_all, out.n_done, out.n_diverged, stopped, hop_json_len(out.configs));
    hop_json_free(out.configs);
    hop_trials_clear(&trials);
    hop_space_free(space);
}

/* What the method's options alone make of a search. */
static void
print_table(const struct hop_method *method)
{
    struct hop_str text = {0};
    struct hop_err e = {0};

    if (!method->table)
        tool_usage("--table", "%s has none", method->name);
    check(method->table(&search_args.o, &text, &e), &e);
    check(hop_str_check(&text, &e), &e);
    tool_print(hop_str_c(&text));
    hop_str_clear(&text);
}

static void
run_method(int argc, char **argv)
{
    const struct hop_method *method;
    struct hop_err e = {0};

    check(hop_method_find(argv[1], &method, &e), &e);
    search_options_check(argv[1], method->takes, true);
    search_options_finish();
    if (argc > 2 + !search_args.want_table)
        tool_usage(argv[2 + !search_args.want_table], "unexpected operand");
    if (search_args.want_table) {
        print_table(method);
        return;
    }
    if (argc < 3)
        tool_usage(NULL, "SPACE is missing");
    search(method, argv[2]);
}

/* import FORMAT FILE: another program's space as one of ours. */
static void
run_import(int argc, char **argv)
{
    static const char *const takes[] = {NULL};
    const struct hop_importer *from;
    struct hop_json *theirs, *ours;
    struct hop_space *space;
    struct hop_err e = {0};

    search_options_check("import", takes, false);
    if (argc < 4)
        tool_usage(NULL, argc < 3 ? "FORMAT is missing" : "FILE is missing");
    if (argc > 4)
        tool_usage(argv[4], "unexpected operand");
    check(hop_import_find(argv[2], &from, &e), &e);
    check(hop_import_read_file(argv[3], &theirs, &e), &e);
    check(hop_import_run(from, theirs, argv[3], &ours, &e), &e);
    check(hop_space_parse(hop_json_copy(ours), argv[3], &space, &e), &e);
    tool_record(ours);
    hop_space_free(space);
    hop_json_free(ours);
    hop_json_free(theirs);
}

/* Commands that are no methods. */
static const struct {
    const char *name;
    void (*run)(int argc, char **argv);
} commands[] = {{"select", search_select}, {"narrow", search_narrow}, {"import", run_import}};

int
main(int argc, char **argv)
{
    size_t i;

    tool_init("hop-search",
              "Say which configs to train next, rank those of a log, or narrow a space by it.\n"
              "METHOD: grid, random, sobol, hyperband, asha, tpe, bohb, pbt.",
              synopsis, search_rows, true, &argc, argv);
    if (argc < 2)
        tool_usage(NULL, "METHOD is missing");
    for (i = 0; i < HOP_LEN(commands) && strcmp(commands[i].name, argv[1]); i++)
        ;
    if (i < HOP_LEN(commands))
        commands[i].run(argc, argv);
    else
        run_method(argc, argv);
    return tool_finish();
}

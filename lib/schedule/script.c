#include "schedule/script.h"

/* Visits in a row that go wrong on a worker before it is set aside: one broken host must not eat
 * the run, nor must one broken config take a host from the others. */
enum { N_ASIDE = 3 };

static const char body[] =
    "me=${HOP_NAME:-hop-schedule}\n"
    "again=${HOP_AGAIN:-run hop-schedule once more, and what it prints}\n"
    "say() { printf '%s: %s\\n' \"$me\" \"$*\" >&2; }\n"
    "clock() { printf '%d:%02d:%02d' $(($1 / 3600)) $(($1 / 60 % 60)) $(($1 % 60)); }\n";

void
hop_script_begin(const struct hop_emit_in *in, size_t n_cells, struct hop_str *out)
{
    hop_str_add(out, "HOP_NL='\n'\nexport HOP_NL\nrun=");
    hop_str_quote(out, in->run);
    hop_str_addf(out, "\nretries=%lld\nn_visits=%zu\nn_aside=%d\n", (long long)in->retries, n_cells,
                 N_ASIDE);
    hop_str_add(out, body);
}

void
hop_script_commands(const struct hop_emit_in *in, const struct hop_cell *c, struct hop_str *out)
{
    size_t i, n = c->v ? hop_cell_n_holders(in, c) : 1;
    struct hop_sched_visit scratch;
    struct hop_str command = {0};
    struct hop_cell at;

    for (i = 0; i < n && i < HOP_SCRIPT_HOLDERS; i++) {
        command.n = 0;
        at = hop_cell_at(in, c, i, &scratch);
        hop_cell_command(in, &at, &command);
        hop_str_addf(out, " %lu ", (unsigned long)at.worker);
        hop_str_quote_line(out, hop_str_c(&command));
    }
    out->is_oom = out->is_oom || command.is_oom;
    hop_str_clear(&command);
}

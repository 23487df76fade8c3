#include "schedule/script.h"

#include <string.h>

static const char body[] =
    "me=${HOP_NAME:-hop-schedule}\n"
    "again=${HOP_AGAIN:-run hop-schedule once more, and what it prints}\n"
    "# On a terminal progress is one line that replaces itself; anything else begins a new one.\n"
    "midline=\n"
    "end_line() {\n"
    "    [ -z \"$midline\" ] || printf '\\n' >&2\n"
    "    midline=\n"
    "}\n"
    "say() {\n"
    "    end_line\n"
    "    printf '%s: %s\\n' \"$me\" \"$*\" >&2\n"
    "}\n"
    "# no_room: sets why, the reason why RUN cannot be written to now, or nothing.\n"
    "no_room() {\n"
    "    why=$({ printf '%4096s\\n' x | LC_ALL=C tee \"$run/jobs/room\" >/dev/null; } 2>&1)\n"
    "    rm -f \"$run/jobs/room\"\n"
    "    why=${why##*: }\n"
    "}\n"
    "# cannot_write: the script's own files. failed STATUS: of a tool, which has said why.\n"
    "cannot_write() {\n"
    "    no_room\n"
    "    say \"$run: cannot write${why:+: $why}; to go on: $again\"\n"
    "    exit 1\n"
    "}\n"
    "failed() {\n"
    "    no_room\n"
    "    [ -z \"$why\" ] || say \"$run: cannot write: $why; to go on: $again\"\n"
    "    exit \"$1\"\n"
    "}\n"
    "clock() { printf '%d:%02d:%02d' $(($1 / 3600)) $(($1 / 60 % 60)) $(($1 % 60)); }\n";

static const char hosts[] =
    "# Connections: one to each host is opened before the visits, which then share it; while there is\n"
    "# none, each makes its own. (Not more than sshd's MaxSessions share it; the rest make their own.)\n"
    "use_hosts() {\n"
    "    HOP_SSH=$ssh_dir/%C\n"
    "    export HOP_SSH\n"
    "}\n"
    "open_host() { ssh -o BatchMode=yes -o ServerAliveInterval=15 -o ConnectTimeout=10 -o ControlMaster=yes -o ControlPersist=300 -o ControlPath=\"$HOP_SSH\" \"$@\" true </dev/null >/dev/null 2>&1 & }\n"
    "close_host() { ssh -O exit -o ControlPath=\"$HOP_SSH\" \"$@\" </dev/null >/dev/null 2>&1; }\n"
    "open_hosts() {\n"
    "    ssh_dir=$(mktemp -d /tmp/hop.XXXXXX) || return\n"
    "    use_hosts\n"
    "    each_host open_host\n"
    "    wait\n"
    "}\n"
    "close_hosts() {\n"
    "    [ -n \"$ssh_dir\" ] || return 0\n"
    "    each_host close_host\n"
    "    rm -rf \"$ssh_dir\"\n"
    "    ssh_dir=\n"
    "}\n";

void
hop_script_hosts(const struct hop_emit_in *in, struct hop_str *out)
{
    struct hop_str each = {0};
    size_t i;

    for (i = 0; i < in->workers->n; i++)
        if (in->workers->v[i].ssh) {
            struct hop_str one = {0};

            hop_str_add(&one, "    \"$@\"");
            hop_emit_host(&in->workers->v[i], &one);
            hop_str_add(&one, "\n");
            if (!strstr(hop_str_c(&each), hop_str_c(&one)))
                hop_str_add(&each, hop_str_c(&one));
            hop_str_clear(&one);
        }
    if (each.n) {
        hop_str_addf(out, "ssh_dir=\neach_host() {\n%s}\n", hop_str_c(&each));
        hop_str_add(out, hosts);
    } else {
        hop_str_add(out, "use_hosts() { :; }\nopen_hosts() { :; }\nclose_hosts() { :; }\n");
    }
    hop_str_clear(&each);
}

void
hop_script_begin(const struct hop_emit_in *in, size_t n_cells, struct hop_str *out)
{
    hop_str_add(out, "HOP_NL='\n'\nexport HOP_NL\nrun=");
    hop_str_quote(out, in->run);
    hop_str_addf(out, "\nretries=%lld\nn_visits=%zu\nn_aside=%lld\nhalt=%s\n",
                 (long long)in->retries, n_cells, in->retries > 1 ? (long long)in->retries + 1 : 2,
                 in->halt);
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

void
hop_emit_others(const struct hop_emit_in *in, const struct hop_sched_visit *v, bool want_worker,
                struct hop_str *out)
{
    const struct hop_sched_shard *shard = &in->in->shards[v->shard];
    struct hop_sched_visit other = *v;
    size_t i, at = 0;

    while (at < shard->n_workers && shard->workers[at] != v->worker)
        at++;
    for (i = 1; i < shard->n_workers && i < HOP_SCRIPT_HOLDERS; i++) {
        other.worker = shard->workers[(at + i) % shard->n_workers];
        hop_str_add(out, "+ ");
        if (want_worker)
            hop_str_addf(out, "%u ", other.worker);
        hop_emit_visit(in, &other, out);
        hop_str_add(out, "\n");
    }
}

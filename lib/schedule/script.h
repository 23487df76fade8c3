/* script - what shell scripts of several engines have in common. */
#ifndef HOP_SCHEDULE_SCRIPT_H
#define HOP_SCHEDULE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"
#include "schedule/cells.h"
#include "schedule/emitters.h"

/* Of the workers that hold a shard, how many a script knows: the planned one and others to go to
 * when it does not do. A script with every visit on every worker would be as many times as long. */
enum { HOP_SCRIPT_HOLDERS = 4 };

/* hop_script_begin - shell text: $run, $retries, $n_visits (all cells), $n_aside (visits in a row
 * that go wrong before a worker is set aside), $halt, $HOP_NL; $me, $again, $midline, end_line, say,
 * clock; cannot_write, failed: ends for want of room on the disk, too. */
void hop_script_begin(const struct hop_emit_in *in, size_t n_cells, struct hop_str *out);

/* hop_script_hosts - shell text: open_hosts, close_hosts, use_hosts for connections to the hosts of
 * workers behind ssh, which visits share; $ssh_dir, where they are. */
void hop_script_hosts(const struct hop_emit_in *in, struct hop_str *out);

/* hop_script_commands - append " WORKER COMMAND" for the cell's worker, then for others that hold
 * what it needs: an index and one quoted word. */
void hop_script_commands(const struct hop_emit_in *in, const struct hop_cell *c,
                         struct hop_str *out);

/* hop_emit_others - append the same visit for other workers that hold its shard, a line each:
 * "+ COMMAND", or "+ WORKER COMMAND" with the worker's index. They begin with the worker after its own,
 * so that not all go to the same. */
void hop_emit_others(const struct hop_emit_in *in, const struct hop_sched_visit *v, bool want_worker,
                     struct hop_str *out);

#endif

/* probe - what this machine can train on. */
#ifndef HOP_PROBE_H
#define HOP_PROBE_H

/* tool_probe - print a worker/1 line per device of this machine (HACKING.md, "Records"): its
 * processors, then each GPU; on stderr why a GPU cannot be used. Opens contexts: call it in a process
 * that ends soon after. Returns the exit status. */
int tool_probe(void);

#endif

/* search_select - hop-search's commands that look back: what of a log is good, and why. */
#ifndef HOP_SEARCH_SELECT_H
#define HOP_SEARCH_SELECT_H

#include "search/trials.h"

/* search_read_log - the log from stdin; none when that is a terminal, where nobody types one. */
void search_read_log(struct hop_trials *t);

/* search_select - "select": ranks, the frontier, the best of groups, importance. argv as main's. */
void search_select(int argc, char **argv);

/* search_narrow - "narrow": a space refined around the good configs (search/narrow.h). */
void search_narrow(int argc, char **argv);

#endif

/* check_data - hop-shard --check: a data folder, or shards each by itself. */
#ifndef HOP_CHECK_DATA_H
#define HOP_CHECK_DATA_H

#include <stdbool.h>
#include <stdint.h>

/* tool_check_data - the folder's check/1 record to stdout; ends the program when something is wrong. */
void tool_check_data(const char *dir, bool (*progress)(const char *what, int64_t n_examples));

/* tool_is_shard - is this the name of a shard's file, rather than of a folder? */
bool tool_is_shard(const char *path);

/* tool_check_shards - a shard/1 record for each of n files, whatever is wrong with others; what is
 * wrong on stderr, too. Returns the exit status. */
int tool_check_shards(int n, char **paths);

#endif

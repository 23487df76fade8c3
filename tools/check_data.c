#include "check_data.h"

#include <string.h>

#include "format/json.h"
#include "format/shard_check.h"
#include "tool.h"

void
tool_check_data(const char *dir, bool (*progress)(const char *what, int64_t n_examples))
{
    struct hop_json *j;
    struct hop_err e = {0};
    const struct hop_json *problems;
    size_t n;

    if (hop_shard_check(dir, progress, &j, &e))
        tool_die(&e);
    tool_progress_end();
    tool_record(j);
    problems = hop_json_get(j, "problems");
    n = hop_json_len(problems);
    if (n) {
        hop_fail(&e, HOP_EFORMAT, NULL, n > 1 ? "the record on stdout has the rest" : NULL, "%s",
                 hop_json_str(hop_json_at(problems, 0)));
        tool_die(&e);
    }
    hop_json_free(j);
}

bool
tool_is_shard(const char *path)
{
    size_t n = strlen(path), n_end = strlen(".safetensors");

    return n > n_end && !strcmp(path + n - n_end, ".safetensors");
}

int
tool_check_shards(int n, char **paths)
{
    struct hop_json *j;
    struct hop_err e = {0};
    const char *problem;
    int i;

    for (i = 0; i < n; i++) {
        j = hop_shard_check_file(paths[i]);
        tool_record(j);
        if ((problem = hop_json_str(hop_json_get(j, "problem")))) {
            hop_err_clear(&e);
            hop_fail(&e, HOP_EFORMAT, paths[i], NULL, "%s", problem);
            tool_show(&e);
        }
        hop_json_free(j);
    }
    return hop_err_exit(&e);
}

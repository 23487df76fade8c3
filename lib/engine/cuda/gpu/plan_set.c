#include "engine/cuda/gpu/plan_set.h"

#include <string.h>

static void
add_head(const struct hop_plan_key *key, struct hop_str *s)
{
    hop_str_addf(s, "{\"hop\":\"cudnn-plan/1\",\"gpu\":\"%s\",\"cudnn\":\"%s\",\"problem\":\"%s\",\"plan\":",
                 key->gpu, key->cudnn, key->problem);
}

bool
hop_plan_set_find(const char *text, const struct hop_plan_key *key, struct hop_str *plan)
{
    struct hop_str head = {0};
    bool is_found = false;
    size_t n;

    add_head(key, &head);
    for (; *text && !head.is_oom && !is_found; text += n, text += *text == '\n') {
        n = strcspn(text, "\n");
        /* a line that was cut does not end in its object's brace */
        if (n > head.n + 2 && !memcmp(text, head.s, head.n) && text[n - 1] == '}' &&
            text[head.n] == '{' && text[n] == '\n') {
            hop_str_add_n(plan, text + head.n, n - 1 - head.n);
            is_found = true;
        }
    }
    hop_str_clear(&head);
    return is_found;
}

bool
hop_plan_set_line(const struct hop_plan_key *key, const char *plan, struct hop_str *line)
{
    if (*plan != '{' || strchr(plan, '\n'))
        return false;
    add_head(key, line);
    hop_str_addf(line, "%s}\n", plan);
    return true;
}

#include "net/zoo.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "net/param.h"

/* "known: lenet5, mlp, ..." in the order of the folder. */
static void
list_nets(const char *nets_dir, struct hop_str *out)
{
    DIR *d = opendir(nets_dir);
    struct dirent *f;
    size_t n;

    hop_str_addf(out, "a path has a / or ends in .json; in %.150s there are:", nets_dir);
    while (d && (f = readdir(d))) {
        n = strlen(f->d_name);
        if (n > 5 && !strcmp(f->d_name + n - 5, ".json"))
            hop_str_addf(out, " %.*s", (int)(n - 5), f->d_name);
    }
    if (d)
        closedir(d);
}

static bool
is_path(const char *name)
{
    size_t n = strlen(name);

    return strchr(name, '/') || (n > 5 && !strcmp(name + n - 5, ".json"));
}

bool
hop_zoo_is_net(const struct hop_json *model, const char *nets_dir)
{
    const char *name = hop_json_str(model);
    struct hop_str path = {0};
    bool is_net;

    if (hop_json_kind(model) == HOP_JSON_OBJECT)
        return hop_json_get(model, "class_name");
    if (!name || is_path(name))
        return name;
    hop_str_addf(&path, "%s/%s.json", nets_dir, name);
    is_net = !path.is_oom && access(path.s, F_OK) == 0;
    hop_str_clear(&path);
    return is_net;
}

/* The architecture as it is written. *file: where, for errors about what is in it. */
static int
read_net(const struct hop_json *config, const char *nets_dir, const char *where,
         struct hop_str *file, struct hop_json **out, struct hop_err *e)
{
    const struct hop_json *model = hop_json_get(config, "model");
    const char *name = NULL;
    struct hop_str hint = {0};
    int rc;

    if (hop_json_kind(model) == HOP_JSON_OBJECT) {
        hop_str_addf(file, "%s: model", where);
        *out = hop_json_copy(model);
        return *out ? HOP_OK : hop_fail(e, HOP_ENOMEM, where, NULL, "out of memory");
    }
    if ((rc = hop_json_get_str(config, "model", true, where, &name, e)))
        return rc;
    if (is_path(name))
        hop_str_add(file, name);
    else
        hop_str_addf(file, "%s/%s.json", nets_dir, name);
    if (!(rc = hop_str_check(file, e)) && !is_path(name) && access(file->s, F_OK) < 0) {
        list_nets(nets_dir, &hint);
        rc = hop_fail(e, HOP_EFORMAT, where, hop_str_c(&hint), "unknown net \"%.100s\"", name);
    }
    hop_str_clear(&hint);
    return rc ? rc : hop_json_read_file(file->s, out, e);
}

int
hop_zoo_find(const struct hop_json *config, const char *nets_dir, const char *where,
             struct hop_json **out, struct hop_err *e)
{
    struct hop_str file = {0};
    int rc;

    *out = NULL;
    rc = read_net(config, nets_dir, where, &file, out, e);
    if (!rc && (rc = hop_param_fill(out, config, hop_str_c(&file), e))) {
        hop_json_free(*out);
        *out = NULL;
    }
    hop_str_clear(&file);
    return rc;
}

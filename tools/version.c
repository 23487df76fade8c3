#include "version.h"

#include <stdio.h>

const char hop_share_dir[] = HOP_DATADIR "/hop";
const char hop_plugin_dir[] = HOP_PLUGINDIR;

const char *
hop_version(void)
{
    return HOP_VERSION;
}

const char *
hop_version_text(const char *name)
{
    static char text[1024];

    snprintf(text, sizeof text, "%s (hop) %s\ncompiler: %s\nflags: %s\nlibraries: %s\n", name,
             HOP_VERSION, HOP_COMPILER, HOP_FLAGS, HOP_LIBRARIES);
    return text;
}

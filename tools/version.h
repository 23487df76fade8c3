/* version - what --version prints, and what the build fixed. Implemented by tools/version.c. */
#ifndef HOP_VERSION_H
#define HOP_VERSION_H

extern const char hop_share_dir[];  /* DATADIR/hop */
extern const char hop_plugin_dir[]; /* PLUGINDIR */

const char *hop_version(void); /* "0.1.0" */

/* hop_version_text - "NAME (hop) VERSION", then compiler, flags and libraries; static. */
const char *hop_version_text(const char *name);

#endif

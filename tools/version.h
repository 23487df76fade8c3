/* version - what --version prints, and what the build fixed. Implemented by tools/version.c. */
#ifndef HOP_VERSION_H
#define HOP_VERSION_H

extern const char hop_share_dir[]; /* DATADIR/hop */

/* hop_version_text - "NAME (hop) VERSION", then compiler, flags and libraries; static. */
const char *hop_version_text(const char *name);

#endif

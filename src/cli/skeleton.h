/* skeleton.h: the files of a new plugin, as `plexus plugin new` writes them. Their texts are in skeleton/, and are built in
 * by CMake; "@NAME@" stands for the plugin's name. */
#ifndef PX_CLI_SKELETON_H
#define PX_CLI_SKELETON_H

#include "base/str.h"

struct px_skeleton_file {
    const char *name; /* may hold @NAME@ */
    const unsigned char *text;
    size_t n;
};
extern const struct px_skeleton_file px_skeleton[];
extern const size_t px_skeleton_n;

#endif

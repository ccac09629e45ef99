/* file.h: reading a whole file, or stdin, with a cap. Blocking. */
#ifndef PX_CLI_FILE_H
#define PX_CLI_FILE_H

#include "base/buf.h"
#include "base/err.h"

/** Append the file's bytes ("-": stdin). -errno; -EMSGSIZE: over the buffer's cap. */
PX_MUSTCHECK int px_file_read(const char *path, struct px_buf *to, struct px_err *err);

#endif

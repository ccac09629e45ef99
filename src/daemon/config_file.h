/* config_file.h: one file of the configuration: read, comments blanked, scanned, parsed, held against the schema. */
#ifndef PX_DAEMON_CONFIG_FILE_H
#define PX_DAEMON_CONFIG_FILE_H

#include "daemon/report.h"
#include "json/schema.h"

enum { PX_CONFIG_FILE_MAX = 4 << 20, PX_CONFIG_FILES_MAX = 256, PX_CONFIG_DEPTH = 32 };

struct px_config_file {
    px_str name; /* for messages */
    px_str text; /* comments are blanks */
    const struct px_json *root;
};

/** The schema that is built into the program (etc/config.schema.json). */
extern const unsigned char px_config_schema_text[];
extern const size_t px_config_schema_size;

/** Everything lives in `arena`. `path` is opened, `name` is shown. 0; -EBADMSG: the report says why. */
PX_MUSTCHECK int px_config_file_read(struct px_arena *arena, const char *path, px_str name,
                                     const struct px_schema *schema, struct px_config_file *ret,
                                     struct px_report *report);
/** The same for text that is there already (changed in place: comments go). */
PX_MUSTCHECK int px_config_file_parse(struct px_arena *arena, char *text, size_t n, px_str name,
                                      const struct px_schema *schema, struct px_config_file *ret,
                                      struct px_report *report);
/** Report what a schema found; `base` is the pointer of the instance in the file ("" when it is the whole). */
void px_config_file_problems(const struct px_config_file *file, px_str base,
                             const struct px_schema_report *found, struct px_report *report);
static inline struct px_place px_config_place(const struct px_config_file *file, px_str pointer) {
    return (struct px_place){file->name, file->text, pointer, false};
}

#endif

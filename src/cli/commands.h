/* commands.h: every command, by file. */
#ifndef PX_CLI_COMMANDS_H
#define PX_CLI_COMMANDS_H

#include "cli/cli.h"

enum { PX_COMMANDS_MAX = 64 };

extern const struct px_command px_cmd_tools;
extern const struct px_command px_cmd_describe;
extern const struct px_command px_cmd_call;
extern const struct px_command px_cmd_status;
extern const struct px_command px_cmd_log;
extern const struct px_command px_cmd_pause;
extern const struct px_command px_cmd_resume;
extern const struct px_command px_cmd_breaker;
extern const struct px_command px_cmd_effects;
extern const struct px_command px_cmd_effects_settle;
extern const struct px_command px_cmd_effects_verify;
extern const struct px_command px_cmd_auth_login;
extern const struct px_command px_cmd_auth_status;
extern const struct px_command px_cmd_auth_logout;
extern const struct px_command px_cmd_secret_set;
extern const struct px_command px_cmd_secret_list;
extern const struct px_command px_cmd_secret_remove;
extern const struct px_command px_cmd_mcp;
extern const struct px_command px_cmd_check;
extern const struct px_command px_cmd_plugin_check;
extern const struct px_command px_cmd_plugin_new;
extern const struct px_command px_cmd_schema_validate;
extern const struct px_command px_cmd_token_new;

#endif

/* github.c: GitHub as tools. Which of them a service offers is all the code there is: the tools are data, a file a toolset, and
 * so is what the host must know of GitHub's API (api.c). */
#include "github.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char *const toolsets[GH_TOOLSETS] = {"repos",   "issues",      "pulls",    "search", "users",
                                                  "actions", "discussions", "projects", "graphql"};

static const struct px_tool tools[] = {
#include "actions.h"
#include "graphql.h"
#include "issues.h"
#include "pulls.h"
#include "repos.h"
#include "search.h"
#include "users.h"
};
enum { TOOLS = sizeof tools / sizeof tools[0] };

static const struct px_host *host; /* one for the life of the process */

struct choice {
    bool toolset[GH_TOOLSETS];
    bool read_only, private_data;
};

static bool is_true(px_str config, px_str pointer) {
    px_str v;
    return host->json->at(config, pointer, &v) == 0 && v.n == 4; /* a boolean: the schema has seen to that */
}

/* What the configuration says. */
static void choose(px_str config, struct choice *ret) {
    px_str list, key, name;
    uint64_t pos = 0;
    bool named = host->json->at(config, PX_LIT("/toolsets"), &list) == 0;
    for (unsigned i = 0; i < GH_TOOLSETS; i++)
        ret->toolset[i] = !named && i <= GH_USERS; /* the first few are the default */
    while (named && host->json->next(list, &pos, &key, &name) == 1) {
        px_str text;
        for (unsigned i = 0; i < GH_TOOLSETS; i++) {
            text = (px_str){toolsets[i], strlen(toolsets[i])};
            if (name.n == text.n + 2 && memcmp(name.p + 1, text.p, text.n) == 0) /* within its quotes */
                ret->toolset[i] = true;
        }
    }
    ret->read_only = is_true(config, PX_LIT("/read_only"));
    /* Without a token, or where the administrator says so, nothing is seen that not everyone can see. */
    ret->private_data =
        host->json->at(config, PX_LIT("/token"), &key) == 0 && !is_true(config, PX_LIT("/public_only"));
}

static bool offered(const struct choice *choice, const struct px_tool *tool) {
    bool reads = (tool->hints & PX_HINT_READ_ONLY) == PX_HINT_READ_ONLY;
    return choice->toolset[GH_TOOLSET_OF(tool->id)] && (reads || !choice->read_only);
}

static int32_t github_open(const struct px_host *h, const struct px_open_in *in, void **ret_self) {
    struct px_tool chosen[TOOLS];
    struct choice choice;
    uint32_t n = 0;
    host = h;
    *ret_self = NULL; /* there is nothing to remember */
    choose(in->config_json, &choice);
    for (unsigned i = 0; i < TOOLS; i++) {
        if (!offered(&choice, &tools[i]))
            continue;
        chosen[n] = tools[i];
        if (!choice.private_data)
            chosen[n].labels &= ~PX_LABEL_READS_PRIVATE;
        n++;
    }
    return host->catalog->set(in->service, PX_LIST_TOOLS, chosen, n, sizeof chosen[0], NULL);
}

/* Every tool has a route, and the rest is not there. */
static void github_call(void *self, px_call_h call, const struct px_call_in *in) {
    const struct px_error error = {
        .size = sizeof error, .code = PX_NOT_FOUND, .message = PX_LIT_INIT("this service has only tools")};
    (void)self, (void)in;
    host->call->fail(call, &error);
}

PX_PLUGIN(.name = "github", .version = "0.1.0",
          .summary = "GitHub: repositories, issues, pull requests, Actions, search, discussions, projects",
          .config_schema = gh_config_schema, .tools = tools, .n_tools = TOOLS, .tool_size = sizeof tools[0],
          .open = github_open, .call = github_call, .api = gh_api);

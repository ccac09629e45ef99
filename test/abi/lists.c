/* Prompts, resources, templates, completions, lists that change, a service that is ready later. */
#include <plexus/plugin.h>
#include <stdlib.h>
#include <string.h>

struct lists {
    const struct px_host *host;
    px_service_h service;
    int later;
};

static const struct px_prompt prompts[] = {{.size = sizeof(struct px_prompt),
                                            .id = 1,
                                            .name = "greet",
                                            .description = "A greeting",
                                            .arguments = "[{\"name\":\"who\",\"required\":true}]"}};
static const struct px_resource resources[] = {{.size = sizeof(struct px_resource),
                                                .id = 2,
                                                .uri = "test://one",
                                                .name = "one",
                                                .mime_type = "text/plain"}};
static const struct px_resource templates[] = {
    {.size = sizeof(struct px_resource), .id = 3, .uri = "test://item/{id}", .name = "item"}};

static void offer(struct lists *l, int more) {
    struct px_tool tools[3];
    memset(tools, 0, sizeof tools);
    for (int i = 0; i < 3; i++) {
        tools[i].size = sizeof tools[i];
        tools[i].id = (uint64_t)(10 + i);
        tools[i].hints = PX_HINT_READ_ONLY;
        tools[i].description = "made at run time";
    }
    tools[0].name = "more";
    tools[1].name = "less";
    tools[2].name = "extra";
    tools[0].extra = "{\"_meta\":{\"x\\u0061\":1},\"icons\":[]}";
    l->host->catalog->set(l->service, PX_LIST_TOOLS, tools, more ? 3 : 2, sizeof(struct px_tool), NULL);
}

static int32_t became_ready(void *user, const struct px_ev *ev) {
    struct lists *l = user;
    (void)ev;
    l->host->catalog->ready(l->service, NULL);
    return PX_GO;
}

static int32_t on_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    struct lists *l = calloc(1, sizeof *l);
    px_str later;
    l->host = host;
    l->service = in->service;
    *ret_self = l;
    offer(l, 0);
    host->catalog->set(in->service, PX_LIST_PROMPTS, prompts, 1, sizeof prompts[0], NULL);
    host->catalog->set(in->service, PX_LIST_RESOURCES, resources, 1, sizeof resources[0], NULL);
    host->catalog->set(in->service, PX_LIST_TEMPLATES, templates, 1, sizeof templates[0], NULL);
    if (host->json->at(in->config_json, PX_LIT("/later"), &later) == 0) {
        host->timer->start(host->scope->of_service(in->service), 50000000, 0, became_ready, l, NULL);
        return PX_MORE;
    }
    return 0;
}

static void on_call(void *self, px_call_h call, const struct px_call_in *in) {
    struct lists *l = self;
    struct px_reply reply = {.size = sizeof reply};
    uint32_t bad = 99;
    struct px_tool wrong[2] = {{.size = sizeof wrong[0], .name = "fine"},
                               {.size = sizeof wrong[0], .name = "not fine"}};
    switch (in->kind) {
    case PX_CALL_PROMPT:
        reply.result_json =
            PX_LIT("{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"hello\"}}]}");
        break;
    case PX_CALL_READ:
        reply.result_json = in->id == 2
                                ? PX_LIT("{\"contents\":[{\"uri\":\"test://one\",\"text\":\"1\"}]}")
                                : PX_LIT("{\"contents\":[{\"uri\":\"test://item/7\",\"text\":\"7\"}]}");
        break;
    case PX_CALL_COMPLETE:
        reply.result_json = PX_LIT("{\"completion\":{\"values\":[\"a\",\"b\"],\"total\":2}}");
        break;
    case PX_CALL_TOOL:
        reply.text = PX_LIT("ok");
        if (in->id == 10)
            offer(l, 1);
        if (in->id == 11)
            offer(l, 0);
        if (in->id == 12 &&
            (l->host->catalog->set(l->service, PX_LIST_TOOLS, wrong, 2, sizeof wrong[0], &bad) >= 0 ||
             bad != 1))
            reply.text = PX_LIT("a bad list was taken");
        break;
    default: {
        struct px_error e = {.size = sizeof e, .code = PX_NOT_FOUND, .message = PX_LIT("unknown kind")};
        l->host->call->fail(call, &e);
        return;
    }
    }
    l->host->call->reply(call, &reply);
}

static void on_fini(void *self) {
    free(self);
}

PX_PLUGIN(
        .name = "lists", .version = "1", .open = on_open, .call = on_call, .fini = on_fini,
        .config_schema =
            "{\"type\":\"object\",\"properties\":{\"later\":{\"type\":\"boolean\"}},\"additionalProperties\":false}");

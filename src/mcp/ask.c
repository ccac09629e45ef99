#include "mcp/peer.h"

/* What a client declared that it can be asked for (modern era: in each request). */
enum { FORM = 1, URL = 2, SAMPLING = 4, SAMPLING_TOOLS = 8, ROOTS = 16 };

static const struct {
    uint32_t bit;
    const char *json; /* the capability, as the client would have to declare it */
} capabilities[] = {
    {FORM, "\"elicitation\":{\"form\":{}}"},
    {URL, "\"elicitation\":{\"url\":{}}"},
    {FORM | URL, "\"elicitation\":{\"form\":{},\"url\":{}}"},
    {SAMPLING, "\"sampling\":{}"},
    {SAMPLING | SAMPLING_TOOLS, "\"sampling\":{\"tools\":{}}"},
    {SAMPLING_TOOLS, "\"sampling\":{\"tools\":{}}"},
    {ROOTS, "\"roots\":{}"},
};

uint32_t px_mcp_can(px_str caps) {
    px_str elicitation = {0}, sampling = {0}, roots = {0}, form = {0}, url = {0}, tools = {0};
    const struct px_mcp_want wants[] = {PX_MCP_WANT("elicitation", &elicitation),
                                        PX_MCP_WANT("sampling", &sampling), PX_MCP_WANT("roots", &roots)};
    if (caps.n <= 2) /* {} */
        return 0;
    px_mcp_find(caps, wants, PX_COUNT(wants));
    px_mcp_find(elicitation, (struct px_mcp_want[]){PX_MCP_WANT("form", &form), PX_MCP_WANT("url", &url)}, 2);
    px_mcp_find_one(sampling, "tools", &tools);
    uint32_t can = 0;
    if (elicitation.p && (form.p || !url.p)) /* without a word on modes: forms */
        can |= FORM;
    if (url.p)
        can |= URL;
    if (sampling.p)
        can |= SAMPLING;
    if (tools.p)
        can |= SAMPLING_TOOLS;
    if (roots.p)
        can |= ROOTS;
    return can;
}

/* What one input request needs. A method that no client can be asked needs all there is, which none has. */
static uint32_t need_of(px_str request) {
    px_str method = {0}, mode = {0}, tools = {0};
    px_mcp_find_one(request, "method", &method);
    if (px_json_slice_is(method, PX_LIT("elicitation/create"))) {
        bool url = px_json_slice_at(request, PX_LIT("/params/mode"), &mode) == 0 &&
                   px_json_slice_is(mode, PX_LIT("url"));
        return url ? URL : FORM;
    }
    if (px_json_slice_is(method, PX_LIT("sampling/createMessage"))) {
        bool with_tools = px_json_slice_at(request, PX_LIT("/params/tools"), &tools) == 0;
        return with_tools ? SAMPLING | SAMPLING_TOOLS : SAMPLING;
    }
    return px_json_slice_is(method, PX_LIT("roots/list")) ? ROOTS : 0;
}

static void write_missing(struct px_buf *to, uint32_t lacks) {
    const uint32_t groups[] = {FORM | URL, SAMPLING | SAMPLING_TOOLS, ROOTS};
    char before = '{';
    for (size_t g = 0; g < PX_COUNT(groups); g++) {
        for (size_t i = 0; i < PX_COUNT(capabilities); i++) {
            if (!(lacks & groups[g]) || capabilities[i].bit != (lacks & groups[g]))
                continue;
            px_buf_char(to, before);
            px_buf_text(to, capabilities[i].json);
            before = ',';
            break;
        }
    }
    px_buf_char(to, '}');
}

bool px_mcp_can_ask(uint32_t can, px_str requests, struct px_buf *missing) {
    px_str request;
    uint64_t at = 0;
    uint32_t lacks = 0;
    if (!requests.p)
        return true;
    while (px_json_slice_next(requests, &at, NULL, &request) == 1)
        lacks |= need_of(request) & ~can;
    if (!lacks)
        return true;
    write_missing(missing, lacks);
    return false;
}

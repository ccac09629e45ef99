/* What HTTP statuses mean for whoever called (RFC 9110 §15), where no rule of the upstream's knows better. */
#include "route/private.h"

static const char look_again[] =
    "The state is not what the call supposed: read it again before you repeat this.";

static const struct px_status_meaning known[] = {
    {300, PX_UPSTREAM_ERROR, false, "Multiple Choices", NULL},
    {301, PX_UPSTREAM_ERROR, false, "Moved Permanently", NULL},
    {302, PX_UPSTREAM_ERROR, false, "Found", NULL},
    {303, PX_UPSTREAM_ERROR, false, "See Other", NULL},
    {304, PX_UPSTREAM_ERROR, false, "Not Modified", NULL},
    {307, PX_UPSTREAM_ERROR, false, "Temporary Redirect", NULL},
    {308, PX_UPSTREAM_ERROR, false, "Permanent Redirect", NULL},
    {400, PX_INVALID_ARGUMENTS, false, "Bad Request", NULL},
    {401, PX_UNAUTHORIZED, false, "Unauthorized", NULL},
    {402, PX_FORBIDDEN, false, "Payment Required",
     "Ask a person to look at the plan or the payments of this service."},
    {403, PX_FORBIDDEN, false, "Forbidden", NULL},
    {404, PX_NOT_FOUND, false, "Not Found", NULL},
    {405, PX_UPSTREAM_ERROR, false, "Method Not Allowed", NULL},
    {406, PX_UPSTREAM_ERROR, false, "Not Acceptable", NULL},
    {407, PX_UPSTREAM_ERROR, false, "Proxy Authentication Required", NULL},
    {408, PX_TIMEOUT, true, "Request Timeout", NULL},
    {409, PX_UPSTREAM_ERROR, false, "Conflict", look_again},
    {410, PX_NOT_FOUND, false, "Gone", "It was there and is gone for good: do not ask for it again."},
    {411, PX_UPSTREAM_ERROR, false, "Length Required", NULL},
    {412, PX_UPSTREAM_ERROR, false, "Precondition Failed", look_again},
    {413, PX_TOO_LARGE, false, "Content Too Large", "Send less at once."},
    {414, PX_TOO_LARGE, false, "URI Too Long", "Send shorter arguments, or fewer of them."},
    {415, PX_UPSTREAM_ERROR, false, "Unsupported Media Type", NULL},
    {416, PX_INVALID_ARGUMENTS, false, "Range Not Satisfiable", NULL},
    {421, PX_UPSTREAM_ERROR, false, "Misdirected Request", NULL},
    {422, PX_INVALID_ARGUMENTS, false, "Unprocessable Content", NULL},
    {423, PX_UPSTREAM_ERROR, false, "Locked",
     "It is locked: ask whoever holds it to let go, or try again later."},
    {424, PX_UPSTREAM_ERROR, false, "Failed Dependency", NULL},
    {425, PX_UNAVAILABLE, true, "Too Early", NULL},
    {426, PX_UPSTREAM_ERROR, false, "Upgrade Required", NULL},
    {428, PX_UPSTREAM_ERROR, false, "Precondition Required", look_again},
    {429, PX_RATE_LIMITED, true, "Too Many Requests", NULL},
    {431, PX_TOO_LARGE, false, "Request Header Fields Too Large",
     "Send shorter arguments, or fewer of them."},
    {451, PX_FORBIDDEN, false, "Unavailable For Legal Reasons",
     "It is withheld for legal reasons: do without."},
    {500, PX_UPSTREAM_ERROR, true, "Internal Server Error", NULL},
    {501, PX_UPSTREAM_ERROR, false, "Not Implemented", NULL},
    {502, PX_UPSTREAM_ERROR, true, "Bad Gateway", NULL},
    {503, PX_UNAVAILABLE, true, "Service Unavailable", NULL},
    {504, PX_TIMEOUT, true, "Gateway Timeout", NULL},
    /* Not registered, but common: between a proxy and what stands behind it. */
    {520, PX_UPSTREAM_ERROR, true, "Web Server Returned an Unknown Error", NULL},
    {521, PX_UNAVAILABLE, true, "Web Server Is Down", NULL},
    {522, PX_TIMEOUT, true, "Connection Timed Out", NULL},
    {523, PX_UNAVAILABLE, true, "Origin Is Unreachable", NULL},
    {524, PX_TIMEOUT, true, "A Timeout Occurred", NULL},
    {529, PX_UNAVAILABLE, true, "Overloaded", NULL},
};

const struct px_status_meaning *px_status_meaning(int status) {
    static const struct px_status_meaning good = {.code = PX_OK}, bad = {.code = PX_UPSTREAM_ERROR};
    for (size_t i = 0; i < PX_COUNT(known); i++) {
        if (known[i].status == status)
            return &known[i];
    }
    return status >= 200 && status < 300 ? &good : &bad;
}

const char *px_code_advice(int32_t code) {
    switch (code) {
    case PX_INVALID_ARGUMENTS: return "Change the arguments as the message says, then call again.";
    case PX_UNAUTHORIZED:
        return "Ask a person to check the credentials of this service; the same call fails until they are put right.";
    case PX_FORBIDDEN:
        return "The credentials of this service may not do that: ask a person for the permission, or do without.";
    case PX_NOT_FOUND:
        return "Check the names and ids in the arguments; what the credentials may not see can look absent too.";
    case PX_RATE_LIMITED: return "Wait a while before the next call, and ask for less at once.";
    case PX_TIMEOUT: return "Try again later, or ask for less at once.";
    case PX_OUTCOME_UNKNOWN:
        return "It may have happened all the same: look whether it did before you repeat the call.";
    case PX_TOO_LARGE: return "Ask for less at once.";
    case PX_UNAVAILABLE: return "Try again later.";
    default: return NULL;
    }
}

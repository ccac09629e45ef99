/* api.c: what the host must know of GitHub's API, and what an administrator may configure. */
#include "github.h"

/* clang-format off */
const char gh_config_schema[] = J({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "token": {"type": "string", "minLength": 1, "maxLength": 1024,
              "description": "A fine-grained or classic personal access token, or an app's. Without one: public data only, 60 requests an hour."},
    "base_url": {"type": "string", "maxLength": 1024, "pattern": "^https?://[^/?#]+(/[^?#]*[^/?#])?$",
                 "description": "GitHub Enterprise Server: https://HOST/api/v3. Default: https://api.github.com."},
    "web_url": {"type": "string", "maxLength": 1024, "pattern": "^https?://[^/?#]+$",
                "description": "GitHub Enterprise Server: https://HOST, where people log in (auth: oauth2). Default: https://github.com."},
    "toolsets": {"type": "array", "minItems": 1, "uniqueItems": true,
                 "items": {"enum": ["repos", "issues", "pulls", "search", "users", "actions", "discussions", "projects", "graphql"]},
                 "description": "Which tools are offered. Default: repos, issues, pulls, search, users."},
    "read_only": {"type": "boolean", "description": "Offer no tool that writes. Default: false."},
    "public_only": {"type": "boolean",
                    "description": "The token sees nothing that is not public, so its tools do not count as reading private data. Default: false."},
    "log_origins": {"type": "array", "maxItems": 16, "items": {"type": "string", "maxLength": 256},
                    "description": "GitHub Enterprise Server: where it keeps the logs of Actions (https://HOST)."}
  }
});

/* The first rule that fits says what an answer means.
 * GitHub, "Rate limits for the REST API": a primary limit is x-ratelimit-remaining 0, until x-ratelimit-reset (Unix seconds); a
 * secondary one has a retry-after or says so in its message, and is then over in a minute. Both come as 403 or 429. */
#define LIMITED \
    J({"status": [403, 429], "header": {"x-ratelimit-remaining": "0"}, "code": "rate_limited", \
       "retry_after": {"header": "x-ratelimit-reset", "unit": "unix"}, \
       "advice": "The hour's requests of this token are used up (a search: the minute's). Wait until then, and ask for less."}, \
      {"status": [403, 429], "header": {"retry-after": "*"}, "code": "rate_limited", "retry_after": {"header": "retry-after"}, \
       "advice": "GitHub asks for slower calls. Wait that long, then go on one at a time."}, \
      {"status": [403, 429], "body": {"/message": "*secondary rate limit*"}, "code": "rate_limited", \
       "advice": "GitHub asks for slower calls. Wait a minute, then go on one at a time."}, \
      {"status": 403, "body": {"/message": "*abuse detection*"}, "code": "rate_limited", \
       "advice": "GitHub asks for slower calls. Wait a minute, then go on one at a time."}, \
      {"status": 429, "code": "rate_limited", "advice": "Wait a minute, then go on one at a time."})
#define REFUSED \
    J({"status": 401, "code": "unauthorized", \
       "advice": "The token is missing, wrong, expired or revoked: an administrator must set `token` in this service's configuration."}, \
      {"status": 403, "header": {"x-github-sso": "*"}, "code": "forbidden", \
       "advice": "The organisation wants single sign-on: the token's owner must authorise the token for it on GitHub."}, \
      {"status": 403, "body": {"/message": "Resource not accessible*"}, "code": "forbidden", \
       "advice": "The token lacks the permission for this: an administrator can give it one on GitHub."}, \
      {"status": [403, 451], "code": "forbidden"})

/* "Rate limits for the REST API": each answer says what is left of its resource (core, search, graphql …), a 304 too. A secondary
 * limit is of everything that the token does, for a minute when nothing else is said. */
#define SAID \
    J({"group": {"header": "x-ratelimit-resource"}, "limit": {"header": "x-ratelimit-limit"}, \
       "remaining": {"header": "x-ratelimit-remaining"}, "reset": {"header": "x-ratelimit-reset", "unit": "unix"}}, \
      {"when": {"status": [403, 429], "body": {"/message": "*secondary rate limit*"}}, "global": true, \
       "retry_after": {"header": "retry-after", "default": 60}}, \
      {"when": {"status": [403, 429], "header": {"retry-after": "*"}}, "global": true, "retry_after": {"header": "retry-after"}}, \
      {"when": {"status": 403, "body": {"/message": "*abuse detection*"}}, "global": true, \
       "retry_after": {"header": "retry-after", "default": 60}})
#define WEB "{\"$config\":\"/web_url\",\"default\":\"https://github.com\"}"
#define API "{\"$config\":\"/base_url\",\"default\":\"https://api.github.com\"}"
#define AT(base, path) "{\"$concat\":[" base ",\"" path "\"]}"

const char gh_api[] = "{\"upstreams\":{"
  "\"api\":{" J(
    "base_url": {"$config": "/base_url", "default": "https://api.github.com"},
    "identity": "token", "group": "core",
    "headers": {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    "hosts": ["*.blob.core.windows.net", "*.actions.githubusercontent.com"],
    "origins": {"$config": "/log_origins", "default": []}) ","
    "\"quotas\":[" SAID "],"
    "\"errors\":[" LIMITED "," REFUSED "," J(
      {"status": 404, "code": "not_found",
       "advice": "Not there, or the token may not see it (GitHub does not say which): check owner, repo, number and branch first."},
      {"status": 410, "code": "not_found", "advice": "It was deleted, or this repository has that feature turned off."},
      {"status": 409, "code": "upstream_error", "advice": "Something else changed it meanwhile, or it is empty: look again, then decide."},
      {"status": 422, "body": {"/errors/0/message": "*"}, "code": "invalid_arguments", "message": "/errors/0/message"},
      {"status": 422, "body": {"/errors/0": "*"}, "code": "invalid_arguments", "message": "/errors/0"},
      {"status": [400, 422], "code": "invalid_arguments"}) "]},"
  "\"graphql\":{" J(
    "join": {"upstream": "api", "reference": "graphql"},
    "identity": "token", "group": "graphql",
    "headers": {"Accept": "application/json"}) ","
    "\"quotas\":[" SAID "," J(
      {"limit": {"body": "/data/rateLimit/limit"}, "cost": {"body": "/data/rateLimit/cost"},
       "remaining": {"body": "/data/rateLimit/remaining"}, "reset": {"body": "/data/rateLimit/resetAt", "unit": "date"}}) "],"
    "\"errors\":[" LIMITED "," REFUSED "," J(
      {"body": {"/errors/0/type": "RATE_LIMIT*"}, "code": "rate_limited", "message": "/errors/0/message",
       "retry_after": {"header": "x-ratelimit-reset", "unit": "unix"},
       "advice": "The hour's points of this token are used up. Wait until then, and ask for less."},
      {"body": {"/errors/0/type": "NOT_FOUND"}, "code": "not_found", "message": "/errors/0/message",
       "advice": "Not there, or the token may not see it (GitHub does not say which): check owner, repo and number first."},
      {"body": {"/errors/0/type": "INSUFFICIENT_SCOPES"}, "code": "forbidden", "message": "/errors/0/message",
       "advice": "The token lacks a scope: an administrator can give it one on GitHub."},
      {"body": {"/errors/0/type": "FORBIDDEN"}, "code": "forbidden", "message": "/errors/0/message",
       "advice": "The token lacks the permission for this: an administrator can give it one on GitHub."}) "]}},"
  "\"identities\":{\"token\":{" J("kind": "bearer", "secret": "/token", "optional": true, "owner_arg": "owner") ","
    "\"also\":["
      "{\"kind\":\"oauth2\",\"authorization_url\":" AT(WEB, "/login/oauth/authorize") ","
       "\"token_url\":" AT(WEB, "/login/oauth/access_token") ","
       "\"device_url\":" AT(WEB, "/login/device/code") ","
       "\"account_url\":" AT(API, "/user") ",\"account_at\":\"/login\",\"client_auth\":\"client_secret_post\"},"
      "{\"kind\":\"github_app\",\"api_url\":" API "}]}}}";
/* clang-format on */

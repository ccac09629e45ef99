/* users.h: the toolset `users`: elements of tools[] in github.c. */
/* clang-format off */
#define PERSON FIELDS("login,name,type,company,location,email,bio,blog,public_repos,followers,created_at,html_url")

{TOOL(GH_USERS, 1), .name = "users_me", .hints = READS, .labels = PRIVATE,
 .description = "Whose token this service uses.",
 .input_schema = INPUT("", ""),
 .route = ROUTE(J("path":"/user") "," PERSON)},

{TOOL(GH_USERS, 2), .name = "users_get", .hints = READS, .labels = PUBLIC,
 .description = "The public profile of a user or organisation.",
 .input_schema = INPUT(J("username"), J("username":{"type":"string","pattern":"^[\\w-]+(\\[bot\\])?$"})),
 .route = ROUTE(J("path":"/users/{username}") "," PERSON)},

#undef PERSON

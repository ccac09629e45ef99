/* issues.h: the toolset `issues`: elements of tools[] in github.c. To GitHub a pull request is an issue too. */
/* clang-format off */
#define ONE_ISSUE HERE "/issues/{number}"
#define LABELS "\"labels\":{\"type\":\"array\",\"maxItems\":100,\"items\":" TEXT(100) "}"
#define ASSIGNEES "\"assignees\":{\"type\":\"array\",\"maxItems\":10,\"items\":" NAMED ",\"description\":\"Logins\"}"

{TOOL(GH_ISSUES, 1), .name = "issues_list", .hints = READS, .labels = SEES,
 .description = "List issues of a repository, newest first. Those with pull_request are pull requests.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY ","
    J("state":{"enum":["open","closed","all"],"description":"Default open"}) "," LABELS ","
    J("assignee":{"type":"string","maxLength":100,"description":"A login, none, or *"},
      "creator":{"type":"string","maxLength":100},
      "mentioned":{"type":"string","maxLength":100},
      "milestone":{"type":"string","maxLength":20,"description":"Its number, none, or *"},
      "since":{"type":"string","format":"date-time","description":"Updated after"},
      "sort":{"enum":["created","updated","comments"]},
      "direction":{"enum":["asc","desc"]})),
 .route = ROUTE("\"path\":\"" HERE "/issues\","
    J("query":{"state":{"$arg":"state"},"labels":{"$arg":"labels","style":"csv"},"assignee":{"$arg":"assignee"},
               "creator":{"$arg":"creator"},"mentioned":{"$arg":"mentioned"},"milestone":{"$arg":"milestone"},
               "since":{"$arg":"since"},"sort":{"$arg":"sort"},"direction":{"$arg":"direction"}}) ","
    LINKED ","
    FIELDS("number,title,state,user/login,labels/name,assignees/login,comments,updated_at,pull_request/merged_at"))},

{TOOL(GH_ISSUES, 2), .name = "issues_get", .hints = READS, .labels = SEES,
 .description = "One issue with its text.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER),
 .route = ROUTE("\"path\":\"" ONE_ISSUE "\","
    FIELDS("number,title,state,state_reason,user/login,body,labels/name,assignees/login,milestone(number,title),type/name,"
           "comments,locked,created_at,updated_at,closed_at,html_url,pull_request/merged_at"))},

{TOOL(GH_ISSUES, 3), .name = "issues_comments", .hints = READS, .labels = SEES,
 .description = "Comments on an issue, or in the conversation of a pull request, oldest first.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER ","
    J("since":{"type":"string","format":"date-time","description":"Updated after"})),
 .route = ROUTE("\"path\":\"" ONE_ISSUE "/comments\","
    J("query":{"since":{"$arg":"since"}}) "," LINKED ","
    FIELDS("id,user/login,author_association,body,created_at"))},

{TOOL(GH_ISSUES, 4), .name = "issues_create", .hints = ADDS, .labels = TELLS,
 .description = "Open an issue. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","title"), REPOSITORY ",\"title\":" TEXT(256) "," BODY "," LABELS "," ASSIGNEES ","
    J("milestone":{"type":"integer","minimum":1},
      "type":{"type":"string","minLength":1,"maxLength":100,"description":"An issue type of the organisation"})),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" HERE "/issues\","
    J("body":{"title":{"$arg":"title"},"body":{"$arg":"body"},"labels":{"$arg":"labels"},"assignees":{"$arg":"assignees"},
              "milestone":{"$arg":"milestone"},"type":{"$arg":"type"}},
      "result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_ISSUES, 5), .name = "issues_update", .hints = SETS, .labels = TELLS,
 .description = "Change an issue. What is given replaces what was there; labels and assignees as a whole. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER ",\"title\":" TEXT(256) "," BODY ","
    LABELS "," ASSIGNEES ","
    J("state":{"enum":["open","closed"]},
      "state_reason":{"enum":["completed","not_planned","duplicate","reopened"]},
      "milestone":{"type":["integer","null"],"minimum":1,"description":"null removes it"},
      "type":{"type":["string","null"],"minLength":1,"maxLength":100})),
 .route = ROUTE(J("method":"PATCH") ",\"path\":\"" ONE_ISSUE "\","
    J("body":{"title":{"$arg":"title"},"body":{"$arg":"body"},"labels":{"$arg":"labels"},"assignees":{"$arg":"assignees"},
              "state":{"$arg":"state"},"state_reason":{"$arg":"state_reason"},"milestone":{"$arg":"milestone"},"type":{"$arg":"type"}},
      "result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_ISSUES, 6), .name = "issues_comment", .hints = ADDS, .labels = TELLS,
 .description = "Comment on an issue, or in the conversation of a pull request. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number","body"), REPOSITORY "," NUMBER "," BODY),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" ONE_ISSUE "/comments\","
    J("body":{"body":{"$arg":"body"}},"result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_ISSUES, 7), .name = "issues_label", .hints = ADDS_ONCE, .labels = TELLS,
 .description = "Add labels to an issue or pull request, beside those it has.",
 .input_schema = INPUT(J("owner","repo","number","labels"), REPOSITORY "," NUMBER ","
    "\"labels\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":100,\"items\":" TEXT(100) "}"),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" ONE_ISSUE "/labels\","
    J("body":{"labels":{"$arg":"labels"}},"result":{"kind":"none"}))},

{TOOL(GH_ISSUES, 8), .name = "issues_assign", .hints = ADDS_ONCE, .labels = TELLS,
 .description = "Add assignees to an issue or pull request. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number","assignees"), REPOSITORY "," NUMBER ","
    "\"assignees\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":10,\"items\":" NAMED "}"),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" ONE_ISSUE "/assignees\","
    J("body":{"assignees":{"$arg":"assignees"}},"result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_ISSUES, 9), .name = "issues_close", .hints = ADDS_ONCE, .labels = TELLS,
 .description = "Close an issue. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER ","
    J("reason":{"enum":["completed","not_planned","duplicate"],"description":"Default completed"})),
 .route = ROUTE(J("method":"PATCH") ",\"path\":\"" ONE_ISSUE "\","
    J("body":{"state":"closed","state_reason":{"$arg":"reason","default":"completed"}},
      "result":{"at":"/html_url"},"fields":false))},

#undef ASSIGNEES
#undef LABELS
#undef ONE_ISSUE

/* pulls.h: the toolset `pulls`: elements of tools[] in github.c. */
/* clang-format off */
#define ONE_PULL HERE "/pulls/{number}"
#define LINE_OF_DIFF \
    J("path":{"type":"string","minLength":1,"maxLength":4096}, \
      "line":{"type":"integer","minimum":1,"description":"Of the file; the last line of a range"}, \
      "side":{"enum":["LEFT","RIGHT"],"description":"LEFT: a deleted line. Default RIGHT"}, \
      "start_line":{"type":"integer","minimum":1,"description":"First line of a range"}, \
      "start_side":{"enum":["LEFT","RIGHT"]})

{TOOL(GH_PULLS, 1), .name = "pulls_list", .hints = READS, .labels = SEES,
 .description = "List pull requests of a repository, newest first.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY ","
    J("state":{"enum":["open","closed","all"],"description":"Default open"},
      "head":{"type":"string","maxLength":256,"description":"Only from this branch: user:branch"},
      "base":{"type":"string","maxLength":256,"description":"Only into this branch"},
      "sort":{"enum":["created","updated","popularity","long-running"]},
      "direction":{"enum":["asc","desc"]})),
 .route = ROUTE("\"path\":\"" HERE "/pulls\","
    J("query":{"state":{"$arg":"state"},"head":{"$arg":"head"},"base":{"$arg":"base"},"sort":{"$arg":"sort"},
               "direction":{"$arg":"direction"}}) ","
    LINKED ","
    FIELDS("number,title,state,draft,user/login,head/ref,base/ref,labels/name,updated_at"))},

{TOOL(GH_PULLS, 2), .name = "pulls_get", .hints = READS, .labels = SEES,
 .description = "One pull request: text, branches, whether it can be merged, counts.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER),
 .route = ROUTE("\"path\":\"" ONE_PULL "\","
    FIELDS("number,title,state,draft,merged,mergeable,mergeable_state,user/login,body,head(ref,sha,repo/full_name),base(ref,sha),"
           "labels/name,assignees/login,requested_reviewers/login,requested_teams/slug,milestone/title,comments,"
           "review_comments,commits,additions,deletions,changed_files,created_at,updated_at,merged_at,html_url"))},

{TOOL(GH_PULLS, 3), .name = "pulls_diff", .hints = READS, .labels = SEES,
 .description = "The diff of a pull request, as text.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER),
 .route = ROUTE("\"path\":\"" ONE_PULL "\","
    J("headers":{"Accept":"application/vnd.github.diff"},"result":{"kind":"text"}))},

{TOOL(GH_PULLS, 4), .name = "pulls_files", .hints = READS, .labels = SEES,
 .description = "Files that a pull request changes. With fields=filename,patch: each one's diff.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER),
 .route = ROUTE("\"path\":\"" ONE_PULL "/files\"," LINKED ","
    FIELDS("filename,previous_filename,status,additions,deletions"))},

{TOOL(GH_PULLS, 5), .name = "pulls_commits", .hints = READS, .labels = SEES,
 .description = "Commits of a pull request, oldest first, at most 250.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER),
 .route = ROUTE("\"path\":\"" ONE_PULL "/commits\"," LINKED ","
    FIELDS("sha,commit(message,author(name,date))"))},

{TOOL(GH_PULLS, 6), .name = "pulls_reviews", .hints = READS, .labels = SEES,
 .description = "Reviews of a pull request: who approved, who requested changes, and their words.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER),
 .route = ROUTE("\"path\":\"" ONE_PULL "/reviews\"," LINKED ","
    FIELDS("id,user/login,state,body,commit_id,submitted_at"))},

{TOOL(GH_PULLS, 7), .name = "pulls_comments", .hints = READS, .labels = SEES,
 .description = "Comments on lines of a pull request. Its conversation is issues_comments.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER ","
    J("since":{"type":"string","format":"date-time"})),
 .route = ROUTE("\"path\":\"" ONE_PULL "/comments\","
    J("query":{"since":{"$arg":"since"}}) "," LINKED ","
    FIELDS("id,in_reply_to_id,user/login,path,line,side,body,created_at"))},

{TOOL(GH_PULLS, 8), .name = "pulls_checks", .hints = READS, .labels = SEES,
 .description = "Check runs of a commit, branch or tag. For GitHub Actions, id is the job_id of actions_logs.",
 .input_schema = INPUT(J("owner","repo","ref"), REPOSITORY ",\"ref\":" TEXT(256) ","
    J("status":{"enum":["queued","in_progress","completed"]},
      "check_name":{"type":"string","maxLength":256})),
 .route = ROUTE("\"path\":\"" HERE "/commits/{ref}/check-runs\","
    J("query":{"status":{"$arg":"status"},"check_name":{"$arg":"check_name"}},
      "result":{"items":"/check_runs","keep":["/total_count"]}) "," LINKED ","
    FIELDS("id,name,status,conclusion,app/slug,output/title,completed_at"))},

{TOOL(GH_PULLS, 9), .name = "pulls_create", .hints = ADDS, .labels = TELLS,
 .description = "Open a pull request. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","title","head","base"), REPOSITORY ",\"title\":" TEXT(256) ","
    J("head":{"type":"string","minLength":1,"maxLength":256,"description":"Branch with the changes; from a fork: user:branch"},
      "base":{"type":"string","minLength":1,"maxLength":256,"description":"Branch to merge into"},
      "draft":{"type":"boolean"},
      "maintainer_can_modify":{"type":"boolean"}) "," BODY),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" HERE "/pulls\","
    J("body":{"title":{"$arg":"title"},"head":{"$arg":"head"},"base":{"$arg":"base"},"body":{"$arg":"body"},
              "draft":{"$arg":"draft"},"maintainer_can_modify":{"$arg":"maintainer_can_modify"}},
      "result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_PULLS, 10), .name = "pulls_update", .hints = SETS, .labels = TELLS,
 .description = "Change title, text, base branch or state of a pull request. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER ",\"title\":" TEXT(256) "," BODY ","
    J("state":{"enum":["open","closed"]},
      "base":{"type":"string","minLength":1,"maxLength":256},
      "maintainer_can_modify":{"type":"boolean"})),
 .route = ROUTE(J("method":"PATCH") ",\"path\":\"" ONE_PULL "\","
    J("body":{"title":{"$arg":"title"},"body":{"$arg":"body"},"state":{"$arg":"state"},"base":{"$arg":"base"},
              "maintainer_can_modify":{"$arg":"maintainer_can_modify"}},
      "result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_PULLS, 11), .name = "pulls_merge", .hints = CHANGES, .labels = TELLS,
 .description = "Merge a pull request.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER ","
    J("merge_method":{"enum":["merge","squash","rebase"]},
      "commit_title":{"type":"string","maxLength":1024},
      "commit_message":{"type":"string","maxLength":65536},
      "sha":{"type":"string","pattern":"^[0-9a-f]{40,64}$","description":"Merge only if this is still head/sha of pulls_get"})),
 .route = ROUTE(J("method":"PUT") ",\"path\":\"" ONE_PULL "/merge\","
    J("body":{"merge_method":{"$arg":"merge_method"},"commit_title":{"$arg":"commit_title"},
              "commit_message":{"$arg":"commit_message"},"sha":{"$arg":"sha"}},
      "errors":[{"status":405,"code":"upstream_error","advice":"It cannot be merged now: pulls_get shows mergeable_state (checks, conflicts, reviews). Settle that first."},
                {"status":409,"code":"invalid_arguments","advice":"The branch has moved since that sha: look at the new commits, then give the new head/sha."}],
      "fields":false))},

{TOOL(GH_PULLS, 12), .name = "pulls_review", .hints = ADDS, .labels = TELLS,
 .description = "Review a pull request: a verdict, a text, and comments on lines of its diff.",
 .input_schema = INPUT(J("owner","repo","number","event"), REPOSITORY "," NUMBER ","
    J("event":{"enum":["APPROVE","REQUEST_CHANGES","COMMENT"],"description":"The last two need a body"}) "," BODY ","
    J("commit_id":{"type":"string","pattern":"^[0-9a-f]{40,64}$","description":"Default: the latest commit"}) ","
    "\"comments\":{\"type\":\"array\",\"maxItems\":100,\"items\":" INPUT(J("path","line","body"), LINE_OF_DIFF "," BODY) "}"),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" ONE_PULL "/reviews\","
    J("body":{"event":{"$arg":"event"},"body":{"$arg":"body"},"commit_id":{"$arg":"commit_id"},"comments":{"$arg":"comments"}},
      "fields":"id,state,html_url"))},

{TOOL(GH_PULLS, 13), .name = "pulls_comment", .hints = ADDS, .labels = TELLS,
 .description = "Comment on lines of a pull request's diff. To its conversation: issues_comment. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number","commit_id","path","line","body"), REPOSITORY "," NUMBER ","
    J("commit_id":{"type":"string","pattern":"^[0-9a-f]{40,64}$","description":"head/sha of pulls_get"}) ","
    LINE_OF_DIFF "," BODY),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" ONE_PULL "/comments\","
    J("body":{"body":{"$arg":"body"},"commit_id":{"$arg":"commit_id"},"path":{"$arg":"path"},"line":{"$arg":"line"},
              "side":{"$arg":"side"},"start_line":{"$arg":"start_line"},"start_side":{"$arg":"start_side"}},
      "result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_PULLS, 14), .name = "pulls_reply", .hints = ADDS, .labels = TELLS,
 .description = "Reply to a comment on a line (an id of pulls_comments that is itself no reply). Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number","comment_id","body"), REPOSITORY "," NUMBER ","
    J("comment_id":{"type":"integer","minimum":1}) "," BODY),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" ONE_PULL "/comments/{comment_id}/replies\","
    J("body":{"body":{"$arg":"body"}},"result":{"at":"/html_url"},"fields":false))},

{TOOL(GH_PULLS, 15), .name = "pulls_request_reviewers", .hints = ADDS_ONCE, .labels = TELLS,
 .description = "Ask people or teams to review a pull request. Answers with its URL.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER ","
    J("reviewers":{"type":"array","maxItems":15,"items":{"type":"string","minLength":1,"maxLength":100}},
      "team_reviewers":{"type":"array","maxItems":15,"items":{"type":"string","minLength":1,"maxLength":100},"description":"Slugs"})),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" ONE_PULL "/requested_reviewers\","
    J("body":{"reviewers":{"$arg":"reviewers"},"team_reviewers":{"$arg":"team_reviewers"}},
      "result":{"at":"/html_url"},"fields":false))},

#undef LINE_OF_DIFF
#undef ONE_PULL

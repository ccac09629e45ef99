/* search.h: the toolset `search`: elements of tools[] in github.c. GitHub finds at most 1,000 of anything. */
/* clang-format off */
#define FOUND J("result":{"items":"/items","keep":["/total_count","/incomplete_results"]}) "," LINKED
#define QUERY(example) "\"query\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"" example "\"}"

{TOOL(GH_SEARCH, 1), .name = "search_issues", .hints = READS, .labels = SEES,
 .description = "Search issues and pull requests everywhere.",
 .input_schema = INPUT(J("query"), QUERY("GitHub's syntax: crash repo:o/r is:issue is:open label:bug author:a") ","
    J("sort":{"enum":["created","updated","comments","reactions","interactions"]},"order":{"enum":["asc","desc"]})),
 .route = ROUTE(J("group":"search","path":"/search/issues","query":{"q":{"$arg":"query"},"sort":{"$arg":"sort"},"order":{"$arg":"order"}}) ","
    FOUND "," FIELDS("repository_url,number,title,state,user/login,labels/name,comments,updated_at,pull_request/merged_at"))},

{TOOL(GH_SEARCH, 2), .name = "search_code", .hints = READS, .labels = SEES,
 .description = "Search files on default branches; shows the lines around. Needs a token; 10 searches a minute.",
 .input_schema = INPUT(J("query"), QUERY("GitHub's syntax: addClass repo:o/r path:src language:js")),
 .route = ROUTE(J("group":"code_search","path":"/search/code","headers":{"Accept":"application/vnd.github.text-match+json"},
      "query":{"q":{"$arg":"query"}}) "," FOUND "," FIELDS("repository/full_name,path,text_matches/fragment"))},

{TOOL(GH_SEARCH, 3), .name = "search_repos", .hints = READS, .labels = SEES,
 .description = "Search repositories.",
 .input_schema = INPUT(J("query"), QUERY("GitHub's syntax: tetris language:c stars:>100 user:o topic:t") ","
    J("sort":{"enum":["stars","forks","help-wanted-issues","updated"]},"order":{"enum":["asc","desc"]})),
 .route = ROUTE(J("group":"search","path":"/search/repositories","query":{"q":{"$arg":"query"},"sort":{"$arg":"sort"},"order":{"$arg":"order"}}) ","
    FOUND "," FIELDS("full_name,private,archived,description,language,stargazers_count,pushed_at"))},

#undef QUERY
#undef FOUND

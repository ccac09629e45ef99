/* repos.h: the toolset `repos`: elements of tools[] in github.c. */
/* clang-format off */
#define SHORT_REPO FIELDS("full_name,private,fork,archived,description,default_branch,language,stargazers_count,pushed_at")
#define REPO_SORT J("sort":{"enum":["created","updated","pushed","full_name"]},"direction":{"enum":["asc","desc"]})
#define REF(words) "\"ref\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"" words "\"}"
#define FILE_PATH J("path":{"type":"string","pattern":"^[^/]","maxLength":4096})

{TOOL(GH_REPOS, 1), .name = "repos_get", .hints = READS, .labels = SEES,
 .description = "One repository: default branch, visibility, topics, counts, what the token may do with it.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY),
 .route = ROUTE("\"path\":\"" HERE "\","
    FIELDS("full_name,description,private,visibility,fork,parent/full_name,archived,default_branch,language,topics,license/spdx_id,"
           "homepage,stargazers_count,forks_count,open_issues_count,has_issues,has_discussions,permissions,allow_squash_merge,"
           "allow_merge_commit,allow_rebase_merge,created_at,pushed_at,html_url"))},

{TOOL(GH_REPOS, 2), .name = "repos_list", .hints = READS, .labels = SEES,
 .description = "Repositories that the token's user owns or works on.",
 .input_schema = INPUT("", J("visibility":{"enum":["all","public","private"]},
      "affiliation":{"type":"array","maxItems":3,"items":{"enum":["owner","collaborator","organization_member"]}}) "," REPO_SORT),
 .route = ROUTE(J("path":"/user/repos",
      "query":{"visibility":{"$arg":"visibility"},"affiliation":{"$arg":"affiliation","style":"csv"},"sort":{"$arg":"sort"},
               "direction":{"$arg":"direction"}}) "," LINKED "," SHORT_REPO)},

{TOOL(GH_REPOS, 3), .name = "repos_list_org", .hints = READS, .labels = SEES,
 .description = "Repositories of an organisation.",
 .input_schema = INPUT(J("org"), "\"org\":" NAMED ","
    J("type":{"enum":["all","public","private","forks","sources","member"]}) "," REPO_SORT),
 .route = ROUTE(J("path":"/orgs/{org}/repos",
      "query":{"type":{"$arg":"type"},"sort":{"$arg":"sort"},"direction":{"$arg":"direction"}}) "," LINKED "," SHORT_REPO)},

{TOOL(GH_REPOS, 4), .name = "repos_list_user", .hints = READS, .labels = PUBLIC,
 .description = "Public repositories of a user.",
 .input_schema = INPUT(J("username"), "\"username\":" NAMED ","
    J("type":{"enum":["all","owner","member"]}) "," REPO_SORT),
 .route = ROUTE(J("path":"/users/{username}/repos",
      "query":{"type":{"$arg":"type"},"sort":{"$arg":"sort"},"direction":{"$arg":"direction"}}) "," LINKED "," SHORT_REPO)},

{TOOL(GH_REPOS, 5), .name = "repos_branches", .hints = READS, .labels = SEES,
 .description = "Branches of a repository with the commits they point at.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY "," J("protected":{"type":"boolean"})),
 .route = ROUTE("\"path\":\"" HERE "/branches\"," J("query":{"protected":{"$arg":"protected"}}) "," LINKED ","
    FIELDS("name,commit/sha,protected"))},

{TOOL(GH_REPOS, 6), .name = "repos_tags", .hints = READS, .labels = SEES,
 .description = "Tags of a repository with the commits they point at.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY),
 .route = ROUTE("\"path\":\"" HERE "/tags\"," LINKED "," FIELDS("name,commit/sha"))},

{TOOL(GH_REPOS, 7), .name = "repos_releases", .hints = READS, .labels = SEES,
 .description = "Releases of a repository, newest first.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY),
 .route = ROUTE("\"path\":\"" HERE "/releases\"," J("page":{"kind":"link","size":{"query":"per_page","max":100},"limit":10}) ","
    FIELDS("id,tag_name,name,draft,prerelease,author/login,published_at,body,assets(name,size,browser_download_url)"))},

{TOOL(GH_REPOS, 8), .name = "repos_commits", .hints = READS, .labels = SEES,
 .description = "Commits of a branch, newest first; of one file or folder with path.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY "," REF("Branch, tag or commit to begin at") ","
    J("path":{"type":"string","maxLength":4096},
      "author":{"type":"string","maxLength":256,"description":"Login or e-mail"},
      "since":{"type":"string","format":"date-time"},
      "until":{"type":"string","format":"date-time"})),
 .route = ROUTE("\"path\":\"" HERE "/commits\","
    J("query":{"sha":{"$arg":"ref"},"path":{"$arg":"path"},"author":{"$arg":"author"},"since":{"$arg":"since"},
               "until":{"$arg":"until"}}) "," LINKED ","
    FIELDS("sha,commit(message,author(name,date)),author/login"))},

{TOOL(GH_REPOS, 9), .name = "repos_commit", .hints = READS, .labels = SEES,
 .description = "One commit with its diff.",
 .input_schema = INPUT(J("owner","repo","ref"), REPOSITORY "," REF("Commit, branch or tag")),
 .route = ROUTE("\"path\":\"" HERE "/commits/{ref}\","
    FIELDS("sha,parents/sha,commit(message,author(name,date)),author/login,stats,files(filename,previous_filename,status,additions,"
           "deletions,patch)"))},

{TOOL(GH_REPOS, 10), .name = "repos_compare", .hints = READS, .labels = SEES,
 .description = "What head has that base has not: commits and files.",
 .input_schema = INPUT(J("owner","repo","base","head"), REPOSITORY ",\"base\":" TEXT(256) ","
    J("head":{"type":"string","minLength":1,"maxLength":256,"description":"Of a fork: user:branch"})),
 .route = ROUTE("\"path\":\"" HERE "/compare/{base}...{head}\","
    FIELDS("status,ahead_by,behind_by,total_commits,merge_base_commit/sha,commits(sha,commit/message,author/login),"
           "files(filename,previous_filename,status,additions,deletions)"))},

{TOOL(GH_REPOS, 11), .name = "repos_tree", .hints = READS, .labels = SEES,
 .description = "All files of a branch, tag or commit, or of the tree with this sha.",
 .input_schema = INPUT(J("owner","repo","ref"), REPOSITORY "," REF("Branch, tag, commit, or a tree's sha; HEAD: the default branch") ","
    J("recursive":{"const":true,"description":"With everything below its folders"})),
 .route = ROUTE("\"path\":\"" HERE "/git/trees/{ref}\","
    J("query":{"recursive":{"$arg":"recursive"}},"result":{"items":"/tree","keep":["/sha","/truncated"]}) ","
    FIELDS("path,type,size"))},

{TOOL(GH_REPOS, 12), .name = "repos_get_file", .hints = READS, .labels = SEES,
 .description = "One file, decoded, with the sha that repos_put_file needs; or the names in a folder.",
 .input_schema = INPUT(J("owner","repo","path"), REPOSITORY "," FILE_PATH "," REF("Default: the default branch")),
 .route = ROUTE("\"path\":\"" HERE "/contents/{+path}\","
    J("query":{"ref":{"$arg":"ref"}},"result":{"decode":{"at":"/content"}}) ","
    FIELDS("type,path,sha,size,content,target"))},

{TOOL(GH_REPOS, 13), .name = "repos_put_file", .hints = CHANGES, .labels = TELLS,
 .description = "Create or replace a file, as one commit.",
 .input_schema = INPUT(J("owner","repo","path","content","message"), REPOSITORY "," FILE_PATH ","
    J("content":{"type":"string","maxLength":1048576,"description":"The whole file, plain text"},
      "message":{"type":"string","minLength":1,"maxLength":65536,"description":"Of the commit"},
      "branch":{"type":"string","minLength":1,"maxLength":256,"description":"Default: the default branch"},
      "sha":{"type":"string","pattern":"^[0-9a-f]{40,64}$","description":"Of the file that is replaced"})),
 .route = ROUTE(J("method":"PUT") ",\"path\":\"" HERE "/contents/{+path}\","
    J("body":{"message":{"$arg":"message"},"content":{"$base64":{"$arg":"content"}},"branch":{"$arg":"branch"},"sha":{"$arg":"sha"}},
      "errors":[{"status":409,"code":"invalid_arguments","advice":"The file is not what that sha says: get it again with repos_get_file and put your change into the new text."},
                {"status":422,"body":{"/message":"*sha*"},"code":"invalid_arguments","advice":"The file exists: give the sha that repos_get_file shows to replace it."}],
      "fields":"content(path,sha),commit(sha,html_url)"))},

{TOOL(GH_REPOS, 14), .name = "repos_create_branch", .hints = ADDS, .labels = TELLS,
 .description = "Create a branch at a commit.",
 .input_schema = INPUT(J("owner","repo","branch","sha"), REPOSITORY ",\"branch\":" TEXT(244) ","
    J("sha":{"type":"string","pattern":"^[0-9a-f]{40,64}$","description":"See repos_branches, repos_commits"})),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" HERE "/git/refs\","
    J("body":{"ref":{"$concat":["refs/heads/",{"$arg":"branch"}]},"sha":{"$arg":"sha"}},"fields":"ref,object/sha"))},

#undef FILE_PATH
#undef REF
#undef REPO_SORT
#undef SHORT_REPO

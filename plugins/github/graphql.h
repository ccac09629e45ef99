/* graphql.h: the toolsets `discussions`, `projects` and `graphql`: elements of tools[] in github.c. What REST has not, or not well. */
/* clang-format off */
#define LISTED J("page":{"kind":"graphql","at":"/pageInfo","size":{"max":100}})

{TOOL(GH_DISCUSSIONS, 1), .name = "discussions_list", .hints = READS, .labels = SEES,
 .description = "Discussions of a repository, last updated first.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY ","
    J("states":{"type":"array","maxItems":2,"items":{"enum":["OPEN","CLOSED"]}},"answered":{"type":"boolean"})),
 .route = ROUTE(J("upstream":"graphql") ",\"graphql\":\""
    "query discussions_list($owner:String!,$repo:String!,$states:[DiscussionState!],$answered:Boolean,$first:Int,$after:String){"
    "repository(owner:$owner,name:$repo){discussions(first:$first,after:$after,states:$states,answered:$answered){"
    "totalCount pageInfo{hasNextPage endCursor}"
    "nodes{number title closed isAnswered category{name} author{login} comments{totalCount} upvoteCount updatedAt}}}}\","
    J("variables":{"owner":{"$arg":"owner"},"repo":{"$arg":"repo"},"states":{"$arg":"states"},"answered":{"$arg":"answered"}},
      "result":{"at":"/data/repository/discussions","items":"/nodes","keep":["/totalCount"]}) "," LISTED)},

{TOOL(GH_DISCUSSIONS, 2), .name = "discussions_get", .hints = READS, .labels = SEES,
 .description = "One discussion: its text, and its comments with their replies.",
 .input_schema = INPUT(J("owner","repo","number"), REPOSITORY "," NUMBER),
 .route = ROUTE(J("upstream":"graphql") ",\"graphql\":\""
    "query discussions_get($owner:String!,$repo:String!,$number:Int!,$first:Int,$after:String){"
    "repository(owner:$owner,name:$repo){discussion(number:$number){"
    "number title body closed isAnswered category{name} author{login} createdAt url "
    "comments(first:$first,after:$after){totalCount pageInfo{hasNextPage endCursor}"
    "nodes{author{login} body isAnswer createdAt replies(first:20){totalCount nodes{author{login} body createdAt}}}}}}}\","
    J("variables":{"owner":{"$arg":"owner"},"repo":{"$arg":"repo"},"number":{"$arg":"number"}},
      "result":{"at":"/data/repository/discussion","items":"/comments/nodes",
                "keep":["/title","/body","/closed","/isAnswered","/category","/author","/createdAt","/url","/comments/totalCount"]},
      "page":{"kind":"graphql","at":"/comments/pageInfo","size":{"max":100}}))},

{TOOL(GH_PROJECTS, 1), .name = "projects_list", .hints = READS, .labels = SEES,
 .description = "Projects of a user or organisation.",
 .input_schema = INPUT(J("owner"), OWNER "," J("query":{"type":"string","maxLength":256,"description":"Words, is:open, is:closed"})),
 .route = ROUTE(J("upstream":"graphql") ",\"graphql\":\""
    "query projects_list($owner:String!,$query:String,$first:Int,$after:String){"
    "repositoryOwner(login:$owner){...on ProjectV2Owner{projectsV2(first:$first,after:$after,query:$query){"
    "totalCount pageInfo{hasNextPage endCursor}nodes{number title shortDescription closed public updatedAt url}}}}}\","
    J("variables":{"owner":{"$arg":"owner"},"query":{"$arg":"query"}},
      "result":{"at":"/data/repositoryOwner/projectsV2","items":"/nodes","keep":["/totalCount"]}) "," LISTED)},

{TOOL(GH_PROJECTS, 2), .name = "projects_items", .hints = READS, .labels = SEES,
 .description = "Items of a project with their fields (Status, Iteration, …).",
 .input_schema = INPUT(J("owner","number"), OWNER "," NUMBER),
 .route = ROUTE(J("upstream":"graphql") ",\"graphql\":\""
    "query projects_items($owner:String!,$number:Int!,$first:Int,$after:String){"
    "repositoryOwner(login:$owner){...on ProjectV2Owner{projectV2(number:$number){title items(first:$first,after:$after){"
    "totalCount pageInfo{hasNextPage endCursor}nodes{id type isArchived content{"
    "...on Issue{number title issueState:state repository{nameWithOwner}}"
    "...on PullRequest{number title pullState:state repository{nameWithOwner}}...on DraftIssue{title}}"
    "fieldValues(first:20){nodes{"
    "...on ProjectV2ItemFieldSingleSelectValue{name field{...on ProjectV2FieldCommon{name}}}"
    "...on ProjectV2ItemFieldTextValue{text field{...on ProjectV2FieldCommon{name}}}"
    "...on ProjectV2ItemFieldNumberValue{number field{...on ProjectV2FieldCommon{name}}}"
    "...on ProjectV2ItemFieldDateValue{date field{...on ProjectV2FieldCommon{name}}}"
    "...on ProjectV2ItemFieldIterationValue{title field{...on ProjectV2FieldCommon{name}}}"
    "}}}}}}}}\","
    J("variables":{"owner":{"$arg":"owner"},"number":{"$arg":"number"}},
      "result":{"at":"/data/repositoryOwner/projectV2","items":"/items/nodes","keep":["/title","/items/totalCount"]},
      "page":{"kind":"graphql","at":"/items/pageInfo","size":{"max":100}}))},

/* A GraphQL mutation cannot be written without the word itself: names have no escapes, and the schema looks at the decoded
 * text. So what has no "mutation" in it, however else it is written, only reads. */
{TOOL(GH_GRAPHQL, 1), .name = "graphql_query", .hints = READS, .labels = SEES,
 .description = "Run a GraphQL query that only reads, where no other tool fits. Put values into variables.",
 .input_schema = INPUT(J("query"),
    J("query":{"type":"string","minLength":1,"maxLength":20000,"not":{"type":"string","pattern":"mutation"},
               "description":"One operation. The word mutation may not occur, not even in a string"},
      "variables":{"type":"object","maxProperties":64})),
 .route = ROUTE(J("upstream":"graphql","method":"POST","path":"","safe":true,
      "body":{"query":{"$arg":"query"},"variables":{"$arg":"variables"}},
      "errors":[{"body":{"/data":null,"/errors/0/message":"*"},"code":"invalid_arguments","message":"/errors/0/message",
                 "advice":"Correct the query as GitHub says."}]))},

#undef LISTED

/* actions.h: the toolset `actions`: elements of tools[] in github.c. */
/* clang-format off */

{TOOL(GH_ACTIONS, 1), .name = "actions_workflows", .hints = READS, .labels = SEES,
 .description = "Workflows of a repository.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY),
 .route = ROUTE("\"path\":\"" HERE "/actions/workflows\","
    J("result":{"items":"/workflows","keep":["/total_count"]}) "," LINKED "," FIELDS("id,name,path,state"))},

{TOOL(GH_ACTIONS, 2), .name = "actions_runs", .hints = READS, .labels = SEES,
 .description = "Workflow runs of a repository, newest first.",
 .input_schema = INPUT(J("owner","repo"), REPOSITORY ","
    J("status":{"enum":["completed","action_required","cancelled","failure","neutral","skipped","stale","success","timed_out",
                        "in_progress","queued","requested","waiting","pending"]},
      "branch":{"type":"string","maxLength":256},
      "event":{"type":"string","maxLength":64,"description":"push, pull_request, workflow_dispatch, …"},
      "actor":{"type":"string","maxLength":100},
      "head_sha":{"type":"string","pattern":"^[0-9a-f]{40,64}$"})),
 .route = ROUTE("\"path\":\"" HERE "/actions/runs\","
    J("query":{"status":{"$arg":"status"},"branch":{"$arg":"branch"},"event":{"$arg":"event"},"actor":{"$arg":"actor"},
               "head_sha":{"$arg":"head_sha"}},
      "result":{"items":"/workflow_runs","keep":["/total_count"]}) "," LINKED ","
    FIELDS("id,name,display_title,event,status,conclusion,head_branch,head_sha,run_number,run_attempt,created_at"))},

{TOOL(GH_ACTIONS, 3), .name = "actions_jobs", .hints = READS, .labels = SEES,
 .description = "Jobs of a workflow run with their steps: which one failed.",
 .input_schema = INPUT(J("owner","repo","run_id"), REPOSITORY ","
    J("run_id":{"type":"integer","minimum":1},
      "filter":{"enum":["latest","all"],"description":"all: of every attempt"})),
 .route = ROUTE("\"path\":\"" HERE "/actions/runs/{run_id}/jobs\","
    J("query":{"filter":{"$arg":"filter"}},"result":{"items":"/jobs","keep":["/total_count"]}) "," LINKED ","
    FIELDS("id,name,status,conclusion,started_at,completed_at,steps(number,name,conclusion)"))},

{TOOL(GH_ACTIONS, 4), .name = "actions_logs", .hints = READS, .labels = SEES,
 .description = "The log of one job, as text; the end of a long one.",
 .input_schema = INPUT(J("owner","repo","job_id"), REPOSITORY "," J("job_id":{"type":"integer","minimum":1})),
 .route = ROUTE("\"path\":\"" HERE "/actions/jobs/{job_id}/logs\","
    J("redirects":"allowed","result":{"kind":"text","tail":true},
      "errors":[{"status":[404,410],"code":"not_found","advice":"No log: the job may still run, or its log has expired; actions_jobs shows its status."}]))},

{TOOL(GH_ACTIONS, 5), .name = "actions_dispatch", .hints = CHANGES, .labels = TELLS,
 .description = "Start a workflow that has a workflow_dispatch trigger. Its run appears in actions_runs.",
 .input_schema = INPUT(J("owner","repo","workflow","ref"), REPOSITORY ","
    J("workflow":{"type":"string","pattern":"^[A-Za-z0-9_.-]{1,200}$","description":"File name (build.yml) or id"},
      "ref":{"type":"string","minLength":1,"maxLength":256,"description":"Branch or tag"},
      "inputs":{"type":"object","maxProperties":25,"additionalProperties":{"type":["string","number","boolean"]}})),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" HERE "/actions/workflows/{workflow}/dispatches\","
    J("body":{"ref":{"$arg":"ref"},"inputs":{"$arg":"inputs"}},"result":{"kind":"none"}))},

{TOOL(GH_ACTIONS, 6), .name = "actions_rerun", .hints = CHANGES,
 .description = "Run a workflow run again, all of its jobs.",
 .input_schema = INPUT(J("owner","repo","run_id"), REPOSITORY ","
    J("run_id":{"type":"integer","minimum":1},"enable_debug_logging":{"type":"boolean"})),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" HERE "/actions/runs/{run_id}/rerun\","
    J("body":{"enable_debug_logging":{"$arg":"enable_debug_logging"}},"result":{"kind":"none"}))},

{TOOL(GH_ACTIONS, 7), .name = "actions_rerun_failed", .hints = CHANGES,
 .description = "Run the failed jobs of a workflow run again, and what depends on them.",
 .input_schema = INPUT(J("owner","repo","run_id"), REPOSITORY ","
    J("run_id":{"type":"integer","minimum":1},"enable_debug_logging":{"type":"boolean"})),
 .route = ROUTE(J("method":"POST") ",\"path\":\"" HERE "/actions/runs/{run_id}/rerun-failed-jobs\","
    J("body":{"enable_debug_logging":{"$arg":"enable_debug_logging"}},"result":{"kind":"none"}))},

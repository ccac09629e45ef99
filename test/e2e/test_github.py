"""plugins/github against GitHub as GitHub describes itself: every tool, with what it must have and with all that it can take,
sends a request in which nothing is wrong."""

import json
import re

import pytest

from conftest import run_plexusd
from github_support import SETS, SHA, TOKEN, github, github_config, graphql_port  # noqa: F401

REPO = "/repos/{owner}/{repo}"
PULL, ISSUE, ACTIONS = f"{REPO}/pulls/{{pull_number}}", f"{REPO}/issues/{{issue_number}}", f"{REPO}/actions"
# What each tool is, in GitHub's words.
OPERATIONS = {
    "repos_get": f"GET {REPO}",
    "repos_list": "GET /user/repos",
    "repos_list_org": "GET /orgs/{org}/repos",
    "repos_list_user": "GET /users/{username}/repos",
    "repos_branches": f"GET {REPO}/branches",
    "repos_tags": f"GET {REPO}/tags",
    "repos_releases": f"GET {REPO}/releases",
    "repos_commits": f"GET {REPO}/commits",
    "repos_commit": f"GET {REPO}/commits/{{ref}}",
    "repos_compare": f"GET {REPO}/compare/{{basehead}}",
    "repos_tree": f"GET {REPO}/git/trees/{{tree_sha}}",
    "repos_get_file": f"GET {REPO}/contents/{{path}}",
    "repos_put_file": f"PUT {REPO}/contents/{{path}}",
    "repos_create_branch": f"POST {REPO}/git/refs",
    "issues_list": f"GET {REPO}/issues",
    "issues_get": f"GET {ISSUE}",
    "issues_comments": f"GET {ISSUE}/comments",
    "issues_create": f"POST {REPO}/issues",
    "issues_update": f"PATCH {ISSUE}",
    "issues_comment": f"POST {ISSUE}/comments",
    "issues_label": f"POST {ISSUE}/labels",
    "issues_assign": f"POST {ISSUE}/assignees",
    "issues_close": f"PATCH {ISSUE}",
    "pulls_list": f"GET {REPO}/pulls",
    "pulls_get": f"GET {PULL}",
    "pulls_diff": f"GET {PULL}",
    "pulls_files": f"GET {PULL}/files",
    "pulls_commits": f"GET {PULL}/commits",
    "pulls_reviews": f"GET {PULL}/reviews",
    "pulls_comments": f"GET {PULL}/comments",
    "pulls_checks": f"GET {REPO}/commits/{{ref}}/check-runs",
    "pulls_create": f"POST {REPO}/pulls",
    "pulls_update": f"PATCH {PULL}",
    "pulls_merge": f"PUT {PULL}/merge",
    "pulls_review": f"POST {PULL}/reviews",
    "pulls_comment": f"POST {PULL}/comments",
    "pulls_reply": f"POST {PULL}/comments/{{comment_id}}/replies",
    "pulls_request_reviewers": f"POST {PULL}/requested_reviewers",
    "search_issues": "GET /search/issues",
    "search_code": "GET /search/code",
    "search_repos": "GET /search/repositories",
    "users_me": "GET /user",
    "users_get": "GET /users/{username}",
    "actions_workflows": f"GET {ACTIONS}/workflows",
    "actions_runs": f"GET {ACTIONS}/runs",
    "actions_jobs": f"GET {ACTIONS}/runs/{{run_id}}/jobs",
    "actions_logs": f"GET {ACTIONS}/jobs/{{job_id}}/logs",
    "actions_dispatch": f"POST {ACTIONS}/workflows/{{workflow_id}}/dispatches",
    "actions_rerun": f"POST {ACTIONS}/runs/{{run_id}}/rerun",
    "actions_rerun_failed": f"POST {ACTIONS}/runs/{{run_id}}/rerun-failed-jobs",
    "discussions_list": "POST /graphql",
    "discussions_get": "POST /graphql",
    "projects_list": "POST /graphql",
    "projects_items": "POST /graphql",
    "graphql_query": "POST /graphql",
}
# What the host adds to every route.
OWN = {"fields", "limit", "cursor", "dry_run"}
# What a pattern, or GitHub, wants of a string.
SAMPLES = {"path": "src/a b/ünï.c", "query": "{viewer{login}}", "milestone": "1", "branch": "feature/x y", "ref": "feature/x",
           "head": "feature/x", "base": "main"}


def sample(name, schema):
    """A value that fits a schema."""
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][-1]
    if kind == "integer":
        return max(1, schema.get("minimum", 1))
    if kind == "boolean":
        return True
    if kind == "array":
        return [sample(name, schema["items"])]
    if kind == "object":
        return {key: sample(key, value) for key, value in schema.get("properties", {}).items()} or {"some": "thing"}
    if schema.get("format") == "date-time":
        return "2026-01-02T03:04:05Z"
    if "[0-9a-f]" in schema.get("pattern", ""):
        return SHA
    text = SAMPLES.get(name, "octocat")
    assert re.search(schema.get("pattern", ""), text), (name, schema)
    return text


def arguments(tool, every):
    schema = tool["inputSchema"]
    names = [n for n in schema["properties"] if n not in OWN] if every else schema.get("required", [])
    made = {name: sample(name, schema["properties"][name]) for name in names}
    if tool["name"] == "github_graphql_query" and every:
        made |= {"query": "query($login:String!){user(login:$login){name}}", "variables": {"login": "octocat"}}
    return made


@pytest.fixture
def planner(plexusd, folder, github):  # noqa: F811
    github.take()
    host = plexusd(github_config(folder, github.origin, log_origins=[github.logs.origin])).start()
    with host.planner() as planner:
        planner.listed = {tool["name"]: tool for tool in listed(planner)}
        yield planner


def listed(planner):
    tools, cursor = [], None
    while True:
        page = planner.request("tools/list", {"cursor": cursor} if cursor else {})
        tools += page["tools"]
        cursor = page.get("nextCursor")
        if not cursor:
            return tools


def operation(request):
    return f"{request.method} {request.steady.get('matched-path', request.path)}"


def test_all_are_offered(planner):
    assert sorted(planner.listed) == sorted(f"github_{name}" for name in OPERATIONS)


@pytest.mark.parametrize("every", [False, True], ids=["required", "all"])
def test_requests_are_what_github_says(planner, github, every):  # noqa: F811
    wrong = []
    for name, expected in OPERATIONS.items():
        tool = planner.listed[f"github_{name}"]
        args = arguments(tool, every)
        github.take()
        result = planner.call(f"github_{name}", args)
        requests = github.take()
        if len(requests) != 1 and not (expected == "POST /graphql" and requests):
            wrong.append((name, args, requests, result))
            continue
        request = requests[0]
        complaints = {key: value for key, value in request.steady.items() if key.startswith("error-")}
        complaints.pop("error-count", None) if request.steady.get("error-count") == "0" else None
        if operation(request) != expected or complaints or result.get("isError"):
            wrong.append((name, args, request, complaints, result))
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers.get("user-agent"), "GitHub refuses requests without one"
        if expected != "POST /graphql":
            assert request.headers["x-github-api-version"] == "2022-11-28"
            assert request.headers["accept"].startswith("application/vnd.github")
        assert TOKEN not in str(result)
    assert not wrong, "\n".join(map(str, wrong))


def test_dry_runs_name_the_request(planner, github):  # noqa: F811
    """As `plexus call --dry-run` asks for one: of every tool, also of those that read."""
    for name, expected in OPERATIONS.items():
        args = arguments(planner.listed[f"github_{name}"], True)
        shown = planner.data_of(f"github_{name}", args, meta={"plexus/dry_run": True})["request"]
        method, path = expected.split(" ")
        pattern = re.sub(r"\\{path\\}", ".+", re.escape(path))
        pattern = re.sub(r"\\{[a-z_]+\\}", "[^/?]+", pattern)
        assert shown["method"] == method, name
        assert re.fullmatch(re.escape(github.origin) + pattern + r"(\?.*)?", shown["url"]), (name, shown)
        assert shown["headers"]["Authorization"] == "***"
    assert not github.take()


def test_dry_runs_send_nothing(planner, github):  # noqa: F811
    for name, expected in OPERATIONS.items():
        tool = planner.listed[f"github_{name}"]
        if tool["annotations"]["readOnlyHint"]:
            assert "dry_run" not in tool["inputSchema"]["properties"], name
            continue
        args = arguments(tool, True)
        github.take()
        shown = planner.data_of(f"github_{name}", {**args, "dry_run": True})
        assert not github.take(), name
        assert shown["dry_run"] is True
        planner.data_of(f"github_{name}", args)
        [sent] = github.take()
        request = shown["request"]
        assert (request["method"], request["url"]) == (sent.method, github.origin + sent.target), name
        assert request.get("body") == (sent.json if sent.text else None), name
        assert TOKEN not in str(shown)


def test_hints_and_labels(planner):
    for name, expected in OPERATIONS.items():
        tool = planner.listed[f"github_{name}"]
        hints = tool["annotations"]
        reads = expected.startswith("GET") or expected == "POST /graphql"
        assert hints["readOnlyHint"] is reads, name
        assert hints["openWorldHint"] is True, name
        assert set(hints) >= {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}, name
        assert not (reads and hints["destructiveHint"]), name


def test_bodies(planner, github):  # noqa: F811
    """What is not passed on as it came."""
    planner.data_of("github_repos_put_file", {"owner": "o", "repo": "r", "path": "a b/ü.txt", "content": "caf\u00e9 \"x\"\n", "message": "m"})
    [sent] = github.take()
    assert sent.path == "/repos/o/r/contents/a%20b/%C3%BC.txt"
    assert sent.json == {"message": "m", "content": "Y2Fmw6kgIngiCg=="}
    planner.data_of("github_repos_create_branch", {"owner": "o", "repo": "r", "branch": "fix/one", "sha": SHA})
    assert github.take()[0].json == {"ref": "refs/heads/fix/one", "sha": SHA}
    planner.data_of("github_issues_close", {"owner": "o", "repo": "r", "number": 1})
    assert github.take()[0].json == {"state": "closed", "state_reason": "completed"}
    planner.data_of("github_issues_list", {"owner": "o", "repo": "r", "labels": ["bug", "a b"]})
    assert github.take()[0].query["labels"] == "bug,a b"
    planner.data_of("github_issues_update", {"owner": "o", "repo": "r", "number": 1, "milestone": None})
    assert github.take()[0].json == {"milestone": None}


def test_arguments_that_are_no_arguments(planner, github):  # noqa: F811
    """Nothing leaves for what cannot be right."""
    repo = {"owner": "o", "repo": "r"}
    for tool, args in [
        ("pulls_get", {**repo, "number": 0}),
        ("pulls_get", {**repo, "number": "1"}),
        ("pulls_get", {"owner": "o/p", "repo": "r", "number": 1}),
        ("pulls_get", {"owner": "o", "repo": "..", "number": 1}),
        ("pulls_list", {**repo, "state": "merged"}),
        ("repos_get_file", {**repo, "path": "/etc/passwd"}),
        ("repos_get_file", {**repo, "path": "a/../../../user"}),
        ("pulls_merge", {**repo, "number": 1, "sha": "main"}),
        ("users_get", {"username": "a?b"}),
        ("pulls_list", {**repo, "unknown": 1}),
        ("graphql_query", {"query": "mutation{addStar(input:{starrableId:\"x\"}){clientMutationId}}"}),
        ("graphql_query", {"query": "query{viewer{login}} mutation m{x}"}),
        ("graphql_query", {"query": "#\nmutation\n{x}"}),
    ]:
        assert planner.error_of(f"github_{tool}", args)["code"] == "invalid_arguments", (tool, args)
    assert not github.take()


def test_logs_come_from_another_host_without_the_token(planner, github):  # noqa: F811
    github.logs.take()
    result = planner.call("github_actions_logs", {"owner": "o", "repo": "r", "job_id": 7})
    assert result["content"] == [{"type": "text", "text": "2026-01-02 the log\n"}], result
    [request] = github.logs.take()
    assert request.target == "/log?sig=secret"
    assert "authorization" not in request.headers and TOKEN not in str(request.headers)


def test_a_host_that_is_not_configured_is_not_asked(plexusd, folder, github):  # noqa: F811
    github.take()
    github.logs.take()
    with plexusd(github_config(folder, github.origin)).start().planner() as planner:
        error = planner.error_of("github_actions_logs", {"owner": "o", "repo": "r", "job_id": 7})
        assert error["code"] in ("forbidden", "upstream_error", "unavailable"), error
        assert not github.logs.take()


def test_graphql_pages(planner, github):  # noqa: F811
    repo = {"owner": "o", "repo": "r"}
    got = planner.data_of("github_discussions_list", {**repo, "limit": 110})
    assert [item["number"] for item in got["items"]] == list(range(1, 111)), got
    assert got["totalCount"] == 120 and got["next_cursor"]
    assert [request.json["variables"].get("first") for request in github.take()] == [100, 10]
    rest = planner.data_of("github_discussions_list", {**repo, "limit": 110, "cursor": got["next_cursor"]})
    assert [item["number"] for item in rest["items"]] == list(range(111, 121))
    assert "next_cursor" not in rest
    one = planner.data_of("github_discussions_get", {**repo, "number": 3, "limit": 2})
    assert len(one["items"]) == 2 and one["title"] == "title" and one["author"] == {"login": "login"}, one
    assert planner.error_of("github_discussions_get", {**repo, "number": 404})["code"] == "not_found"
    items = planner.data_of("github_projects_items", {"owner": "o", "number": 1, "limit": 1})
    assert items["title"] == "title" and items["items"][0]["content"]["number"] == 1, items


def test_a_graphql_query_of_ones_own(planner):
    got = planner.data_of("github_graphql_query", {"query": "{viewer{login}}"})
    assert got["data"] == {"viewer": {"login": "login"}}, got
    error = planner.error_of("github_graphql_query", {"query": "{viewer{logim}}"})
    assert error["code"] == "invalid_arguments" and "logim" in error["message"], error


def test_configuration_chooses(plexusd, folder, github):  # noqa: F811
    def tools(**config):
        host.write(github_config(folder, github.origin, **config))
        host.reload()
        with host.planner() as planner:
            return {tool["name"].removeprefix("github_"): tool for tool in listed(planner)}

    host = plexusd(github_config(folder, github.origin)).start()
    default = tools(toolsets=None)
    assert {name.split("_")[0] for name in default} == {"repos", "issues", "pulls", "search", "users"}
    for one in SETS:
        assert {name.split("_")[0] for name in tools(toolsets=[one])} == {one}
    reading = tools(read_only=True)
    assert set(reading) == {name for name, tool in tools().items() if tool["annotations"]["readOnlyHint"]}
    assert "pulls_list" in reading and "pulls_merge" not in reading


def test_configuration_is_checked(folder):
    def check(**config):
        config = github_config(folder, "https://ghe.example/api/v3", **config)
        (folder / "plexus.json").write_text(json.dumps(config))
        done = run_plexusd("--check", "plexus.json", cwd=folder)
        return done.returncode, done.stdout + done.stderr

    assert check()[0] == 0
    for wrong, word in [({"base_url": "https://ghe.example/api/v3/"}, "base_url"), ({"base_url": "ghe.example"}, "base_url"),
                        ({"toolsets": ["gists"]}, "toolsets"), ({"toolsets": []}, "toolsets"), ({"tokn": "x"}, "tokn")]:
        status, said = check(**wrong)
        assert status and word in said, (wrong, said)

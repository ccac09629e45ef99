"""tools and describe."""
from cli_support import cli, host  # noqa: F401


def test_lists_every_page_as_json(cli, host):
    names = [tool["name"] for tool in cli.json("tools")["tools"]]
    assert names == [tool["name"] for tool in host.tools]
    assert len(host.received("tools/list")) == 4  # 16 tools, 5 a page


def test_query_wants_every_word(cli, host):
    assert [tool["name"] for tool in cli.json("tools", "ADDS", "integers")["tools"]] == ["demo_add"]
    assert cli.json("tools", "adds", "nonsense")["tools"] == []


def test_table_on_a_terminal_fits(cli, host):
    code, output = cli.terminal("tools", columns=60).finish()
    assert code == 0
    lines = output.replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[32m", "").replace("\x1b[31m", "").split("\n")
    assert lines[0].split() == ["TOOL", "EFFECT", "WHAT", "IT", "DOES"]
    assert all(len(line) <= 60 for line in lines), lines
    assert any(line.startswith("demo_write") and "destructive" in line and line.endswith("…") for line in lines), lines


def test_no_colour_when_asked(cli, host):
    from cli_support import environment
    code, output = cli.terminal("tools", env=environment(TERM="xterm", NO_COLOR="1")).finish()
    assert code == 0 and "\x1b[" not in output
    code, output = cli.terminal("tools").finish()
    assert "\x1b[" in output


def test_text_when_asked_in_a_pipe(cli, host):
    assert cli.ok("tools", "--text").startswith("TOOL")


def test_empty_list_says_so(cli, host):
    host.tools = []
    done = cli.run("tools", "--text")
    assert done.returncode == 0 and done.stdout == "" and "no service is ready" in done.stderr


def test_describe(cli, host):
    text = cli.ok("describe", "demo_echo", "--text")
    assert "demo_echo  Echo" in text and "read-only" in text and "allowed: read-only" in text
    assert "plexus call demo_echo text=…" in text
    assert cli.json("describe", "demo_echo")["service"] == "demo"
    assert "refused: not in the policy" in cli.ok("describe", "demo_refused", "--text")


def test_describe_unknown(cli, host):
    done = cli.run("describe", "demo_ech")
    assert done.returncode == 1 and "not_found: there is no tool demo_ech" in done.stderr
    assert "did you mean demo_echo?" in done.stderr


def test_modern_requests_carry_meta(cli, host):
    cli.json("tools")
    meta = host.received("tools/list")[0]["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {"elicitation": {"form": {}, "url": {}}}
    assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "plexus"


def test_a_list_without_end_is_given_up(cli, host):
    host.scripts["tools/list"] = lambda c, i, p: c.result(i, {"tools": [], "nextCursor": "again"}, True)
    done = cli.run("tools")
    assert done.returncode == 1 and "does not end" in done.stderr

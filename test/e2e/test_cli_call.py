"""call: arguments, results, refusals, cancelling."""
import json

from cli_support import cli, environment, host  # noqa: F401


def arguments(cli, *args, **more):
    return cli.json("call", "demo_echo", *args, **more)["structuredContent"]["arguments"]


def test_text_stays_text(cli, host):
    assert arguments(cli, "text=42", "sql=select 1 where a=2", "empty=") == {
        "text": "42", "sql": "select 1 where a=2", "empty": ""}


def test_json_stays_as_it_stands(cli, host):
    assert arguments(cli, "text=x", "n:=5000000000000001", 'list:=[1,"a"]', "t:=true", "z:=null") == {
        "text": "x", "n": 5000000000000001, "list": [1, "a"], "t": True, "z": None}


def test_args_object_from_the_line_a_file_and_stdin(cli, host, tmp_path):
    assert arguments(cli, "--args", '{"text":"a"}', "n:=1") == {"text": "a", "n": 1}
    (tmp_path / "args.json").write_text('{\r\n  "text":\n    "file"\n}\n')
    assert arguments(cli, "--args", "@args.json") == {"text": "file"}
    assert arguments(cli, "--args", "-", stdin='{"text":"stdin"}') == {"text": "stdin"}
    assert arguments(cli, "--args", "-", "n:=[\n1\r\n]", stdin='{\n  "text":\r\n"a\\nb"\n}\n') == {"text": "a\nb", "n": [1]}


def test_an_error_without_an_id_ends_the_wait(cli, host):
    host.scripts["tools/call"] = lambda c, i, p: c.send({"error": {"code": -32700, "message": "cannot read that"}})
    done = cli.run("call", "demo_add")
    assert done.returncode == 1 and "cannot read that" in done.stderr


def usage(cli, *args):
    done = cli.run("call", "demo_echo", *args)
    assert done.returncode == 2, done
    return done.stderr


def test_what_is_wrong_on_the_line(cli, host):
    assert "write name=text, or name:=json" in usage(cli, "nonsense")
    assert "n:= wants JSON" in usage(cli, "n:=ten") and "write n=…" in usage(cli, "n:=ten")
    assert "comes twice" in usage(cli, "a=1", "a:=1")
    assert "comes twice" in usage(cli, "--args", '{"a":1}', "a=1")
    assert "not array" in usage(cli, "--args", "[]")
    assert "cannot read nowhere" in usage(cli, "--args", "@nowhere")
    assert "--timeout soon is no time" in usage(cli, "--timeout", "soon")
    assert "--max-bytes 0" in usage(cli, "--max-bytes", "0")
    assert "has no name" in usage(cli, "=x")
    assert not [m for _, m in host.seen if m.get("method") == "tools/call"]


def test_options_travel_in_meta(cli, host):
    cli.json("call", "demo_echo", "text=x", "--timeout", "1.5", "--max-bytes", "1000", "--idempotency-key", "k1")
    meta = host.received("tools/call")[0]["params"]["_meta"]
    assert (meta["plexus/timeout_ms"], meta["plexus/max_bytes"], meta["plexus/idempotency_key"]) == (1500, 1000, "k1")
    assert "progressToken" not in meta  # stderr is no terminal


def test_text_for_a_number_is_explained(cli, host):
    done = cli.run("call", "demo_add", "a=1", "b:=2")
    assert done.returncode == 5
    assert "invalid_arguments: /a: expected an integer" in done.stderr
    assert "a is not text but integer: use :=, as in a:=1" in done.stderr
    assert "b is not" not in done.stderr
    assert "content" in json.loads(done.stdout)


def test_unknown_tool_names_the_nearest(cli, host):
    done = cli.run("call", "demo_ad", "a:=1")
    assert done.returncode == 1
    assert "there is no tool demo_ad" in done.stderr and "did you mean demo_add?" in done.stderr
    assert "did you mean demo_add?" in cli.run("call", "add").stderr  # the service's name is missing


def test_exit_codes(cli, host):
    done = cli.run("call", "demo_fail", "code=rate_limited")
    assert done.returncode == 5
    assert "rate_limited: the upstream said no" in done.stderr
    assert "Wait a little. Try again in 1.5 s." in done.stderr
    done = cli.run("call", "demo_refused")
    assert done.returncode == 3 and "Ask an administrator." in done.stderr
    done = cli.run("call", "demo_words", "--text")
    assert done.returncode == 5 and "it is not there" in done.stderr and done.stdout == ""


def test_tables_and_text_on_a_terminal(cli, host):
    code, output = cli.terminal("call", "demo_query", "sql=x", columns=60).finish()
    lines = output.split("\n")
    assert code == 0
    assert "id" in lines[0] and "name" in lines[0]
    assert "5000000000000001" in lines[1] and "Ada" in lines[1]
    assert "null" in lines[2]
    assert lines[3].rstrip().endswith("…")
    code, output = cli.terminal("call", "demo_list").finish()
    lines = [line.split() for line in output.replace("\x1b[1m", "").replace("\x1b[0m", "").strip().split("\n")]
    assert lines == [["name", "size", "ok"], ["one", "1"], ["two", "true"]]
    code, output = cli.terminal("call", "demo_add", "a:=1", "b:=2").finish()
    assert (code, output.split("\x1b[K")[-1]) == (0, "3\n")


def test_other_peoples_text_cannot_drive_the_terminal(cli, host):
    code, output = cli.terminal("call", "demo_text").finish()
    assert code == 0
    assert "\x1b[31m" not in output and "\u202e" not in output
    assert "plain \\u001b[31mred\\u001b[0m \\u202edecoy\nsecond line\n" in output


def test_json_is_the_whole_result_on_one_line(cli, host):
    output = cli.ok("call", "demo_query", "sql=x")
    assert output.count("\n") == 1
    result = json.loads(output)
    assert result["resultType"] == "complete" and result["_meta"]["plexus/call_id"] == "01CALL"
    assert "5000000000000001" in output


def test_pictures_are_named(cli, host):
    output = cli.ok("call", "demo_image", "--text")
    assert "[image image/png, 3 B; --json gives it]" in output and "demo://r  R" in output


def test_cut_results_say_so(cli, host):
    done = cli.run("call", "demo_cut", "--text")
    assert done.returncode == 0 and done.stdout == "part\n"
    assert "3 items kept, 7 dropped" in done.stderr and "Ask for fewer columns." in done.stderr


def test_a_question_is_shown_with_its_answer(cli, host):
    done = cli.run("call", "demo_ask", "a=it's", "--text")
    assert done.returncode == 1
    assert "confirm: Really do it?" in done.stderr and "sure (boolean) Are you sure" in done.stderr
    assert "open https://example.test/login" in done.stderr
    command = done.stderr.strip().split("\n")[-1].strip()
    assert command.startswith("plexus call demo_ask 'a=it'\\''s' --input '{\"confirm\":")
    assert command.endswith("--state 'state with '\\''quotes'\\'''")
    answered = cli.json("call", "demo_ask", "--input", '{"confirm":{"action":"accept"}}', "--state", "state")
    assert json.loads(answered["content"][0]["text"]) == {"answers": {"confirm": {"action": "accept"}}, "state": "state"}


def test_progress_that_was_asked_for(cli, host):
    done = cli.run("call", "demo_slow", "steps:=2", "--progress")
    assert done.returncode == 0 and done.stderr == "1/200 working\n2/200 working\n"

    def waits(connection, ident, params):
        token = params["_meta"]["progressToken"]
        for progress in ({"progress": 0, "message": "rate limit: 3.2 s"}, {"progress": 0.000001, "message": "a\x1b place"},
                         {"progress": 7.000001, "message": "retry: 1 s"}, {"progress": 9}):
            connection.notify("notifications/progress", {"progressToken": token, **progress})
        connection.result(ident, {"content": []}, True)
    host.scripts["tools/call"] = waits
    done = cli.run("call", "demo_slow", "--progress")
    assert done.stderr == "rate limit: 3.2 s\na\\u001b place\n7 retry: 1 s\n9 \n"


def test_progress_only_on_a_terminal(cli, host):
    terminal = cli.terminal("call", "demo_slow", "steps:=3")
    terminal.until("1/200 working")
    code, output = terminal.finish()
    assert code == 0 and output.endswith("\r\x1b[Kdone\n")


def test_interrupt_cancels_the_call(cli, host):
    terminal = cli.terminal("call", "demo_slow")
    terminal.until("/200 working")
    terminal.kill()
    code, output = terminal.finish()
    assert code == 1 and "cancelled" in output
    request = host.received("tools/call")[0]["id"]
    assert host.received("notifications/cancelled")[0]["params"]["requestId"] == request


def test_noise_is_no_answer(cli, host):
    done = cli.run("call", "demo_noise")
    assert done.returncode == 1 and "does not speak JSON-RPC" in done.stderr


def test_a_host_that_dies(cli, host):
    host.scripts["tools/call"] = lambda c, i, p: host.stop()
    done = cli.run("call", "demo_add")
    assert done.returncode == 4 and "closed the connection before it answered" in done.stderr
    assert "plexus effects" in done.stderr and "try again" not in done.stderr


def test_the_deadline_is_kept_even_if_the_host_forgets_it(cli, host):
    done = cli.run("call", "demo_never", "--timeout", "1ms")
    assert done.returncode == 4 and "does not answer in time" in done.stderr


REQUEST = {"method": "POST", "url": "https://api.example.com/items", "headers": {"authorization": "***", "x-\u001b": "y"}, "body": {"name": "x"}}


def test_a_dry_run_travels_and_is_shown(cli, host):
    result = {"resultType": "complete", "content": [], "structuredContent": {"dry_run": True, "request": REQUEST}}
    host.scripts["tools/call"] = lambda c, i, p: c.result(i, result, True)
    assert cli.json("call", "demo_echo", "text=x", "--dry-run")["structuredContent"]["request"] == REQUEST
    assert host.received("tools/call")[0]["params"]["_meta"]["plexus/dry_run"] is True
    terminal = cli.terminal("call", "demo_echo", "text=x", "--dry-run", env=environment(TERM="dumb"))
    terminal.until('"name": "x"')
    shown = terminal.output.replace("\r", "")
    assert shown.startswith("POST https://api.example.com/items\nauthorization: ***\n")
    assert "\x1b" not in shown


def test_what_was_said_is_shown_on_stderr(cli, host):
    exchange = [{"request": {"method": "GET", "url": "https://a.example/x", "headers": {"a": "b"}},
                 "response": {"status": 200, "http": "2", "headers": [["content-type", "text/plain"]], "peer": "192.0.2.1",
                              "time_ms": {"dns": 1.5, "total": 20.25}, "body": "one\ntwo"}},
                {"request": {"method": "GET", "url": "https://a.example/y"},
                 "response": {"status": 0, "failed": "connect", "why": "a.example: refused"}}]
    result = {"resultType": "complete", "content": [{"type": "text", "text": "ok"}], "_meta": {"plexus/exchange": exchange}}
    host.scripts["tools/call"] = lambda c, i, p: c.result(i, result, True)
    done = cli.run("call", "demo_echo", "text=x", "--verbose")
    assert host.received("tools/call")[0]["params"]["_meta"]["plexus/verbose"] is True
    assert done.stderr.splitlines() == [
        "> GET https://a.example/x", "> a: b", "< 200 HTTP/2  20.25 ms (dns 1.5)  192.0.2.1", "< content-type: text/plain", "< ", "< one", "< two",
        "> GET https://a.example/y", "< no answer", "< a.example: refused"]
    assert json.loads(done.stdout)["content"][0]["text"] == "ok"

"""status, log, pause, resume, effects; the session; the socket."""
import fcntl
import json
import os
import signal
import subprocess
import termios

from cli_support import PLEXUS, cli, environment, host  # noqa: F401

TOKEN = "px_good" + 20 * "x"


def test_status(cli, host):
    assert cli.json("status")["pid"] == 4242
    text = cli.ok("status", "--text")
    assert "plexusd 0.1.0, ready, up 1 d 2 h, pid 4242; you are uid:0" in text
    assert "1 in flight, 12,345 in all, 6 failed; planners: 2" in text
    assert "3 in flight, 1,234 in all, 5 failed, 2 refused; connections: 7; names looked up: 9" in text
    assert "slowest 6.1 ms (storage)" in text and "busy 12.5 %" in text
    assert "broken" in text and "no such host" in text
    assert "plugin /plugins/bad.so refused: not ELF" in text


def test_log(cli, host):
    lines = cli.ok("log", "--since", "1h", "--tool", "demo_*", "--service", "demo", "--limit", "7").strip().split("\n")
    assert [json.loads(line)["id"] for line in lines] == ["01ROW1", "01ROW2"]
    params = host.log_params[0]
    assert (params["tool"], params["service"], params["limit"]) == ("demo_*", "demo", 7)
    import time
    assert abs(params["since_unix_ms"] - (time.time() - 3600) * 1000) < 60000
    assert "follow" not in params
    text = cli.ok("log", "--text")
    assert "demo_fail" in text and "timeout" in text and "1.5 ms" in text
    assert text.startswith("2026-01-01\n") or text.startswith("2025-12-31\n")  # another day has a line of its own


def test_log_limits(cli, host):
    for args in (["--limit", "0"], ["--limit", "1001"], ["--limit", "x"], ["--since", "yesterday"]):
        assert cli.run("log", *args).returncode == 2


def test_follow_until_the_host_stops(cli, host):
    process = subprocess.Popen([PLEXUS, "--socket", cli.socket, "log", "--follow"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment())
    assert json.loads(process.stdout.readline())["id"] == "01ROW1"
    assert json.loads(process.stdout.readline())["id"] == "01ROW2"
    connection = host.last()
    ident = host.wait(lambda: connection.follow, "follow")
    connection.notify("notifications/plexus/log", {"id": ident, "row": {"id": "later"}})
    assert json.loads(process.stdout.readline()) == {"id": "later"}
    connection.send({"id": ident, "result": {"rows": []}})
    assert process.wait(20) == 0
    assert "the host is stopping" in process.stderr.read()


def test_follow_ends_with_an_interrupt(cli, host):
    process = subprocess.Popen([PLEXUS, "--socket", cli.socket, "log", "--follow"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment())
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    request = host.received("plexus/log")[0]["id"]
    assert host.received("notifications/cancelled")[0]["params"]["requestId"] == request


def test_pause_and_resume(cli, host):
    assert cli.json("pause", "demo") == {"paused": ["demo"]}
    assert cli.ok("pause", "all", "--text") == "paused: demo\n"
    assert cli.ok("resume", "demo", "--text") == "nothing is paused\n"
    done = cli.run("pause", "dem")
    assert done.returncode == 1 and "there is no service dem" in done.stderr
    host.not_admin = True
    done = cli.run("pause", "demo")
    assert done.returncode == 3 and "forbidden: only administrators pause" in done.stderr


def test_effects(cli, host):
    assert "no open effects" in cli.ok("effects", "--text")
    host.effects = [{"id": 7, "call": "01CALL", "principal": "uid:0", "service": "demo", "tool": "demo_write",
                     "began_unix_ms": 1767225600000, "outcome": "unknown"}]
    assert cli.json("effects")["open"][0]["id"] == 7
    text = cli.ok("effects", "--text")
    assert "demo_write" in text and "01CALL" in text and "unknown" in text
    asked = []

    def listed(c, i, p):
        asked.append(p)
        c.send({"id": i, "result": {"effects": [{**host.effects[0], "outcome": "done", "by": "person", "words": "I saw it", "args": "{" + "x" * 200}]}})

    host.scripts["plexus/effects"] = listed
    text = cli.ok("effects", "--all", "--text")
    assert "done" in text and "person" in text and "I saw it" in text and "x" * 50 in text and "x" * 70 not in text
    cli.ok("effects", "--since", "1h")
    assert asked[0] == {"settled": True} and asked[1]["since_unix_ms"] > 1767225600000 and asked[1]["settled"]
    assert "no span of time" in cli.run("effects", "--since", "now").stderr


def test_one_effect(cli, host):
    asked = []

    def one(c, i, p):
        asked.append(p)
        c.send({"id": i, "result": {"id": p["id"], "outcome": p.get("outcome", "failed"), "words": p.get("note")}})

    host.scripts["plexus/effect/settle"] = host.scripts["plexus/effect/verify"] = one
    assert cli.ok("effects", "settle", "01X", "done", "--note", "there", "--text") == "01X: done (there)\n"
    assert cli.ok("effects", "verify", "01X", "--text") == "01X: failed\n"
    assert asked == [{"id": "01X", "outcome": "done", "note": "there"}, {"id": "01X"}]
    assert cli.run("effects", "settle", "01X", "perhaps").returncode == 2


def test_session_for_a_profile_and_a_token(cli, host, tmp_path):
    secret = tmp_path / "token"
    secret.write_text(TOKEN + "\n")
    cli.json("status", "--profile", "readonly")
    cli.json("--token-file", "token", "status")
    cli.json("status", env=environment(PLEXUS_TOKEN_FILE=secret))
    cli.json("status")
    assert host.sessions == [{"profile": "readonly", "client": "plexus/0.1.0"},
                             {"token": TOKEN, "client": "plexus/0.1.0"},
                             {"token": TOKEN, "client": "plexus/0.1.0"}]
    assert [m["method"] for _, m in host.seen[:2]] == ["plexus/session", "plexus/status"]


def test_a_refused_session_ends_it(cli, host, tmp_path):
    done = cli.run("status", "--profile", "nonsense")
    assert done.returncode == 3 and "no such profile" in done.stderr
    assert not [m for _, m in host.seen if m["method"] == "plexus/status"]


def test_bad_token_files_are_named_not_shown(cli, host, tmp_path):
    (tmp_path / "bad").write_text("px_secret-word with blanks in it")
    done = cli.run("--token-file", "bad", "status")
    assert done.returncode == 1 and "bad does not hold one token" in done.stderr
    assert "secret-word" not in done.stderr + done.stdout
    done = cli.run("--token-file", "absent", "status")
    assert done.returncode == 1 and "absent: No such file" in done.stderr


def test_no_host(cli, tmp_path):
    done = cli.run("status")
    assert done.returncode == 4
    assert f"no host answers on {cli.socket}: No such file or directory" in done.stderr
    assert "Start plexusd, or name its socket" in done.stderr
    done = cli.run("status", env=environment(PLEXUS_SOCKET="/x" * 100), socket=False)
    assert done.returncode == 4 and "at most 107 bytes" in done.stderr


def test_where_the_socket_is_looked_for(cli, tmp_path):
    from fake_host import FakeHost
    os.mkdir(tmp_path / "run")
    fake = FakeHost(tmp_path / "run/planner.sock")
    try:
        if not os.path.exists("/run/plexus/planner.sock"):
            assert cli.json("status", socket=False)["pid"] == 4242
        assert cli.json("status", socket=False, env=environment(PLEXUS_SOCKET=fake.path))["pid"] == 4242
        done = cli.run("status", socket=False, env=environment(PLEXUS_SOCKET=tmp_path / "none"))
        assert done.returncode == 4
    finally:
        fake.stop()


def test_an_older_host(cli, host):
    host.scripts["plexus/effects"] = lambda c, i, p: c.error(i, -32601, "unknown method")
    done = cli.run("effects")
    assert done.returncode == 1 and "older than this program" in done.stderr


def test_follow_ends_when_nobody_reads(cli, host):
    with open("/dev/full", "w") as full:
        done = subprocess.run([PLEXUS, "--socket", cli.socket, "log", "--follow"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=30, env=environment())
    assert done.returncode == 1 and "cannot write to stdout" in done.stderr


def test_a_full_disk_is_a_failure(cli, host):
    for command in (["tools"], ["status"], ["call", "demo_add", "a:=1", "b:=2"], ["log"], ["effects"], ["--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PLEXUS, "--socket", cli.socket, *command], stdout=full, stderr=subprocess.PIPE,
                                  timeout=30, env=environment())
        assert done.returncode == 1, command


def test_follow_that_blocks_on_its_reader_still_ends_with_an_interrupt(cli, host):
    process = subprocess.Popen([PLEXUS, "--socket", cli.socket, "log", "--follow"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    connection = host.last()
    ident = host.wait(lambda: connection.follow, "follow")
    row = {"id": ident, "row": {"args": "x" * 100000}}
    connection.notify("notifications/plexus/log", row)  # more than a pipe holds, and nobody reads

    def is_full():
        waiting = bytearray(4)
        fcntl.ioctl(process.stdout, termios.FIONREAD, waiting)
        return int.from_bytes(waiting, "little") >= 50000
    host.wait(is_full, "a full pipe")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) in (0, 1)

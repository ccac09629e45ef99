"""status: the table, one service, live; breaker. Against the scripted host."""
import copy
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from cli_support import PLEXUS, Terminal, cli, environment, host  # noqa: F401
from fake_host import STATUS

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


def breaker(upstream="api", state="closed", **more):
    return {"upstream": upstream, "state": state, "forced": None, "requests": 40, "failures": 1, "opened": 2, "probe_in_ms": None,
            "in_flight": 3, **more}


def guard(**more):
    return {"in_flight": 3, "in_flight_limit": 32, "waiting": 1, "waiting_limit": 256, "requests": 1000, "failed": 2,
            "retries": 5, "shared": 7, "refused": {"rate": 1, "queue": 0, "busy": 3, "open": 11}, "p50_us": 12000,
            "p99_us": 88000, "retries_left": 10, "last_error": {"words": "connection refused", "ago_ms": 4000},
            "rates": [{"upstream": None, "group": None, "kind": "bucket", "limit": 100, "left": 97, "next_ms": 1800},
                      {"upstream": None, "group": "search", "kind": "sliding", "limit": 30, "left": 30, "next_ms": 0}],
            "quotas": [{"group": None, "bucket": "core", "global": False, "account": 1, "limit": 5000, "remaining": 1200,
                        "reset_ms": 120000, "next_ms": 0},
                       {"group": None, "bucket": None, "global": True, "account": 0, "limit": None, "remaining": 3,
                        "reset_ms": None, "next_ms": 0}],
            "breakers": [breaker()], **more}


def service(name, **more):
    now = int(time.time() * 1000)
    return {"name": name, "plugin": "demo", "plugin_version": "1.2", "state": "ready", "error": None, "tools": 16,
            "in_flight": 1, "guard": guard(), "next_refresh_unix_ms": now + 250500, "needs_login": False, **more}


@pytest.fixture
def status(host):
    """What the host answers, to be changed at will."""
    answer = copy.deepcopy(STATUS)
    answer["services"], answer["plugins"] = [service("github")], []
    host.scripts["plexus/status"] = lambda c, i, p: c.send({"id": i, "result": answer})
    return answer


def rows(text):
    """The table of services, as lists of cells by title."""
    lines = text.split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("SERVICE"))
    titles = re.split(r"\s{2,}", lines[at].strip())
    table = {}
    for line in lines[at + 1:]:
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) != len(titles):
            break
        table[cells[0]] = dict(zip(titles, cells))
    return table


def test_a_line_for_each_service(cli, status):
    status["services"] += [
        service("shop", guard=guard(breakers=[breaker("a"), breaker("b", "open", probe_in_ms=900)], last_error=None,
                                    waiting=256)),
        service("mail", needs_login=True, guard=guard(breakers=[breaker(state="half_open", forced="closed")], rates=[], quotas=[],
                                                      p50_us=0, last_error=None)),
        {"name": "data", "plugin": "sqlite", "plugin_version": "0.1", "state": "failed", "error": "no\x1b[31m such file",
         "tools": 0, "in_flight": 2, "next_refresh_unix_ms": None, "needs_login": False}]
    text = cli.ok("status", "--text")
    table = rows(text)
    assert table["github"] == {"SERVICE": "github", "STATE": "ready", "TOOLS": "16", "BREAKER": "closed", "LEFT": "1,200/5,000",
                               "QUEUE": "1/256", "FLIGHT": "3/32", "P50": "12 ms", "P99": "88 ms", "REFRESH": "4 m"}
    assert table["shop"]["BREAKER"] == "open 1/2" and table["shop"]["QUEUE"] == "256/256"
    assert table["mail"]["BREAKER"] == "half-open held" and table["mail"]["LEFT"] == "-" and table["mail"]["REFRESH"] == "login!"
    assert table["mail"]["P50"] == "-"
    assert table["data"]["BREAKER"] == table["data"]["QUEUE"] == table["data"]["REFRESH"] == "-" and table["data"]["FLIGHT"] == "2"
    assert "github: connection refused (4.0 s ago)\n" in text
    assert "data: no\\u001b[31m such file\n" in text
    assert "shop:" not in text


def test_an_upstream_that_said_to_wait(cli, status):
    """Without a number of what is left, the time alone; what ends within a second, and what is only spaced out, is no wait."""
    def quota(**more):
        return {"group": None, "bucket": None, "global": False, "account": 0, "limit": None, "remaining": None, "reset_ms": None, "next_ms": 0, **more}
    quotas = {"wait": [quota(next_ms=499000)], "both": [quota(limit=60, remaining=0, next_ms=90000), quota(next_ms=3700000)],
              "spaced": [quota(limit=60, remaining=2, next_ms=5000)], "soon": [quota(next_ms=900)]}
    status["services"] = [service(name, guard=guard(rates=[], quotas=said)) for name, said in quotas.items()]
    table = rows(cli.ok("status", "--text"))
    assert {name: row["LEFT"] for name, row in table.items()} == {"wait": "in 8 m", "both": "in 61 m", "spaced": "2/60", "soon": "-"}


def test_thirty_services_fit_a_hundred_columns(cli, status):
    status["services"] = [service(f"{'a_long_name_'[:i % 13]}service_{i}",
                                  guard=guard(breakers=[breaker(state=["closed", "open", "half_open"][i % 3])],
                                              last_error=None)) for i in range(30)]
    for columns in (100, 80):
        terminal = cli.terminal("status", columns=columns, env=environment(TERM="dumb"))
        code, text = terminal.finish()
        assert code == 0
        lines = text.split("\n")
        at = next(i for i, line in enumerate(lines) if line.startswith("SERVICE"))
        assert len(lines[at:]) == 32 and max(map(len, lines[at:])) <= columns, lines
        if columns == 100:
            assert all(f"service_{i} " in text for i in range(30)) and "…" not in text
            assert text.count("1,200/5,000") == 30 and text.count("half-open") == 10


def test_one_service_in_full(cli, host, status):
    asked = []

    def grants(connection, ident, params):
        asked.append(params)
        connection.send({"id": ident, "result": {"grants": [
            {"service": "github", "identity": "user", "kind": "oauth2", "holder": None, "account": "alice", "state": "fresh",
             "scopes": ["repo"], "expires_unix_ms": None, "last_refresh_unix_ms": None, "next_refresh_unix_ms": None,
             "error": None}]}})
    host.scripts["plexus/auth/status"] = grants
    status["services"][0]["guard"]["breakers"] = [breaker(state="open", forced="open", probe_in_ms=1500),
                                                  breaker("uploads")]
    text = cli.ok("status", "github", "--text")
    assert asked == [{"service": "github"}]
    for words in ("github: ready, plugin demo 1.2, 16 tools, 1 calls in flight", "1,000 in all, 2 failed, 5 retried, 7 answered",
                  "1 for a rate, 0 by a full queue, 3 without a place in time, 11 by an open breaker",
                  "3 of 32 in flight, 1 of 256 waiting", "p50 12 ms, p99 88 ms",
                  "connection refused (4.0 s ago)"):
        assert words in text, words
    lines = [line.split() for line in text.split("\n")]
    assert ["api", "open,", "held", "3", "40", "1", "2", "1.5", "s"] in lines
    assert ["uploads", "closed", "3", "40", "1", "2", "-"] in lines
    assert ["service", "bucket", "100", "97", "1.8", "s"] in lines
    assert ["group", "search", "sliding", "30", "30", "now"] in lines
    assert ["bucket", "core", "1", "5,000", "1,200", "2", "m", "0", "s", "now"] in lines
    assert ["everything", "0", "-", "3", "-", "now"] in lines
    assert any(line[:3] == ["github/user", "alice", "fresh"] for line in lines)
    assert cli.json("status", "github") == status["services"][0]
    host.scripts["plexus/auth/status"] = lambda c, i, p: c.error(i, -32601, "unknown method")
    assert "alice" not in cli.ok("status", "github", "--text")
    status["services"][0]["needs_login"] = True
    assert "not logged in: plexus auth login github\n" in cli.ok("status", "github", "--text")
    done = cli.run("status", "gihub")
    assert done.returncode == 1 and "there is no service gihub; did you mean github?" in done.stderr


def test_what_the_host_sends_is_not_trusted(cli, status):
    for odd in (None, [], "x", {"breakers": 7, "rates": [1], "quotas": {"a": "b"}, "last_error": "no", "p50_us": -1},
                {"breakers": [{"state": 9}], "rates": [{"left": 5, "limit": 0}], "in_flight": 1e400}):
        status["services"][0]["guard"] = odd
        text = json.dumps(odd).replace("Infinity", "1")
        status["services"][0]["guard"] = json.loads(text)
        assert "github" in cli.ok("status", "--text") and "github" in cli.ok("status", "github", "--text")


@pytest.mark.parametrize("args", [["github", "mail"], ["5"], ["--watch", "0"], ["--watch", "2h"], ["--watch", "1", "2"],
                                  ["--watch", "5x"]])
def test_wrong_command_lines(cli, host, args):
    assert cli.run("status", *args).returncode == 2


# ---- live ----

def frame(terminal):
    """The last whole frame, as lines without sequences."""
    last = terminal.output.rpartition("\x1b[J")[0].rsplit("\x1b[H", 1)[-1]
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last).replace("\r", "").split("\n")


def see(terminal, text, seconds=20):
    deadline = time.monotonic() + seconds
    while not any(text in line for line in frame(terminal)):
        assert time.monotonic() < deadline, f"waited for {text!r}; got {frame(terminal)!r}"
        assert terminal.read(0.1), f"ended without {text!r}: {terminal.output!r}"
    return frame(terminal)


def resize(terminal, rows_, columns):
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows_, columns, 0, 0))


def test_watch_draws_over_itself(cli, status):
    terminal = cli.terminal("status", "--watch", "200ms", columns=100)
    see(terminal, "github")
    assert terminal.output.startswith(ENTER)
    status["services"].append(service("newcomer"))
    see(terminal, "newcomer")
    assert "\x1b[2J" not in terminal.output  # nothing is wiped first: that flickers
    terminal.kill(signal.SIGINT)
    code, text = terminal.finish()
    assert code == 0 and text.endswith(LEAVE)


def test_watch_follows_the_window(cli, status):
    status["services"] = [service(f"service_{i}") for i in range(40)]
    terminal = cli.terminal("status", "--watch", "60", columns=100)
    lines = see(terminal, "more lines")
    assert len(lines) <= 24 and max(map(len, lines)) <= 100
    resize(terminal, 12, 70)
    see(terminal, "… 80 more lines")  # how many do not fit has grown; long before the next look
    lines = frame(terminal)
    assert len(lines) <= 12 and max(map(len, lines)) <= 70, lines
    resize(terminal, 120, 100)
    lines = see(terminal, "service_39: connection")
    assert not any("more lines" in line for line in lines)
    terminal.kill(signal.SIGTERM)
    assert terminal.finish()[0] == 0


def test_watch_stops_and_goes_on(cli, status):
    terminal = cli.terminal("status", "--watch", "60", columns=100)
    see(terminal, "github")
    terminal.kill(signal.SIGTSTP)
    terminal.until(LEAVE)
    status["services"].append(service("newcomer"))
    deadline = time.monotonic() + 10
    while open(f"/proc/{terminal.pid}/stat").read().rsplit(")", 1)[1].split()[0] != "T":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    terminal.output = ""
    terminal.kill(signal.SIGCONT)
    terminal.until(ENTER)
    see(terminal, "github")
    terminal.kill(signal.SIGINT)
    assert terminal.finish()[1].endswith(LEAVE)


def test_watch_survives_the_host(cli, host, status):
    terminal = cli.terminal("status", "--watch", "60", columns=100)
    see(terminal, "github")
    host.stop()
    lines = see(terminal, "no host answers on")
    assert any("github" in line for line in lines)  # as it was
    status["services"].append(service("newcomer"))
    host.start()
    lines = see(terminal, "newcomer")
    assert not any("no host answers" in line for line in lines)
    terminal.kill(signal.SIGINT)
    assert terminal.finish()[0] == 0


def test_watch_of_one_service(cli, host, status):
    terminal = cli.terminal("status", "github", "--watch", "200ms", columns=100)
    see(terminal, "UPSTREAM")
    status["services"] = [service("other")]  # a reload took it away
    code, text = terminal.finish()
    assert code == 1 and "there is no service github" in text.split(LEAVE)[1]


def watch(cli, *args, **more):
    return subprocess.Popen([PLEXUS, "--socket", cli.socket, "status", "--watch", "200ms", *args], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), **more)


def test_watch_without_a_terminal_appends(cli, host, status):
    process = watch(cli)
    for _ in range(2):
        assert json.loads(process.stdout.readline()) == status
    host.stop()
    assert process.stderr.readline() == "the host has gone: waiting for it\n"
    status["pid"] = 99
    host.start()
    assert process.stderr.readline() == "the host is back\n"
    while json.loads(process.stdout.readline())["pid"] != 99:
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process = watch(cli, "--text")
    lines = []
    while sum(line.startswith("SERVICE") for line in lines) < 2:
        lines.append(process.stdout.readline())
    assert not any("\x1b" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_watch_without_a_host(cli, tmp_path):
    done = cli.run("status", "--watch")
    assert done.returncode == 4 and "no host answers" in done.stderr
    terminal = cli.terminal("status", "--watch")
    code, text = terminal.finish()
    assert code == 4 and ENTER not in text and "no host answers" in text


def test_watch_that_nobody_reads(cli, host):
    with open("/dev/full", "w") as full:
        done = subprocess.run([PLEXUS, "--socket", cli.socket, "status", "--watch"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=30, env=environment())
    assert done.returncode == 1 and "cannot write to stdout" in done.stderr


def test_watch_rests_between_looks(cli, host, status):
    """No spinning: a few wake-ups, whatever the time."""
    process = watch(cli, stdin=subprocess.DEVNULL)
    process.stdout.readline()
    before = len(host.received("plexus/status"))
    started = time.monotonic()
    while len(host.received("plexus/status")) < before + 5:
        time.sleep(0.01)
    assert time.monotonic() - started > 0.7
    process.send_signal(signal.SIGINT)
    process.wait(20)


# ---- breaker ----

def test_breaker(cli, host):
    asked = []

    def answer(connection, ident, params):
        asked.append(params)
        if params["service"] != "github":
            connection.error(ident, 1004, "there is no service x", {"code": "not_found", "retryable": False})
        elif host.not_admin:
            connection.error(ident, 1003, "only administrators look at breakers", {"code": "forbidden", "retryable": False})
        else:
            connection.send({"id": ident, "result": {"service": "github", "breakers": [
                breaker(state="open", forced="open"), breaker("uploads")]}})
    host.scripts["plexus/breaker"] = answer
    assert cli.json("breaker", "github")["breakers"][0]["forced"] == "open"
    text = cli.ok("breaker", "github", "open", "--upstream", "api", "--text")
    assert "open, held" in text and "uploads" in text
    cli.ok("breaker", "github", "close")
    cli.ok("breaker", "github", "reset")
    assert asked == [{"service": "github"}, {"service": "github", "upstream": "api", "order": "open"},
                     {"service": "github", "order": "close"}, {"service": "github", "order": "reset"}]
    done = cli.run("breaker", "github", "shut")
    assert done.returncode == 2 and "shut is none of open, close and reset" in done.stderr
    assert cli.run("breaker").returncode == 2
    assert cli.run("breaker", "x", "open").returncode == 1
    host.not_admin = True
    done = cli.run("breaker", "github", "open")
    assert done.returncode == 3 and "only administrators" in done.stderr

"""Planners as they come: very many, very slow, very rude. What one does must not harm the others."""
import json
import os
import random
import resource
import select
import socket
import time

import pytest
from conftest import META, Planner, base_config, until


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def works(host):
    with host.planner() as planner:
        assert planner.call("demo_echo", {"text": "still here"})["content"][0]["text"] == "still here"


def open_many(host, n):
    opened = []
    for _ in range(n):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.connect(str(host.socket)) # waits while the queue of those who knock is full
        except OSError:
            made.close()
            break
        opened.append(made)
    return opened


def is_open(connection):
    """Neither told to go nor closed: there is nothing to read, not even the end."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_ten_thousand_connections(plexusd, folder):
    """Those over the limit are told so; the others work; when they are gone, everything is as it was."""
    host = plexusd(config=base_config(folder, limits={"planners": 200, "planners_per_uid": 150})).start()
    refused, kept = 0, []
    for _ in range(100):
        opened = open_many(host, 100)
        assert len(opened) == 100
        kept += opened
        assert host.threads() == 1
    until(lambda: sum(map(is_open, kept)) <= 150, "the limit")
    told = 0
    for connection in kept:
        connection.setblocking(False)
        try:
            data = connection.recv(65536)
        except BlockingIOError:
            continue
        except ConnectionError:
            refused += 1
            continue
        refused += 1
        told += b"error" in data
    assert refused >= 9850 and told > 0, (refused, told)
    for connection in kept:
        connection.close()
    until(lambda: try_works(host), "a connection again")
    works(host)


def try_works(host):
    try:
        works(host)
        return True
    except (OSError, AssertionError, json.JSONDecodeError, KeyError):
        return False


def test_a_thousand_idle_planners(plexusd, folder):
    """What they cost: at most 8 KiB each in a release build. (Sanitizers cost more; their figure is only printed.)"""
    host = plexusd(config=base_config(folder, limits={"planners_per_uid": 2000})).start()
    works(host)
    before = host.memory()
    planners = [host.planner() for _ in range(1000)]
    for planner in planners:
        planner.request("plexus/session")
    with host.planner() as one:
        assert one.status()["planners"] == 1001
    each = (host.memory() - before) / 1000
    sanitized = b"__asan_init" in open(f"/proc/{host.pid}/exe", "rb").read()
    print(f"\na planner that is idle: {each:.0f} bytes{' (with sanitizers)' if sanitized else ''}")
    assert sanitized or each <= 8192
    for planner in planners:
        planner.close()
    with host.planner() as one:
        until(lambda: one.status()["planners"] == 1, "they are gone")


def test_out_of_descriptors(plexusd, folder):
    """EMFILE: no loop that burns, no crash; those who are connected go on, and newcomers come in when there is room."""
    host = plexusd(prefix=("/bin/bash", "-c", 'ulimit -n 60; exec "$@"', "sh")).start()
    with host.planner() as first:
        first.status()
        opened = open_many(host, 100)
        for _ in range(10):
            assert first.call("demo_echo", {"text": "x"})["content"]
        ticks = cpu(host)
        time.sleep(0.5)
        assert cpu(host) - ticks < 0.25, "it spins"
        for connection in opened:
            connection.close()
        until(lambda: try_works(host), "room again")


def cpu(host):
    with open(f"/proc/{host.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_one_that_never_reads(host):
    """It asks for much and reads nothing: its own requests wait, nobody else's, and memory stays bounded."""
    rude = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    rude.connect(str(host.socket))
    rude.setblocking(False)
    works(host)
    before = host.memory()
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}).encode() + b"\n"
    sent, end = 0, time.monotonic() + 3
    while time.monotonic() < end:
        try:
            sent += rude.send(request * 100)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            break
    works(host)
    assert host.memory() - before < 128 << 20
    rude.close()
    works(host)


def test_one_byte_at_a_time(host):
    with host.planner() as slow, host.planner() as other:
        line = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
            "name": "demo_echo", "arguments": {"text": "slowly"}, "_meta": META}}).encode() + b"\n"
        for i in range(len(line)):
            slow.raw(line[i:i + 1])
            if i % 40 == 0:
                other.call("demo_echo", {"text": "quickly"})
        assert slow.answer(7)["result"]["content"][0]["text"] == "slowly"


def test_one_that_leaves_in_the_middle_of_a_call(host):
    with host.planner() as stays:
        for _ in range(20):
            leaves = host.planner()
            leaves.begin_call("demo_wait", {"seconds": 60})
            leaves.begin_call("data_query", {"sql": "with recursive n(i) as (select 1 union all select i+1 from n) select count(*) from n"})
            leaves.raw(b'{"jsonrpc":"2.0","id":99,"method":"tools/ca')
            until(lambda: stays.status()["calls"]["in_flight"] >= 2, "its calls")
            leaves.close()
            until(lambda: stays.status()["calls"]["in_flight"] == 0, "its calls end with it")
        until(lambda: stays.status()["planners"] == 1, "it is gone")
        until(lambda: sum(r["code"] == "cancelled" for r in stays.request("plexus/log", {"limit": 100})["rows"]) == 40, "each is in the log")


def test_a_line_without_an_end(host):
    rude = host.planner()
    try:
        for _ in range(64):
            rude.raw(b"x" * (1 << 18))
    except OSError:
        pass
    answer = b""
    try:
        answer = rude.socket.recv(65536)
    except OSError:
        pass
    assert answer == b"" or b"error" in answer
    rude.close()
    works(host)


@pytest.mark.parametrize("line", [b"\n", b"\0\n", b"{}\n", b"[]\n", b"null\n", b'"x"\n', b"\xff\xfe\n", b"{" * 10000 + b"\n",
                                  b'{"jsonrpc":"2.0","id":1}\n', b'{"jsonrpc":"2.0","id":{},"method":"x"}\n', random.Random(1).randbytes(4096) + b"\n"])
def test_nonsense(host, line):
    rude = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    rude.connect(str(host.socket))
    rude.sendall(line)
    rude.shutdown(socket.SHUT_WR)
    rude.settimeout(30)
    data = b""
    while piece := rude.recv(65536):
        data += piece
    for answer in data.splitlines():
        assert "error" in json.loads(answer)
    rude.close()
    works(host)


def test_input_that_ends_is_still_answered(host):
    """echo '…' | socat - UNIX-CONNECT:…"""
    with host.planner() as planner:
        id = planner.begin_call("demo_wait", {"seconds": 1})
        planner.socket.shutdown(socket.SHUT_WR)
        assert planner.answer(id)["result"]["structuredContent"] == {"waited": 1}
        assert planner.line() is None


def test_the_limit_of_calls(plexusd, folder):
    host = plexusd(config=base_config(folder, limits={"calls_per_principal": 5})).start()
    with host.planner() as planner:
        ids = [planner.begin_call("demo_wait", {"seconds": 2}) for _ in range(10)]
        answers = [planner.answer(id)["result"] for id in ids]
        assert sum(not a.get("isError") for a in answers) == 5
        codes = {a["structuredContent"]["error"]["code"] for a in answers if a.get("isError")}
        assert codes == {"rate_limited"} or codes == {"unavailable"}, codes


def test_no_drift_under_a_mixed_load(plexusd):
    """Connecting, calling, leaving, again and again: descriptors and memory stay where they are."""
    host = plexusd(env={"ASAN_OPTIONS": "quarantine_size_mb=1:exitcode=99"}).start() # freed memory comes back at once

    def round_trip():
        with host.planner() as planner:
            planner.tools()
            planner.call("demo_echo", {"text": "x" * 1000})
            planner.data_of("data_query", {"sql": "select 1"})
            planner.error_of("demo_echo", {})

    for _ in range(150):
        round_trip()
    fds, memory = len(os.listdir(f"/proc/{host.pid}/fd")), host.memory()
    for _ in range(300):
        round_trip()
    until(lambda: len(os.listdir(f"/proc/{host.pid}/fd")) <= fds, "descriptors")
    assert host.memory() - memory < 8 << 20


def test_a_slow_query_costs_the_loop_nothing(plexusd, folder):
    """While a worker counts, the host answers others: of its own time the query takes next to none."""
    databases = {name: {"path": str(folder / f"{name}.db"), "create": True, "budget_ms": 3000} for name in ("slow", "other")}
    data = {"plugin": "sqlite", "config": {"databases": databases, "default": "other"}}
    host = plexusd(base_config(folder, services={"data": data, "demo": {"plugin": "example"}})).start()
    with host.planner() as slow, host.planner() as other:
        other.data_of("data_list_tables")  # its database is there
        before = other.status()["loop"]
        began = time.monotonic()
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        running = slow.begin_call("data_query", {"database": "slow", "sql": endless})
        used, rounds = cpu(host), 0
        while not select.select([slow.socket], [], [], 0)[0]:  # it still runs
            ids = [other.begin_call("demo_echo", {"text": str(i)}) for i in range(19)] + [other.begin_call("data_list_tables")]
            texts = [other.answer(id)["result"]["content"][0]["text"] for id in ids]
            assert texts[:19] == [str(i) for i in range(19)]
            rounds += 1
            time.sleep(0.1)
        used = cpu(host) - used
        error = slow.answer(running)["result"]["structuredContent"]["error"]
        took = time.monotonic() - began
        after = other.status()["loop"]
    assert error["code"] == "timeout" and took > 2.9 and rounds > 2, (error, took, rounds)
    assert used < took / 2, "of its own time the query takes next to none"
    for name in ("slowest_us", "lag_us"):
        assert after[name] == before[name] or after[name] < took / 2 * 1e6, (before, after)

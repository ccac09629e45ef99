"""An upstream dies under load: what its callers get, what other services notice of it, and how it comes back."""
import asyncio
import copy
import json
import os
import shutil
import subprocess
import threading
import time

import pytest
from conftest import BUILD, PLEXUS, Daemon, Planner, base_config, quiet_port, until

PLUGIN = BUILD / "test/abi/plugins/routes.so"
ME = "uid:%d" % os.getuid()
CALLS = 200  # at once, over both services
OPEN_MS = 300
BODY = b'{"id":7,"title":"a title"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Upstream:
    """Answers, hangs or is not there; counts what arrives. One thread, so that it costs little."""

    def __init__(self):
        self.port, self.mode, self.requests, self.running, self.most = quiet_port(), "answer", 0, 0, 0  # it goes, and comes back there
        self.log = []  # (when, what) of each request
        self.loop, self.server, self.conns = asyncio.new_event_loop(), None, set()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.listen()

    @property
    def url(self):
        return "http://127.0.0.1:%d/v1" % self.port

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def listen(self):
        async def begin():
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=512)
        self.run(begin())

    def go(self):
        """Nobody listens any more, and every connection breaks."""
        async def end():
            self.server.close()
            for writer in list(self.conns):
                writer.transport.abort()
        self.run(end())

    def close(self):
        self.go()
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def serve(self, reader, writer):
        self.conns.add(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                self.running += 1
                self.most = max(self.most, self.running)
                self.log.append((time.monotonic(), "begin"))
                try:
                    if self.mode == "answer":
                        await asyncio.sleep(0.002)  # as one that works does
                        writer.write(ANSWER)
                        await writer.drain()
                    else:
                        await reader.read(1)  # until the other side has had enough
                        return
                finally:
                    self.running -= 1
                    self.log.append((time.monotonic(), "end"))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.conns.discard(writer)
            writer.transport.abort()


class Load:
    """A planner that keeps so many calls of a tool in flight, and notes what came of each: (ms, code, error)."""

    def __init__(self, host, tool, calls, timeout_ms=1000, pause=0.0):
        self.planner, self.tool, self.pause = Planner(host.socket), tool, pause
        self.meta = {"plexus/timeout_ms": timeout_ms}
        self.calls, self.done, self.over, self.failure = calls, [], threading.Event(), None
        self.thread = threading.Thread(target=self.guarded, daemon=True)
        self.thread.start()

    def guarded(self):
        try:
            self.run()
        except Exception as failure:  # told by stop()
            self.failure = failure

    def run(self):
        begun = {}

        def begin(i):
            begun[self.planner.begin_call(self.tool, {"id": "x%d" % i}, self.meta)] = time.monotonic()
        for i in range(self.calls):
            begin(i)
        while begun:
            message = self.planner.line()
            assert message is not None, "the host closed the connection"
            if "id" not in message:
                continue
            ms = (time.monotonic() - begun.pop(message["id"])) * 1000
            result = message.get("result") or {"isError": True, "structuredContent": {"error": message["error"]}}
            error = result["structuredContent"]["error"] if result.get("isError") else None
            self.done.append((ms, error["code"] if error else "ok", error))
            if not self.over.is_set():
                if self.pause:
                    time.sleep(self.pause)
                begin(message["id"])

    def stop(self):
        self.over.set()
        self.thread.join(60)
        assert not self.thread.is_alive(), "calls that are never answered"
        self.planner.close()
        if self.failure:
            raise self.failure
        return self.done


def load(host, tool, calls, seconds, **options):
    one = Load(host, tool, calls, **options)
    time.sleep(seconds)
    return one.stop()


def percentile(done, part):
    times = sorted(ms for ms, _, _ in done)
    return times[min(len(times) - 1, int(len(times) * part))]


def plexus(host, *args):
    return subprocess.run([str(PLEXUS), "--socket", str(host.socket), *args], capture_output=True, text=True, timeout=60)


def guard_of(planner, service):
    return next(s["guard"] for s in planner.status()["services"] if s["name"] == service)


def breaker_of(planner, service):
    none = {"state": "closed", "opened": 0}  # there was no request yet
    return (guard_of(planner, service)["breakers"] or [none])[0]


LIMITS = {"in_flight": 64, "queue": 512, "retry": {"attempts": 0}, "coalesce": False,
          "breaker": {"consecutive": 5, "min_requests": 100000, "open_ms": OPEN_MS, "max_open_ms": OPEN_MS}}


@pytest.fixture
def alive():
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def dying():
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def host(folder, alive, dying):
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "routes.so")
    os.chmod(folder / "more" / "routes.so", 0o644)
    config = base_config(folder)
    config["plugin_dirs"].append(str(folder / "more"))
    config["limits"] = {"calls_per_principal": 1000, "calls": 1000}
    for name, upstream in (("well", alive), ("ill", dying)):
        config["services"][name] = {"plugin": "routes", "config": {"base_url": upstream.url, "token": "a-token-of-the-test"},
                                    "limits": LIMITS}
    daemon = Daemon(folder, config).start()
    yield daemon
    daemon.stop()


def open_it(host, dying, planner):
    """Hang until the breaker opens."""
    dying.mode = "hang"
    one = Load(host, "ill_get", CALLS // 2)
    until(lambda: breaker_of(planner, "ill")["state"] != "closed", "the breaker opens")
    return one


def test_others_keep_their_pace(host, alive, dying):
    """The bound: 4 times the p99 of before, or 1500 ms when that was less. On a machine that others use a p99 moves by a
    factor of two or three from second to second. If the two services shared a queue, a pool or a breaker, calls would wait
    for the hanging ones, which take 3000 ms: over the bound."""
    with host.planner() as planner:
        both = Load(host, "ill_get", CALLS // 2)
        before = load(host, "well_get", CALLS // 2, 2, timeout_ms=60000)
        both.stop()
        both = Load(host, "ill_get", CALLS // 2, timeout_ms=3000)
        dying.mode = "hang"
        during = load(host, "well_get", CALLS // 2, 5, timeout_ms=60000)
        dying.go()  # now it refuses
        after = load(host, "well_get", CALLS // 2, 2, timeout_ms=60000)
        ill = both.stop()
        assert guard_of(planner, "well")["failed"] == 0 and breaker_of(planner, "well")["opened"] == 0
    bound = max(4 * percentile(before, 0.99), 1500)
    report = {name: {"calls": len(done), "p50": round(percentile(done, 0.5), 1), "p99": round(percentile(done, 0.99), 1)}
              for name, done in (("before", before), ("hanging", during), ("refusing", after))}
    print(report)
    for done in (before, during, after):
        assert {code for _, code, _ in done} == {"ok"} and len(done) >= CALLS // 2
    assert percentile(during, 0.99) < bound and percentile(after, 0.99) < bound, report
    codes = {code for _, code, _ in ill}
    assert "circuit_open" in codes and codes <= {"ok", "circuit_open", "timeout", "upstream_error", "unavailable"}, codes


def test_open_answers_at_once(host, dying):
    with host.planner() as planner:
        one = open_it(host, dying, planner)
        seen = breaker_of(planner, "ill")
        assert seen["upstream"] == "api" and seen["opened"] >= 1
        text = plexus(host, "status", "--text").stdout
        assert any(line.startswith("ill ") and ("open" in line) for line in text.split("\n")), text
        until(lambda: sum(code == "circuit_open" for _, code, _ in one.done) > 500, "answers of the open breaker")
        done = one.stop()
    refused = [(ms, error) for ms, code, error in done if code == "circuit_open"]
    for ms, error in refused:
        assert error["retryable"] is True and error["advice"] and "ill" in error["message"], error
    # all but those at the moment of a probe know when; a probe's end is not known
    known = [error["retry_after_ms"] for _, error in refused if "retry_after_ms" in error]
    assert known and all(0 < ms <= 2 * OPEN_MS + 1000 for ms in known), max(known)
    with host.planner() as planner:
        # at once, by the host's own clock: those that wait do so behind others' lines in this test's reader
        rows = until(lambda: [row for row in planner.request("plexus/log", {"service": "ill", "limit": 1000})["rows"] if row["code"] == "circuit_open"], "the log")
        assert percentile([(row["duration_us"] / 1000, "", None) for row in rows], 0.9) < 500  # the upstream takes 1000 ms
        assert guard_of(planner, "ill")["refused"]["open"] >= len(refused)


def test_one_probe_for_each_half_open_and_recovery_by_it(host, dying):
    with host.planner() as planner:
        one = open_it(host, dying, planner)
        until(lambda: dying.running <= 1, "those that were in flight when it opened have ended")
        begun, opened = dying.requests, breaker_of(planner, "ill")["opened"]
        dying.most = dying.running
        until(lambda: breaker_of(planner, "ill")["opened"] >= opened + 4, "four probes")
        one.stop()
        seen = breaker_of(planner, "ill")
        until(lambda: dying.running == 0, "the last probe's end")
        # one for each time that it opened again, and perhaps one that was under way at the beginning or the end
        probes = dying.requests - begun
        assert dying.most == 1 and seen["opened"] - opened <= probes + 1 and probes <= seen["opened"] - opened + 1
        # it refuses: no probe gets through, and the breaker stays as it is
        dying.go()
        refused = breaker_of(planner, "ill")["opened"]
        one = Load(host, "ill_get", 20, pause=0.001)
        until(lambda: breaker_of(planner, "ill")["opened"] >= refused + 2, "probes of what refuses")
        # it comes back: the first request is alone, and the rest follows only when it has been answered
        dying.log.clear()
        dying.mode, dying.most, dying.running = "answer", 0, 0
        dying.listen()
        until(lambda: breaker_of(planner, "ill")["state"] == "closed", "recovery")
        until(lambda: sum(code == "ok" for _, code, _ in one.done) > 50, "calls that go well again")
        one.stop()
        assert [what for _, what in dying.log[:2]] == ["begin", "end"], dying.log[:6]
        assert guard_of(planner, "ill")["breakers"][0]["failures"] == 0


def test_by_hand(host, dying):
    with host.planner() as planner:
        assert planner.data_of("ill_get", {"id": "a", "fields": "id"}) == {"id": 7}
        done = plexus(host, "breaker", "ill", "open", "--text")
        assert done.returncode == 0 and "open, held" in done.stdout, done
        before = dying.requests
        error = planner.error_of("ill_get", {"id": "a"})
        assert error["code"] == "circuit_open" and "administrator" in error["message"]
        assert planner.data_of("well_get", {"id": "a", "fields": "id"}) == {"id": 7}
        time.sleep(2 * OPEN_MS / 1000)  # it does not probe by itself
        assert planner.error_of("ill_get", {"id": "a"})["code"] == "circuit_open" and dying.requests == before
        shown = json.loads(plexus(host, "breaker", "ill", "reset", "--upstream", "api").stdout)
        assert [b["state"] for b in shown["breakers"]] == ["closed"] and shown["breakers"][0]["forced"] is None
        assert planner.data_of("ill_get", {"id": "a", "fields": "id"}) == {"id": 7}
        # closed by force: every call gets through to what hangs
        shown = json.loads(plexus(host, "breaker", "ill", "close").stdout)
        assert shown["breakers"][0]["forced"] == "closed"
        dying.mode = "hang"
        calls = [planner.begin_call("ill_get", {"id": "h%d" % i}, {"plexus/timeout_ms": 200}) for i in range(20)]
        codes = [planner.answer(one)["result"]["structuredContent"]["error"]["code"] for one in calls]
        assert "circuit_open" not in codes and breaker_of(planner, "ill")["state"] == "closed"
        # without an order it is shown, and nothing changes
        shown = json.loads(plexus(host, "breaker", "ill").stdout)
        assert shown["service"] == "ill" and shown["breakers"][0]["forced"] == "closed"
        for args, words in ((["nosuch"], "there is no service"), (["demo"], "no breaker"),
                            (["ill", "open", "--upstream", "nosuch"], "no upstream")):
            done = plexus(host, "breaker", *args)
            assert done.returncode == 1 and words in done.stderr, done


def test_breakers_are_for_administrators(host):
    config = copy.deepcopy(host.config)
    config["principals"] = {ME: {"policy": "all", "admin": False}}
    host.reload(config)
    done = plexus(host, "breaker", "ill", "open")
    assert done.returncode == 3 and "administrators" in done.stderr


def test_other_limits_under_load_lose_nothing(host, alive):
    with host.planner() as planner:
        one = Load(host, "well_get", CALLS // 2, timeout_ms=60000)
        until(lambda: len(one.done) > 200, "load")
        before = guard_of(planner, "well")
        assert before["in_flight_limit"] == 64
        config = copy.deepcopy(host.config)
        config["services"]["well"]["limits"] = {**LIMITS, "in_flight": 3, "rates": [
            {"kind": "bucket", "requests": 100000, "per_ms": 1000}]}
        host.reload(config)
        after = guard_of(planner, "well")
        assert after["in_flight_limit"] == 3 and [r["limit"] for r in after["rates"]] == [100000]
        assert after["requests"] >= before["requests"] and after["p99_us"] > 0
        until(lambda: guard_of(planner, "well")["in_flight"] <= 3, "those over the new limit have left")
        alive.most = alive.running
        n = len(one.done)
        until(lambda: len(one.done) > n + 200, "load goes on")
        assert alive.most <= 3
        del config["services"]["well"]["limits"]
        host.reload(config)
        assert guard_of(planner, "well")["in_flight_limit"] == 32, "the default"
        done = one.stop()
        assert {code for _, code, _ in done} == {"ok"}
        assert guard_of(planner, "well")["requests"] >= len(done)
    assert "replaced service=well" not in host.log() and "new limits service=well" in host.log()

"""Answers of many MiB: what runs beside them does not wait until all of one was looked at, and what ends a call ends that too."""
import asyncio
import json
import os
import shutil
import threading
import time

import pytest
from conftest import BUILD, Daemon, base_config, until

PLUGIN = BUILD / "test/abi/plugins/routes.so"
ITEM = {"id": 12345, "name": "x", "ok": True, "v": [1, 2, 3], "at": 1.25, "user": {"login": "somebody", "id": 7}}
LARGE = json.dumps([ITEM] * (15_000_000 // (len(json.dumps(ITEM)) + 2))).encode()
LIMITS = {"in_flight": 64, "queue": 512, "retry": {"attempts": 0}, "coalesce": False}


class Upstream:
    """/v1/items/large is large, /v1/items/cut ends in the middle of it; anything else is small."""

    def __init__(self):
        self.sent = 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = self.run(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/v1" % self.server.sockets[0].getsockname()[1]

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split()[1].decode()
                body = LARGE if path.endswith(("/large", "/cut")) else b'{"id":1}'
                cut = path.endswith("/cut")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                             + (body[:len(body) - 100] if cut else body))
                await writer.drain()
                self.sent += 1
                if cut:
                    return
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def host(folder, upstream):
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "routes.so")
    os.chmod(folder / "more" / "routes.so", 0o644)
    config = base_config(folder)
    config["plugin_dirs"].append(str(folder / "more"))
    for name in ("big", "small"):
        config["services"][name] = {"plugin": "routes", "config": {"base_url": upstream.url, "token": "a-token-of-the-test"},
                                    "limits": LIMITS}
    daemon = Daemon(folder, config).start()
    yield daemon
    daemon.stop()


def in_flight(planner):
    return planner.status()["calls"]["in_flight"]


def test_others_go_on(host):
    """The bound is a third of what one answer takes from its request to its result, on the same machine in the same moment. When all
    of it was looked at in one callback, that callback was nearly all of the time."""
    with host.planner() as big, host.planner() as small:
        small.call("small_get", {"id": "a"})
        began, beside = time.monotonic(), []
        for _ in range(3):
            running = big.begin_call("big_get", {"id": "large"})
            n = 0
            answers = []
            waiting = threading.Thread(target=lambda: answers.append(big.answer(running)))
            waiting.start()
            while waiting.is_alive():
                assert "error" not in small.call("small_get", {"id": "a"})
                n += 1
            beside.append(n)
            result = answers[0]["result"]
            assert not result.get("isError"), result
            told = result["structuredContent"]
            assert told["truncated"] and len(told["items"]) + told["dropped_items"] == LARGE.count(b'"id": 12345')
        each_us = (time.monotonic() - began) / 3 * 1e6
        loop = small.status()["loop"]
    assert min(beside) >= 5, beside
    assert loop["slowest_us"] < each_us / 3, (loop, each_us, beside)


def test_a_cancel_in_the_middle(host, upstream):
    with host.planner() as big, host.planner() as small:
        for i in range(8):
            running = big.begin_call("big_get", {"id": "large"})
            until(lambda: upstream.sent > i, "the answer has been sent")
            time.sleep(i * 0.01)
            big.send("notifications/cancelled", {"requestId": running, "reason": "test"})
            until(lambda: in_flight(small) == 0, "the call is over")
        assert not small.call("small_get", {"id": "a"}).get("isError")
        running = [big.begin_call("big_get", {"id": "large"}) for _ in range(3)]
        until(lambda: upstream.sent > 9, "answers have been sent")
        big.close()  # all of them at once
        until(lambda: in_flight(small) == 0, "the calls are over")


def test_a_deadline_and_a_broken_answer(host, upstream):
    with host.planner() as planner:
        error = planner.error_of("big_get", {"id": "cut"})
        assert error["code"] == "upstream_error", error
        seen = set()
        for ms in (20, 60, 150, 400):
            running = planner.begin_call("big_get", {"id": "large"}, {"plexus/timeout_ms": ms})
            result = planner.answer(running)["result"]
            seen.add(result["structuredContent"]["error"]["code"] if result.get("isError") else "ok")
        assert seen <= {"timeout", "ok"}, seen
        until(lambda: in_flight(planner) == 0, "the calls are over")


def test_a_reload_in_the_middle(host, upstream):
    """The service ends with its configuration; what it was reading ends with it, or is told."""
    with host.planner() as planner:
        config = json.loads(json.dumps(host.config))
        for i in range(3):
            running = planner.begin_call("big_get", {"id": "large"})
            until(lambda: upstream.sent > i, "the answer has been sent")
            config["services"]["big"]["config"]["token"] = "another-token-%d" % i
            host.reload(config)
            assert "result" in planner.answer(running)
        until(lambda: in_flight(planner) == 0, "the calls are over")
        assert not planner.call("big_get", {"id": "a"}).get("isError")

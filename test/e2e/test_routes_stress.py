"""Routed calls that end at every moment: cancelled, hung up on, out of time, replaced, stopped, against an upstream that
misbehaves at random. Nothing may be left of them, and no sanitizer may have a word to say (conftest)."""
import os
import random
import shutil
import socket
import struct
import threading
import time

from conftest import BUILD, Daemon, Planner, base_config, stress_seed, until

PLUGIN = BUILD / "test/abi/plugins/routes.so"
SECONDS = float(os.environ.get("PX_STRESS_SECONDS", "4"))
BODY = b'{"id":7,"title":"a title","more":[%s]}' % b",".join([b'"x"'] * 500)


class Upstream:
    """Answers, drips, stops, resets; one thread a connection."""

    def __init__(self, seed):
        self.random, self.over = random.Random(seed), threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = "http://127.0.0.1:%d/v1" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn, self.random.random()), daemon=True).start()

    def serve(self, conn, seed):
        chance = random.Random(seed)
        try:
            conn.settimeout(20)
            while True:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    piece = conn.recv(65536)
                    if not piece:
                        return
                    asked += piece
                answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
                what = chance.randrange(8)
                if what == 0:
                    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if what == 1:
                    self.over.wait(chance.random())
                if what == 2:
                    conn.sendall(answer[:chance.randrange(len(answer))])
                    return
                if what == 3:
                    conn.sendall(answer[:chance.randrange(len(answer))])
                    self.over.wait(2)
                    return
                if what == 4:
                    answer = b"HTTP/1.1 302 Found\r\nLocation: /v1/items/z\r\nContent-Length: 0\r\n\r\n"
                conn.sendall(answer)
        except OSError:
            pass
        finally:
            conn.close()

    def close(self):
        self.over.set()
        self.socket.close()


def drive(host, seed, end, failures):
    """One planner after the other, each with calls in flight when it goes."""
    chance = random.Random(seed)
    try:
        while time.monotonic() < end:
            with Planner(host.socket) as planner:
                for _ in range(chance.randrange(1, 6)):
                    ids = []
                    for _ in range(chance.randrange(1, 10)):
                        tool = chance.choice(["web_get", "web_create", "web_fetch", "web_list"])
                        args = {"web_get": {"id": "a"}, "web_create": {"name": "x"}, "web_list": {},
                                "web_fetch": {"path": "/f", "frame": chance.randrange(4), "pause_ms": chance.choice([0, 0, 5])}}[tool]
                        meta = {"plexus/timeout_ms": chance.choice([1, 20, 200, 3000]), "plexus/verbose": chance.random() < 0.3}
                        ids.append(planner.begin_call(tool, args, meta))
                    for id in ids:
                        if chance.random() < 0.4:
                            time.sleep(chance.random() * 0.01)
                            planner.send("notifications/cancelled", {"requestId": id, "reason": "chance"})
                    if chance.random() < 0.3:
                        break
                    time.sleep(chance.random() * 0.2)
    except Exception as error:  # noqa: BLE001
        failures.append(repr(error))


def test_calls_that_end_at_every_moment(folder):
    seed = stress_seed()
    upstream, failures = Upstream(seed), []
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "routes.so")
    os.chmod(folder / "more" / "routes.so", 0o644)
    config = base_config(folder)
    config["plugin_dirs"].append(str(folder / "more"))
    config["services"]["web"] = {"plugin": "routes", "config": {"base_url": upstream.url}}
    host = Daemon(folder, config).start()
    try:
        with host.planner() as planner:
            planner.call("web_get", {"id": "a"})
        with host.planner() as planner:
            before = planner.status()
        end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=drive, args=(host, seed + i, end, failures)) for i in range(6)]
        for thread in threads:
            thread.start()
        n = 0
        while time.monotonic() < end:  # replaced under its calls
            time.sleep(0.5)
            n += 1
            config["services"]["web"]["config"]["base_url"] = upstream.url + "/" * (n % 2)
            host.reload(config)
        for thread in threads:
            thread.join()
        assert not failures, failures
        with host.planner() as planner:
            def calm():
                now = planner.status()
                return now["loop"]["ops"] <= before["loop"]["ops"] and now["http"]["running"] == 0 and now
            after = until(calm, "all of it to end")
            assert after["loop"]["scopes"] <= before["loop"]["scopes"] + 1, (before["loop"], after["loop"])
            drive_on = [planner.begin_call("web_get", {"id": "a"}, {"plexus/timeout_ms": 3000}) for _ in range(8)]
        assert drive_on  # and a hang-up with calls in flight, right before the end
    finally:
        host.stop()
        upstream.close()

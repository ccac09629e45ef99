"""Writes are done once: an upstream that counts, and a daemon that dies at every place where it can hurt."""
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest
from conftest import BUILD, PLEXUS, Daemon, base_config, until

PLUGIN = BUILD / "test/abi/plugins/effects.so"
KEY = "plexus/idempotency_key"
POINTS = ["effect/begun", "effect/recorded", "sent", "effect/sent", "effect/answered", "effect/ended"]
LEFT = {"sent", "effect/sent", "effect/answered", "effect/ended"}  # at these the request was made


class Upstream(http.server.ThreadingHTTPServer):
    """Things by POST /things: one for each Idempotency-Key, or one each. `lose`: so many answers do not come; `hold`: they wait."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.things, self.keys, self.posts, self.looks = threading.Lock(), [], {}, 0, 0
        self.lose, self.hold, self.broken, self.go = 0, False, False, threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]

    def make(self, name, key):
        with self.lock:
            self.posts += 1
            if key and key in self.keys:
                return self.keys[key]
            thing = {"id": len(self.things) + 1, "name": name}
            self.things.append(thing)
            if key:
                self.keys[key] = thing
            return thing


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.server.looks += 1
        if self.server.broken:
            self.reply(500, {"message": "broken"})
        else:
            self.reply(200, self.server.things)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if body["name"] == "refuse":
            with self.server.lock:
                self.server.posts += 1
            self.reply(422, {"message": "no"})
            return
        thing = self.server.make(body["name"], self.headers.get("Idempotency-Key"))
        if self.server.hold:
            self.server.go.wait(30)
        with self.server.lock:
            lost = self.server.lose > 0
            self.server.lose -= lost
        if lost:
            self.close_connection = True
            self.connection.close()
            return
        try:
            self.reply(201, thing)
        except OSError:
            pass


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def make(folder, upstream):
    """make(env) starts the daemon; again after a crash, on the same state."""
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "effects.so")
    os.chmod(folder / "more" / "effects.so", 0o644)
    config = base_config(folder)
    config["plugin_dirs"] = [str(folder / "more")]
    config["services"] = {"up": {"plugin": "effects", "config": {"base_url": upstream.url}, "network": {"allow_private": True},
                                 "limits": {"retry": {"attempts": 1}}}}
    daemon = Daemon(folder, config)

    def start(**env):
        daemon.env = env
        return daemon.start()

    yield start
    daemon.stop()


def plexus(host, *args):
    done = subprocess.run([str(PLEXUS), "--socket", str(host.socket), "--json", *args], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def effects(host):
    return plexus(host, "effects", "--all")["effects"]


def crash(host, upstream, point, tool, key="k"):
    """A call, and the host dies at this point of it."""
    with host.planner() as planner:
        planner.begin_call(tool, {"name": "one"}, {KEY: key})
        if point == "sent":
            until(lambda: upstream.posts, "the request")
            host.kill()
        else:
            assert host.process.wait(30) == -signal.SIGKILL
            host.process = None


def call(planner, tool, key="k", name="one", **meta):
    result = planner.call(tool, {"name": name}, {KEY: key, **meta} if key else meta)
    return result.get("structuredContent"), result["_meta"]


def start_and_crash(make, upstream, point, tool):
    upstream.hold = point == "sent"
    host = make(**({} if point == "sent" else {"PLEXUS_CRASH": point}))
    crash(host, upstream, point, tool)
    upstream.hold = False
    upstream.go.set()
    assert len(upstream.things) == (point in LEFT), "no byte leaves before its effect is on record"
    return make()


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("tool", ["keyed", "found", "plain"])
def test_a_crash(make, upstream, point, tool):
    host = start_and_crash(make, upstream, point, "up_" + tool)
    listed = effects(host)
    if point == "effect/begun":  # it was not committed
        assert listed == []
    else:
        assert len(listed) == 1 and listed[0]["tool"] == "up_" + tool and listed[0]["idempotency_key"] == "k", listed
        assert json.loads(listed[0]["args"]) == {"name": "one"}
    if tool == "found" and point != "effect/begun":  # it is looked for without being asked
        want = "done" if point in LEFT else "failed"
        until(lambda: effects(host)[0]["outcome"] == want, "the host to look for it")
        assert effects(host)[0]["by"] == "verify"
        host.logged("an effect was settled")
    elif point != "effect/begun":
        assert (listed[0]["outcome"], listed[0]["by"]) == ("unknown", "start")
        host.logged("there are effects whose outcome a person has to find out")
    with host.planner() as planner:
        thing, meta = call(planner, "up_" + tool)
        if tool == "plain" and point != "effect/begun":  # nobody can know
            assert thing["error"]["code"] == "outcome_unknown" and "effects settle" in thing["error"]["advice"]
            assert len(upstream.things) == (point in LEFT)
            return
        assert thing == {"id": 1, "name": "one"}
        again, meta = call(planner, "up_" + tool)
        assert again == thing and meta["plexus/replayed"] is True
    assert upstream.things == [{"id": 1, "name": "one"}], "exactly one"
    assert effects(host)[0]["outcome"] == "done"
    assert len([e for e in effects(host) if e["outcome"] == "done"]) == 1


def test_after_the_end_a_crash_takes_nothing(make, upstream):
    host = make()
    with host.planner() as planner:
        thing, meta = call(planner, "up_plain")
        assert thing["id"] == 1 and "plexus/replayed" not in meta
        until(lambda: effects(host)[0]["outcome"] == "done", "its end")
    host.kill()
    host = make()
    with host.planner() as planner:
        again, meta = call(planner, "up_plain")
        assert again == thing and meta["plexus/replayed"] is True
        assert call(planner, "up_plain", key="another")[0]["id"] == 2
        error, _ = call(planner, "up_plain", name="other")
        assert error["error"]["code"] == "invalid_arguments" and "other arguments" in error["error"]["message"]
    assert upstream.posts == 2


def test_fifty_at_once(make, upstream):
    host = make()
    upstream.hold = True
    with host.planner() as planner:
        ids = [planner.begin_call("up_plain", {"name": "one"}, {KEY: "k"}) for _ in range(50)]
        early = [planner.answer(i)["result"] for i in ids[1:]]
        upstream.go.set()
        first = planner.answer(ids[0])["result"]["structuredContent"]
        assert {r["structuredContent"]["error"]["code"] for r in early} == {"unavailable"}
        assert all(r["structuredContent"]["error"]["retryable"] for r in early)
        assert first == {"id": 1, "name": "one"}
        assert call(planner, "up_plain")[0] == first
    assert upstream.posts == 1


def test_a_lost_answer_is_looked_for(make, upstream):
    host = make()
    with host.planner() as planner:
        upstream.lose = 1
        thing, meta = call(planner, "up_found")
        assert thing == {"id": 1, "name": "one"} and meta["plexus/settled"] == "verify"
        assert call(planner, "up_found")[1]["plexus/replayed"] is True
        assert upstream.posts == 1
        upstream.lose, upstream.broken = 1, True  # nothing can be found out
        error, _ = call(planner, "up_found", key="l", name="two", **{"plexus/timeout_ms": 3000})
        assert error["error"]["code"] == "outcome_unknown", error
        assert effects(host)[0]["outcome"] == "unknown"
        upstream.broken = False  # behind the calls it is tried again
        until(lambda: effects(host)[0]["outcome"] == "done", "it to be settled")
        assert call(planner, "up_found", key="l", name="two")[0] == {"id": 2, "name": "two"}
    assert upstream.posts == 2


def test_the_deadline_leaves_time_to_look(make, upstream):
    host = make()
    upstream.hold = True
    with host.planner() as planner:
        began = time.monotonic()
        thing, meta = call(planner, "up_found", **{"plexus/timeout_ms": 4000})
        assert thing == {"id": 1, "name": "one"} and meta["plexus/settled"] == "verify"
        assert time.monotonic() - began < 15  # its answer is held back for thirty
    assert upstream.posts == 1


def test_a_person_settles(make, upstream):
    host = make()
    with host.planner() as planner:
        upstream.lose = 2
        assert call(planner, "up_plain")[0]["error"]["code"] == "outcome_unknown"
        assert call(planner, "up_plain", key="l")[0]["error"]["code"] == "outcome_unknown"
        first, second = plexus(host, "effects")["open"]
        said = plexus(host, "effects", "settle", first["id"], "done", "--note", "thing 1 is there")
        assert (said["id"], said["outcome"], said["words"]) == (first["id"], "done", "thing 1 is there")
        done = subprocess.run([str(PLEXUS), "--socket", str(host.socket), "effects", "verify", second["id"]], capture_output=True, text=True)
        assert done.returncode == 1 and "no way to look" in done.stderr
        plexus(host, "effects", "settle", second["id"], "failed")
        assert plexus(host, "effects")["open"] == []
        error, meta = call(planner, "up_plain")
        assert "carried out" in error["error"]["message"] and not error["error"]["retryable"]
        assert call(planner, "up_plain", key="l")[0] == {"id": 3, "name": "one"}
    listed = {e["id"]: e for e in effects(host)}
    assert listed[first["id"]]["by"] == "person" and listed[first["id"]]["words"] == "thing 1 is there"


def test_what_is_secret_is_not_on_record(make, upstream):
    host = make()
    with host.planner() as planner:
        upstream.lose, upstream.broken = 1, True
        result = planner.call("up_found", {"name": "one", "secret": "hush-hush-hush"}, {"plexus/timeout_ms": 2000})
        assert result["structuredContent"]["error"]["code"] == "outcome_unknown"
        effect = effects(host)[0]
        assert "hush" not in json.dumps(effect) and "***" in effect["args"]
    host.kill()
    for name in os.listdir(host.folder / "state"):
        assert b"hush-hush-hush" not in (host.folder / "state" / name).read_bytes(), name
    upstream.broken = False
    host = make()
    host.logged("there are effects whose outcome a person has to find out")  # the arguments to look with are gone
    done = subprocess.run([str(PLEXUS), "--socket", str(host.socket), "effects", "verify", effect["id"]], capture_output=True, text=True)
    assert done.returncode == 1 and "masked" in done.stderr, done


def test_a_failure_frees_the_key(make, upstream):
    host = make()
    with host.planner() as planner:
        assert call(planner, "up_plain", name="refuse")[0]["error"]["code"] == "invalid_arguments"
        assert call(planner, "up_plain")[0] == {"id": 1, "name": "one"}
    assert [e["outcome"] for e in effects(host)] == ["done", "failed"]


def test_keys_have_a_length(make, upstream):
    host = make()
    with host.planner() as planner:
        for key in ("", "k" * 257, "\u00e9" * 129, 7, None, ["k"]):
            answer = planner.answer(planner.begin_call("up_plain", {"name": "one"}, {KEY: key}))
            assert "1 to 256 bytes" in answer["error"]["message"], answer
        assert call(planner, "up_plain", key="k" * 256)[0]["id"] == 1
        assert call(planner, "up_plain", key="k" * 255 + "l")[0]["id"] == 2
        assert call(planner, "up_plain", key="k" * 256)[1]["plexus/replayed"] is True
    assert upstream.posts == 2


def test_keys_are_stable_and_apart(make, upstream):
    """What the upstream gets as a key is no caller's own, and never the same for two effects."""
    host = make()
    with host.planner() as planner:
        call(planner, "up_keyed")
        call(planner, "up_keyed", key="l", name="two")
        call(planner, "up_keyed", key=None, name="three")
        call(planner, "up_keyed", key=None, name="three")
    assert len(upstream.keys) == 4 and len(upstream.things) == 4
    assert all(len(key) == 32 and key not in ("k", "l") for key in upstream.keys)

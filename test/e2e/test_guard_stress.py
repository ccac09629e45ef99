"""Everything between a planner and an upstream at once, at random: reads that are shared, writes with and without keys, deadlines, cancels,
hang-ups; an upstream and a token endpoint that misbehave and say absurd things of their limits; reloads, breaker orders, pauses, secrets
that come and go, logins. Every call has one answer, in time; nothing is left; no write without a key came twice, and none with two."""
import contextlib
import json
import os
import random
import re
import shutil
import socket
import struct
import threading
import time

from conftest import BUILD, WAIT, Daemon, Planner, RpcError, base_config, stress_seed, until

PLUGINS = [BUILD / "test/abi/plugins" / name for name in ("chaos.so", "routes.so")]
SECONDS = float(os.environ.get("PX_STRESS_SECONDS", "6"))
PLANNERS = int(os.environ.get("PX_STRESS_PLANNERS", "8"))
SLACK = 10.0  # seconds behind its deadline, until a call's answer is late (sanitizers, a busy machine, and a test whose threads take turns)
AMOUNTS = ["0", "1", "7", "-1", "NaN", "inf", "1e308", "99999999999999999999999999", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
           "0.0000001", "1e-400", "", " ", "0x10", "1,5", "5;w=1", "\t3", "3 3", "-0", "+5", "2147483648", "4294967296"]
TIMES = AMOUNTS + ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 30 Feb 2026 25:61:61 GMT", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
                   "2026-13-45T99:99:99Z", "253402300799", "0.5", "1"]
QUOTAS = ["x-ratelimit-limit", "x-ratelimit-remaining", "ratelimit-limit", "ratelimit-remaining"]
RESETS = ["x-ratelimit-reset", "x-ratelimit-reset-after", "ratelimit-reset", "retry-after"]


class Upstream:
    """One thread a connection; what it does with a request is chance, but for the requests that it counts."""

    def __init__(self, seed):
        self.chance, self.over, self.lock = random.Random(seed), threading.Event(), threading.Lock()
        self.counted = {}  # (method, path) -> how often its whole head has come
        self.keys = {}  # path -> the idempotency keys it came with
        self.tokens, self.calm, self.plain = 0, False, False
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn, self.chance.random()), daemon=True).start()

    def headers(self, chance):
        made = []
        if chance.random() < 0.1:
            for name in QUOTAS:
                if chance.random() < 0.5:
                    made.append((name, chance.choice(AMOUNTS)))
            for name in RESETS:
                if chance.random() < 0.3:
                    made.append((name, chance.choice(TIMES)))
            if chance.random() < 0.3:
                made.append(("x-ratelimit-bucket", chance.choice(["a", "b", "c" * 500, "", "\xff"]) + str(chance.randrange(50))))
            if chance.random() < 0.3:
                made.append(("x-ratelimit-resource", chance.choice(["core", "search", "x" * 300]) + chance.choice(["", str(chance.randrange(100))])))
            if chance.random() < 0.3:
                made.append(("x-shopify-shop-api-call-limit", chance.choice(AMOUNTS) + "/" + chance.choice(AMOUNTS)))
            if chance.random() < 0.3:
                made.append(("ratelimit", '"p";r=%s;t=%s, "q\\";r=1' % (chance.choice(AMOUNTS), chance.choice(AMOUNTS))))
                made.append(("ratelimit-policy", '"p";q=%s;w=60' % chance.choice(AMOUNTS)))
        return made

    def body(self, chance):
        def number():
            return chance.choice(["0", "1", "-5", "1e308", "9223372036854775807", "99999999999999999999999", '"x"', "null", "0.5"])
        if chance.random() < 0.5:
            return b'{"id":7}'
        return ('{"message":"secondary rate limit","global":%s,"retry_after":%s,"extensions":{"cost":{"actualQueryCost":%s,"throttleStatus":{"maximumAvailable":%s,'
                '"currentlyAvailable":%s,"restoreRate":%s}}},"data":{"rateLimit":{"limit":%s,"remaining":%s,"cost":%s,"resetAt":"%s"}}}'
                % (chance.choice(["true", "false", "7"]), *[number() for _ in range(8)], chance.choice(TIMES).strip())).encode()

    def token(self, chance):
        with self.lock:
            self.tokens += 1
            n = self.tokens
        good = {"access_token": "token-%d-that-works" % n, "token_type": "Bearer", "expires_in": chance.choice([1, 2, 3, 5])}
        what = 9 if self.calm else chance.randrange(9)
        if what == 0:
            good["expires_in"] = chance.choice([-1, 0, 1e308, 2**63, "soon", None, [], 0.001])
        if what == 1:
            good["access_token"] = chance.choice(["", "a\r\nb: c", 7, None, "x" * 100000, "\u0000"])
        if what == 2:
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"access"
        if what == 3:
            body = json.dumps({"error": chance.choice(["invalid_grant", "invalid_client", "temporarily_unavailable", 7, "slow_down"])}).encode()
            return b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        if what == 4:
            return b"HTTP/1.1 503 Down\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % chance.choice(TIMES[1:]).strip().encode()
        if chance.random() < 0.5:
            good["refresh_token"] = "refresh-%d-that-works" % n
        return self.plainly(good)

    @staticmethod
    def plainly(value):
        body = json.dumps(value).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def answer(self, method, path, chance):
        if path.startswith("/token"):
            return self.token(chance)
        if path.startswith("/device"):
            return self.plainly({"device_code": "device-%d" % chance.randrange(10 ** 9), "user_code": chance.choice(["AB-CD", "\n", "x" * 100]) if chance.random() < 0.3 else "AB-CD",
                                 "verification_uri": self.url, "interval": chance.choice([1, 1, 1, 0, -1, 1e308, 2 ** 64]), "expires_in": chance.choice([2, 10, 0, -1, 2 ** 70])})
        if path.startswith("/found/"):
            items = [] if chance.random() < 0.5 else [{"marker": key} for key in self.keys.get("/c/" + path[7:], [])]
            body, status = json.dumps({"items": items}).encode(), 200
        else:
            status = 200 if self.calm or self.plain else chance.choice([200] * 20 + [401, 403, 404, 408, 425, 429, 429, 429, 500, 502, 503, 503, 504, 304, 422, 302])
            body = b"" if status == 304 else self.body(chance)
        lines = ["HTTP/1.1 %d X" % status, "Content-Type: application/json", "Content-Length: %d" % len(body)]
        if not self.calm and not self.plain:
            lines += ["%s: %s" % pair for pair in self.headers(chance)]
        if status in (429, 503) and chance.random() < 0.7:
            lines.append("Retry-After: " + chance.choice(TIMES + ["0", "0.05", "0.2"] * 40))
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body

    def one(self, conn, asked):
        """The next request's method and path, and what came behind it."""
        while b"\r\n\r\n" not in asked:
            piece = conn.recv(65536)
            if not piece:
                return None
            asked += piece
        head, asked = asked.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        n = int(headers.get("content-length", 0))
        while len(asked) < n:
            piece = conn.recv(65536)
            if not piece:
                return None
            asked += piece
        method, path, _ = lines[0].split(" ")
        with self.lock:
            self.counted[method, path] = self.counted.get((method, path), 0) + 1
            if method == "POST" and path.startswith("/c/"):
                key = headers.get("idempotency-key")
                if not key and b"marker" in asked[:n]:
                    key = json.loads(asked[:n])["marker"]
                self.keys.setdefault(path, []).append(key)
        return method, path, asked[n:]

    def serve(self, conn, seed):
        chance, rest = random.Random(seed), b""
        try:
            conn.settimeout(20)
            while not self.over.is_set():
                got = self.one(conn, rest)
                if not got:
                    return
                method, path, rest = got
                answer = self.answer(method, path, chance)
                what = 99 if self.calm else chance.randrange(14)
                if what == 0:
                    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if what in (1, 2):
                    self.over.wait(chance.random())
                if what == 3:
                    conn.sendall(answer[:chance.randrange(len(answer))])
                    return
                if what == 4:
                    conn.sendall(answer[:chance.randrange(len(answer))])
                    self.over.wait(2)
                    return
                conn.sendall(answer)
        except (OSError, ValueError):
            pass
        finally:
            conn.close()

    def close(self):
        self.over.set()
        self.socket.close()


CHAOS = ["get", "get", "search", "put", "delete", "post", "post_key", "post_verify", "github", "shopify", "discord", "throttle", "graphql_cost"]
SHARED = {"get", "search", "github", "shopify", "discord", "throttle", "graphql_cost"}
WRITES = {"put", "delete", "post", "post_key", "post_verify"}


class Driver:
    """Planners one after the other; what each call is to become is remembered until its answer is there."""

    def __init__(self, host, seed, end, tally):
        self.host, self.chance, self.end, self.tally, self.number = host, random.Random(seed), end, tally, seed * 1000000
        self.failures = []

    def call(self, planner):
        chance = self.chance
        service = chance.choice(["up", "up", "up", "tok", "sec", "log"])
        if service != "up":
            tool = service + "_" + chance.choice(["get", "get", "get", "create", "list", "fetch"])
            args = {"get": {"id": chance.choice("ab")}, "create": {"name": "x"}, "list": {}, "fetch": {"path": "/f", "frame": chance.randrange(4)}}[tool.split("_")[1]]
        else:
            service = "up%d" % self.host.epoch
            name = chance.choice(CHAOS)
            self.number += 1
            case = chance.choice("abc") if name in SHARED else "n%d" % self.number
            tool, args = service + "_" + name, {"case": case}
        ms = chance.choice([1, 20, 200, 1000, 3000, 6000])
        meta = {"plexus/timeout_ms": ms, "plexus/verbose": chance.random() < 0.2, "progressToken": self.number}
        if tool.split("_", 1)[1] in ("post", "post_key", "post_verify", "put") and chance.random() < 0.4:
            args = {"case": "shared%d" % chance.randrange(10 ** 9)} if chance.random() < 0.5 else {"case": "key%d" % (int(time.monotonic() * 5))}
            meta["plexus/idempotency_key"] = args["case"]
        return planner.begin_call(tool, args, meta), time.monotonic() + ms / 1000

    def read(self, planner, calls, hurry):
        """Answers, until all are there (or, in a hurry, for some time)."""
        until = time.monotonic() + (self.chance.random() if hurry else 30)
        while calls and time.monotonic() < until:
            planner.socket.settimeout(max(0.01, until - time.monotonic()))
            try:
                message = planner.line()
            except TimeoutError:
                break
            assert message is not None, "the host has closed the connection"
            if "method" in message:
                continue
            assert message["id"] in calls, ("a second answer", message)
            late = time.monotonic() - calls.pop(message["id"])
            self.tally["late"] = max(self.tally["late"], late)
            result = message.get("result", {})
            word = "error" if "error" in message else result["structuredContent"]["error"]["code"] if result.get("isError") else "ok"
            self.tally[word] = self.tally.get(word, 0) + 1
        assert hurry or not calls, ("never answered", calls)

    def drive(self):
        try:
            while time.monotonic() < self.end:
                with Planner(self.host.socket) as planner:
                    calls = {}
                    for _ in range(self.chance.randrange(1, 5)):
                        for _ in range(self.chance.randrange(1, 12)):
                            id, late = self.call(planner)
                            calls[id] = late
                        for id in list(calls):
                            if self.chance.random() < 0.2:
                                time.sleep(self.chance.random() * 0.01)
                                planner.send("notifications/cancelled", {"requestId": id, "reason": "chance"})
                                calls[id] += 100  # it may be answered still, or not
                        self.read(planner, calls, True)
                    if self.chance.random() < 0.7:
                        left = {id: late for id, late in calls.items() if late < time.monotonic() + 50}
                        ids = set(calls)
                        self.finish(planner, left, ids)
        except Exception as error:  # noqa: BLE001
            self.failures.append(repr(error)[:2000])

    def finish(self, planner, left, ids):
        until = time.monotonic() + 30
        while left and time.monotonic() < until:
            planner.socket.settimeout(max(0.01, until - time.monotonic()))
            message = planner.line()
            assert message is not None, "the host has closed the connection"
            if "method" in message:
                continue
            assert message["id"] in ids, ("a second answer", message)
            ids.discard(message["id"])
            if message["id"] in left:
                self.tally["late"] = max(self.tally["late"], time.monotonic() - left.pop(message["id"]))
        assert not left, ("never answered", left)


LIMITS = [
    {},
    {"in_flight": 1, "queue": 3},
    {"in_flight": 2, "queue": 100, "queue_ms": 300, "rates": [{"kind": "bucket", "requests": 20, "per_ms": 1000, "burst": 3}]},
    {"rates": [{"kind": "sliding", "requests": 5, "per_ms": 200}, {"kind": "fixed", "requests": 1000000000, "per_ms": 2678400000}], "retry": {"attempts": 10, "base_ms": 1, "max_ms": 50,
     "budget_percent": 100, "budget_min": 1000}},
    {"in_flight": 200, "queue": 1000, "breaker": {"consecutive": 2, "open_ms": 50, "max_open_ms": 200}, "coalesce": False},
    {"spacing_percent": 100, "groups": {"core": {"rates": [{"kind": "bucket", "requests": 1, "per_ms": 300}]}}, "breaker": {"enabled": False}},
    {"queue": 0, "upstreams": {"api": {"in_flight": 3}, "discord": {"rates": [{"kind": "fixed", "requests": 3, "per_ms": 500}]}}},
]


def configure(folder, upstream, secret, epoch=0, chance=None):
    """The configuration as it is without `chance`, else one of its variants."""
    def limits():
        return chance.choice(LIMITS) if chance else {}
    auth = {"kind": "oauth2", "flow": "client_credentials", "token_url": upstream.url + "/token", "client_id": "c", "client_secret": {"file": str(secret)}}
    if chance and chance.random() < 0.2:
        auth["client_id"] = "d"
    config = base_config(folder, http={"listen": "127.0.0.1:0"}, limits={"calls_per_principal": 500, "calls": 1000})
    config["plugin_dirs"].append(str(folder / "more"))
    up = {"base_url": upstream.url + ("/" if chance and chance.random() < 0.2 else "")}
    config["services"]["up%d" % epoch] = {"plugin": "chaos", "limits": limits(), "config": up}
    config["services"]["tok"] = {"plugin": "routes", "limits": limits(), "config": {"base_url": upstream.url + "/v1"}, "auth": auth}
    config["services"]["sec"] = {"plugin": "routes", "limits": limits(), "config": {"base_url": upstream.url + "/v1", "token": {"stored": "t"}}}
    login = {"kind": "oauth2", "flow": "device", "token_url": upstream.url + "/token", "device_url": upstream.url + "/device", "client_id": "c",
             "revocation_url": upstream.url + "/revoke", "scopes": ["a"]}
    if chance and chance.random() < 0.2:
        login["scopes"] = ["b"]
    config["services"]["log"] = {"plugin": "routes", "limits": limits(), "config": {"base_url": upstream.url + "/v1"}, "auth": login}
    if chance and chance.random() < 0.1:
        del config["services"][chance.choice(["up%d" % epoch, "tok", "sec", "log"])]
    return config


def orders(host, seed, end, failures):
    """What an administrator does meanwhile."""
    chance = random.Random(seed)
    try:
        with host.planner() as planner:
            while time.monotonic() < end:
                what = chance.choice([
                    ("plexus/breaker", {"service": chance.choice(["up%d" % host.epoch, "tok", "sec"]), "order": chance.choice(["open", "close", "reset", "reset"])}),
                    ("plexus/pause", {"service": "tok"}), *[("plexus/resume", {"service": "tok"})] * 3,
                    ("plexus/secret/set", {"name": "t", "value": "v" * chance.randrange(8, 1000)}), ("plexus/secret/remove", {"name": "t"}),
                    ("plexus/auth/status", {}), ("plexus/status", {}), ("plexus/effects", {}), ("plexus/auth/logout", {"service": "tok"})])
                with contextlib.suppress(RpcError):
                    planner.request(*what)
                if what[0] == "plexus/effects" and chance.random() < 0.5:
                    opened = planner.request("plexus/effects", {"limit": 20})["open"]
                    for effect in opened[:3]:
                        with contextlib.suppress(RpcError):
                            planner.request("plexus/effect/verify", {"id": effect["id"]})
                time.sleep(chance.random() * 0.1)
            for name in ("tok", "sec"):
                with contextlib.suppress(RpcError):
                    planner.request("plexus/breaker", {"service": name, "order": "reset"})
                with contextlib.suppress(RpcError):
                    planner.request("plexus/resume", {"service": name})
    except Exception as error:  # noqa: BLE001
        failures.append("orders: " + repr(error)[:2000])


def ended(planner, id, done):
    """Whether a login ended well. A code that lives long, and a provider that says "come back tomorrow", make one wait for as long as a login
    may (ten minutes): a person who does not want to gives up, and is heard at once."""
    try:
        planner.socket.settimeout(12)  # a device code of the ten seconds, and a little
        return "result" in planner.answer(id)
    except TimeoutError:
        done["given up"] = done.get("given up", 0) + 1
        planner.send("notifications/cancelled", {"requestId": id, "reason": "patience"})
        return False
    finally:
        planner.socket.settimeout(WAIT)


def logins(host, seed, end, failures, done):
    """Begun, and then cancelled, hung up on, or waited for; logged out again."""
    chance = random.Random(seed)
    try:
        while time.monotonic() < end:
            with Planner(host.socket) as planner:
                for _ in range(chance.randrange(1, 6)):
                    if time.monotonic() > end:
                        break
                    id = planner.begin("plexus/auth/login", {"service": "log", "device": True})
                    other = planner.begin("plexus/auth/login", {"service": "log", "device": True}) if chance.random() < 0.5 else None
                    if chance.random() < 0.3:
                        time.sleep(chance.random())
                        planner.send("notifications/cancelled", {"requestId": id, "reason": "chance"})
                    elif chance.random() < 0.8:
                        done["logins"] = done.get("logins", 0) + ended(planner, id, done)
                    if other and chance.random() < 0.5:
                        ended(planner, other, done)
                    out = planner.begin("plexus/auth/logout", {"service": "log"})
                    if chance.random() < 0.5:
                        planner.answer(out)
    except Exception as error:  # noqa: BLE001
        failures.append("logins: " + repr(error)[:2000])


def slow_lorises(host, end):
    """Readers of /metrics who send a byte now and then."""
    found = re.findall(r"listening for HTTP at=\S+:(\d+)", host.log())
    held = []
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if len(held) < 16:
                held.append(socket.create_connection(("127.0.0.1", int(found[-1])), timeout=1))
            for one in held:
                one.send(b"G")
        time.sleep(0.1)
    for one in held:
        one.close()


def fds(host):
    return len(os.listdir("/proc/%d/fd" % host.pid))


def test_everything_at_once(folder):
    seed = stress_seed()
    upstream, failures, tally, chance = Upstream(seed), [], {"late": 0}, random.Random(seed)
    (folder / "more").mkdir()
    for plugin in PLUGINS:
        shutil.copy(plugin, folder / "more")
        os.chmod(folder / "more" / plugin.name, 0o644)
    secret = folder / "secret"
    secret.write_text("a-client-secret")
    secret.chmod(0o600)
    host = Daemon(folder, configure(folder, upstream, secret)).start()
    host.epoch = 0
    try:
        with host.planner() as planner:
            planner.request("plexus/secret/set", {"name": "t", "value": "the-first-one"})
            before, before_fds = planner.status(), fds(host)
        end = time.monotonic() + SECONDS
        drivers = [Driver(host, seed + i, end, tally) for i in range(PLANNERS)]
        threads = [threading.Thread(target=driver.drive) for driver in drivers]
        threads.append(threading.Thread(target=orders, args=(host, seed, end, failures)))
        threads.append(threading.Thread(target=logins, args=(host, seed, end, failures, tally)))
        threads.append(threading.Thread(target=slow_lorises, args=(host, end)))
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            time.sleep(chance.random())
            host.epoch += chance.random() < 0.4  # what absurd things it was told, a service keeps: another takes over
            host.reload(configure(folder, upstream, secret, host.epoch, chance))
        for thread in threads:
            thread.join()
        failures += [failure for driver in drivers for failure in driver.failures]
        assert not failures, failures
        upstream.calm = True
        host.reload(configure(folder, upstream, secret))
        with host.planner() as planner:
            def calm():
                now = planner.status()
                return now["loop"]["ops"] <= before["loop"]["ops"] and now["http"]["running"] == 0 and now
            after = until(calm, "all of it to end: %s" % before["loop"])
            assert after["loop"]["scopes"] <= before["loop"]["scopes"] + 1, (before["loop"], after["loop"])
            for service in after["services"]:
                guard = service.get("guard")
                assert not guard or (guard.get("in_flight", 0) == 0 and guard.get("waiting", 0) == 0), service
            open_fds = fds(host)  # idle connections among them, of which there is a cap (CURLMOPT_MAXCONNECTS)
            assert open_fds <= before_fds + 300, (before_fds, open_fds)
            effects = planner.request("plexus/effects", {"settled": True, "limit": 1000})["effects"]
        print(tally, len(effects), "effects", upstream.tokens, "tokens")
        assert tally["late"] < SLACK, tally
        assert not [effect for effect in effects if effect["outcome"] == "open"], "an effect of no call is open"
        once = {path: n for (method, path), n in upstream.counted.items() if method == "POST" and path.startswith("/c/n")}
        keys = {path: len(set(found)) for path, found in upstream.keys.items() if path.startswith("/c/n")}
        assert all(keys[path] == 1 for path in once), [path for path in once if keys[path] != 1][:5]
        twice = [path for path, n in once.items() if n > 1 and None in upstream.keys[path]]
        assert not twice, twice
    finally:
        host.stop()
        upstream.close()


def writes(host, seed, end, told):
    """Writes with a key each, until the host is gone; what came back."""
    chance, number = random.Random(seed), 0
    with contextlib.suppress(OSError, AssertionError, TimeoutError):
        with Planner(host.socket) as planner:
            ids = {}
            while time.monotonic() < end:
                for _ in range(chance.randrange(1, 8)):
                    number += 1
                    case = "n%d-%d" % (seed, number)
                    tool = chance.choice(["post", "post_key", "post_verify"])
                    told[case] = (tool, None)
                    ids[planner.begin_call("up0_" + tool, {"case": case}, {"plexus/idempotency_key": case, "plexus/timeout_ms": 5000})] = case
                for _ in range(chance.randrange(len(ids))):
                    message = planner.line()
                    if message is None:
                        return
                    if message.get("id") in ids:
                        case = ids.pop(message["id"])
                        result = message["result"]
                        told[case] = (told[case][0], result["structuredContent"]["error"]["code"] if result.get("isError") else "ok")


def test_killed_with_effects_open(folder):
    """kill -9 in the middle of many writes, four times: each was on record before it left, has left once (or with one key), and a repeat of one
    whose result was told gets that result without another request."""
    seed = stress_seed()
    upstream, chance = Upstream(seed), random.Random(seed)
    (folder / "more").mkdir()
    for plugin in PLUGINS:
        shutil.copy(plugin, folder / "more")
        os.chmod(folder / "more" / plugin.name, 0o644)
    secret = folder / "secret"
    secret.write_text("a-client-secret")
    secret.chmod(0o600)
    config = configure(folder, upstream, secret)
    config["services"]["up0"]["limits"] = {"in_flight": 200, "queue": 1000, "spacing_percent": 0, "breaker": {"enabled": False}}
    host = Daemon(folder, config)
    told = {}
    try:
        for turn in range(4):
            upstream.plain = True
            host.start()
            threads = [threading.Thread(target=writes, args=(host, seed % 1000 * 100 + turn * 10 + i, time.monotonic() + 5, told)) for i in range(6)]
            for thread in threads:
                thread.start()
            time.sleep(0.3 + chance.random())
            host.kill()
            for thread in threads:
                thread.join()
        upstream.calm = True
        host.start()
        with host.planner() as planner:
            def settled():
                open_now = planner.request("plexus/effects", {"limit": 1000})["open"]
                return not [one for one in open_now if one["outcome"] == "open"]
            until(settled, "what was open is unknown, or settled")
            asked = list(told)[:200] + list(told)[-200:]
            seen = dict(upstream.counted)
            for case in asked:
                tool, word = told[case]
                result = planner.call("up0_" + tool, {"case": case}, {"plexus/idempotency_key": case, "plexus/timeout_ms": 10000})
                now = result["structuredContent"]["error"]["code"] if result.get("isError") else "ok"
                if word == "ok":
                    assert now == "ok" and result["_meta"]["plexus/replayed"], (case, tool, result)
                    assert upstream.counted["POST", "/c/" + case] == seen["POST", "/c/" + case], case
                if tool == "post" and word is None and seen.get(("POST", "/c/" + case)):
                    assert now in ("outcome_unknown", "ok") or result["structuredContent"]["error"].get("retryable"), (case, result)
        for case, (tool, word) in told.items():
            n, keys = upstream.counted.get(("POST", "/c/" + case), 0), upstream.keys.get("/c/" + case, [])
            assert len(set(keys)) <= 1, (case, tool, word, keys)
            assert n <= 1 or tool != "post", (case, tool, word, n)
        print(len(told), "writes,", sum(word is not None for _, word in told.values()), "told,", sum(upstream.counted.values()), "requests")
    finally:
        host.stop()
        upstream.close()

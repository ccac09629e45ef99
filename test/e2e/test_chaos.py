"""Every failure of an upstream, against every class of methods: how many requests it saw, and what the caller was told.

`pytest -s` prints the table."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest
from chaos.server import Full, Upstream, do, status
from conftest import BUILD, Daemon, base_config, quiet_port, until
from test_http_listener import metrics, one, port

PLUGIN = BUILD / "test/abi/plugins/chaos.so"
ATTEMPTS = 3  # the first one, and two more
REPEATABLE = ("get", "search", "put", "delete", "post_key")
ONCE = ("post", "post_verify")
CLASSES = REPEATABLE + ONCE
LIMITS = {
    "in_flight": 200, "queue": 1000, "breaker": {"enabled": False}, "spacing_percent": 0,
    "retry": {"attempts": ATTEMPTS - 1, "base_ms": 5, "max_ms": 20, "budget_percent": 100, "budget_min": 1000},
}


@pytest.fixture(scope="module")
def world():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="px-", dir="/tmp"))
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "chaos.so")
    os.chmod(folder / "more" / "chaos.so", 0o644)
    upstream, full = Upstream(), Full()
    config = base_config(folder, http={"listen": "127.0.0.1:0"}, limits={"calls_per_principal": 500, "calls": 1000})
    config["plugin_dirs"].append(str(folder / "more"))
    for name, url in (("up", upstream.url), ("dead", "http://127.0.0.1:%d" % quiet_port()), ("full", full.url)):
        config["services"][name] = {"plugin": "chaos", "limits": LIMITS, "config": {"base_url": url}}
    daemon = Daemon(folder, config).start()
    with daemon.planner(timeout=120) as planner:
        planner.upstream, planner.daemon = upstream, daemon
        yield planner
    daemon.stop()
    upstream.close()
    full.close()
    shutil.rmtree(folder, ignore_errors=True)


def outcome(result):
    """("ok", …) or (code, retryable, retry_after_ms)."""
    if not result.get("isError"):
        return ("ok", None, None)
    error = result["structuredContent"]["error"]
    return (error["code"], error["retryable"], error.get("retry_after_ms"))


def run(world, name, steps, service="up", timeout_ms=60000):
    """One failure against every class, at once. {class: (requests seen, outcome, result)}"""
    calls = {}
    for kind in CLASSES:
        case = re.sub(r"\W+", "_", f"{name}_{kind}")
        world.upstream.script(case, *[dict(step) for step in steps])
        calls[kind] = case, world.begin_call(f"{service}_{kind}", {"case": case}, {"plexus/timeout_ms": timeout_ms})
    rows = {}
    for kind, (case, id) in calls.items():
        result = world.answer(id)["result"]
        seen = world.upstream.seen(case)
        keys = {one.key for one in seen}
        assert kind != "post_key" or not seen or (len(keys) == 1 and None not in keys), "one key for every attempt"
        rows[kind] = (len(seen), outcome(result), result)
    show(name, rows)
    return rows


def show(name, rows):
    print(f"\n{name:26}" + "".join(f" {kind}:{n}/{out[0]}{'' if out[1] is None else '+' if out[1] else '-'}{'' if not out[2] else '@%d' % out[2]}"
                                  for kind, (n, out, _) in rows.items()), end="")


def test_identical_reads_are_one(world):
    """Twenty calls that read the same at once are one request; writes never are."""
    here = threading.Event()
    world.upstream.script("same", status(200, until=here))
    calls = [world.begin_call("up_get", {"case": "same"}) for _ in range(20)]
    until(lambda: world.status()["calls"]["in_flight"] == 20, "all of them")
    here.set()
    assert all(outcome(world.answer(id)["result"])[0] == "ok" for id in calls)
    assert world.upstream.count("same") == 1
    writes = [world.begin_call("up_put", {"case": "same_put"}) for _ in range(5)]
    assert all(outcome(world.answer(id)["result"])[0] == "ok" for id in writes)
    assert world.upstream.count("same_put") == 5


def guard(world, service):
    return next(one for one in world.status()["services"] if one["name"] == service)["guard"]


def check(rows, attempts, read, write, once, settled=None):
    """`attempts`: what the upstream saw of what may be repeated. The outcome of reads, of writes that may be repeated, of those that may not;
    `settled`: of those that may not, where the upstream can be asked whether they happened. (code, retryable)"""
    for kind, (seen, out, result) in rows.items():
        wanted = read if kind in ("get", "search") else write if kind in REPEATABLE else settled if settled and kind == "post_verify" else once
        assert seen == (attempts if kind in REPEATABLE else min(attempts, 1)), f"{kind}: {seen} requests"
        assert out[:2] == wanted, f"{kind}: {result}"


OK = ("ok", None)
UNKNOWN = ("outcome_unknown", False)
AGAIN = {  # what a status says to reads, and to writes that were sent once
    408: (("timeout", True), ("timeout", True)),
    425: (("unavailable", True), ("unavailable", True)),
    429: (("rate_limited", True), ("rate_limited", True)),
    500: (("upstream_error", True), ("upstream_error", False)),
    502: (("upstream_error", True), UNKNOWN),
    503: (("unavailable", True), ("unavailable", True)),
    504: (("timeout", True), UNKNOWN),
    520: (("upstream_error", True), UNKNOWN),
    524: (("timeout", True), UNKNOWN),
}
LASTING = {
    400: "invalid_arguments", 401: "unauthorized", 402: "forbidden", 403: "forbidden", 404: "not_found", 405: "upstream_error",
    406: "upstream_error", 409: "upstream_error", 410: "not_found", 412: "upstream_error", 413: "too_large", 415: "upstream_error",
    422: "invalid_arguments", 423: "upstream_error", 501: "upstream_error", 505: "upstream_error", 599: "upstream_error",
}


def settled(once, did, first="upstream_error"):
    """Where it can be looked for, the host says which; what did not happen failed as the attempt did."""
    return once if once != UNKNOWN else OK if did else (first, True)


BROKEN = ("reset", "close", "reset_unread", "close_unread", "reset_after_head", "reset_in_body", "close_in_body")


@pytest.mark.parametrize("code", AGAIN)
def test_a_status_that_passes(world, code):
    """Repeated where that does no harm; a write without a key leaves once."""
    once = AGAIN[code][1]
    rows = run(world, f"{code}, {code}, 200", [status(code)] * 2)
    check(rows, ATTEMPTS, OK, OK, once, settled(once, False, AGAIN[code][0][0]))


@pytest.mark.parametrize("code", AGAIN)
def test_a_status_that_stays(world, code):
    read, once = AGAIN[code]
    rows = run(world, f"{code} always", [status(code)] * 9)
    write = UNKNOWN if once == UNKNOWN else read
    if code == 500:  # an answer of the application: the same again, as far as it knows
        assert rows["post_key"][1][:2] == once
        rows.pop("post_key")
    check(rows, ATTEMPTS, read, write, once, settled(once, False, read[0]))
    assert all(out[2] is None for _, out, _ in rows.values()), "nobody asked for a wait: nobody is told one"


@pytest.mark.parametrize("code", LASTING)
def test_a_status_that_is_an_answer(world, code):
    """What will not change is not asked for again."""
    rows = run(world, f"{code} always", [status(code)] * 9)
    one = (LASTING[code], False)
    check(rows, 1, one, one, one)


@pytest.mark.parametrize("did", (False, True))
@pytest.mark.parametrize("what", BROKEN)
def test_no_answer(world, what, did):
    rows = run(world, f"{what} always{' (done)' if did else ''}", [do(what, did)] * 9)
    check(rows, ATTEMPTS, ("upstream_error", True), UNKNOWN, UNKNOWN, settled(UNKNOWN, did))


@pytest.mark.parametrize("what", BROKEN)
def test_no_answer_once(world, what):
    rows = run(world, f"{what}, 200", [do(what)])
    check(rows, 2, OK, OK, UNKNOWN, settled(UNKNOWN, False))


def test_no_http(world):
    """Whoever does not speak HTTP will not learn it."""
    rows = run(world, "garbage", [do("garbage")] * 9)
    check(rows, 1, ("upstream_error", False), UNKNOWN, UNKNOWN, settled(UNKNOWN, False))


@pytest.mark.parametrize("what", ("stall", "stall_in_body"))
def test_timeouts(world, what):
    rows = run(world, what, [do(what)] * 9)
    check(rows, ATTEMPTS, ("timeout", True), UNKNOWN, UNKNOWN, settled(UNKNOWN, False, "timeout"))


@pytest.mark.parametrize("service, code", [("dead", "unavailable"), ("full", "timeout")])
def test_no_connection(world, service, code):
    """Nothing has left, so everything may be tried again, writes too; and none of them is unknown."""
    before = guard(world, service)["retries"]
    rows = run(world, "refused" if service == "dead" else "full backlog", [], service)
    for kind, (_, out, result) in rows.items():
        assert out[:2] == (code, True), f"{kind}: {result}"
    assert guard(world, service)["retries"] - before == (ATTEMPTS - 1) * len(CLASSES)


def test_metrics(world):
    """What the guards count is what they did."""
    at = port(world.daemon)
    before = metrics(at)
    world.upstream.script("counted", status(503), status(200, delay=0.2))
    assert outcome(world.call("up_get", {"case": "counted"}))[0] == "ok"
    assert outcome(world.call("up_post", {"case": "counted"}))[0] == "ok"
    found = metrics(at)

    def more(name, **labels):
        return one(found, name, service="up", **labels) - before[name].get(tuple(sorted({"service": "up", **labels}.items())), 0)

    assert (more("plexus_service_requests_total"), more("plexus_service_retries_total"), more("plexus_service_failures_total")) == (3, 1, 1)
    assert one(found, "plexus_service_in_flight", service="up") == 0 and one(found, "plexus_service_waiting", service="up") == 0
    assert one(found, "plexus_service_latency_seconds", service="up", quantile="0.99") >= 0.15
    assert more("plexus_service_refused_total", reason="rate") == 0
    assert one(found, "plexus_breaker_state", service="up", upstream="api") == 0
    assert "counted" not in repr(found)


# ---- limits: when to come back -------------------------------------------------------------------------------------------


def limited(world, name, *steps, tool="get", timeout_ms=20000):
    """One call that meets a limit, in a service of its own. (result, when its requests came, how long it took)"""
    case = f"limit_{name}_{len(world.upstream.scripts)}"
    world.upstream.script(case, *steps)
    begun = time.monotonic()
    result = world.answer(world.begin_call(f"{name}_{tool}", {"case": case}, {"plexus/timeout_ms": timeout_ms}))["result"]
    took = time.monotonic() - begun
    seen = [one.at for one in world.upstream.seen(case)]
    print(f"\n{name:22} {outcome(result)[0]} {outcome(result)[2] or ''} after {len(seen)} requests, {took:.2f} s", end="")
    return result, seen, took


def in_http(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))


WAITS = {  # what a refusal says, and for how long it must be heeded (s); the tool whose upstream understands it
    "r_seconds": (lambda: status(429, {"Retry-After": "1"}), 1.0, "get"),
    "r_fraction": (lambda: status(429, {"Retry-After": "1.2"}), 1.2, "get"),
    "r_unavailable": (lambda: status(503, {"Retry-After": "1"}), 1.0, "get"),
    "r_date": (lambda: status(429, {"Retry-After": in_http(3), "Date": in_http(0)}), 2.0, "get"),
    "r_body": (lambda: status(429, body={"message": "slow", "retry_after": 1.1, "global": False}), 1.1, "discord"),
    "r_reset": (lambda: status(429, {"RateLimit-Limit": "10", "RateLimit-Remaining": "0", "RateLimit-Reset": "1"}), 1.0, "get"),
    "r_draft": (lambda: status(429, {"RateLimit-Policy": '"default";q=10;w=60', "RateLimit": '"default";r=0;t=1'}), 1.0, "get"),
    "r_github": (lambda: status(403, {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Resource": "core",
                                      "X-RateLimit-Reset": str(int(time.time()) + 3)}, {"message": "API rate limit exceeded"}), 1.9, "github"),
    "r_secondary": (lambda: status(403, {"Retry-After": "1"}, {"message": "You have exceeded a secondary rate limit"}), 1.0, "github"),
}


@pytest.fixture(scope="module")
def limits(world):
    """A service for each family: what one is told does not concern the others."""
    config = dict(world.daemon.config)
    config["services"] = dict(config["services"])
    more = ("long", "down", "after_draft", "after_github", "after_shopify", "after_discord", "after_throttle", "after_cost", "global")
    for name in tuple(WAITS) + more:
        config["services"][name] = {"plugin": "chaos", "limits": LIMITS, "config": {"base_url": world.upstream.url}}
    world.daemon.reload(config)
    return world


@pytest.mark.parametrize("name", WAITS)
def test_waits_as_told(limits, name):
    step, least, tool = WAITS[name]
    result, seen, _ = limited(limits, name, step, tool=tool)
    assert outcome(result)[0] == "ok" and len(seen) == 2, result
    assert least * 0.99 <= seen[1] - seen[0] < least + 10


@pytest.mark.parametrize("name, said, first", [("long", 429, "rate_limited"), ("down", 503, "unavailable")])
def test_longer_than_there_is_time(limits, name, said, first):
    """The answer comes at once, and says when; who asks meanwhile is told without a request."""
    result, seen, took = limited(limits, name, status(said, {"Retry-After": "100"}), timeout_ms=30000)
    code, retryable, after = outcome(result)
    assert (code, retryable, len(seen)) == (first, True, 1) and 90_000 < after <= 101_000 and took < 15, result
    assert "Wait 10" in result["structuredContent"]["error"]["advice"], result
    result, seen, took = limited(limits, name, timeout_ms=30000)
    assert result["structuredContent"]["error"]["message"] == f"{name} said to wait", result
    assert outcome(result)[0] == "rate_limited" and 80_000 < outcome(result)[2] <= 101_000 and not seen and took < 15, result


AFTER = {  # an answer that is fine, and says that nothing is left: the next request waits
    "after_draft": (lambda: status(200, {"RateLimit-Policy": '"default";q=10;w=60', "RateLimit": '"default";r=0;t=2'}), 1.9, "get"),
    "after_github": (lambda: status(200, {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Resource": "core",
                                          "X-RateLimit-Reset": str(int(time.time()) + 3)}), 1.9, "github"),
    "after_shopify": (lambda: status(200, {"X-Shopify-Shop-Api-Call-Limit": "40/40"}), 0.45, "shopify"),  # 2 a second come back
    "after_discord": (lambda: status(200, {"X-RateLimit-Bucket": "b1", "X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0",
                                           "X-RateLimit-Reset-After": "1.5"}), 1.45, "discord"),
    "after_throttle": (lambda: status(200, body={"extensions": {"cost": {"actualQueryCost": 1, "throttleStatus": {
        "maximumAvailable": 100, "currentlyAvailable": 0, "restoreRate": 1}}}}), 0.9, "throttle"),
    "after_cost": (lambda: status(200, body={"data": {"rateLimit": {"limit": 100, "cost": 1, "remaining": 0, "resetAt": time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))}}}), 1.9, "graphql_cost"),
}


@pytest.mark.parametrize("name", AFTER)
def test_meets_no_limit_twice(limits, name):
    step, least, tool = AFTER[name]
    result, first, _ = limited(limits, name, step, tool=tool)
    assert outcome(result)[0] == "ok" and len(first) == 1
    result, second, _ = limited(limits, name, step, tool=tool)
    assert outcome(result)[0] == "ok" and len(second) == 1
    assert least * 0.9 <= second[0] - first[0] < least + 10


def test_global_of_discord(limits):
    """A global limit holds for every path."""
    case = "global_other"
    limits.upstream.script("limit_global", status(429, body={"retry_after": 2.5, "global": True}))
    first = limits.begin_call("global_discord", {"case": "limit_global"})
    until(lambda: any(quota["global"] and quota["next_ms"] for quota in guard(limits, "global")["quotas"]), "the refusal")
    assert outcome(limits.call("global_discord", {"case": case}))[0] == "ok"
    assert limits.upstream.seen(case)[0].at - limits.upstream.seen("limit_global")[0].at > 2.4
    assert outcome(limits.answer(first)["result"])[0] == "ok"


# ---- nginx: what real proxies do -----------------------------------------------------------------------------------------

NGINX = """
daemon off; worker_processes 1; pid %(folder)s/nginx.pid; error_log %(folder)s/error.log;
events { worker_connections 256; }
http {
    access_log %(folder)s/access.log combined;
    client_body_temp_path %(folder)s/t1; proxy_temp_path %(folder)s/t2; fastcgi_temp_path %(folder)s/t3;
    uwsgi_temp_path %(folder)s/t4; scgi_temp_path %(folder)s/t5;
    limit_req_zone $request_method$uri zone=one:1m rate=60r/m;
    limit_req_status 429;
    server {
        listen 127.0.0.1:%(port)d;
        location /c/dead { proxy_pass %(dead)s; }
        location /c/slow { proxy_pass %(upstream)s; proxy_read_timeout 500ms; proxy_next_upstream off; }
        location /c/limit { limit_req zone=one; error_page 429 @later; proxy_pass %(upstream)s; }
        location @later { add_header Retry-After 1 always; return 429; }
    }
    server { listen 127.0.0.1:%(drop)d; return 444; } # on a port of its own: no connection that was used before leads there
}
"""


@pytest.fixture(scope="module")
def nginx(world, tmp_path_factory):
    if not shutil.which("nginx") and not os.path.exists("/usr/sbin/nginx"):
        pytest.skip("no nginx")
    folder = tmp_path_factory.mktemp("nginx")
    port, drop, dead = quiet_port(), quiet_port(), "http://127.0.0.1:%d" % quiet_port()
    (folder / "nginx.conf").write_text(NGINX % {"folder": folder, "port": port, "drop": drop, "dead": dead, "upstream": world.upstream.url})
    process = subprocess.Popen(["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    def listens():
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0
    until(lambda: listens() or process.poll() is not None, "nginx")
    assert process.poll() is None, (folder / "error.log").read_text()
    config = dict(world.daemon.config)
    config["services"] = dict(config["services"])
    for name, at in (("proxy", port), ("drop", drop)):
        config["services"][name] = {"plugin": "chaos", "limits": LIMITS, "config": {"base_url": f"http://127.0.0.1:{at}"}}
    world.daemon.reload(config)
    world.log = lambda text: (folder / "access.log").read_text().count(text)
    yield world
    process.terminate()
    process.wait()


@pytest.mark.parametrize("service, name, code, read", [
    ("proxy", "dead", 502, ("upstream_error", True)), ("proxy", "slow", 504, ("timeout", True)), ("drop", "drop", 444, ("upstream_error", True)),
])
def test_behind_nginx(nginx, service, name, code, read):
    calls = {}
    for kind in CLASSES:
        case = f"{name}_{kind}"
        nginx.upstream.script(case, *[do("stall")] * 9)
        calls[kind] = nginx.begin_call(f"{service}_{kind}", {"case": case})
    rows = {}
    for kind, id in calls.items():
        result = nginx.answer(id)["result"]
        most = ATTEMPTS if kind in REPEATABLE else 1
        until(lambda: nginx.log(f"/c/{name}_{kind} ") >= most, "the log of nginx, whose lines come when requests have ended")
        rows[kind] = (most, outcome(result), result)
    show(f"nginx {code}", rows)
    time.sleep(0.1)
    rows = {kind: (nginx.log(f"/c/{name}_{kind} "), *row[1:]) for kind, row in rows.items()}
    check(rows, ATTEMPTS, read, UNKNOWN, UNKNOWN)  # whether it happened cannot be asked there either


def test_limit_of_nginx(nginx):
    """One a second. Of three at once all get through, in their time; what was refused is not sent before the time it was told."""
    begun = time.monotonic()
    calls = [nginx.begin_call("proxy_put", {"case": "limit"}, {"plexus/timeout_ms": 30000}) for _ in range(3)]
    outcomes = [outcome(nginx.answer(id)["result"])[0] for id in calls]
    took, seen = time.monotonic() - begun, nginx.log("/c/limit ")
    print(f"\nnginx limit_req: {outcomes} in {took:.1f} s, {seen} requests, {nginx.upstream.count('limit')} let through", end="")
    assert outcomes.count("ok") == nginx.upstream.count("limit") and outcomes.count("ok") >= 2
    assert set(outcomes) <= {"ok", "rate_limited"} and seen <= 3 * ATTEMPTS

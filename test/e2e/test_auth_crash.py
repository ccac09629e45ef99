"""Credentials stay fresh, whatever happens: the real daemon and a certified provider that rotates refresh tokens at every use, and
takes a family back when one of them is used twice. -s prints the figures."""

import json
import os
import random
import signal
import time

import pytest

from conftest import until
from oauth_support import Browser, Login, Op, auth_config, need_provider, plexus

need_provider(allow_module_level=True)
SCOPES = ["openid", "offline_access", "profile", "api:read"]
CYCLES = int(os.environ.get("PX_TEST_REFRESH_CYCLES", "100"))  # 1000 in soak_auth_cycles
KILL_EACH = min(50, CYCLES // 5)
LONG = 600


@pytest.fixture(scope="module", params=[0, 20000], ids=["strict", "grace"])
def either(request, tmp_path_factory):
    provider = Op(tmp_path_factory.mktemp("op"), access_ttl=LONG, grace_ms=request.param)
    provider.grace = request.param > 0
    yield provider
    provider.stop()


@pytest.fixture
def op(tmp_path):
    provider = Op(tmp_path, access_ttl=LONG)
    yield provider
    provider.stop()


def web(op):
    return (op.api, {"kind": "oauth2", "issuer": op.issuer, "client_id": "public", "scopes": SCOPES, "redirect_path": "/cb"})


def start(plexusd, services, env=None, **limits):
    daemon = plexusd(config={}, env=env)
    config = auth_config(daemon.folder, services)
    for name in services:
        config["services"][name]["limits"] = limits
    config["limits"] = {"calls_per_principal": 1000}
    daemon.write(config)
    return daemon.start()


def connect(host, service="web", browser=None):
    login = Login(host, service)
    page = (browser or Browser()).log_in(login.url())
    code, _, err = login.end()
    assert code == 0 and "Connected" in page, (page, err)


def grant_of(host, service="web"):
    done = plexus(host, "auth", "status", service)
    assert done.returncode == 0, done
    return json.loads(done.stdout)["grants"][0]


def works(host, service="web"):
    with host.planner() as planner:
        return planner.data_of(service + "_get", {"id": "me"})["who"] == "alice"


def since(before, after):
    """What the provider has seen between two of its logs. A request that waits in front of it is not among that."""
    counts = ("refreshes", "refreshes_refused", "revoked_families", "reused", "requests")
    seen = {name: after[name] - before[name] for name in counts}
    api = after["api"][len(before["api"]):]
    return {**seen, "ok": sum(call["ok"] for call in api), "401": sum(not call["ok"] for call in api)}


def says_log_in(error, service="web"):
    return error["code"] == "unauthorized" and error["advice"] == f"Run: plexus auth login {service}" and not error["retryable"]


# ---- two hundred at once ----

def refused(host, op):
    """The provider has given the token up before its time: each that has gone out with it comes back with a 401."""
    op.end("AccessToken")


def slow(host, op):
    """The refresh ahead of time began (and has been held at the gate since), and the token expires before it ends."""
    until(lambda: op.log()["waiting"], "the timer's refresh")
    until(lambda: time.time() * 1000 > grant_of(host)["expires_unix_ms"], "the token's end")


def away(host, op):
    """The token expires while the host is down; they come as soon as it is up. The refresh ahead of time never arrived."""
    expires = grant_of(host)["expires_unix_ms"]
    host.kill()
    op.gate(None, drop=True)
    until(lambda: time.time() * 1000 > expires, "the token's end")
    host.start()


@pytest.mark.parametrize("coalesce", [True, False], ids=["coalesced", "each"])
@pytest.mark.parametrize("moment", [refused, slow, away], ids=lambda one: one.__name__)
def test_200_at_the_moment_of_expiry(plexusd, op, moment, coalesce):
    host = start(plexusd, {"web": web(op)}, coalesce=coalesce, in_flight=200, queue=400)
    if moment is not refused:
        op.says(2)
        op.gate("before", skip=1)
    connect(host)
    op.says(LONG)
    before = op.log()
    moment(host, op)
    planners = [host.planner() for _ in range(4)]
    calls = [(planner, planner.begin_call("web_get", {"id": "me"})) for _ in range(50) for planner in planners]
    if moment is slow:
        time.sleep(0.5)  # they are all here, and wait
        assert since(before, op.log())["ok"] == 0
        op.gate(None)
    answers = [planner.answer(call)["result"] for planner, call in calls]
    for planner in planners:
        planner.close()
    assert [answer["structuredContent"]["who"] for answer in answers if not answer.get("isError")] == ["alice"] * 200, \
        [answer["structuredContent"] for answer in answers if answer.get("isError")][:3]
    seen = since(before, op.log())
    print(f"\n200 calls, {moment.__name__}, coalesce {coalesce}: {seen}")
    assert seen["refreshes"] == 1 and seen["requests"] == 1, "one refresh"
    assert not seen["revoked_families"] and not seen["reused"]
    assert seen["ok"] == 200 if not coalesce else 1 <= seen["ok"] <= 200
    assert seen["401"] == 0 or moment is refused
    assert seen["401"] >= 1 or moment is not refused


# ---- a crash at every instant ----

# What a kill -9 leaves is in src/auth/README.md, instant by instant, under the same names. "sent": it has not arrived. "arrived": the provider has
# rotated, and its answer is under way. "lost": no crash, but the answer is lost on the way.
INSTANTS = ["refresh/begin", "refresh/before_send", "sent", "arrived", "refresh/answered", "refresh/committing", "refresh/committed", "refresh/used",
            "refresh/worked", "refresh/forgotten"]
# The provider has taken the old token back, and the new one is nowhere but in a lost answer: no client can know it. One that forgives a second use
# within seconds makes up for it; with one that does not, a person has to log in.
NOWHERE = ["arrived", "refresh/answered", "refresh/committing", "lost"]


@pytest.fixture(scope="module")
def table():
    rows = []
    yield rows
    print("\n\n%-8s %-20s %-6s %-34s %9s %7s %7s" % ("provider", "kill -9 at", "begun", "the next call", "refreshes", "reused", "revoked"))
    for row in rows:
        print("%-8s %-20s %-6s %-34s %9d %7d %7d" % row)


def crash(host, op, instant):
    """Calls go on until the host dies there. The timer's refresh is held at the gate."""
    if instant in ("sent", "arrived", "lost"):
        with host.planner() as planner:
            planner.begin_call("web_get", {"id": "me"})
            until(lambda: op.log()["waiting"], "the request")
            if instant != "lost":
                host.kill()
            op.gate(None, drop=True)
        return
    op.gate(None)
    try:
        with host.planner() as planner:
            while host.process.poll() is None:
                planner.call("web_get", {"id": "me"})
                time.sleep(0.02)
    except (AssertionError, OSError) as error:
        assert isinstance(error, OSError) or "closed" in str(error), error
    assert host.process.wait(30) == -signal.SIGKILL
    host.process = None


def next_call(host, lost, patient):
    """None when it works, or the error. The old token may work for a moment longer where all is lost; without a crash, it goes on by itself soon."""
    with host.planner() as planner:
        def ask():
            result = planner.call("web_get", {"id": "me"})
            return result["structuredContent"]["error"] if result.get("isError") else None
        if lost:
            return until(lambda: (error := ask()) and says_log_in(error) and error, "the command")
        if patient:
            until(lambda: not ask(), "an answer")
        return ask()


@pytest.mark.parametrize("begun", ["timer", "401"])
@pytest.mark.parametrize("instant", INSTANTS + ["lost"])
def test_a_crash_in_a_refresh(plexusd, either, table, instant, begun):
    op, lost = either, instant in NOWHERE and not either.grace
    op.says(3 if begun == "timer" else LONG)
    op.gate("after" if instant in ("arrived", "lost") else "before", skip=1)
    point = {"refresh/used": "refresh/used:2"}.get(instant, instant)  # the first is the login's own
    host = start(plexusd, {"web": web(op)}, env={"PLEXUS_CRASH": point} if "/" in instant else {})
    before = op.log()
    connect(host)
    assert works(host)
    op.says(LONG)
    if begun == "401":
        op.end("AccessToken")
    crash(host, op, instant)
    host.env = {}
    if instant != "lost":
        host.start()
    error = next_call(host, lost, instant == "lost")
    seen = since(before, op.log())
    table.append(("grace" if op.grace else "strict", instant if instant != "lost" else "(answer lost)", begun,
                  f"{error['code']}, then a login" if error else "ok", seen["refreshes"], seen["reused"], seen["revoked_families"]))
    if lost:
        assert says_log_in(error), error
        assert seen["reused"] == 1 and seen["revoked_families"] >= 1
        connect(host)
        assert works(host)
    else:
        assert error is None, error
        assert seen["reused"] == 0 and seen["revoked_families"] == 0 and seen["refreshes_refused"] == 0
    # And it goes on: what is stored now can be refreshed.
    until(lambda: since(before, op.log())["refreshes"] >= 1, "the timer's refresh, which may be due only now")
    until(lambda: grant_of(host)["state"] == "fresh", "its end")
    host.stop()
    host.start()
    op.end("AccessToken")
    assert works(host)
    assert since(before, op.log())["revoked_families"] == seen["revoked_families"]


def test_a_crash_after_a_login(plexusd, either, table):
    op = either
    op.says(LONG)
    host = start(plexusd, {"web": web(op)}, env={"PLEXUS_CRASH": "grant/installed"})
    before = op.log()
    login = Login(host, "web")
    back, _ = Browser().walk(login.url())
    try:
        Browser().ask(back)
    except OSError:
        pass  # the page came from a command whose host had gone
    login.end()
    assert host.process.wait(30) == -signal.SIGKILL
    host.process, host.env = None, {}
    host.start()
    assert works(host)
    op.end("AccessToken")
    assert works(host)
    seen = since(before, op.log())
    table.append(("grace" if op.grace else "strict", "grant/installed", "login", "ok", seen["refreshes"], seen["reused"], seen["revoked_families"]))
    assert seen["revoked_families"] == 0 and seen["reused"] == 0


@pytest.mark.parametrize("silent", [False, True], ids=["answered", "silent"])
def test_a_stop_in_a_refresh(plexusd, op, silent):
    """A host that ends in order waits for the answer, which holds the only refresh token that there is; and not for ever."""
    host = start(plexusd, {"web": web(op)})
    if silent:
        host.stop()
        host.write({**host.config, "limits": {"drain_ms": 1000}})
        host.start()
    op.says(2)
    op.gate("after", skip=1)
    connect(host)
    op.says(LONG)
    until(lambda: op.log()["waiting"], "the timer's refresh")
    began = time.monotonic()
    host.process.send_signal(signal.SIGTERM)
    if not silent:
        time.sleep(0.5)
        assert host.process.poll() is None, "it waits"
        op.gate(None)
    host.process.wait(30)
    assert not silent or time.monotonic() - began > 0.9
    host.stop()
    if silent:
        op.gate(None, drop=True)
        return
    host.start()
    assert works(host)
    op.end("AccessToken")
    assert works(host)
    log = op.log()
    assert log["refreshes"] == 2 and log["reused"] == 0 and log["revoked_families"] == 0


# ---- a thousand times ----

def kill_safely(host, op):
    """kill -9 at an instant at which the provider has nothing under way: whoever asks it waits at its gate, and those that had passed are done."""
    op.gate("before")

    def held():  # of those that are being refreshed, each waits at the gate: what the others were answered is on record
        with host.planner() as planner:
            grants = planner.request("plexus/auth/status")["grants"]
        log = op.log()
        return not log["passed"] and log["waiting"] == sum(grant["state"] != "fresh" for grant in grants)
    until(held, "those that had passed")
    time.sleep(random.uniform(0, 0.3))
    host.kill()
    op.gate(None, drop=True)
    host.start()


def test_cycles(plexusd, op):
    """Every 50th (20th in the short run) ends with a kill -9, for the first half; in the second the host is left alone, and its memory looked at."""
    services = [f"s{i}" for i in range(max(4, min(16, CYCLES // 12)))]
    host = start(plexusd, {name: web(op) for name in services}, env={"ASAN_OPTIONS": "detect_leaks=1:exitcode=99:quarantine_size_mb=1"})
    browser = Browser()
    op.says(LONG)
    for name in services:
        connect(host, name, browser)
    op.says(1)
    host.kill()  # their timers begin anew: all have been told that they live long
    host.start()
    op.end("AccessToken")  # and now each is refreshed, and lives for a second
    begin, before, kills, calls, memory = time.monotonic(), op.log(), 0, 0, []
    planner, done, slow = host.planner(), 0, 0
    while done < CYCLES:
        round_began = time.monotonic()
        for name in services:
            assert planner.data_of(name + "_get", {"id": "me"})["who"] == "alice"
            calls += 1
        done = since(before, op.log())["refreshes"]
        if done >= (kills + 1) * KILL_EACH and done <= CYCLES // 2:
            planner.close()
            kill_safely(host, op)
            planner = host.planner()
            kills += 1
        if done > CYCLES // 2:
            memory.append((done, host.memory()))
        slow += max(0, time.monotonic() - round_began - 0.7)
        time.sleep(max(0, round_began + 0.15 - time.monotonic()))
    planner.close()
    after = op.log()
    seen = since(before, after)
    took = time.monotonic() - begin
    first = [size for at, size in memory if at < CYCLES * 0.6]
    last = [size for at, size in memory if at > CYCLES * 0.9]
    grown = sorted(last)[len(last) // 2] - sorted(first)[len(first) // 2]
    print(f"\n{seen['refreshes']} refreshes of {len(services)} grants in {took:.1f} s, {kills} times kill -9, {calls} calls, all ok; {seen}; "
          f"{after['tokens_used']} tokens used; private memory {first[0] >> 10} KiB, {last[-1] >> 10} KiB at the end (grown by {grown >> 10} KiB)")
    assert kills >= CYCLES // 2 // KILL_EACH - 1
    assert seen["reused"] == 0 and seen["revoked_families"] == 0 and seen["refreshes_refused"] == 0
    assert seen["401"] <= len(services), "only those that began it: no token was used beyond its life"
    # a round that took long was on a busy machine: then some lived and died unseen
    assert after["tokens_used"] >= seen["refreshes"] * 0.9 - slow * 2 * len(services), "nearly each token was used by a call before the next came"
    assert grown < 2 << 20


# ---- a provider that fails ----

def calls_while_it_lives(planner, expires):
    """All of them are well, until what is left is its last tenth, which is not handed out."""
    calls = 0
    while time.time() < expires - 0.7:
        result = planner.call("web_get", {"id": "me"})
        assert time.time() > expires - 0.6 if result.get("isError") else result["structuredContent"]["who"] == "alice", result
        calls += 1
        time.sleep(0.02)
    assert calls
    return calls

def test_a_failure_that_passes(plexusd, op):
    host = start(plexusd, {"web": web(op)})
    op.says(5)
    connect(host)
    op.fail(1000000)
    before = op.log()
    expires = grant_of(host)["expires_unix_ms"] / 1000
    with host.planner() as planner:
        calls = calls_while_it_lives(planner, expires)
        requests = since(before, op.log())["requests"]
        assert requests >= 1, "the timer's attempt failed"
        until(lambda: time.time() > expires, "the token's end")
        error = until(lambda: planner.call("web_get", {"id": "me"})["structuredContent"].get("error"), "the end")
        assert error["code"] == "unavailable" and error["retryable"] and 0 < error["retry_after_ms"] <= 60000, error
        assert "503" in error["message"]
        assert grant_of(host)["state"] == "failing"
        op.fail(0)
        healed = time.monotonic()
        time.sleep(error["retry_after_ms"] / 1000)
        until(lambda: grant_of(host)["state"] == "fresh", "its recovery, by itself")
        healed = time.monotonic() - healed
        assert planner.data_of("web_get", {"id": "me"})["who"] == "alice"
    seen = since(before, op.log())
    print(f"\n503: {calls} calls while the token lived; {error}; fresh again after {healed:.1f} s; {seen}")
    assert seen["requests"] < 10 and seen["revoked_families"] == 0 and seen["401"] == 0


@pytest.mark.parametrize("silence", ["closed", "hangs"])
def test_no_answer(plexusd, op, silence):
    host = start(plexusd, {"web": web(op)})
    op.says(5)
    connect(host)
    if silence == "closed":
        op.fail(1000000, 0)
    else:
        op.gate("before")
    before = op.log()
    expires = grant_of(host)["expires_unix_ms"] / 1000
    with host.planner() as planner:
        calls_while_it_lives(planner, expires)
        until(lambda: time.time() > expires, "the token's end")
        error = until(lambda: planner.call("web_get", {"id": "me"}, {"plexus/timeout_ms": 1500})["structuredContent"].get("error"), "the end")
        assert error["code"] == "unavailable" and error["retryable"] and error["retry_after_ms"] > 0, error
        op.fail(0)
        op.gate(None)
        until(lambda: grant_of(host)["state"] == "fresh", "its recovery, by itself")
        assert planner.data_of("web_get", {"id": "me"})["who"] == "alice"
    seen = since(before, op.log())
    print(f"\nno answer ({silence}): {error}; {seen}")
    assert seen["requests"] < 12 and seen["reused"] == 0 and seen["revoked_families"] == 0


@pytest.mark.parametrize("begun", ["timer", "401"])
def test_invalid_grant(plexusd, op, begun):
    host = start(plexusd, {"web": web(op), "open": (op.api, None)})
    op.says(3 if begun == "timer" else LONG)
    op.gate("before", skip=1)
    connect(host)
    assert works(host)
    op.end("AccessToken", "RefreshToken")  # somebody has taken it back, at the provider
    before = op.log()
    op.gate(None)
    if begun == "timer":
        until(lambda: since(before, op.log())["requests"], "the timer")
    with host.planner() as planner:
        error = until(lambda: planner.call("web_get", {"id": "me"})["structuredContent"].get("error"), "the refusal")
        assert says_log_in(error), error
        asked = since(before, op.log())["requests"]
        assert asked == 1
        calls = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert says_log_in(planner.error_of("web_get", {"id": "me"}))
            assert not planner.call("demo_echo", {"text": "x"}).get("isError"), "and nobody else is stopped"
            calls += 1
            time.sleep(0.01)
        assert since(before, op.log())["requests"] == asked, "it is not asked again"
    host.stop()
    host.start()
    with host.planner() as planner:
        assert says_log_in(planner.error_of("web_get", {"id": "me"}))
    seen = since(before, op.log())
    print(f"\ninvalid_grant ({begun}): {calls} calls refused with the command, and after a restart; {seen}")
    assert seen["requests"] == asked, "not after a restart either"
    assert grant_of(host)["state"] == "needs_person", grant_of(host)
    op.says(LONG)
    connect(host)
    assert works(host)

"""What a guard does with an upstream that fails, that is its own service's alone, and for whom it lets through whom; and what of it a reload leaves."""
import copy
import hashlib
import os
import pathlib
import shutil
import tempfile
import time

import pytest
from chaos.limits import Count, Upstream
from conftest import BUILD, Daemon, base_config, until

PLUGIN = BUILD / "test/abi/plugins/chaos.so"
TOKEN = "px_" + "c" * 43
NO_RETRY = {"retry": {"attempts": 0}, "coalesce": False}
LIMITS = {
    "share": {"breaker": {"consecutive": 0, "min_requests": 20, "failure_percent": 50, "open_ms": 60000}},
    "growth": {"breaker": {"consecutive": 2, "min_requests": 10000, "open_ms": 200, "max_open_ms": 800}},
    "budget": {"retry": {"attempts": 3, "base_ms": 1, "max_ms": 5, "budget_percent": 20, "budget_min": 0}, "breaker": {"enabled": False}},
    "apart": {"breaker": {"consecutive": 3, "open_ms": 60000}},
    "ordered": {},
    "kept": {"in_flight": 1, "rates": [{"kind": "fixed", "requests": 50, "per_ms": 600000}], "breaker": {"consecutive": 3, "open_ms": 60000}},
    "told": {},
    "fair": {"in_flight": 2, "queue": 200},
    "full": {"in_flight": 1, "queue": 2},
    "same": {"coalesce": True},
    "late": {"in_flight": 1},
    "waits": {"in_flight": 1, "rates": [{"kind": "fixed", "requests": 1, "per_ms": 1500}]},
}


class Says(Count):
    """Answers what the test says: a status for each case that begins so, else 200."""

    def __init__(self):
        super().__init__()
        self.status, self.headers = {}, {}

    def answer(self, cost):
        self.came.append((time.monotonic(), cost))
        case = self.paths[-1].split("/c/")[1]
        return self.status.get(case.split("-")[0], 200), self.headers, {"message": "as the test says"}

    def cases(self):
        return [path.split("/c/")[1] for path in self.paths]


@pytest.fixture(scope="module")
def world():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="px-", dir="/tmp"))
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "chaos.so")
    os.chmod(folder / "more" / "chaos.so", 0o644)
    upstream = Upstream(**{name: Says() for name in LIMITS})
    digest = hashlib.blake2b(TOKEN.encode(), digest_size=32).hexdigest()
    config = base_config(folder, limits={"calls_per_principal": 1000, "calls": 2000})
    config["plugin_dirs"].append(str(folder / "more"))
    config["principals"]["token:other"] = {"policy": "all", "token_hash": "blake2b:" + digest}
    for name, limits in LIMITS.items():
        config["services"][name] = {"plugin": "chaos", "limits": {**NO_RETRY, **limits}, "config": {"base_url": f"{upstream.url}/{name}"}}
    daemon = Daemon(folder, config).start()
    with daemon.planner(timeout=120) as planner:
        planner.upstream, planner.daemon = upstream, daemon
        yield planner
    daemon.stop()
    upstream.close()
    shutil.rmtree(folder, ignore_errors=True)


def code(world, service, case, tool="get"):
    result = world.call(f"{service}_{tool}", {"case": case}, {"plexus/timeout_ms": 5000})
    return result["structuredContent"]["error"]["code"] if result.get("isError") else "ok"


def guard(world, service):
    return next(one["guard"] for one in world.status()["services"] if one["name"] == service)


def breaker(world, service, upstream="api"):
    return next(one for one in guard(world, service)["breakers"] if one["upstream"] == upstream)


def reload(world, change):
    config = copy.deepcopy(world.daemon.config)
    change(config["services"])
    world.daemon.reload(config)


# ---- the breaker ---------------------------------------------------------------------------------------------------------


def test_it_opens_by_share_and_not_by_the_callers_mistakes(world):
    says = world.upstream.limits["share"]
    says.status.update(bad=500, missing=404, wrong=422, denied=403, busy=429)
    for case in ("missing", "wrong", "denied", "busy"):
        for i in range(12):
            assert code(world, "share", f"{case}-{i}") != "ok"
    seen = breaker(world, "share")
    assert seen["state"] == "closed" and seen["failures"] == 0 and seen["requests"] == 36, "a 429 says nothing of it, the others that it works"
    world.request("plexus/breaker", {"service": "share", "order": "reset"})
    for i in range(10):
        assert code(world, "share", f"good-{i}") == "ok" and code(world, "share", f"bad-{i}") == "upstream_error"
        assert breaker(world, "share")["state"] == ("closed" if i < 9 else "open"), "20 requests, half of them failed"
    before = len(says.came)
    assert code(world, "share", "good-x") == "circuit_open" and len(says.came) == before


def test_it_is_open_for_longer_each_time(world):
    """200, 400, 800, 800 ms; each up to a fifth shorter, so that not everybody comes at once."""
    says = world.upstream.limits["growth"]
    says.status.update(bad=503)
    end, answers = time.monotonic() + 20, []
    while len(says.came) < 7 and time.monotonic() < end:
        result = world.call("growth_get", {"case": "bad"})["structuredContent"]["error"]
        answers.append((result["code"], result.get("retry_after_ms")))
        time.sleep(0.005)
    times = [now for now, _ in says.came]
    gaps = [b - a for a, b in zip(times[1:], times[2:])]  # the second failure opens it
    for gap, most in zip(gaps, (0.2, 0.4, 0.8, 0.8, 0.8)):
        assert 0.8 * most - 0.01 <= gap <= most + 0.15, gaps
    assert len(set(round(gap, 3) for gap in gaps[2:])) > 1, "jitter"
    known = [after for what, after in answers if what == "circuit_open"]
    assert known and all(0 < after <= 1000 for after in known)
    says.status.clear()
    until(lambda: code(world, "growth", "good") == "ok", "recovery")


def test_fifty_wait_for_one_probe(world):
    """Half-open: of fifty at once one is the probe, the others are answered at once; when it was well, all get through."""
    says = world.upstream.limits["growth"]
    world.request("plexus/breaker", {"service": "growth", "order": "reset"})  # else it remembers how often it was open
    says.status.update(bad=503)
    for _ in range(2):
        code(world, "growth", "bad")
    until(lambda: breaker(world, "growth")["state"] == "half_open", "the time of the probe")
    before, world.upstream.delay = len(says.came), 0.3
    began = time.monotonic()
    ids = [world.begin_call("growth_get", {"case": f"good-{i}"}) for i in range(50)]
    results = [world.answer(id)["result"] for id in ids]
    world.upstream.delay = 0.002
    refused = [one["structuredContent"]["error"] for one in results if one.get("isError")]
    assert len(says.came) - before == 1 and len(refused) == 49 and time.monotonic() - began < 2
    assert all(one["code"] == "circuit_open" and one["retry_after_ms"] > 0 for one in refused), refused[0]
    assert all(code(world, "growth", f"good-{i}") == "ok" for i in range(3))


def test_upstreams_of_a_service_are_apart(world):
    says = world.upstream.limits["apart"]
    says.status.update(bad=500)
    for i in range(3):
        assert code(world, "apart", "bad") == "upstream_error"
    before = len(says.came)
    assert code(world, "apart", "good") == "circuit_open" and len(says.came) == before
    assert code(world, "apart", "good", tool="github") == "ok" and code(world, "apart", "good", tool="shopify") == "ok"
    assert (breaker(world, "apart")["state"], breaker(world, "apart", "github")["state"]) == ("open", "closed")


def test_orders_outlive_a_reload_and_an_instance(world):
    says = world.upstream.limits["ordered"]
    assert code(world, "ordered", "a") == "ok"
    world.request("plexus/breaker", {"service": "ordered", "order": "open"})
    reload(world, lambda services: services["ordered"]["limits"].update(in_flight=9))
    assert code(world, "ordered", "b") == "circuit_open" and breaker(world, "ordered")["forced"] == "open"
    reload(world, lambda services: services["ordered"]["config"].update(base_url=f"{world.upstream.url}/ordered/"))
    world.daemon.logged("replaced service=ordered")
    assert code(world, "ordered", "c") == "circuit_open" and says.cases() == ["a"]
    world.request("plexus/breaker", {"service": "ordered", "order": "reset"})
    assert code(world, "ordered", "d") == "ok"


def test_retries_have_a_budget(world):
    """A fifth of the calls, however many fail: an upstream that is down is not asked four times as often."""
    says = world.upstream.limits["budget"]
    says.status.update(bad=503)
    assert all(code(world, "budget", f"good-{i}") == "ok" for i in range(50))
    ids = [world.begin_call("budget_get", {"case": f"bad-{i}"}) for i in range(50)]
    assert all(world.answer(id)["result"]["structuredContent"]["error"]["code"] == "unavailable" for id in ids)
    assert len(says.came) == 120 and guard(world, "budget")["retries"] == 20 and guard(world, "budget")["retries_left"] == 0


# ---- reloads -------------------------------------------------------------------------------------------------------------


def test_a_reload_loses_nothing(world):
    """Tokens used, failures counted, who waits; and what the limits become holds for them."""
    says = world.upstream.limits["kept"]
    says.status.update(bad=500)
    assert [code(world, "kept", case) for case in ("good", "bad", "bad")] == ["ok", "upstream_error", "upstream_error"]
    assert guard(world, "kept")["rates"][0]["left"] == 47
    world.upstream.delay = 0.2
    ids = [world.begin_call("kept_get", {"case": f"good-{i}"}) for i in range(6)]
    until(lambda: guard(world, "kept")["waiting"] == 5, "five wait")
    reload(world, lambda services: services["kept"]["limits"].update(
        in_flight=3, rates=[{"kind": "fixed", "requests": 40, "per_ms": 600000}]))
    assert all(not world.answer(id)["result"].get("isError") for id in ids), "nobody was sent away"
    assert world.upstream.most["kept"] == 3
    world.upstream.delay = 0.002
    assert guard(world, "kept")["rates"][0] == {**guard(world, "kept")["rates"][0], "limit": 40, "left": 31}
    assert [code(world, "kept", "bad") for _ in range(2)] == ["upstream_error"] * 2
    reload(world, lambda services: services["kept"]["limits"].update(queue=9))
    assert code(world, "kept", "bad") == "upstream_error", "two before the reload, and this one"
    assert code(world, "kept", "good") == "circuit_open"
    reload(world, lambda services: services["kept"]["limits"].update(queue=10))
    assert breaker(world, "kept")["state"] == "open" and breaker(world, "kept")["probe_in_ms"] > 0
    # limits that are none change nothing, and it is said where
    reload(world, lambda services: services["kept"]["limits"].update(rates=[{"kind": "fixed", "requests": 0, "per_ms": 1}]))
    assert "services.kept.limits.rates[0].requests" in world.daemon.log() or "services.kept.limits.rates.0.requests" in world.daemon.log()
    assert guard(world, "kept")["rates"][0]["limit"] == 40
    reload(world, lambda services: services["kept"]["limits"].update(rates=[]))
    assert guard(world, "kept")["rates"] == []


def test_limits_of_an_upstream_that_there_is_not(world):
    """They would never hold: a reload says so, and changes nothing."""
    reload(world, lambda services: services["share"]["limits"].update(in_flight=7, upstreams={"apii": {"in_flight": 1}}))
    words = "service share: limits: /upstreams/apii: the plugin has no such upstream, but api, github, shopify, discord, throttle, graphql_cost"
    assert words in world.daemon.log(), world.daemon.log()
    assert guard(world, "share")["in_flight_limit"] == 32
    reload(world, lambda services: services["share"]["limits"].pop("upstreams"))
    assert guard(world, "share")["in_flight_limit"] == 7


def test_what_was_told_outlives_a_reload(world):
    says = world.upstream.limits["told"]
    says.headers = {"RateLimit": '"p";r=0;t=100', "RateLimit-Policy": '"p";q=10;w=600'}
    assert code(world, "told", "a") == "ok"
    reload(world, lambda services: services["told"]["limits"].update(in_flight=5))
    error = world.error_of("told_get", {"case": "b"}, {"plexus/timeout_ms": 3000})
    assert error["code"] == "rate_limited" and 95_000 < error["retry_after_ms"] <= 100_000 and says.cases() == ["a"], error
    assert guard(world, "told")["quotas"][0]["remaining"] == 0 and "told said: 0 of 10 are left" in error["message"]


# ---- who goes first ------------------------------------------------------------------------------------------------------


def test_principals_take_turns(world):
    """One has 100 calls in the queue when the other comes with ten: those are through when about ten of the first are."""
    says = world.upstream.limits["fair"]
    world.upstream.delay = 0.02
    with world.daemon.planner() as other:
        assert other.request("plexus/session", {"token": TOKEN})["principal"] == "token:other"
        greedy = [world.begin_call("fair_get", {"case": f"greedy-{i}"}) for i in range(100)]
        until(lambda: guard(world, "fair")["waiting"] > 90, "a queue")
        modest = [other.begin_call("fair_get", {"case": f"modest-{i}"}) for i in range(10)]
        for id in modest:
            assert not other.answer(id)["result"].get("isError")
        for id in greedy:
            assert not world.answer(id)["result"].get("isError")
    world.upstream.delay = 0.002
    order = [case.split("-")[0] for case in says.cases()]
    first, last = order.index("modest"), len(order) - 1 - order[::-1].index("modest")
    assert order.count("modest") == 10 and order[first:last].count("greedy") <= 12, order[first:last]


def test_principals_share_no_answer(world):
    """Ten equal reads of each of two principals at once: a request for each of the two."""
    world.upstream.delay = 0.3
    with world.daemon.planner() as other:
        other.request("plexus/session", {"token": TOKEN})
        ids = [(planner, planner.begin_call("same_get", {"case": "a"})) for _ in range(10) for planner in (world, other)]
        assert all(not planner.answer(id)["result"].get("isError") for planner, id in ids)
    world.upstream.delay = 0.002
    assert world.upstream.limits["same"].cases() == ["a", "a"] and guard(world, "same")["shared"] == 18


def test_a_full_queue_answers_at_once(world):
    world.upstream.delay = 0.5
    ids = [world.begin_call("full_get", {"case": f"a-{i}"}) for i in range(20)]
    began, results = time.monotonic(), {}
    late = []
    for id in reversed(ids):
        result = world.answer(id)["result"]
        if result.get("isError"):
            results[id] = result["structuredContent"]["error"]
            late.append(time.monotonic() - began)
    world.upstream.delay = 0.002
    assert len(results) == 17 and max(late) < 0.4, (len(results), late)
    for error in results.values():
        assert error["code"] == "unavailable" and error["retryable"] and error["retry_after_ms"] > 0 and "2 requests wait for full" in error["message"], error


def test_nobody_waits_beyond_the_deadline(world):
    world.upstream.delay = 1.0
    first = world.begin_call("late_get", {"case": "a"})
    until(lambda: guard(world, "late")["in_flight"] == 1, "one inside")
    began = time.monotonic()
    error = world.error_of("late_get", {"case": "b"}, {"plexus/timeout_ms": 300})
    assert error["code"] in ("unavailable", "timeout") and 0.2 < time.monotonic() - began < 0.8, error
    assert not world.answer(first)["result"].get("isError")
    world.upstream.delay = 0.002
    assert world.upstream.limits["late"].cases() == ["a"]


def test_who_waits_is_told_why(world):
    """Progress: the reason and the time; it only grows."""
    assert code(world, "waits", "a") == "ok"
    world.notes.clear()
    assert not world.call("waits_get", {"case": "b"}, {"progressToken": "p"}).get("isError")
    notes = [note["params"] for note in world.notes if note["method"] == "notifications/progress"]
    assert notes and all(note["progressToken"] == "p" for note in notes)
    assert notes[0]["message"].startswith("rate limit: 1.") and notes[0]["message"].endswith(" s"), notes
    assert all(a["progress"] < b["progress"] for a, b in zip(notes, notes[1:]))

"""What a guard does with an upstream that fails, that is its own service's alone, and for whom it lets through whom; and what of it a reload leaves."""
import collections
import contextlib
import copy
import hashlib
import os
import pathlib
import re
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
    "waits": {"in_flight": 1, "rates": [{"kind": "fixed", "requests": 1, "per_ms": 4000}]},
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


def code(world, service, case, tool="calm"):
    result = world.call(f"{service}_{tool}", {"case": case}, {"plexus/timeout_ms": 20000})
    return result["structuredContent"]["error"]["code"] if result.get("isError") else "ok"


def guard(world, service):
    return next(one["guard"] for one in world.status()["services"] if one["name"] == service)


@contextlib.contextmanager
def held(world):
    """What comes now is answered at the end."""
    world.upstream.delay = 60
    try:
        yield
    finally:
        world.upstream.delay = 0.002


def breaker(world, service, upstream="patient"):
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
    times, answers = [200, 400, 800, 800, 800], collections.defaultdict(list)

    def seven():
        came = len(says.came)
        result = world.call("growth_calm", {"case": "bad"})["structuredContent"]["error"]
        if result["code"] == "circuit_open":
            answers[came].append(result["retry_after_ms"])
        return len(says.came) == 7
    until(seven, "seven requests")
    came = [now for now, _ in says.came]
    gaps = [b - a for a, b in zip(came[1:], came[2:])]  # the second failure opens it
    for n, (gap, most) in enumerate(zip(gaps, times)):
        assert gap >= 0.8 * most / 1000 - 0.01, gaps
        assert all(0 < after <= most + 1 for after in answers[n + 2]), (most, answers)
    assert any(answers.values()) and len(set(round(gap, 3) for gap in gaps[2:])) > 1, "jitter"
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
    before = len(says.came)
    with held(world):
        ids = [world.begin_call("growth_calm", {"case": f"good-{i}"}) for i in range(50)]
        refused = [world.answer(id)["result"]["structuredContent"]["error"] for id in ids[1:]]
    assert not world.answer(ids[0])["result"].get("isError") and len(says.came) - before == 1
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
    ids = [world.begin_call("budget_calm", {"case": f"bad-{i}"}) for i in range(50)]
    assert all(world.answer(id)["result"]["structuredContent"]["error"]["code"] == "unavailable" for id in ids)
    assert len(says.came) == 120 and guard(world, "budget")["retries"] == 20 and guard(world, "budget")["retries_left"] == 0


# ---- reloads -------------------------------------------------------------------------------------------------------------


def test_a_reload_loses_nothing(world):
    """Tokens used, failures counted, who waits; and what the limits become holds for them."""
    says = world.upstream.limits["kept"]
    says.status.update(bad=500)
    assert [code(world, "kept", case) for case in ("good", "bad", "bad")] == ["ok", "upstream_error", "upstream_error"]
    assert guard(world, "kept")["rates"][0]["left"] == 47
    with held(world):
        ids = [world.begin_call("kept_calm", {"case": f"good-{i}"}) for i in range(6)]
        until(lambda: guard(world, "kept")["waiting"] == 5, "five wait")
        reload(world, lambda services: services["kept"]["limits"].update(
            in_flight=3, rates=[{"kind": "fixed", "requests": 40, "per_ms": 600000}]))
        until(lambda: world.upstream.running["kept"] == 3, "three of them leave")
    assert all(not world.answer(id)["result"].get("isError") for id in ids), "nobody was sent away"
    assert world.upstream.most["kept"] == 3
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
    words = "service share: limits: /upstreams/apii: the plugin has no such upstream, but api, patient, github, shopify, discord, throttle, graphql_cost"
    assert words in world.daemon.log(), world.daemon.log()
    assert guard(world, "share")["in_flight_limit"] == 32
    reload(world, lambda services: services["share"]["limits"].pop("upstreams"))
    assert guard(world, "share")["in_flight_limit"] == 7


def test_what_was_told_outlives_a_reload(world):
    says = world.upstream.limits["told"]
    says.headers = {"RateLimit": '"p";r=0;t=100', "RateLimit-Policy": '"p";q=10;w=600'}
    assert code(world, "told", "a") == "ok"
    reload(world, lambda services: services["told"]["limits"].update(in_flight=5))
    error = world.error_of("told_calm", {"case": "b"}, {"plexus/timeout_ms": 3000})
    assert error["code"] == "rate_limited" and 70_000 < error["retry_after_ms"] <= 100_000 and says.cases() == ["a"], error
    assert guard(world, "told")["quotas"][0]["remaining"] == 0 and "told said: 0 of 10 are left" in error["message"]


# ---- who goes first ------------------------------------------------------------------------------------------------------


def test_principals_take_turns(world):
    """One has 100 calls in the queue when the other comes with ten: those are through when about ten of the first are."""
    says = world.upstream.limits["fair"]
    with world.daemon.planner() as other, held(world):
        assert other.request("plexus/session", {"token": TOKEN})["principal"] == "token:other"
        greedy = [world.begin_call("fair_calm", {"case": f"greedy-{i}"}) for i in range(100)]
        until(lambda: guard(world, "fair")["waiting"] == 98, "a queue")
        modest = [other.begin_call("fair_calm", {"case": f"modest-{i}"}) for i in range(10)]
        until(lambda: guard(world, "fair")["waiting"] == 108, "a longer one")
        world.upstream.delay = 0.02
        for id in modest:
            assert not other.answer(id)["result"].get("isError")
        for id in greedy:
            assert not world.answer(id)["result"].get("isError")
    order = [case.split("-")[0] for case in says.cases()]
    first, last = order.index("modest"), len(order) - 1 - order[::-1].index("modest")
    assert order.count("modest") == 10 and order[first:last].count("greedy") <= 12, order[first:last]


def test_principals_share_no_answer(world):
    """Ten equal reads of each of two principals at once: a request for each of the two."""
    with world.daemon.planner() as other:
        other.request("plexus/session", {"token": TOKEN})
        with held(world):
            ids = [(planner, planner.begin_call("same_calm", {"case": "a"})) for _ in range(10) for planner in (world, other)]
            until(lambda: guard(world, "same")["shared"] == 18, "all of them")
        assert all(not planner.answer(id)["result"].get("isError") for planner, id in ids)
    assert world.upstream.limits["same"].cases() == ["a", "a"] and guard(world, "same")["shared"] == 18


def test_a_full_queue_answers_at_once(world):
    with held(world):  # one is inside, two wait: the others are answered before any of them
        ids = [world.begin_call("full_calm", {"case": f"a-{i}"}) for i in range(20)]
        errors = [world.answer(id)["result"]["structuredContent"]["error"] for id in ids[3:]]
    assert not any(world.answer(id)["result"].get("isError") for id in ids[:3])
    for error in errors:
        assert error["code"] == "unavailable" and error["retryable"] and error["retry_after_ms"] > 0 and "2 requests wait for full" in error["message"], error


def test_who_fills_the_queue_keeps_nobody_out(world):
    """One principal has 50 calls where two may wait; another's first one has the newer one's place, and its second one is told that it is full."""
    with world.daemon.planner() as other:
        other.request("plexus/session", {"token": TOKEN})
        with held(world):
            before = guard(world, "full")["refused"]["queue"]
            greedy = [world.begin_call("full_calm", {"case": f"more-{i}"}) for i in range(50)]
            for id in greedy[3:]:
                assert world.answer(id)["result"]["isError"]
            until(lambda: guard(world, "full")["waiting"] == 2, "a full queue")
            modest = other.begin_call("full_calm", {"case": "modest-0"})
            error = world.answer(greedy[2])["result"]["structuredContent"]["error"]  # while all the others still wait
            assert error["code"] == "unavailable" and error["retryable"] and error["retry_after_ms"] > 0, error
            assert "2 requests wait for full" in error["message"] and error["advice"], error
            assert other.error_of("full_calm", {"case": "modest-1"})["code"] == "unavailable"
            shown = guard(world, "full")
            assert (shown["in_flight"], shown["waiting"], shown["refused"]["queue"] - before) == (1, 2, 49), shown
        assert not other.answer(modest)["result"].get("isError")
        assert not any(world.answer(id)["result"].get("isError") for id in greedy[:2])
    assert sorted(world.upstream.limits["full"].cases()[-3:]) == ["modest-0", "more-0", "more-1"]


def test_nobody_waits_beyond_the_deadline(world):
    with held(world):
        first = world.begin_call("late_calm", {"case": "a"}, {"plexus/timeout_ms": 60000})
        until(lambda: guard(world, "late")["in_flight"] == 1, "one inside")
        began = time.monotonic()
        error = world.error_of("late_calm", {"case": "b"}, {"plexus/timeout_ms": 300})
        assert error["code"] in ("unavailable", "timeout") and 0.2 < time.monotonic() - began < 15, error
    assert not world.answer(first)["result"].get("isError")
    assert world.upstream.limits["late"].cases() == ["a"]


def test_who_waits_is_told_why(world):
    """Progress: the reason and the time; it only grows."""
    assert code(world, "waits", "a") == "ok"
    world.notes.clear()
    assert not world.call("waits_calm", {"case": "b"}, {"progressToken": "p"}).get("isError")
    notes = [note["params"] for note in world.notes if note["method"] == "notifications/progress"]
    assert notes and all(note["progressToken"] == "p" for note in notes)
    told = re.fullmatch(r"rate limit: (\d(?:\.\d+)?) s", notes[0]["message"])
    assert told and 0 < float(told[1]) <= 4, notes
    assert all(a["progress"] < b["progress"] for a, b in zip(notes, notes[1:]))

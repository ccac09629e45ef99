"""Limits are met, not hit: upstreams that enforce a limit see no more than they allow, whether the limit was configured or is only told in
their answers; and what was used, told and ordered survives a reload."""
import copy
import os
import pathlib
import shutil
import tempfile
import time

import pytest
from chaos.limits import Count, Discord, Draft, Draft7, GitHub, Points, Shopify, Throttle, Unchanged, Upstream, Window
from conftest import BUILD, Daemon, base_config

PLUGIN = BUILD / "test/abi/plugins/chaos.so"
PER = 0.6  # seconds of a configured window
SLACK = 0.05  # a request takes a while, and not always the same; on a busy machine as much longer as host and upstream have been kept waiting
RATES = {
    "sliding": {"rates": [{"kind": "sliding", "requests": 20, "per_ms": 600}]},
    "fixed": {"rates": [{"kind": "fixed", "requests": 20, "per_ms": 600}]},
    "bucket": {"rates": [{"kind": "bucket", "requests": 50, "per_ms": 1000, "burst": 10}]},
    "both": {"rates": [{"kind": "bucket", "requests": 100, "per_ms": 1000, "burst": 5}, {"kind": "sliding", "requests": 20, "per_ms": 600}]},
    "groups": {"groups": {"scarce": {"rates": [{"kind": "sliding", "requests": 20, "per_ms": 600}]}}},
    "upstreams": {"upstreams": {"api": {"in_flight": 3, "rates": [{"kind": "sliding", "requests": 20, "per_ms": 600}]}}},
}


@pytest.fixture(scope="module")
def world():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="px-", dir="/tmp"))
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "chaos.so")
    os.chmod(folder / "more" / "chaos.so", 0o644)
    upstream = Upstream(
        draft=Draft(50, 1), draft7=Draft7(50, 1), github=GitHub(60, 2, aligned=True), points=Points(400, 2, aligned=True), discord=Discord(20, 0.3),
        shopify=Shopify(40, 2), throttle=Throttle(500, 500, 10), free=Unchanged(20, 60, True), paid=Unchanged(20, 60, False), cold=Draft(10, 1),
        **{name: Count() for name in RATES})
    config = base_config(folder, limits={"calls_per_principal": 2000, "calls": 4000})
    config["plugin_dirs"].append(str(folder / "more"))
    for name in upstream.limits:
        limits = {"queue": 1000, "coalesce": False, **RATES.get(name, {})}
        config["services"][name] = {"plugin": "chaos", "limits": limits, "config": {"base_url": f"{upstream.url}/{name}"}}
    daemon = Daemon(folder, config).start()
    with daemon.planner(timeout=120) as planner:
        planner.upstream, planner.daemon = upstream, daemon
        yield planner
    daemon.stop()
    upstream.close()
    shutil.rmtree(folder, ignore_errors=True)


def push(world, calls, timeout_ms=60000):
    """All of them at once: [(service, tool)], over connections with at most 200 each. What came of each call."""
    meta, begun, results = {"plexus/timeout_ms": timeout_ms}, [], []
    planners = [world.daemon.planner(timeout=120) for _ in range(0, len(calls), 200)]
    for i, (service, tool) in enumerate(calls):
        begun.append(planners[i // 200].begin_call(f"{service}_{tool}", {"case": "n%d" % i}, meta))
    for i, id in enumerate(begun):
        message = planners[i // 200].answer(id)
        assert "result" in message, message
        results.append(message["result"])
    for planner in planners:
        planner.close()
    return [one["structuredContent"]["error"]["code"] if one.get("isError") else "ok" for one in results]


# ---- configured ----------------------------------------------------------------------------------------------------------


def test_configured_rates_hold(world):
    """Of 60 at once all get through, and no interval sees more than it may; costs are added up, groups and upstreams have their own."""
    calls = [(name, "get") for name in ("sliding", "fixed", "bucket", "both", "upstreams") for _ in range(60)]
    calls += [("groups", "dear") for _ in range(8)] + [("groups", "cheap") for _ in range(20)] + [("groups", "get") for _ in range(60)]
    began, world.upstream.late = time.monotonic(), 0
    assert set(push(world, calls)) == {"ok"}
    loop = world.status()["loop"]
    slack = SLACK + world.upstream.late + max(loop["slowest_us"], loop["lag_us"]) / 1e6
    print("\nall in %.1f s, slack %.2f s" % (time.monotonic() - began, slack), end="")
    for name in ("sliding", "both", "upstreams"):
        count = world.upstream.limits[name]
        assert len(count.came) == 60 and count.most_in(PER - slack) <= 20, name
        assert count.came[-1][0] - count.came[0][0] >= 2 * PER - slack
    fixed = world.upstream.limits["fixed"]
    assert len(fixed.came) == 60 and fixed.came[20][0] - fixed.came[0][0] >= PER - slack and fixed.came[40][0] - fixed.came[20][0] >= PER - slack
    for name, burst, rate in (("bucket", 10, 50), ("both", 5, 100)):
        for seconds in (0.1, 0.3, 0.5, 1.0):
            assert world.upstream.limits[name].most_in(seconds) <= burst + rate * (seconds + slack), (name, seconds)
    assert world.upstream.most["upstreams"] <= 3, "places of an upstream"
    groups, scarce, others = world.upstream.limits["groups"], Count(), Count()
    for path, came in zip(groups.paths, groups.came):
        number = int(path.split("/n")[1].split("?")[0]) - 300
        (scarce if number < 28 else others).came.append(came)
    assert len(scarce.came) == 28 and [cost for _, cost in scarce.came].count(5) == 8 and len(others.came) == 60
    assert scarce.most_in(PER - slack) <= 20 and scarce.came[-1][0] - scarce.came[0][0] >= 2 * PER - slack
    assert others.came[-1][0] < scarce.came[-1][0], "who is in no group waits for none"


# ---- told ----------------------------------------------------------------------------------------------------------------

TOLD = {  # the tool, and how many are pushed through; a window (or what leaks) lets them pass in a few seconds
    "draft": ("get", 200), "draft7": ("get", 200), "github": ("github", 200), "points": ("graphql_cost", 200), "discord": ("discord", 200),
    "shopify": ("shopify", 46), "throttle": ("throttle", 200),
}


def test_what_is_told_is_met(world):
    """Each upstream has answered once before 200 calls come at the same time. None of them is refused by it, and each gets its answer."""
    began = time.monotonic()
    assert set(push(world, [(name, tool) for name, (tool, _) in TOLD.items()])) == {"ok"}
    outcomes = push(world, [(name, tool) for name, (tool, n) in TOLD.items() for _ in range(n)])
    print()
    for name, (_, n) in TOLD.items():
        limit = world.upstream.limits[name]
        print(f"{name:10} {len(limit.came)} requests, {limit.refused} refused, {limit.came[-1][0] - began:.1f} s, {world.upstream.most[name]} at once")
    for name, (_, n) in TOLD.items():
        limit = world.upstream.limits[name]
        assert limit.refused == 0 and len(limit.came) == n + 1, name
    assert set(outcomes) == {"ok"}


def test_nothing_is_known_yet(world):
    """Without an answer so far nobody can know; those that left before the first one came are all that can be refused. They are tried again, as far as the retry budget goes."""
    outcomes = push(world, [("cold", "get")] * 60)
    cold = world.upstream.limits["cold"]
    assert cold.refused <= 32 - 10 and set(outcomes) <= {"ok", "rate_limited"} and outcomes.count("ok") >= 60 - cold.refused, (outcomes, cold.refused)


def test_a_304_costs_what_the_upstream_says(world):
    """Where it costs nothing, 30 of them are no reason to wait; where it does, the limit is met."""
    began = time.monotonic()
    push(world, [("free", "github")] * 30, timeout_ms=120000)
    assert time.monotonic() - began < 40 and len(world.upstream.limits["free"].came) == 30  # in the limit's own time it would be sixty
    paid = world.upstream.limits["paid"]
    push(world, [("paid", "github")])
    outcomes = push(world, [("paid", "github")] * 30, timeout_ms=3000)
    assert paid.refused == 0 and len(paid.came) <= 20 and outcomes.count("rate_limited") >= 10, (outcomes, len(paid.came))

"""Every failure of an upstream, against every class of methods: how many requests it saw, and what the caller was told.

`pytest -s` prints the table."""
import os
import shutil
import time

import pytest
from chaos.server import Full, Upstream, closed_port, do, status
from conftest import BUILD, Daemon, base_config, until

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
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c")
    import pathlib
    import tempfile
    folder = pathlib.Path(tempfile.mkdtemp(prefix="px-", dir="/tmp"))
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "chaos.so")
    os.chmod(folder / "more" / "chaos.so", 0o644)
    upstream, full = Upstream(), Full()
    config = base_config(folder, limits={"calls_per_principal": 500, "calls": 1000})
    config["plugin_dirs"].append(str(folder / "more"))
    for name, url in (("up", upstream.url), ("dead", closed_port()), ("full", full.url)):
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
        case = f"{name}_{kind}"
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
    print(f"\n{name:22}" + "".join(f" {kind}:{n}/{out[0]}{'' if out[1] is None else '+' if out[1] else '-'}{'' if not out[2] else '@%d' % out[2]}"
                                  for kind, (n, out, _) in rows.items()), end="")


PASSING = (408, 425, 429, 500, 502, 503, 504)  # what may pass: tried again where that does no harm
LASTING = (400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 423, 501, 505)


@pytest.mark.parametrize("code", PASSING)
def test_it_passes(world, code):
    rows = run(world, f"{code}_then_200", [status(code)] * 2)


@pytest.mark.parametrize("code", PASSING)
def test_it_stays(world, code):
    rows = run(world, f"{code}_always", [status(code)] * 9)


@pytest.mark.parametrize("code", LASTING + (520, 522, 524, 599))
def test_others(world, code):
    rows = run(world, f"{code}_always", [status(code)] * 9)


BROKEN = ("reset", "close", "reset_unread", "close_unread", "reset_after_head", "reset_in_body", "close_in_body", "garbage")


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("did", (False, True))
def test_broken(world, what, did):
    rows = run(world, f"{what}_{did}", [do(what, did)] * 9)


@pytest.mark.parametrize("what", BROKEN)
def test_broken_once(world, what):
    rows = run(world, f"{what}_once", [do(what)])


@pytest.mark.parametrize("what", ("stall", "stall_in_body"))
def test_stalls(world, what):
    rows = run(world, f"{what}", [do(what)] * 9)


def test_refused(world):
    rows = run(world, "refused", [], "dead")


def test_full(world):
    rows = run(world, "full_backlog", [], "full")

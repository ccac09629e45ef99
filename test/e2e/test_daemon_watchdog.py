"""A plugin that loops for ever: the service manager ends the host, and what comes after."""
import os
import shutil
import signal
import time

import pytest
from conftest import BUILD, base_config, until

LIMIT = 0.6  # seconds, of the watchdog


@pytest.fixture
def spinning(plexusd, folder):
    plugins = folder / "more"
    plugins.mkdir(mode=0o755)
    shutil.copy(BUILD / "test/abi/plugins/spins.so", plugins)
    config = base_config(folder)
    config["plugin_dirs"].append(str(plugins))
    config["services"]["spins"] = {"plugin": "spins"}
    return plexusd(config=config, env={"WATCHDOG_USEC": str(int(LIMIT * 1e6))}).start()


def manager(host):
    """What systemd does: no word for too long, SIGABRT. (A busy machine may keep the host from its word: it is in the plugin when it says so.)"""
    until(lambda: (host.folder / "state" / "on-stack").read_bytes()[8:].startswith(b"spins/"), "the plugin")
    last, seen = time.monotonic(), 0
    while True:
        words = host.notifications().count("WATCHDOG=1")
        now = time.monotonic()
        if words > seen:
            seen, last = words, now
        elif now - last > LIMIT * 2:
            break
        time.sleep(0.02)
    host.process.send_signal(signal.SIGABRT)
    assert host.process.wait(30) == -signal.SIGABRT
    host.process = None


def spin(host):
    with host.planner() as planner:
        planner.begin_call("spins_spin")
        manager(host)
    host.start()


def state_of(planner):
    return next((s["state"], s["error"]) for s in planner.status()["services"] if s["name"] == "spins")


def test_twice_in_a_row_and_it_starts_disabled(spinning):
    spin(spinning)
    with spinning.planner() as planner:
        assert state_of(planner) == ("ready", None), "once is bad luck"
        assert planner.call("spins_fine")["content"][0]["text"] == "fine"
    spin(spinning)
    with spinning.planner() as planner:
        state, error = state_of(planner)
        assert state == "failed" and "twice in a row" in error and "HUP" in error
        assert "spins_spin" not in planner.tools()
        assert planner.data_of("data_query", {"sql": "select 1"})["rows"] == [[1]], "the others are as they were"
        spinning.reload()
        assert state_of(planner) == ("ready", None)
        assert planner.call("spins_fine")["content"][0]["text"] == "fine"


def test_an_end_between_them_counts_from_nothing(spinning):
    spin(spinning)
    spinning.stop()
    spinning.start()
    spin(spinning)
    with spinning.planner() as planner:
        assert state_of(planner) == ("ready", None)


def test_who_was_not_running_is_not_blamed(spinning):
    for _ in range(3):
        with spinning.planner() as planner:
            assert planner.call("spins_fine")["content"][0]["text"] == "fine"
        spinning.kill()
        spinning.start()
    with spinning.planner() as planner:
        assert state_of(planner) == ("ready", None)


def test_what_is_left_is_not_trusted(spinning, folder):
    spinning.stop()
    mark = folder / "state" / "on-stack"
    assert mark.stat().st_mode & 0o777 == 0o600
    for text in (b"", b"x", b"\xff" * 4096, b"plexus1\0" + b"\xff" * 300):
        mark.write_bytes(text)
        spinning.start()
        with spinning.planner() as planner:
            assert state_of(planner) == ("ready", None)
        spinning.stop()
    mark.unlink()
    os.symlink("/etc/passwd", mark)
    spinning.start()  # without
    spinning.logged("a plugin that ends the host would not be noticed")
    with spinning.planner() as planner:
        assert state_of(planner) == ("ready", None)

"""Plugin files that come, change and go while planners are connected; and a service whose plugin is written, built and dropped
in as a newcomer would do it."""

import os
import shutil
import subprocess
import time

import pytest

from conftest import BUILD, PLEXUS, SOURCE, base_config, until

ABI = BUILD / "test" / "abi" / "plugins"


@pytest.fixture
def served(plexusd, folder):
    plugins = folder / "plugins"
    plugins.mkdir(mode=0o755)
    config = base_config(folder, plugin_dirs=[str(plugins)], services={"r": {"plugin": "rogue"}, "new": {"plugin": "fresh"}})
    host = plexusd(config).start()
    host.plugins = plugins
    return host


def put(host, source, name):
    """As `install` does it: written beside, then renamed."""
    staged = host.plugins / ".staged"
    shutil.copy(source, staged)
    os.chmod(staged, 0o644)
    staged.rename(host.plugins / name)


def announced(planner, since):
    """The next tools-changed notification, and how long it took."""
    began = time.monotonic()
    while not any(n["method"] == "notifications/tools/list_changed" for n in planner.notes):
        planner.notes.append(planner.line())
        assert time.monotonic() - began < 30
    planner.notes.clear()
    return time.monotonic() - since


def listener(host):
    planner = host.planner()
    planner.begin("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    assert planner.line()["method"] == "notifications/subscriptions/acknowledged"
    return planner


def text(result):
    return result["content"][0]["text"]


def test_dropped_in_changed_removed(served):
    watcher, worker = listener(served), served.planner()
    assert worker.tools() == []
    began = time.monotonic()
    put(served, ABI / "rogue.so", "r.so")
    took = announced(watcher, began)
    print(f"announced after {took * 1000:.0f} ms")
    assert took < 15  # a quarter of a second, when nobody else uses the machine
    assert text(worker.call("r_version")) == "1"

    running = worker.begin_call("r_partial")  # keeps the old instance until it has drained
    put(served, ABI / "rogue2.so", "r.so")
    announced(watcher, time.monotonic())
    assert text(worker.call("r_version")) == "2"
    worker.send("notifications/cancelled", {"requestId": running})

    (served.plugins / "r.so").unlink()
    announced(watcher, time.monotonic())
    assert worker.tools() == []
    status = worker.status()
    assert status["services"][1]["state"] == "failed" and "no plugin" in status["services"][1]["error"], status["services"]
    put(served, ABI / "rogue.so", "r.so")
    announced(watcher, time.monotonic())
    assert text(worker.call("r_version")) == "1"  # the same connections all along
    watcher.close()
    worker.close()


def test_broken_files_harm_nothing(served):
    watcher, worker = listener(served), served.planner()
    put(served, ABI / "rogue.so", "r.so")
    announced(watcher, time.monotonic())
    bytes_ = (ABI / "lists.so").read_bytes()
    (served.plugins / "cut.so").write_bytes(bytes_[: len(bytes_) // 3])
    (served.plugins / "text.so").write_text("not a plugin")
    os.mkfifo(served.plugins / "fifo.so")
    (served.plugins / "link.so").symlink_to(ABI / "lists.so")
    for name in ("not_a_plugin", "wrong_abi", "crashes", "exits"):
        put(served, ABI / f"{name}.so", f"{name}.so")

    def all_refused():
        states = {os.path.basename(p["file"]): p for p in worker.status()["plugins"]}
        bad = [p for name, p in states.items() if name != "r.so"]
        return len(bad) == 8 and all(p["state"] == "refused" and p["error"] for p in bad)

    until(all_refused, "every one is refused, with words")
    assert text(worker.call("r_version")) == "1"
    for name in ("cut", "text", "fifo", "link", "not_a_plugin", "wrong_abi", "crashes", "exits"):
        assert served.log().count(f"{name}.so") == 1, name  # one clear line each
    watcher.close()
    worker.close()


def test_plugin_new_builds_and_runs(served, folder):
    """`plexus plugin new`, a build against nothing but the header, `plexus plugin check`, and into the folder."""
    made = subprocess.run([str(PLEXUS), "plugin", "new", "fresh", str(folder)], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    source = next(folder.rglob("fresh.c"))
    library = folder / "fresh.so"
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden",
                    f"-I{SOURCE}/include", "-o", str(library), str(source)], check=True)
    checked = subprocess.run([str(PLEXUS), "plugin", "check", str(library)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    refused = subprocess.run([str(PLEXUS), "plugin", "check", str(ABI / "wrong_abi.so")], capture_output=True, text=True)
    assert refused.returncode != 0 and "0.99" in refused.stdout + refused.stderr
    watcher, worker = listener(served), served.planner()
    put(served, library, "fresh.so")
    announced(watcher, time.monotonic())
    assert any(name.startswith("new_") for name in worker.tools())
    watcher.close()
    worker.close()


def test_plugin_check_ends_when_the_file_hangs():
    """Its constructor never returns; nothing of it may keep the command from ending."""
    checked = subprocess.run([str(PLEXUS), "plugin", "check", str(ABI / "hangs.so")], capture_output=True, text=True, timeout=60)
    assert checked.returncode != 0 and "took more than" in checked.stdout + checked.stderr, checked

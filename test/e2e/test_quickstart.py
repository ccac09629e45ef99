"""scripts/quickstart --once: the first thing that anyone runs."""
import os
import subprocess

import pytest
from conftest import SOURCE, Planner


def test_quickstart():
    try:
        Planner(SOURCE / "run/planner.sock").close()
        pytest.skip("a quickstart is running here already")
    except OSError:
        pass
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PLEXUS_", "ASAN_", "PX_"))}
    done = subprocess.run([str(SOURCE / "scripts/quickstart"), "--once"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=550, env=env)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    for words in ("plexusd is running", "data_query", "The largest ones", "| Name | Section | KiB |", "[as JSON](/all.json)",
                  "9007199254740993", "169.254.169.254", "invalid_arguments", "forbidden", 'profile "readonly" is read-only', "plexusd is stopped"):
        assert words in done.stdout
    assert done.stderr == ""
    assert not (SOURCE / "run/planner.sock").exists()

"""An installation: everything in its place, units that systemd has nothing to say about, a plugin built outside the tree."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import BUILD, SOURCE


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    done = subprocess.run(["cmake", "--install", str(BUILD)], env={**os.environ, "DESTDIR": str(root)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root


def prefix(root):
    cache = (BUILD / "CMakeCache.txt").read_text()
    return root / re.search(r"^CMAKE_INSTALL_PREFIX:PATH=/(.*)$", cache, re.M).group(1)


def find(root, name):
    found = [p for p in root.rglob(name) if p.is_file()]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def test_everything_is_there(installed):
    at = prefix(installed)
    for file in ("bin/plexusd", "bin/plexus", "lib/plexus/plugins/sqlite.so", "include/plexus/plugin.h", "share/plexus/config.schema.json",
                 "share/plexus/route.schema.json", "share/plexus/api.schema.json", "lib/plexus/plugins/github.so", "lib/plexus/plugins/http.so",
                 "lib/systemd/system/plexus.service", "lib/systemd/system/plexus-planner.socket", "lib/systemd/system/plexus-http.socket",
                 "lib/sysusers.d/plexus.conf"):
        assert (at / file).is_file(), file
    for name in ("plexus.pc", "README.md", "CREDENTIALS.md", "MONITORING.md", "LICENSE", "quickstart.json"):
        find(installed, name)
    assert len([p for p in installed.rglob("plexus.json") if p.parent.name == "plexus"]) == 1, "the first configuration"
    assert not list(installed.rglob("*.a")) and not list(installed.rglob("test_*")), "what only the build needs stays there"


def test_a_configuration_that_is_there_stays(installed):
    file = next(p for p in installed.rglob("plexus.json") if p.parent.name == "plexus")
    original = file.read_text()
    file.write_text("{} // mine")
    subprocess.run(["cmake", "--install", str(BUILD)], env={**os.environ, "DESTDIR": str(installed)}, capture_output=True, check=True)
    assert file.read_text() == "{} // mine"
    file.write_text(original)


def test_the_installed_configuration_is_good(installed, folder):
    at = prefix(installed)
    text = next(p for p in installed.rglob("plexus.json") if p.parent.name == "plexus").read_text()
    (folder / "plexus.json").write_text(text.replace("{\n", '{"plugin_dirs": [%s],\n' % json.dumps(str(at / "lib/plexus/plugins")), 1))
    done = subprocess.run([str(at / "bin/plexusd"), "--check", str(folder / "plexus.json")], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_units(installed):
    """verify exits with 0 whatever it finds: what it prints counts."""
    units = prefix(installed) / "lib/systemd/system"
    system = installed / "usr/lib/systemd/system"
    system.mkdir(parents=True, exist_ok=True)
    for unit in pathlib.Path("/usr/lib/systemd/system").iterdir():
        if not (system / unit.name).exists() and (unit.is_file() or unit.is_symlink()):
            shutil.copy(unit, system / unit.name, follow_symlinks=False)
    for unit in units.iterdir():
        if units != system:
            shutil.copy(unit, system / unit.name)
    (installed / "bin").mkdir(exist_ok=True)
    shutil.copy("/bin/kill", installed / "bin/kill")
    done = subprocess.run(["systemd-analyze", "verify", f"--root={installed}", "plexus.service", "plexus-planner.socket", "plexus-http.socket"],
                          capture_output=True, text=True)
    assert not [line for line in (done.stdout + done.stderr).splitlines() if "plexus" in line], done
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(units / "plexus.service")], capture_output=True, text=True)
    exposure = float(re.search(r"exposure level for plexus.service: ([0-9.]+)", done.stdout).group(1))
    print(f"\nsystemd-analyze security: {exposure}")
    assert exposure <= 1.5


def test_a_plugin_built_outside(installed, folder):
    """With the installed header and what pkg-config says, as anyone would."""
    at = prefix(installed)
    pc = find(installed, "plexus.pc")
    env = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    flags = subprocess.run(["pkg-config", "--cflags", "plexus"], env=env, capture_output=True, text=True, check=True).stdout.split()
    where = subprocess.run(["pkg-config", "--variable=plugindir", "plexus"], env=env, capture_output=True, text=True, check=True).stdout.strip()
    assert where.endswith("/lib/plexus/plugins")
    shutil.copytree(SOURCE / "plugins/example", folder / "mine")
    subprocess.run(["cc", "-std=c11", "-O2", "-fPIC", "-shared", *flags, "-o", str(folder / "mine.so"), str(folder / "mine/example.c")], check=True)
    done = subprocess.run([str(at / "bin/plexusd"), "--vet", str(folder / "mine.so")], capture_output=True, text=True)
    verdict = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0 and verdict["ok"] and verdict["name"] == "example"

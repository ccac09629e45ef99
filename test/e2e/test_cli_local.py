"""What needs no host: check, plugin, schema, token."""
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_support import PLEXUS, cli, environment  # noqa: F401

ROOT = Path(__file__).parents[2]


# ---- token new ---------------------------------------------------------------------------------------------------

def test_token(cli):
    done = cli.run("token", "new", "ci", socket=False)
    assert done.returncode == 0
    assert re.fullmatch(r"px_[A-Za-z0-9_-]{43}\n", done.stdout)
    token = done.stdout.strip()
    line = json.loads(done.stderr)
    digest = hashlib.blake2b(token.encode(), digest_size=32).hexdigest()
    assert line == {"principals": {"token:ci": {"token_hash": f"blake2b:{digest}"}}}
    assert token not in done.stderr
    assert cli.run("token", "new", "ci", socket=False).stdout != done.stdout


def test_token_names(cli):
    for name in ("", "Ci", "a b", ".x", "a" * 33, 'x"'):
        assert cli.run("token", "new", name, socket=False).returncode == 2, name
    assert cli.run("token", "new", "a.b-c_0", socket=False).returncode == 0


# ---- schema validate ---------------------------------------------------------------------------------------------

@pytest.fixture
def schema(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({
        "type": "object", "required": ["limit"], "additionalProperties": False,
        "properties": {"limit": {"type": "integer", "minimum": 1}, "mail": {"type": "string", "format": "email"}}}))
    (tmp_path / "good.json").write_text('{"limit": 5, "mail": "nobody"}')
    (tmp_path / "bad.json").write_text('{"limit": "5", "limt": 1}')
    (tmp_path / "broken.json").write_text('{"limit": 5,}')
    return tmp_path


def validate(cli, *args, **more):
    done = cli.run("schema", "validate", "--schema", "s.json", *args, socket=False, **more)
    return done.returncode, done.stdout, done.stderr


def test_valid(cli, schema):
    assert validate(cli, "good.json") == (0, "good.json: valid\n", "")
    assert validate(cli, "-", stdin='{"limit":1}') == (0, "-: valid\n", "")
    assert validate(cli, "--assert-format", "good.json")[0] == 1


def test_invalid_says_where_and_why(cli, schema):
    code, out, err = validate(cli, "good.json", "bad.json")
    assert code == 1 and err == ""
    assert "good.json: valid\nbad.json: invalid\n" in out
    assert "/limit: " in out and "(type)" in out
    code, out, _ = validate(cli, "--json", "good.json", "bad.json")
    report = json.loads(out)
    assert code == 1 and [one["valid"] for one in report] == [True, False]
    assert report[1]["file"] == "bad.json" and report[1]["errors"][0].keys() == {"path", "keyword", "message"}


def test_unusable(cli, schema, tmp_path):
    for args in (["broken.json"], ["good.json", "absent.json"], ["bad.json", "broken.json"]):
        code, _, err = validate(cli, *args)
        assert code == 2 and args[-1] in err
    (tmp_path / "s.json").write_text('{"type": 7}')
    code, out, err = validate(cli, "good.json")
    assert code == 2 and out == "" and "s.json" in err
    done = cli.run("schema", "validate", "good.json", socket=False)
    assert done.returncode == 2 and "--schema FILE is missing" in done.stderr


# ---- check, plugin check ---------------------------------------------------------------------------------------------

@pytest.fixture
def programs(tmp_path):
    """A copy of plexus in bin/, and a plexusd that says how it was called."""
    for folder in ("bin", "sbin"):
        (tmp_path / folder).mkdir()
    shutil.copy(PLEXUS, tmp_path / "bin/plexus")

    def daemon(folder, code=0):
        file = tmp_path / folder / "plexusd"
        file.write_text(f'#!/bin/sh\necho {folder}: "$@"\nexit {code}\n')
        file.chmod(0o755)
    return tmp_path, daemon


def run(folder, *args, **more):
    return subprocess.run([str(folder / "bin/plexus"), *args], capture_output=True, text=True, cwd=folder, timeout=60,
                          env=environment(**more))


def test_check_runs_the_daemon_beside_it_first(programs):
    folder, daemon = programs
    daemon("sbin")
    assert run(folder, "check").stdout == "sbin: --check\n"
    daemon("bin")
    assert run(folder, "check", "a.json").stdout == "bin: --check a.json\n"
    daemon("bin", 1)
    assert run(folder, "check", "a.json").returncode == 1


@pytest.mark.skipif(os.path.exists("/usr/sbin/plexusd"), reason="a host is installed here")
def test_check_finds_it_on_path_or_says_where_it_looked(programs):
    folder, daemon = programs
    done = run(folder, "check", PATH="/nowhere")
    assert done.returncode == 1 and "plexusd is not beside this program" in done.stderr
    (folder / "elsewhere").mkdir()
    daemon("elsewhere")
    assert run(folder, "check", PATH=f"/nowhere:{folder}/elsewhere").stdout == "elsewhere: --check\n"
    assert run(folder, "check", PATH="elsewhere").returncode == 1  # a relative folder is not searched


def test_plugin_check(programs):
    folder, daemon = programs
    daemon("bin")
    (folder / "x.so").write_text("")
    assert run(folder, "plugin", "check", "x.so").stdout == "bin: --vet x.so\n"
    done = run(folder, "plugin", "check", "y.so")
    assert done.returncode == 1 and "cannot read y.so" in done.stderr


# ---- plugin new --------------------------------------------------------------------------------------------------------

def test_plugin_new_writes_and_never_overwrites(cli, tmp_path):
    assert "plexus plugin check weather/build/weather.so" in cli.ok("plugin", "new", "weather", socket=False)
    files = sorted(os.listdir(tmp_path / "weather"))
    assert files == ["CMakeLists.txt", "README.md", "weather.c"]
    for file in files:
        assert "@NAME@" not in (tmp_path / "weather" / file).read_text()
    before = (tmp_path / "weather/weather.c").read_text()
    done = cli.run("plugin", "new", "weather", socket=False)
    assert done.returncode == 1 and "is there already" in done.stderr
    assert (tmp_path / "weather/weather.c").read_text() == before
    os.mkdir(tmp_path / "mine")
    (tmp_path / "mine/README.md").write_text("mine")
    done = cli.run("plugin", "new", "weather", "mine", socket=False)
    assert done.returncode == 1 and os.listdir(tmp_path / "mine") == ["README.md"]
    for name in ("Weather", "1x", "a-b", "../x", "", "a" * 33):
        assert cli.run("plugin", "new", name, socket=False).returncode == 2, name


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_skeleton_compiles_without_a_warning(cli, tmp_path, compiler):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    cli.ok("plugin", "new", "test", socket=False)
    flags = "-std=c11 -shared -fPIC -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror"
    subprocess.run([compiler, *flags.split(), f"-I{ROOT}/include", "-o", "test.so", "test/test.c"], cwd=tmp_path, check=True)
    symbols = subprocess.run(["nm", "-D", "--defined-only", "test.so"], cwd=tmp_path, capture_output=True, text=True)
    assert symbols.stdout.split()[-1] == "px_plugin_v1"


@pytest.mark.skipif(not (Path(PLEXUS).parent / "plexusd").exists(), reason="plexusd is not built")
def test_the_host_would_take_the_skeleton(cli, tmp_path):
    cli.ok("plugin", "new", "weather", socket=False)
    subprocess.run(["gcc", "-std=c11", "-shared", "-fPIC", f"-I{ROOT}/include", "-o", "weather.so", "weather/weather.c"],
                   cwd=tmp_path, check=True)
    report = json.loads(cli.run("plugin", "check", "weather.so", socket=False).stdout)
    assert (report["ok"], report["name"], report["tools"]) == (True, "weather", ["weather_greet"])


def cmake(source, build, **env):
    for command in (["cmake", "-S", source, "-B", build], ["cmake", "--build", build]):
        done = subprocess.run(command, capture_output=True, text=True, env=environment(**env))
        assert done.returncode == 0 and "Warning" not in done.stderr, done.stdout + done.stderr


def test_the_skeleton_builds_alone_against_the_installed_header(cli, tmp_path):
    (tmp_path / "plexus.pc").write_text(f"plugindir=/lib/plexus/plugins\nName: plexus\nDescription: x\nVersion: 0.1.0\n"
                                        f"Cflags: -I{ROOT}/include\n")
    cli.ok("plugin", "new", "weather", socket=False)
    cmake(tmp_path / "weather", tmp_path / "build", PKG_CONFIG_PATH=tmp_path)
    assert (tmp_path / "build/weather.so").exists()


def test_the_skeleton_builds_in_the_tree(cli, tmp_path):
    function = re.search(r"^function\(px_plugin.*?^endfunction\(\)", (ROOT / "CMakeLists.txt").read_text(), re.M | re.S)
    (tmp_path / "include").symlink_to(ROOT / "include")
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(tree LANGUAGES C)\n"
                                             f"set(PX_PLUGIN_DIR lib/plexus/plugins)\n{function.group(0)}\nadd_subdirectory(weather)\n")
    cli.ok("plugin", "new", "weather", socket=False)
    cmake(tmp_path, tmp_path / "build")
    assert (tmp_path / "build/plugins/weather.so").exists()

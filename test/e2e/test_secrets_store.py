"""The sealed store, the whole way: plexus secret, the daemon, a service whose requests carry what was set."""
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess

import pytest
from conftest import PLEXUS, base_config, run_plexusd, until
from test_routes import PLUGIN, upstream  # noqa: F401

VALUE, OTHER = "a-token-that-nobody-may-see", "and-the-one-that-came-after-it"


def plexus(host, *args, stdin=None, prefix=()):
    return subprocess.run([*prefix, str(PLEXUS), "--socket", str(host.socket), *args], input=stdin, capture_output=True, text=True, timeout=60)


def secret(host, *args, stdin=None):
    done = plexus(host, "secret", *args, "--json", stdin=stdin)
    assert done.returncode == 0 and done.stderr == "", done
    assert VALUE not in done.stdout and OTHER not in done.stdout
    return json.loads(done.stdout)


def service(planner, name):
    return next(one for one in planner.status()["services"] if one["name"] == name)


@pytest.fixture
def make(plexusd, folder, upstream):
    def make(start=True, token={"stored": "web_token"}, auth=None, env=None, **more):
        (folder / "more").mkdir(exist_ok=True)
        shutil.copy(PLUGIN, folder / "more" / "routes.so")
        os.chmod(folder / "more" / "routes.so", 0o644)
        config = base_config(folder, **more)
        config["plugin_dirs"].append(str(folder / "more"))
        config["services"]["web"] = {"plugin": "routes", "config": {"base_url": upstream.url, "token": token}, **({"auth": auth} if auth else {})}
        host = plexusd(config=config, env=env)
        return host.start() if start else host
    return make


def sent(upstream, planner):
    """The credential that a call goes out with."""
    assert planner.data_of("web_get", {"id": "a"})["id"] == 7
    return upstream.seen[-1][2].get("Authorization")


def files(folder):
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def look_everywhere(host, planner, *values):
    """In every file, in everything that is shown, in /proc."""
    places = [(str(path), path.read_bytes()) for path in files(host.folder)]
    places += [(f"/proc/{name}", open(f"/proc/{host.pid}/{name}", "rb").read()) for name in ("environ", "cmdline")]
    places += [("status", str(planner.status()).encode()), ("log", str(planner.request("plexus/log", {"limit": 1000})).encode()),
               ("notifications", "\n".join(host.notifications()).encode()), ("stderr", host.log().encode())]
    for where, text in places:
        for value in values:
            assert value.encode() not in text, where


def in_memory(pid, value):
    """How often it stands in what the process may write to."""
    n = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            found = re.match("([0-9a-f]+)-([0-9a-f]+) rw", line)
            low, high = (int(found[1], 16), int(found[2], 16)) if found else (0, 0)
            if 0 < high - low < 1 << 32:  # beyond that: a sanitizer's own, mostly not there
                memory.seek(low)
                while low < high:
                    data = memory.read(min(high - low, 1 << 24))
                    n += data.count(value.encode())
                    low += len(data) or high
    return n


def test_a_secret_lives(make, upstream):
    host = make()
    with host.planner() as planner:
        # Without it the service fails with the command to run, and stops nobody else.
        web = service(planner, "web")
        assert web["state"] == "failed" and "plexus secret set web_token" in web["error"]
        assert not planner.call("demo_echo", {"text": "x"}).get("isError")
        assert secret(host, "list") == {"secrets": [], "missing": [{"name": "web_token", "service": "web"}]}
        # Set: the service has it at once.
        assert secret(host, "set", "web_token", stdin=VALUE + "\n") == {"name": "web_token", "services": ["web"]}
        until(lambda: service(planner, "web")["state"] == "ready", "the service")
        assert sent(upstream, planner) == "Bearer " + VALUE
        listed = secret(host, "list")
        assert [(s["name"], s["state"], s["services"]) for s in listed["secrets"]] == [("web_token", "set", ["web"])] and listed["missing"] == []
        look_everywhere(host, planner, VALUE)
        # Another value: the service is replaced.
        secret(host, "set", "web_token", stdin=OTHER)
        until(lambda: sent(upstream, planner) == "Bearer " + OTHER, "the new value")
        assert secret(host, "set", "unused", stdin="unused-value")["services"] == []
        look_everywhere(host, planner, VALUE, OTHER)
    # A restart, and a crash.
    host.stop()
    host.start()
    with host.planner() as planner:
        assert sent(upstream, planner) == "Bearer " + OTHER
    assert secret(host, "set", "web_token", stdin=VALUE)
    host.kill()  # right after the answer
    host.start()
    with host.planner() as planner:
        assert sent(upstream, planner) == "Bearer " + VALUE
        assert sorted(s["name"] for s in secret(host, "list")["secrets"]) == ["unused", "web_token"]
        # Removed: the service fails, at once, and nobody else.
        assert secret(host, "remove", "web_token") == {"name": "web_token", "services": ["web"]}
        until(lambda: service(planner, "web")["state"] == "failed", "the service")
        assert "plexus secret set web_token" in service(planner, "web")["error"]
        assert not planner.call("demo_echo", {"text": "x"}).get("isError")
        done = plexus(host, "secret", "remove", "web_token")
        assert done.returncode == 1 and "there is no secret" in done.stderr
        host.reload()
        assert service(planner, "web")["state"] == "failed" and service(planner, "demo")["state"] == "ready"
        look_everywhere(host, planner, VALUE, OTHER)
        assert host.threads() == 1


def test_where_auth_says_so(make, upstream):
    host = make(token="literal", auth={"kind": "bearer", "secret": {"stored": "web_token"}})
    with host.planner() as planner:
        assert "plexus secret set web_token" in service(planner, "web")["error"]
        assert secret(host, "set", "web_token", stdin=VALUE)["services"] == ["web"]
        until(lambda: service(planner, "web")["state"] == "ready", "the service")
        assert sent(upstream, planner) == "Bearer " + VALUE


@pytest.mark.skipif(os.geteuid() != 0, reason="the process is not dumpable: its memory is root's")
def test_nothing_of_it_is_left_in_memory(make):
    """Not in the line that brought it, nor anywhere else: sealed and forgotten."""
    host = make(token="literal")
    secret(host, "set", "unused", stdin=VALUE)
    assert in_memory(host.pid, VALUE) >= 1, "the test can see it"
    secret(host, "set", "unused", stdin="y" * 20000 + OTHER)
    assert in_memory(host.pid, VALUE) == 0
    secret(host, "remove", "unused")
    assert in_memory(host.pid, OTHER) == 0


def test_what_an_upstream_echoes_is_redacted(make):
    host = make()
    secret(host, "set", "web_token", stdin=VALUE)
    with host.planner() as planner:
        assert VALUE not in str(planner.call("demo_echo", {"text": f"is it {VALUE}?"}))
        secret(host, "remove", "web_token")
        assert VALUE in str(planner.call("demo_echo", {"text": f"is it {VALUE}?"}))


def test_a_reload_finds_what_is_there(make, upstream):
    host = make(token="literal")
    secret(host, "set", "web_token", stdin=VALUE)
    with host.planner() as planner:
        assert sent(upstream, planner) == "Bearer literal"
        config = host.config
        config["services"]["web"]["config"]["token"] = {"stored": "web_token"}
        host.reload(config)
        assert sent(upstream, planner) == "Bearer " + VALUE
        # An unrelated secret replaces nothing; nor does a reload that changes nothing.
        log = host.log().count("replaced")
        secret(host, "set", "unrelated", stdin=OTHER)
        host.reload()
        assert sent(upstream, planner) == "Bearer " + VALUE and host.log().count("replaced") == log


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_only_administrators(make, folder):
    folder.chmod(0o711)
    host = make(socket={"path": "planner.sock", "mode": "0666"}, principals={"uid:65534": {"policy": "all"}})
    os.seteuid(65534)
    try:
        planner = host.planner()
    finally:
        os.seteuid(0)
    with planner:
        assert planner.request("plexus/session")["admin"] is False
        for method, params in (("set", {"name": "a", "value": VALUE}), ("remove", {"name": "a"}), ("list", {})):
            message = planner.answer(planner.begin("plexus/secret/" + method, params))
            assert message["error"]["data"]["code"] == "forbidden" and VALUE not in str(message)
        look_everywhere(host, planner, VALUE)
    assert secret(host, "list")["secrets"] == []


def test_files_and_folder(make):
    mask = os.umask(0)
    try:
        host = make()
    finally:
        os.umask(mask)
    secret(host, "set", "web_token", stdin=VALUE)
    state = host.folder / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in files(state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    host.stop()
    # Neither the folder nor the key may be open to others.
    state.chmod(0o750)
    host.expect = 1
    host.spawn().process.wait(30)
    assert "others may enter the state directory" in host.log() and "chmod 700" in host.log()
    host.stop()
    state.chmod(0o700)
    (state / "vault.key").chmod(0o640)
    host.spawn().process.wait(30)
    assert "state/vault.key, is open to others (mode 0640): chmod 0600 it" in host.log()
    host.stop()
    (state / "vault.key").chmod(0o600)
    host.expect = 0
    host.start()


def rows(host):
    with sqlite3.connect(host.folder / "state" / "state.db") as db:
        found = db.execute("select * from sealed order by 1").fetchall()
    db.close()
    return found


def test_a_wrong_key_is_an_error_and_changes_nothing(make, folder, upstream):
    host = make()
    secret(host, "set", "web_token", stdin=VALUE)
    host.stop()
    key = host.folder / "state" / "vault.key"
    right, before = key.read_text(), rows(host)
    host.expect = 1
    key.write_text("0" * 64)
    host.spawn().process.wait(30)
    assert f"{key} is not the key that the secrets in state.db were sealed with: put the right one in its place" in host.log()
    host.stop()
    assert rows(host) == before and key.read_text() == "0" * 64
    credentials = folder / "credentials"
    credentials.mkdir()
    (credentials / "plexus-key").write_bytes(bytes(range(32)))
    (credentials / "plexus-key").chmod(0o400)
    host.env = {"CREDENTIALS_DIRECTORY": str(credentials)}
    host.spawn().process.wait(30)
    assert "the credential plexus-key is not the key that the secrets in state.db were sealed with" in host.log()
    host.stop()
    host.env = {}
    key.unlink()
    host.spawn().process.wait(30)
    assert f"{key} is not there, but state.db holds secrets" in host.log() and not key.exists()
    host.stop()
    assert rows(host) == before
    elsewhere = folder / "elsewhere"
    elsewhere.write_text(right)
    elsewhere.chmod(0o600)
    key.symlink_to(elsewhere)
    host.spawn().process.wait(30)
    assert "link" in host.log().rsplit(str(key), 1)[1]
    host.stop()
    key.unlink()
    host.expect = 0
    key.write_text(right)
    key.chmod(0o600)
    host.start()
    with host.planner() as planner:
        assert sent(upstream, planner) == "Bearer " + VALUE
    assert len(before) > 1


def test_the_key_may_be_a_credential(make, folder, upstream):
    credentials = folder / "credentials"
    credentials.mkdir()
    (credentials / "plexus-key").write_bytes(bytes(range(32)))
    (credentials / "plexus-key").chmod(0o400)
    host = make(env={"CREDENTIALS_DIRECTORY": str(credentials)})
    secret(host, "set", "web_token", stdin=VALUE)
    assert not (host.folder / "state" / "vault.key").exists()
    host.stop()
    host.start()
    with host.planner() as planner:
        assert sent(upstream, planner) == "Bearer " + VALUE
    host.stop()
    host.env = {}
    host.expect = 1
    host.spawn().process.wait(30)
    assert "put it back (or pass the credential plexus-key)" in host.log()


def test_a_damaged_row_concerns_itself(make, upstream):
    host = make()
    secret(host, "set", "web_token", stdin=VALUE)
    secret(host, "set", "second", stdin=OTHER)
    host.stop()
    with sqlite3.connect(host.folder / "state" / "state.db") as db:
        db.execute("update sealed set bytes = zeroblob(60) where name = cast('secret/web_token' as blob)")
    db.close()
    host.start()
    assert "name=secret/web_token" in host.log()
    listed = {s["name"]: s["state"] for s in secret(host, "list")["secrets"]}
    assert listed == {"web_token": "damaged", "second": "set"}
    with host.planner() as planner:
        assert "damaged in the sealed store: plexus secret set web_token" in service(planner, "web")["error"]
        secret(host, "set", "web_token", stdin=VALUE)
        until(lambda: service(planner, "web")["state"] == "ready", "the service")
        assert sent(upstream, planner) == "Bearer " + VALUE


def test_check_needs_no_store(make, folder):
    host = make(start=False)
    done = run_plexusd("--check", host.file)
    assert done.returncode == 0 and done.stdout == "ok\n", done
    assert not (folder / "state").exists()
    host.config["services"]["web"]["config"]["token"] = {"stored": "no/name"}
    host.write(host.config)
    done = run_plexusd("--check", host.file)
    assert done.returncode == 1 and "services.web.config.token.stored: not the name of a secret" in done.stderr


def test_a_service_that_waits_for_its_secret_is_found_out(make):
    """What a person meets who calls before the secret is set: each command says where to look."""
    host = make()
    call, shown, breakers = plexus(host, "call", "web_get", "id=a"), plexus(host, "status", "web", "--text"), plexus(host, "breaker", "web", "--text")
    assert call.returncode == 1 and "a service that failed has no tools: see plexus status" in call.stderr
    assert "web: failed, plugin routes, 0 tools" in shown.stdout and "plexus secret set web_token" in shown.stdout
    assert not breakers.stdout.startswith("\n")
    login = plexus(host, "auth", "login", "web")
    assert login.returncode != 0 and "it has failed (plexus status says why)" in login.stderr

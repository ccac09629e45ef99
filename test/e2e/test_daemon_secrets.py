"""Where a secret may be: in the plugin that was configured with it, and nowhere else that we can look."""
import os
import subprocess

from conftest import base_config, run_plexusd

SECRET = "the-password-of-the-shop"


def everything(host, planner):
    """All that the daemon shows: to planners, in its log, in its files, in /proc."""
    yield "status", str(planner.status())
    yield "tools", str(planner.request("tools/list"))
    yield "log of calls", str(planner.request("plexus/log", {"limit": 1000}))
    yield "stderr", host.log()
    for name in ("cmdline", "environ"):
        with open(f"/proc/{host.pid}/{name}", "rb") as file:
            yield name, file.read().decode(errors="replace")
    for file in (host.folder / "state").iterdir():
        yield file.name, file.read_bytes().decode(errors="replace")
    for line in host.notifications():
        yield "notification", line


def look(host, planner):
    for where, text in everything(host, planner):
        assert SECRET not in text, where


def test_secrets_stay_inside(plexusd, folder):
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "secret").chmod(0o600)
    config = base_config(folder)
    # The database's plugin takes no secret: that its configuration is refused is shown, and must not show the value.
    config["services"]["shop"] = {"plugin": "sqlite", "config": {"databases": {"x": {"path": "/x", "password": {"file": "secret"}}}}}
    config["services"]["env"] = {"plugin": "sqlite", "config": {"databases": {"x": {"path": {"env": "PX_TEST_SECRET"}}}}}
    host = plexusd(config=config, env={"PX_TEST_SECRET": SECRET, "PX_TEST_OTHER": "other"})
    host.start()
    with host.planner() as planner:
        planner.call("demo_echo", {"text": "hello"})
        look(host, planner)
        with open(f"/proc/{host.pid}/environ", "rb") as environ:
            text = environ.read()
            assert b"PX_TEST_OTHER=other" in text and b"PX_TEST_SECRET=" in text
        # What a tool gives back is redacted, too: a planner that has a secret does not learn whether it is one of ours.
        assert SECRET not in str(planner.call("demo_echo", {"text": f"is it {SECRET}?"}))
        host.reload()
        look(host, planner)


def test_credentials(plexusd, folder):
    credentials = folder / "credentials"
    credentials.mkdir()
    (credentials / "shop").write_text(SECRET)
    (credentials / "shop").chmod(0o400)
    config = base_config(folder, services={"shop": {"plugin": "sqlite", "config": {"databases": {"x": {"path": {"credential": "shop"}}}}}})
    host = plexusd(config=config, env={"CREDENTIALS_DIRECTORY": str(credentials)}).start()
    with host.planner() as planner:
        look(host, planner)


def test_children_inherit_no_environment(plexusd, folder):
    host = plexusd(env={"PX_TEST_SECRET": SECRET}).start()
    with host.planner() as planner:
        planner.data_of("data_query", {"sql": "select 1"})
    with open(f"/proc/{host.pid}/task/{host.pid}/children") as listed:
        pids = listed.read().split()
    assert pids
    for pid in pids:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            assert SECRET.encode() not in environ.read()


def test_tokens(plexusd, folder):
    """plexus/session with a token; the configuration holds only its hash, which everyday tools make."""
    token = "px_" + "t0ken" * 8
    digest = subprocess.run(["b2sum", "-l", "256"], input=token, capture_output=True, text=True, check=True).stdout.split()[0]
    config = base_config(folder)
    config["principals"]["token:ci"] = {"policy": "default", "token_hash": "blake2b:" + digest}
    host = plexusd(config=config).start()
    with host.planner() as planner:
        assert planner.request("plexus/session", {"token": token})["principal"] == "token:ci"
        assert "data_execute" not in planner.tools()
        assert planner.status()["plugins"] == [], "no administrator: no paths"
    with host.planner() as planner:
        message = planner.answer(planner.begin("plexus/session", {"token": token[:-1] + "x"}))
        assert message["error"]["data"]["code"] == "unauthorized"
        assert token[:-1] not in str(message)
    assert token not in host.log()


def test_check_shows_no_secret(folder):
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    (folder / "plexus.json").write_text(
        '{"services": {"x": {"plugin": "sqlite", "config": {"databases": {"a": {"path": {"file": "secret"}}}}}}, "plugin_dirs": ["%s"]}'
        % os.environ.get("PX_BINARY_DIR", ".") )
    done = run_plexusd("--check", folder / "plexus.json")
    assert SECRET not in done.stdout + done.stderr

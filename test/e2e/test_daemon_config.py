"""plexusd --check: what a person sees of a wrong configuration. (All shapes: test/unit/test_daemon_config.c.)"""
import json
import os
import shutil

import pytest
from conftest import BUILD, PLUGINS, SOURCE, base_config, run_plexusd


def check(folder, text, env=None):
    file = folder / "plexus.json"
    file.write_text(text if isinstance(text, str) else json.dumps(text, indent=1))
    return run_plexusd("--check", "plexus.json", cwd=folder, env=env)


def test_ok(folder):
    done = check(folder, base_config(folder))
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
    assert not (folder / "state").exists(), "looking changes nothing"


def test_secrets_stand_for_strings(folder):
    """A plugin's schema sees a string in the place of each: of its length, when it can be read here."""
    def with_path(path):
        config = base_config(folder, services={"data": {"plugin": "sqlite", "config": {"databases": {"main": {"path": path}}}}})
        return check(folder, config, env={"PX_TEST_PATH": "/srv/shop.db", "PX_TEST_LONG": "y" * 5000})

    (folder / "path").write_text("/srv/shop.db\n")
    (folder / "path").chmod(0o600)
    for path in ({"env": "PX_TEST_PATH"}, {"file": "path"}):
        done = with_path(path)
        assert (done.returncode, done.stderr) == (0, ""), done
    assert with_path({"env": "PX_TEST_NONE"}).returncode == 0, "only the service may see it"
    done = with_path({"env": "PX_TEST_LONG"})
    assert done.returncode == 1 and "services.data.config.databases.main.path" in done.stderr and "yyy" not in done.stderr, done


WRONG = [
    ("", "plexus.json:1:1: "),
    ("{\n  'a': 1}", "plexus.json:2:3: "),
    ('{"a": "\xff"}', "plexus.json:1:8: "),
    ('{"services": {"data": {"plugin": "sqlite", "config": {"databases": {}}}}}', "services.data.config.databases: "),
    ('{"services": {"data": {"plugin": "sqlite",\n "config": {"budget_ms": "2s",\n "databases": {"a": {"path": "/a"}}}}}}',
     'plexus.json:2:26: services.data.config.budget_ms: expected an integer from 10 to 600000, got "2s"'),
    ('{"services": {"data": {"plugin": "sqlite", "config": {"databases": {"a": {"path": "/a", "raed_only": true}}}}}}',
     'did you mean "read_only"?'),
    ('{"services": {"demo": {"plugin": "example", "config": {"a": 1}}}}', "services.demo.config: "),
    ('{"principals": {"uid:1": {"policy": "dve"}}, "policies": {"dev": {}}}', 'did you mean "dev"?'),
    ('{"policies": {"p": {"alow": []}}}', 'did you mean "allow"?'),
    ('{"socket": {"path": "/s", "mode": 660}}', "socket.mode: expected a string"),
    ('{"services": {"demo": {"plugin": "example", "enabled": 1}}}', "services.demo.enabled: expected true or false"),
    ('{"services": {"all": {"plugin": "example"}}}', "services.all: "),  # pause all is every service
    ('{"services": {"plexus": {"plugin": "example"}}}', "services.plexus: "),
    ('{"include": "nowhere"}', "plexus.json:1:13: include: cannot read the folder"),
]


@pytest.mark.parametrize("text,line", WRONG)
def test_wrong(folder, text, line):
    if text.startswith("{\""):
        text = '{"plugin_dirs": ["%s"], %s' % (PLUGINS, text[1:].lstrip()) if "sqlite" in text or "example" in text else text
        line = line if ":1:" not in line or "plugin_dirs" not in text else line.split(" ", 1)[1]
    (folder / "plexus.json").write_bytes(text.encode("latin-1"))
    done = run_plexusd("--check", "plexus.json", cwd=folder)
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert line in done.stderr


def test_every_problem_is_named(folder):
    done = check(folder, {"limits": {"calls": 0}, "log": {"level": "x"}, "polices": {}})
    assert done.stderr.count("plexus.json:") == 3 and done.stderr.endswith("3 problems\n")


def test_twice_in_two_files(folder):
    (folder / "conf.d").mkdir()
    (folder / "conf.d/a.json").write_text('{"services": {"x": {"plugin": "example"}}}')
    (folder / "conf.d/b.json").write_text('{\n"services": {"x": {"plugin": "example"}}}')
    done = check(folder, {"include": "conf.d", "plugin_dirs": [str(PLUGINS)]})
    assert done.stderr == "conf.d/b.json:2:14: services.x: defined twice: also at conf.d/a.json:1:15\n"


def test_unknown_plugins_are_warned_of(folder):
    done = check(folder, base_config(folder, services={"x": {"plugin": "sqlit"}}))
    assert done.returncode == 0 and done.stdout == "ok\n"
    assert 'warning: services.x.plugin: no plugin "sqlit"' in done.stderr


def test_files_that_are_no_plugins(folder):
    (folder / "plugins").mkdir()
    (folder / "plugins/text.so").write_text("no plugin")
    shutil.copy(PLUGINS / "example.so", folder / "plugins/a.so")
    shutil.copy(PLUGINS / "example.so", folder / "plugins/b.so")
    done = check(folder, {"plugin_dirs": ["plugins"]})
    assert done.returncode == 1
    assert f"{folder}/plugins/text.so: " in done.stderr
    assert f'{folder}/plugins/b.so: plugin "example" is also in {folder}/plugins/a.so' in done.stderr


def test_a_missing_file(folder):
    done = run_plexusd("--check", folder / "none.json")
    assert done.returncode == 1 and "none.json: cannot be read: No such file" in done.stderr
    done = run_plexusd("--check", folder / "nowhere/none.json")
    assert done.returncode == 2 and "nowhere: No such file" in done.stderr


def test_secrets_from_outside(folder):
    """A person who checks has another environment than the service; a file is a file."""
    config = base_config(folder)
    databases = config["services"]["data"]["config"]["databases"]
    databases["main"]["path"] = {"env": "PX_TEST_NOT_SET"}
    done = check(folder, config)
    assert "warning: services.data.config.databases.main.path: environment variable PX_TEST_NOT_SET is not set" in done.stderr
    databases["main"]["path"] = {"file": "secret"}
    done = check(folder, config)
    assert done.returncode == 1 and "secret file secret: No such file" in done.stderr
    (folder / "secret").write_text("a secret value\n")
    os.chmod(folder / "secret", 0o644)
    done = check(folder, config)
    assert done.returncode == 1 and "is open to others (mode 0644): chmod 0600 it" in done.stderr
    assert "a secret value" not in done.stderr


# ---- what the plugin's api makes of it ----

def web(folder, config=None, **more):
    plugins = folder / "more"
    plugins.mkdir(mode=0o755, exist_ok=True)
    shutil.copy(BUILD / "test/abi/plugins/routes.so", plugins)
    made = base_config(folder)
    made["plugin_dirs"].append(str(plugins))
    made["services"]["web"] = {"plugin": "routes", "config": {"base_url": "https://api.example.com/v1", **(config or {})}, **more}
    return made


@pytest.mark.parametrize("member, config, more", [
    ("config", {"base_url": "ftp://api.example.com"}, {}),
    ("config", {"base_url": "https://api.example.com/?a=b"}, {}),
    ("config", {"base_url": "no address at all"}, {}),
    ("config", {"base_url": "ftp://api.example.com", "token": {"env": "PX_TEST_NONE"}}, {}),
    ("config", {"token": "two\nlines"}, {}),
    ("config", {"base_url": {"env": "PX_TEST_NONE"}}, {}),
    ("auth", {}, {"auth": {"identity": "nobody", "kind": "none"}}),
    ("auth", {}, {"auth": {"kind": "oauth2", "client_id": "me"}}),
    ("auth", {}, {"auth": {"kind": "oauth2", "client_id": "me", "token_url": "http://id.example.com/t", "device_url": "https://id.example.com/d"}}),
    ("auth", {}, {"auth": {"kind": "oauth2", "flow": "client_credentials", "client_id": "me", "token_url": "https://id.example.com/t"}}),
    ("auth", {}, {"auth": {"kind": "jwt", "token_url": "https://id.example.com/t"}}),
    ("limits", {}, {"limits": {"upstreams": {"nowhere": {"in_flight": 1}}}}),
])
def test_what_a_start_would_find(plexusd, folder, member, config, more):
    """The service alone would fail, with these words; a check says them, too."""
    made = web(folder, config, **more)
    done = check(folder, made)
    lines = [line for line in done.stderr.splitlines() if "warning: " not in line]
    assert done.returncode == 1 and len(lines) == 1 and f": services.web.{member}: " in lines[0], done
    words = lines[0].split(f": services.web.{member}: ")[1]
    host = plexusd(config=made, env={"PX_TEST_NONE": "x"}).start()
    with host.planner() as planner:
        failed = next(one for one in planner.status()["services"] if one["name"] == "web")
        assert failed["state"] == "failed" and words in failed["error"], (words, failed)


@pytest.mark.parametrize("config, more", [
    ({}, {}),
    ({"token": "open"}, {"limits": {"upstreams": {"api": {"in_flight": 1}}}}),
    ({"token": {"env": "PX_TEST_NONE"}}, {}),
    ({"token": {"stored": "token"}}, {}),
    ({}, {"auth": {"kind": "basic", "user": "me", "secret": {"stored": "password"}}}),
    ({}, {"auth": {"kind": "api_key", "in": "cookie", "name": "sid", "secret": {"stored": "cookie"}}}),
    ({}, {"auth": {"kind": "oauth2", "flow": "client_credentials", "token_url": "https://id.example.com/t", "client_id": "me", "client_secret": {"stored": "s"}}}),
    ({}, {"auth": {"kind": "jwt", "token_url": "https://id.example.com/t", "private_key": {"stored": "key"}}}),
    ({}, {"auth": {"kind": "github_app", "app_id": "7", "private_key": {"credential": "key"}}}),
])
def test_what_a_start_would_not_mind(folder, config, more):
    """A secret that nobody sees here is no mistake, whatever it is for."""
    done = check(folder, web(folder, config, **more))
    assert done.returncode == 0 and done.stdout == "ok\n", done
    assert not (folder / "state").exists()


def test_the_shipped_examples(folder):
    for name in ("plexus.json", "quickstart.json"):
        text = (SOURCE / "etc" / name).read_text()
        text = text.replace('"../build/release/plugins"', json.dumps(str(PLUGINS)))
        if name == "plexus.json":
            text = text.replace("{\n", '{\n"plugin_dirs": [%s],\n' % json.dumps(str(PLUGINS)), 1)
        done = check(folder, text)
        assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_the_schema_is_described():
    """Every key of the configuration says what it is for."""
    schema = json.loads((SOURCE / "etc/config.schema.json").read_text())

    def walk(node, path):
        for key, child in node.get("properties", {}).items():
            assert "description" in child or "$ref" in child and "description" in schema["$defs"].get(
                child["$ref"].split("/")[-1], {}), f"{path}.{key}"
            walk(child, f"{path}.{key}")
        for key, child in node.get("$defs", {}).items():
            walk(child, f"$defs.{key}")

    walk(schema, "")

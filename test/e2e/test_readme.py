"""What the README says is so: its plugin compiles, loads while the host runs, and answers; its commands and files exist."""
import http.server
import json
import re
import subprocess
import threading

import pytest
from conftest import BUILD, PLEXUS, SOURCE, base_config, until

README = (SOURCE / "README.md").read_text()
PLUGINS = re.findall(r"```c\n(.*?)```", README, re.S)


def build(folder, source):
    name = re.search(r'\.name = "(\w+)", \.version', source).group(1)
    (folder / f"{name}.c").write_text(source)
    (folder / "plugins").mkdir()
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{SOURCE}/include", "-o", str(folder / f"{name}.so"),
                    str(folder / f"{name}.c")], check=True)
    done = subprocess.run([str(PLEXUS), "plugin", "check", str(folder / f"{name}.so")], capture_output=True, text=True)
    assert done.returncode == 0, done


def test_its_plugin(plexusd, folder):
    build(folder, PLUGINS[0])
    host = plexusd(config=base_config(folder, plugin_dirs=["plugins"], services={"clock": {"plugin": "clock"}})).start()
    with host.planner() as planner:
        assert planner.tools() == []
        (folder / "clock.so").rename(folder / "plugins/clock.so")
        until(lambda: planner.tools() == ["clock_now"], "the plugin is loaded")
        now = int(planner.call("clock_now")["content"][0]["text"])
        assert 1.6e12 < now < 1e13


class Catalogue(http.server.BaseHTTPRequestHandler):
    """Two pages of packages; what was asked stands in `seen`."""
    seen = []

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.seen.append((self.path, self.headers["Authorization"]))
        last = "page=2" in self.path
        body = json.dumps({"results": [{"name": "b" if last else "a", "version": "1", "author": {"login": "me", "id": 1}, "size": 5}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if not last:
            self.send_header("Link", f'<{self.path}&page=2>; rel="next"')
        self.end_headers()
        self.wfile.write(body)


def test_its_plugin_over_http(plexusd, folder):
    build(folder, PLUGINS[1])
    (folder / "packages.so").rename(folder / "plugins/packages.so")
    (folder / "token").touch(0o600)
    (folder / "token").write_text("a-token-of-the-catalogue\n")
    Catalogue.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Catalogue) as upstream:
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        service = {"plugin": "packages", "config": {"base_url": f"http://127.0.0.1:{upstream.server_port}", "token": {"file": "token"}}}
        host = plexusd(config=base_config(folder, plugin_dirs=["plugins"], services={"packages": service})).start()
        with host.planner() as planner:
            assert planner.data_of("packages_search", {"name": "x y"}) == {
                "items": [{"name": name, "version": "1", "author": {"login": "me"}} for name in "ab"]}
        upstream.shutdown()
    assert Catalogue.seen == [(f"/packages?q=x%20y&per_page=30{page}", "Bearer a-token-of-the-catalogue") for page in ("", "&page=2")]


def test_its_files_exist():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert path.startswith("http") or (SOURCE / path).exists(), path
    for path in re.findall(r"^\| `([a-z/.]+)`", README, re.M):
        if "/" in path:
            assert (SOURCE / path).exists(), path


def test_its_commands_exist():
    help = subprocess.run([str(PLEXUS), "--help"], capture_output=True, text=True).stdout
    known = set(re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", help, re.M))
    for command in re.findall(r"(?:^    |`)plexus (?:--profile \w+ )?([a-z]+(?: (?:new|check|login|logout|status|set|list|remove))?)", README + (SOURCE / "etc/CREDENTIALS.md").read_text(), re.M):
        assert command in known or command.split()[0] in known, command


def test_the_tools_it_calls_exist():
    """Also those of --help and of the plugin's page."""
    texts = [README, (SOURCE / "plugins/github/README.md").read_text()]
    for command in ("", "call", "describe", "tools", "log"):
        texts.append(subprocess.run([str(PLEXUS), *command.split(), "--help"], capture_output=True, text=True).stdout)
    vetted = subprocess.run([str(PLEXUS), "plugin", "check", str(BUILD / "plugins/github.so")], capture_output=True, text=True).stdout
    tools = json.loads(vetted.strip().splitlines()[-1])["tools"]
    called = re.findall(r"plexus (?:call|describe) (github_\w+)", "\n".join(texts))
    assert len(called) > 5 and not set(called) - set(tools)


CREDENTIALS = re.findall(r"```json\n(.*?)```", (SOURCE / "etc/CREDENTIALS.md").read_text(), re.S)


@pytest.mark.parametrize("number", range(len(CREDENTIALS)))
def test_the_examples_of_credentials(plexusd, folder, number):
    """Each is a configuration that the check and the host take, once its secrets are there."""
    secret = folder / "secret"
    config = json.loads(CREDENTIALS[number])
    if "private_key" in CREDENTIALS[number]:
        subprocess.run(["openssl", "genrsa", "-out", str(secret), "2048"], check=True, capture_output=True)
    else:
        secret.write_text("a-secret-of-the-test")
    secret.chmod(0o600)

    def filled(node):
        if isinstance(node, dict):
            return {"file": str(secret)} if set(node) == {"stored"} else {key: filled(value) for key, value in node.items()}
        return node
    host = plexusd(config=base_config(folder, services=filled(config["services"])))
    done = subprocess.run([str(BUILD / "bin/plexusd"), "--check", str(host.file)], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done
    host.start()
    with host.planner() as planner:
        assert [(s["state"], s["error"]) for s in planner.status()["services"]] == [("ready", None)]


PAGES = [path for path in (SOURCE / "plugins").glob("*/README.md") if "```json" in path.read_text()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_examples_of_plugins(folder, page):
    """Each is a part of a configuration that the check takes: with warnings (a secret that is not here), not with errors."""
    for number, part in enumerate(re.findall(r"```json\n(.*?)```", page.read_text(), re.S)):
        file = folder / f"{number}.json"
        file.write_text('{"plugin_dirs": ["%s/plugins"], %s}' % (BUILD, part))
        done = subprocess.run([str(BUILD / "bin/plexusd"), "--check", str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done


def test_what_monitoring_is_told(plexusd, folder):
    """The configurations of MONITORING.md are good, and the metrics that it names are there."""
    text = (SOURCE / "etc/MONITORING.md").read_text()
    parts = re.findall(r'^    ("http": .*)$', text, re.M)
    assert len(parts) == 2
    for number, part in enumerate(parts):
        file = folder / f"{number}.json"
        file.write_text("{%s}" % part)
        done = subprocess.run([str(BUILD / "bin/plexusd"), "--check", str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done
    at = folder / "http.sock"
    plexusd(config=base_config(folder, http={"listen": f"unix:{at}"})).start()
    shown = subprocess.run(["curl", "-sS", "--unix-socket", str(at), "http://localhost/metrics"], capture_output=True, text=True, check=True).stdout
    families = set(re.findall(r"^# TYPE (\w+) ", shown, re.M))
    named = set(re.findall(r"plexus_[a-z_]+", text))
    assert len(named) >= 5
    for name in named:
        assert name in families or name.removesuffix("_total") in families, name
    assert 'plexus_state_health{health="read_only"} 0' in shown

"""What the README says is so: its plugin compiles, loads while the host runs, and answers; its commands and files exist."""
import re
import subprocess

from conftest import PLEXUS, SOURCE, base_config, until

README = (SOURCE / "README.md").read_text()


def test_its_plugin(plexusd, folder):
    source = re.search(r"```c\n(.*?)```", README, re.S).group(1)
    (folder / "clock.c").write_text(source)
    (folder / "plugins").mkdir()
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{SOURCE}/include", "-o", str(folder / "clock.so"),
                    str(folder / "clock.c")], check=True)
    done = subprocess.run([str(PLEXUS), "plugin", "check", str(folder / "clock.so")], capture_output=True, text=True)
    assert done.returncode == 0, done
    host = plexusd(config=base_config(folder, plugin_dirs=["plugins"], services={"clock": {"plugin": "clock"}})).start()
    with host.planner() as planner:
        assert planner.tools() == []
        (folder / "clock.so").rename(folder / "plugins/clock.so")
        until(lambda: planner.tools() == ["clock_now"], "the plugin is loaded")
        now = int(planner.call("clock_now")["content"][0]["text"])
        assert 1.6e12 < now < 1e13


def test_its_files_exist():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert path.startswith("http") or (SOURCE / path).exists(), path
    for path in re.findall(r"^\| `([a-z/.]+)`", README, re.M):
        if "/" in path:
            assert (SOURCE / path).exists(), path


def test_its_commands_exist():
    help = subprocess.run([str(PLEXUS), "--help"], capture_output=True, text=True).stdout
    known = set(re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", help, re.M))
    for command in re.findall(r"(?:^    |`)plexus (?:--profile \w+ )?([a-z]+(?: (?:new|check))?)", README, re.M):
        assert command in known or command.split()[0] in known, command

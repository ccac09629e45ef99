"""How plexusd comes up: readiness, socket activation, the watchdog, and when it must refuse."""
import os
import shutil
import socket
import subprocess

import pytest
from conftest import PLEXUSD, PLUGINS, SOURCE, Planner, base_config, children, run_plexusd, until


def test_ready_and_serving(host):
    with host.planner() as planner:
        status = planner.status()
        assert status["ready"] and not status["stopping"]
        assert status["pid"] == host.pid
        assert status["principal"] == f"uid:{os.getuid()}"
        assert {s["name"]: s["state"] for s in status["services"]} == {"data": "ready", "demo": "ready"}
        assert status["state"]["health"] == "ok"
        assert {"data_query", "data_execute", "demo_echo"} <= set(planner.tools())
        assert planner.call("demo_echo", {"text": "hello"})["content"][0]["text"] == "hello"
    assert host.threads() == 1
    assert any(line.startswith("STATUS=2 services, 7 tools") for line in host.notifications())


def test_ready_comes_after_the_services(host):
    """Whoever waits for READY may call at once."""
    log = host.log()
    assert log.index("service: ready service=data") < log.index("daemon: ready")
    assert log.index("service: ready service=demo") < log.index("daemon: ready")


def test_an_empty_configuration_is_one(plexusd, folder):
    """Everything has a default; where systemd made folders, those are it."""
    (folder / "state").mkdir(mode=0o700)
    host = plexusd(config="{} // nothing", env={"STATE_DIRECTORY": str(folder / "state"), "RUNTIME_DIRECTORY": str(folder)})
    host.start()
    with host.planner() as planner:
        assert planner.status()["services"] == []


def test_relative_paths_count_from_the_file(host, folder):
    assert (folder / "state" / "state.db").exists()
    assert os.stat(folder / "state").st_mode & 0o777 == 0o700
    assert os.readlink(f"/proc/{host.pid}/cwd") == str(folder)


def test_the_socket_as_configured(plexusd, folder):
    config = base_config(folder, socket={"path": "planner.sock", "mode": "0600", "group": os.getgid()})
    host = plexusd(config=config).start()
    assert os.stat(host.socket).st_mode & 0o777 == 0o600


def activated(plexusd, folder, names):
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(folder / "passed.sock"))
    listening.listen(16)
    fd = listening.fileno()
    script = f'exec 3<&{fd} {fd}<&-; export LISTEN_PID=$$; exec "$@"'
    host = plexusd(prefix=("/bin/bash", "-c", script, "sh"), pass_fds=(fd,),
                   env={"LISTEN_FDS": "1", **({"LISTEN_FDNAMES": names} if names else {})})
    with listening:
        host.start()
    return host


@pytest.mark.parametrize("names", ["planner", None])
def test_socket_activation(plexusd, folder, names):
    host = activated(plexusd, folder, names)
    assert not host.socket.exists(), "the socket of the configuration is not used"
    with Planner(folder / "passed.sock") as planner:
        assert planner.status()["ready"]
    host.stop()
    assert (folder / "passed.sock").exists(), "the socket is the service manager's"


def test_a_passed_descriptor_that_is_no_socket(plexusd, folder):
    script = 'exec 3</dev/null; export LISTEN_PID=$$; exec "$@"'
    host = plexusd(prefix=("/bin/bash", "-c", script, "sh"), env={"LISTEN_FDS": "1"})
    host.expect = 1
    host.spawn().process.wait(30)
    assert "not a listening stream socket" in host.log()


def test_watchdog(plexusd):
    host = plexusd(env={"WATCHDOG_USEC": "200000"}).start()
    until(lambda: host.notifications().count("WATCHDOG=1") >= 5, "five pings")


def test_no_watchdog_unless_asked(host):
    host.reload()
    assert "WATCHDOG=1" not in host.notifications()


def test_without_a_service_manager(plexusd):
    host = plexusd(env={"NOTIFY_SOCKET": ""})
    host.spawn()
    host.logged("daemon: ready")
    with host.planner() as planner:
        assert planner.status()["ready"]
    assert host.notifications() == []


def test_closed_standard_descriptors(plexusd, folder):
    """Without 0 to 2, the first file that is opened would become stderr, and the log would be written into it."""
    host = plexusd(prefix=("/bin/bash", "-c", '"$@" 0<&- 1>&- 2>&-', "sh")).spawn()
    host.wait_for("READY=1")
    host.prefix = ()
    pid = until(lambda: children(host.pid), "the daemon below its shell")[0]
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
    with host.planner() as planner:
        assert planner.status()["ready"]
    os.kill(pid, 15)
    assert host.process.wait(30) == 0


def test_core_files(host, plexusd):
    """No core file, and no look into our memory for others of our uid, unless it was asked for."""
    with open(f"/proc/{host.pid}/limits") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert os.stat(f"/proc/{host.pid}/environ").st_uid == 0


def test_open_files(plexusd):
    """Each planner is a descriptor: we take as many as we may, whatever soft limit we were started with."""
    host = plexusd(prefix=("/bin/bash", "-c", 'ulimit -Sn 256 && ulimit -Hn 2048 && exec "$@"', "sh")).start()
    assert open_files(host.pid) == ["2048", "2048"]


def open_files(pid):
    with open(f"/proc/{pid}/limits") as limits:
        line = next(line for line in limits if line.startswith("Max open files"))
    return line.split()[3:5]  # soft, hard


def test_two_daemons_on_one_state_folder(host, plexusd, folder):
    config = base_config(folder / "host1", state_dir=str(folder / "state"))
    second = plexusd(config=config)
    second.expect = 1
    second.spawn().process.wait(30)
    assert str(folder / "state") in second.log() and "cannot start" in second.log()
    with host.planner() as planner:
        assert planner.status()["ready"], "the first one goes on"


def test_two_daemons_on_one_socket(host, plexusd, folder):
    config = base_config(folder / "host1", socket=str(host.socket))
    second = plexusd(config=config)
    second.expect = 1
    second.spawn().process.wait(30)
    assert "cannot start" in second.log() and str(host.socket) in second.log()
    with host.planner() as planner:
        assert planner.status()["ready"], "the first one goes on"


def test_a_wrong_configuration_does_not_start(plexusd, folder):
    host = plexusd(config='{\n "limits": {"calls": "many"},\n "stat_dir": "x"}')
    host.expect = 1
    host.spawn().process.wait(30)
    log = host.log()
    assert f"{host.file}:2:22: limits.calls: expected an integer" in log.replace('\\"', '"')
    assert f"{host.file}:3:2: stat_dir: " in log
    assert "2 problems in the configuration" in log
    assert not (folder / "state").exists()


def test_words_on_the_command_line():
    assert run_plexusd("--version").stdout.startswith("plexusd 0.")
    done = run_plexusd("--help")
    assert done.returncode == 0 and "--check" in done.stdout
    done = run_plexusd("--confg", "x")
    assert done.returncode == 2 and "--confg" in done.stderr
    done = run_plexusd("--config", "/no/such/folder/plexus.json")
    assert done.returncode == 1 and "/no/such/folder: No such file" in done.stderr


def test_exports_nothing():
    """A plugin finds no symbol of the host's: the header is all there is."""
    names = subprocess.run(["nm", "-D", "--defined-only", str(PLEXUSD)], capture_output=True, text=True, check=True).stdout
    ours = [line for line in names.splitlines() if " px_" in line]
    assert ours == []


NEVER = """
#include <plexus/plugin.h>
static int32_t never_open(const struct px_host *host, const struct px_open_in *in, void **ret_self) {
    (void)host, (void)in;
    *ret_self = 0;
    return PX_MORE;
}
static void never_call(void *self, px_call_h call, const struct px_call_in *in) { (void)self, (void)call, (void)in; }
PX_PLUGIN(.name = "never", .version = "1", .summary = "never ready", .open = never_open, .call = never_call);
"""


def test_a_service_that_never_opens(plexusd, folder):
    """It is waited for, but not for ever; the others serve, and it does not keep the host from ending."""
    plugins = folder / "plugins"
    plugins.mkdir()
    (folder / "never.c").write_text(NEVER)
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{SOURCE}/include", "-o", str(plugins / "never.so"), str(folder / "never.c")], check=True)
    shutil.copy(PLUGINS / "example.so", plugins)
    config = base_config(folder, plugin_dirs=["plugins"], services={"demo": {"plugin": "example"}, "slow": {"plugin": "never"}})
    host = plexusd(config=config).spawn()
    host.logged("service: ready service=demo")
    with host.planner() as planner:
        assert not planner.status()["ready"]
        host.wait_for("READY=1")
        status = planner.status()
        assert status["ready"]
        assert {s["name"]: s["state"] for s in status["services"]} == {"demo": "ready", "slow": "starting"}
        assert planner.call("demo_echo", {"text": "x"})["content"]

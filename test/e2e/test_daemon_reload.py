"""HUP: what changes, what stays, and that a wrong configuration changes nothing."""
import copy
import http.server
import os
import random
import shutil
import signal
import threading

import pytest
from conftest import BUILD, RpcError, base_config, until

ME = "uid:%d" % os.getuid()


def changed(host, change):
    config = copy.deepcopy(host.config)
    change(config)
    return config


def state_of(planner, service):
    return next((s["state"] for s in planner.status()["services"] if s["name"] == service), None)


def test_services_come_and_go(host):
    with host.planner() as planner:
        host.reload(changed(host, lambda c: c["services"].update(second={"plugin": "example"})))
        assert planner.call("second_echo", {"text": "x"})["content"][0]["text"] == "x"
        host.reload(changed(host, lambda c: c["services"]["second"].update(enabled=False)))
        assert "second_echo" not in planner.tools()
        assert "demo_echo" in planner.tools()


def test_a_new_service_can_be_called_when_the_reload_is_over(host):
    """READY after RELOADING means what it meant at the start."""
    host.reload(changed(host, lambda c: c["services"].update(
        more={"plugin": "sqlite", "config": {"databases": {"x": {"path": str(host.folder / "x.db"), "create": True}}}})))
    with host.planner() as planner:
        assert planner.data_of("more_query", {"sql": "select 1"})["rows"] == [[1]]


def test_the_protocol_of_a_reload(host):
    host.reload()
    lines = host.notifications()
    reloading = lines.index("RELOADING=1")
    assert lines[reloading + 1].startswith("MONOTONIC_USEC=")
    assert "READY=1" in lines[reloading:]


def test_what_did_not_change_keeps_running(host):
    with host.planner() as planner:
        waiting = planner.begin_call("demo_wait", {"seconds": 1})
        until(lambda: planner.status()["calls"]["in_flight"] == 1, "the call")
        host.reload(changed(host, lambda c: c["services"]["data"]["config"].update(max_rows=7)))
        assert planner.answer(waiting)["result"]["structuredContent"] == {"waited": 1}
        rows = planner.data_of("data_query", {"sql": "with recursive n(i) as (select 1 union all select i+1 from n "
                                                     "where i < 100) select i from n"})
        assert len(rows["rows"]) == 7, "and what did, did"
    assert "replaced service=data" in host.log()
    assert "replaced service=demo" not in host.log()


def test_a_wrong_one_changes_nothing_and_says_why(host):
    with host.planner() as planner:
        before = planner.tools()
        host.reload('{"services": {},\n "limits": {"calls": 0}}')
        assert f"{host.file}:2:22: limits.calls" in host.log()
        assert "the configuration was not changed" in host.log()
        assert any("refused (1 problems)" in line for line in host.notifications())
        assert planner.tools() == before
        host.reload("not JSON")
        assert planner.tools() == before
        host.file.unlink()
        host.process.send_signal(signal.SIGHUP)
        host.logged("cannot be read: No such file")
        assert planner.tools() == before


def test_policy_is_applied_to_open_sessions(host):
    with host.planner() as planner:
        planner.data_of("data_execute", {"sql": "create table t(x)"})
        host.reload(changed(host, lambda c: c["policies"]["all"].update(deny=["data_execute"])))
        assert planner.error_of("data_execute", {"sql": "drop table t"})["code"] == "forbidden"
        host.reload(changed(host, lambda c: c["policies"]["all"].pop("deny")))
        planner.data_of("data_execute", {"sql": "drop table t"})


def test_limits_are_applied(host):
    with host.planner() as planner:
        host.reload(changed(host, lambda c: c.update(limits={"timeout_ms": 200})))
        assert planner.data_of("demo_wait", {"seconds": 30})["waited"] < 20, "what the example has when its time is up"


def test_retention_is_applied(host):
    """Fewer rows of the log are kept as soon as it is said; a wrong number changes nothing."""
    def rows():
        return len(planner.request("plexus/log", {"limit": 1000})["rows"])

    with host.planner() as planner:
        for _ in range(250):
            planner.call("demo_echo", {"text": "x"})
        until(lambda: rows() >= 250, "the log")
        host.reload(changed(host, lambda c: c.update(retention={"log_rows": 99})))
        assert "retention.log_rows: expected an integer from 100 to 100000000, got 99" in host.log() and rows() >= 250
        host.reload(changed(host, lambda c: c.update(retention={"log_rows": 100})))
        until(lambda: rows() == 100, "fewer of them")
    assert "needs a restart" not in host.log()


def test_the_log_level_is_applied(host):
    host.reload(changed(host, lambda c: c.update(log={"level": "error"})))
    host.process.send_signal(signal.SIGUSR1)
    with host.planner() as planner:  # the signal is dealt with before a second answer
        planner.status()
        planner.status()
    host.reload(changed(host, lambda c: c.update(log={"level": "info"})))
    assert "daemon: status" not in host.log()
    host.process.send_signal(signal.SIGUSR1)
    host.logged("daemon: status")


def test_what_needs_a_restart_is_said(host):
    host.reload(changed(host, lambda c: c.update(socket="other.sock", state_dir="elsewhere")))
    assert "needs a restart key=socket" in host.log()
    assert "needs a restart key=state_dir" in host.log()
    with host.planner() as planner:
        assert planner.status()["ready"]


def test_a_service_that_cannot_open_leaves_the_old_one(host):
    with host.planner() as planner:
        planner.data_of("data_execute", {"sql": "create table t(x)"})
        host.reload(changed(host, lambda c: c["services"]["data"].update(config={"databases": {}})))
        assert "replacement failed" in host.log()
        assert planner.data_of("data_list_tables")["tables"][0]["name"] == "t"
        assert state_of(planner, "data") == "ready"


def test_many_reloads_leave_nothing_behind(host):
    def descriptors():
        return len(os.listdir(f"/proc/{host.pid}/fd"))

    host.reload()
    before = descriptors()
    for i in range(30):
        host.reload(changed(host, lambda c: c["services"]["data"]["config"].update(max_rows=100 + i)))
    until(lambda: descriptors() <= before + 1, "descriptors")


def test_hangups_in_a_row(host):
    for _ in range(50):
        host.process.send_signal(signal.SIGHUP)
    host.reload()
    with host.planner() as planner:
        assert planner.status()["ready"]


def test_secrets_are_read_again(plexusd, folder):
    """A file whose content changed gives a new instance; an environment variable is remembered."""
    secret = folder / "path"
    secret.write_text(str(folder / "one.db"))
    secret.chmod(0o600)
    config = base_config(folder, services={"demo": {"plugin": "example"}})
    host = plexusd(config=config, env={"PX_TEST_SECRET": "remembered value"}).start()
    with open(f"/proc/{host.pid}/environ", "rb") as environ:
        assert b"remembered value" in environ.read(), "nobody has asked for it so far"
    config["services"]["other"] = {"plugin": "example", "enabled": False, "config": {"x": {"env": "PX_TEST_SECRET"}}}
    host.reload(config)
    with open(f"/proc/{host.pid}/environ", "rb") as environ:
        assert b"remembered value" in environ.read(), "a service that is off needs no secret"


# ---- limits and auth ----

@pytest.fixture
def web(plexusd, folder):
    """A service whose requests the host makes, to nobody."""
    plugins = folder / "more"
    plugins.mkdir(mode=0o755)
    shutil.copy(BUILD / "test/abi/plugins/routes.so", plugins)
    config = base_config(folder)
    config["plugin_dirs"].append(str(plugins))
    config["services"]["web"] = {"plugin": "routes", "config": {"base_url": "http://127.0.0.1:9/", "token": "a-token-of-the-test"},
                                 "limits": {"in_flight": 4, "retry": {"attempts": 0}}}
    return plexusd(config).start()


def guard_of(planner):
    return next(s["guard"] for s in planner.status()["services"] if s["name"] == "web")


def test_limits_change_in_place(web):
    with web.planner() as planner:
        planner.error_of("web_get", {"id": "x"})
        before = guard_of(planner)
        assert before["in_flight_limit"] == 4 and before["requests"] == 1 and before["failed"] == 1
        web.reload(changed(web, lambda c: c["services"]["web"]["limits"].update(in_flight=7, queue=9)))
        after = guard_of(planner)
        assert after["in_flight_limit"] == 7 and after["waiting_limit"] == 9
        assert after["requests"] == 1 and after["last_error"]["words"] == before["last_error"]["words"]
        web.reload(changed(web, lambda c: c["services"]["web"].pop("limits")))
        assert guard_of(planner)["in_flight_limit"] == 32 and guard_of(planner)["requests"] == 1
    assert "replaced service=web" not in web.log() and web.log().count("new limits service=web") == 2


def test_wrong_limits_change_nothing(web):
    with web.planner() as planner:
        web.reload(changed(web, lambda c: c["services"]["web"]["limits"].update(in_flight=0)))
        assert "services.web.limits.in_flight: expected an integer from 1 to 10000, got 0" in web.log()
        assert guard_of(planner)["in_flight_limit"] == 4


def test_counters_outlive_an_instance(web):
    with web.planner() as planner:
        planner.error_of("web_get", {"id": "x"})
        web.reload(changed(web, lambda c: c["services"]["web"]["config"].update(token="another-token-of-the-test")))
        web.logged("replaced service=web")
        planner.error_of("web_get", {"id": "x"})
        assert guard_of(planner)["requests"] == 2


def test_other_credentials_replace_the_instance(web, folder):
    secret = folder / "secret"
    secret.write_text("the-first-secret")
    secret.chmod(0o600)
    auth = {"kind": "bearer", "secret": {"file": str(secret)}}
    for what, change in enumerate([lambda c: c["services"]["web"].update(auth=auth),
                                   lambda c: secret.write_text("the-second-secret"),
                                   lambda c: c["services"]["web"]["auth"].update(prefix="token "),
                                   lambda c: c["services"]["web"].pop("auth")]):
        web.reload(changed(web, change))
        web.logged("replaced service=web", what + 1)
    web.reload(changed(web, lambda c: None))
    assert web.log().count("replaced service=web") == 4
    assert "the-first-secret" not in web.log() and "the-second-secret" not in web.log()
    web.reload(changed(web, lambda c: c["services"]["web"].update(auth={"kind": "bearer", "secret": "written-right-here"})))
    assert "services.web.auth.secret: a secret is not written here but named" in web.log() and "written-right-here" not in web.log()


class Polite(http.server.BaseHTTPRequestHandler):
    """Keeps connections open, for as long as the other side does."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b'{"id":7}')


def test_reloads_leave_nothing(plexusd, folder):
    """Services replaced again and again while they are called: connections of the old instances are closed at once, and nothing else stays."""
    upstream, chance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Polite), random.Random(1)
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % upstream.server_address[1]
    (folder / "more").mkdir()
    shutil.copy(BUILD / "test/abi/plugins/chaos.so", folder / "more")
    (folder / "more" / "chaos.so").chmod(0o644)
    config = base_config(folder)
    config["plugin_dirs"].append(str(folder / "more"))
    config["services"]["up"] = {"plugin": "chaos", "config": {"base_url": url}, "limits": {"in_flight": 100}}
    host = plexusd(config).start()

    def fds():
        return len(os.listdir(f"/proc/{host.pid}/fd"))

    try:
        with host.planner() as planner:
            planner.data_of("up_get", {"case": "first"})
            before, loop = fds(), planner.status()["loop"]
            for n in range(int(os.environ.get("PX_TEST_RELOADS", "12"))):
                ids = [planner.begin_call("up_get", {"case": "n%d" % chance.randrange(10 ** 9)}) for _ in range(20)]
                host.reload(changed(host, lambda c: c["services"]["up"].update(network={"allow_private": n % 2 == 0}, limits={"in_flight": 100 - n % 5})))
                for id in ids:
                    result = planner.answer(id)["result"]
                    assert not result.get("isError") or result["structuredContent"]["error"]["retryable"], result
            planner.data_of("up_get", {"case": "last"})
            until(lambda: fds() <= before + 1, f"descriptors: {before} before, {fds()} now")

            def gone():
                after = planner.status()["loop"]
                return after["ops"] <= loop["ops"] and after["scopes"] <= loop["scopes"] and after["timers"] <= loop["timers"] + 5
            until(gone, f"what was under way: {loop}")
    finally:
        upstream.shutdown()
        upstream.server_close()

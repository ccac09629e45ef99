"""Secrets that are not there, of whichever kind: one service fails, at a start; what runs goes on, in a reload; all is said."""
import os

import pytest
from conftest import base_config, run_plexusd
from test_routes import upstream  # noqa: F401
from test_secrets_store import make, secret, sent, service  # noqa: F401


def shop(token, **more):
    return {"plugin": "sqlite", "config": {"databases": {"x": {"path": token, "create": True}}}, **more}


def said(planner, tool):
    """What a call of a tool that is not there is answered with."""
    return planner.answer(planner.begin("tools/call", {"name": tool}))["error"]["message"]


WHERE = "services.shop.config.databases.x.path: "


@pytest.mark.parametrize("ref, words", [
    ({"env": "PX_TEST_NONE"}, WHERE + "environment variable PX_TEST_NONE is not set; set it for plexusd"),
    ({"file": "/no/such/file"}, WHERE + "secret file /no/such/file: No such file or directory; mend that, then have the configuration read again (HUP)"),
    ({"file": "open"}, WHERE + "secret file open is open to others (mode 0644): chmod 0600 it; mend that"),
    ({"file": "empty"}, WHERE + "secret file empty is empty; mend that"),
    ({"credential": "none"}, "the service manager passed no credentials"),
    ({"stored": "none"}, "plexus secret set none"),
], ids=lambda v: next(iter(v.items()))[1].rsplit("/", 1)[-1] if isinstance(v, dict) else "")
def test_a_secret_that_cannot_be_had_fails_its_service_alone(plexusd, folder, ref, words):
    (folder / "open").write_text("x")
    (folder / "open").chmod(0o644)
    (folder / "empty").touch(0o600)
    config = base_config(folder)
    config["services"]["shop"] = shop(ref)
    config["principals"]["*"] = {"policy": "default"}
    host = plexusd(config=config).start()
    errors = [line for line in host.log().splitlines() if "service=shop" in line and words in line]
    assert len(errors) == 1 and " error service: failed " in errors[0], host.log()
    assert any(line.startswith("STATUS=3 services (1 failed), 7 tools") for line in host.notifications())
    with host.planner() as planner:
        failed = service(planner, "shop")
        assert failed["state"] == "failed" and words in failed["error"], failed
        if "stored" not in ref:
            assert failed["error"].startswith(f"{host.file}:"), "which file, and where in it"
        answer = said(planner, "shop_query")
        assert 'unknown tool "shop_query": the service "shop" has failed and has no tools: ' in answer and words in answer
        assert planner.data_of("data_query", {"sql": "select 1"})["rows"] == [[1]]
        assert not planner.call("demo_echo", {"text": "x"}).get("isError")
        host.reload()  # nothing has changed: nothing is said again, and nobody else is replaced
        assert service(planner, "shop")["state"] == "failed"
    assert host.log().count(words) == 1 and "replaced" not in host.log()


def test_a_secret_that_comes_later(make, upstream, folder):
    """The file appears, and a reload makes the service work."""
    host = make(token={"file": "token"})
    with host.planner() as planner:
        assert service(planner, "web")["state"] == "failed"
        (folder / "token").write_text("the-token-at-last")
        (folder / "token").chmod(0o600)
        host.reload()
        assert service(planner, "web")["state"] == "ready" and service(planner, "web")["error"] is None
        assert sent(upstream, planner) == "Bearer the-token-at-last" and "replaced" not in host.log()


def test_a_key_of_its_network_is_a_secret_too(make, upstream, folder):
    host = make(start=False, token="literal")
    host.config["services"]["web"]["network"] = {"client_cert": "cert.pem", "client_key": "key.pem"}
    host.write(host.config)
    host.start()
    with host.planner() as planner:
        assert "services.web.network.client_cert: cannot be read: No such file or directory; mend that" in service(planner, "web")["error"]
        assert "(and 1 more: plexusd --check says each)" in service(planner, "web")["error"]
        assert not planner.call("demo_echo", {"text": "x"}).get("isError")
    assert run_plexusd("--check", host.file).returncode == 1


@pytest.mark.parametrize("ref", [{"env": "PX_TEST_NONE"}, {"file": "none"}, {"credential": "none"}, {"stored": "none"}], ids=lambda r: next(iter(r)))
def test_a_reload_that_lacks_a_secret_leaves_what_works(make, upstream, folder, ref):
    """Half a reload: the service goes on as it was, and says what it lacks; all the rest of it is applied."""
    (folder / "token").write_text("the-first-token")
    (folder / "token").chmod(0o600)
    host = make(token={"file": "token"})
    config = host.config
    with host.planner() as planner:
        assert sent(upstream, planner) == "Bearer the-first-token"
        config["services"]["web"]["config"]["token"] = ref
        config["services"]["more"] = {"plugin": "example"}
        host.reload(config)
        now = service(planner, "web")
        assert now["state"] == "ready" and next(iter(ref.values())) in now["error"]
        assert host.log().count("replacement failed; the old instance stays service=web") == 1
        assert sent(upstream, planner) == "Bearer the-first-token"
        assert not planner.call("more_echo", {"text": "x"}).get("isError"), "the rest is applied"
        host.reload()
        assert service(planner, "web")["state"] == "ready" and host.log().count("replacement failed") == 1
        # The very file goes away: the same.
        config["services"]["web"]["config"]["token"] = {"file": "token"}
        (folder / "token").unlink()
        host.reload(config)
        assert sent(upstream, planner) == "Bearer the-first-token"
        assert "secret file token: No such file" in service(planner, "web")["error"]
        (folder / "token").write_text("the-second-token")
        (folder / "token").chmod(0o600)
        host.reload()
        assert service(planner, "web")["error"] is None and sent(upstream, planner) == "Bearer the-second-token"
    # At a start there is nothing to go on with.
    host.stop()
    (folder / "token").unlink()
    host.start()
    with host.planner() as planner:
        assert service(planner, "web")["state"] == "failed" and service(planner, "more")["state"] == "ready"


def test_taking_a_stored_secret_away_ends_what_has_it(make, upstream):
    """plexus secret remove is no half-written reload: nobody goes on with what was taken away, whatever else is missing."""
    host = make(token="literal")
    secret(host, "set", "web_token", stdin="the-stored-token")
    config = host.config
    with host.planner() as planner:
        config["services"]["web"]["config"]["token"] = {"stored": "web_token"}
        host.reload(config)
        assert sent(upstream, planner) == "Bearer the-stored-token"
        config["services"]["web"]["config"]["base_url"] = {"env": "PX_TEST_NONE"}
        host.reload(config)
        assert service(planner, "web")["state"] == "ready" and sent(upstream, planner) == "Bearer the-stored-token"
        secret(host, "remove", "web_token")
        assert service(planner, "web")["state"] == "failed" and "PX_TEST_NONE is not set" in service(planner, "web")["error"]
        # What has its value again still lacks the other.
        secret(host, "set", "web_token", stdin="the-stored-token")
        assert service(planner, "web")["state"] == "failed"
        config["services"]["web"]["config"]["base_url"] = upstream.url
        host.reload(config)
        assert sent(upstream, planner) == "Bearer the-stored-token"


def test_taking_away_what_only_the_old_configuration_names(make, upstream):
    """What goes on with an older configuration has the secrets of that; taken away is taken away."""
    host = make(token="literal")
    secret(host, "set", "old_token", stdin="the-stored-token")
    config = host.config
    with host.planner() as planner:
        config["services"]["web"]["config"]["token"] = {"stored": "old_token"}
        host.reload(config)
        config["services"]["web"]["config"]["token"] = {"stored": "new_token"}
        host.reload(config)
        assert service(planner, "web")["state"] == "ready" and sent(upstream, planner) == "Bearer the-stored-token"
        secret(host, "remove", "old_token")
        failed = service(planner, "web")
        assert failed["state"] == "failed" and "plexus secret set new_token" in failed["error"]
        assert "ended: a secret that it had was taken away service=web" in host.log()
        secret(host, "set", "new_token", stdin="the-other-token")
        assert sent(upstream, planner) == "Bearer the-other-token"


def test_who_is_told_of_what_is_missing(plexusd, folder):
    """An administrator hears the file and what to do; another planner that there is something, if it could use it at all."""
    config = base_config(folder)
    config["services"]["shop"] = shop({"file": "none"})
    config["principals"] = {f"uid:{os.getuid()}": {"policy": "all", "admin": False}}
    config["policies"]["narrow"] = {"allow": ["demo_*"], "allow_reads": False}
    host = plexusd(config=config).start()
    with host.planner() as planner:
        answer = said(planner, "shop_query")
        assert answer.endswith('the service "shop" has failed and has no tools: an administrator sees why with plexus status')
    config["principals"] = {f"uid:{os.getuid()}": {"policy": "narrow", "admin": False}}
    host.reload(config)
    with host.planner() as planner:
        assert "the service" not in said(planner, "shop_query")


def test_what_is_wrong_with_the_configuration_is_no_services_fault(plexusd, folder):
    """A reference that cannot be one stops the start, as other mistakes do; and changes nothing in a reload."""
    config = base_config(folder)
    host = plexusd(config=config).start()
    config["services"]["shop"] = shop({"env": "A=B"})
    config["services"]["more"] = {"plugin": "example"}
    host.reload(config)
    with host.planner() as planner:
        assert {one["name"] for one in planner.status()["services"]} == {"data", "demo"}
    assert "the configuration was not changed" in host.log()
    host.stop()
    host.expect = 1
    host.spawn().process.wait(30)
    assert WHERE + "not the name of an environment variable" in host.log()


def test_check_still_says_what_is_missing(plexusd, folder):
    config = base_config(folder)
    config["services"]["shop"] = shop({"file": "none"})
    config["services"]["env"] = shop({"env": "PX_TEST_NONE"})
    host = plexusd(config=config)
    done = run_plexusd("--check", host.file)
    assert done.returncode == 1 and WHERE + "secret file none: No such file or directory\n" in done.stderr, done
    assert "warning: services.env.config.databases.x.path: environment variable PX_TEST_NONE is not set (here; the service may see it)" in done.stderr

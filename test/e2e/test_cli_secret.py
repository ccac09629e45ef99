"""secret set, list, remove, against the scripted host: where a value may come from, and where it goes."""
import os
import signal
import termios

import pytest

from cli_support import cli, host  # noqa: F401

VALUE = "needle-in-the-haystack"


@pytest.fixture
def store(host):
    """What the host was asked, by method."""
    asked = []

    def change(connection, ident, params):
        asked.append(params)
        connection.send({"id": ident, "result": {"name": params["name"], "services": host.services}})

    host.services = ["shop", "mail"]
    host.scripts = {"plexus/secret/set": change, "plexus/secret/remove": change}
    return asked


def test_set_from_stdin(cli, store, host):
    said = cli.ok("secret", "set", "--text", "shop_token", stdin=VALUE + "\n")
    assert said == "secret shop_token is set; has it now: shop, mail\n"
    assert store == [{"name": "shop_token", "value": VALUE}]
    assert cli.json("secret", "set", "a", stdin="x") == {"name": "a", "services": ["shop", "mail"]}
    host.services = []
    assert "no service refers to it yet" in cli.ok("secret", "set", "--text", "a", stdin="x")


@pytest.mark.parametrize("given,kept", [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), (" a b \n", " a b "),
                                        ("-----BEGIN\nX\n-----END\n", "-----BEGIN\nX\n-----END"), ('"\\\x01ä€😀\n', '"\\\x01ä€😀'),
                                        ("x" * 65536, "x" * 65536), ("x" * 65536 + "\n", "x" * 65536), ("\x7f" * 65536 + "\r\n", "\x7f" * 65536)])
def test_a_value_is_kept_as_it_is(cli, store, given, kept):
    cli.ok("secret", "set", "a", stdin=given)
    assert store[-1]["value"] == kept


def test_what_is_no_value(cli, store):
    for given, words in (("", "no value came"), ("\n", "no value came"), ("\r\n", "no value came"), ("x" * 65537, "longer than 65536 bytes"),
                         ("x" * 65537 + "\n", "longer"), ("x" * 200000, "longer"), ("needle\0", "not text")):
        done = cli.run("secret", "set", "a", stdin=given)
        assert done.returncode == 2 and words in done.stderr and "needle" not in done.stderr, done
    assert store == []


def test_never_from_the_command_line(cli, store):
    for words in (["a", VALUE], ["a", VALUE, "more"], ["a", "--", VALUE]):
        done = cli.run("secret", "set", *words, stdin="x")
        assert done.returncode == 2 and VALUE not in done.stdout + done.stderr, done
        assert "standard input" in done.stderr
    assert store == []


def test_a_terminal_is_asked_without_echo(cli, store):
    terminal = cli.terminal("secret", "set", "shop_token")
    terminal.until("Value of shop_token (not shown): ")
    os.write(terminal.fd, VALUE.encode() + b"\n")
    code, output = terminal.finish()
    assert code == 0 and VALUE not in output and "is set" in output
    assert store == [{"name": "shop_token", "value": VALUE}]


def test_a_terminal_cuts_long_lines(cli, store):
    for n, code in ((4094, 0), (4095, 2), (5000, 2)):
        terminal = cli.terminal("secret", "set", "a")
        terminal.until("not shown")
        for at in range(0, n, 1000):
            os.write(terminal.fd, b"x" * min(1000, n - at))
        os.write(terminal.fd, b"\n")
        ended, output = terminal.finish()
        assert ended == code and ("may have been cut" in output) == (code != 0), output
    assert [len(params["value"]) for params in store] == [4094]


def test_a_terminal_is_as_it_was(cli, store):
    """Interrupted while it asks: nothing is set, and the terminal echoes again."""
    terminal = cli.terminal("secret", "set", "shop_token")
    before = termios.tcgetattr(terminal.fd)[3] & termios.ECHO
    terminal.until("not shown")
    terminal.kill(signal.SIGINT)
    terminal.until("nothing was changed")
    assert termios.tcgetattr(terminal.fd)[3] & termios.ECHO, before
    code, _ = terminal.finish()
    assert code == 1 and store == []


def test_remove(cli, store, host):
    assert cli.ok("secret", "remove", "--text", "a") == "secret a is removed; without it fails now: shop, mail\n"
    assert store == [{"name": "a"}]
    host.services = []
    assert cli.ok("secret", "remove", "--text", "a") == "secret a is removed\n"
    host.scripts["plexus/secret/remove"] = lambda connection, ident, params: connection.error(
        ident, 1004, 'there is no secret "a"', {"code": "not_found", "retryable": False, "advice": "plexus secret list has them"})
    done = cli.run("secret", "remove", "a")
    assert done.returncode == 1 and 'there is no secret "a"' in done.stderr


def test_list(cli, host):
    answer = {"secrets": [], "missing": []}
    host.scripts = {"plexus/secret/list": lambda connection, ident, params: connection.send({"id": ident, "result": answer})}
    assert cli.ok("secret", "list", "--text") == "no secrets\n"
    answer["secrets"] = [{"name": "shop_token", "state": "set", "changed_unix_ms": 1767225600000, "services": ["shop", "mail"]},
                         {"name": "old\x1b[31m", "state": "damaged", "changed_unix_ms": None, "services": []}]
    answer["missing"] = [{"name": "mail_password", "service": "mail"}]
    lines = cli.ok("secret", "list", "--text").splitlines()
    assert lines[0].split() == ["SECRET", "STATE", "CHANGED", "USED", "BY"]
    assert lines[1].split()[:2] == ["shop_token", "set"] and lines[1].endswith("shop, mail") and "20" in lines[1]
    assert "damaged" in lines[2] and "\x1b" not in lines[2]
    assert lines[3].split() == ["mail_password", "missing", "mail"]
    assert cli.json("secret", "list") == answer


def test_refused(cli, host):
    away = {"code": "forbidden", "retryable": False, "advice": "ask an administrator of this host"}
    for method in ("set", "list", "remove"):
        host.scripts[f"plexus/secret/{method}"] = lambda connection, ident, params: connection.error(ident, 1003, "only administrators", away)
    for words in (["set", "a"], ["remove", "a"], ["list"]):
        done = cli.run("secret", *words, stdin=VALUE)
        assert done.returncode == 3 and "ask an administrator" in done.stderr and VALUE not in done.stderr
    host.stop()
    assert cli.run("secret", "set", "a", stdin=VALUE).returncode == 4

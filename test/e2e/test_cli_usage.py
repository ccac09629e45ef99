"""The command line itself: help, versions, misspellings."""
import re

import pytest
from cli_support import cli  # noqa: F401

COMMANDS = ["tools", "describe", "call", "status", "log", "pause", "resume", "breaker", "effects", "effects settle", "effects verify", "mcp", "check", "plugin check",
            "plugin new", "schema validate", "token new"]


def test_help_lists_every_command(cli):
    text = cli.ok("--help", socket=False)
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.M), command
    assert "Exit codes" in text and "--token-file" in text
    assert cli.ok("help", socket=False) == text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_examples(cli, command):
    text = cli.ok(*command.split(), "--help")
    assert text.startswith(f"plexus {command}:") and "\nExamples\n" in text and "Exit codes" in text
    assert cli.ok("help", *command.split(), socket=False) == text
    assert f"plexus {command}" in text.split("Examples")[1]


def test_version(cli):
    assert cli.ok("--version", socket=False) == "plexus 0.1.0\n"


def wrong(cli, *args):
    done = cli.run(*args, socket=False)
    assert done.returncode == 2 and done.stdout == "", done
    return done.stderr


def test_misspelt(cli):
    assert "unknown command stauts; did you mean status?" in wrong(cli, "stauts")
    assert "unknown command plugin chek; did you mean plugin check?" in wrong(cli, "plugin", "chek")
    assert "plugin what? check or new" in wrong(cli, "plugin")
    assert "unknown command xyzzy\n" in wrong(cli, "xyzzy")
    assert "unknown option --jsn; did you mean --json?" in wrong(cli, "status", "--jsn")
    assert "unknown option --sokcet; did you mean --socket?" in wrong(cli, "--sokcet", "x", "status")
    assert "unknown option --folow; did you mean --follow?" in wrong(cli, "log", "--folow")
    assert "options are written --name" in wrong(cli, "status", "-j")


def test_missing_and_superfluous(cli):
    assert "no command" in wrong(cli)
    assert "something is missing: plexus describe TOOL" in wrong(cli, "describe")
    assert "one argument too many, now" in wrong(cli, "effects", "now")
    assert "--limit needs a value: --limit N" in wrong(cli, "log", "--limit")
    assert "--follow takes no value" in wrong(cli, "log", "--follow=yes")
    assert "exclude each other" in wrong(cli, "status", "--json", "--text")


def test_a_token_never_comes_from_the_command_line(cli):
    assert "unknown option --token; did you mean --token-file?" in wrong(cli, "status", "--token", "px_x")

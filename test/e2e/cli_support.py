"""Fixtures and helpers for the tests of the `plexus` command."""
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_host import FakeHost  # noqa: E402

BUILD = Path(os.environ.get("PX_BINARY_DIR", Path(__file__).parents[2] / "build/dev"))
PLEXUS = str(BUILD / "bin/plexus")
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PLEXUS_") and key != "NO_COLOR"}


def environment(**more):
    return {**CLEAN, **{key: str(value) for key, value in more.items()}}


class Cli:
    """Runs `plexus` against one socket."""

    def __init__(self, socket, cwd):
        self.socket, self.cwd = str(socket), str(cwd)

    def run(self, *args, stdin=None, env=None, socket=True):
        command = [PLEXUS, *(["--socket", self.socket] if socket else []), *map(str, args)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, cwd=self.cwd,
                              env=env or environment())

    def ok(self, *args, **more):
        done = self.run(*args, **more)
        assert done.returncode == 0, done
        assert done.stderr == "", done
        return done.stdout

    def json(self, *args, **more):
        return json.loads(self.ok(*args, **more))

    def terminal(self, *args, **more):
        return Terminal([PLEXUS, "--socket", self.socket, *map(str, args)], self.cwd, **more)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, cwd, columns=80, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            import fcntl
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.chdir(cwd)
            os.execve(command[0], command, env or environment(TERM="xterm"))
        self.output = ""

    def read(self, seconds):
        """Whatever comes within the time; False at the end."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data.decode(errors="replace")
        return bool(data)

    def until(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < deadline, f"waited for {text!r}; got {self.output!r}"
            assert self.read(0.2) or text in self.output, f"ended without {text!r}: {self.output!r}"
        return self.output

    def kill(self, number=signal.SIGINT):
        os.kill(self.pid, number)

    def finish(self, seconds=30):
        """The exit code and all output."""
        deadline = time.monotonic() + seconds
        while self.read(0.2):
            assert time.monotonic() < deadline, f"does not end: {self.output!r}"
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), self.output.replace("\r\n", "\n")


@pytest.fixture
def host(tmp_path):
    fake = FakeHost(tmp_path / "planner.sock")
    yield fake
    fake.stop()


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path / "planner.sock", tmp_path)

"""Whole calls of routes through the real daemon: what comes out is what the upstream said, byte for byte, and pages lose nothing."""
import http.server
import json
import os
import random
import shutil
import threading

import pytest
from conftest import BUILD, Daemon, base_config

PLUGIN = BUILD / "test/abi/plugins/routes.so"


class Upstream(http.server.ThreadingHTTPServer):
    """/items/N: the N-th document. /items?page=&per_page=: so many of `things`, in pages."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.documents, self.things, self.asked = [], [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.server.asked.append(self.path)
        if path == "/items":
            said = dict(pair.split("=") for pair in query.split("&"))
            page, size = int(said["page"]), int(said["per_page"])
            body = "[" + ",".join(self.server.things[(page - 1) * size : page * size]) + "]"
        else:
            body = self.server.documents[int(path.rsplit("/", 1)[1])]
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(folder, upstream):
    (folder / "more").mkdir()
    shutil.copy(PLUGIN, folder / "more" / "routes.so")
    os.chmod(folder / "more" / "routes.so", 0o644)
    config = base_config(folder)
    config["plugin_dirs"].append(str(folder / "more"))
    config["services"]["web"] = {"plugin": "routes", "config": {"base_url": upstream.url}}
    daemon = Daemon(folder, config).start()
    yield daemon
    daemon.stop()


class Writer:
    """A random document, with white space between its tokens and without."""

    NUMBERS = ["0", "-0", "1.0", "1.10", "1e5", "1E+05", "-1.5e-300", "5000000000000001", "9007199254740993", "1e999"]
    NUMBERS += ["123456789012345678901234567890", "0.1000000000000000055511151231257827", "18446744073709551616"]
    PIECES = ["a", '\\"', "\\\\", "\\/", "/", "\\u0041", "\\ud83d\\ude00", "\U0001f600", "\\u0000", "é", "\\u00e9", "\\u00E9"]
    PIECES += ["\\n", "\x7f", "\u2028", "{", "]", ",", ":", "\\uFFFF", "\\b\\f"]
    BLANKS = ["", "", "", " ", "\n", "\t ", "\r\n  "]

    def __init__(self, seed):
        self.random, self.left = random.Random(seed), 60

    def join(self, *parts):
        loose = "".join(part[0] + self.random.choice(self.BLANKS) for part in parts)
        return loose, "".join(part[1] for part in parts)

    def string(self, unique=""):
        text = '"' + "".join(self.random.choices(self.PIECES, k=self.random.randrange(6))) + unique + '"'
        return text, text

    def value(self, depth):
        self.left -= 1
        kind = self.random.randrange(6) if depth and self.left > 0 else self.random.randrange(3)
        if kind == 0:
            text = self.random.choice(["null", "true", "false"])
            return text, text
        if kind == 1:
            text = self.random.choice(self.NUMBERS)
            return text, text
        return self.string() if kind == 2 else self.container(depth, kind > 3)

    def container(self, depth, is_object):
        parts = []
        for i in range(self.random.randrange(5)):
            parts += [(",", ",")] if i else []
            parts += [self.string(f"#{i}"), (":", ":")] if is_object else []
            parts.append(self.value(depth - 1))
        ends = [("{", "{"), ("}", "}")] if is_object else [("[", "["), ("]", "]")]
        return self.join(ends[0], *parts, ends[1])


def raw_result(planner, tool, arguments):
    """The line that answers a call, as it came."""
    planner.begin_call(tool, arguments)
    while b"\n" not in planner.data:
        planner.data += planner.socket.recv(1 << 20)
    line, planner.data = planner.data.split(b"\n", 1)
    return line.decode()


def test_documents_come_out_as_they_went_in(host, upstream):
    wanted = []
    for seed in range(100):
        loose, compact = Writer(seed).container(20, seed % 2 == 0)
        upstream.documents.append("\n " + loose)
        wanted.append(compact if seed % 2 == 0 else '{"items":' + compact + "}")
    deep = '{"a":' * 63 + "12345678901234567890" + "}" * 63
    upstream.documents.append(deep)
    wanted.append(deep)
    deep = "[" * 63 + "12345678901234567890" + "]" * 63
    upstream.documents.append(deep)
    wanted.append('{"items":' + deep + "}")
    with host.planner() as planner:
        for i, want in enumerate(wanted):
            for arguments in ({"id": str(i)}, {"id": str(i), "fields": "*"}):
                line = raw_result(planner, "web_get", arguments)
                assert f'"structuredContent":{want}' in line, (upstream.documents[i], line)
                text = json.loads(line)["result"]["content"][0]["text"]
                assert text == want


def test_pages_lose_nothing(host, upstream):
    upstream.things = ['{"id":%d,"text":"%s"}' % (i, '\\"é' * (i % 40)) for i in range(300)]
    for limit, budget in ((7, 65536), (1000, 65536), (1000, 1500), (200, 4000)):
        got, cursor, calls = [], None, 0
        with host.planner() as planner:
            while True:
                arguments = {"limit": limit, **({"cursor": cursor} if cursor else {})}
                page = planner.call("web_list", arguments, {"plexus/max_bytes": budget})
                assert not page.get("isError"), page
                assert "plexus/truncated" not in page.get("_meta", {}), page  # nothing was cut behind our back
                assert len(json.dumps(page["content"][0]["text"], ensure_ascii=False).encode()) <= budget + 2
                items = page["structuredContent"]["items"]
                assert 0 < len(items) <= limit
                got += [item["id"] for item in items]
                cursor, calls = page["structuredContent"].get("next_cursor"), calls + 1
                if not cursor:
                    break
        assert got == list(range(300)), (limit, budget)
        assert calls >= 300 // limit


def test_one_item_that_does_not_fit(host, upstream):
    upstream.things = ['{"id":1,"text":"%s"}' % ("x" * 5000)] * 3
    with host.planner() as planner:
        error = planner.error_of("web_list", {}, {"plexus/max_bytes": 2000})
        assert error["code"] == "too_large" and "fields" in error["advice"]
        assert planner.data_of("web_list", {"fields": "id"}, {"plexus/max_bytes": 2000}) == {"items": [{"id": 1}] * 3}


def test_fields_that_are_not_there(host, upstream):
    upstream.documents = ['{"title":1,"id":2}']
    with host.planner() as planner:
        result = planner.call("web_get", {"id": "0", "fields": "titel,id"})
        assert result["structuredContent"] == {"id": 2} and result["_meta"]["plexus/unknown_fields"] == ["titel"]
        error = planner.error_of("web_get", {"id": "0", "fields": "titel"})
        assert error["code"] == "invalid_arguments" and "title, id" in error["message"]

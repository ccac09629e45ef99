"""plugins/http, the whole way: pages as text, JSON as it is, images, parts, errors, policy. What goes wrong on the way there is
test_faults.py's."""

import base64

import pytest
from conftest import base_config, children, run_plexusd, until
from faults.peer import Peer, answer

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
PAGE = """<!doctype html><html><head><title>Fruit &amp; more</title><script>track()</script></head><body><nav><a href=/>Home</a></nav>
<main><h1>Fruit</h1><p>All the <a href="kinds?x=1">kinds</a> we have, <b>fresh</b> from the <a href="https://farm.example/">farm</a>, every day of
the week, with <code>ids</code> that do not change, so that you can come back to what you have seen before and find it again.</p>
<table><tr><th>Name<th>Price</tr><tr><td>Apple<td>1.20</tr></table><img src=a alt="An apple"></main><footer>(c)</footer></body></html>"""
TEXT = """# Fruit & more

# Fruit

All the [kinds](/shop/kinds?x=1) we have, fresh from the [farm](https://farm.example/), every day of the week, with `ids` that do not change, so that you can come back to what you have seen before and find it again.

| Name | Price |
|---|---|
| Apple | 1.20 |

[image: An apple]"""


class Shop(Peer):
    def do_shop(self, c, arg):
        kinds = {
            "fruit": (PAGE.encode(), "text/html"),
            "json": (b'{"id":9007199254740993,"price":1.10,"list":[1,2]}', "application/json"),
            "png": (PNG, "image/png"),
            "zip": (b"PK\x03\x04" + bytes(100), "application/zip"),
            "latin": ("café — no".encode("cp1252"), "text/plain; charset=iso-8859-1"),
            "koi": ("<p>Привет".encode("koi8-r"), "text/html; charset=koi8-r"),
            "lines": (b"".join(b"line %d\n" % i for i in range(20000)), "text/plain"),
            "long": (b"<h1>Long</h1>" + b"".join(b"<p>paragraph %d" % i for i in range(20000)), "text/html"),
            "unnamed": (b'  {"a": 1}', "application/octet-stream"),
            "empty": (b"", "text/html"),
            "evil": (b"<p " + b" ".join(b"a%d=1" % i for i in range(400000)) + b">", "text/html"),  # each is compared with all before
        }
        body, kind = kinds[arg]
        c.sendall(answer(b"" if self.requests[-1][0] == "HEAD" else body, "200 OK", kind, "X-Thing: a"))
        return True


@pytest.fixture
def shop():
    peer = Shop()
    yield peer
    peer.close()


@pytest.fixture
def planner(plexusd, folder, shop):
    config = {"origins": [shop.origin], "headers": {"X-From": "plexus"}, "max_bytes": 4 << 20}
    host = plexusd(config=base_config(folder, services={"web": {"plugin": "http", "config": config}})).start()
    with host.planner() as planner:
        planner.host, planner.shop = host, shop.origin + "/shop"
        yield planner


def text(result):
    assert not result.get("isError"), result
    return result["content"][0]["text"]


def test_pages_and_other_things(planner, shop):
    result = planner.call("web_get", {"url": planner.shop + "/fruit"})
    assert text(result) == f"[HTTP 200, text/html, {planner.shop}/fruit]\n\n{TEXT}"
    about = result["_meta"]["http"]
    assert about == {"status": 200, "url": planner.shop + "/fruit", "content_type": "text/html", "bytes": len(PAGE), "truncated": False}
    assert b"X-From: plexus\r\n" in shop.requests[-1][2] + b"\r\n"
    assert "Home" in text(planner.call("web_get", {"url": planner.shop + "/fruit", "full": True}))
    assert "<script>" in text(planner.call("web_get", {"url": planner.shop + "/fruit", "as": "raw"}))
    result = planner.call("web_get", {"url": planner.shop + "/json", "headers": {"accept-language": "de"}})
    assert "9007199254740993" in text(result) and "1.10" in text(result)  # exact, digit by digit
    assert b"accept-language: de\r\n" in shop.requests[-1][2] + b"\r\n"
    assert planner.data_of("web_get", {"url": planner.shop + "/unnamed"}) == {"a": 1}
    assert text(planner.call("web_get", {"url": planner.shop + "/json", "as": "text"})).endswith("[1,2]}")
    image = planner.call("web_get", {"url": planner.shop + "/png"})["content"][1]
    assert image["type"] == "image" and base64.b64decode(image["data"]) == PNG and image["mimeType"] == "image/png"
    assert "not shown" in text(planner.call("web_get", {"url": planner.shop + "/zip"}))
    assert text(planner.call("web_get", {"url": planner.shop + "/latin"})).endswith("\n\ncafé — no")
    assert text(planner.call("web_get", {"url": planner.shop + "/koi"})).endswith("\n\nПривет")
    assert text(planner.call("web_get", {"url": planner.shop + "/empty"})).startswith("[HTTP 200")
    assert planner.error_of("web_get", {"url": planner.shop + "/fruit", "as": "json"})["code"] == "upstream_error"
    head = planner.data_of("web_head", {"url": planner.shop + "/fruit"})
    assert head["status"] == 200 and head["headers"]["x-thing"] == "a"
    assert planner.data_of("web_head", {"url": shop.origin + "/status/404"})["status"] == 404


def test_parts(planner):
    """A long text, part by part, is the whole text."""
    for path, kind in (("/lines", "".join(f"line {i}\n" for i in range(20000))), ("/long", "# Long\n\n" + "\n\n".join(f"paragraph {i}" for i in range(20000)))):
        whole, offset, parts = "", 0, 0
        while True:
            result = planner.call("web_get", {"url": planner.shop + path, "offset": offset})
            part = text(result).split("]\n\n", 1)[1]
            next = result["_meta"]["http"].get("next_offset")
            assert result["_meta"]["http"]["truncated"] == bool(next)
            parts += 1
            if not next:
                whole += part
                break
            whole += part[:part.rindex("\n\n[There is more")]
            assert next > offset
            offset = next
        assert whole == kind and parts > 2, path


def test_sending(planner, shop):
    url = shop.origin + "/echo"
    assert text(planner.call("web_post", {"url": url, "json": {"a": 9007199254740993}})).endswith('{"a": 9007199254740993}')
    assert b"content-type: application/json" in shop.requests[-1][2].lower()
    assert text(planner.call("web_post", {"url": url, "body": "a=b", "content_type": "application/x-www-form-urlencoded"})).endswith("\n\na=b")
    assert b"application/x-www-form-urlencoded" in shop.requests[-1][2]
    assert planner.error_of("web_post", {"url": url})["code"] == "invalid_arguments"
    assert planner.error_of("web_post", {"url": url, "json": 1, "body": "x"})["code"] == "invalid_arguments"
    for bad in ("ftp://x.example/", "http://user:pw@x.example/", "https://x example/"):
        assert planner.error_of("web_get", {"url": bad})["code"] == "invalid_arguments", bad


def test_many_pages_at_once(planner):
    ids = [planner.begin_call("web_get", {"url": planner.shop + "/fruit"}) for _ in range(40)]
    for id in ids:
        assert text(planner.answer(id)["result"]).endswith(TEXT)
    status = planner.status()
    assert status["calls"]["in_flight"] == 0 and status["services"][0]["in_flight"] == 0


def test_a_page_that_takes_for_ever(planner):
    """The parser cannot be stopped inside one tag: its process is. Other pages do not wait."""
    id = planner.begin_call("web_get", {"url": planner.shop + "/evil"})
    assert text(planner.call("web_get", {"url": planner.shop + "/fruit"})).endswith(TEXT)
    error = planner.answer(id)["result"]["structuredContent"]["error"]
    assert error["code"] == "timeout" and "too long" in error["message"], error
    until(lambda: not children(planner.host.pid), "its process is gone")
    assert "<p a0=1" in text(planner.call("web_get", {"url": planner.shop + "/evil", "as": "raw"}))


def test_ends_with_pages_in_every_state(plexusd, folder, shop):
    """Cancelled, replaced, stopped: with pages that are read, that wait for a process, whose body is still to come."""
    services = {"web": {"plugin": "http", "config": {"origins": [shop.origin]}, "limits": {"in_flight": 200}}}
    host = plexusd(config=base_config(folder, services=services, limits={"calls_per_principal": 500})).start()
    urls = [shop.origin + path for path in ("/shop/evil", "/shop/fruit", "/hang/body", "/hang/before")]
    with host.planner(timeout=90) as planner:
        def begin():
            ids = [planner.begin_call("web_get", {"url": urls[i % 4]}) for i in range(48)]
            until(lambda: len(children(host.pid)) >= 4, "pages are being read")
            return ids

        for id in begin():
            planner.send("notifications/cancelled", {"requestId": id})
        until(lambda: planner.status()["calls"]["in_flight"] == 0 and not children(host.pid), "all of it has ended")
        assert text(planner.call("web_get", {"url": urls[1]})).endswith(TEXT)  # and there is room again
        begin()
        services["web"]["config"]["timeout_ms"] = 60000
        host.reload(base_config(folder, services=services, limits={"calls_per_principal": 500}))
        assert text(planner.call("web_get", {"url": urls[1]}, {"plexus/timeout_ms": 60000})).endswith(TEXT)
        begin()
        host.stop()


def test_who_may(plexusd, folder, shop):
    """Without a word in the policy: reading, not sending. And what is read and sent is said by labels."""
    config = base_config(folder, services={"web": {"plugin": "http", "config": {"origins": [shop.origin], "private": True}}}, policies=None,
                         principals=None)
    host = plexusd(config=config).start()
    with host.planner() as planner:
        tools = {tool["name"]: tool for tool in planner.request("tools/list")["tools"]}
        assert set(tools["web_get"]["_meta"]["plexus/labels"]) == {"reads_private", "reads_untrusted", "sends_out"}
        assert tools["web_get"]["annotations"]["readOnlyHint"] and "web_post" not in tools
        assert planner.error_of("web_post", {"url": shop.origin + "/echo", "json": 1})["code"] == "forbidden"
        assert planner.data_of("web_get", {"url": shop.origin + "/ok"})["ok"]
        error = planner.error_of("web_get", {"url": shop.origin + "/ok"})  # it has read both by now
        assert error["code"] == "forbidden" and "private" in error["message"], error


def test_configuration(folder):
    from conftest import PLUGINS
    import json
    for config, word in (({}, "origins"), ({"origins": ["example.com"]}, "origins"), ({"hosts": ["*"], "headers": {"Authorization": "x"}}, "headers"),
                         ({"hosts": ["*"], "ports": [0]}, "ports")):
        file = folder / "plexus.json"
        file.write_text(json.dumps({"state_dir": "state", "plugin_dirs": [str(PLUGINS)], "services": {"web": {"plugin": "http", "config": config}}}))
        done = run_plexusd("--check", file)
        assert done.returncode != 0 and word in done.stdout + done.stderr, (config, done)

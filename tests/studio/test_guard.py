"""Who is refused, at every route that the studio has."""

import re
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route, WebSocketRoute

from cutaway.studio.server import SERVED, StudioServer
from tests.studio.conftest import SECRET


def addresses(app) -> tuple[list, list]:
    """(paths of pages, paths of WebSockets) of all routes, each name of a file filled in."""
    pages, sockets = [], []
    for route in app.routes:
        assert isinstance(route, Route | WebSocketRoute), f"say here how {route} is asked for"
        found = pages if isinstance(route, Route) else sockets
        assert re.findall(r"{(\w+)}", route.path) in ([], ["name"])
        found += sorted({route.path.replace("{name}", name) for name in SERVED})
    return pages, sockets


# the routes are the same for every server, so one that never runs tells them for all tests
@pytest.fixture(scope="session")
def routes(static):
    server = StudioServer(static=static)
    server.close()
    return addresses(server.app)


@pytest.fixture
def pages(routes):
    return routes[0]


@pytest.fixture
def sockets(routes):
    return routes[1]


def evil(browser):
    """Hosts and origins of others."""
    port = browser.port
    hosts = ["evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", "",
             f"127.0.0.1:{port}.evil.example", f"user@127.0.0.1:{port}", f"0.0.0.0:{port}",
             f"127.0.0.1:0{port}", f"[::ffff:127.0.0.1]:{port}"]  # fmt: skip
    origins = ["null", "", "http://evil.example", f"http://evil.example:{port}",
               f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"https://127.0.0.1:{port}",
               f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}.evil.example",
               f"http://localhost:{port}", "file://"]  # fmt: skip
    return hosts, origins


def test_the_studio_has_a_page_its_files_and_one_websocket(pages, sockets):
    assert pages == [
        "/",
        "/static/index.html",
        "/static/licenses.txt",
        "/static/studio.css",
        "/static/studio.js",
    ]
    assert sockets == ["/ws"]


def test_every_page_is_served_at_the_three_names_of_this_machine(browser, pages):
    for path in pages:
        for name in ("127.0.0.1", "localhost", "LocalHost", "[::1]"):
            host = f"{name}:{browser.port}"
            assert browser.request(path, host=host)[0] == 200
            own = [("Origin", f"http://{host}")]
            assert browser.request(path, host=host, headers=own)[0] == 200


def test_no_page_is_served_under_the_name_of_another_host(browser, pages):
    for path in [*pages, "/ws", "/nothing"]:
        for host in evil(browser)[0]:
            status, _, body = browser.request(path, host=host)
            assert (status, b"evil" in body) == (403, False), (path, host)


def test_no_page_is_served_to_another_origin(browser, pages):
    for path in [*pages, "/ws", "/nothing"]:
        for origin in evil(browser)[1]:
            status, headers, _ = browser.request(path, headers=[("Origin", origin)])
            assert status == 403, (path, origin)
            assert not [name for name, _ in headers if name.startswith("access-control")]


def test_two_origins_or_a_second_host_are_refused(browser):
    twice = [("Origin", browser.origin), ("Origin", browser.origin)]
    assert browser.request("/", headers=twice)[0] == 403
    assert browser.request("/", headers=[("Host", "evil.example")])[0] in (400, 403)
    assert browser.request("/", headers=[("X-Forwarded-Host", browser.host)], host="evil")[0] == 403


def test_nothing_but_get_and_head_is_answered(browser, pages):
    for path in [*pages, "/ws", "/nothing"]:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"):
            status, headers, _ = browser.request(path, method=method)
            assert (status, dict(headers)["allow"]) == (405, "GET, HEAD"), (path, method)
    for path in pages:
        status, headers, body = browser.request(path, method="HEAD")
        assert (status, body) == (200, b"")
        assert int(dict(headers)["content-length"]) == len(browser.request(path)[2])


def test_every_answer_and_every_refusal_has_the_headers_that_keep_it_apart(browser, pages):
    port = browser.port
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        f"connect-src 'self' ws://127.0.0.1:{port}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    answers = [browser.request(path) for path in [*pages, "/nothing", "/static/..%2fsecret.txt"]]
    answers += [browser.request("/", method="POST"), browser.request("/", host="evil.example")]
    assert [status for status, _, _ in answers] == [200] * len(pages) + [404, 404, 405, 403]
    for _, headers, _ in answers:
        found = dict(headers)
        assert len(found) == len(headers)  # none twice
        assert found["content-security-policy"] == policy
        assert found["x-content-type-options"] == "nosniff"
        assert found["cross-origin-opener-policy"] == "same-origin"
        assert found["cross-origin-resource-policy"] == "same-origin"
        assert found["referrer-policy"] == "no-referrer"
        assert found["cache-control"] == "no-store"
        assert not {"set-cookie", "server", "location"} & set(found)


def test_no_websocket_opens_to_another_origin_or_host_or_without_an_origin(browser, sockets):
    hosts, origins = evil(browser)
    for path in [*sockets, "/", "/static/studio.js", "/nothing"]:
        for origin in [False, *origins]:
            assert browser.refused(path=path, origin=origin) == 403, (path, origin)
        for host in hosts[:2]:
            own = f"http://{host}"
            assert browser.refused(path=path, host=host, origin=own) == 403, (path, host)


def test_a_websocket_opens_at_its_own_route_only(browser, sockets):
    for path in ("/", "/ws/", "//ws", "/%77s", "/static/ws", "/nothing"):
        assert path not in sockets
        assert browser.refused(path=path) == 403


PIECES = st.sampled_from(
    ["..", ".", "%2e%2e", "%2E.", "..%2f", "%2f", "%5c", "\\", "%252e%252e", "%c0%ae%c0%ae", "%00",
     "/", "//", ";", "?", "static", "static/", "secret.txt", "studio.js", "studio.js.map",
     "index.html", "etc/passwd", "C:", "http://127.0.0.1/", "ws", "~", "%73ecret.txt"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=7).map("".join), st.sampled_from(["/", "/static/", ""]))
def test_no_way_of_writing_a_path_leads_to_another_file(browser, path, start):
    written = start + path
    if not written:
        return
    status, headers, body = browser.request(written)
    exact = written.partition("?")[0]
    if exact == "/" or (exact.removeprefix("/static/") in SERVED and exact.startswith("/static/")):
        assert status == 200
    else:
        assert status in (400, 404), written
    assert SECRET not in body and b"root:" not in body
    assert "location" not in dict(headers)
    assert urllib.parse.unquote(path) not in body.decode() or len(path) < 3


def test_an_address_in_place_of_a_path_is_not_found(browser):
    assert browser.request(f"{browser.origin}/static/studio.js")[0] == 404
    assert browser.request("http://evil.example/")[0] == 404


def test_https_has_a_policy_with_its_own_websocket(static):
    from cutaway.studio.guard import content_security_policy

    assert "connect-src 'self' wss://box.example:8443;" in content_security_policy(
        "https", "box.example:8443"
    )

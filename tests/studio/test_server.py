"""Who joins the session, what they hear, and how the server begins and ends."""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import types
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from cutaway.errors import CutawayError, OptionError
from cutaway.studio.outbox import GOING_AWAY, TOO_SLOW, Outbox
from cutaway.studio.server import Certificate, StudioServer, import_uvicorn
from tests.studio.conftest import INDEX, Browser, ListeningSession, message


def closed_with(link) -> int | None:
    """The code with which the server closes a WebSocket; what it sends before is read.

    None if the connection was reset before the code was read: a server that closes with a part of
    a message unread does that to its client.
    """
    with pytest.raises(ConnectionClosed) as ended:
        while True:
            link.recv(timeout=10)
    return None if ended.value.rcvd is None else ended.value.rcvd.code


def hello(token) -> str:
    return json.dumps({"type": "hello", "protocol": 1, "token": token})


def test_the_address_is_this_machine_and_carries_256_bits_where_no_server_sees_them(serve):
    browser = serve()
    page, mark, token = browser.server.url.partition("#token=")
    assert (page, mark) == (f"http://127.0.0.1:{browser.port}/", "#token=")
    assert token == browser.server.token != serve().server.token
    assert len(token) == 43 and token.replace("-", "").replace("_", "").isalnum()
    assert browser.request("/")[2] == INDEX


@pytest.mark.parametrize(
    "first",
    ["", "no JSON", "[" * 100_000, "{}", "3", hello(""), hello(None), hello("\ud800"),
     hello("A" * 43), '{"type": "play"}', '{"token": "', '{"type": "hello"}'],
)  # fmt: skip
def test_without_the_token_nothing_is_heard(browser, first):
    visitors = len(browser.server._reception.session.visitors)
    with browser.open() as link:
        link.send(first)
        assert closed_with(link) == 4401
    assert len(browser.server._reception.session.visitors) == visitors


def test_a_command_with_the_right_token_is_no_hello(browser):
    for text in (
        json.dumps({"type": "play", "token": browser.server.token}),
        json.dumps({"token": browser.server.token}),
        hello(browser.server.token[:-1]),
        hello(browser.server.token + " "),
    ):
        with browser.open() as link:
            link.send(text)
            assert closed_with(link) == 4401


def test_who_is_silent_is_closed(browser):
    with browser.open() as link:
        assert closed_with(link) == 4408


def test_a_binary_message_is_closed_before_and_after_hello(browser):
    with browser.open() as link:
        link.send(hello(browser.server.token).encode())
        assert closed_with(link) == 1003
    with browser.joined() as link:
        link.send(b"{}")
        assert closed_with(link) == 1003


def test_a_message_above_one_mebibyte_is_closed_and_one_below_is_heard(browser):
    text = '{"type": "play", "pad": "' + "a" * (2**20 - 30) + '"}'
    with browser.joined() as link:
        visitor = browser.server._reception.session.visitors[-1]
        link.send(text)
        assert visitor.heard.acquire(timeout=10)
        assert len(visitor.commands[0]["pad"]) == 2**20 - 30
        with contextlib.suppress(ConnectionClosed):
            link.send("a" * 2**21)
        assert closed_with(link) in (1009, None)
        assert visitor.left.wait(10)
    with browser.open() as link:
        with contextlib.suppress(ConnectionClosed):
            link.send(hello("a" * 2**21))
        assert closed_with(link) == 1009


def test_two_browsers_are_heard_and_answered_apart(browser):
    session = browser.server._reception.session
    with browser.joined() as one, browser.joined() as other:
        first, second = session.visitors[-2:]
        other.send('{"type": "pause"}')
        one.send('{"type": "play"}')
        assert first.heard.acquire(timeout=10) and second.heard.acquire(timeout=10)
        assert (first.commands, second.commands) == ([{"type": "play"}], [{"type": "pause"}])
        second.deliver(message("story", id=2))
        first.deliver(message("story", id=1))
        assert one.recv(timeout=10) == message("story", id=1)
        assert other.recv(timeout=10) == message("story", id=2)
        assert not first.left.is_set()
    assert first.left.wait(10) and second.left.wait(10)


def test_the_token_reaches_neither_the_session_nor_a_response_nor_a_log(serve, caplog):
    caplog.set_level(logging.DEBUG)  # of the root; libraries inherit it
    browser = serve()
    token = browser.server.token
    with browser.joined() as link:
        link.send('{"type": "play"}')
        visitor = browser.server._reception.session.visitors[0]
        assert visitor.heard.acquire(timeout=10)
    assert visitor.commands == [{"type": "play"}]
    answers = [browser.request(f"/?token={token}"), browser.request(f"/{token}")]
    answers += [browser.request(path) for path in ("/", "/static/studio.js")]
    answers += [browser.request("/", headers=[("Cookie", token), ("Authorization", token)])]
    with browser.open() as link:
        link.send(hello(token + "x"))
        closed_with(link)
    browser.server.close()
    assert token not in repr(answers)
    server_side = [one for one in caplog.records if not one.name.startswith("websockets")]
    assert token not in repr([(one.name, one.getMessage()) for one in server_side])


def test_no_more_windows_than_are_allowed_and_a_closed_one_makes_room(serve):
    browser = serve(most_sockets=2)
    session = browser.server._reception.session
    with browser.joined():
        for _ in range(3):
            with browser.joined(), browser.open() as third:
                assert closed_with(third) == 1013
            assert session.visitors[-1].left.wait(10)
            until(lambda: browser.server._reception.count == 1)


def until(holds):
    """Wait for what another thread does next."""
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("waited 10 s")


def test_a_slow_reader_finds_the_newest_frame_and_all_other_messages_in_order():
    import asyncio

    async def read():
        outbox = Outbox(asyncio.get_running_loop())
        sent = [message("frame", n=1), message("lane", n=2), message("frame", n=3),
                message("story", n=4), message("frame", n=5), message("error", n=6)]  # fmt: skip
        for one in sent:
            outbox.put(one)
        outbox.end()
        outbox.put(message("story", n=7))
        return [await outbox.next() for _ in range(5)], outbox.code

    read_back, code = asyncio.run(read())
    assert read_back == [
        message("lane", n=2),
        message("story", n=4),
        message("frame", n=5),
        message("error", n=6),
        None,
    ]
    assert code == GOING_AWAY


def test_a_reader_that_lets_stories_pile_up_is_given_up_and_frames_never_pile_up():
    import asyncio

    async def fill():
        outbox = Outbox(asyncio.get_running_loop(), most_waiting=3)
        for n in range(100):
            outbox.put(message("frame", n=n))
        for n in range(3):
            outbox.put(message("story", n=n))
        before = outbox.code
        outbox.put(message("story", n=3))
        return before, outbox.code, await outbox.next()

    assert asyncio.run(fill()) == (None, TOO_SLOW, None)


def test_a_message_for_a_server_that_has_ended_is_no_error(serve):
    browser = serve()
    with browser.joined():
        visitor = browser.server._reception.session.visitors[0]
        browser.server.close()
    visitor.deliver(message("story"))


def test_at_the_end_browsers_get_what_waits_for_them_and_a_farewell(serve):
    browser = serve()
    with browser.joined() as link:
        visitor = browser.server._reception.session.visitors[0]
        visitor.deliver(message("closed", why="Ctrl-C"))
        browser.server.close()
        assert link.recv(timeout=10) == message("closed", why="Ctrl-C")
        assert closed_with(link) == GOING_AWAY
        assert visitor.left.wait(10)
    with pytest.raises(ConnectionRefusedError):
        browser.request("/")
    assert browser.server._has_ended.is_set()


def test_a_browser_that_reads_nothing_does_not_keep_the_server_from_ending(serve):
    browser = serve()
    with socket.create_connection(("127.0.0.1", browser.port)) as link:
        link.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {browser.host}\r\nOrigin: {browser.origin}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert link.recv(15) == b"HTTP/1.1 101 Sw"
        text = hello(browser.server.token).encode()
        assert len(text) < 126
        link.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)  # masked with zeros
        visitors = browser.server._reception.session.visitors
        until(lambda: visitors)
        for n in range(100):
            visitors[0].deliver(message("story", id=n, text="a" * 200_000))
        browser.server.close()
        assert browser.server._has_ended.is_set()


def test_the_port_is_bound_before_the_server_runs_and_freed_if_it_never_does(static):
    server = StudioServer(static=static)
    answer = []
    asked = threading.Thread(
        target=lambda: answer.append(
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=10).read()
        )
    )
    asked.start()  # before it runs: waits, and is not refused
    server.start(ListeningSession())
    asked.join(10)
    assert answer == [INDEX]
    server.close()
    server.close()
    again = StudioServer(static=static, port=server.port)
    again.close()


def test_a_port_in_use_is_an_error_that_names_it(serve, static):
    port = serve().port
    with pytest.raises(OptionError, match=f"port {port} of 127.0.0.1 cannot be opened") as wrong:
        StudioServer(static=static, port=port)
    assert "omit --port" in wrong.value.fix


@pytest.mark.parametrize("port", [-1, 65536, 1.5])
def test_a_port_is_an_integer_from_0_to_65535(static, port):
    with pytest.raises(OptionError, match="an integer >= 0 and <= 65535"):
        StudioServer(static=static, port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "box.example", "127.0.0.2"])
def test_another_host_is_refused_without_a_certificate(static, host):
    with pytest.raises(OptionError) as wrong:
        StudioServer(static=static, host=host)
    assert "192.168.1.5" in wrong.value.fix or "ssh -L" in wrong.value.fix


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.2, which is this machine under another address."""
    if shutil.which("openssl") is None or sys.platform != "linux":
        pytest.skip("needs openssl, and Linux's other loopback addresses")
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=127.0.0.2", "-addext",
            "subjectAltName=IP:127.0.0.2", "-keyout", key, "-out", certificate]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    return Certificate(certificate, key)


def test_with_a_certificate_another_host_is_served_encrypted_and_under_its_name_only(
    serve, certificate
):
    server = serve(host="127.0.0.2", certificate=certificate).server
    trust = ssl.create_default_context(cafile=certificate.certificate)
    page = server.url.partition("#")[0]
    assert page == f"https://127.0.0.2:{server.port}/"
    with urllib.request.urlopen(page, context=trust, timeout=10) as answer:
        assert answer.read() == INDEX
        own = f"connect-src 'self' wss://127.0.0.2:{server.port};"
        assert own in answer.headers["content-security-policy"]
    asked = urllib.request.Request(page, headers={"Host": f"localhost:{server.port}"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, context=trust, timeout=10)


def test_a_certificate_that_is_none_is_an_error(static, tmp_path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for certificate in (Certificate(wrong, wrong), Certificate(tmp_path / "none", wrong)):
        with pytest.raises(OptionError, match="the certificate or its key cannot be used"):
            StudioServer(static=static, certificate=certificate)


def test_a_missing_package_is_an_error_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "websockets" else find_spec(name)
    )
    with pytest.raises(CutawayError, match="not installed: websockets") as wrong:
        import_uvicorn()
    assert "[studio]" in wrong.value.fix


def test_a_missing_file_of_the_page_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CutawayError, match=r"index\.html"):
        StudioServer(static=tmp_path)


PROGRAM = """
import sys
from pathlib import Path
from cutaway.cli.ctrl_c import note_interrupts
from cutaway.studio.server import StudioServer
from tests.studio.conftest import ListeningSession
note_interrupts()
server = StudioServer(static=Path(sys.argv[1]))
server.start(ListeningSession())
print(server.port, server.token, flush=True)
try:
    server.wait()
except KeyboardInterrupt:
    server.close()
    print("ended", server._has_ended.is_set(), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_it_with_a_farewell_to_open_browsers_and_without_a_traceback(static):
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(static)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        port, token = process.stdout.readline().split()
        browser = Browser(types.SimpleNamespace(port=int(port), token=token))
        with browser.joined() as link:
            process.send_signal(signal.SIGINT)
            assert closed_with(link) == GOING_AWAY
        assert process.stdout.readline() == "ended True\n"
        assert process.wait(10) == 0
        assert process.stderr.read() == ""

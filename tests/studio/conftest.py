"""A running server of the studio, with a session that only writes down what it hears."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from cutaway.studio.server import StudioServer

INDEX = b"<!doctype html><title>Studio</title>"
SECRET = b"not for the browser"


def message(kind: str, **more) -> bytes:
    """A message of the server without arrays."""
    text = json.dumps({"type": kind, "arrays": [], **more}).encode()
    text += b" " * (-(4 + len(text)) % 8)
    return len(text).to_bytes(4, "little") + text


@dataclass
class HeardVisitor:
    """One browser: what it said, and how to speak to it."""

    deliver: Callable[[bytes], None]
    commands: list = field(default_factory=list)
    heard: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    left: threading.Event = field(default_factory=threading.Event)

    def receive(self, command):
        if json.loads(command) == {"type": "hello", "protocol": 1}:
            self.deliver(message("hello"))
            return
        self.commands.append(json.loads(command))
        self.heard.release()

    def leave(self):
        self.left.set()


class ListeningSession:
    """Has the method of a session that a server calls; a visitor who says hello is answered."""

    def __init__(self):
        self.visitors = []

    def connect(self, deliver, *, paced=False):
        assert not paced
        self.visitors.append(HeardVisitor(deliver))
        return self.visitors[-1]


class Browser:
    """Requests to one server, with headers as a test wants them."""

    def __init__(self, server):
        self.server = server
        self.port = server.port
        self.host = f"127.0.0.1:{server.port}"
        self.origin = f"http://{self.host}"

    def request(self, path, *, method="GET", headers=None, host=None):
        """(status, headers as a list of pairs, body) of a request; `host` None: the right one."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        ) as link:
            link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            link.putheader("Host", self.host if host is None else host)
            for name, value in headers or []:
                link.putheader(name, value)
            link.endheaders()
            answer = link.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def open(self, path="/ws", *, origin: str | bool = True, host=None, **options):
        """A WebSocket; `origin` True: the right one, False: none."""
        return connect(
            f"ws://{self.host if host is None else host}{path}",
            sock=socket.create_connection(("127.0.0.1", self.port)),
            origin={True: self.origin, False: None}.get(origin, origin),
            open_timeout=10,
            compression=None,
            proxy=None,
            **options,
        )

    def refused(self, **given) -> int:
        """The status with which a WebSocket is refused before it is open."""
        with pytest.raises(InvalidStatus) as refusal, self.open(**given):
            pass
        return refusal.value.response.status_code

    @contextlib.contextmanager
    def joined(self):
        """A WebSocket that has said hello and was answered."""
        with self.open() as link:
            link.send(json.dumps({"type": "hello", "protocol": 1, "token": self.server.token}))
            assert b'"hello"' in link.recv(timeout=10)
            yield link


@pytest.fixture(scope="session")
def static(tmp_path_factory):
    """A folder with the files of a page, and beside them files that are not served."""
    folder = tmp_path_factory.mktemp("page") / "static"
    folder.mkdir()
    (folder / "index.html").write_bytes(INDEX)
    (folder / "studio.js").write_bytes(b'"use strict";')
    (folder / "studio.css").write_bytes(b"main { color: black }")
    (folder / "licenses.txt").write_bytes(b"/* MIT */")
    for path in (folder / "secret.txt", folder.parent / "secret.txt", folder / "studio.js.map"):
        path.write_bytes(SECRET)
    return folder


@pytest.fixture
def serve(static):
    """Function (**options of StudioServer) -> a Browser of a running server; all end afterwards."""
    servers = []

    def started(**options):
        server = StudioServer(static=static, **options)
        servers.append(server)
        server.start(ListeningSession())
        return Browser(server)

    yield started
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def browser(static):
    """A Browser of a server that all tests share; it waits 0.3 s for a hello."""
    server = StudioServer(static=static, hello_seconds=0.3)
    server.start(ListeningSession())
    yield Browser(server)
    server.close()

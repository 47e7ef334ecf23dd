"""The studio's web server: one page, its files and one WebSocket, in a thread of its own."""

import asyncio
import contextlib
import importlib.util
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cutaway.errors import CutawayError, OptionError, install_extra
from cutaway.studio.address import LOCAL, Address, bind
from cutaway.studio.guard import Guard
from cutaway.studio.reception import HELLO_SECONDS, MOST_SOCKETS, Joinable, Reception

STATIC = Path(__file__).parent / "static"
# all that is served, by its name in the folder; no path of a request is ever opened
SERVED = {
    "index.html": "text/html; charset=utf-8",
    "studio.js": "text/javascript; charset=utf-8",
    "studio.css": "text/css; charset=utf-8",
    "licenses.txt": "text/plain; charset=utf-8",
}
NEEDED = ("starlette", "uvicorn", "websockets")
MESSAGE_BYTES = 2**20  # of one command
FAREWELL_SECONDS = 0.3  # for each step of an end


@dataclass(frozen=True)
class Certificate:
    """Files in PEM form with which the server proves its name, and encrypts.

    Attributes:
        certificate: the certificate, followed by those that it depends on.
        key: its private key.
    """

    certificate: Path
    key: Path


class StudioServer:
    """Serves the page of a session; its port is bound as soon as this object exists.

    Args:
        host: 127.0.0.1; another one only with a certificate, see `address.bind`.
        port: 0: a free one.
        certificate: for https.
        hello_seconds: how long a browser may take to send the token.
        most_sockets: windows that may be open at one time.
        static: folder of the page's files.

    Attributes:
        url: address of the page, with the token: who has it can look and command.
        token: 256 random bits, as text.
        port: number of the port.
        app: the routes, behind the guard.

    Raises:
        CutawayError: the extra "studio" is not installed, or the page's files are missing.
        OptionError: the port is in use; a host that is refused; a certificate that is not one.
    """

    def __init__(
        self,
        *,
        host: str = LOCAL[0],
        port: int = 0,
        certificate: Certificate | None = None,
        hello_seconds: float = HELLO_SECONDS,
        most_sockets: int = MOST_SOCKETS,
        static: Path = STATIC,
    ):
        uvicorn = import_uvicorn()
        self.token = secrets.token_urlsafe(32)
        self._reception = Reception(
            self.token, hello_seconds=hello_seconds, most_sockets=most_sockets
        )
        self.app = _routes(read_page(static), self._reception)
        address = bind(host, port, is_encrypted=certificate is not None)
        self.port = address.port
        self.url = f"{address.page}#token={self.token}"
        self._socket = address.socket
        try:
            self._server = uvicorn.Server(_config(uvicorn, self.app, address, certificate))
        except BaseException:
            self._socket.close()
            raise
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_running, self._has_ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="cutaway-studio-server", daemon=True)

    def start(self, session: Joinable) -> None:
        """Serve from now on, in a thread.

        Args:
            session: what the page shows and commands.
        """
        self._reception.session = session
        self._thread.start()
        self._is_running.wait()

    def wait(self) -> None:
        """Return when the server has ended; Ctrl-C is heard meanwhile, on Windows too.

        It waits for an event: a Thread whose `join` is interrupted believes that it has ended.
        """
        while not self._has_ended.wait(0.2):
            pass

    def close(self) -> None:
        """Say farewell to all browsers and end, within a second; a second call does nothing."""
        if self._has_ended.is_set() or self._loop is None:
            self._socket.close()
            return
        with contextlib.suppress(TimeoutError, RuntimeError):
            told = asyncio.run_coroutine_threadsafe(self._reception.farewell(), self._loop)
            told.result(FAREWELL_SECONDS)
        self._server.should_exit = True
        if self._has_ended.wait(FAREWELL_SECONDS):
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._drop_connections)
        self._has_ended.wait(FAREWELL_SECONDS)

    def _drop_connections(self) -> None:
        """Do not wait for browsers that read nothing."""
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._socket.close()
            self._is_running.set()
            self._has_ended.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_running.set()
        await self._server.serve(sockets=[self._socket])


def import_uvicorn() -> ModuleType:
    """uvicorn, if it is installed with what it needs here.

    Raises:
        CutawayError: the extra is not installed.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise CutawayError(
            f"the studio needs packages that are not installed: {', '.join(missing)}",
            expected='the extra "studio"',
            fix=install_extra("studio"),
        )
    return importlib.import_module("uvicorn")


def read_page(static: Path) -> dict[str, bytes]:
    """{name: content} of the files of the page.

    Raises:
        CutawayError: one is missing.
    """
    try:
        return {name: (static / name).read_bytes() for name in SERVED}
    except OSError as error:
        raise CutawayError(
            f"the page of the studio cannot be read: {error.filename}: {error.strerror}",
            expected="the files " + ", ".join(SERVED) + ", which are part of Cutaway",
            fix="install Cutaway anew; in a checkout: git checkout cutaway/studio/static",
        ) from error


def _routes(page: dict[str, bytes], reception: Reception) -> Any:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import Response
    from starlette.routing import Route, WebSocketRoute

    async def index(request):
        return Response(page["index.html"], media_type=SERVED["index.html"])

    async def static(request):
        name = request.path_params["name"]
        if name not in page:
            raise HTTPException(404)
        return Response(page[name], media_type=SERVED[name])

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/static/{name}", static),
            WebSocketRoute("/ws", reception.welcome),
        ]
    )
    app.router.redirect_slashes = False  # a redirect would repeat what the request said
    return app


def _config(uvicorn, app, address: Address, certificate: Certificate | None) -> Any:
    """The server's settings, with nothing left to the environment or to what is installed.

    Raises:
        OptionError: a certificate that is not one.
    """
    config = uvicorn.Config(
        Guard(app, hosts=address.hosts, scheme=address.scheme),
        interface="asgi3",
        loop="asyncio",
        http="h11",
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        ws_per_message_deflate=False,  # on one machine it costs more than it saves
        lifespan="off",
        workers=1,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",  # at "debug" the library would log messages, and so the token
        timeout_graceful_shutdown=1,
        ssl_certfile=None if certificate is None else certificate.certificate,
        ssl_keyfile=None if certificate is None else certificate.key,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise OptionError(
            f"the certificate or its key cannot be used: {error.strerror or error}",
            expected="a certificate and its private key, both in PEM form",
            fix="check --certificate and --key",
        ) from error
    return config

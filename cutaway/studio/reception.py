"""Who may join the session: the WebSocket from its first message to its close."""

import asyncio
import contextlib
import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from cutaway.studio.outbox import GOING_AWAY, Outbox

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

HELLO_SECONDS = 5.0
MOST_SOCKETS = 8

NO_COMMAND = 1003  # of WebSockets: "unsupported data"
FULL = 1013  # "try again later"
NO_TOKEN = 4401  # as HTTP's 401, in the range of private codes
SILENT = 4408


class Visitor(Protocol):
    """One browser, as the session sees it."""

    def receive(self, message: str) -> None:
        """Take one command, JSON as the page sent it."""

    def leave(self) -> None:
        """The browser is gone."""


class Joinable(Protocol):
    """What browsers are connected to: the session."""

    def connect(self, deliver: Callable[[bytes], None], *, paced: bool = False) -> Visitor:
        """A new browser, to which `deliver` sends messages from any thread."""
        ...


class _Hello(msgspec.Struct):
    type: Literal["hello"]
    token: str
    protocol: int = 1


class Reception:
    """Endpoint of the WebSocket: asks for the token, then joins browser and session.

    The token is a secret of 256 bits in the fragment of the address, which browsers send to no
    server; the page sends it as its first message. Without it nothing of the session is heard. The
    session gets that message without the token, which it need not know.

    Args:
        token: the secret.
        hello_seconds: how long a browser may take for its first message.
        most_sockets: browsers at one time, those included that have not said hello.

    Attributes:
        session: what browsers are connected to; it must be set before the first one comes.
        count: of WebSockets that are open.
    """

    def __init__(
        self,
        token: str,
        *,
        hello_seconds: float = HELLO_SECONDS,
        most_sockets: int = MOST_SOCKETS,
    ):
        self.session: Joinable | None = None
        self.hello_seconds = hello_seconds
        self.most_sockets = most_sockets
        self._token = token.encode()
        self.count = 0
        self._outboxes: dict[Outbox, asyncio.Task] = {}

    async def welcome(self, socket: "WebSocket") -> None:
        """Serve one WebSocket until either side closes it."""
        from starlette.websockets import WebSocketDisconnect

        self.count += 1
        try:
            with contextlib.suppress(WebSocketDisconnect):
                await socket.accept()
                if self.count > self.most_sockets:
                    await socket.close(FULL, f"{self.most_sockets} windows are open already")
                elif (hello := await self._hello(socket)) is not None:
                    await self._join(socket, hello)
        finally:
            self.count -= 1

    async def farewell(self) -> None:
        """Close all WebSockets, each after the messages that it still waits for."""
        for outbox in self._outboxes:
            outbox.end()
        await asyncio.gather(*self._outboxes.values(), return_exceptions=True)

    async def _hello(self, socket: "WebSocket") -> "_Hello | None":
        """The first message, if it has the token; otherwise the WebSocket is closed."""
        try:
            async with asyncio.timeout(self.hello_seconds):
                message = await socket.receive()
        except TimeoutError:
            await socket.close(SILENT, "no hello")
            return None
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if text is None:
            await socket.close(NO_COMMAND, "commands are JSON text")
            return None
        try:
            hello = msgspec.json.decode(text, type=_Hello)
        except (msgspec.MsgspecError, RecursionError):
            hello = _Hello(type="hello", token="")
        if hmac.compare_digest(hello.token.encode(errors="replace"), self._token):
            return hello
        await socket.close(NO_TOKEN, "no valid token")
        return None

    async def _join(self, socket: "WebSocket", hello: "_Hello") -> None:
        assert self.session is not None  # set by StudioServer.start
        outbox = Outbox(asyncio.get_running_loop())
        visitor = self.session.connect(outbox.put)
        visitor.receive(msgspec.json.encode({"type": "hello", "protocol": hello.protocol}).decode())
        writing = asyncio.create_task(_write(socket, outbox))
        reading = asyncio.create_task(_read(socket, visitor))
        self._outboxes[outbox] = writing
        try:
            done, _ = await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            visitor.leave()
            outbox.end()
            del self._outboxes[outbox]
            for task in (writing, reading):
                task.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)
        for task in done:
            task.result()  # raises what ended it, if that was an error


async def _write(socket: "WebSocket", outbox: Outbox) -> None:
    while (message := await outbox.next()) is not None:
        await socket.send_bytes(message)
    await socket.close(outbox.code or GOING_AWAY, outbox.reason)


async def _read(socket: "WebSocket", visitor: Visitor) -> None:
    while (message := await socket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            await socket.close(NO_COMMAND, "commands are JSON text")
            return
        visitor.receive(text)

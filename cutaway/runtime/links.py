"""Links between the launchers of several hosts: JSON lines over TCP, signed if there is a secret.

A link begins with a handshake. The leader sends a nonce, the follower answers with its own, and if
CUTAWAY_SECRET is set both prove with HMAC-SHA256 that they know it. Every later line then carries a
proof of its text, its direction and its number, with a key of this link alone. What the lines say
is not hidden.
"""

import contextlib
import hashlib
import hmac
import json
import os
import queue
import secrets
import socket
import threading
import time
from typing import Any

from cutaway.errors import OptionError, RunError

SECRET = "CUTAWAY_SECRET"
PROTOCOL = 1
BEAT_SECONDS = 1.0  # between two signs of life
SEND_SECONDS = 3.0  # for a message to be taken
SILENT_SECONDS = 10.0  # after which the other side counts as lost
HANDSHAKE_SECONDS = 5.0
MOST_BYTES = 2**20  # of a line

Message = dict[str, Any]


class LinkError(Exception):
    """The other side does not speak the protocol, or has closed the link."""


class Refused(LinkError):
    """The leader does not take this host now; it may later."""


class Link:
    """One side of a connection, after the handshake.

    Attributes:
        is_closed: whether it has ended.
        loss: why it was lost, if it was.

    Args:
        lines: what was used for the handshake.
        key: of the proofs; b"": there are none.
        is_leader: which side this is.
    """

    def __init__(self, lines: "_Lines", key: bytes, *, is_leader: bool):
        self.is_closed = False
        self.loss = f"it was silent for {SILENT_SECONDS:g} s"
        self._lines, self._key = lines, key
        self._connection = lines.connection
        self._own, self._other = ("leader", "follower") if is_leader else ("follower", "leader")
        self._sent = self._received = 0
        self._last_sent = self._last_received = time.monotonic()

    def start(self, inbox: "queue.Queue[tuple[Link, Message]]") -> None:
        """From now on, put what comes into a queue."""
        self._connection.settimeout(SEND_SECONDS)
        self._last_received = time.monotonic()
        threading.Thread(target=self._read, args=(inbox,), daemon=True).start()

    def send(self, kind: str, **words) -> None:
        """Send a message; a link that is lost is closed."""
        message = {"kind": kind, **words}
        envelope: Message = {"message": message}
        if self._key:
            envelope["proof"] = _proof(self._key, self._own, self._sent, message)
        self._sent += 1
        self._last_sent = time.monotonic()
        try:
            self._lines.write(envelope)
        except OSError:
            self.close()

    def accept(self, hello: Message) -> None:
        """The leader takes a host: the end of the handshake."""
        with contextlib.suppress(OSError):
            self._lines.write({"kind": "welcome", "proof": hello["proof"]})

    def refuse(self, reason: str) -> None:
        """The leader does not take a host now; it may try again."""
        with contextlib.suppress(OSError):
            self._lines.write({"kind": "refused", "reason": reason, "final": False})
        self.close()

    def beat(self) -> None:
        """Give a sign of life, if it is time for one."""
        if not self.is_closed and time.monotonic() - self._last_sent > BEAT_SECONDS:
            self.send("alive")

    def is_lost(self) -> bool:
        """Whether the other side has closed the link, or is silent for too long."""
        return self.is_closed or time.monotonic() - self._last_received > SILENT_SECONDS

    def finish(self) -> None:
        """Nothing more is sent from here; what was sent still arrives."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End it on both sides."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self, inbox) -> None:
        try:
            while not self.is_lost():
                with contextlib.suppress(TimeoutError):
                    self._take(self._lines.read(), inbox)
        except (OSError, LinkError) as error:
            if not self.is_closed:  # else this side has closed it, and had its reason
                self.loss = str(error)
        self.close()

    def _take(self, envelope: Message, inbox) -> None:
        message = envelope.get("message")
        if not isinstance(message, dict):
            raise LinkError("a line without a message came")
        if self._key:
            expected = _proof(self._key, self._other, self._received, message)
            if not hmac.compare_digest(expected, str(envelope.get("proof"))):
                raise LinkError("a line with a wrong proof came")
        self._received += 1
        self._last_received = time.monotonic()
        if message.get("kind") != "alive":
            inbox.put((self, message))


class _Lines:
    """JSON objects, one a line, from a socket."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self._waiting = b""

    def write(self, message: Message) -> None:
        """Send one."""
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> Message:
        """The next one.

        Raises:
            LinkError: the link was closed, or what came is no JSON object.
        """
        while b"\n" not in self._waiting:
            part = self.connection.recv(2**16)
            if not part:
                raise LinkError("its connection was closed")
            self._waiting += part
            if len(self._waiting) > MOST_BYTES:
                raise LinkError("a line is too long")
        line, _, self._waiting = self._waiting.partition(b"\n")
        try:
            found = json.loads(line)
        except ValueError as error:  # also of bytes that are no text
            raise LinkError("what came is no JSON") from error
        if not isinstance(found, dict):
            raise LinkError("what came is no JSON object")
        return found


def answer(connection: socket.socket) -> tuple[Link, Message]:
    """The leader's side of a handshake: (link, hello), which the leader accepts or refuses.

    Raises:
        LinkError, OSError: it failed; a follower without the secret was told so.
    """
    secret = _secret()
    connection.settimeout(HANDSHAKE_SECONDS)
    nonce = secrets.token_hex(16)
    challenge = {"kind": "challenge", "protocol": PROTOCOL, "nonce": nonce, "secret": bool(secret)}
    lines = _Lines(connection)
    lines.write(challenge)
    hello = lines.read()
    given = str(hello.pop("proof", ""))
    if hello.get("protocol") != PROTOCOL:
        reason = "it is another version of Cutaway"
    elif secret and not hmac.compare_digest(_proof(secret, "hello " + nonce, 0, hello), given):
        reason = f"its {SECRET} is another one"
    elif not _is_hello(hello):
        reason = "its hello is not understood"
    else:
        both = f"{nonce} {hello['nonce']}"
        welcome = _proof(secret, "welcome " + both, 0, {}) if secret else ""
        return Link(lines, _key(secret, both), is_leader=True), hello | {"proof": welcome}
    lines.write({"kind": "refused", "reason": reason, "final": True})
    raise LinkError(reason)


def _is_hello(hello: Message) -> bool:
    texts = all(isinstance(hello.get(name), str) for name in ("nonce", "id", "name"))
    count = hello.get("processes")
    return texts and isinstance(count, int) and count >= 1


def connect(address: tuple[str, int], hello: Message) -> Link:
    """The follower's side of a handshake, with a leader that listens at an address.

    Raises:
        OSError, LinkError: nobody is there, or it does not answer; try again.
        Refused: the leader does not take this host now; try again.
        OptionError, RunError: trying again is of no use.
    """
    secret = _secret()
    connection = socket.create_connection(address, timeout=HANDSHAKE_SECONDS)
    try:
        lines = _Lines(connection)
        challenge = lines.read()
        if challenge.get("kind") != "challenge":
            raise LinkError("what listens there is no launcher of Cutaway")
        if bool(challenge.get("secret")) != bool(secret):
            where = "the leader, but not here" if challenge.get("secret") else "here only"
            raise OptionError(
                f"{SECRET} is set on {where}",
                expected="the same secret on all hosts, or none",
                fix=f"set the environment variable {SECRET} alike before each launcher",
            )
        nonce = secrets.token_hex(16)
        hello = hello | {"kind": "hello", "protocol": PROTOCOL, "nonce": nonce}
        both = f"{challenge.get('nonce')} {nonce}"
        proof = _proof(secret, f"hello {challenge.get('nonce')}", 0, hello) if secret else ""
        lines.write(hello | {"proof": proof})
        answered = lines.read()
        if answered.get("kind") == "refused":
            reason = str(answered.get("reason"))
            if not answered.get("final"):
                raise Refused(reason)
            raise RunError(
                f"the leader refuses this host: {reason}",
                expected=f"the same version, command and {SECRET} on all hosts",
            )
        welcome = _proof(secret, "welcome " + both, 0, {}) if secret else ""
        if not hmac.compare_digest(welcome, str(answered.get("proof"))):
            raise RunError(f"what listens there does not know {SECRET}", fix="check the address")
    except BaseException:
        connection.close()
        raise
    return Link(lines, _key(secret, both), is_leader=False)


def _secret() -> bytes:
    return os.environ.get(SECRET, "").encode()


def _key(secret: bytes, nonces: str) -> bytes:
    """The key of one link."""
    return hmac.digest(secret, f"link {nonces}".encode(), hashlib.sha256) if secret else b""


def _proof(key: bytes, what: str, number: int, message: Message) -> str:
    text = f"{what} {number} {json.dumps(message, sort_keys=True)}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

"""Where the studio listens: this machine, unless another address is given with a certificate."""

import ipaddress
import os
import socket
import sys
from dataclasses import dataclass

from cutaway.errors import OptionError, expect_integer

LOCAL = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Address:
    """A socket that is bound, and how browsers write its address.

    Attributes:
        socket: bound and listening: who connects now is answered as soon as the server runs.
        scheme: http or https.
        hosts: host and port of each address that is ours; the first is that of the page.
        port: its number.
    """

    socket: socket.socket
    scheme: str
    hosts: tuple[str, ...]
    port: int

    @property
    def page(self) -> str:
        """Address of the page, without its token."""
        return f"{self.scheme}://{self.hosts[0]}/"


def bind(host: str = LOCAL[0], port: int = 0, *, is_encrypted: bool = False) -> Address:
    """Bind a socket before its address is told to anybody.

    On this machine (127.0.0.1) the studio speaks plain HTTP: nobody else can connect. At any other
    address everybody in the network can, and plain HTTP would show them the token, with which they
    could look at the data and command the training. So another host is refused without a
    certificate. The simpler way to a remote machine is to leave the studio on 127.0.0.1 there, and
    to forward its port: `ssh -L PORT:127.0.0.1:PORT HOST`.

    Args:
        host: a name or address as browsers are to write it.
        port: 0: a free one.
        is_encrypted: whether there is a certificate.

    Raises:
        OptionError: the port is in use, another host without a certificate, an unknown host.
    """
    expect_integer(port, what="--port", least=0, most=65535)
    if host.lower() not in LOCAL:
        _expect_reachable(host, is_encrypted)
    bound = _bound(LOCAL[0] if host.lower() in LOCAL else host, port)
    port = bound.getsockname()[1]
    scheme = "https" if is_encrypted else "http"
    names = (*LOCAL, "[::1]") if host.lower() in LOCAL else (f"[{host}]" if ":" in host else host,)
    is_usual = port == {"http": 80, "https": 443}[scheme]  # which browsers do not write
    return Address(bound, scheme, tuple(n if is_usual else f"{n}:{port}" for n in names), port)


def _expect_reachable(host: str, is_encrypted: bool) -> None:
    """Raise OptionError for another machine's sake: no certificate, or no address to write."""
    try:
        is_every = ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:  # a name
        is_every = not host.strip()
    if is_every:
        raise OptionError(
            f"--host {host!r} is no address that a browser can open",
            expected="the name or address of this machine in its network",
            fix="write for example --host 192.168.1.5",
        )
    if not is_encrypted:
        raise OptionError(
            f"--host {host} would let other machines connect, without encryption",
            expected="127.0.0.1, or a certificate for that address: --certificate and --key",
            fix="omit --host; from another machine: ssh -L PORT:127.0.0.1:PORT HOST",
        )


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM
        )[0]
    except (OSError, UnicodeError) as error:
        raise OptionError(
            f"--host {host!r} is unknown: {getattr(error, 'strerror', None) or error}",
            expected="the name or address of this machine in its network",
            fix="omit --host",
        ) from error
    bound = socket.socket(family, kind, protocol)
    try:
        # elsewhere than on Windows it allows a port whose last connections are just being closed;
        # there it would allow a second server on the same port
        option = "SO_EXCLUSIVEADDRUSE" if sys.platform == "win32" else "SO_REUSEADDR"
        bound.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        bound.bind(where)
        bound.listen(64)
    except OSError as error:
        bound.close()
        raise OptionError(
            f"port {port} of {host} cannot be opened: {os.strerror(error.errno or 0)}",
            expected="a port that no other program uses",
            fix="omit --port, then a free one is taken; or choose another",
        ) from error
    bound.setblocking(False)
    return bound

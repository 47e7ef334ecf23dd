"""What every request and every WebSocket must pass before it is routed."""

from collections.abc import Iterable
from typing import Any

METHODS = ("GET", "HEAD")

REFUSED = {
    403: "This server answers only at its own address. Through ssh, use the same port at both "
    "ends: ssh -L PORT:127.0.0.1:PORT HOST",
    404: "There is no such page.",
    405: "Only GET and HEAD.",
}


def content_security_policy(scheme: str, authority: str) -> str:
    """The policy of the page: nothing but its own files and its own WebSocket.

    Args:
        scheme: http or https.
        authority: host and port as in the page's address.
    """
    socket = scheme.replace("http", "ws")
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        f"connect-src 'self' {socket}://{authority}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


class Guard:
    """ASGI application that lets through to another one only what its own page asks for.

    It stands before routing, and treats `http` and `websocket` alike, so that no route can be added
    which it does not cover. A request is refused with

    - 403 unless it has one Host header, of `hosts`: a page of another name that leads to this
      machine (DNS rebinding) sends its own name;
    - 403 if it has an Origin header other than the address that it was sent to: a page of another
      origin. A WebSocket must have one, because browsers let any page open any WebSocket;
    - 405 unless it is GET or HEAD, as nothing here is changed by a request;
    - 404 if its path is written with percent signs or as a whole address: no route is.

    Every response, a refusal too, carries headers that keep it out of other pages, of caches and of
    referrers. There are no cookies, so that no request carries a right of its own.

    Args:
        app: the ASGI application behind.
        hosts: host and port of each address that is ours; the first is that of the page.
        scheme: http or https.
    """

    def __init__(self, app, *, hosts: Iterable[str], scheme: str = "http"):
        self.app = app
        self.scheme = scheme
        self.hosts = tuple(host.lower() for host in hosts)
        headers = {
            "content-security-policy": content_security_policy(scheme, self.hosts[0]),
            "x-content-type-options": "nosniff",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope, receive, send) -> None:
        status = self._refusal(scope)
        if scope["type"] == "websocket":
            if status is None:
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close"})  # before it is accepted: HTTP 403
            return

        async def send_guarded(message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
            await send(message)

        if status is None:
            await self.app(scope, receive, send_guarded)
        else:
            await _refuse(status, send_guarded)

    def _refusal(self, scope: dict[str, Any]) -> int | None:
        """The status with which a request is refused; None if it may pass."""
        is_websocket = scope["type"] == "websocket"
        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        origins = [value for name, value in scope["headers"] if name.lower() == b"origin"]
        host = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        if host not in self.hosts:
            return 403
        own = f"{self.scheme}://{host}"
        if (is_websocket or origins) and [o.decode("latin-1").lower() for o in origins] != [own]:
            return 403
        if not is_websocket and scope["method"] not in METHODS:
            return 405
        path = scope["raw_path"]
        return None if path.startswith(b"/") and path == scope["path"].encode() else 404


async def _refuse(status: int, send) -> None:
    text = f"{status}: {REFUSED[status]}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
    ]
    if status == 405:
        headers.append((b"allow", ", ".join(METHODS).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})

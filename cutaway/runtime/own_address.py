"""Which address of this host the others of a training reach it at.

JAX's messages between CPUs (gloo) would go over the address that the host's name resolves to, often
127.0.0.1, which other hosts cannot reach.
"""

import contextlib
import functools
import os
import socket
from collections.abc import Iterator

from cutaway.errors import OptionError


def split_address(address: str) -> tuple[str, int]:
    """("10.0.0.5", 8476) of "10.0.0.5:8476", also of "[::1]:8476".

    Raises:
        OptionError: it is none.
    """
    host, colon, port = address.rpartition(":")
    is_bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and not is_bare and port.isdecimal() and 0 < int(port) < 2**16):
        raise OptionError(
            f"the address is {address!r}",
            expected="HOST:PORT, such as 10.0.0.5:8476 or [fd00::5]:8476",
            fix="name the host of process 0, and a port that is free there",
        )
    return host, int(port)


def joined_address(host: str, port: int) -> str:
    """The text of an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def own_address(toward: str) -> str:
    """The address of this host from which it reaches "host:port"."""
    host, port = split_address(toward)
    family, kind, *_, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(target)  # a route is chosen; nothing is sent
        return probe.getsockname()[0]


def send_messages_toward(coordinator: str) -> None:
    """Messages between CPUs go over the interface that leads to process 0; before any array."""
    from jax._src.config import cpu_collectives_implementation
    from jax._src.xla_bridge import register_backend_factory  # JAX has no option for it

    if cpu_collectives_implementation.value != "gloo":
        return
    try:
        host = own_address(coordinator)
    except (OptionError, OSError):  # a cluster that writes addresses in another way
        return
    make = functools.partial(_cpu_client, host)
    register_backend_factory("cpu", make, priority=0, fail_quietly=False)


def _cpu_client(host: str):
    import jaxlib._jax
    from jax._src.distributed import global_state
    from jax._src.xla_bridge import make_cpu_client

    if global_state.client is None:
        return make_cpu_client()
    with _yielding_threads():
        collectives = jaxlib._jax.make_gloo_tcp_collectives(global_state.client, hostname=host)
    return make_cpu_client(collectives)


@contextlib.contextmanager
def _yielding_threads() -> Iterator[None]:
    """Context whose new threads run when no other one wants to; on Linux alone.

    Gloo's thread asks again and again for what it has not yet a place for, and would take the core
    from the computation that makes this place: steps of 8 ms took 23 ms, with this 13 to 15.
    """
    before = _threads()
    yield
    for thread in _threads() - before:
        with contextlib.suppress(OSError):  # where it is not permitted
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))


def _threads() -> set[int]:
    """The threads of this process; empty where they cannot be set apart."""
    if not hasattr(os, "SCHED_IDLE") or not os.path.isdir("/proc/self/task"):
        return set()
    return {int(name) for name in os.listdir("/proc/self/task")}

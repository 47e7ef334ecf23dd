"""The launcher of several hosts: the same command on each, of which one leads.

The host that owns the given address leads: it counts who is there, says which processes each host
starts, and has process 0. What they say to each other is in links.py.
"""

import errno
import socket
from dataclasses import dataclass

from cutaway.errors import OptionError, expect_range
from cutaway.runtime.follower import Follower
from cutaway.runtime.leader import Leader
from cutaway.runtime.own_address import split_address

PATIENCE_SECONDS = 300.0  # for which hosts wait for each other
_LOCAL_NAMES = ("localhost", "ip6-localhost")


@dataclass(frozen=True)
class HostRange:
    """How many hosts a training may have.

    Attributes:
        least: it waits for so many.
        most: it takes so many.
    """

    least: int
    most: int


def parsed_nodes(text: str) -> HostRange:
    """The numbers of hosts of "2" or "2:4".

    Raises:
        OptionError: it is neither.
    """
    least, colon, most = text.partition(":")
    numbers = [least, most] if colon else [least, least]
    if not all(number.isdecimal() for number in numbers) or not 1 <= int(least) <= int(numbers[1]):
        raise OptionError(
            f"--nodes is {text!r}",
            expected="a number of hosts, such as 2, or MIN:MAX, such as 2:4",
            fix="write the smallest number that may train first",
        )
    return HostRange(int(numbers[0]), int(numbers[1]))


def launch_on_hosts(
    command: list[str],
    processes: int,
    address: str,
    nodes: HostRange,
    *,
    restarts: int = 0,
    patience: float = PATIENCE_SECONDS,
) -> int:
    """Run a command in several processes on each of several hosts, and wait for all of them.

    Args:
        command: program and arguments; a Python script by its interpreter.
        processes: how many on this host.
        address: "host:port" of the host that leads, the same on all.
        nodes: how many hosts.
        restarts: how many times all are started anew after a failure, or without a host that was
            lost. A host that comes later starts all anew without counting.
        patience: seconds for which hosts wait for each other.

    Returns:
        exit code, the same on all hosts: 0, or that of the process that failed first.

    Raises:
        OptionError: the address is none of a single host.
        RunError: the others, or the leader, did not come.
    """
    expect_range(processes, what="processes", least=1)
    expect_range(restarts, what="restarts", least=0)
    expect_range(patience, what="wait", above=0)
    listener = _listening(address, nodes.most)
    if listener is None:
        return Follower(command, processes, address, patience).run()
    with listener:
        return Leader(command, processes, listener, nodes.least, nodes.most, patience).run(restarts)


def _listening(address: str, backlog: int) -> socket.socket | None:
    """A socket at the address if this host owns it and nobody else leads there; otherwise None."""
    host, port = split_address(address)
    try:
        family, *_, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OptionError(
            f"the host of the address {address} is not known here: {error.strerror}",
            expected="a name that all hosts know, or an IP address",
            fix="write the IP address of the host that leads",
        ) from error
    own = str(target[0])
    if own in ("0.0.0.0", "::"):
        raise OptionError(
            f"the address {address} means every host",
            expected="the address of the host that leads, as the others reach it",
        )
    if _is_loopback(own) and not (_is_loopback(host) or host in _LOCAL_NAMES):
        raise OptionError(
            f"the name {host} means {own} here, which other hosts cannot reach",
            expected="a name that means the same on all hosts",
            fix="write the IP address of this host",
        )
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(target)
        found.listen(backlog + 8)
    except OSError as error:
        found.close()
        if error.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
            return None  # it is another host's, or another launcher of this host leads
        raise OptionError(
            f"{address} cannot be listened at: {error.strerror}",
            expected="a free port above 1023",
        ) from error
    return found


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"

"""The launcher of a host that another one leads."""

import dataclasses
import queue
import secrets
import signal
import socket
import sys
import time

from cutaway.errors import RunError
from cutaway.runtime.leader import read_outcome
from cutaway.runtime.links import Link, LinkError, Message, connect
from cutaway.runtime.local_processes import POLL_SECONDS, LocalProcesses, Outcome, Signals
from cutaway.runtime.own_address import split_address

RETRY_SECONDS = 1.0


class Follower:
    """Starts and ends processes as the leader says, and comes back after a lost connection.

    Args:
        command: program and arguments.
        processes: how many on this host.
        address: "host:port" of the leader.
        patience: seconds for which it tries to reach the leader.
    """

    def __init__(self, command: list[str], processes: int, address: str, patience: float):
        self.command, self.processes = command, processes
        self.address, self.patience = address, patience
        self._hello = {
            "id": secrets.token_hex(8),
            "name": socket.gethostname(),
            "processes": processes,
        }
        self._signals = Signals()
        self._local: LocalProcesses | None = None
        self._round = 0
        self._is_reported = True  # how the processes of this round ended

    def run(self) -> int:
        """Follow to the end of the training; returns the exit code of all hosts.

        Raises:
            RunError: the leader did not come, or did not come back.
            OptionError: it has another secret.
        """
        with self._signals:
            while True:
                link = self._connected()
                if link is not None:
                    try:
                        outcome = self._follow(link)
                    finally:
                        self._kill()
                        link.close()
                    if outcome is not None:
                        return outcome.code
                if self._signals.asked is not None:
                    return 128 + self._signals.asked
                _say(
                    f"the leader at {self.address} was lost, the processes here were ended; "
                    f"trying to come back for {self.patience:g} s"
                )

    def _connected(self) -> Link | None:
        """A link to the leader; None: somebody asked for an end before."""
        target, reason = split_address(self.address), ""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            if self._signals.asked is not None:
                return None
            try:
                return connect(target, self._hello)
            except (OSError, LinkError) as error:
                if not reason and not self._round:
                    _say(f"no leader answers at {self.address} yet; trying for {self.patience:g} s")
                reason = str(error)
            time.sleep(RETRY_SECONDS)
        raise RunError(
            f"no leader answered at {self.address} within {self.patience:g} s: {reason}",
            expected="the same command on the host that owns this address",
            fix="start it there, check that the port is open, and that the address is one of its "
            "own interfaces; --wait SECONDS waits longer",
        )

    def _follow(self, link: Link) -> Outcome | None:
        """Do what the leader says to the end; None: it was lost."""
        inbox: queue.Queue[tuple[Link, Message]] = queue.Queue()
        link.start(inbox)
        _say(f"joined the leader at {self.address}")
        while True:
            is_lost = link.is_lost()  # before its last words are read
            while not inbox.empty():
                outcome = self._obey(inbox.get()[1])
                if outcome is not None:
                    return outcome
            if is_lost:
                return None
            outcome = None if self._is_reported else self._local and self._local.outcome()
            if outcome is not None:
                link.send("ended", number=self._round, outcome=dataclasses.asdict(outcome))
                self._is_reported = True
            for number in self._signals.take():
                if self._local is not None:
                    self._local.send(number)
                if number in (signal.SIGINT, signal.SIGTERM):
                    link.send("asked", signal=int(number))
            link.beat()
            time.sleep(POLL_SECONDS)

    def _obey(self, message: Message) -> Outcome | None:
        """Do what a message says; the Outcome of all if it is the last one."""
        kind = message.get("kind")
        if kind == "round":
            self._begin(message)
        elif kind == "signal":
            self._signals.asked = int(message["signal"])
            if self._local is not None:
                self._local.send(self._signals.asked)
        elif kind in ("failed", "over"):
            outcome = read_outcome(message.get("outcome"))
            if kind == "over" and outcome.code == 0 and self._local is not None:
                self._local.await_end()
            self._kill()
            outcome.show()
            return outcome if kind == "over" else None
        return None

    def _begin(self, message: Message) -> None:
        self._kill()
        self._round, first, total = (int(message[name]) for name in ("number", "first", "total"))
        last = first + self.processes - 1
        _say(f"processes {first} to {last} of {total} start here")
        address = str(message["address"])
        self._local = LocalProcesses(
            self.command, self.processes, address, first=first, total=total
        )
        self._local.start()
        self._is_reported = False

    def _kill(self) -> None:
        if self._local is not None:
            self._local.kill()
        self._local, self._is_reported = None, True


def _say(text: str) -> None:
    print(f"cutaway: {text}", file=sys.stderr, flush=True)

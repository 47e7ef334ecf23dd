"""The launcher that leads those of the other hosts."""

import contextlib
import dataclasses
import queue
import signal
import socket
import sys
import threading
import time
from typing import Any

from cutaway.errors import RunError, visible
from cutaway.runtime.launcher import free_port, starts_anew
from cutaway.runtime.links import SILENT_SECONDS, Link, LinkError, Message, answer
from cutaway.runtime.local_processes import (
    GRACE_SECONDS,
    POLL_SECONDS,
    LocalProcesses,
    Outcome,
    Signals,
)
from cutaway.runtime.own_address import joined_address
from cutaway.runtime.slurm import REQUEUED

LATE_SECONDS = 5.0  # for which a round waits for more hosts than it needs
CAUSE_SECONDS = SILENT_SECONDS + 2  # to learn why processes lost each other


@dataclasses.dataclass
class Member:
    """Another host.

    Attributes:
        link: to its launcher.
        identity: drawn by that launcher.
        name: of the host.
        processes: how many it starts.
        first: index of the first of them in this round.
        outcome: how they ended; None as long as they have not.
    """

    link: Link
    identity: str
    name: str
    processes: int
    first: int = 0
    outcome: Outcome | None = None

    def __str__(self):
        last = self.first + self.processes - 1
        which = f"process {last}" if last == self.first else f"processes {self.first} to {last}"
        return f"host {self.name} ({which})"


class Leader:
    """Counts the hosts, hands out rounds of processes, and ends them together.

    Args:
        command: program and arguments.
        processes: how many on this host, which has the first ones.
        listener: socket that listens at the given address.
        least: number of hosts that a round needs.
        most: number of hosts that it takes.
        patience: seconds to wait for `least` hosts.
    """

    def __init__(
        self,
        command: list[str],
        processes: int,
        listener: socket.socket,
        least: int,
        most: int,
        patience: float,
    ):
        self.command, self.processes = command, processes
        self.least, self.most, self.patience = least, most, patience
        self.members: list[Member] = []
        self._listener = listener
        self._signals = Signals()
        self._inbox: queue.Queue[tuple[Link, Message]] = queue.Queue()
        self._waiting: queue.Queue[tuple[Link, Message]] = queue.Queue()  # after their handshakes
        self._local: LocalProcesses | None = None
        self._round = 0

    def run(self, restarts: int) -> int:
        """Lead rounds to the end of the training; returns the exit code of all hosts.

        Raises:
            RunError: too few hosts came.
        """
        threading.Thread(target=self._listen, daemon=True).start()
        with self._signals:
            try:
                while True:
                    outcome = self._gathered() or self._one_round()
                    if outcome is None:
                        came = Outcome(0, note="another host came: all start anew")
                        came.show()
                        self._tell_all("failed", outcome=dataclasses.asdict(came))
                        continue
                    outcome.show(is_shown=outcome.process == 0)
                    is_asked = self._signals.asked is not None
                    anew = starts_anew(outcome.code, restarts, is_asked=is_asked)
                    if anew is None:
                        self._tell_all("over", outcome=dataclasses.asdict(outcome))
                        return outcome.code
                    restarts = anew
                    self._tell_all("failed", outcome=dataclasses.asdict(outcome))
            except RunError as error:
                self._tell_all("over", outcome=dataclasses.asdict(Outcome(2, note=str(error))))
                raise
            finally:
                self._leave()

    # hosts come and go

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed at the end
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection: socket.socket) -> None:
        try:
            self._waiting.put(answer(connection))
        except (OSError, LinkError) as error:
            connection.close()
            if isinstance(error, LinkError):
                _say(f"a host was refused: {error}")

    def _welcome(self) -> bool:
        """Take those that wait at the door; whether any was taken."""
        is_new = False
        while not self._waiting.empty():
            link, hello = self._waiting.get()
            old = next((m for m in self.members if m.identity == hello["id"]), None)
            if old is None and len(self.members) + 1 >= self.most:
                link.refuse(f"it has {self.most} hosts already")
                continue
            if old is not None:
                old.link.close()
                self.members.remove(old)
            name = visible(hello["name"])[:100]
            self.members.append(Member(link, hello["id"], name, hello["processes"]))
            link.accept(hello)
            link.start(self._inbox)
            is_new = True
            _say(f"host {name} came: {len(self.members) + 1} of {self._wanted()} hosts")
        return is_new

    def _lost(self) -> list[Member]:
        """Those whose links are lost, which are members no more."""
        lost = [member for member in self.members if member.link.is_lost()]
        for member in lost:
            member.link.close()
            self.members.remove(member)
        return lost

    def _wanted(self) -> str:
        return str(self.most) if self.least == self.most else f"{self.least} to {self.most}"

    def _gathered(self) -> Outcome | None:
        """Wait until enough hosts are there; an Outcome if somebody asked for an end meanwhile.

        Raises:
            RunError: too few came in time.
        """
        began, enough = time.monotonic(), None
        while True:
            for member in self._lost():
                _say(f"host {member.name} was lost")
            self._welcome()
            self._messages()
            if self._signals.asked is not None:
                name = signal.Signals(self._signals.asked).name
                return Outcome(128 + self._signals.asked, note=f"ended by {name}")
            count, now = len(self.members) + 1, time.monotonic()
            enough = None if count < self.least else now if enough is None else enough
            if count == self.most or (enough is not None and now - enough > LATE_SECONDS):
                return None
            if enough is None and now - began > self.patience:
                raise RunError(
                    f"{count} of at least {self.least} hosts came within {self.patience:g} s",
                    expected="the same command on each host",
                    fix="start it on the others, check that they reach the address and that "
                    "its port is open there; --wait SECONDS waits longer",
                )
            time.sleep(POLL_SECONDS)

    # a round

    def _one_round(self) -> Outcome | None:
        """All processes, once; None: another host came."""
        host = self._listener.getsockname()[0]
        address = joined_address(host, free_port(host))  # another one each time
        total, self._round = self.processes, self._round + 1
        for member in self.members:
            member.first, member.outcome = total, None
            total += member.processes
        words = {"number": self._round, "address": address, "total": total}
        for member in self.members:
            member.link.send("round", first=member.first, **words)
        if self.most > 1:
            _say(f"{total} processes on {len(self.members) + 1} hosts, from 0 here")
        self._local = local = LocalProcesses(self.command, self.processes, address, total=total)
        own: Outcome | None = None
        since: float | None = None
        try:
            local.start()
            while True:
                lost = self._lost()  # before their last words are read
                self._messages()
                own = own or local.outcome()
                if own is not None and own.code == 0:
                    return own
                if lost:
                    return Outcome(1, note=f"{lost[0]} was lost: {lost[0].link.loss}")
                if self._welcome():
                    return None
                outcomes = [own, *(member.outcome for member in self.members)]
                failed = [o for o in outcomes if o is not None and o.code]
                since = time.monotonic() if failed and since is None else since
                if since is not None and self._is_clear(outcomes, time.monotonic() - since):
                    return next((o for o in failed if o.is_own), failed[0])
                time.sleep(POLL_SECONDS)
        finally:
            local.kill()
            self._local = None

    def _is_clear(self, outcomes: list[Outcome | None], seconds: float) -> bool:
        """Whether the first cause is known, so many seconds after the first failure."""
        failed = [outcome for outcome in outcomes if outcome is not None and outcome.code]
        if all(outcome is not None for outcome in outcomes):
            return True
        if self._signals.asked is not None or any(o.code == REQUEUED for o in failed):
            return seconds > GRACE_SECONDS
        return any(outcome.is_own for outcome in failed) or seconds > CAUSE_SECONDS

    def _messages(self) -> None:
        """Read what the others say, pass signals on, and give signs of life."""
        while not self._inbox.empty():
            link, message = self._inbox.get()
            member = next((m for m in self.members if m.link is link), None)
            if member is None:
                continue
            if message.get("kind") == "ended" and message.get("number") == self._round:
                member.outcome = read_outcome(message.get("outcome"))
            if message.get("kind") == "asked" and message.get("signal") in _ENDING:
                self._signals.asked = int(message["signal"])
                self._pass_on(self._signals.asked, but=member)
        for number in self._signals.take():
            self._pass_on(number)
        for member in self.members:
            member.link.beat()

    def _pass_on(self, number: int, *, but: Member | None = None) -> None:
        if self._local is not None:
            self._local.send(number)
        for member in self.members:
            if member is not but and number in _ENDING:
                member.link.send("signal", signal=number)

    def _tell_all(self, kind: str, **words) -> None:
        for member in self.members:
            member.link.send(kind, **words)

    def _leave(self) -> None:
        """Wait until the others have read the end, and have ended."""
        self._listener.close()
        for member in self.members:
            member.link.finish()
        end = time.monotonic() + GRACE_SECONDS + 2
        while time.monotonic() < end and not all(m.link.is_closed for m in self.members):
            time.sleep(POLL_SECONDS)
        for member in self.members:
            member.link.close()


_ENDING = (signal.SIGINT, signal.SIGTERM)


def read_outcome(given: Any) -> Outcome:
    """The Outcome of a message; what is none counts as a failure."""
    names = {field.name for field in dataclasses.fields(Outcome)}
    if not isinstance(given, dict) or set(given) != names:
        return Outcome(1, note="a host said something that is not understood")
    is_right = isinstance(given["code"], int) and isinstance(given["lines"], list)
    if not is_right or not all(isinstance(line, str) for line in given["lines"]):
        return Outcome(1, note="a host said something that is not understood")
    outcome = Outcome(**given)
    outcome.lines = [visible(line) for line in outcome.lines]
    outcome.note = visible(outcome.note)
    return outcome


def _say(text: str) -> None:
    print(f"cutaway: {text}", file=sys.stderr, flush=True)

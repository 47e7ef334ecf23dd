"""The launcher: starts the processes of a training on this machine, and ends them together."""

import socket
import sys
import time

from cutaway.errors import expect_range
from cutaway.runtime import slurm
from cutaway.runtime.local_processes import POLL_SECONDS, LocalProcesses, Outcome, Signals


def launch(command: list[str], processes: int, *, restarts: int = 0) -> int:
    """Run a command in several processes on this machine, and wait for all of them.

    Each finds the others by `ct.distributed.start()`. Process 0 prints; of the others, what they
    write to standard error is shown if they fail. If one fails or stands still, the others are
    ended, and the error of the one that failed first stands last. The GPUs of the machine are
    divided among them.

    Args:
        command: program and arguments; a Python script by its interpreter.
        processes: how many.
        restarts: how many times all are started anew after a failure: a script that resumes from
            checkpoints goes on. One that ends with exit code 75, as by `ct.train.Requeue`, is
            started anew without counting, except in a job of SLURM, which does that itself.

    Returns:
        exit code: 0, or that of the process that failed first.

    Raises:
        OptionError: there are GPUs, but fewer than processes.
    """
    expect_range(processes, what="processes", least=1)
    expect_range(restarts, what="restarts", least=0)
    with Signals() as signals:
        while True:
            outcome = _run(command, processes, signals)
            outcome.show(is_shown=outcome.process == 0)
            anew = starts_anew(outcome.code, restarts, is_asked=signals.asked is not None)
            if anew is None:
                return outcome.code
            restarts = anew


def starts_anew(code: int, left: int, *, is_asked: bool) -> int | None:
    """How many restarts are left for a new round, which is announced; None: there is none."""
    if is_asked:  # who asks for an end wants no new one
        return None
    if code == slurm.REQUEUED and slurm.job() is None:
        print("cutaway: starting anew, as the script asks for", file=sys.stderr)
        return left
    if code in (0, slurm.REQUEUED) or not left:
        return None
    print(f"cutaway: starting anew, {left - 1} more times possible", file=sys.stderr)
    return left - 1


def _run(command: list[str], processes: int, signals: Signals) -> Outcome:
    """One round."""
    address = f"127.0.0.1:{free_port('127.0.0.1')}"  # another one each time: old ones may linger
    these = LocalProcesses(command, processes, address)
    try:
        these.start()
        while (outcome := these.outcome()) is None:
            for number in signals.take():
                these.send(number)
            time.sleep(POLL_SECONDS)
        return outcome
    finally:
        these.kill()


def free_port(host: str) -> int:
    """A port of an address of this machine on which nobody listens."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as found:
        found.bind((host, 0))
        return found.getsockname()[1]

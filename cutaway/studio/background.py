"""Work that is done beside the session's thread: compiling, explaining, diagnosing."""

import concurrent.futures
import sys
import traceback
from collections.abc import Callable
from typing import Any

POOLS = ("compile", "frames", "ahead", "explain", "doctor")


class Background:
    """Threads for work beside; what comes of it is handed to the session's thread.

    Args:
        hand_over: function (a function without arguments) that lets the session's thread call it.
    """

    def __init__(self, hand_over: Callable[[Callable[[], None]], None]):
        self._hand_over = hand_over
        self._pools = {
            name: concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=f"studio-{name}")
            for name in POOLS
        }

    def run(
        self,
        pool: str,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Do some work beside.

        Args:
            pool: one of POOLS: each does one thing after the other.
            then: called with its result, on the session's thread.
            failed: called with its exception, on the session's thread.
        """

        def done(future):
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                self._hand_over(lambda: then(future.result()))
            else:
                self._hand_over(lambda: failed(error))

        self._pools[pool].submit(work).add_done_callback(done)

    def close(self) -> None:
        """Begin nothing more, and wait for nothing."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


def say_where(error: BaseException) -> None:
    """Print the traceback of a fault of Cutaway itself, which no user has caused."""
    traceback.print_exception(error, file=sys.stderr)

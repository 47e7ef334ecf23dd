"""Jobs that a thread carries out, so that nobody waits for a slow database."""

import queue
import threading
from collections.abc import Callable


class JobThread:
    """Carries out jobs in a thread of its own, in their order.

    Those that have come meanwhile go together. What goes wrong is raised in whoever calls next.

    Args:
        carry_out: function of a list of jobs.
    """

    def __init__(self, carry_out: Callable[[list], None]):
        self._carry_out = carry_out
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="logger", daemon=True)
        self._thread.start()

    def put(self, job) -> None:
        """Add a job.

        Raises:
            Exception: that an earlier job raised.
        """
        self._expect_no_error()
        self._jobs.put(job)

    def close(self, timeout_seconds: float) -> None:
        """Wait until all jobs are done.

        Raises:
            TimeoutError: they are not, after this time. Exception: that a job raised.
        """
        self._jobs.put(None)
        self._thread.join(timeout_seconds)
        self._expect_no_error()
        if self._thread.is_alive():
            raise TimeoutError(f"not all was written after {timeout_seconds:g} seconds")

    def _expect_no_error(self):
        if self._error is not None:
            raise self._error

    def _run(self):
        is_last = False
        while not is_last:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            is_last = None in jobs
            try:
                self._carry_out([job for job in jobs if job is not None])
            except Exception as error:
                self._error = error
                return

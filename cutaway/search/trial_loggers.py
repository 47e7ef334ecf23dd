"""The loggers of one trial: a run in the group of its search."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from cutaway.errors import expect_choice
from cutaway.train.loggers import LOGGERS, Logger


def expect_loggers(names: Sequence[str]) -> None:
    """Raise OptionError unless these are names of loggers whose packages are installed."""
    for name in names:
        expect_choice(name, LOGGERS, what="logger")
        LOGGERS[name]()


@contextlib.contextmanager
def trial_loggers(names: Sequence[str], out: Path, number: int, values: dict) -> Iterator[list]:
    """Context with the loggers of a trial, which stay open until its result is known.

    Args:
        names: of the loggers.
        out: folder of the search, whose name is that of the group.
        number: of the trial, from 1.
        values: {option: value} that were drawn for it.
    """
    with contextlib.ExitStack() as stack:
        found: list[Logger] = []
        for name in dict.fromkeys(names):
            logger = LOGGERS[name].for_trial(out, f"{number:03d}")
            logger.add_config({"search": out.name, "trial": number, "hyperparameters": values})
            found.append(stack.enter_context(logger))
        yield found


def log_result(loggers: Sequence[Logger], monitor: str, best, epochs: int, summary: dict) -> None:
    """Write how a trial ended.

    Args:
        monitor: column of the history by which trials are compared.
        best: its best value, or None.
        epochs: that were trained.
        summary: of Study.tell.
    """
    scores: dict = {"validation": summary.get("validation") or {}}
    if best is not None and math.isfinite(best):
        scores["objective"] = {monitor: best}
    state = next((s for s in ("failed", "pruned", "interrupted") if s in summary), "complete")
    for logger in loggers:
        if logger.is_open:
            logger.log_scores(scores, epochs)
            logger.log_text("trial", state)

"""The live progress display: epoch, loss, metrics, steps per second, time left."""

import math
import sys
import time

from cutaway.story.notebook import in_notebook
from cutaway.train.callbacks import Callback
from cutaway.train.notebook_bar import NotebookBar


class Progress(Callback):
    """Shows a progress bar that moves within an epoch, and a line of numbers.

    In a terminal on stderr, where it goes when training ends; in a notebook below the cell, where
    it is drawn anew in place.
    """

    def __init__(self):
        self._bar: _TerminalBar | NotebookBar | None = None

    @staticmethod
    def wanted() -> bool:
        """Whether standard error is a terminal, or this is a notebook."""
        return sys.stderr.isatty() or in_notebook()

    def on_start(self, trainer):
        self._bar = NotebookBar() if in_notebook() else _TerminalBar()
        self._bar.start("compiling")
        self._started = time.monotonic()
        self._began = None  # until the first steps have run, which compile
        self._before = 0.0
        self._steps = 0
        self._loss = ""
        self._scores = ""

    def on_chunk(self, trainer, done, total, loss):
        if self._bar is None:
            return
        if done <= self._steps:
            self._steps = 0  # a new epoch
        epochs = trainer.planned_epochs
        completed = (trainer.epoch + min(1.0, done / total)) / epochs
        self._steps = done
        if self._began is None:
            self._began, self._before = time.monotonic(), completed
        elapsed = time.monotonic() - self._began
        worked = completed - self._before
        pace = ""
        if worked > 0 and elapsed > 0:
            left = elapsed * (1 - completed) / worked
            pace = f"  {_clock(left)} left  {_rate(worked * epochs * total / elapsed)} steps/s"
        self._loss = f"loss {loss:.4g}"
        # the last part is cut off in narrow terminals
        self._bar.show(
            completed, f"epoch {trainer.epoch + 1}/{epochs}", f"{self._loss}{self._scores}{pace}"
        )

    def next_look(self, trainer):
        return math.inf

    def on_epoch(self, trainer, row):
        shown = [(k[4:], v) for k, v in row.items() if k.startswith("val_")][:1]
        self._scores = "".join(f"  val {name} {value:.4g}" for name, value in shown)

    def on_end(self, trainer):
        if self._bar is not None:
            epochs, planned = trainer.epoch, trainer.planned_epochs
            of = "" if epochs >= planned else f" of {planned}"
            took = _clock(time.monotonic() - self._started)
            why = "" if trainer.stopped is None else f"  {trainer.stopped}"
            self._bar.stop(f"{epochs}{of} epochs", f"{self._loss}{self._scores}  in {took}{why}")


class _TerminalBar:
    """A bar of rich on stderr."""

    def start(self, description: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[numbers]}"),
            console=Console(stderr=True),
            refresh_per_second=8,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(description, total=None, numbers="")
        self._is_moving = False

    def show(self, completed: float, description: str, numbers: str) -> None:
        self._bar.update(
            self._task,
            total=1.0,
            completed=completed,
            description=description,
            numbers=numbers,
            refresh=not self._is_moving,  # a short run ends before the next refresh
        )
        self._is_moving = True

    def stop(self, description: str, numbers: str) -> None:
        self._bar.stop()


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes}:{seconds:02d}"

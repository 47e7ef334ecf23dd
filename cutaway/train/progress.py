"""The live progress display: epoch, loss, metrics, steps per second, time left."""

import math
import sys
import time

from cutaway.train.callbacks import Callback


class Progress(Callback):
    """Shows a progress bar that moves within an epoch, and a line of numbers, on stderr."""

    def __init__(self):
        self._bar = None

    @staticmethod
    def wanted() -> bool:
        """Whether standard error is a terminal."""
        return sys.stderr.isatty()

    def on_start(self, trainer):
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
        self._task = self._bar.add_task("compiling", total=None, numbers="")
        self._began = None  # until the first steps have run, which compile
        self._before = 0.0
        self._steps = 0
        self._scores = ""
        self._is_moving = False

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
        self._bar.update(
            self._task,
            total=1.0,
            completed=completed,
            description=f"epoch {trainer.epoch + 1}/{epochs}",
            # the last part is cut off in narrow terminals
            numbers=f"loss {loss:.4g}{self._scores}{pace}",
            refresh=not self._is_moving,  # a short run ends before the next refresh
        )
        self._is_moving = True

    def next_look(self, trainer):
        return math.inf

    def on_epoch(self, trainer, row):
        shown = [(k[4:], v) for k, v in row.items() if k.startswith("val_")][:1]
        self._scores = "".join(f"  val {name} {value:.4g}" for name, value in shown)

    def on_end(self, trainer):
        if self._bar is not None:
            self._bar.stop()


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes}:{seconds:02d}"

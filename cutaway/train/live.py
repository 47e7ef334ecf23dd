"""A fit in a thread of its own: paused, looked into, led step by step, changed while it runs."""

import threading
from collections.abc import Callable

import numpy as np

from cutaway.errors import TrainingError
from cutaway.nn import Module, StructureChange
from cutaway.nn.trees import map_leaves
from cutaway.optim import Optimizer
from cutaway.train.history import History
from cutaway.train.next_step import NextStep


class LiveTraining:
    """A running fit. Made by `Trainer.start`.

    While it is paused, `forward` and `backward` show what the next step will do, without changing
    anything, and `advance` does it. However it is paused and led, the training ends with the same
    bits as `fit`. As a context, it is stopped at the end.

    The numbers of the `optimizer` (learning rate, betas, weight decay, ...) may be assigned at any
    time, other rows take the place of the old ones by `replace_data`, and layers are widened or
    added by `change`; each holds from the next step on.

    Args:
        trainer: the Trainer.
        x, y, options: as for Trainer.fit.
    """

    def __init__(self, trainer, x=None, y=None, **options):
        self.trainer = trainer
        self._error: BaseException | None = None
        self._next = NextStep(trainer.program)
        options = {"progress": False, **options}
        self._thread = threading.Thread(
            target=self._fit, args=(x, y, options), name="cutaway-fit", daemon=True
        )
        self._thread.start()
        trainer.control.wait_until_running(lambda: not self._thread.is_alive())

    def _fit(self, x, y, options):
        try:
            self.trainer.fit(x, y, **options)
        except BaseException as error:  # raised again by join
            self._error = error

    # leading it

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet; paused counts as running."""
        return self._thread.is_alive()

    @property
    def is_paused(self) -> bool:
        """Whether it waits between two steps."""
        return self.trainer.control.is_paused

    def pause(self) -> None:
        """Pause before the next step; returns when it is there, or has ended.

        Raises:
            TrainingError: it has ended before.
        """
        self.trainer.control.pause()

    def resume(self) -> None:
        """Go on to the end, or to the next pause."""
        self.trainer.control.resume()

    def advance(self, steps: int = 1) -> None:
        """Run so many steps, then pause again; validation and callbacks come as in `fit`.

        Raises:
            TrainingError: it is not paused.
        """
        self.trainer.control.advance(steps)

    def stop(self, why: str = "stopped") -> None:
        """End it after the steps that run now, see Trainer.stop."""
        self.trainer.stop(why)
        self.trainer.control.resume()

    def join(self, timeout_seconds: float | None = None) -> History:
        """Wait for its end.

        Returns:
            the history.

        Raises:
            TrainingError: it has not ended in time. Or what `fit` raised.
        """
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            raise TrainingError(
                f"the training has not ended after {timeout_seconds:g} seconds"
                + (": it is paused" if self.is_paused else ""),
                expected="its end",
                fix="call resume() if it is paused, or stop()",
            )
        if self._error is not None:
            raise self._error
        return self.trainer.history

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.is_running:
            self.stop()
        if kind is None:
            self.join()

    # changing it

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer, whose `lr`, `betas` and other numbers may be assigned at any time.

        They hold from the next step on, and nothing is compiled for it.
        """
        return self.trainer.optimizer

    def change(self, edit: Callable[[Module], StructureChange], net=None) -> StructureChange:
        """Change layers of the network; weights and slots that still fit are kept.

        The next step compiles, and training goes on with its history, schedule and random streams.

        Args:
            edit, net: see Program.change; `lambda net: nn.widen(net, "0", 16)`.

        Raises:
            TrainingError: it is not paused.
        """
        return self.trainer.change(edit, net)

    def replace_data(self, x, y, *, validation=None, weights=None) -> bool:
        """Train on other rows from now on, see Trainer.replace_data.

        A training that is not paused is paused for it, and goes on.

        Args:
            x, y, validation, weights: as many rows as before take effect in the next step and
                compile nothing; another number takes effect at the next epoch.

        Returns:
            whether they take effect in the next step.

        Raises:
            TrainingError: it has ended.
            OptionError, ShapeError, DataError: the rows do not fit; nothing is replaced.
        """
        was_paused = self.is_paused
        if not was_paused:
            self.pause()
        try:
            return self.trainer.replace_data(x, y, validation=validation, weights=weights)
        finally:
            if not was_paused:
                self.resume()

    # looking into it

    def batch(self) -> tuple:
        """(x, y) of the next step, NumPy arrays.

        Raises:
            TrainingError: it is not paused.
        """
        x, y, rows = self._pending()
        return map_leaves(lambda leaf: np.asarray(leaf)[rows], (x, y))

    def _device_batch(self) -> tuple:
        x, y, rows = self._pending()
        return map_leaves(lambda leaf: leaf[rows], (x, y))

    def _next_step(self) -> NextStep:
        if self._next.program is not self.trainer.program:
            self._next = NextStep(self.trainer.program)
        return self._next

    def forward(self) -> dict[str, float]:
        """{"loss": ..., "loss_NAME": ...} of the next step, before its update.

        Raises:
            TrainingError: it is not paused.
        """
        return self._next_step().losses(*self._device_batch())

    def backward(self) -> dict[str, np.ndarray]:
        """{path of a parameter: ∂L/∂parameter} of the next step, see Program.gradients.

        Raises:
            TrainingError: it is not paused.
        """
        return self._next_step().gradients(*self._device_batch())

    def _pending(self) -> tuple:
        x, y, rows = self.trainer.control.batch()
        return x, y, np.asarray(rows).reshape(-1)  # micro-batches are one batch

"""A fit in a thread of its own: paused, looked into, led step by step, changed while it runs."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway.errors import TrainingError
from cutaway.losses.terms import columns_of
from cutaway.nn import Module, StructureChange, jit, snapshot
from cutaway.nn.trees import map_leaves
from cutaway.optim import Optimizer
from cutaway.train.history import History


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
        self._parts: dict = {}
        self._compile()
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

    def forward(self) -> dict[str, float]:
        """{"loss": ..., "loss_NAME": ...} of the next step, before its update.

        Raises:
            TrainingError: it is not paused.
        """
        found = self._run("_terms")
        return {name: value.item() for name, value in found.items()}

    def backward(self) -> dict[str, np.ndarray]:
        """{path of a parameter: ∂L/∂parameter} of the next step, see Program.gradients.

        Raises:
            TrainingError: it is not paused.
        """
        found = self._run("_slopes")
        return {path: gradient.numpy() for path, gradient in found.items()}

    def _pending(self) -> tuple:
        x, y, rows = self.trainer.control.batch()
        return x, y, np.asarray(rows).reshape(-1)  # micro-batches are one batch

    def _compile(self):
        """The two functions of the program as it is now."""
        program = self.trainer.program
        owners = program.owners().values()
        self._parts = dict(vars(program))
        self._terms = jit(self._losses_of, *owners, donate=False)
        self._slopes = jit(self._gradients_of, *owners, donate=False)

    def _run(self, name: str) -> Any:
        x, y, rows = self._pending()
        program = self.trainer.program
        if any(value is not self._parts.get(k) for k, value in vars(program).items()):
            self._compile()  # a callback has put another loss in its place, for example
        compiled = getattr(self, name)
        batch = map_leaves(lambda leaf: leaf[rows], (x, y))
        kept = snapshot(*program.owners().values())  # random keys are drawn by the step itself
        with program.computing(), program.in_mode(True), kept:
            return compiled(*batch)

    def _losses_of(self, x, y):
        return columns_of(self.trainer.program.terms(x, y))

    def _gradients_of(self, x, y):
        return self.trainer.program.gradients(x, y)

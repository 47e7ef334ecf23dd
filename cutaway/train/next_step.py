"""What the next step of a training will do, computed without doing it."""

from typing import Any

import numpy as np

from cutaway.losses.terms import columns_of
from cutaway.nn import jit, snapshot
from cutaway.train.program import Program


class NextStep:
    """The loss and the gradients that a program's step will find. Nothing is changed by asking.

    Args:
        program: the Program; what it is made of may be replaced meanwhile.
    """

    def __init__(self, program: Program):
        self.program = program
        self._compile()

    def losses(self, x, y) -> dict[str, float]:
        """{"loss": ..., "loss_NAME": ...} of a batch before its update."""
        return {name: value.item() for name, value in self._run("_terms", x, y).items()}

    def gradients(self, x, y) -> dict[str, np.ndarray]:
        """{path of a parameter: ∂L/∂parameter} of a batch, see Program.gradients."""
        found = self._run("_slopes", x, y)
        return {path: gradient.numpy() for path, gradient in found.items()}

    def prepare(self, x, y) -> None:
        """Compile both for such a batch now, without running them; another thread may do it."""
        program = self.program
        with program.computing(), program.in_mode(True):
            self._terms.prepare(x, y)
            self._slopes.prepare(x, y)

    def _compile(self):
        """The two functions of the program as it is now."""
        owners = self.program.owners().values()
        self._parts = dict(vars(self.program))
        self._terms = jit(self._losses_of, *owners, donate=False)
        self._slopes = jit(self._gradients_of, *owners, donate=False)

    def _run(self, name: str, x, y) -> Any:
        program = self.program
        if any(value is not self._parts.get(k) for k, value in vars(program).items()):
            self._compile()  # a callback has put another loss in its place, for example
        kept = snapshot(*program.owners().values())  # random keys are drawn by the step itself
        with program.computing(), program.in_mode(True), kept:
            return getattr(self, name)(x, y)

    def _losses_of(self, x, y):
        return columns_of(self.program.terms(x, y))

    def _gradients_of(self, x, y):
        return self.program.gradients(x, y)

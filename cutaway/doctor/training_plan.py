"""TrainingPlan: a training with its data, which can be repeated, as it is or with changes."""

import copy
import dataclasses
import math
from typing import Any

import numpy as np

from cutaway.nn.trees import count_rows, map_leaves, take_rows
from cutaway.train import Program, Trainer
from cutaway.train.given import as_tree


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """A program, and the data, epochs and random seed that it is trained with.

    Attributes:
        program: a train.Program that has not trained; it is copied, never run.
        x, y: training arrays (rows, ...), or trees of them.
        validation: (x, y) or None.
        epochs, batch_size: as for Trainer.fit.
        seed: random seed for the order of the rows.
        callbacks: for example (EarlyStopping(20),); each run gets copies.
        target_scale: {number of an array of outputs: (mean, std)} if its targets were standardized
            by a change: predictions times std plus mean are in the units of the user's targets.
        leaks: (data.found_leak.Leak, ...) of the reader of the data; None: it looked for none.
        classes: names of the classes, () if nobody named them.
        inputs: names of the numbers of a row of x, () likewise.
        is_split_meant: whether the validation rows are others than the training rows on purpose:
            later ones, or of other groups.
        has_cycles: whether the learning rate falls several times; the loss rises in between.
        seconds: that the experiments of a diagnosis may take together, besides the training itself.
    """

    program: Program
    x: Any
    y: Any
    validation: tuple | None = None
    epochs: int = 100
    batch_size: int = 32
    seed: int = 0
    callbacks: tuple = ()
    target_scale: dict | None = None
    leaks: tuple | None = None
    classes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    is_split_meant: bool = False
    has_cycles: bool = False
    seconds: float = math.inf

    @classmethod
    def of(cls, trainer: Trainer, x, y, *, validation=None, **options) -> "TrainingPlan":
        """The plan of a trainer in its present state, before it trains."""
        if validation is not None:
            validation = tuple(map(on_host, validation))
        program = trainer.program.copied()
        options.setdefault("classes", tuple(map(str, trainer.classes or ())))
        return cls(program, on_host(x), on_host(y), validation=validation, **options)

    def class_name(self, number: int, where: str = "") -> str:
        """A class as people know it: "class setosa", or "class 0" if nobody named it.

        Args:
            where: which output it is a class of, if there are several; these have no names.
        """
        known = not where and number < len(self.classes)
        return f"class {self.classes[number] if known else number}{where}"

    @property
    def rows(self) -> int:
        """The number of training rows."""
        return count_rows(self.x)

    def examples(self, rows) -> tuple:
        """(x, y) of some training rows: a slice or an array of indices."""
        return take_rows(self.x, rows), take_rows(self.y, rows)

    def spread(self, most: int) -> tuple:
        """(x, y) of at most `most` training rows, evenly spaced."""
        return self.examples(evenly_spaced(self.rows, most))

    def fresh(self, seed: int = 0) -> Trainer:
        """A new Trainer to be trained; the plan's own program is not modified.

        Args:
            seed: 0 keeps the initial weights; any other permutes the entries of each weight, which
                is another sample from the same distribution (a constant weight stays constant).
        """
        return Trainer(self.program.fresh(seed))

    def run(
        self, seed: int = 0, *, callbacks=(), epochs: int | None = None, trainer=None
    ) -> Trainer:
        """Train a new Trainer, or the given one, and return it.

        Raises:
            TrainingError: the loss became NaN or infinite.
        """
        trainer = self.fresh(seed) if trainer is None else trainer
        trainer.fit(
            self.x,
            self.y,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_size,
            validation=self.validation,
            callbacks=[*copy.deepcopy(list(self.callbacks)), *callbacks],
            seed=self.seed + seed,
            progress=False,
        )
        return trainer

    def changed(self, *changes) -> "TrainingPlan":
        """The plan after the changes (see doctor/changes), applied one after the other."""
        plan = dataclasses.replace(self, program=self.program.copied())
        for change in changes:
            plan = change.apply(plan)
        return plan


def on_host(tree):
    """The tree with NumPy arrays as leaves."""
    return map_leaves(np.asarray, as_tree(tree))


def evenly_spaced(rows: int, most: int) -> np.ndarray:
    """At most `most` indices of that many rows, evenly spaced."""
    return np.unique(np.linspace(0, rows - 1, most).astype(int))

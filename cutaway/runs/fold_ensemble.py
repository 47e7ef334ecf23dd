"""Experiments with several networks that train together, on folds of the rows, and are averaged."""

import copy
import dataclasses
import math
from typing import Any

import numpy as np

from cutaway.data import Folds
from cutaway.metrics.calibration import fit_temperature
from cutaway.nn import Ensemble
from cutaway.nn.trees import take_rows
from cutaway.optim import AdamW, FlatCosine
from cutaway.runs import table_recipe
from cutaway.runs.experiment import Experiment
from cutaway.runs.finished_run import Run
from cutaway.runs.networks import loss_of
from cutaway.train import EarlyStopping, MembersProgram, Program, Trainer


class _ByRecipe(Experiment):
    """What an experiment of the recipe's networks decides in place of its options."""

    @property
    def rate(self) -> float:
        return table_recipe.rate(self.preprocessing.task)

    @property
    def training_line(self) -> str:
        return f"adamw, lr {self.rate:g} in {table_recipe.CYCLES} cycles"

    @property
    def kept_among(self) -> str:
        return " among the epochs at a low learning rate"

    @property
    def epochs(self) -> int:
        if self.options.epochs is not None:
            return self.options.epochs
        return table_recipe.count_epochs(self.training_rows, self.batch_size)

    @property
    def batch_size(self) -> int:
        given = self.options.batch_size
        return min(self.training_rows, table_recipe.BATCH) if given is None else given

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return math.ceil(self.training_rows / self.batch_size) * self.epochs

    def make_optimizer(self, net) -> AdamW:
        """The optimizer of one network."""
        return table_recipe.optimizer(net, steps=self.steps, rate=self.rate)


class MemberExperiment(_ByRecipe):
    """One network of an EnsembleExperiment, by itself, with the rows that it is trained on."""

    def make_trainer(self) -> Trainer:
        program = Program(
            self.net,
            loss=loss_of(self.spec),
            optimizer=self.make_optimizer(self.net),
            metrics=self.preprocessing.metric_functions(),
            dropout_schedule=FlatCosine(self.steps),
            precision=self.options.precision,
        )
        return Trainer(program)


class AtRest(EarlyStopping):
    """Keeps the weights with the lowest loss out of fold, of epochs with a low learning rate.

    At a high one the weights are noisy, and the loss of one epoch is low by chance. The ends of
    the cycles are trainings of different lengths, of which the best is kept.

    Args:
        rate: the highest learning rate at which the weights of an epoch are kept.
        options: see EarlyStopping.
    """

    def __init__(self, rate: float, **options):
        super().__init__(**options)
        self.rate = rate

    def on_epoch(self, trainer, row):
        is_last = trainer.epoch == trainer.planned_epochs
        if row["lr"] <= self.rate or (is_last and self.best_weights is None):
            super().on_epoch(trainer, row)


class EnsembleExperiment(_ByRecipe):
    """An Experiment whose network is an Ensemble; its members train together on the same rows."""

    net: Ensemble

    def make_trainer(self) -> Trainer:
        program = MembersProgram(
            self.net.members,
            loss=loss_of(self.spec),
            optimizer=self.make_optimizer,
            metrics=self.preprocessing.metric_functions(),
            dropout_schedule=FlatCosine(self.steps),
            precision=self.options.precision,
        )
        return Trainer(program)

    def row_weights(self) -> dict[str, Any]:
        """The weights of the rows and the validation rows, as arguments of Trainer.fit."""
        validation = self.x[self.validation], take_rows(self.targets(), self.validation)
        return {"validation": validation}

    def _fit(self, trainer, inputs, y, callbacks, progress) -> None:
        try:
            trainer.fit(
                *inputs,
                **self.row_weights(),
                epochs=self.epochs,
                batch_size=self.batch_size,
                callbacks=[*self.watchers(), self.probes, *callbacks],
                seed=self.options.seed,
                progress=progress,
            )
        finally:
            self.net.load_state_dict(trainer.program.ensemble().state_dict())

    def make_stopping(self) -> AtRest:
        return AtRest(table_recipe.REST * self.rate, patience=self.options.patience)

    def rows_of_first(self) -> tuple[np.ndarray, np.ndarray]:
        """(training, validation) rows of the first network."""
        return self.training, self.validation

    def opened(self) -> MemberExperiment:
        own: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(Experiment)
        }
        own["net"] = copy.deepcopy(self.net.members[0])
        own["training"], own["validation"] = self.rows_of_first()
        found = MemberExperiment(**own)
        if self.trainer is not None:
            found.trainer = found.make_trainer()
            for name in ("history", "epoch", "stopped", "seed", "batch_size", "callbacks"):
                setattr(found.trainer, name, getattr(self.trainer, name))
        return found

    def unseen_outputs(self, net: Any) -> np.ndarray:
        """(rows, outputs) of the network for each validation row, by members that did not see it.

        Args:
            net: the Ensemble.
        """
        return Trainer(net, loss=loss_of(self.spec)).predict(self.x[self.validation])

    def calibrate(self, run: Run) -> None:
        """One temperature for all members, if it lowers the validation loss; then intervals."""
        if self.preprocessing.task in ("binary", "multiclass"):
            logits = self.unseen_outputs(self.net)
            temperature = fit_temperature(logits, self.y[self.validation])
            for member in self.net.members:
                divide_outputs(member, temperature)
        super().calibrate(run)


@dataclasses.dataclass
class CrossFittedExperiment(EnsembleExperiment):
    """An Experiment whose network is an Ensemble, each member trained on all folds but one.

    Each row is thus predicted by members that did not train on it. The scores that are called
    those of validation are of these predictions ("out of fold"); the epoch whose weights are kept
    is chosen by their loss, for all members together.

    Attributes:
        folds: of the training rows.
        validation: the same rows as `training`.
    """

    net: Ensemble
    folds: Folds | None = None

    @property
    def dealt(self) -> Folds:
        """The folds of the training rows."""
        assert self.folds is not None
        return self.folds

    @property
    def has_validation(self) -> bool:
        return True

    @property
    def data_line(self) -> str:
        folds = self.dealt
        by = "1 that has" if len(folds.numbers) == 1 else f"{len(folds.numbers)} that have"
        return (
            f"{self.training_rows:,} {self.preprocessing.examples} in {folds.count} folds for "
            f"{folds.networks} networks, each row predicted by {by} not seen it"
        )

    def row_weights(self) -> dict[str, Any]:
        x, y = super().row_weights()["validation"]
        return {"weights": self.dealt.trained_on, "validation": (x, y, self.dealt.held_out)}

    def rows_of_first(self) -> tuple[np.ndarray, np.ndarray]:
        held = self.dealt.held_out[:, 0] > 0
        return self.training[~held], self.training[held]

    def unseen_outputs(self, net: Any) -> np.ndarray:
        total: np.ndarray | None = None
        for member, held in zip(net.members, self.dealt.held_out.T, strict=True):
            rows = np.flatnonzero(held)
            raw = Trainer(member, loss=loss_of(self.spec)).predict(self.x[self.training[rows]])
            total = np.zeros((self.training_rows, *raw.shape[1:])) if total is None else total
            total[rows] += raw
        assert total is not None
        return total / len(self.dealt.numbers)

    def outputs(self, run: Run, rows) -> np.ndarray:
        """What is predicted for training rows by the members that did not see them."""
        found = run.to_predictions(self.unseen_outputs(run.net))
        return found[np.searchsorted(self.training, rows)]

    def scores(self, run: Run) -> dict[str, dict]:
        found = super().scores(run)
        unseen, rows = self.outputs(run, self.training), self.training
        found["validation"] = self.preprocessing.score(self.y[rows], unseen, self.x[rows])
        return found


def divide_outputs(net, temperature: float) -> None:
    """Divide what a network returns by a number: the weights and the bias of its last layer."""
    for parameter in table_recipe.last_layer(net).parameters():
        parameter.data = parameter.data / temperature

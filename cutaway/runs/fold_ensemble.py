"""Experiments with several networks that train together, on folds of the rows, and are averaged."""

import copy
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cutaway.data import Folds
from cutaway.metrics.calibration import EnsembleTemperature, fit_temperature, mean_of_unseen
from cutaway.nn import Ensemble
from cutaway.nn.trees import take_rows
from cutaway.optim import AdamW, FlatCosine
from cutaway.runs import table_recipe
from cutaway.runs.experiment import Experiment
from cutaway.runs.finished_run import Run
from cutaway.runs.networks import loss_of
from cutaway.runs.preprocessing import Reasons
from cutaway.runs.validation_kind import ValidationKind
from cutaway.train import EarlyStopping, MembersProgram, Program, Trainer

STOPPED = "the last cycle of the learning rate brought no lower loss"
MARGIN, PATIENT_RESTS, FOUND = 1.1, 4, 0.99  # see AtRest


class AtRest(EarlyStopping):
    """Keeps the weights with the lowest loss out of fold, of epochs with a low learning rate.

    At a high one the weights are noisy, and the loss of one epoch is low by chance. The ends of
    the cycles are trainings of different lengths, and most tables need three to five of them:
    training stops after a cycle that is worse by 10% than the best before, and from the fourth on
    after the first that is no better, unless nothing was found yet.

    Args:
        rate: the highest learning rate at which the weights of an epoch are kept.
        base: loss of a prediction that knows nothing of the row; as long as the lowest loss is
            within 1% of it, nothing was found.
        options: see EarlyStopping.

    Attributes:
        lowest: loss of this rest, the epochs around the end of a cycle; None: the rate is high.
        rests: that have ended.
    """

    def __init__(self, rate: float, base: float, **options):
        super().__init__(**options)
        self.rate, self.base = rate, base
        self.lowest: float | None = None
        self.rests = 0

    def on_start(self, trainer):
        super().on_start(trainer)
        if trainer.epoch == 0:
            self.lowest, self.rests = None, 0

    def on_epoch(self, trainer, row):
        is_last = trainer.epoch == trainer.planned_epochs
        if row["lr"] <= self.rate or (is_last and self.best_weights is None):
            super().on_epoch(trainer, row)
            loss = row["val_loss"]
            self.lowest = loss if self.lowest is None else min(self.lowest, loss)
        elif self.lowest is not None:
            self.rests += 1
            best = math.nan if self.best_value is None else self.best_value
            decided = self.rests >= PATIENT_RESTS and best < FOUND * self.base
            if self.lowest > best * (1 if decided else MARGIN):
                trainer.stop(STOPPED)
            self.lowest = None

    def state(self):
        return {**super().state(), "lowest": self.lowest, "rests": self.rests}

    def load_state(self, state):
        super().load_state(state)
        self.lowest, self.rests = state["lowest"], state["rests"]


class _ByRecipe(Experiment):
    """What an experiment of the recipe's networks decides in place of its options."""

    has_cycles = True

    @property
    def inputs_in_words(self) -> str:
        return table_recipe.inputs_in_words(self.spec, self.preprocessing)

    @property
    def rate(self) -> float:
        return table_recipe.rate(self.preprocessing.task)

    @property
    def training_line(self) -> str:
        return f"adamw, lr {self.rate:g} in up to {self.cycles.count} cycles"

    @property
    def kept_among(self) -> str:
        return " among the epochs at a low learning rate"

    @property
    def cycles(self) -> table_recipe.Cycles:
        """Of the learning rate."""
        return table_recipe.Cycles.of(self.training_rows, self.batch_size)

    @property
    def epochs(self) -> int:
        return self.cycles.epochs if self.options.epochs is None else self.options.epochs

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
        return table_recipe.optimizer(
            net, steps=self.steps, cycles=self.cycles.count, rate=self.rate
        )

    def stopping_by(self, monitor: str) -> AtRest:
        base = table_recipe.base_loss(self.preprocessing.target)
        return AtRest(table_recipe.REST * self.rate, base, patience=self.options.patience)


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

    def for_trial(self) -> "EnsembleExperiment":
        """This experiment with as few networks as suffice to compare two short trainings."""
        return self

    def calibrate(self, run: Run) -> None:
        """One temperature for all members, if it lowers the validation loss; then intervals."""
        if self.preprocessing.task in ("binary", "multiclass"):
            temperature = self.found_temperature()
            for member in self.net.members:
                divide_outputs(member, temperature)
        super().calibrate(run)

    def found_temperature(self) -> float:
        """That of the mean of all members, on rows that they have not seen."""
        return fit_temperature(self.unseen_outputs(self.net), self.y[self.validation])


@dataclasses.dataclass
class CrossFittedExperiment(EnsembleExperiment):
    """An Experiment whose network is an Ensemble, each member trained on all folds but one.

    Each row is thus predicted by members that did not train on it. The scores that are stored as
    those of validation are of these predictions, "out of fold"; the epoch whose weights are kept
    is chosen by their loss, for all members together.

    Attributes:
        folds: of the training rows.
        validation: the same rows as `training`.
        temperature: by which the members' outputs are divided, after the training; None: by none.
    """

    net: Ensemble
    folds: Folds | None = None
    temperature: EnsembleTemperature | None = None

    @property
    def dealt(self) -> Folds:
        """The folds of the training rows."""
        assert self.folds is not None
        return self.folds

    @property
    def has_validation(self) -> bool:
        return True

    @property
    def validation_kind(self) -> ValidationKind:
        return ValidationKind.OUT_OF_FOLD

    @property
    def data_line(self) -> str:
        folds = self.dealt
        by = "1 that has" if len(folds.numbers) == 1 else f"{len(folds.numbers)} that have"
        apart = int((folds.numbers[0] < 0).sum())
        return (
            f"{self.training_rows:,} {self.preprocessing.examples} in {folds.count} folds for "
            f"{folds.networks} networks, each row predicted by {by} not seen it"
            + (f"; {apart:,} train none" if apart else "")
        )

    def for_trial(self) -> EnsembleExperiment:
        """With the networks of the first dealing alone."""
        folds = dataclasses.replace(self.dealt, numbers=self.dealt.numbers[:1])
        net = Ensemble(self.net.members[: folds.networks])
        return dataclasses.replace(self, folds=folds, net=net)

    def row_weights(self) -> dict[str, Any]:
        x, y = super().row_weights()["validation"]
        return {"weights": self.dealt.trained_on, "validation": (x, y, self.dealt.held_out)}

    def rows_of_first(self) -> tuple[np.ndarray, np.ndarray]:
        held = self.dealt.held_out[:, 0] > 0
        return self.training[~held], self.training[held]

    def unseen_outputs(self, net: Any) -> np.ndarray:
        return self._predictor_of(net)(self.x[self.training], np.arange(self.training_rows))

    def _predictor_of(self, net: Any) -> Callable:
        """A function (x, rows) -> outputs of inputs x, by members that did not see these rows.

        Args:
            net: the Ensemble.
        """
        scale = self._scale_of_rows()

        def predict(x, rows):
            held = self.dealt.held_out[rows]
            outputs = mean_of_unseen(self._outputs_of_each(net, x, held), held)
            return outputs * scale[rows].reshape(-1, *(1,) * (outputs.ndim - 1))

        return predict

    def _scale_of_rows(self) -> np.ndarray:
        """(training rows,) what fewer networks than all are surer by than they should be."""
        if self.temperature is None:
            return np.ones(self.training_rows)
        unseen = self.dealt.held_out.sum(axis=1)
        return self.temperature.of(self.dealt.networks) / self.temperature.of(unseen)

    def _outputs_of_each(self, net: Any, x, held) -> np.ndarray:
        """(networks, rows, outputs) of the members for the rows of x that they have not seen.

        Args:
            net: the Ensemble.
            x: (rows, features).
            held: (rows, networks), above 0 where the network has not seen the row; elsewhere the
                outputs are 0.
        """
        trainer = Trainer(copy.deepcopy(net.members[0]), loss=loss_of(self.spec))
        total: np.ndarray | None = None
        for number, member in enumerate(net.members):
            trainer.net.load_state_dict(member.state_dict())  # one compiled program for all
            own = np.flatnonzero(held[:, number])
            raw = trainer.predict(x[own])
            if total is None:
                total = np.zeros((len(net.members), len(x), *raw.shape[1:]))
            total[number, own] = raw
        assert total is not None
        return total

    def found_temperature(self) -> float:
        held = self.dealt.held_out
        outputs = self._outputs_of_each(self.net, self.x[self.training], held)
        self.temperature = EnsembleTemperature.fit(outputs, self.y[self.training], held)
        return self.temperature.of(self.dealt.networks)

    def reasons(self, run: Run, rows, outputs) -> Reasons:
        places = np.searchsorted(self.training, rows)
        predict = self._predictor_of(run.net)

        def predictor(chosen):
            own = places[chosen]
            return lambda x: run.to_predictions(predict(x, np.tile(own, len(x) // len(own))))

        table: Any = self.preprocessing  # a TableRows
        kind = self.validation_kind.adjective
        return table.importance(predictor, self.x[rows], table.truth(self.y[rows]), kind)

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

"""Whether a skewed target is learned better from its logarithm: both are tried."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from cutaway.runs.fold_ensemble import EnsembleExperiment
from cutaway.runs.table_recipe import BATCH
from cutaway.story.text import number
from cutaway.train import MembersProgram

SKEWED = 1.0  # skewness above which it is tried
MOST_ROWS, STEPS = 2000, 300  # of a trial; the learning rate has its cycles within the steps
LOWER = 0.99  # of the error, to be taken for lower


class TriedTransform(NamedTuple):
    """Attributes:
    transform: "log1p" or "none".
    notes: [a sentence with the errors of both], or [] if nothing was tried.
    """

    transform: Literal["none", "log1p"]
    notes: list[str]


def choose(frame, target: str, options, prepare: Callable[[Any, Any], Any]) -> TriedTransform:
    """The transform of a numeric target, by the errors of two short trainings.

    Both train the recipe's networks with the same folds and seed, on the same 2,000 rows at most,
    and are scored on rows that a network has not seen, in the target's unit.

    Args:
        frame: the training rows.
        options: TableOptions.
        prepare: function of a frame and options, which returns an EnsembleExperiment.
    """
    values = frame[target].to_numpy().astype(np.float64)
    if not is_skewed(values):
        return TriedTransform("none", [])
    frame = frame[np.unique(np.linspace(0, len(frame) - 1, MOST_ROWS).astype(int))]
    has_own_sets = (options.split or "random").partition(":")[0] in ("random", "group", "time")
    epochs = math.ceil(STEPS / math.ceil(len(frame) / BATCH))
    trial = dataclasses.replace(
        options,
        epochs=epochs,
        batch_size=None,
        test=0.0,
        split=options.split if has_own_sets else None,
    )
    errors = {
        name: _error(prepare(frame, dataclasses.replace(trial, target_transform=name)).for_trial())
        for name in ("none", "log1p")
    }
    is_lower = errors["log1p"] < LOWER * errors["none"]
    what = f"ln(1 + {target})" if is_lower else f"{target} as it is, not ln(1 + {target})"
    told = (
        f"{target} is skewed ({number(skewness(values), 3)}): networks learn {what}. In a trial "
        f"with {len(frame):,} rows and {epochs} epochs the root mean squared error was "
        f"{number(errors['log1p'])} with the logarithm, {number(errors['none'])} without"
    )
    return TriedTransform("log1p" if is_lower else "none", [told])


def is_skewed(values: np.ndarray) -> bool:
    """Whether the logarithm of 1 + values may be easier to learn: none is negative, few are large.

    Args:
        values: (rows,)
    """
    return bool(values.min() >= 0) and skewness(values) > SKEWED


def skewness(values: np.ndarray) -> float:
    """The third standardized moment of values (rows,), m₃ / m₂^(3/2); 0 if all are equal.

    Example:
        >>> import numpy as np
        >>> from cutaway.runs.target_trial import skewness
        >>> round(skewness(np.array([0.0, 0.0, 0.0, 4.0])), 4)
        1.1547
    """
    apart = values - values.mean()
    spread = float(np.mean(apart**2)) ** 0.5
    return float(np.mean((apart / spread) ** 3)) if spread else 0.0


def _error(experiment: EnsembleExperiment) -> float:
    """The root mean squared error on rows that a network has not seen, after all epochs."""
    trainer, training = experiment.make_trainer(), experiment.training
    program = trainer.program
    assert isinstance(program, MembersProgram)
    trainer.fit(
        experiment.x[training],
        experiment.targets()[training],
        weights=experiment.row_weights().get("weights"),
        epochs=experiment.epochs,
        batch_size=experiment.batch_size,
        seed=experiment.options.seed,
        progress=False,
    )
    rows, unseen = experiment.preprocessing, experiment.validation
    found = rows.to_predictions(experiment.unseen_outputs(program.ensemble()), trainer.loss)
    return rows.score(experiment.y[unseen], found, experiment.x[unseen])["root_mean_squared_error"]

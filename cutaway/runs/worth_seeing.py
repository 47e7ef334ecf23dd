"""The example of a finished training to explain first."""

import dataclasses

import numpy as np

from cutaway.errors import CutawayError
from cutaway.runs.dense import DenseExperiment
from cutaway.runs.experiment import IN_MEMORY
from cutaway.runs.finished_run import Run
from cutaway.runs.kinds import KINDS
from cutaway.runs.worst_rows import WorstRows, without_dust
from cutaway.story.text import number


@dataclasses.dataclass(frozen=True)
class WorthSeeing:
    """An example to explain.

    Attributes:
        row: its index in the training data, from 0, as `cutaway explain --row` takes it.
        why: in words.
    """

    row: int
    why: str


def worth_seeing(experiment, run: Run) -> WorthSeeing | None:
    """The validation row to explain first, or one of the test set; None: there is no such row.

    `cutaway explain` counts the rows of what the run's preprocessing reads of the training data.
    Of data with a test set of their own that is this set, so the row is one of it.

    Args:
        experiment: after its training.
    """
    if experiment.source == IN_MEMORY:
        return None
    rows = experiment.preprocessing
    if isinstance(experiment, DenseExperiment):
        return _worst_example(experiment, run)
    if rows.task == "language":
        return WorthSeeing(0, "why the network expects what it does to come next")
    if _has_own_test_set(experiment):
        truth, outputs = rows.truth(experiment.test[1]), experiment.test_outputs(run)
        numbers, what = np.arange(len(truth)), "test"
    else:
        chosen = experiment.validation
        truth, outputs = rows.truth(experiment.y[chosen]), experiment.outputs(run, chosen)
        numbers, what = _numbers(experiment, run), experiment.validation_kind.adjective
    if not len(truth) or numbers is None:
        return None
    predicted = None if rows.classes is None else rows.decide(outputs)
    worst = WorstRows.of(truth, outputs, predicted)
    k = int(worst.order[0])
    if rows.classes is None:
        truth = without_dust(truth)
    if numbers[k] < 0:
        return None
    return WorthSeeing(int(numbers[k]), _why(rows, truth[k], outputs[k], worst, what))


def _has_own_test_set(experiment) -> bool:
    """Whether the data have a test set beside the others, rather than one that was split off."""
    options = experiment.options
    return experiment.test is not None and not options.test and options.split is None


def _numbers(experiment, run) -> np.ndarray | None:
    """(validation rows,) indices for `cutaway explain`, -1 for none; None: there are none."""
    chosen, frame = experiment.validation, experiment.frame
    if KINDS[experiment.kind].windows:
        return np.asarray(chosen)  # the number of the window
    if "path" not in frame.columns:
        return experiment.row_numbers[chosen] - 1
    try:
        listed = run.preprocessing.read(experiment.source)["path"]
    except CutawayError:
        return None
    at = {path: k for k, path in enumerate(listed)}
    return np.array([at.get(frame["path"][int(k)], -1) for k in chosen])


def _why(rows, truth, output, worst: WorstRows, what: str) -> str:
    of = f"{what} {rows.examples}"
    if rows.classes is None:
        steps = np.size(truth)
        if steps > 1:
            return (
                f"the largest error of the {of}: {number(worst.errors.max(), 3)} on average over "
                f"{steps} steps"
            )
        return (
            f"the largest error of the {of}: predicted {number(np.ravel(output)[0])}, true "
            f"{number(np.ravel(truth)[0])}"
        )
    guess = int(rows.decide(output[None])[0])
    name = rows.classes[guess]
    if not worst.wrong:
        return f"all {of} are right; the least confident: {name}, {output[guess]:.1%}"
    one = "the only wrong prediction"
    if worst.wrong > 1:
        one = f"the most confident of {worst.wrong:,} wrong predictions"
    return (
        f"{one} on the {of}: predicted {name} ({output[guess]:.1%}), true "
        f"{rows.classes[int(truth)]}"
    )


def _worst_example(experiment: DenseExperiment, run: Run) -> WorthSeeing | None:
    """Of pictures or volumes, whose scores are of each as a whole."""
    if "validation" not in experiment.found:  # not trained by this experiment
        return None
    shown = experiment.worst(run, 1)
    names = experiment.frame["name"].to_list()
    if not shown or names.count(shown[0].name) != 1:
        return None
    scores = ", ".join(f"{name} {value}" for name, value in shown[0].scores)
    of = experiment.preprocessing.count_of(experiment.validation_rows)
    which = f"the worst of {of}" if experiment.validation_rows != 1 else f"the only {of[2:]}"
    return WorthSeeing(names.index(shown[0].name), f"{which}: {scores}")

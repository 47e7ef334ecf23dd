"""Labeled examples that may come with validation and test sets of their own, encoded and split."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cutaway.nn import seed
from cutaway.runs.experiment import Experiment
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.preprocessing import Preprocessing, class_target
from cutaway.runs.split import make_test_set, sets_of_examples, split_test, split_validation
from cutaway.train.blocks import expect_batch

if TYPE_CHECKING:
    import polars as pl

FILTERS = [128, 256, 128]  # of the network over time


@dataclasses.dataclass(frozen=True)
class LabeledSets:
    """Encoded examples: the rows of `frame`, their split, the test set, and notes.

    `known`: see Experiment.
    """

    frame: "pl.DataFrame"
    x: np.ndarray
    y: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    test: tuple | None
    notes: list
    known: "tuple[pl.DataFrame, np.ndarray]"


def encode_sets(
    rows: Preprocessing, sets: dict, options, *, is_stream: bool = False, tests: str = "test set"
) -> LabeledSets:
    """Encode the training examples and the other sets, and split off the sets that are not given.

    Args:
        rows: the preprocessing.
        sets: {"train": frame}, with "validation" and "test" if the data come with them.
        options: TrainingOptions.
        is_stream: whether the training examples are a sample of a stream.
        tests: what the given test set is called in the notes.
    """
    import polars as pl

    own = dataclasses.replace(options, test=0.0) if "test" in sets else options
    arrays = rows.transform(sets["train"])
    frame, x, y, notes = sets["train"][arrays.rows], arrays.x, arrays.targets, [*arrays.notes]
    if "validation" in sets:
        more = rows.transform(sets["validation"])
        training, test_rows = split_test(y, own, stratify=True)
        validation = len(x) + np.arange(len(more.x))
        frame = pl.concat([frame, sets["validation"][more.rows]])
        x, y = np.concatenate([x, more.x]), np.concatenate([y, more.targets])
        notes += more.notes
        if not is_stream:
            notes.append(f"the validation folder has {len(validation):,} {rows.examples}")
    else:
        training, validation, test_rows = split_validation(y, own, stratify=True)
    test, test_notes = make_test_set(x, y, test_rows, rows.examples)
    notes += test_notes
    whole = frame
    if "test" in sets:
        found = rows.transform(sets["test"])
        test = (found.x, found.y)
        whole = pl.concat([frame, sets["test"][found.rows]])
        counted = f"{tests}: {len(found.x):,} {rows.examples}"
        notes += [*found.notes, f"{counted}, used for the final scores only"]
    return LabeledSets(frame, x, y, training, validation, test, notes, (whole, training))


def prepare_over_time(
    kind: str,
    path,
    options,
    rows: Preprocessing,
    sets: dict,
    *,
    scale: Callable,
    why: str,
    tests: str = "test set",
    notes=(),
) -> Experiment:
    """The Experiment on labeled examples (time, channels), with a convolutional network over time.

    Args:
        kind: of the data.
        path: of the data.
        options: TrainingOptions with `model`.
        rows: the preprocessing; its target is set to that of the training rows.
        sets: as for `encode_sets`.
        scale: function of the training inputs: lists of the mean and std of each channel, by
            which the network standardizes its inputs.
        why: why the data were detected as this kind, and why this network was chosen.
        tests: what a given test set is called.
        notes: further notes for the user.
    """
    found = encode_sets(rows, sets_of_examples(sets, path, options.split), options, tests=tests)
    training, classes = found.training, rows.class_names()
    expect_batch(options.batch(len(training)), len(training))
    rows.target = class_target("class", classes, found.y[training])
    seed(options.seed)
    mean, std = scale(found.x[training])
    spec = {
        "model": options.model,
        "loss": DEFAULT_LOSSES["multiclass"],
        "channels": found.x.shape[-1],
        "outputs": len(classes),
        "widths": FILTERS,
        "dropout": options.dropout,
        "mean": mean,
        "std": std,
    }
    return Experiment(
        kind=kind,
        source=str(path),
        target="class",
        options=options,
        frame=found.frame,
        preprocessing=rows,
        training=training,
        validation=found.validation,
        row_numbers=np.arange(len(found.frame)) + 1,
        x=found.x,
        y=found.y,
        spec=spec,
        net=build_network(spec),
        notes=[*found.notes, *notes],
        why=why,
        test=found.test,
        known=found.known,
    )

"""Kinds with a prediction for every pixel or voxel: what masks, volumes and pairs have in common.

The network takes pieces of one size: random crops in training, overlapping tiles of whole pictures
in prediction, mirrored beyond the edges. Scores are those of whole pictures.
"""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np

from cutaway.data import stratified_split
from cutaway.errors import DataError
from cutaway.runs.dense_report import Shown, dense_page
from cutaway.runs.dense_rows import DenseRows
from cutaway.runs.experiment import Experiment
from cutaway.runs.finished_run import Run
from cutaway.runs.split import LISTED, expect_no_columns, listed_files

MEASURED = 8  # training examples whose scores are shown
PIECES = 24  # of the validation examples, on which the loss is measured after an epoch
SAMPLED = 16  # pieces of training examples, for checks and statistics of layers
GRID = 12  # training examples shown with their targets
WORST = 8  # validation examples shown with their predictions
SPLITS = ("train", "validation", "test")


def split_rows(folder, options) -> tuple[dict[str, np.ndarray], list[str]]:
    """({"train": rows, "validation": rows, and "test" if there is one}, notes).

    Args:
        folder: with `names`, `splits` and `rows_named`.
        options: with `split`: "random", a text file that lists the test examples, or a folder with
            lists train.txt, val.txt and test.txt; None: the sets of the folder.
    """
    expect_no_columns(options.split, "examples")
    given = dict(folder.splits)
    notes = []
    if options.split == "random":
        given = {}
    elif options.split is not None:
        given = _listed(folder, Path(options.split))
    count = len(folder.names)
    if "train" not in given:
        taken = [rows for rows in given.values()]
        left = np.setdiff1d(np.arange(count), np.concatenate(taken)) if taken else np.arange(count)
        given["train"] = left
    train = np.asarray(given["train"])
    if "test" not in given and options.test:
        train, given["test"] = _part(train, options.test, options.seed)
    if "validation" not in given:
        train, given["validation"] = _part(train, options.validation, options.seed)
    given["train"] = train
    for name in SPLITS:
        if name in given and not len(given[name]):
            raise DataError(
                f"the {name} set of {folder.root} is empty: {count:,} examples in all",
                expected="at least one example in each set",
                fix="use more examples, or another --split",
            )
    if "test" in given:
        notes.append(f"test set: {len(given['test']):,}, used for the final scores only")
    return {name: np.sort(given[name]) for name in SPLITS if name in given}, notes


def _listed(folder, path: Path) -> dict[str, np.ndarray]:
    files = listed_files(path, LISTED)
    given = {name: np.asarray(folder.rows_named(file)) for name, file in files.items()}
    for one, other in itertools.combinations(given, 2):
        both = np.intersect1d(given[one], given[other])
        if len(both):
            raise DataError(
                f"{path} lists {folder.names[both[0]]} for {one} and for {other}",
                expected="each example in one set",
            )
    return given


def _part(rows, fraction: float, seed: int):
    """(rest, part) of rows; each has at least one if there are two."""
    if len(rows) < 2:
        return rows, rows[:0]
    rest, part = stratified_split(np.zeros(len(rows)), fraction, seed=seed, stratify=False)
    return rows[rest], rows[part]


def evenly(count: int, most: int) -> np.ndarray:
    """At most so many indices, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


@dataclasses.dataclass(frozen=True)
class Crops:
    """Pieces of one size as arrays, for an Experiment.

    Attributes:
        x, y: the pieces.
        training, validation: their indices.
        examples: the row of the frame of each.
    """

    x: np.ndarray
    y: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    examples: np.ndarray


def make_pieces(rows: DenseRows, frame, sets: dict[str, np.ndarray]) -> Crops:
    """A piece of some training examples, and pieces of the validation examples."""
    x, y, examples = [], [], []
    for k in sets["train"][evenly(len(sets["train"]), SAMPLED)]:
        arrays = rows.transform(frame[int(k) : int(k) + 1])
        x.append(arrays.x[0])
        y.append(arrays.targets[0])
        examples.append(k)
    training = len(x)
    chosen = sets["validation"][evenly(len(sets["validation"]), PIECES)]
    found = [(k, piece) for k in chosen for piece in rows.pieces_of(frame.row(int(k), named=True))]
    for n in evenly(len(found), PIECES):
        k, (one_x, one_y) = found[n]
        x.append(one_x)
        y.append(one_y)
        examples.append(k)
    return Crops(
        np.stack(x),
        np.stack(y),
        np.arange(training),
        np.arange(training, len(x)),
        np.array(examples),
    )


def pieces_per_example(sizes, piece, most: int = 16) -> int:
    """How many pieces of an example an epoch takes: about as many as cover it."""
    whole = np.median(np.prod(np.asarray(sizes, float), axis=1))
    return int(min(most, max(1, math.ceil(whole / math.prod(piece) - 0.25))))


@dataclasses.dataclass(kw_only=True)
class DenseExperiment(Experiment):
    """Experiment on pieces of whole pictures or volumes; x and y are samples of the pieces.

    Attributes:
        sets: {"train", "validation", "test": rows of the frame}.
        found: {set: what `compare` returned for its examples}, after training.
    """

    has_checks = False
    preprocessing: DenseRows
    sets: dict[str, np.ndarray]
    found: dict[str, list] = dataclasses.field(default_factory=dict)

    def with_options(self, options):
        return dataclasses.replace(super().with_options(options), found={})

    def examples(self):
        return self.frame, self.sets["train"]

    @property
    def validation_rows(self) -> int:
        return len(self.sets["validation"])

    @property
    def test_rows(self) -> int:
        return len(self.sets.get("test", ()))

    @property
    def data_line(self) -> str:
        examples = self.preprocessing.examples
        size = " x ".join(map(str, self.preprocessing.size))
        return (
            f"{len(self.sets['train']):,} training {examples} ({self.training_rows:,} random crops "
            f"of {size} per epoch), {self.preprocessing.count_of(self.validation_rows)}"
        )

    def rows_of(self, name: str) -> list[dict]:
        """The rows of a set, of the training set a sample."""
        rows = self.sets[name]
        if name == "train":
            rows = rows[evenly(len(rows), MEASURED)]
        return [self.frame.row(int(k), named=True) for k in rows]

    def scores(self, run: Run) -> dict[str, dict]:
        for name in self.sets:
            if name not in self.found:
                self.found[name] = self.preprocessing.compared(run, self.rows_of(name))
        return {name: self.preprocessing.score_compared(one) for name, one in self.found.items()}

    def grid(self, most: int) -> list[Shown]:
        """Training examples with their targets."""
        raise NotImplementedError

    def worst(self, run: Run, most: int) -> list[Shown]:
        """The validation examples with the worst scores."""
        raise NotImplementedError

    def scores_section(self) -> str:
        """HTML below the table of the scores."""
        return ""

    def page(self, run: Run, command: str) -> str:
        if "validation" not in self.found:  # the run was not trained by this experiment
            assert isinstance(run.preprocessing, DenseRows)
            self.preprocessing = run.preprocessing
            self.found["validation"] = self.preprocessing.compared(run, self.rows_of("validation"))
        rows = self.preprocessing
        data = self.report_data(run, command, settings={"crops": " x ".join(map(str, rows.size))})
        count = self.validation_rows
        return dense_page(
            data,
            rows.headline(run.metrics["validation"], self.target, count),
            count=count,
            grid=self.grid(GRID),
            of_scores=self.scores_section(),
            worst=self.worst(run, WORST),
        )

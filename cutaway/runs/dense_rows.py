"""Examples with a prediction for every pixel or voxel: how they are read, cut up and predicted."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cutaway.data import Geometry, TableArrays
from cutaway.data.decode import SUFFIXES
from cutaway.data.file_pairs import bare_name, files_below
from cutaway.data.tiles import tile_starts
from cutaway.errors import DataError
from cutaway.runs.finished_run import Run
from cutaway.runs.preprocessing import ExampleFiles, FilePredictions, Preprocessing

BORDER = "mirrored"


class InputFiles(NamedTuple):
    """What a file of an input is.

    Attributes:
        suffixes: ends of its name.
        one: in words, "picture".
        expected: in words, in errors.
    """

    suffixes: tuple[str, ...]
    one: str
    expected: str


PICTURES = InputFiles(tuple(SUFFIXES), "picture", "a picture or a folder of them")


def frame_of(names, inputs, targets=None, **more):
    """The frame of examples: their names, the files, and further columns."""
    import polars as pl

    columns = {"name": names, "input": [str(path) for path in inputs]}
    if targets is not None:
        columns["target"] = [str(path) for path in targets]
    return pl.DataFrame({**columns, **more})


class DenseRows(Preprocessing):
    """Preprocessing whose examples are whole pictures or volumes, read one by one.

    A frame has the column `name`, the path of the input in `input`, and that of the target in
    `target` if it is known.

    Attributes:
        size: of the pieces that the network takes, along each axis.
        channels: of the inputs.
        files: what a file of an input is.
    """

    predicts_files = True
    file_columns = ("input", "target")
    key_columns = ("input",)
    files: InputFiles
    size: tuple[int, ...]
    channels: int

    @property
    def metrics(self) -> list[str]:
        return []

    @property
    def classes(self) -> list | None:
        return None

    def expect_network(self, spec):
        super().expect_network(spec)
        if "channels" in spec and spec["channels"] != self.channels:
            raise ValueError(f"the network takes {spec['channels']} channels, not {self.channels}")

    def count_of(self, count: int) -> str:
        """Validation examples, counted: "1 validation volume", "2 validation volumes"."""
        return f"{count:,} validation {self.examples if count != 1 else self.examples[:-1]}"

    def read(self, source):
        """A file, a folder of files, or a folder of examples with targets."""
        path, files = Path(source), self.files
        if not os.path.isdir(path):
            if not path.name.lower().endswith(files.suffixes):
                raise DataError(f"{path} is no {files.one}", expected=files.expected)
            return frame_of([bare_name(path, path.parent, files.suffixes)], [path])
        examples = self.examples_below(path)
        return self.inputs_below(path) if examples is None else examples

    def inputs_below(self, path: Path):
        """The frame of all inputs in a folder, without targets."""
        files = self.files
        found = files_below(path, files.suffixes)
        if not found:
            raise DataError(f"{path} holds no {files.one}s", expected=files.expected)
        names = [bare_name(file, path, files.suffixes) for file in found]
        if len(set(names)) < len(names):  # a.jpg and a.png
            names = [file.relative_to(path).as_posix() for file in found]
        return frame_of(names, found)

    def examples_below(self, path: Path):
        """The frame of the examples with targets in a folder; None if it holds none."""
        raise NotImplementedError

    def input_of(self, row: dict) -> np.ndarray:
        """The input (*size, channels) of a row of the frame, as the network takes it."""
        raise NotImplementedError

    def target_of(self, row: dict) -> np.ndarray:
        """The target (*size, ...) of a row of the frame."""
        raise NotImplementedError

    def own_input(self, row: dict) -> np.ndarray:
        """The input of a row at its own size, which is another where inputs are resampled."""
        return self.input_of(row)

    def own_target(self, row: dict) -> np.ndarray:
        """The target of a row at its own size."""
        return self.target_of(row)

    def restored(self, row: dict, prediction: np.ndarray) -> np.ndarray:
        """A prediction for `input_of` at the row's own size."""
        return prediction

    def predict_row(self, run: Run, row: dict) -> np.ndarray:
        """What a run predicts for a row, at its own size."""
        return self.restored(row, self.predict_whole(run, self.input_of(row)))

    def predict_whole(self, run: Run, x: np.ndarray) -> np.ndarray:
        """What a run predicts for a whole input (*size, channels), of the same size."""
        raise NotImplementedError

    def compare(self, row: dict, prediction, target) -> Any:
        """What `score_compared` needs of an example."""
        raise NotImplementedError

    def score_compared(self, compared: list) -> dict:
        """Scores of examples, from what `compare` returned for each."""
        raise NotImplementedError

    def file_names(self, row: dict) -> list[str]:
        """Names of the files that are written for a row of the frame."""
        raise NotImplementedError

    def example_files(self, row: dict, x, prediction) -> ExampleFiles:
        """The files of a row, by the names of `file_names`."""
        raise NotImplementedError

    def shown_input(self, x, target=None) -> np.ndarray:
        """An input as a picture for people, (height, width, 3) uint8.

        Args:
            x: (*size, channels).
            target: of the same size: decides which slice of a volume is shown.
        """
        raise NotImplementedError

    def pieces_of(self, row: dict) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(input, target) pieces of a row that cover the example without overlap."""
        x, y = self.input_of(row), self.target_of(row)
        size = x.shape[:-1]
        starts = [tile_starts(n, t, 0) for n, t in zip(size, self.size, strict=True)]
        for start in itertools.product(*starts):
            yield self._piece(Geometry.of(size).crop(start, self.size), x, y)

    def _piece(self, geometry: Geometry, x, y):
        return geometry.picture(x, border=BORDER), self.moved_target(geometry, y)

    def moved_target(self, geometry: Geometry, y) -> np.ndarray:
        """A target under a geometry."""
        return geometry.mask(y, border=BORDER)

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        """The middle piece of each example."""
        if with_target and "target" not in frame.columns:
            raise self.without_targets()
        x, y = [], []
        for row in frame.iter_rows(named=True):
            whole = self.input_of(row)
            geometry = Geometry.of(whole.shape[:-1]).center(self.size)
            x.append(geometry.picture(whole, border=BORDER))
            if with_target:
                y.append(self.moved_target(geometry, self.target_of(row)))
        rows = np.arange(frame.height)
        return TableArrays(np.stack(x), np.stack(y) if with_target else None, rows, [])

    def without_targets(self) -> DataError:
        return DataError(
            f"the {self.examples} have no targets",
            expected=f"{self.examples} with what is to be predicted, as in training",
            fix="use predict instead",
        )

    def predict_files(self, run: Run, data) -> FilePredictions:
        frame = self.read(data)
        rows = frame.to_dicts()
        names = [name for row in rows for name in self.file_names(row)]
        inputs = [row["input"] for row in rows]
        return FilePredictions(names, inputs, self._each(run, rows), [])

    def _each(self, run: Run, rows) -> Iterator[ExampleFiles]:
        for row in rows:
            yield self.example_files(row, self.own_input(row), self.predict_row(run, row))

    def compared(self, run: Run, rows: list[dict]) -> list:
        """`compare` of each row, with what the run predicts for it."""
        return [self.compare(row, self.predict_row(run, row), self.own_target(row)) for row in rows]

    def evaluate(self, run: Run, data) -> tuple[dict, list]:
        frame = self.read(data)
        if "target" not in frame.columns:
            raise self.without_targets()
        scores = self.score_compared(self.compared(run, frame.to_dicts()))
        return scores, run.notes_of_seen(frame)

"""What a run knows of pairs of pictures: how they are read, framed, compared and written."""

import functools
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from cutaway.data import Framing, TableArrays, find_pairs, looks_like_pairs, read_image
from cutaway.data.picture_pairs import half_of
from cutaway.errors import CutawayError
from cutaway.metrics.pictures import DiagonalFrechet, PictureScores
from cutaway.models import FeatureDistance
from cutaway.runs.dense_rows import PICTURES, DenseRows, frame_of
from cutaway.runs.drawn_masks import png
from cutaway.runs.mean_colors import MeanColors, MeanColorsForm
from cutaway.runs.preprocessing import ExampleFiles, Headline, expect_format
from cutaway.runs.schema import Edge, expect_piece_fits, read_form
from cutaway.runs.validation_kind import ValidationKind

TOGETHER = 16  # pictures that are made at a time
FEATURES = "efficientnet-lite0"  # network of the feature distance
SMALLEST = 32  # pixels of pictures that it compares: two positions of its map along each axis


class PairForm(msgspec.Struct):
    """preprocessing.json of pairs of pictures."""

    size: tuple[Edge, Edge]
    channels: Literal[1, 3]
    target_channels: Literal[1, 3]
    mean_colors: MeanColorsForm
    reverse: bool

    def __post_init__(self):
        self.mean_colors.expect_channels(self.target_channels)


class PairRows(DenseRows):
    """Preprocessing of pairs of pictures: resized to one size, values from -1 to 1.

    Attributes:
        size: (height, width) of the pictures as the network takes them.
        channels, target_channels: 1 or 3.
        reverse: whether input and target have changed places.
        mean_colors: MeanColors of the training targets, from -1 to 1.
    """

    examples = "pairs"
    headings = ("picture", "size", "channels")
    files = PICTURES

    def __init__(
        self,
        size,
        channels: int,
        target_channels: int,
        mean_colors: MeanColors | None = None,
        *,
        reverse: bool,
    ):
        self.size = tuple(size)
        self.channels = channels
        self.target_channels = target_channels
        self.mean_colors = MeanColors.of([]) if mean_colors is None else mean_colors
        self.reverse = reverse

    @property
    def baseline(self) -> str:
        return self.mean_colors.name

    @property
    def task(self) -> str:
        return "translation"

    @property
    def outputs(self) -> int:
        return self.target_channels

    @property
    def framing(self) -> Framing:
        return Framing("stretch", self.size)

    @classmethod
    def from_json(cls, value: dict) -> "PairRows":
        expect_format(value, "pairs")
        found = read_form(value, PairForm)
        expect_piece_fits(found.size, max(found.channels, found.target_channels))
        return cls(
            found.size,
            found.channels,
            found.target_channels,
            MeanColors.from_form(found.mean_colors),
            reverse=found.reverse,
        )

    def to_json(self) -> dict:
        return {
            "kind": "pairs",
            "format": 1,
            "size": list(self.size),
            "channels": self.channels,
            "target_channels": self.target_channels,
            "mean_colors": self.mean_colors.to_json(),
            "reverse": self.reverse,
        }

    def examples_below(self, path):
        return (
            pair_frame(find_pairs(path, reverse=self.reverse)) if looks_like_pairs(path) else None
        )

    def input_of(self, row):
        picture = read_image(row["input"], channels=self.channels)
        return half_of(picture, row.get("side"), is_input=True)

    def target_of(self, row):
        picture = read_image(row["target"], channels=self.target_channels)
        return half_of(picture, row.get("side"), is_input=False)

    def framed(self, picture) -> np.ndarray:
        """A picture (height, width, channels) uint8 as the network takes it."""
        return scaled(self.framing.geometry(picture.shape[:2]).picture(picture))

    def transform(self, frame, *, with_target=True):
        if with_target and "target" not in frame.columns:
            raise self.without_targets()
        rows = frame.to_dicts()
        if with_target:
            return TableArrays(*self.framed_pairs(rows), np.arange(len(rows)), [])
        x = np.stack([self.framed(self.input_of(row)) for row in rows])
        return TableArrays(x, None, np.arange(len(rows)), [])

    def framed_pairs(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """The inputs and the targets of rows, as the network takes them."""
        x = np.stack([self.framed(self.input_of(row)) for row in rows])
        return x, np.stack([self.framed(self.target_of(row)) for row in rows])

    def to_predictions(self, raw, loss):
        return np.asarray(raw, np.float32)

    def predict_whole(self, run, x):
        made = run.outputs(self.framed(x)[None])[0]
        geometry = self.framing.geometry(x.shape[:2])
        return bytes_of(geometry.undo_picture(made))

    def compared(self, run, rows):
        """A ComparedPair of each row."""
        found = []
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            x, y = self.framed_pairs(part)
            made = run.outputs(x)
            simple = [self.simple_target(self.input_of(row)) for row in part]
            found += map(ComparedPair, part, x, y, made, simple)
        return found

    def simple_target(self, picture) -> np.ndarray:
        """What the baseline makes of a picture (height, width, channels) uint8."""
        return self.mean_colors.made(picture, self.framing.geometry(picture.shape[:2]))

    def score_compared(self, compared):
        made, baseline = PictureScores(data_range=2), PictureScores(data_range=2)
        for one in compared:
            made.collect(one.target, one.made)
            baseline.collect(one.target, one.baseline)
        found = made.result()
        values = {name: found[name] for name in ("l1", "ssim", "gradient_ratio")}
        distances = self._distances(compared)
        if distances is not None:
            values["feature_distance"], values["baseline_feature_distance"] = distances
        return {**values, "baseline_l1": baseline.result()["l1"]}

    def _distances(self, compared) -> tuple[float, float] | None:
        """Of the made pictures from the real ones, and of the baseline's; None if they are too
        small for the network that compares them, or its weights are not available.
        """
        if min(self.size) < SMALLEST:
            return None
        try:
            network = _feature_network()
        except CutawayError:  # the extra "pretrained" is not installed
            return None
        made, baseline = DiagonalFrechet(), DiagonalFrechet()
        for start in range(0, len(compared), TOGETHER):
            part = compared[start : start + TOGETHER]
            real, *others = (
                network.features(in_color(np.stack([bytes_of(getattr(one, name)) for one in part])))
                for name in ("target", "made", "baseline")
            )
            for distance, features in zip((made, baseline), others, strict=True):
                distance.collect(real, features)
        return made.result(), baseline.result()

    def headline(self, scores, target, rows, kind=ValidationKind.VALIDATION):
        on = f"on {self.count_of(rows)}"
        l1 = f"L1 {scores['l1']:.3f}, {self.mean_colors.name} {scores['baseline_l1']:.3f}"
        ratio = f"{scores['gradient_ratio']:.2f}"
        sharp = "the real pictures' (1: as sharp)"
        if "feature_distance" not in scores:
            return Headline("Gradient ratio: ", ratio, f" of {sharp} {on}; {l1}")
        distance, simple = scores["feature_distance"], scores["baseline_feature_distance"]
        part = f" (ratio {distance / simple:.2f})" if simple else ""
        return Headline(
            "Feature distance: ",
            f"{distance:.0f}",
            f" {on}, {self.mean_colors.name} {simple:.0f}{part}; "
            f"gradient ratio {ratio} of {sharp}; {l1}",
        )

    def summary_rows(self):
        size = " x ".join(map(str, self.size))
        return [("input", size, self.channels), ("target", size, self.target_channels)]

    def file_names(self, row):
        return [f"{row['name']}.png", f"{row['name']}_beside.png"]

    def example_files(self, row, x, prediction):
        one, beside = self.file_names(row)
        both = np.concatenate([in_color(x), in_color(prediction)], axis=1)
        made = prediction[..., 0] if prediction.shape[-1] == 1 else prediction
        files = {one: png(made), beside: png(both)}
        height, width = prediction.shape[:2]
        return ExampleFiles(files, [{"picture": row["name"], "height": height, "width": width}])


class ComparedPair(NamedTuple):
    """A pair of pictures with what was made of its input, all at the network's size, -1 to 1.

    Attributes:
        row: of the frame.
        x, target: the pair.
        made: by the network.
        baseline: by PairRows.mean_colors.
    """

    row: dict
    x: np.ndarray
    target: np.ndarray
    made: np.ndarray
    baseline: np.ndarray


def pair_frame(folder):
    """The frame of a PairFolder."""
    sides = {} if folder.side is None else {"side": [folder.side] * len(folder)}
    return frame_of(folder.names, folder.inputs, folder.targets, **sides)


def scaled(picture) -> np.ndarray:
    """uint8 as float32 from -1 to 1."""
    return picture.astype(np.float32) / np.float32(127.5) - np.float32(1)


def bytes_of(picture) -> np.ndarray:
    """Values from -1 to 1 as uint8."""
    return np.rint(np.clip((picture + 1) * 127.5, 0, 255)).astype(np.uint8)


def in_color(pictures) -> np.ndarray:
    """(..., 3) of (..., 1) or (..., 3)."""
    return np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures


@functools.cache
def _feature_network() -> FeatureDistance:
    return FeatureDistance(FEATURES)

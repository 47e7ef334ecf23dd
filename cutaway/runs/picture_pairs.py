"""Pairs of pictures: a picture made from a picture, by pix2pix."""

import dataclasses
import functools
import os
from pathlib import Path
from typing import Literal, NamedTuple, cast

import msgspec
import numpy as np

from cutaway.data import (
    ExampleAugmentation,
    Framing,
    RandomGeometry,
    find_pairs,
    looks_like_pairs,
    read_image,
    stream_examples,
)
from cutaway.data.decode import SUFFIXES
from cutaway.data.file_pairs import bare_name, files_below
from cutaway.errors import CutawayError, DataError
from cutaway.metrics.pictures import DiagonalFrechet, PictureScores
from cutaway.models import FeatureDistance, PatchDiscriminator, patch_discriminator
from cutaway.models.pix2pix import weighted_absolute_error
from cutaway.nn import seed
from cutaway.runs.dense import SAMPLED, DenseExperiment, DenseRows, evenly, split_rows
from cutaway.runs.dense_checks import winning_discriminator
from cutaway.runs.dense_report import Shown, thumbnail
from cutaway.runs.drawn_masks import png
from cutaway.runs.finished_run import Run
from cutaway.runs.mean_colors import MeanColors, MeanColorsForm
from cutaway.runs.networks import build_network
from cutaway.runs.options.picture_pairs import PairOptions
from cutaway.runs.preprocessing import ExampleFiles, Headline, expect_format
from cutaway.runs.schema import Edge, expect_piece_fits, read_form
from cutaway.train import AdversarialProgram, Trainer
from cutaway.train.blocks import expect_batch
from cutaway.weights.files import as_safetensors, read_safetensors

LARGEST = 128  # size by default
LEAST = 12  # pixels along each axis: SSIM compares windows of 11
DEEPEST = 8  # halvings of the generator
JITTER = 286 / 256  # pictures are this much larger before a random crop, as in the paper
TOGETHER = 16  # pictures that are made at a time
COLORED = 256  # training pairs at most whose colors are averaged
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

    def read(self, source):
        """A picture, a folder of pictures, or a folder of pairs."""
        import polars as pl

        path = Path(source)
        if not os.path.isdir(path):
            if path.suffix.lower() not in SUFFIXES:
                raise DataError(f"{path} is no picture", expected="a picture or a folder of them")
            return pl.DataFrame({"name": [path.stem], "input": [str(path)], "side": [""]})
        if looks_like_pairs(path):
            return pair_frame(find_pairs(path, reverse=self.reverse))
        files = files_below(path, SUFFIXES)
        if not files:
            raise DataError(f"{path} holds no pictures", expected="a picture or a folder of them")
        names = [bare_name(file, path, SUFFIXES) for file in files]
        if len(set(names)) < len(names):
            names = [file.relative_to(path).as_posix() for file in files]
        paths = [str(file) for file in files]
        return pl.DataFrame({"name": names, "input": paths, "side": [""] * len(files)})

    def input_of(self, row):
        return _half(read_image(row["input"], channels=self.channels), row["side"], is_input=True)

    def target_of(self, row):
        picture = read_image(row["target"], channels=self.target_channels)
        return _half(picture, row["side"], is_input=False)

    def framed(self, picture) -> np.ndarray:
        """A picture (height, width, channels) uint8 as the network takes it."""
        return scaled(self.framing.geometry(picture.shape[:2]).picture(picture))

    def transform(self, frame, *, with_target=True):
        from cutaway.data import TableArrays

        if with_target and "target" not in frame.columns:
            raise self.without_targets()
        rows = frame.to_dicts()
        x = np.stack([self.framed(self.input_of(row)) for row in rows])
        y = np.stack([self.framed(self.target_of(row)) for row in rows]) if with_target else None
        return TableArrays(x, y, np.arange(len(rows)), [])

    def to_predictions(self, raw, loss):
        return np.asarray(raw, np.float32)

    def predict_whole(self, run, x):
        made = run.outputs(self.framed(x)[None])[0]
        geometry = self.framing.geometry(x.shape[:2])
        return bytes_of(geometry.undo_picture(made))

    def compared(self, run, rows):
        """A ComparedPair of each row."""
        import polars as pl

        found = []
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            arrays = self.transform(pl.DataFrame(part))
            made = run.outputs(arrays.x)
            simple = [self.simple_target(self.input_of(row)) for row in part]
            found += map(ComparedPair, part, arrays.x, arrays.targets, made, simple)
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

    def headline(self, scores, target, rows):
        on = f"on {self.count_of(rows)}"
        l1 = f"L1 {scores['l1']:.3f}, {self.mean_colors.name} {scores['baseline_l1']:.3f}"
        ratio = f"{scores['gradient_ratio']:.2f}"
        sharp = "the real pictures' (1: as sharp)"
        if "feature_distance" not in scores:
            return Headline("Gradient ratio: ", ratio, f" of {sharp} {on}; {l1}")
        distance, simple = scores["feature_distance"], scores["baseline_feature_distance"]
        return Headline(
            "Feature distance: ",
            f"{distance:.0f}",
            f" {on}, {self.mean_colors.name} {simple:.0f} (ratio {distance / simple:.2f}); "
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
        return ExampleFiles(files, {"picture": row["name"], "height": height, "width": width})


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


@dataclasses.dataclass(kw_only=True)
class PairExperiment(DenseExperiment):
    """DenseExperiment on pairs of pictures.

    Attributes:
        discriminator: that the generator is trained against; None: none.
    """

    preprocessing: PairRows
    discriminator: PatchDiscriminator | None = None

    @property
    def data_line(self) -> str:
        return (
            f"{len(self.sets['train']):,} training pairs, "
            f"{self.preprocessing.count_of(self.validation_rows)}"
        )

    def with_options(self, options):
        fresh = cast(PairExperiment, super().with_options(options))
        if fresh.discriminator is None:
            return fresh
        return dataclasses.replace(
            fresh, discriminator=discriminator_of(self.preprocessing, options.width)
        )

    def make_trainer(self) -> Trainer:
        if self.discriminator is None:
            return super().make_trainer()
        rows = self.training_rows
        options = cast(PairOptions, self.options)
        optimizers = (
            options.make_optimizer(self.net, rows),
            options.make_discriminator_optimizer(self.discriminator, rows),
        )
        return Trainer(
            AdversarialProgram(
                self.net,
                self.discriminator,
                optimizers=optimizers,
                conditional=True,
                reconstruction=weighted_absolute_error,
                precision=self.options.precision,
            )
        )

    def make_stopping(self):
        return None

    def train(self, out=None, **options) -> Run:
        """As Experiment.train; also saves the discriminator, for `explain`."""
        run = super().train(out, **options)
        if self.discriminator is not None:
            run.folder.write(
                run.folder.discriminator, as_safetensors(self.discriminator.state_dict())
            )
        return run

    def scores(self, run):
        self.notes += map(str, self.problems(run))
        return super().scores(run)

    def problems(self, run):
        found = winning_discriminator(run.history)
        return [] if found is None else [found]

    def worst(self, run, most):
        order = sorted(
            self.found["validation"], key=lambda one: -np.abs(one.target - one.made).mean()
        )
        shown = []
        for row, x, target, made, _ in order[:most]:
            pictures = [
                (caption, thumbnail(in_color(bytes_of(picture)), alt=caption))
                for caption, picture in (("input", x), ("truth", target), ("prediction", made))
            ]
            scores = [("L1", f"{np.abs(target - made).mean():.3f}")]
            shown.append(Shown(row["name"], pictures, scores))
        return shown

    def grid(self, most):
        shown = []
        train = self.sets["train"]
        for k in train[evenly(len(train), most)]:
            row = self.frame.row(int(k), named=True)
            arrays = self.preprocessing.transform(self.frame[int(k) : int(k) + 1])
            both = np.concatenate(
                [in_color(bytes_of(one[0])) for one in (arrays.x, arrays.targets)], axis=1
            )
            shown.append(Shown(row["name"], [("", thumbnail(both, alt=row["name"]))], []))
        return shown


def pair_frame(folder):
    """The frame of a PairFolder."""
    import polars as pl

    return pl.DataFrame(
        {
            "name": folder.names,
            "input": [str(path) for path in folder.inputs],
            "target": [str(path) for path in folder.targets],
            "side": [folder.side or ""] * len(folder),
        }
    )


def prepare_pairs(path, options: PairOptions | None = None, *, why: str = "") -> PairExperiment:
    """Read and split pairs of pictures, and build a generator and a discriminator for them.

    Raises:
        DataError: see data.find_pairs; a set without pairs.
    """
    options = PairOptions() if options is None else options
    folder = find_pairs(path, reverse=options.reverse)
    sets, notes = split_rows(folder, options)
    size = picture_size(options.size, folder.sizes)
    frame = pair_frame(folder)
    rows = PairRows(
        size,
        folder.input_channels,
        folder.target_channels,
        reverse=options.reverse,
    )
    sample = sets["train"][evenly(len(sets["train"]), SAMPLED)]
    some = rows.transform(frame[sample])
    validation = sets["validation"][evenly(len(sets["validation"]), SAMPLED)]
    held = rows.transform(frame[validation])
    rows.mean_colors = MeanColors.of(_colored(rows, frame, sets["train"]))
    larger = [round(n * JITTER) for n in size] if options.augment else size
    flips = (1,) if options.augment else ()

    def prepared(x, y):
        geometry = Framing("stretch", tuple(larger)).geometry(x.shape[:2])
        return geometry.picture(x), geometry.picture(y)

    stream = stream_examples(
        folder.subset(sets["train"]),
        ExampleAugmentation(RandomGeometry(size, flips=flips), "picture", "picture"),
        prepare=prepared,
        pair_transform=lambda x, y, rng: (scaled(x), scaled(y)),
    )
    expect_batch(options.batch(stream.rows), stream.rows)
    seed(options.seed)
    spec = {
        "model": "pix2pix-generator",
        "loss": "mean_absolute_error",
        "channels": rows.channels,
        "outputs": rows.target_channels,
        "base": options.width,
        "levels": halvings(size),
        "dropout": options.dropout,
    }
    net = build_network(spec)
    discriminator = None
    if options.model == "pix2pix":
        discriminator = discriminator_of(rows, options.width)
    count = len(some.x)
    return PairExperiment(
        kind="pairs",
        source=str(path),
        target="picture",
        options=options,
        frame=frame,
        preprocessing=rows,
        training=np.arange(count),
        validation=count + np.arange(len(held.x)),
        row_numbers=np.concatenate([sample, validation]) + 1,
        x=np.concatenate([some.x, held.x]),
        y=np.concatenate([some.targets, held.targets]),
        spec=spec,
        net=net,
        notes=[*folder.notes, *notes],
        why=why,
        stream=stream,
        sets=sets,
        discriminator=discriminator,
    )


def discriminator_of(rows: PairRows, width: int) -> PatchDiscriminator:
    """A discriminator for pairs of these sizes, of patches of 70 pixels; of fewer in small ones."""
    patch = next((p for p in (70, 34, 16) if min(rows.size) >= p), 1)
    return patch_discriminator(rows.channels + rows.target_channels, base=width, patch=patch)


def open_discriminator(run: Run) -> PatchDiscriminator | None:
    """The discriminator of a run, with its weights; None if it was trained without one."""
    if not run.folder.discriminator.exists():
        return None
    net = discriminator_of(run.preprocessing, run.config["network"]["base"])  # pyright: ignore[reportArgumentType]
    content = run.folder.read(run.folder.discriminator)
    net.load_state_dict(read_safetensors(content, run.folder.discriminator))
    return net.eval()


def picture_size(given, sizes) -> tuple[int, int]:
    """(height, width) of the pictures as the network takes them: they can be halved twice.

    Smaller pictures than LEAST are enlarged to it.
    """
    if given is None:
        edge = min(LARGEST, int(np.median(np.min(sizes, axis=1))))
        given = 2 ** (edge.bit_length() - 1)
    pair = (given, given) if isinstance(given, int) else tuple(given)
    height, width = (max(LEAST, int(n) + int(n) % 2) for n in pair)
    if halvings((height, width)) < 2:
        height, width = (-(-n // 4) * 4 for n in (height, width))
    return height, width


def halvings(size) -> int:
    """How often both sizes can be halved without a remainder, at most DEEPEST."""
    return min(DEEPEST, *((int(n) & -int(n)).bit_length() - 1 for n in size))


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


def _colored(rows: PairRows, frame, training):
    """(input, target, geometry of the input) of training pairs, for MeanColors."""
    for k in training[evenly(len(training), COLORED)]:
        row = frame.row(int(k), named=True)
        x = rows.input_of(row)
        yield x, rows.framed(rows.target_of(row)), rows.framing.geometry(x.shape[:2])


def _half(picture, side: str, *, is_input: bool) -> np.ndarray:
    """The input's or the target's half of a picture that holds both; `side` is the input's."""
    if not side:
        return picture
    half = picture.shape[1] // 2
    is_left = (side == "left") == is_input
    return np.ascontiguousarray(picture[:, :half] if is_left else picture[:, -half:])

"""Pairs of pictures: a picture made from a picture, by pix2pix."""

import dataclasses
from typing import cast

import numpy as np

from cutaway.data import (
    ExampleAugmentation,
    Framing,
    RandomGeometry,
    find_pairs,
    stream_examples,
)
from cutaway.models import PatchDiscriminator, patch_discriminator
from cutaway.models.pix2pix import weighted_absolute_error
from cutaway.nn import seed
from cutaway.runs.dense import SAMPLED, DenseExperiment, evenly, split_rows
from cutaway.runs.dense_checks import winning_discriminator
from cutaway.runs.dense_report import Shown, thumbnail
from cutaway.runs.finished_run import Run
from cutaway.runs.mean_colors import MeanColors
from cutaway.runs.networks import build_network
from cutaway.runs.options.picture_pairs import PairOptions
from cutaway.runs.pair_rows import PairRows, bytes_of, in_color, pair_frame, scaled
from cutaway.train import AdversarialProgram, Trainer
from cutaway.train.blocks import expect_batch
from cutaway.weights.files import as_safetensors, read_safetensors

LARGEST = 128  # size by default
LEAST = 12  # pixels along each axis: SSIM compares windows of 11
DEEPEST = 8  # halvings of the generator
JITTER = 286 / 256  # pictures are this much larger before a random crop, as in the paper
COLORED = 256  # training pairs at most whose colors are averaged


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

    def load_weights(self, run):
        super().load_weights(run)
        trained = open_discriminator(run)
        if self.discriminator is not None and trained is not None:
            self.discriminator.load_state_dict(trained.state_dict())

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


def _colored(rows: PairRows, frame, training):
    """(input, target, geometry of the input) of training pairs, for MeanColors."""
    for k in training[evenly(len(training), COLORED)]:
        row = frame.row(int(k), named=True)
        x = rows.input_of(row)
        yield x, rows.framed(rows.target_of(row)), rows.framing.geometry(x.shape[:2])

"""Explanation of one predicted mask, volume or picture: Dice as arithmetic, a pixel, patches."""

import dataclasses
import textwrap
from pathlib import Path

import numpy as np

from cutaway.data import Geometry
from cutaway.data.tiles import tile_starts
from cutaway.diagram import draw
from cutaway.engine import no_grad
from cutaway.errors import DataError
from cutaway.explain import PixelEvidence, pixel_evidence
from cutaway.metrics.mask_scores import overlap_of
from cutaway.runs.drawn_masks import colored
from cutaway.runs.explain import training_data_of
from cutaway.runs.finished_run import Run
from cutaway.runs.pair_rows import PairRows, bytes_of, in_color
from cutaway.runs.picture_pairs import open_discriminator
from cutaway.runs.segmentation import SegmentationRows
from cutaway.story.panels import amount_map, new_axes, new_figure
from cutaway.story.text import WIDTH, Story


@dataclasses.dataclass(repr=False)
class DiceArithmetic(Story):
    """Dice of each class of one example, written out.

    Attributes:
        names: of the classes.
        counts: (classes, classes), true and predicted class.
        pictures: (height, 3 width, 3) uint8: input, truth and prediction side by side.
    """

    names: list[str]
    counts: np.ndarray
    pictures: np.ndarray

    def plot(self, axes=None):
        axes = new_axes(axes, width=9, height=3.2)
        axes.imshow(self.pictures)
        axes.set_title("input, truth, prediction", fontsize="medium")
        axes.set_axis_off()
        return axes

    def text(self, width: int = WIDTH) -> str:
        lines = ["Dice = 2 |truth and prediction| / (|truth| + |prediction|)"]
        dice = overlap_of(self.counts)[1]
        long = max(map(len, self.names))
        for k, name in enumerate(self.names):
            true, predicted = self.counts[k].sum(), self.counts[:, k].sum()
            terms = f"2 · {self.counts[k, k]:,} / ({true:,} + {predicted:,})"
            value = "does not occur" if np.isnan(dice[k]) else f"{dice[k]:.3f}"
            lines.append(f"  {name:<{long}}  {terms} = {value}")
        return "\n".join(lines)

    def to_dict(self) -> dict:
        dice = overlap_of(self.counts)[1]
        return {
            "classes": self.names,
            "counts": self.counts.tolist(),
            "dice": [None if np.isnan(d) else float(d) for d in dice],
        }


@dataclasses.dataclass(repr=False)
class PatchMap(Story):
    """What a discriminator says of each patch of a real and of a made picture.

    Attributes:
        patch: side of a patch in pixels.
        real, made: (rows, columns) probabilities that a patch is real; `real` is None without the
            true picture.
    """

    patch: int
    made: np.ndarray
    real: np.ndarray | None

    def plot(self, axes=None):
        shown = [("true picture", self.real), ("prediction", self.made)]
        maps = [(name, values) for name, values in shown if values is not None]
        axes = _side_by_side(len(maps)) if axes is None else [axes]
        for one, (name, values) in zip(axes, maps[-len(axes) :], strict=True):
            image = one.imshow(values, vmin=0, vmax=1, cmap=amount_map())
            one.set_title(name, fontsize="medium")
            one.set_axis_off()
        axes[-1].figure.colorbar(image, ax=list(axes), label="probability that the patch is real")
        return axes[-1]

    def text(self, width: int = WIDTH) -> str:
        lines = [f"The discriminator: is a patch of {self.patch} x {self.patch} pixels real?"]
        for name, values in (("true picture", self.real), ("prediction", self.made)):
            if values is not None:
                lines.append(
                    f"  {name}: probability {values.mean():.2f} on average, "
                    f"{values.min():.2f} to {values.max():.2f}"
                )
        lines.append(f"  patches of the prediction, {_shape(self.made)}, 9 is certainly real:")
        lines += ["    " + "".join(str(min(9, int(10 * p))) for p in row) for row in self.made]
        return "\n".join(lines)

    def to_dict(self) -> dict:
        real = None if self.real is None else self.real.tolist()
        return {"patch": self.patch, "made": self.made.tolist(), "real": real}


@dataclasses.dataclass(repr=False)
class PicturesBeside(Story):
    """A picture that was made, beside its input and the true one.

    Attributes:
        pictures: {caption: (height, width, 3) uint8}.
        error: L1 between the true and the made picture, from -1 to 1; None without a true one.
    """

    pictures: dict[str, np.ndarray]
    error: float | None

    def plot(self, axes=None):
        if axes is not None:
            axes.imshow(np.concatenate(list(self.pictures.values()), axis=1))
            axes.set_axis_off()
            return axes
        places = _side_by_side(len(self.pictures))
        for one, (caption, picture) in zip(places, self.pictures.items(), strict=True):
            one.imshow(picture)
            one.set_title(caption, fontsize="medium")
            one.set_axis_off()
        return places[-1]

    def text(self, width: int = WIDTH) -> str:
        height, width = next(iter(self.pictures.values())).shape[:2]
        size = f"{height} x {width} pixels, as the network takes them"
        if self.error is None:
            return size
        return f"{size}\nL1 = mean |truth - prediction| = {self.error:.3f}, of values from -1 to 1"

    def to_dict(self) -> dict:
        return {"pictures": list(self.pictures), "l1": self.error}


def _side_by_side(count: int) -> list:
    """Axes of a new figure, next to each other."""
    figure = new_figure(3 * count, 3.2)
    return list(figure.subplots(1, count, squeeze=False)[0])


@dataclasses.dataclass(repr=False)
class ExampleStory(Story):
    """The explanation of one predicted mask, volume or picture.

    Attributes:
        run: the Run.
        row: index of the example, from 0.
        source: name of its file or folder.
        prediction, truth: in words; truth may be None.
        parts: [(heading, Story)].
    """

    run: Run
    row: int
    source: str
    prediction: str
    truth: str | None
    parts: list[tuple[str, Story]]
    gradient = None

    def text(self, width: int = WIDTH) -> str:
        lines = [f"Row {self.row} of {self.source}", ""]
        lines += textwrap.wrap(f"Prediction: {self.prediction}", width, subsequent_indent="  ")
        if self.truth is not None:
            lines += textwrap.wrap(f"Truth: {self.truth}", width, subsequent_indent="  ")
        for heading, part in self.parts:
            lines += ["", *textwrap.wrap(f"{heading}:", width)]
            lines += [
                piece
                for line in part.text(width).split("\n")
                for piece in (textwrap.wrap(line, width, subsequent_indent="    ") or [""])
            ]
        return "\n".join(lines)

    def stories(self) -> list[tuple[str, Story]]:
        """(heading, story) of all parts, for a page."""
        return self.parts

    def drawing(self, gradient=None):
        """A drawing of the run's network."""
        rows = self.run.preprocessing
        return draw(self.run.net, input_shape=(*rows.size, rows.channels))  # pyright: ignore[reportAttributeAccessIssue]

    def to_dict(self) -> dict:
        return {
            "row": self.row,
            "source": self.source,
            "prediction": self.prediction,
            "truth": self.truth,
            "parts": [{"heading": heading, **part.to_dict()} for heading, part in self.parts],
        }


def explain_mask(run: Run, data, row: int) -> ExampleStory:
    """Explain a predicted mask: Dice, and the pixel that is most certainly wrong.

    Without a true mask it is the pixel that is least certain.
    """
    rows = run.preprocessing
    assert isinstance(rows, SegmentationRows)
    one, source = example_row(run, data, row)
    x = rows.input_of(one)
    probabilities = rows.predict_whole(run, x)
    ids = rows.ids_of(probabilities)
    shown = rows.ids_of(rows.restored(one, probabilities))
    truth, parts = None, []
    certain = probabilities.max(axis=-1)
    position, about = _lowest(certain), "the least certain place"
    if "target" in one:
        target = rows.target_of(one)
        true_ids = rows.own_target(one)
        truth = _fractions(true_ids[true_ids != rows.ignore], rows.names)
        picture, *flat = rows.flat(rows.own_input(one), true_ids, shown)
        drawn = [colored(one, rows.colors, rows.ignore) for one in flat]
        pictures = np.concatenate([picture, *drawn], axis=1)
        counts = rows.confusion(shown, true_ids)
        parts.append(("Dice", DiceArithmetic(rows.names, counts, pictures)))
        wrong = (ids != target) & (target != rows.ignore)
        if wrong.any():
            position = _lowest(np.where(wrong, -certain, np.inf))
            true, predicted = (rows.names[int(one[position])] for one in (target, ids))
            about = f"the most certain mistake: {true!r} predicted as {predicted!r}"
    heading = f"What the class at {position} rests on ({about})"
    parts.append((heading, _evidence(run, rows, x, position, int(ids[position]))))
    return ExampleStory(run, row, source, _fractions(shown, rows.names), truth, parts)


def explain_pair(run: Run, data, row: int) -> ExampleStory:
    """Explain a picture that was made: the discriminator's patches, and a pixel's evidence."""
    rows = run.preprocessing
    assert isinstance(rows, PairRows)
    one, source = example_row(run, data, row)
    x = rows.framed(rows.input_of(one))
    made = run.outputs(x[None])[0]
    real = rows.framed(rows.target_of(one)) if "target" in one else None
    shown = {"input": x} | ({} if real is None else {"truth": real}) | {"prediction": made}
    error = None if real is None else float(np.abs(real - made).mean())
    pictures = {name: in_color(bytes_of(picture)) for name, picture in shown.items()}
    parts: list[tuple[str, Story]] = [("Pictures", PicturesBeside(pictures, error))]
    discriminator = open_discriminator(run)
    if discriminator is not None:

        @no_grad()
        def judged(picture):
            z = discriminator(x[None], picture[None]).numpy()[0, ..., 0]
            return 1 / (1 + np.exp(-z))

        patches = PatchMap(
            discriminator.patch, judged(made), None if real is None else judged(real)
        )
        parts.append(("Patches", patches))
    middle = tuple(n // 2 for n in x.shape[:-1])
    found = pixel_evidence(run.net, x, middle)
    channels = ("red", "green", "blue") if rows.target_channels == 3 else ("gray",)
    found = dataclasses.replace(found, name=f"The value of {channels[found.target]}")
    parts.append((f"What the pixel at {middle} rests on", found))
    height, width = x.shape[:-1]
    prediction = f"a picture of {height} x {width}"
    if error is not None:
        prediction += f", L1 {error:.3f} from the true one"
    return ExampleStory(run, row, source, prediction, None, parts)


def example_row(run, data, row: int) -> tuple[dict, str]:
    """(the row of the frame, the source in words) of an example.

    Raises:
        DataError: no such row.
    """
    source = training_data_of(run) if data is None else data
    frame = run.preprocessing.read(source)
    if not 0 <= row < frame.height:
        raise DataError(
            f"there is no row {row} in {source}",
            expected=f"an index from 0 to {frame.height - 1}",
            fix=f"count the {run.preprocessing.examples} from 0",
        )
    one = frame.row(row, named=True)
    return one, f"{Path(str(source)).name} ({one['name']})"


def _evidence(run, rows, x, position, target: int) -> PixelEvidence:
    """pixel_evidence in the piece of the input around a position."""
    starts = []
    for place, size, tile in zip(position, x.shape[:-1], rows.size, strict=True):
        fitting = tile_starts(size, tile, 0) if size <= tile else [place - tile // 2]
        starts.append(min(max(fitting[0], 0), size - tile) if size > tile else fitting[0])
    geometry = Geometry.of(x.shape[:-1]).crop(starts, rows.size)
    piece = geometry.picture(x, border="mirrored")
    inside = tuple(p - s for p, s in zip(position, starts, strict=True))
    found = pixel_evidence(run.net, piece, inside, target=target)
    # what the piece has beyond the edges is left out
    values = np.zeros(x.shape[:-1], np.float32)
    low = [max(0, s) for s in starts]
    high = [min(n, s + t) for n, s, t in zip(x.shape, starts, rows.size, strict=False)]
    inner = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, starts, strict=True))
    values[tuple(map(slice, low, high))] = found.values[inner]
    name = f"Logit of {rows.names[target]!r}"
    return dataclasses.replace(found, position=position, values=values, name=name)


def _lowest(values) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(int(np.argmin(values)), values.shape))


def _fractions(ids, names) -> str:
    counts = np.bincount(np.ravel(ids), minlength=len(names))
    total = max(1, counts.sum())
    return ", ".join(
        f"{name} {count / total:.1%}" for name, count in zip(names, counts, strict=False) if count
    )


def _shape(values) -> str:
    return " x ".join(map(str, values.shape))

"""What one box rests on: pixels, positions of a map, the region that was read, its mask."""

import dataclasses
import textwrap

import jax
import jax.numpy as jnp
import numpy as np

from cutaway import ops
from cutaway.data.outlines import outline_mask
from cutaway.engine import Tensor, as_array, gradients
from cutaway.explain import GradCam
from cutaway.explain.gradcam import cam_of
from cutaway.explain.layerwise import plain_forward, replaced
from cutaway.models import Detector, FastRcnn
from cutaway.models.region_detector import RegionDetector
from cutaway.nn import Module, jit
from cutaway.ops.region_alignment import region_weights
from cutaway.runs.box_arithmetic import BoxArithmetic
from cutaway.story.panels import amount_map, light_map, new_axes
from cutaway.story.text import WIDTH, Story

SAMPLES = 2  # of a bin along each axis, see region_heads.align_regions
LISTED = 6  # positions of a bin
SMALL = 5e-4  # weights below are not listed


@dataclasses.dataclass(repr=False)
class PixelShare(Story):
    """On which pixels the score of a box rests: |∂ log score / ∂ pixel|, summed over the channels.

    Attributes:
        values: (height, width), of the picture as the network takes it.
        box: (4,) in its pixels.
        picture: (height, width, 3) uint8.
    """

    values: np.ndarray
    box: np.ndarray
    picture: np.ndarray

    @property
    def inside(self) -> float:
        """Fraction of the sum that lies in the box."""
        x1, y1, x2, y2 = np.clip(np.rint(self.box), 0, [*self.values.shape[::-1]] * 2).astype(int)
        return float(self.values[y1:y2, x1:x2].sum() / max(self.values.sum(), 1e-30))

    def text(self, width: int = WIDTH) -> str:
        x1, y1, x2, y2 = self.box
        part = (x2 - x1) * (y2 - y1) / self.values.size
        return (
            f"{self.inside:.0%} of the sensitivity of the score to the pixels lies in the box, "
            f"which has {part:.0%} of the picture's area"
        )

    def plot(self, axes=None):
        axes = new_axes(axes, width=6, height=5)
        axes.imshow(self.picture, alpha=0.35)
        axes.imshow(_smoothed(self.values), cmap=light_map(), alpha=0.65)
        axes.set_axis_off()
        return axes

    def to_dict(self) -> dict:
        return {"inside": self.inside, "box": [float(n) for n in self.box]}


@dataclasses.dataclass(repr=False)
class RegionReading(Story):
    """How RoIAlign reads the region of a proposal from a map.

    Attributes:
        stride: of the map: pixels of the input from one position to the next.
        channels: of the map.
        rows: (bins, height of the map), how much each row counts in a bin.
        columns: (bins, width of the map).
        picture: (height, width, 3) uint8.
    """

    stride: int
    channels: int
    rows: np.ndarray
    columns: np.ndarray
    picture: np.ndarray

    def text(self, width: int = WIDTH) -> str:
        bins, height = self.rows.shape
        middle = bins // 2
        down, across = (np.flatnonzero(one.max(axis=0)) for one in (self.rows, self.columns))
        if not len(down) or not len(across):
            return "The region lies outside of the map: all of its bins are 0"
        weights = np.outer(self.rows[middle], self.columns[middle])
        order = np.argsort(-weights, axis=None, kind="stable")
        order = order[weights.ravel()[order] > SMALL]
        terms = [
            f"{weights.flat[k]:.3f} · map[{k // weights.shape[1]}, {k % weights.shape[1]}]"
            for k in order[:LISTED]
        ]
        if len(order) > LISTED:
            terms.append("...")
        said = (
            f"{bins} x {bins} bins from the map of 1/{self.stride}, which has {height} x "
            f"{self.columns.shape[1]} positions and {self.channels} channels: of rows {down[0]} to "
            f"{down[-1]}, columns {across[0]} to {across[-1]}. A bin is the mean of "
            f"{SAMPLES} x {SAMPLES} samples, each interpolated between four positions. In each "
            "channel the bin in the middle is"
        )
        lines = textwrap.wrap(said, width)
        lines += ["  " + ("+ " if k else "  ") + term for k, term in enumerate(terms or ["0"])]
        return "\n".join(lines)

    def plot(self, axes=None):
        axes = new_axes(axes, width=6, height=5)
        height, width = self.picture.shape[:2]
        axes.imshow(self.picture, alpha=0.5, extent=(0, width, height, 0))
        weights = np.outer(self.rows.sum(axis=0), self.columns.sum(axis=0))
        down, across = (n * self.stride for n in weights.shape)
        axes.imshow(weights, cmap=light_map(), alpha=0.6, extent=(0, across, down, 0))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_axis_off()
        return axes

    def to_dict(self) -> dict:
        return {
            "stride": self.stride,
            "rows": self.rows.tolist(),
            "columns": self.columns.tolist(),
        }


@dataclasses.dataclass(repr=False)
class BoxMask(Story):
    """The mask of a box: probabilities that its cells belong to the object.

    Attributes:
        probabilities: (m, m), of the class of the box.
        pixels: of the picture that belong to the object.
        part: of the pixels of its box.
        iou: with the mask of the object that the box is for; None: it is for none, or unknown.
    """

    probabilities: np.ndarray
    pixels: int
    part: float
    iou: float | None

    def text(self, width: int = WIDTH) -> str:
        side = len(self.probabilities)
        sure = np.abs(self.probabilities - 0.5) > 0.4
        lines = textwrap.wrap(
            f"{side} x {side} probabilities in the box: {(self.probabilities >= 0.5).mean():.0%} "
            f"of at least 0.5, {sure.mean():.0%} below 0.1 or above 0.9. Put into the picture they "
            f"are {self.pixels:,} pixels, {self.part:.0%} of the box's.",
            width,
        )
        if self.iou is not None:
            lines.append(f"IoU with the mask of the object that the box is for: {self.iou:.3f}")
        return "\n".join(lines)

    def plot(self, axes=None):
        axes = new_axes(axes, width=4, height=4)
        axes.imshow(self.probabilities, cmap=amount_map(), vmin=0, vmax=1)
        axes.set_axis_off()
        return axes

    def to_dict(self) -> dict:
        return {
            "probabilities": self.probabilities.tolist(),
            "pixels": self.pixels,
            "part": self.part,
            "iou": self.iou,
        }


class OneBox(Module):
    """The log score of one box of a detector: (batch, 1).

    Args:
        net: the detector.
        candidate: number of the box among `net.all_boxes`.
        kind: its class.
        proposal: x1 y1 x2 y2 that it began with, where a network proposes: its proposals may come
            in another order where numbers are rounded in another way.
    """

    def __init__(self, net: Detector, candidate: int, kind: int, proposal=None):
        self.net = net
        self.candidate, self.kind = candidate, kind
        self.proposal = None if proposal is None else tuple(float(n) for n in proposal)

    @property
    def _is_given(self) -> bool:
        """Whether the proposals are not those of a network."""
        return isinstance(self.net, FastRcnn) and self.net.network is None

    def forward(self, x):
        if self.proposal is None or not isinstance(self.net, RegionDetector) or self._is_given:
            scores, row = self.net.all_boxes(x)["scores"], self.candidate
        else:
            given = np.tile(np.array(self.proposal, np.float32), (len(x), 1, 1))
            proposals = {"boxes": given, "valid": np.ones(given.shape[:2], bool)}
            scores = self.net.candidates(self.net.maps(x), proposals, x.shape[1:3])["scores"]
            row = 0
        return ops.reshape(ops.log(scores[:, row, self.kind]), shape=(-1, 1))


def score_evidence(
    net: OneBox, x, box, made: BoxArithmetic, name: str
) -> tuple[PixelShare, GradCam | None]:
    """The pixels that a score rests on, and Grad-CAM at the map from which its box was read.

    Both derivatives come from one compiled program.

    Args:
        net: the score.
        x: (height, width, channels) as the network takes it.
        box: (4,) in its pixels.
        made: the arithmetic of the box.
        name: of its class.

    Returns:
        (PixelShare, GradCam, or None where no layer gives the map, or it has one position)
    """
    picture, x = _in_color(x), x.astype(np.float32)
    layer = None if made.layer is None else net.net.modules()[made.layer]

    def derivatives(x):
        leaf, maps, added = Tensor(x.data, requires_grad=True), [], []

        def watched(layer, *inputs, **named):
            out = plain_forward(layer, *inputs, **named)
            if not inputs[0].requires_grad:  # a call that asks for the sizes of the maps
                return out
            maps.append(out.data)
            # a zero that is added has the gradient of the map, which goes on to the pixels
            added.append(Tensor(jnp.zeros_like(out.data), requires_grad=True))
            return out + added[-1]

        with replaced({} if layer is None else {layer: watched}):
            score = net(leaf)
        # not backward(): the parameters keep no gradients
        found = {id(one): grad for one, grad in gradients(score, jnp.ones(score.shape))}
        return {
            "score": score.data,
            "pixels": found[id(leaf)],
            "maps": maps[-1:],
            "slopes": [found[id(one)] for one in added[-1:]],
        }

    found = jit(derivatives, net, donate=False)(x[None])
    found = jax.tree.map(lambda leaf: np.asarray(as_array(leaf))[0], found, is_leaf=_is_tensor)
    values = np.abs(found["pixels"]).sum(axis=-1)
    share = PixelShare(values, np.asarray(box, float), picture)
    if made.layer is None or found["maps"][0].shape[:2] == (1, 1):
        return share, None
    (maps,), (slopes,) = found["maps"], found["slopes"]
    output = float(found["score"][0])
    of = {"target": 0, "output": output, "name": f"log score of {name}"}
    return share, cam_of(maps, slopes, x, made.layer, **of)


def _is_tensor(value) -> bool:
    return isinstance(value, Tensor)


def region_reading(net: Detector, x, made: BoxArithmetic) -> RegionReading | None:
    """How the region of a proposal was read; None for detectors that read none by RoIAlign.

    Args: see score_evidence.
    """
    if not isinstance(net, RegionDetector) or net.reading != "align":
        return None
    stride = net.strides[made.level]
    sizes = tuple(-(-n // stride) for n in x.shape[:2])
    weights = jax.jit(region_weights, static_argnums=(2, 3, 4, 5))
    rows, columns = weights(
        np.zeros((1, *sizes, 1), np.float32),
        made.prior[None, None].astype(np.float32),
        net.region_size,
        1 / stride,
        SAMPLES,
        False,
    )
    return RegionReading(
        stride,
        net.channels,
        np.asarray(rows, float)[0, 0],
        np.asarray(columns, float)[0, 0],
        _in_color(x),
    )


def box_mask(probabilities, runs: dict, box, true_runs: dict | None) -> BoxMask:
    """The mask of a box.

    Args:
        probabilities: (m, m).
        runs: of the mask in the picture, see data.run_lengths.
        box: (4,) in pixels of the picture.
        true_runs: of the object that the box is for; None: of none.
    """
    mask = outline_mask(runs, runs["size"])
    area = max(1.0, float((box[2] - box[0]) * (box[3] - box[1])))
    iou = None
    if true_runs is not None:
        true = outline_mask(true_runs, true_runs["size"])
        iou = float((mask & true).sum() / max(1, (mask | true).sum()))
    return BoxMask(np.asarray(probabilities), int(mask.sum()), float(mask.sum()) / area, iou)


def _in_color(x) -> np.ndarray:
    return x if x.shape[-1] == 3 else np.repeat(x, 3, axis=-1)


def _smoothed(values, radius: int = 4) -> np.ndarray:
    """The mean over squares, for a picture."""
    padded = np.pad(values, radius)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2)
    return windows.mean(axis=(-2, -1))

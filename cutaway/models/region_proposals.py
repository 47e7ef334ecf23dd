"""Region proposal network: where something is, whatever it is.

Ren, He, Girshick & Sun 2015, "Faster R-CNN: towards real-time object detection with region proposal
networks", arXiv:1506.01497. On a feature pyramid: Lin et al. 2017, arXiv:1612.03144, section 4.1.

    head        3x3 with ReLU, then 1x1 to the objectness and 1x1 to the four numbers of each
                anchor; the same head on all maps; weights N(0, 0.01²), biases 0
    anchors     of each map one or several sizes, and ratios height / width of 1/2, 1, 2 with the
                same area; corners are rounded, centers lie at multiples of the stride
    labels      object: IoU >= 0.7 with a truth, or the best anchor of a truth; background: IoU
                < 0.3 with all; the others do not count
    loss        256 anchors of each image, at most half of them objects: cross-entropy of the
                objectness, their mean; smooth L1 (β 1/9) of the objects' numbers, divided by the
                number of anchors
    proposals   of each map the best anchors, decoded and clipped; suppressed at IoU 0.7; the best
                of all maps
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cutaway import boxes as arithmetic
from cutaway import ops
from cutaway.engine import Tensor, as_array
from cutaway.losses import binary_cross_entropy_with_logits, smooth_l1
from cutaway.nn import Conv2d, Module, init

RATIOS = (0.5, 1.0, 2.0)
BETA = 1 / 9  # of smooth L1, for both stages


class ProposalOptions(NamedTuple):
    """Numbers of a region proposal network.

    Attributes:
        positive, negative: IoU from which an anchor is an object, below which it is background.
        sampled: anchors of each image that count in the loss.
        fraction: of them, at most, that are objects.
        before: anchors of each map whose boxes are considered, in training and in prediction.
        after: proposals of each image, in training and in prediction.
        threshold: IoU of the suppression.
        least_side: of a proposal, in pixels.
        inside: whether anchors that cross the edge of the image do not count in the loss.
    """

    positive: float = 0.7
    negative: float = 0.3
    sampled: int = 256
    fraction: float = 0.5
    before: tuple[int, int] = (2000, 1000)
    after: tuple[int, int] = (2000, 1000)
    threshold: float = 0.7
    least_side: float = 1e-3
    inside: bool = False


def base_anchors(sizes, ratios=RATIOS) -> np.ndarray:
    """(ratios · sizes, 4) anchors around the origin, of each ratio all sizes, corners rounded."""
    roots = np.sqrt(np.asarray(ratios, np.float32))
    heights = (roots[:, None] * np.asarray(sizes, np.float32)).ravel()
    widths = ((1 / roots)[:, None] * np.asarray(sizes, np.float32)).ravel()
    return np.round(np.stack([-widths, -heights, widths, heights], axis=1) / 2)


def paper_anchors(scales=(8, 16, 32), ratios=RATIOS, base: int = 16) -> np.ndarray:
    """(ratios · scales, 4) anchors of the paper's program, py-faster-rcnn, around a cell.

    Of a cell of `base` pixels, for each ratio height / width a rectangle of the same area, its
    sides rounded; of it all scales. That program counts the last pixel in, 15 of a cell of 16;
    here boxes end behind it.
    """
    found = []
    for ratio in ratios:
        width = np.round(np.sqrt(base * base / ratio))
        height = np.round(width * ratio)
        for scale in scales:
            half = np.array([width, height]) * scale / 2
            found.append([*(base / 2 - half), *(base / 2 + half)])
    return np.array(found, np.float32)


PROPOSALS = ProposalOptions()


class RegionProposals(Module):
    """A region proposal network.

    Args:
        channels: of all maps.
        sizes: of each map the sizes of its anchors in pixels.
        ratios: height / width of anchors.
        options: see ProposalOptions.
        base: of each map its anchors around a position, in place of sizes and ratios; see
            paper_anchors.
        paired: whether the objectness is a softmax of two outputs, as in the paper, of which one
            is for the background.

    Shapes:
        maps: (batch, height, width, channels), ...
        objectness: (batch, N) logits; codes: (batch, N, 4), see `ops.decode_boxes`; N: anchors of
            all maps, in rows of positions, the largest map first
    """

    def __init__(
        self,
        channels: int,
        sizes=((32,), (64,), (128,), (256,), (512,)),
        *,
        ratios=RATIOS,
        options: ProposalOptions = PROPOSALS,
        base=None,
        paired: bool = False,
    ):
        self.base = [base_anchors(own, ratios) for own in sizes] if base is None else list(base)
        self.options, self.paired = options, paired
        count = len(self.base[0])
        self.conv = Conv2d(channels, channels, 3, padding=1, init=init.normal)
        self.objectness = Conv2d(channels, (1 + paired) * count, 1, init=init.normal)
        self.codes = Conv2d(channels, 4 * count, 1, init=init.normal)

    def forward(self, *maps):
        objectness, codes = [], []
        for own in maps:
            hidden = ops.relu(self.conv(own))
            batch = own.shape[0]
            scores = self.objectness(hidden)
            if self.paired:  # softmax of two: sigmoid of their difference, background first
                count = scores.shape[-1] // 2
                scores = scores[..., count:] - scores[..., :count]
            objectness.append(ops.reshape(scores, shape=(batch, -1)))
            codes.append(ops.reshape(self.codes(hidden), shape=(batch, -1, 4)))
        return ops.concatenate(objectness, axis=1), ops.concatenate(codes, axis=1)

    def anchors(self, maps, size) -> list[np.ndarray]:
        """For each map (positions · anchors, 4) in pixels of an image of this (height, width)."""
        found = []
        for own, base in zip(maps, self.base, strict=True):
            rows, columns = own.shape[1:3]
            y = np.arange(rows) * (size[0] // rows)
            x = np.arange(columns) * (size[1] // columns)
            grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2)
            shifted = np.concatenate([grid, grid], axis=-1) + base
            found.append(shifted.reshape(-1, 4).astype(np.float32))
        return found

    def propose(self, objectness, codes, anchors, size):
        """Proposals of each image: their boxes have no gradient.

        Args:
            objectness, codes: of `forward`.
            anchors: of `anchors`.
            size: (height, width) of the images.

        Returns:
            {"boxes": (batch, count, 4), "scores": (batch, count), "valid": (batch, count) bool},
            the best first.
        """
        options, place = self.options, 0 if self.training else 1
        before, after = options.before[place], options.after[place]
        ends = np.cumsum([len(own) for own in anchors])[:-1]

        def of_image(objectness, codes):
            boxes, scores = [], []
            parts = zip(jnp.split(objectness, ends), jnp.split(codes, ends), anchors, strict=True)
            for own_scores, own_codes, own_anchors in parts:
                best, rows = lax.top_k(own_scores, min(before, len(own_anchors)))
                decoded = ops.decode_boxes.forward(own_codes[rows], own_anchors[rows])
                decoded = arithmetic.clip_to_picture(decoded, size)
                large = jnp.all(decoded[:, 2:] - decoded[:, :2] >= options.least_side, axis=1)
                kept = arithmetic.suppress(decoded, best, threshold=options.threshold, valid=large)
                boxes.append(decoded)
                scores.append(jnp.where(kept, best, -jnp.inf))
            boxes, scores = jnp.concatenate(boxes), jnp.concatenate(scores)
            best, rows = lax.top_k(scores, min(after, len(scores)))
            valid = best > -jnp.inf
            return {
                "boxes": jnp.where(valid[:, None], boxes[rows], 0),
                "scores": jnp.where(valid, jax.nn.sigmoid(best), 0),
                "valid": valid,
            }

        anchors = [jnp.asarray(own) for own in anchors]
        return jax.vmap(of_image)(as_array(objectness), as_array(codes))

    def losses(self, objectness, codes, anchors, truths, numbers, size) -> dict[str, Tensor]:
        """{"objectness", "proposal_boxes"}: terms of the loss of a batch.

        Args:
            objectness, codes, anchors: see `propose`.
            truths: {"boxes": (batch, M, 4), "valid": (batch, M)}.
            numbers: (batch, N); the anchors with the smallest ones are sampled.
            size: (height, width) of the images.
        """
        given = jnp.concatenate([jnp.asarray(own) for own in anchors])
        options = self.options
        counts = jnp.all(arithmetic.clip_to_picture(given, size) == given, axis=1)
        counts = counts if options.inside else jnp.ones(len(given), bool)

        def of_image(boxes, valid, numbers):
            overlaps = arithmetic.pairwise_iou(boxes, given)
            matches = arithmetic.match_with_ties(
                overlaps, valid, positive=options.positive, negative=options.negative
            )
            objects, rest = arithmetic.sample_balanced(
                (matches >= 0) & counts,
                (matches == arithmetic.BACKGROUND) & counts,
                numbers,
                count=options.sampled,
                fraction=options.fraction,
            )
            targets = arithmetic.encode_boxes(arithmetic.matched(boxes, matches), given)
            return objects, objects | rest, targets

        objects, sampled, targets = jax.vmap(of_image)(
            as_array(truths["boxes"]), as_array(truths["valid"]), numbers
        )
        total = jnp.maximum(sampled.sum(), 1)
        return {
            "objectness": binary_cross_entropy_with_logits(
                objectness,
                objects.astype(jnp.float32),
                reduction="sum",
                row_weights=sampled / total,
            ),
            "proposal_boxes": smooth_l1(
                codes, targets, beta=BETA, reduction="sum", row_weights=objects / total
            ),
        }

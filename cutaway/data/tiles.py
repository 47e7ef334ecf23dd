"""Prediction by overlapping tiles: for pictures and volumes larger than what a network takes."""

import dataclasses
import itertools

import numpy as np

from cutaway.data.resampling import inside, pixels_at
from cutaway.errors import DataError, OptionError, ShapeError, expect_integer


def predict_tiles(
    predict, picture, tile, *, overlap=None, batch_size: int = 4, out: np.ndarray | None = None
) -> np.ndarray:
    """What a network predicts for a whole picture or volume, tile by tile.

    Tiles have one size, so that a network is compiled once; beyond the picture they are mirrored at
    its edges. A network with valid convolutions returns the middle of a tile, as the first U-Net
    [1]; then the middles cover the picture, and the result is that of the whole picture. One with
    padded convolutions returns maps of the tile's size, which are less certain near its edges;
    there neighbors overlap, and each counts by a weight that falls linearly to its edge, so that no
    seam is left (a middle alone would show one wherever the network looks further than the margin).

    Args:
        predict: function of tiles (batch_size, *tile, channels) that returns maps
            (batch_size, *size, ...): of the tile's size, or smaller by an even number per axis.
        picture: (*size, channels); also a numpy.memmap, of which single tiles are read.
        tile: size of a tile, along each axis.
        overlap: pixels that neighboring maps share, along each axis or one number; by default a
            quarter of the tile, or none for a network that returns the middle.
        batch_size: tiles that are predicted at a time.
        out: where the result is put, such as a numpy.memmap; float32, zeros.

    Shapes:
        result: (*size, ...), float32

    Raises:
        OptionError: an overlap of more than half of a map.
        ShapeError: maps larger than the tiles, or smaller by an odd number.

    References:
        [1] Ronneberger et al. 2015, "U-Net", arXiv:1505.04597, section 2 (overlap-tile strategy).

    Example:
        >>> import numpy as np
        >>> from cutaway.data import predict_tiles
        >>> picture = np.arange(70.0).reshape(7, 10, 1)
        >>> bool(np.allclose(predict_tiles(lambda tiles: 2 * tiles, picture, (4, 4)), 2 * picture))
        True
    """
    expect_integer(batch_size, what="predict_tiles: batch_size", least=1)
    tile = tuple(int(n) for n in tile)
    axes = len(tile)
    if picture.ndim != axes + 1 or min(tile) < 1 or min(picture.shape) < 1:
        raise ShapeError(
            f"predict_tiles: a picture of shape {picture.shape} in tiles of {tile}",
            expected="(*size, channels), and a tile size for each axis",
        )
    size = picture.shape[:axes]
    plan = _Plan.of(size, tile, tile, overlap)
    first = plan.maps(predict, picture, 0, batch_size)
    if first.shape[1 : 1 + axes] != tile:  # it returns the middle
        plan = _Plan.of(size, tile, first.shape[1 : 1 + axes], overlap)
        first = plan.maps(predict, picture, 0, batch_size)
    shape = *size, *first.shape[1 + axes :]
    if out is None:
        out = np.zeros(shape, np.float32)
    elif out.shape != shape:
        raise ShapeError(f"predict_tiles: out has shape {out.shape}", expected=f"{shape}")
    for k in range(0, len(plan.places), batch_size):
        maps = first if k == 0 else plan.maps(predict, picture, k, batch_size)
        if maps.shape != first.shape:
            raise ShapeError(
                f"predict_tiles: maps of shape {maps.shape}",
                expected=f"{first.shape}, as from the first tiles",
            )
        for place, one in zip(plan.places[k : k + batch_size], maps, strict=False):
            start = [plan.starts[a][i] for a, i in enumerate(place)]
            _add(out, one, start, [plan.weights[a][i] for a, i in enumerate(place)])
    return out


@dataclasses.dataclass(frozen=True)
class _Plan:
    """Where the maps of tiles are, and what each counts.

    Attributes:
        tile: size of a tile.
        margins: pixels of a tile around its map.
        starts: for each axis where maps begin.
        weights: for each axis and start the weights of a map.
        places: for each tile the number of its start, by axis.
    """

    tile: tuple[int, ...]
    margins: list[int]
    starts: list[list[int]]
    weights: list[list[np.ndarray]]
    places: list[tuple[int, ...]]

    @classmethod
    def of(cls, size, tile, returned, overlap) -> "_Plan":
        margins = [(t - r) // 2 for t, r in zip(tile, returned, strict=False)]
        if len(returned) != len(tile) or any(
            r < 1 or m < 0 or t != r + 2 * m
            for t, r, m in zip(tile, returned, margins, strict=True)
        ):
            raise ShapeError(
                f"predict_tiles: maps of size {tuple(returned)} from tiles of {tile}",
                expected="(rows, *size, ...), the tile's size or smaller by an even number",
            )
        shared = _overlaps(overlap, tile, returned)
        starts = [tile_starts(n, r, s) for n, r, s in zip(size, returned, shared, strict=True)]
        weights = [_weights(n, r, own) for n, r, own in zip(size, returned, starts, strict=True)]
        places = list(itertools.product(*(range(len(own)) for own in starts)))
        return cls(tile, margins, starts, weights, places)

    def maps(self, predict, picture, begin: int, rows: int) -> np.ndarray:
        """The maps of `rows` tiles from one on; the last is repeated, so that shapes are one."""
        tiles = []
        for place in self.places[begin : begin + rows]:
            start = [self.starts[a][i] for a, i in enumerate(place)]
            tiles.append(_cut(picture, start, self.tile, self.margins))
        tiles += [tiles[-1]] * (rows - len(tiles))
        maps = np.asarray(predict(np.stack(tiles)))
        if maps.ndim < 1 + len(self.tile) or len(maps) != rows:
            raise ShapeError(
                f"predict_tiles: maps of shape {maps.shape} from {rows} tiles",
                expected="(rows, *size, ...)",
            )
        return maps


def tile_starts(size: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along an axis: evenly spaced, the first at 0, the last at the end.

    An axis shorter than a tile has one, in whose middle it lies.

    Example:
        >>> from cutaway.data.tiles import tile_starts
        >>> tile_starts(10, 4, 1), tile_starts(3, 8, 2)
        ([0, 3, 6], [-2])
    """
    if size <= tile:
        return [-((tile - size) // 2)]
    count = -(-(size - overlap) // (tile - overlap))
    return [round(k * (size - tile) / (count - 1)) for k in range(count)]


def _overlaps(overlap, tile, returned) -> list[int]:
    if overlap is None:
        overlap = [t // 4 if t == r else 0 for t, r in zip(tile, returned, strict=True)]
    shared = [int(n) for n in np.broadcast_to(overlap, len(returned))]
    for n, r in zip(shared, returned, strict=True):
        if not 0 <= n <= r // 2:
            raise OptionError(
                f"predict_tiles: overlap is {overlap}, the maps have {r} pixels along an axis",
                expected="0 to half of the maps",
            )
    return shared


def _cut(picture, start, tile, margins):
    """The tile whose map begins at `start`, mirrored at the edges of the picture."""
    index = []
    for begin, length, margin, size in zip(start, tile, margins, picture.shape, strict=False):
        places = np.arange(begin - margin, begin - margin + length) + 0.5
        index.append(pixels_at(inside(places, size, "mirrored")[0], size))
    low = [int(i.min()) for i in index]
    part = picture[tuple(slice(a, int(i.max()) + 1) for a, i in zip(low, index, strict=True))]
    return np.asarray(part)[np.ix_(*(i - a for i, a in zip(index, low, strict=True)))]


def _weights(size: int, length: int, starts: list[int]) -> list[np.ndarray]:
    """For each tile along an axis the weights of its map; at each pixel they add up to 1."""
    # at the ends of the picture there is no neighbor, and nothing falls
    ramps = []
    for k, start in enumerate(starts):
        ramp = np.ones(length)
        before = starts[k - 1] + length - start if k else 0
        after = start + length - starts[k + 1] if k + 1 < len(starts) else 0
        if before:
            ramp[:before] *= (np.arange(before) + 0.5) / before
        if after:
            ramp[length - after :] *= (np.arange(after)[::-1] + 0.5) / after
        ramps.append(ramp)
    total = np.zeros(size)
    for start, ramp in zip(starts, ramps, strict=True):
        low, high = max(0, start), min(size, start + length)
        total[low:high] += ramp[low - start : high - start]
    weights = []
    for start, ramp in zip(starts, ramps, strict=True):
        low, high = max(0, start), min(size, start + length)
        own = np.zeros(length, np.float32)
        own[low - start : high - start] = ramp[low - start : high - start] / total[low:high]
        weights.append(own)
    return weights


def _add(out, one, start, weights):
    """Add a map, times the product of the weights of its axes, at its place."""
    axes = len(start)
    low = [max(0, s) for s in start]
    high = [min(n, s + len(w)) for n, s, w in zip(out.shape, start, weights, strict=False)]
    inner = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start, strict=True))
    part = one[inner].astype(np.float32)
    if not np.isfinite(part).all():
        raise DataError(f"predict_tiles: NaN or infinity in the map that begins at {start}")
    for axis, weight in enumerate(weights):
        shape = [1] * part.ndim
        shape[axis] = -1
        part = part * weight[inner[axis]].reshape(shape)
    out[tuple(slice(a, b) for a, b in zip(low, high, strict=True))[:axes]] += part

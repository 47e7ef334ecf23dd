"""Geometry: a map of coordinates between an input and an output, composed first, applied once.

Coordinates are continuous and half-open: pixel i covers i to i + 1, a box x1 y1 x2 y2 has the width
x2 - x1. One Geometry moves a picture, its mask, its boxes and its points alike, in two dimensions
or three, and puts what was predicted for the output back to the input.
"""

import dataclasses
import functools
import itertools

import numpy as np

from cutaway.data.coordinate_map import CoordinateMap, expect_sizes
from cutaway.data.elastic import permutation
from cutaway.data.resampling import SHRINKS, TOLERANCE, linear_at, nearest_at, separable
from cutaway.errors import OptionError, ShapeError

ROUNDS = 100  # of the fixed point that inverts an elastic deformation


@dataclasses.dataclass(frozen=True, eq=False)
class Geometry(CoordinateMap):
    """Where each place of an output lies in an input: input = A output + b, and displacements.

    Begin with `Geometry.of(size)` and add steps in the order in which a picture would go through
    them; they are composed, and the values are interpolated once. Axes are those of the array:
    (height, width) or (depth, height, width). Points and boxes have x before y (before z).

    Attributes:
        input_size, output_size: number of pixels along each axis.
        matrix: (axes, axes + 1), A and b.
        elastic: displacements, or None.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import Geometry
        >>> geometry = Geometry.of((2, 3)).flip(1).letterbox((6, 6))
        >>> geometry.mask(np.array([[1, 2, 3], [4, 5, 6]]), fill=255)[::2, ::2].tolist()
        [[255, 255, 255], [3, 2, 1], [6, 5, 4]]
        >>> geometry.boxes(np.array([[0.0, 0.0, 1.0, 2.0]])).tolist()
        [[4.0, 1.0, 6.0, 5.0]]
    """

    def picture(self, array, *, border: str = "constant", fill: float = 0) -> np.ndarray:
        """A picture or a volume, interpolated linearly.

        Where it shrinks, a triangle filter of the width of an output pixel prevents aliasing. Maps
        along the axes do it at any scale; others (rotation, elastic deformation) smooth first if
        they shrink by more than 1.25.

        Args:
            array: (*input_size, channels); integers are rounded, other numbers stay floats.
            border: "constant" takes `fill` outside of the input, "mirrored" reflects it.

        Shapes:
            result: (*output_size, channels), of the array's dtype
        """
        array = np.asarray(array)
        self._expect_input(array, "picture", "(*input_size, channels)", self.axes + 1)
        places = self._places_by_axis()
        if places is not None:
            out = separable(array, *places[:2], border, fill, is_linear=True)
            out = np.transpose(out, (*places[2], *range(self.axes, out.ndim)))
        else:
            shrunk, scale = self._smoothed(array)
            places = [p * s for p, s in zip(self._places, scale, strict=True)]
            out = linear_at(shrunk, places, border, fill)
        return _own(_as_dtype(out, array.dtype), array)

    def mask(self, array, *, border: str = "constant", fill: float = 0) -> np.ndarray:
        """A mask of class ids: at each place the nearest pixel.

        Args:
            array: (*input_size, ...).
            border: as for picture; `fill` may be the id that is ignored.

        Shapes:
            result: (*output_size, ...), of the array's dtype
        """
        array = np.asarray(array)
        self._expect_input(array, "mask", "(*input_size, ...)")
        places = self._places_by_axis()
        if places is None:
            return nearest_at(array, self._places, border, fill)
        out = separable(array, *places[:2], border, fill, is_linear=False)
        out = np.transpose(out, (*places[2], *range(self.axes, out.ndim)))
        return _own(np.ascontiguousarray(out), array)

    def points(self, points) -> np.ndarray:
        """Where points of the input are in the output.

        Shapes:
            points, result: (..., axes), x before y
        """
        points = np.asarray(points, float)
        if points.shape[-1:] != (self.axes,):
            raise ShapeError(
                f"points of shape {points.shape}", expected=f"(..., {self.axes}), x before y"
            )
        wanted = points.reshape(-1, self.axes)[:, ::-1].T - self.matrix[:, -1:]
        inverse = np.linalg.inv(self.matrix[:, :-1])
        found = inverse @ wanted
        if self.elastic is not None:  # r = A^-1 (p - b - d(r))
            for _ in range(ROUNDS if found.size else 0):
                before, found = found, inverse @ (wanted - self.elastic.at(found))
                if np.abs(found - before).max() < TOLERANCE:
                    break
        return found.T[:, ::-1].reshape(points.shape)

    def boxes(self, boxes) -> np.ndarray:
        """The boxes in the output around the corners (and, if deformed, edges) of those given.

        They are not clipped; see clip_boxes.

        Shapes:
            boxes, result: (..., 4) x1 y1 x2 y2, in three dimensions (..., 6) x1 y1 z1 x2 y2 z2
        """
        boxes = np.asarray(boxes, float)
        if boxes.shape[-1:] != (2 * self.axes,):
            raise ShapeError(
                f"boxes of shape {boxes.shape}", expected=f"(..., {2 * self.axes}), x1 y1 x2 y2"
            )
        # corners, and if edges may bend, three points between two of them
        steps = [0, 1] if self.elastic is None else [0, 0.25, 0.5, 0.75, 1]
        parts = np.array(list(itertools.product(steps, repeat=self.axes)))
        low, high = boxes[..., None, : self.axes], boxes[..., None, self.axes :]
        moved = self.points(low * (1 - parts) + high * parts)
        return np.concatenate([moved.min(axis=-2), moved.max(axis=-2)], axis=-1)

    def undo_picture(self, array, *, fill: float = 0) -> np.ndarray:
        """Put a map of the output (*output_size, channels) back to the input's size, linearly.

        Only the part of the output that shows the input is used, so the border does not mix in.
        What the output does not show is `fill`.
        """
        array, back = self._shown(np.asarray(array))
        return back.picture(array, fill=fill)

    def undo_mask(self, array, *, fill: float = 0) -> np.ndarray:
        """Put a mask of the output (*output_size, ...) back to the input's size, by nearest."""
        array, back = self._shown(np.asarray(array))
        return back.mask(array, fill=fill)

    def _places_by_axis(self):
        """(coordinates along each input axis, their spacings, order of the axes).

        None unless the map is along the axes.
        """
        along = None if self.elastic is not None else permutation(self.matrix[:, :-1])
        if along is None:
            return None
        places = [
            self.matrix[axis, k] * (np.arange(self.output_size[k]) + 0.5) + self.matrix[axis, -1]
            for axis, k in enumerate(along)
        ]
        spacings = [abs(float(self.matrix[axis, k])) for axis, k in enumerate(along)]
        return places, spacings, [along.index(k) for k in range(self.axes)]

    @functools.cached_property
    def _places(self) -> list:
        """For each input axis its coordinate at each pixel of the output, float32."""
        grid = [np.arange(n) + 0.5 for n in self.output_size]
        places = []
        for row in self.matrix:
            where = np.full([1] * self.axes, row[-1], np.float32)
            for axis, values in enumerate(grid):
                along = (row[axis] * values).astype(np.float32)
                where = where + along.reshape(-1, *[1] * (self.axes - 1 - axis))
            places.append(where)
        if self.elastic is None:
            return places
        moved = self.elastic.on_grid(self.output_size)
        if moved is None:
            points = np.stack([p.ravel() for p in np.meshgrid(*grid, indexing="ij")])
            moved = self.elastic.at(points).reshape(self.axes, *self.output_size)
            moved = moved.astype(np.float32)
        return [p + d for p, d in zip(places, moved, strict=True)]

    def _smoothed(self, array):
        """(the input at the resolution of the output, factor of the coordinates per axis)."""
        steps = np.linalg.norm(self.matrix[:, :-1], axis=1)
        if steps.max() <= SHRINKS:
            return array, [1.0] * self.axes
        size = [
            max(1, round(n / s)) if s > SHRINKS else n
            for n, s in zip(self.input_size, steps, strict=True)
        ]
        small = Geometry.of(self.input_size).resize(size).picture(array.astype(np.float32))
        return small, np.divide(size, self.input_size)

    def _shown(self, array):
        """(the part of the output that shows the input, the geometry from it to the input)."""
        self._expect_output(array)
        corners = self.boxes(np.array([0.0] * self.axes + [*map(float, self.input_size[::-1])]))
        low = np.clip(np.floor(corners[: self.axes][::-1] + 1e-6), 0, self.output_size)
        high = np.clip(np.ceil(corners[self.axes :][::-1] - 1e-6), 0, self.output_size)
        low, high = low.astype(int), high.astype(int)
        if (high <= low).any():
            raise OptionError(
                "the output shows nothing of the input", fix="crop a window that overlaps it"
            )
        part = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        return part, self.crop(low, high - low).inverse()

    def _expect_input(self, array, what, shape, axes=None):
        if array.shape[: self.axes] != self.input_size or axes not in (None, array.ndim):
            raise ShapeError(
                f"Geometry.{what}: the array has shape {array.shape}",
                expected=f"{shape} with input_size {self.input_size}",
            )

    def _expect_output(self, array):
        if array.shape[: self.axes] != self.output_size:
            raise ShapeError(
                f"the array to put back has shape {array.shape}",
                expected=f"a map of the output, of size {self.output_size}",
                fix="crop the geometry to what the network returns: geometry.center(size)",
            )


def clip_boxes(boxes, size, *, least_part: float = 0.25, least_side: float = 1.0):
    """Boxes clipped to a picture, and which of them still show enough.

    Args:
        boxes: (..., 4) x1 y1 x2 y2.
        size: (height, width) of the picture.
        least_part: fraction of its area that must be left of a box.
        least_side: pixels that must be left of its width and height.

    Returns:
        (clipped, kept): (..., 4), and (...) bool.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import clip_boxes
        >>> clip_boxes(np.array([[-2.0, 0.0, 2.0, 4.0], [-9.0, 0.0, 1.0, 4.0]]), (8, 8))[1].tolist()
        [True, False]
    """
    boxes = np.asarray(boxes, float)
    axes = boxes.shape[-1] // 2
    most = np.tile(np.array(expect_sizes(size, "size", axes))[::-1], 2)
    clipped = np.clip(boxes, 0, most)
    before = np.maximum(boxes[..., axes:] - boxes[..., :axes], 0)
    sides = clipped[..., axes:] - clipped[..., :axes]
    is_enough = sides.prod(axis=-1) >= least_part * before.prod(axis=-1)
    return clipped, is_enough & (sides >= least_side).all(axis=-1)


def _as_dtype(out, dtype):
    if dtype.kind in "ui" and out.dtype.kind == "f":
        limits = np.iinfo(dtype)
        return np.clip(np.rint(out), limits.min, limits.max).astype(dtype)
    return np.ascontiguousarray(out, dtype=out.dtype if dtype.kind not in "fui" else dtype)


def _own(out, array):
    """The array, copied if it is a part of the one it was made of, or must not be written to."""
    return out.copy() if np.may_share_memory(out, array) or not out.flags.writeable else out

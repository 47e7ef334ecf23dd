"""Maps of coordinates between an output and an input, composed of steps."""

import dataclasses
import math
from typing import Self

import numpy as np

from cutaway.data.elastic import Elastic
from cutaway.errors import (
    DataError,
    OptionError,
    ShapeError,
    expect_integer,
    expect_range,
)

FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False)
class CoordinateMap:
    """Where each place of an output lies in an input: input = A output + b, and displacements.

    Begin with `of(size)` and add steps in the order in which a picture would go through them.

    Attributes:
        input_size, output_size: number of pixels along each axis.
        matrix: (axes, axes + 1), A and b.
        elastic: displacements, or None.
    """

    input_size: tuple[int, ...]
    output_size: tuple[int, ...]
    matrix: np.ndarray
    elastic: Elastic | None = None

    @classmethod
    def of(cls, size) -> Self:
        """The geometry that leaves arrays of this size as they are."""
        size = expect_sizes(size, "size")
        return cls(size, size, np.eye(len(size), len(size) + 1))

    @property
    def axes(self) -> int:
        """Number of axes: 2 or 3."""
        return len(self.input_size)

    def crop(self, start, size) -> Self:
        """The window of `size` that begins at `start`; what lies outside of the input is border.

        A later step may show again what was cut off here.
        """
        shift = np.array(_per_axis(start, self.axes, "start"))
        return self._then(np.eye(self.axes), shift, expect_sizes(size, "size", self.axes))

    def pad(self, before, after) -> Self:
        """So many pixels of border at the beginning and the end of each axis."""
        before = _per_axis(before, self.axes, "before")
        after = _per_axis(after, self.axes, "after")
        sizes = zip(before, self.output_size, after, strict=True)
        return self.crop([-b for b in before], [int(b + s + a) for b, s, a in sizes])

    def resize(self, size) -> Self:
        """Scale each axis to `size`."""
        size = expect_sizes(size, "size", self.axes)
        return self._then(np.diag(np.divide(self.output_size, size)), 0, size)

    def letterbox(self, size) -> Self:
        """Scale all axes alike until they fit into `size`, and pad to it, centered.

        The scaled sizes are truncated to integers, at least 1, and an odd pixel of border is at
        the end, as in darknet. All in integers: the same on every machine.
        """
        size = expect_sizes(size, "size", self.axes)
        tight = min(range(self.axes), key=lambda k: size[k] / self.output_size[k])
        fitted = [
            min(t, max(1, n * size[tight] // self.output_size[tight]))
            for n, t in zip(self.output_size, size, strict=True)
        ]
        before = [(t - f) // 2 for t, f in zip(size, fitted, strict=True)]
        return self.resize(fitted).crop([-b for b in before], size)

    def center(self, size) -> Self:
        """The middle of `size`, cropped or padded; of an odd rest the larger part is at the end."""
        size = expect_sizes(size, "size", self.axes)
        start = [(n - t) // 2 if n > t else -((t - n) // 2)
                 for n, t in zip(self.output_size, size, strict=True)]  # fmt: skip
        return self.crop(start, size)

    def flip(self, axis: int) -> Self:
        """Mirror along an axis, as np.flip."""
        expect_integer(axis, what="flip: axis", least=-self.axes, below=self.axes)
        matrix, shift = np.eye(self.axes), np.zeros(self.axes)
        matrix[axis, axis] = -1
        shift[axis] = self.output_size[axis]
        return self._then(matrix, shift, self.output_size)

    def quarter_turns(self, turns: int, axes=(0, 1)) -> Self:
        """Turn by 90 degrees so many times, counterclockwise as displayed, as np.rot90."""
        turned, (first, second) = self, _plane(axes, self.axes)
        for _ in range(turns % 4):
            matrix, shift = np.eye(self.axes), np.zeros(self.axes)
            matrix[[first, second]] = matrix[[second, first]]
            matrix[second, first] = -1
            shift[second] = turned.output_size[second]
            size = list(turned.output_size)
            size[first], size[second] = size[second], size[first]
            turned = turned._then(matrix, shift, tuple(size))
        return turned

    def rotate(self, degrees: float, axes=(0, 1)) -> Self:
        """Rotate about the center, counterclockwise as displayed; the size stays."""
        expect_range(degrees, what="rotate: degrees", above=-math.inf, below=math.inf)
        first, second = _plane(axes, self.axes)
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        matrix = np.eye(self.axes)
        matrix[[first, first, second, second], [first, second, first, second]] = cos, sin, -sin, cos
        return self._about_center(matrix.round(15))

    def zoom(self, factor) -> Self:
        """Enlarge about the center by a factor, or one per axis; the size stays."""
        factors = _per_axis(factor, self.axes, "factor")
        for value in factors:
            expect_range(value, what="zoom: factor", above=0, below=math.inf)
        return self._about_center(np.diag(1 / np.array(factors)))

    def shift(self, offset) -> Self:
        """Move by so many pixels along each axis; the size stays."""
        offset = np.array(_per_axis(offset, self.axes, "offset"))
        return self._then(np.eye(self.axes), -offset, self.output_size)

    def deform(self, displacements) -> Self:
        """Elastic deformation: each place takes the value at itself plus a displacement.

        Args:
            displacements: (axes, *points), at least 2 points per axis, in pixels, on a grid that
                spans the present output; between them cubic splines. Draw them from N(0, σ), as
                for U-Net with 3 x 3 points and σ = 10.

        References:
            Ronneberger et al. 2015, "U-Net", arXiv:1505.04597, section 3.1.
        """
        grid = np.asarray(displacements, float)
        if grid.ndim != self.axes + 1 or len(grid) != self.axes or min(grid.shape[1:]) < 2:
            raise ShapeError(
                f"deform: the displacements have shape {grid.shape}",
                expected=f"({self.axes}, {'points, ' * self.axes}), at least 2 points per axis",
            )
        if not np.isfinite(grid).all():
            raise DataError("deform: the displacements hold NaN or infinity")
        if self.elastic is not None:
            raise OptionError(
                "deform: this geometry is deformed already",
                expected="one elastic deformation",
                fix="add the displacements on one grid",
            )
        to_frame = np.eye(self.axes, self.axes + 1)
        elastic = Elastic(grid, self.output_size, to_frame, self.matrix[:, :-1])
        return dataclasses.replace(self, elastic=elastic)

    def inverse(self) -> Self:
        """The geometry from the output to the input.

        Raises:
            OptionError: of an elastic deformation there is none.
        """
        if self.elastic is not None:
            raise OptionError(
                "an elastic deformation has no inverse geometry",
                expected="a geometry of resizing, cropping, turning",
                fix="deform for training only; points() finds single points",
            )
        inverse = np.linalg.inv(self.matrix[:, :-1])
        shift = -inverse @ self.matrix[:, -1:]
        matrix = np.hstack([inverse, shift])
        return type(self)(self.output_size, self.input_size, matrix)

    def to_json(self) -> dict:
        """All values, as JSON values."""
        elastic = None
        if self.elastic is not None:
            fields = dataclasses.asdict(self.elastic)
            elastic = {name: np.asarray(value).tolist() for name, value in fields.items()}
        return {
            "format": FORMAT,
            "input_size": list(self.input_size),
            "output_size": list(self.output_size),
            "matrix": self.matrix.tolist(),
            "elastic": elastic,
        }

    @classmethod
    def from_json(cls, value: dict) -> Self:
        """The geometry that `to_json` returned, bit for bit.

        Raises:
            DataError: `value` is something else.
        """
        try:
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']}")
            sizes = (
                expect_sizes(value["input_size"], "input"),
                expect_sizes(value["output_size"], "output"),
            )
            matrix, elastic = np.array(value["matrix"], float), value["elastic"]
            if matrix.shape != (len(sizes[0]), len(sizes[0]) + 1) or len(sizes[1]) != len(sizes[0]):
                raise ValueError(f"a matrix of shape {matrix.shape} for sizes {sizes}")
            if elastic is not None:
                arrays = {k: np.array(elastic[k], float) for k in ("grid", "to_frame", "to_input")}
                elastic = Elastic(frame=expect_sizes(elastic["frame"], "frame"), **arrays)
            return cls(*sizes, matrix, elastic)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"not a geometry: {error}", expected="what Geometry.to_json returned"
            ) from error

    def _then(self, matrix, shift, size) -> Self:
        """With another step, whose input is the present output."""
        step = np.eye(self.axes + 1)
        step[:-1, :-1] = matrix
        step[:-1, -1] = shift
        elastic = self.elastic
        if elastic is not None:
            elastic = dataclasses.replace(elastic, to_frame=elastic.to_frame @ step)
        return type(self)(self.input_size, tuple(size), self.matrix @ step, elastic)

    def _about_center(self, matrix) -> Self:
        center = np.array(self.output_size) / 2
        return self._then(matrix, center - matrix @ center, self.output_size)


def expect_sizes(size, what: str, axes: int | None = None) -> tuple[int, ...]:
    try:
        values = tuple(int(n) for n in size)
        fits = all(n >= 1 and n == given for n, given in zip(values, size, strict=True))
    except (TypeError, ValueError):
        values, fits = (), False
    if not fits or (axes is not None and len(values) != axes) or len(values) not in (2, 3):
        count = f"{axes} integers" if axes else "two or three integers"
        raise OptionError(
            f"Geometry: {what} is {size}", expected=f"{count} >= 1, one per axis of the array"
        )
    return values


def _per_axis(value, axes: int, what: str) -> list:
    values = [value] * axes if np.ndim(value) == 0 else list(value)
    try:
        fits = len(values) == axes and np.isfinite(np.array(values, float)).all()
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise OptionError(f"Geometry: {what} is {value}", expected=f"a number, or {axes} of them")
    return values


def _plane(axes, count: int) -> tuple[int, int]:
    first, second = (int(axis) % count for axis in axes)
    if first == second:
        raise OptionError(f"Geometry: axes is {axes}", expected="two different axes")
    return first, second

"""How pictures of any size become one size: kept with a run, and asked for each picture."""

import dataclasses
import math

import msgspec
import numpy as np

from cutaway.data.coordinate_map import expect_sizes
from cutaway.data.geometry import Geometry
from cutaway.errors import DataError, OptionError, expect_choice, expect_integer

HOW = ("letterbox", "stretch", "crop", "pad", "as is")


@dataclasses.dataclass(frozen=True)
class Framing:
    """How a picture or volume of any size becomes the input of a network.

    Args:
        how: "letterbox" scales to fit and pads, "stretch" scales each axis, "crop" scales to cover
            and crops, "pad" crops or pads without scaling, "as is" keeps the size; all centered.
        size: (height, width) or (depth, height, width); None for "as is".
        multiple: "as is" pads each axis at its end to a multiple of this, as the strides of a
            network ask for.

    Example:
        >>> from cutaway.data import Framing
        >>> Framing("letterbox", (64, 64)).geometry((100, 50)).points([50.0, 100.0]).tolist()
        [48.0, 64.0]
        >>> Framing("as is", multiple=16).geometry((30, 33)).output_size
        (32, 48)
    """

    how: str
    size: tuple[int, ...] | None = None
    multiple: int = 1

    def __post_init__(self):
        expect_choice(self.how, HOW, what="framing")
        expect_integer(self.multiple, what="Framing: multiple", least=1)
        if (self.size is None) != (self.how == "as is"):
            raise OptionError(
                f"Framing: {self.how} with size {self.size}",
                expected='a size, or None for "as is"',
            )
        if self.size is not None:
            object.__setattr__(self, "size", expect_sizes(self.size, "size"))

    def geometry(self, input_size) -> Geometry:
        """The Geometry of a picture of this size.

        Raises:
            OptionError: another number of axes than that of `size`.
        """
        geometry = Geometry.of(input_size)
        if self.size is None:
            rest = [-n % self.multiple for n in geometry.input_size]
            return geometry.pad(0, rest) if any(rest) else geometry
        if self.how == "crop":
            expect_sizes(self.size, "size", geometry.axes)
            scale = max(t / n for t, n in zip(self.size, geometry.input_size, strict=True))
            covering = [
                max(t, math.floor(n * scale + 0.5))
                for t, n in zip(self.size, geometry.input_size, strict=True)
            ]
            return geometry.resize(covering).center(self.size)
        if self.how == "pad":
            return geometry.center(self.size)
        return (
            geometry.letterbox(self.size) if self.how == "letterbox" else geometry.resize(self.size)
        )

    def undo_boxes(self, boxes, input_size):
        """Boxes of the framed picture in the pixels of a picture of this size, clipped to it.

        Args:
            boxes: (..., 4) x1 y1 x2 y2.
            input_size: (height, width).
        """
        found = self.geometry(input_size).inverse().boxes(np.asarray(boxes, np.float64))
        height, width = input_size
        return np.clip(found, 0, [width, height, width, height])

    def to_json(self) -> dict:
        """All values, as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict) -> "Framing":
        """The framing that `to_json` returned.

        Raises:
            DataError: `value` is something else.
        """
        try:
            return msgspec.convert(value, type=cls)
        except (msgspec.ValidationError, OptionError) as error:
            raise DataError(
                f"not a framing: {error}", expected="what Framing.to_json returned"
            ) from error

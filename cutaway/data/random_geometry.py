"""Random geometry and light for examples (x, y): the same random numbers for picture and mask."""

import dataclasses
from collections.abc import Callable

import numpy as np

from cutaway.data.coordinate_map import expect_sizes
from cutaway.data.geometry import Geometry, clip_boxes
from cutaway.data.object_crops import moved_crops
from cutaway.data.random_patch import RandomPatch
from cutaway.errors import OptionError, ShapeError, expect_choice, expect_range

ROLES = ("picture", "mask", "boxes", "valid", "frames", "crops", "points", "other")


@dataclasses.dataclass(frozen=True)
class RandomGeometry:
    """A random Geometry for each example: rotation, zoom, shift, turns, flips, crop, deformation.

    Args:
        size: of the output, cropped at a random place; an axis that is smaller is padded, centered.
            None: the size of the input.
        flips: axes that are mirrored with probability 1/2.
        quarter_turns: whether to turn by 0, 90, 180 or 270 degrees in the plane of the last two
            axes; the output must be square there.
        rotation: largest angle in degrees, in the plane of the last two axes.
        zoom: range of the factor by which objects grow; drawn evenly on a logarithmic scale.
        shift: largest shift along each axis, in pixels.
        elastic: standard deviation of the displacements, in pixels; 0: none.
        elastic_points: points of the grid of displacements along each axis.

    References:
        Ronneberger et al. 2015, "U-Net", arXiv:1505.04597, section 3.1, with 3 x 3 points and 10
        pixels.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import RandomGeometry
        >>> augment = RandomGeometry((192, 192), flips=(0, 1), quarter_turns=True, elastic=10)
        >>> augment.draw((512, 512), np.random.default_rng(0)).output_size
        (192, 192)
    """

    size: tuple[int, ...] | None = None
    flips: tuple[int, ...] = ()
    quarter_turns: bool = False
    rotation: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    elastic: float = 0.0
    elastic_points: int = 3

    def __post_init__(self):
        for name, least in (("rotation", 0), ("shift", 0), ("elastic", 0), ("elastic_points", 2)):
            what = f"RandomGeometry: {name}"
            expect_range(getattr(self, name), what=what, least=least, below=float("inf"))
        expect_range(self.zoom[0], what="RandomGeometry: zoom[0]", above=0, most=self.zoom[1])
        if self.size is not None:
            object.__setattr__(self, "size", expect_sizes(self.size, "size"))

    def draw(self, input_size, rng, begin: Geometry | None = None) -> Geometry:
        """A Geometry for an input of this size.

        Args:
            begin: what has been done with the input before; None: nothing.

        Raises:
            OptionError: quarter turns of an output that is not square.
        """
        geometry = Geometry.of(input_size) if begin is None else begin
        axes = geometry.axes
        size = geometry.output_size if self.size is None else self.size
        expect_sizes(size, "size", axes)
        # every number is drawn in every case, so that one option does not change the others
        angle, log_zoom, turns = rng.uniform(-1, 1), rng.uniform(), int(rng.integers(4))
        shifts, corners = rng.uniform(-1, 1, axes), rng.uniform(size=axes)
        flipped = rng.uniform(size=axes) < 0.5
        if self.rotation:
            geometry = geometry.rotate(angle * self.rotation, (axes - 2, axes - 1))
        if self.zoom != (1.0, 1.0):
            low, high = np.log(self.zoom)
            geometry = geometry.zoom(float(np.exp(low + log_zoom * (high - low))))
        if self.shift:
            geometry = geometry.shift(np.rint(shifts * self.shift))
        if size != geometry.output_size:
            rest = np.subtract(geometry.output_size, size)
            start = np.where(rest > 0, np.floor(corners * (rest + 1)), -(-rest // 2))
            geometry = geometry.crop(start, size)
        for axis in self.flips:
            if flipped[axis]:
                geometry = geometry.flip(axis)
        if self.quarter_turns:
            if size[-1] != size[-2]:
                raise OptionError(
                    f"RandomGeometry: quarter turns of an output of size {size}",
                    expected="equal last two axes",
                    fix="set a square size, or quarter_turns=False",
                )
            geometry = geometry.quarter_turns(turns, (axes - 2, axes - 1))
        if self.elastic:
            points = [self.elastic_points] * axes
            geometry = geometry.deform(rng.normal(0, self.elastic, (axes, *points)))
        return geometry


@dataclasses.dataclass(frozen=True)
class RandomLight:
    """Random brightness, contrast and gamma of a picture or a volume of any range.

    With m the mean, s the standard deviation and r the range of the values:

        x <- min + r ((x - min) / r)^g;    x <- c (x - m) + m + b s

    Args:
        brightness: b is drawn from -brightness to brightness.
        contrast: log c is drawn from -contrast to contrast.
        gamma: log g is drawn from -gamma to gamma.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    gamma: float = 0.0

    def __post_init__(self):
        for name in ("brightness", "contrast", "gamma"):
            expect_range(getattr(self, name), what=f"RandomLight: {name}", least=0, most=2)

    def __call__(self, picture, rng) -> np.ndarray:
        """A new array of the same shape and dtype; integers are rounded and clipped."""
        b, c, g = rng.uniform(-1, 1, 3) * (self.brightness, self.contrast, self.gamma)
        whole = picture.dtype.kind in "ui"
        values, counts, x = picture, None, picture.astype(np.float32)
        if picture.dtype == np.uint8:  # a table of 256 values
            counts = np.bincount(picture.ravel(), minlength=256)
            x = np.arange(256, dtype=np.float32)
        present = x if counts is None else x[counts > 0]
        low, high = (present.min(), present.max()) if present.size else (0.0, 0.0)
        if high <= low:
            return picture.copy()
        if g:
            x = low + (high - low) * (np.clip((x - low) / (high - low), 0, 1)) ** np.float32(
                np.exp(g)
            )
        mean = np.average(x, weights=counts)
        deviation = np.sqrt(np.average((x - mean) ** 2, weights=counts))
        x = (np.float32(np.exp(c)) * (x - mean) + (mean + b * deviation)).astype(np.float32)
        if not whole:
            return x.astype(picture.dtype)
        limits = np.iinfo(picture.dtype)
        x = np.clip(np.rint(x), limits.min, limits.max).astype(picture.dtype)
        return x if counts is None else x[values]


@dataclasses.dataclass(frozen=True)
class ExampleAugmentation:
    """Geometry and light for whole examples: a transform of pairs of trees (x, y).

    Args:
        geometry: RandomGeometry.
        x_roles, y_roles: trees like x and y with the role of each array:
            "picture": moved linearly; in x it also gets the light,
            "mask": moved by nearest,
            "boxes": (boxes, 4) x1 y1 x2 y2, moved and clipped,
            "valid": (boxes,) bool of those boxes, false for those of which too little is left,
            "frames" and "crops": (boxes, 4) and (boxes, side, side), see data.object_crops, moved
                and not clipped,
            "points": (..., axes) x before y, moved,
            "other": left as it is.
        light: function (picture, rng) -> picture, such as RandomLight, RandomColor or Compose of
            both; None: none.
        patch: RandomPatch, before the geometry; None: none.
        border: of pictures and masks, "constant" or "mirrored".
        fill: of pictures outside.
        mask_fill: of masks outside: the class of the background, or the id that is ignored.

    Example:
        >>> import numpy as np
        >>> from cutaway.data import ExampleAugmentation, RandomGeometry
        >>> augment = ExampleAugmentation(RandomGeometry(flips=(1,)))
        >>> x, y = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1), np.arange(6).reshape(1, 2, 3)
        >>> x, y = augment(x, y, np.random.default_rng(3))
        >>> bool((x[..., 0] == y).all())
        True
    """

    geometry: RandomGeometry
    x_roles: object = "picture"
    y_roles: object = "mask"
    light: Callable | None = None
    patch: RandomPatch | None = None
    border: str = "constant"
    fill: float = 0.0
    mask_fill: float = 0.0

    def __post_init__(self):
        from jax import tree

        roles = tree.leaves((self.x_roles, self.y_roles))
        for role in roles:
            expect_choice(role, ROLES, what="role of an array")
        if roles.count("crops") != roles.count("frames") or roles.count("crops") > 1:
            raise OptionError(
                f"ExampleAugmentation: the roles {roles}",
                expected='one array "crops" with one "frames"',
            )

    def __call__(self, x, y, rng) -> tuple:
        """The rows of batches x and y, each with its own random numbers."""
        from jax import tree

        rows = len(tree.leaves(x)[0])
        made = []
        for row in range(rows):
            one_x, one_y = tree.map(lambda leaf, row=row: leaf[row], (x, y))
            made.append(self.example(one_x, one_y, rng))
        return tree.map(lambda *leaves: np.stack(leaves), *made) if made else (x, y)

    def example(self, x, y, rng) -> tuple:
        """One example (x, y), without an axis of rows.

        Raises:
            ShapeError: no picture in x, or arrays of other sizes than it.
        """
        from jax import tree

        roles = tree.leaves((self.x_roles, self.y_roles))
        leaves, structure = tree.flatten((x, y))
        if len(leaves) != len(roles):
            raise ShapeError(
                f"ExampleAugmentation: {len(leaves)} arrays in (x, y)",
                expected=f"{len(roles)}, one per role: {(self.x_roles, self.y_roles)}",
            )
        if "picture" not in roles:
            raise OptionError(
                "ExampleAugmentation: no array of (x, y) is a picture",
                expected='at least one role "picture"',
            )
        size = leaves[roles.index("picture")].shape[:-1]
        geometry = self.geometry.draw(size, rng, self._begun(size, roles, leaves, rng))
        light_rng = rng.spawn(1)[0]
        in_x = len(tree.leaves(x))
        kept = None
        for k, role in enumerate(roles):
            leaf = leaves[k]
            if role == "picture":
                leaves[k] = geometry.picture(leaf, border=self.border, fill=self.fill)
                if k < in_x and self.light is not None:
                    leaves[k] = self.light(leaves[k], light_rng)
            elif role == "mask":
                leaves[k] = geometry.mask(leaf, border=self.border, fill=self.mask_fill)
            elif role == "points":
                leaves[k] = geometry.points(leaf).astype(leaf.dtype)
            elif role == "boxes":
                moved, kept = clip_boxes(geometry.boxes(leaf), geometry.output_size)
                # those that are gone, and padding, stay where they are: valid tells
                leaves[k] = np.where(kept[:, None], moved, 0).astype(leaf.dtype)
        if "crops" in roles:
            of_crops, of_frames = roles.index("crops"), roles.index("frames")
            crops, frames = moved_crops(leaves[of_crops], leaves[of_frames], geometry)
            leaves[of_crops], leaves[of_frames] = crops, frames.astype(leaves[of_frames].dtype)
        for k, role in enumerate(roles):
            if role == "valid" and kept is not None:
                leaves[k] = leaves[k] & kept
        return tree.unflatten(structure, leaves)

    def _begun(self, size, roles, leaves, rng) -> Geometry | None:
        """The window of the picture that is taken first."""
        if self.patch is None:
            return None
        boxes = leaves[roles.index("boxes")] if "boxes" in roles else np.zeros((0, 4))
        if "boxes" in roles and "valid" in roles:
            boxes = boxes[leaves[roles.index("valid")]]
        return self.patch.draw(size, boxes, rng)

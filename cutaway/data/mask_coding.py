"""How the values of mask files become class ids: read off the files, kept, and written again."""

import dataclasses
import io
from typing import Annotated, Literal

import msgspec
import numpy as np

from cutaway.data.raw_masks import RawMask, code_color
from cutaway.errors import DataError

DISTINCT = (
    (0, 0, 0), (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48),
    (145, 30, 180), (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212),
    (0, 128, 128), (220, 190, 255), (170, 110, 40), (255, 250, 200), (128, 0, 0),
)  # fmt: skip


Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]


class CodingForm(msgspec.Struct):
    """A MaskCoding as JSON values."""

    form: Literal["ids", "levels", "colors", "threshold"]
    values: list[Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFF)]]
    ignored: list[Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFF)]]
    threshold: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None
    colors: list[tuple[Byte, Byte, Byte]]

    def __post_init__(self):
        known = [*self.values, *self.ignored]
        if len(set(known)) < len(known):
            raise ValueError("two classes of one value")
        if (self.form == "threshold") != (self.threshold is not None):
            raise ValueError(f"the form {self.form!r} with the threshold {self.threshold}")
        if self.threshold is not None and len(self.values) != 2:
            raise ValueError(f"a threshold for {len(self.values)} classes")
        if len(self.colors) < len(self.values):
            raise ValueError(f"{len(self.colors)} colors for {len(self.values)} classes")
        if self.form != "colors" and max(known, default=0) > 65_535:
            raise ValueError(f"the value {max(known)} of a gray mask")


@dataclasses.dataclass(frozen=True)
class MaskCoding:
    """How values of files become class ids, and back.

    Attributes:
        form: "ids": the values are the ids; "levels": each class has a gray level; "colors": each
            has a color, r << 16 | g << 8 | b; "threshold": values above it are class 1.
        values: of the classes, in their order.
        ignored: values of pixels that do not count.
        threshold: of that form.
        colors: of the classes, for drawing and for palettes.
    """

    form: str
    values: list[int]
    ignored: list[int] = dataclasses.field(default_factory=list)
    threshold: int | None = None
    colors: list[tuple[int, int, int]] = dataclasses.field(default_factory=list)

    @property
    def ignore(self) -> int:
        """The id of pixels that do not count: 255, or 65535 with more than 255 classes."""
        return 255 if len(self.values) <= 255 else 65535

    def ids(self, raw: RawMask, path) -> np.ndarray:
        """(height, width) class ids, uint8 (uint16 with more than 255 classes).

        Raises:
            DataError: a value that is not a class, with the file.
        """
        dtype = np.uint8 if self.ignore == 255 else np.uint16
        if self.threshold is not None:
            return (raw.levels() > self.threshold).astype(dtype)
        values = raw.codes() if self.form == "colors" else raw.levels()
        known = np.array([*self.values, *self.ignored])
        ids = np.array([*range(len(self.values)), *[self.ignore] * len(self.ignored)])
        order = np.argsort(known)
        place = np.clip(np.searchsorted(known[order], values), 0, len(known) - 1)
        is_known = known[order][place] == values
        if not is_known.all():
            raise unknown_values(values[~is_known], self, path)
        return ids[order][place].astype(dtype)

    def encoded(self, ids) -> bytes:
        """A PNG file of class ids in the form of the files that were read.

        Ids become a palette image; levels and thresholds a gray one; colors RGB.
        """
        from PIL import Image

        ids = np.asarray(ids)
        skipped = self.ignored[0] if self.ignored else self.ignore
        levels = [0, 255] if self.threshold is not None else self.values
        table = np.full(max(self.ignore, len(levels)) + 1, skipped, np.int64)
        table[: len(levels)] = levels
        values = table[ids]
        if self.form == "colors":
            channels = [(values >> shift) & 255 for shift in (16, 8, 0)]
            image = Image.fromarray(np.stack(channels, -1).astype(np.uint8))
        elif values.max(initial=0) > 255:
            image = Image.fromarray(values.astype(np.uint16))
        else:
            image = Image.fromarray(values.astype(np.uint8))
            if self.form == "ids":
                image.putpalette(self.palette())
        file = io.BytesIO()
        image.save(file, "PNG", optimize=False)
        return file.getvalue()

    def palette(self) -> bytes:
        """768 bytes: the colors of the classes, gray levels behind them."""
        table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        colors = np.array(self.colors[:256], np.uint8).reshape(-1, 3)
        table[: len(colors)] = colors
        return table.tobytes()

    def to_json(self) -> dict:
        """All values, as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict) -> "MaskCoding":
        """The coding that `to_json` returned.

        Raises:
            DataError: `value` is something else.
        """
        try:
            found = msgspec.convert(value, type=CodingForm)
        except msgspec.ValidationError as error:
            raise DataError(
                f"not a mask coding: {error}", expected="what MaskCoding.to_json returned"
            ) from error
        return cls(found.form, found.values, found.ignored, found.threshold, found.colors)


def unknown_values(values, coding: MaskCoding, path) -> DataError:
    distinct = np.unique(values)
    shown = [str(code_color(v) if coding.form == "colors" else int(v)) for v in distinct[:5]]
    more = f" and {len(distinct) - 5:,} more" if len(distinct) > 5 else ""
    kind = "colors" if coding.form == "colors" else "values"
    fix = "add them to the table of classes, or correct the mask"
    if len(distinct) > 20:
        fix = "save the masks without smoothing: nearest neighbor when resizing, PNG, no JPEG"
    if coding.form == "colors":
        known = ", ".join(str(code_color(v)) for v in [*coding.values, *coding.ignored][:8])
    else:
        known = ", ".join(map(str, [*coding.values, *coding.ignored][:12]))
    return DataError(
        f"the mask {path} holds the {kind} {', '.join(shown)}{more}, which are not classes",
        expected=f"the {kind} of the classes: {known}",
        fix=fix,
    )

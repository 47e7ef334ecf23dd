"""What the JSON files of a run hold: a file of another form is damaged."""

import math
from typing import Annotated, Any, NotRequired, TypedDict, TypeVar

import msgspec

from cutaway.data.json_types import Count, Positive, Size
from cutaway.runs.validation_kind import ValidationKind

LARGEST_PIECE = 2**28  # values of a piece that a network takes: 1 GiB
Edge = Annotated[int, msgspec.Meta(ge=1, le=2**16)]  # of a piece, in pixels

T = TypeVar("T")
Scores = dict[str, float | int | str | None]


class Authorship(msgspec.Struct):
    """Of any config.json: who wrote it."""

    format: int | None = None
    cutaway: str = "(unknown version)"


class Config(TypedDict):
    """config.json: data, target, options and network spec."""

    format: int
    cutaway: str
    kind: str
    data: str
    target: str
    task: str
    options: dict[str, Any]  # of the kind
    batch_size: Size
    lr: Positive
    network: dict[str, Any]
    skipped_files: NotRequired[list[str]]  # when the training began
    fingerprint: NotRequired[dict[str, Any]]  # of the data, see data.fingerprint.StoredFingerprint


class Metrics(TypedDict):
    """metrics.json: scores, and how the training went."""

    task: str
    train: Scores
    validation: Scores
    validation_kind: NotRequired[ValidationKind]  # of older versions always "validation"
    test: NotRequired[Scores]
    parameters: Count
    seconds: float
    epochs: Count
    best_epoch: Count | None
    stopped: str | None
    device: str
    precision: str
    waited_for_data: NotRequired[float]
    skipped_files: NotRequired[dict[str, str]]  # why each cannot be read


class Classes(msgspec.Struct):
    """Of preprocessing.json for classifications of files: the classes and their counts."""

    classes: list[str]
    counts: list[Count]

    def __post_init__(self):
        if not 2 <= len(self.classes) == len(self.counts):
            raise ValueError(f"{len(self.classes)} classes and {len(self.counts)} counts")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes of one name")


class PixelClasses(msgspec.Struct):
    """Of preprocessing.json where each pixel or voxel has a class."""

    classes: list[str]
    counts: list[Count]
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)]

    def __post_init__(self):
        if not 2 <= len(self.classes) == len(self.counts) <= 65_535:
            raise ValueError(f"{len(self.classes)} classes and {len(self.counts)} counts")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two classes of one name")


def expect_piece_fits(size, channels: int) -> None:
    """Raise ValueError if pieces of this size (along each axis) are larger than any in use."""
    if math.prod(size) * channels > LARGEST_PIECE:
        pieces = " x ".join(map(str, size))
        raise ValueError(f"pieces of {pieces}, and {channels} channels")


def read_form(value, form: type[T]) -> T:
    """A JSON value as an object of this type.

    Raises:
        ValueError: it is something else; the message says where.
    """
    return msgspec.convert(value, type=form)


def expect_numbers(value) -> None:
    """Raise ValueError if NaN, infinity or an integer of more than 64 bits is in a JSON value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
        elif (isinstance(one, float) and not math.isfinite(one)) or (
            isinstance(one, int) and abs(one) >= 2**63
        ):
            raise ValueError(f"it holds the number {one:.6g}")

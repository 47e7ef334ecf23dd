"""What the JSON files of a run hold: a file of another form is damaged."""

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]
Scores = dict[str, float | int | str | None]


class Stated(msgspec.Struct):
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
    batch_size: Annotated[int, msgspec.Meta(ge=1)]
    lr: float
    network: dict[str, Any]
    skipped_files: NotRequired[list[str]]  # when the training began


class Metrics(TypedDict):
    """metrics.json: scores, and how the training went."""

    task: str
    train: Scores
    validation: Scores
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

"""Texts whose network begins with the body of a known one, which brings its tokenizer."""

import dataclasses

import numpy as np

from cutaway.data.target import TASKS, Target
from cutaway.errors import expect_choice, expect_range
from cutaway.models import pretrained_backbone
from cutaway.models.pretrained import tokenizer_of
from cutaway.runs.networks import DEFAULT_LOSSES
from cutaway.runs.split import kept_back
from cutaway.runs.text import (
    MOST_LENGTH,
    PIECES,
    TextExperiment,
    TextRows,
    as_texts,
    labeled,
    shortened,
)
from cutaway.runs.transfer_options import TransferOptions
from cutaway.runs.transferred import TunedExperiment, prepare_transfer
from cutaway.train.blocks import expect_batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextTransferOptions(TransferOptions):
    """Options of a training on texts that begins with a known body.

    Attributes:
        text: the column of the texts; None: that of free text with the longest ones.
        length: word pieces of a text at most, its end is cut off; None: as many as the longest
            has, at most 256.
        task: "binary", "multiclass" or "regression"; None: as the target looks.
        others: see TransferOptions.
    """

    TUNED_EPOCHS, TUNED_BATCH, TUNED_RATE = 4, 32, 1e-4

    text: str | None = None
    length: int | None = None
    task: str | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.length is not None:
            expect_range(self.length, what="length", least=4)
        if self.task is not None:
            expect_choice(self.task, TASKS, what="task")


class TunedTextPrepared(TunedExperiment, TextExperiment):
    """Texts for fine-tuning: training goes through batches of texts of similar length."""


def prepare_transferred_text(
    path, target: str | None, options: TextTransferOptions, *, why: str = ""
):
    """Read, cut into word pieces and split texts, and put a head on a known body.

    Raises:
        DataError, OptionError: see prepare_text.
        OptionError, RunError: see prepare_transfer.
    """
    known, _ = pretrained_backbone(options.from_, "text")
    tokenizer = tokenizer_of(options.from_)
    found = labeled(path, target, options)
    column, frame, training = found.column, found.frame, found.training
    expect_batch(options.batch(len(training)), len(training))
    length = options.length
    if length is None:
        lengths = tokenizer.encode(as_texts(frame[column][training])).lengths
        length = int(np.clip(lengths.max(), 4, MOST_LENGTH))
    known_rows = frame[training]  # nothing of the held-out rows leaks into what is fitted
    fitted = Target.fit(known_rows[found.target], found.looked.task)
    preprocessing = TextRows(column, PIECES, tokenizer, length, fitted)
    arrays = preprocessing.transform(frame)
    tested, told = kept_back(arrays.x, arrays.y, found.test, "texts")
    task = preprocessing.task
    ready = {
        "kind": "text",
        "source": str(path) if isinstance(path, str) or hasattr(path, "parts") else "a frame",
        "target": found.target,
        "frame": shortened(frame.select(found.target, column), column),
        "preprocessing": preprocessing,
        "training": training,
        "held": found.held,
        "row_numbers": found.rows + 1,
        "x": arrays.x,
        "y": arrays.y,
        "notes": [*found.notes, *arrays.notes, *told],
        "test": tested,
        "why": f"{why} The network is {known.about}, with a new head.".strip(),
    }
    outputs = len(preprocessing.classes) if task == "multiclass" else 1
    return prepare_transfer(ready, options, outputs, DEFAULT_LOSSES[task], TunedTextPrepared)

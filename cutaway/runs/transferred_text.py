"""Transfer learning on texts: a pretrained backbone and its tokenizer."""

import numpy as np

from cutaway.models import pretrained_backbone
from cutaway.models.pretrained import tokenizer_of
from cutaway.runs.experiment import IN_MEMORY
from cutaway.runs.networks import DEFAULT_LOSSES
from cutaway.runs.options.text import TextTransferOptions
from cutaway.runs.split import make_test_set
from cutaway.runs.text import (
    MAX_LENGTH,
    PIECES,
    TextExperiment,
    TextRows,
    as_texts,
    labeled,
    shortened,
)
from cutaway.runs.transferred import FineTuningExperiment, prepare_transfer
from cutaway.train.blocks import expect_batch


class FineTuningTextExperiment(FineTuningExperiment, TextExperiment):
    """Fine-tuning on texts, with batches of texts of similar length."""


def prepare_transferred_text(
    path, target: str | None, options: TextTransferOptions, *, why: str = ""
):
    """Read, tokenize and split texts, and put a new head on a pretrained backbone.

    Raises:
        DataError, OptionError: see prepare_text.
        OptionError, RunError: see prepare_transfer.
    """
    backbone, _ = pretrained_backbone(options.from_, "text")
    tokenizer = tokenizer_of(options.from_)
    found = labeled(path, target, options)
    column, frame, training = found.column, found.frame, found.training
    expect_batch(options.batch(len(training)), len(training))
    length = options.length
    if length is None:
        lengths = tokenizer.encode(as_texts(frame[column][training])).lengths
        length = int(np.clip(lengths.max(), 4, MAX_LENGTH))
    # fitted on the training rows alone: no leakage
    fitted = found.whole.refit(frame[training][found.target])
    preprocessing = TextRows(column, PIECES, tokenizer, length, fitted, found.reading)
    arrays = preprocessing.transform(frame)
    test_set, test_notes = make_test_set(arrays.x, arrays.targets, found.test, "texts")
    task = preprocessing.task
    ready = {
        "kind": "text",
        "source": str(path) if isinstance(path, str) or hasattr(path, "parts") else IN_MEMORY,
        "target": found.target,
        "frame": shortened(frame.select(found.target, column), column),
        "known": (frame.select(found.target, column), training),
        "preprocessing": preprocessing,
        "training": training,
        "validation": found.validation,
        "row_numbers": found.rows + 1,
        "x": arrays.x,
        "y": arrays.targets,
        "notes": [*found.notes, *arrays.notes, *test_notes],
        "test": test_set,
        "why": f"{why} The network is {backbone.about}, with a new head.".strip(),
    }
    outputs = len(preprocessing.class_names()) if task == "multiclass" else 1
    return prepare_transfer(ready, options, outputs, DEFAULT_LOSSES[task], FineTuningTextExperiment)

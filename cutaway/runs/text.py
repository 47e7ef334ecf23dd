"""Labeled texts, from a table or labeled lines: options and preparation for training."""

import dataclasses
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from cutaway.data import (
    TableArrays,
    Tokenizer,
    Tokens,
    TokenStream,
)
from cutaway.data.json_types import Size
from cutaway.data.table_reading import TableReading
from cutaway.data.target import Target
from cutaway.data.text import free_text_columns
from cutaway.data.text_source import read_text_source
from cutaway.data.wordpiece import WordPiece
from cutaway.errors import DataError, OptionError, did_you_mean
from cutaway.files.limits import expect_bytes
from cutaway.nn import seed
from cutaway.runs.decision import DecisionThreshold, decision_json
from cutaway.runs.experiment import IN_MEMORY, Experiment
from cutaway.runs.interval import PredictionInterval, interval_json
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options.text import TextOptions
from cutaway.runs.preprocessing import Preprocessing, Reasons, expect_format
from cutaway.runs.schema import read_form
from cutaway.runs.split import make_test_set, split_table
from cutaway.train.blocks import expect_batch

if TYPE_CHECKING:
    import polars as pl

MAX_LENGTH = 256  # default limit of tokens per text: later ones rarely change the label
MAX_EMPTY = 0.05  # fraction of texts without words that training skips with a note
PIECES = "wordpiece"  # kind of tokens of a pretrained model, which comes with its tokenizer
LARGE = 5_000_000  # parameters, from which on a prediction is slow
SHOWN = 240  # characters of a text in the report


class TextForm(msgspec.Struct):
    """preprocessing.json of texts."""

    column: str
    tokens: Literal["word", "bpe", "character", "wordpiece"]
    length: Size
    target: dict
    tokenizer: str
    interval: PredictionInterval | None = None
    decision: DecisionThreshold | None = None
    reading: TableReading | None = None


class TextRows(Preprocessing):
    """Preprocessing of texts into rows of token ids.

    Attributes:
        column: the text column.
        kind: of the tokens.
        tokenizer: the Tokenizer.
        length: tokens per row; longer texts are truncated, shorter ones padded with 0.
        target: the Target.
        reading: how the columns of a table are read; None: texts did not come from a table.
    """

    headings = ("column", "kind", "preprocessing")

    examples = "texts"

    def __init__(
        self,
        column: str,
        kind: str,
        tokenizer: Tokenizer,
        length: int,
        target: Target,
        reading: TableReading | None = None,
    ):
        self.column = column
        self.kind = kind
        self.tokenizer = tokenizer
        self.length = length
        self.target = target
        self.reading = reading

    @classmethod
    def from_json(cls, value: dict) -> "TextRows":
        expect_format(value, "text")
        found = read_form(value, TextForm)
        target = Target.from_json(found.target)
        kind = WordPiece if found.tokens == PIECES else Tokenizer
        tokenizer = kind.from_json(found.tokenizer)
        rows = cls(found.column, found.tokens, tokenizer, found.length, target, found.reading)
        rows.interval, rows.decision = found.interval, found.decision
        return rows

    def to_json(self) -> dict:
        return {
            "kind": "text",
            "format": 1,
            "column": self.column,
            "tokens": self.kind,
            "length": self.length,
            "target": self.target.to_json(),
            "tokenizer": self.tokenizer.to_json(),
            "interval": interval_json(self.interval),
            "decision": decision_json(self.decision),
            "reading": None if self.reading is None else dataclasses.asdict(self.reading),
        }

    def expect_network(self, spec: dict) -> None:
        super().expect_network(spec)
        if spec.get("tokens", self.tokenizer.size) != self.tokenizer.size:
            raise ValueError(
                f"the network has {spec['tokens']} tokens, the tokenizer {self.tokenizer.size}"
            )

    def read_written(self, source):
        """A table with the text column, labeled lines, or one text per line."""
        labels = None if self.classes is None else [str(name) for name in self.classes]
        found = read_text_source(source, known=self.reading, column=self.column, labels=labels)
        frame, cells, names = found.frame, found.cells, found.names
        if names is None or self.column in frame.columns:
            return frame, cells
        label, text = names  # lines without a header have generic names
        renamed = {text: self.column} | ({label: self.target.name} if label else {})
        return frame.rename(renamed), dataclasses.replace(cells, frame=cells.frame.rename(renamed))

    def used_columns(self, frame):
        return [self.target.name, self.column]

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        """Encode the texts; without a target, a text without words is a row of padding."""
        return self._encoded(frame, np.arange(frame.height) + 1, with_target)

    def transform_numbered(self, frame, numbers):
        return self._encoded(frame, numbers, True)

    def _encoded(self, frame, numbers, with_target: bool) -> TableArrays:
        self._expect_column(frame, self.column)
        empty = without_words(frame[self.column])
        rows, notes = np.arange(frame.height), []
        if with_target:
            self._expect_column(frame, self.target.name)
            known = frame[self.target.name].is_not_null().to_numpy()
            rows = np.flatnonzero(known & ~empty)
            if not known.all():
                notes.append(f"{self.target.name}: skipped {(~known).sum():,} rows without a value")
        if empty.any():
            what = "skipped" if with_target else "no prediction"
            notes.append(f"{self.column}: {_row_list(numbers[empty])} without words, {what}")
        chosen = frame[rows]
        texts = as_texts(chosen[self.column])
        x, truncated = encode_texts(texts, self.tokenizer, self.length, empty[rows])
        if truncated:
            notes.append(
                f"{self.column}: {truncated:,} of {len(rows):,} texts were truncated to "
                f"{self.length} tokens"
            )
        y = self.target.encode(chosen[self.target.name]) if with_target else None
        return TableArrays(x, y, rows, notes)

    def _expect_column(self, frame, name):
        if name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="the columns of the training data: "
                f"texts in {self.column!r}, target in {self.target.name!r}",
                fix=did_you_mean(name, frame.columns),
            )

    def reasons(self, run, x, truth, outputs):
        from cutaway.runs.word_pushes import MOST, MOST_OF_LARGE, words_section

        large = sum(p.size for p in run.net.parameters()) > LARGE
        budget = MOST_OF_LARGE if large else MOST
        body = words_section(run.outputs, self, x, truth, outputs, budget=budget)
        return Reasons([] if body is None else [("Words that push", body)])

    def predictions(self, frame, outputs):
        import polars as pl

        predicted = super().predictions(frame, outputs)
        empty = pl.Series(without_words(frame[self.column]))
        return predicted.with_columns(
            pl.when(empty).then(None).otherwise(pl.col(name)).alias(name)
            for name in predicted.columns
            if name not in frame.columns
        )

    def summary_rows(self) -> list:
        kinds = {
            "word": "words",
            "bpe": "subwords (BPE)",
            "character": "characters",
            PIECES: "word pieces",
        }
        done = (
            f"tokenized into {kinds[self.kind]}: vocabulary {self.tokenizer.size:,}, "
            f"at most {self.length} per text"
        )
        return [(self.column, "text", done), self.target.summary_row()[:3]]


class TextExperiment(Experiment):
    """Experiment on texts, with batches of texts of similar length."""

    def fit_inputs(self, y):
        return (token_stream(self.x[self.training], y[self.training], self.batch_size),), None


def encode_texts(texts: list[str], tokenizer: Tokenizer, length: int, empty):
    """((texts, length) int32 token ids, how many texts were truncated).

    Args:
        empty: (texts,) booleans: those that become a row of padding.
    """
    size = len(texts) * length * np.dtype(np.int32).itemsize
    expect_bytes(size, f"{len(texts):,} texts of {length:,} tokens each are large")
    x = np.zeros((len(texts), length), np.int32)
    worded = np.flatnonzero(~empty)
    if not len(worded):
        return x, 0
    with warnings.catch_warnings(action="ignore"):  # a note reports truncated texts
        tokens = tokenizer.encode([texts[k] for k in worded], most_tokens=length)
    x[worded, : tokens.ids.shape[1]] = tokens.ids
    return x, tokens.truncated


def token_stream(x, y, batch_size: int, weights=None) -> TokenStream:
    """The stream that trains on encoded texts.

    Args:
        x: (texts, length) token ids.
        y: (texts, ...) targets.
        batch_size: of the training.
        weights: (texts,) of the texts; None: all count equally.
    """
    lengths = (x != 0).sum(axis=1)
    tokens = Tokens(x, lengths.astype(np.int32), 0, 0)
    return TokenStream(tokens, y, block_rows=8 * batch_size, weights=weights)


def prepare_text(
    path, target: str | None = None, options: TextOptions | None = None, *, why: str = ""
) -> Experiment:
    """Read, tokenize and split texts, and build a network for them.

    Args:
        path: a table, or a file whose lines each hold a label, a tab and a text; or a frame.
        target: the column to predict; not needed for labeled lines.

    Raises:
        DataError: no texts, no such column, many texts without words, only one class.
        OptionError: no target for a table.
    """
    options = TextOptions() if options is None else options
    found = labeled(path, target, options)
    frame, column, target, training = found.frame, found.column, found.target, found.training
    expect_batch(options.batch(len(training)), len(training))
    train_frame = frame[training]  # fitted on the training rows alone: no leakage
    fitted = found.whole.refit(train_frame[target])
    tokenizer, length = fit_tokenizer(as_texts(train_frame[column]), options)
    preprocessing = TextRows(column, options.tokens, tokenizer, length, fitted, found.reading)
    arrays = preprocessing.transform(frame)
    test_set, test_notes = make_test_set(arrays.x, arrays.targets, found.test, "texts")
    seed(options.seed)
    spec = text_spec(
        options, preprocessing.tokenizer.size, preprocessing.task, preprocessing.outputs
    )
    return TextExperiment(
        kind="text",
        source=str(path) if isinstance(path, str | Path) else IN_MEMORY,
        target=target,
        options=options,
        frame=shortened(frame.select(target, column), column),
        preprocessing=preprocessing,
        training=training,
        validation=found.validation,
        row_numbers=found.rows + 1,
        x=arrays.x,
        y=arrays.targets,
        spec=spec,
        net=build_network(spec),
        notes=[*found.notes, *arrays.notes, *test_notes],
        test=test_set,
        why=why,
        known=(frame.select(target, column), training),
    )


def text_spec(options: TextOptions, tokens: int, task: str, outputs: int) -> dict:
    """The spec of the network for texts: JSON values, for `build_network`.

    Args:
        tokens: size of the vocabulary.
        outputs: of the network.
    """
    return {
        "model": f"text_{options.model}",
        "loss": DEFAULT_LOSSES[task],
        "tokens": tokens,
        "outputs": outputs,
        "dropout": options.dropout,
    }


@dataclasses.dataclass(frozen=True)
class Labeled:
    """Texts with their targets, and the split. Made by `labeled`.

    Attributes:
        frame: the usable rows.
        rows: their indices in the source.
        column, target: the columns of the texts and of the target.
        whole: the Target, fitted on all rows.
        training, validation, test: row indices.
        notes: messages about the data.
        reading: how the columns of a table are read, or None.
    """

    frame: "pl.DataFrame"
    rows: np.ndarray
    column: str
    target: str
    whole: Target
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: list
    reading: TableReading | None = None


def labeled(path, target, options) -> Labeled:
    """Read texts, skip unusable rows, and split the others. Raises: see prepare_text."""
    read = read_text_source(path, column=options.text or target, **options.reading())
    frame = read.frame
    column, target = _columns(frame, read.names, target, options)
    notes = [*(read.cells.notes if read.reading is None else read.reading.notes(read.cells))]
    unused = [name for name in frame.columns if name not in (column, target)]
    if unused:
        notes.append(f"not used: {', '.join(unused)}")
    empty = without_words(frame[column])
    if empty.mean() > MAX_EMPTY:
        raise DataError(
            f"{column}: {_row_list(np.flatnonzero(empty) + 1)} of {len(empty):,} without words",
            expected=f"words in at least {1 - MAX_EMPTY:.0%} of the texts; a few rows without "
            "words would be skipped",
            fix="remove these rows, or choose another column: text=... (--text COLUMN)",
        )
    whole = Target.fit(frame[target].filter(~_mask(empty)), options.task)
    if empty.any():
        notes.append(f"{column}: {_row_list(np.flatnonzero(empty) + 1)} without words, skipped")
    rows = np.flatnonzero(~empty & frame[target].is_not_null().to_numpy())
    total, frame = frame.height, frame[rows]
    y = whole.encode(frame[target])
    split = split_table(
        frame,
        y,
        options,
        stratify=whole.task != "regression",
        numbers=rows + 1,
        total=total,
    )
    notes = [*whole.notes, *notes, *split.notes]
    sets = split.training, split.validation, split.test
    return Labeled(frame, rows, column, target, whole, *sets, notes, read.reading)


def as_texts(series) -> list:
    """Values as strings; missing ones are empty."""
    import polars as pl

    return series.cast(pl.String).fill_null("").to_list()


def without_words(series) -> np.ndarray:
    """(rows,) booleans: whether each text is missing, empty or blank."""
    return np.array([not text.strip() for text in as_texts(series)], bool)


def _columns(frame, names, target, options):
    """(text column, target column)."""
    if names is not None and names[0] is None:
        raise DataError(
            "the lines have no labels",
            expected="a label, a tab and a text in every line, or a table",
            fix="add labels, or train a language model: kind='language' (--kind language)",
        )
    if target is None:
        if names is None:
            raise OptionError(
                "no target was given",
                expected="the column to predict",
                fix="name it: target=... (--target COLUMN), one of " + ", ".join(frame.columns),
            )
        target = names[0]
    for name in (target, options.text):
        if name is not None and name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="a column of the data",
                fix=did_you_mean(name, frame.columns),
            )
    if options.text == target:
        raise OptionError(
            f"{target!r} is both the text and the target", expected="two different columns"
        )
    if options.text is not None:
        return options.text, target
    found = [names[1]] if names else free_text_columns(frame, ignore=(target,))
    if not found or found[0] == target:
        raise DataError(
            "no column holds free text",
            expected="texts of several words, most of them different",
            fix="name the column: text=... (--text COLUMN)",
        )
    return found[0], target


def fit_tokenizer(texts: list[str], options: TextOptions) -> tuple[Tokenizer, int]:
    """(tokenizer of these training texts, tokens per row)."""
    tokenizer = Tokenizer.train(texts, kind=options.tokens, size=options.vocabulary)
    length = options.length
    if length is None:
        lengths = np.sort(tokenizer.encode(texts).lengths)
        length = min(MAX_LENGTH, int(lengths[math.ceil(0.99 * len(lengths)) - 1]))
    return tokenizer, length


def _row_list(numbers) -> str:
    """How many rows, and which: "3 rows (rows 2, 17, 40)"."""
    shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    return f"{len(numbers):,} rows (rows {shown})" if len(numbers) > 1 else f"1 row (row {shown})"


def _mask(values):
    import polars as pl

    return pl.Series(values)


def shortened(frame, column):
    """The frame with long texts abbreviated, for the report."""
    import polars as pl

    text = pl.col(column)
    return frame.with_columns(
        pl.when(text.str.len_chars() > SHOWN)
        .then(text.str.slice(0, SHOWN) + " ...")
        .otherwise(text)
        .alias(column)
    )

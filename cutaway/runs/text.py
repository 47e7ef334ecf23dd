"""Texts that have a class or a value: from a table or labeled lines to data ready to train on."""

import dataclasses
import math
import warnings
from pathlib import Path

import numpy as np

from cutaway.data import (
    TableArrays,
    Tokenizer,
    Tokens,
    TokenStream,
    read_table,
    read_text,
)
from cutaway.data.read import SUFFIXES
from cutaway.data.target import TASKS, Target
from cutaway.data.text import free_text_columns, labeled_lines
from cutaway.data.tokenizer import KINDS
from cutaway.data.wordpiece import WordPiece
from cutaway.errors import DataError, OptionError, did_you_mean, expect_choice, expect_range
from cutaway.models import TEXT_MODELS
from cutaway.nn import seed
from cutaway.runs.experiment import Experiment
from cutaway.runs.networks import DEFAULT_LOSSES, build_network
from cutaway.runs.options import TrainingOptions
from cutaway.runs.preprocessing import Preprocessing, expect_format
from cutaway.runs.split import kept_back, split_validation
from cutaway.train.blocks import expect_batch

MOST_LENGTH = 256  # tokens of a text by default: what comes later rarely changes what it says
MOST_EMPTY = 0.05  # share of texts without words that training leaves out with a note
RATES = {"bag": 5e-3, "lstm": 1e-3, "transformer": 1e-3}  # of AdamW
PIECES = "wordpiece"  # tokens of a known network, which brings its tokenizer
SHOWN = 240  # characters of a text in the report


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextOptions(TrainingOptions):
    """Options of a training on texts; None lets the data decide.

    Attributes:
        model: "bag", "lstm" or "transformer", see models.text.
        text: the column of the texts; None: that of free text with the longest ones.
        tokens: what a text is cut into: "word", "bpe" (parts of words) or "character".
        vocabulary: different tokens at most, the most frequent ones.
        length: tokens of a text at most, its end is cut off; None: as many as 99 of 100 texts
            have, at most 256.
        task: "binary", "multiclass" or "regression"; None: as the target looks.
        others: see TrainingOptions.
    """

    LEAST_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 700, 10, 60
    LEAST_BATCH, MOST_BATCH = 32, 64

    weight_decay: float = 0.1
    dropout: float = 0.3
    model: str = "bag"
    text: str | None = None
    tokens: str = "word"
    vocabulary: int = 20_000
    length: int | None = None
    task: str | None = None

    def __post_init__(self):
        super().__post_init__()
        expect_choice(self.model, TEXT_MODELS, what="model for texts")
        expect_choice(self.tokens, KINDS, what="kind of tokens")
        expect_range(self.vocabulary, what="vocabulary", least=258 if self.tokens == "bpe" else 3)
        if self.length is not None:
            expect_range(self.length, what="length", least=1)
        if self.task is not None:
            expect_choice(self.task, TASKS, what="task")

    ADAPTIVE_RATE = property(lambda self: RATES[self.model])


class TextRows(Preprocessing):
    """How texts become rows of token numbers, and what is said about them.

    Attributes:
        column: the column of the texts.
        kind: of the tokens.
        tokenizer: the Tokenizer.
        length: tokens of a row; longer texts lose their end, shorter ones are filled up with 0.
        target: the Target.
    """

    headings = ("column", "kind", "what is done with it")

    examples = "texts"

    def __init__(self, column: str, kind: str, tokenizer: Tokenizer, length: int, target: Target):
        self.column = column
        self.kind = kind
        self.tokenizer = tokenizer
        self.length = length
        self.target = target

    @classmethod
    def from_json(cls, value: dict) -> "TextRows":
        expect_format(value, "text")
        return cls(
            value["column"],
            value["tokens"],
            (WordPiece if value["tokens"] == PIECES else Tokenizer).from_json(value["tokenizer"]),
            value["length"],
            Target.from_json(value["target"]),
        )

    def to_json(self) -> dict:
        return {
            "kind": "text",
            "format": 1,
            "column": self.column,
            "tokens": self.kind,
            "length": self.length,
            "target": self.target.to_json(),
            "tokenizer": self.tokenizer.to_json(),
        }

    def read(self, source):
        """A table with the column of the texts, labeled lines, or a text a line."""
        frame, names = read_rows(source)
        if names is None or self.column in frame.columns:
            return frame
        label, text = names  # of lines without a header the names say nothing
        return frame.rename({text: self.column} | ({label: self.target.name} if label else {}))

    def transform(self, frame, *, with_target: bool = True) -> TableArrays:
        """Without a target, a text without words is a row of padding, which gets no prediction."""
        self._expect_column(frame, self.column)
        empty = without_words(frame[self.column])
        rows, notes = np.arange(frame.height), []
        if with_target:
            self._expect_column(frame, self.target.name)
            known = frame[self.target.name].is_not_null().to_numpy()
            rows = np.flatnonzero(known & ~empty)
            if not known.all():
                notes.append(f"{self.target.name}: {(~known).sum():,} rows without it, left out")
        if empty.any():
            what = "left out" if with_target else "without a prediction"
            notes.append(f"{self.column}: {_named(empty)} without words, {what}")
        chosen = frame[rows]
        x, truncated = self._encode(chosen[self.column], empty[rows])
        if truncated:
            notes.append(
                f"{self.column}: {truncated:,} of {len(rows):,} texts are longer than "
                f"{self.length} tokens; their ends were cut off"
            )
        y = self.target.encode(chosen[self.target.name]) if with_target else None
        return TableArrays(x, y, rows, notes)

    def _encode(self, series, empty):
        x = np.zeros((len(series), self.length), np.int32)
        worded = np.flatnonzero(~empty)
        if not len(worded):
            return x, 0
        texts = as_texts(series)
        with warnings.catch_warnings(action="ignore"):  # a note says what lost its end
            found = self.tokenizer.encode([texts[k] for k in worded], most_tokens=self.length)
        x[worded, : found.ids.shape[1]] = found.ids
        return x, found.truncated

    def _expect_column(self, frame, name):
        if name not in frame.columns:
            raise DataError(
                f"there is no column {name!r}",
                expected="the columns of training: "
                f"the texts in {self.column!r}, the target in {self.target.name!r}",
                fix=did_you_mean(name, frame.columns),
            )

    def predictions(self, frame, outputs):
        import polars as pl

        told = super().predictions(frame, outputs)
        empty = pl.Series(without_words(frame[self.column]))
        return told.with_columns(
            pl.when(empty).then(None).otherwise(pl.col(name)).alias(name)
            for name in told.columns[frame.width :]
        )

    def summary_rows(self) -> list:
        kinds = {
            "word": "words",
            "bpe": "parts of words",
            "character": "characters",
            PIECES: "word pieces",
        }
        done = (
            f"cut into {kinds[self.kind]}, {self.tokenizer.size:,} different ones; "
            f"at most {self.length} of each text"
        )
        return [(self.column, "text", done), self.target.summary_row()[:3]]


class TextExperiment(Experiment):
    """Prepared texts: training goes through batches of texts of similar length."""

    def _inputs(self, y):
        x = self.x[self.training]
        lengths = (x != 0).sum(axis=1)
        tokens = Tokens(x, lengths.astype(np.int32), 0, 0)
        return (TokenStream(tokens, y[self.training], block_rows=8 * self.batch_size),), None


def prepare_text(
    path, target: str | None = None, options: TextOptions | None = None, *, why: str = ""
) -> Experiment:
    """Read, cut into tokens and split texts, and build the network for them.

    Args:
        path: a table, or a file of lines that each hold a label, a tab and a text; or a frame.
        target: the column to predict; labeled lines need none.

    Raises:
        DataError: no texts, no such column, many texts without words, nothing to tell apart.
        OptionError: no target for a table.
    """
    options = TextOptions() if options is None else options
    found = labeled(path, target, options)
    frame, column, target, training = found.frame, found.column, found.target, found.training
    expect_batch(options.batch(len(training)), len(training))
    known = frame[training]  # nothing of the held-out rows leaks into what is fitted
    preprocessing = _fit(known, column, Target.fit(known[target], found.looked.task), options)
    arrays = preprocessing.transform(frame)
    tested, told = kept_back(arrays.x, arrays.y, found.test, "texts")
    seed(options.seed)
    task = preprocessing.task
    spec = {
        "model": f"text_{options.model}",
        "loss": DEFAULT_LOSSES[task],
        "tokens": preprocessing.tokenizer.size,
        "outputs": len(preprocessing.classes) if task == "multiclass" else 1,
        "dropout": options.dropout,
    }
    return TextExperiment(
        kind="text",
        source=str(path) if isinstance(path, str | Path) else "a frame",
        target=target,
        options=options,
        frame=shortened(frame.select(target, column), column),
        preprocessing=preprocessing,
        training=training,
        held=found.held,
        row_numbers=found.rows + 1,
        x=arrays.x,
        y=arrays.y,
        spec=spec,
        net=build_network(spec),
        notes=[*found.notes, *arrays.notes, *told],
        test=tested,
        why=why,
    )


@dataclasses.dataclass(frozen=True)
class Labeled:
    """Texts with their targets, and which are held out. Made by `labeled`.

    Attributes:
        frame: the rows that can be used; rows: their numbers in the source, from 0.
        column, target: the columns of the texts and of what is predicted.
        looked: the Target, fitted on all rows.
        training, held, test: indices of the rows.
        notes: what was noticed.
    """

    frame: object
    rows: np.ndarray
    column: str
    target: str
    looked: Target
    training: np.ndarray
    held: np.ndarray
    test: np.ndarray
    notes: list


def labeled(path, target, options) -> Labeled:
    """Read texts, leave out what cannot be used, and hold some out. Raises: see prepare_text."""
    frame, names = read_rows(path)
    column, target = _columns(frame, names, target, options)
    notes = []
    unused = [name for name in frame.columns if name not in (column, target)]
    if unused:
        notes.append(f"not used: {', '.join(unused)}")
    empty = without_words(frame[column])
    if empty.mean() > MOST_EMPTY:
        raise DataError(
            f"{column}: {_named(empty)} of {len(empty):,} without words",
            expected=f"words in at least {1 - MOST_EMPTY:.0%} of the texts; fewer without would "
            "be left out",
            fix="remove these rows, or choose another column: text=... (--text NAME)",
        )
    looked = Target.fit(frame[target].filter(~_mask(empty)), options.task)
    if empty.any():
        notes.append(f"{column}: {_named(empty)} without words, left out")
    rows = np.flatnonzero(~empty & frame[target].is_not_null().to_numpy())
    frame = frame[rows]
    y = looked.encode(frame[target])
    training, held, test = split_validation(y, options, stratify=looked.task != "regression")
    notes = [*looked.notes, *notes]
    return Labeled(frame, rows, column, target, looked, training, held, test, notes)


def read_rows(source):
    """(frame, (label, text)): the names of its columns if it is lines, else None.

    The label is None for lines without one.
    """
    import polars as pl

    if not isinstance(source, str | Path):
        return read_table(source), None
    path = Path(source)
    frame = labeled_lines(path)
    if frame is not None:
        return frame, tuple(frame.columns)
    name = path.name.lower()
    if name.endswith(SUFFIXES) and not name.endswith(".txt"):
        return read_table(path), None
    return pl.DataFrame({"text": read_text(path).rstrip("\n").split("\n")}), (None, "text")


def as_texts(series) -> list:
    """Values as texts; a missing one is empty."""
    import polars as pl

    return series.cast(pl.String).fill_null("").to_list()


def without_words(series) -> np.ndarray:
    """(rows,) booleans: which texts are missing, empty or blank."""
    return np.array([not text.strip() for text in as_texts(series)], bool)


def _columns(frame, names, target, options):
    """Names of the columns of the texts and of the target."""
    if names is not None and names[0] is None:
        raise DataError(
            "these lines have no labels",
            expected="a label, a tab and a text in every line, or a table",
            fix="add labels, or train a model of language on the text",
        )
    if target is None:
        if names is None:
            raise OptionError(
                "no target was named",
                expected="the column to predict",
                fix="name it: target=... (--target NAME); there are " + ", ".join(frame.columns),
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
            fix="name the column: text=... (--text NAME)",
        )
    return found[0], target


def _fit(frame, column, target, options) -> TextRows:
    texts = as_texts(frame[column])
    tokenizer = Tokenizer.train(texts, kind=options.tokens, size=options.vocabulary)
    length = options.length
    if length is None:
        lengths = np.sort(tokenizer.encode(texts).lengths)
        length = min(MOST_LENGTH, int(lengths[math.ceil(0.99 * len(lengths)) - 1]))
    return TextRows(column, options.tokens, tokenizer, length, target)


def _named(empty) -> str:
    """How many rows, and which: "3 rows (2, 17, 40)"."""
    found = np.flatnonzero(empty) + 1
    shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
    return f"{len(found):,} rows (row {shown})" if len(found) > 1 else f"1 row (row {shown})"


def _mask(values):
    import polars as pl

    return pl.Series(values)


def shortened(frame, column):
    import polars as pl

    text = pl.col(column)
    return frame.with_columns(
        pl.when(text.str.len_chars() > SHOWN)
        .then(text.str.slice(0, SHOWN) + " ...")
        .otherwise(text)
        .alias(column)
    )

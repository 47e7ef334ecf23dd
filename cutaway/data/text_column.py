"""A text in a column of a table, as the ids of its words."""

import dataclasses

import numpy as np

from cutaway.data.json_types import Size
from cutaway.data.tokenizer import Tokenizer
from cutaway.errors import DataError

VOCABULARY = 5000  # most words of a column
LEAST_COUNT = 2  # rows with a word, so that something can be learned of it
LONGEST = 64  # words of a text that are read
USUAL = 0.99  # fraction of the texts that are read whole


@dataclasses.dataclass(frozen=True)
class TextColumn:
    """A text column of a table: word ids, padded with 0; the network learns a vector per word.

    Attributes:
        name: the column.
        tokenizer: a Tokenizer of the words of the training rows, as JSON.
        length: words of a text that are read; the number of columns of x.
    """

    name: str
    tokenizer: str
    length: Size
    kind: str = "text"

    def __post_init__(self):
        try:
            words = Tokenizer.from_json(self.tokenizer)
        except DataError as error:
            raise ValueError(f"the words of {self.name!r}: {error.came}") from error
        object.__setattr__(self, "_words", words)  # read once, not for each table

    @classmethod
    def fit(cls, series):
        _, texts = _worded(series)
        words = Tokenizer.train(
            texts or ["-"], kind="word", size=VOCABULARY, least_count=LEAST_COUNT
        )
        lengths = np.sort(words.encode(texts or ["-"], most_tokens=LONGEST).lengths)
        usual = int(lengths[int(np.ceil(USUAL * len(lengths))) - 1])
        return cls(series.name, words.to_json(), usual)

    @property
    def names(self):
        return [f"{self.name} word {k + 1}" for k in range(self.length)]

    @property
    def tokens(self) -> int:
        """Size of the vocabulary, with padding and the unknown word."""
        return self._tokenizer.size

    @property
    def _tokenizer(self) -> Tokenizer:
        return vars(self)["_words"]

    def encode(self, series, notes):
        rows, texts = _worded(series)
        ids = np.zeros((len(series), self.length))
        if texts:
            found = self._tokenizer.encode(texts, most_tokens=self.length).ids
            ids[rows, : found.shape[1]] = found
        return list(ids.T)

    def summary(self) -> str:
        return f"the first {self.length} words, of {self.tokens - 2:,} known ones"


def _worded(series) -> tuple[np.ndarray, list[str]]:
    """(indices of the rows with words, their texts)."""
    import polars as pl

    texts = series.cast(pl.String)
    rows = texts.str.contains(r"\S").fill_null(False).arg_true()
    return rows.to_numpy(), texts.gather(rows).to_list()

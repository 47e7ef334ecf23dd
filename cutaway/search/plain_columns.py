"""Columns of a table as trees take them: numbers as they are, categories as codes."""

import dataclasses
from typing import Any

import numpy as np

from cutaway.data import TablePreprocessing
from cutaway.data.columns import clean
from cutaway.data.encoders import Category, EmbeddedCategory
from cutaway.data.text_column import TextColumn

MOST_WORDS = 1000  # columns of TF-IDF per text: trees take no sparse columns


@dataclasses.dataclass(frozen=True)
class PlainColumns:
    """The columns that a fitted TablePreprocessing uses, without its scaling. Made by `fit`.

    Numbers stay as they are, with NaN where one is missing. A category is the number of its level,
    NaN if it is missing or was not seen in fitting. A text is TF-IDF of its words. Everything else,
    such as a date, is encoded by the preprocessing.

    Attributes:
        rows: the preprocessing.
        vectorizers: {text column: its fitted TfidfVectorizer}.
    """

    rows: TablePreprocessing
    vectorizers: dict[str, Any]

    @classmethod
    def fit(cls, rows: TablePreprocessing, frame, *, with_texts: bool = True) -> "PlainColumns":
        """For the rows that the preprocessing was fitted on.

        Args:
            with_texts: whether texts become columns; otherwise they are left out.
        """
        vectorizers = {}
        for encoder in rows.texts if with_texts else []:
            from sklearn.feature_extraction.text import TfidfVectorizer

            vectorizer = TfidfVectorizer(max_features=MOST_WORDS)
            vectorizers[encoder.name] = vectorizer.fit(_texts(frame[encoder.name]))
        return cls(rows, vectorizers)

    def transform(self, frame) -> tuple[np.ndarray, np.ndarray]:
        """((rows, columns) float64, (columns,) whether each holds the levels of a category)."""
        columns, is_category = [], []
        kinds = {column.name: column.kind for column in self.rows.columns}
        for encoder in self.rows.encoders:
            series = frame[encoder.name]
            if isinstance(encoder, TextColumn):
                found = self._words(encoder.name, series)
            elif isinstance(encoder, Category | EmbeddedCategory):
                found = [_codes(encoder, series)]
            elif kinds[encoder.name] == "number" and series.dtype.is_numeric():
                found = [clean(series).cast(float).fill_null(np.nan).to_numpy()]
            else:
                found = [np.asarray(column, np.float64) for column in encoder.encode(series, [])]
            columns += found
            is_category += [isinstance(encoder, Category | EmbeddedCategory)] * len(found)
        return np.stack(columns, axis=1).astype(np.float64), np.array(is_category)

    def _words(self, name: str, series) -> list[np.ndarray]:
        if name not in self.vectorizers:
            return []
        return list(self.vectorizers[name].transform(_texts(series)).toarray().T)


def _texts(series) -> list[str]:
    return ["" if text is None else str(text) for text in series.to_list()]


def _codes(encoder, series) -> np.ndarray:
    """The number of each row's level; NaN if there is none."""
    encoded = encoder.encode(series, [])
    if isinstance(encoder, EmbeddedCategory):
        codes = np.asarray(encoded[0], np.float64) - 1
        return np.where(codes < 0, np.nan, codes)
    levels = np.stack(encoded, axis=1)[:, : len(encoder.levels)]  # without that for missing ones
    return np.where(levels.any(axis=1), levels.argmax(axis=1), np.nan)

"""Texts: TextClassifier and TextRegressor, by scikit-learn's conventions."""

from typing import Any

import numpy as np

from cutaway.data.pandas_frames import is_pandas
from cutaway.errors import DataError, counted
from cutaway.estimators.base import NetworkEstimator
from cutaway.estimators.classes import ClassEstimator
from cutaway.estimators.inputs import is_frame
from cutaway.estimators.quantities import NumberEstimator
from cutaway.runs.options.text import TextOptions
from cutaway.runs.text import encode_texts, fit_tokenizer, text_spec, token_stream

MANY_SHOWN = 5


class TextEstimator(NetworkEstimator):
    """Base class of the estimators for texts."""

    x_dtype = np.int32

    def __init__(
        self,
        model="bag",
        *,
        tokens="word",
        vocabulary=20_000,
        max_length=None,
        dropout=0.3,
        optimizer="adamw",
        lr=None,
        schedule="cosine",
        weight_decay=0.1,
        batch_size=None,
        max_iter=None,
        validation_fraction=0.2,
        n_iter_no_change=None,
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        self.model = model
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.dropout = dropout
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _read(self, X, y, *, reset):
        texts = texts_of(X, type(self).__name__)
        return texts, self._checked_target(texts, y)

    def _fit_inputs(self, rows, training, options):
        self.tokenizer_, self.length_ = fit_tokenizer(rows.x[training].tolist(), options)

    def _encode(self, x):
        empty = np.zeros(len(x), bool)
        return encode_texts(x.tolist(), self.tokenizer_, self.length_, empty)[0]

    def _encoded(self, X):
        return self._encode(texts_of(X, type(self).__name__))

    def _options(self, seed, rows):
        return TextOptions(
            model=self.model,
            tokens=self.tokens,
            vocabulary=self.vocabulary,
            length=self.max_length,
            **self._common_options(seed, rows),
        )

    def _spec_of(self, options, target):
        return text_spec(options, self.tokenizer_.size, target.task, target.outputs)

    def _fit_arguments(self, x, y, weights, options):
        differ = (weights != weights[0]).any()
        batch_size = options.batch(len(x))
        return (token_stream(x, y, batch_size, weights if differ else None),), {}

    def _names(self, x):
        return [self.tokenizer_.decode([int(token)]) if token else "" for token in x[0]]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


class TextClassifier(ClassEstimator, TextEstimator):
    """A network that predicts classes of texts, as a scikit-learn estimator.

    The texts are tokenized as `cutaway train` tokenizes a table of texts. With the same random seed
    the network is the one that it trains.

    Args:
        model: "bag" (of embeddings, which ignores word order), "lstm" or "transformer".
        tokens: kind of tokens: "word", "bpe" (subwords) or "character".
        vocabulary: maximum vocabulary size; the most frequent tokens are kept.
        max_length: maximum tokens per text, longer texts are truncated; None: the 99th percentile
            of the lengths, at most 256.
        dropout: fraction of hidden units dropped in training.
        others: see Classifier.

    Attributes:
        tokenizer_: the cutaway.data.Tokenizer, trained on the training texts.
        length_: tokens per text.
        others: see Classifier, without n_features_in_ and feature_names_in_.

    Example:
        >>> import cutaway as ct
        >>> texts = ["a fine day", "what a fine film", "a bad day", "what a bad film"] * 10
        >>> model = ct.TextClassifier(max_iter=20, random_state=0)
        >>> model.fit(texts, ["good", "good", "poor", "poor"] * 10).predict(["a bad book"]).tolist()
        ['poor']
    """

    def __init__(
        self,
        model="bag",
        *,
        tokens="word",
        vocabulary=20_000,
        max_length=None,
        dropout=0.3,
        optimizer="adamw",
        lr=None,
        schedule="cosine",
        weight_decay=0.1,
        batch_size=None,
        max_iter=None,
        validation_fraction=0.2,
        n_iter_no_change=None,
        class_weight=None,
        random_state=None,
        warm_start=False,
        verbose=False,
    ):
        super().__init__(
            model,
            tokens=tokens,
            vocabulary=vocabulary,
            max_length=max_length,
            dropout=dropout,
            optimizer=optimizer,
            lr=lr,
            schedule=schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_iter=max_iter,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.class_weight = class_weight


class TextRegressor(NumberEstimator, TextEstimator):
    """A network that predicts a number from a text, as a scikit-learn estimator.

    The target is standardized; the loss is the mean squared error.

    Args:
        others: see TextClassifier, without class_weight.

    Attributes:
        validation_scores_: validation R² of each epoch; None if no rows validated.
        others: see TextClassifier, without classes_.

    Example:
        >>> import cutaway as ct
        >>> texts = ["a fine day", "a fair day", "a bad day"] * 15
        >>> model = ct.TextRegressor(max_iter=40, random_state=0).fit(texts, [5, 3, 1] * 15)
        >>> bool(model.predict(["a fine day"])[0] > model.predict(["a bad day"])[0] + 2)
        True
    """


def texts_of(X, name: str) -> np.ndarray:
    """(rows,) object array of str, from a list, an array or a series of texts.

    Args:
        X: what an estimator was given; one column of a frame or an array counts as a series.
        name: of the estimator.

    Raises:
        DataError: no texts, or texts without words.
    """
    expected = "a list, an array or a series of texts, one per row"
    if isinstance(X, str | bytes):
        came = f"{name} got one {'text' if isinstance(X, str) else 'bytes'}, not several"
        raise DataError(came, expected=expected, fix="pass [text]")
    if is_frame(X) or is_pandas(X) or hasattr(X, "to_list"):
        X = X.to_numpy()
    cells: Any = np.asarray(X) if isinstance(X, np.ndarray) else _objects(X, name, expected)
    if cells.ndim == 2 and cells.shape[1] == 1:
        cells = cells[:, 0]
    if cells.ndim != 1 or cells.dtype.kind not in "OUT":
        raise DataError(
            f"{name} got {cells.dtype} of shape {cells.shape}",
            expected=expected,
            fix="for a table use ct.Classifier or ct.Regressor; of a table with a column of texts "
            'pass that column: X["text"]',
        )
    if not len(cells):
        raise DataError(f"{name} got no texts", expected=expected)
    _expect_words(cells.tolist(), name, expected)
    found = np.empty(len(cells), object)
    found[:] = [str(text) for text in cells.tolist()]
    return found


def _objects(X, name: str, expected: str) -> np.ndarray:
    if not hasattr(X, "__len__") or not hasattr(X, "__getitem__") or isinstance(X, dict):
        raise DataError(f"{name} got a {type(X).__name__}", expected=expected)
    if len(X) and all(isinstance(row, list | tuple | np.ndarray) for row in X):
        return np.asarray(X)  # a table as lists
    found = np.empty(len(X), object)
    found[:] = list(X)
    return found


def _expect_words(cells: list, name: str, expected: str) -> None:
    """Raise DataError unless all are texts with words."""
    others = [k for k, cell in enumerate(cells) if not isinstance(cell, str)]
    missing = [k for k in others if cells[k] is None or cells[k] != cells[k]]
    if others and len(missing) < len(others):
        k = next(k for k in others if k not in missing)
        raise DataError(
            f"{name}: row {k} is {cells[k]!r}, {_kind(cells[k])}",
            expected=expected,
            fix="for numbers use ct.Classifier or ct.Regressor; or write str(value)",
        )
    empty = sorted(
        {*missing, *(k for k, c in enumerate(cells) if isinstance(c, str) and not c.strip())}
    )
    if empty:
        shown = ", ".join(map(str, empty[:MANY_SHOWN])) + (", ..." * (len(empty) > MANY_SHOWN))
        raise DataError(
            f"{name}: {counted(len(empty), 'text')} of {len(cells):,} without words "
            f"(index {shown}, counted from 0)",
            expected="words in every text",
            fix='leave these rows out, or write what their absence means, such as "nothing said"',
        )


def _kind(value) -> str:
    kind = type(value).__name__
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"

"""Labels that are texts: numbered for the loss, and said again of what a network predicts."""

from typing import Any

import numpy as np

from cutaway.data.pandas_frames import from_pandas, is_missing, is_pandas
from cutaway.errors import DataError, OptionError
from cutaway.losses import expects
from cutaway.nn.trees import is_array
from cutaway.train.given import is_of

OF_CLASSES = ("labels", "one_hot", "binary", "sign")  # what targets of a loss of classes are


def texts_of(y) -> np.ndarray | None:
    """The labels as an array of texts, if they are one array, list or series of texts.

    A column (rows, 1) becomes (rows,).

    Raises:
        DataError: a row without a label, or one that is no text.
    """
    if is_pandas(y):
        y = from_pandas(y) if hasattr(y, "columns") else from_pandas(_series(y)).to_series()
    if is_of(y, "polars"):
        y = _of_polars(y)
    elif isinstance(y, list | tuple) and isinstance(_first(y), str):
        y = np.array(y, object)
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "OUS":
        return None
    if y.dtype.kind == "O" and not isinstance(_first(y.ravel()), str):
        return None
    y = y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8")
    missing = [k for k, label in enumerate(y.ravel()) if not isinstance(label, str)]
    if missing:
        label = y.ravel()[missing[0]]
        what = "missing" if is_missing(label) else f"{label!r}, a {type(label).__name__}"
        raise DataError(
            f"y holds texts, but {len(missing)} of {y.size} labels are none: that of row "
            f"{missing[0]} is {what}",
            expected="a text for each row",
            fix="drop these rows, or write a class for them, such as 'unknown'",
        )
    return y.astype(str)


def encoded(y, loss, classes: list[str] | None) -> tuple[Any, list[str] | None]:
    """(targets of numbers, the classes): texts numbered in the order of the classes.

    Args:
        y: targets of any kind; those that are not texts stay as they are.
        loss: of the training; what it expects decides the form of the targets.
        classes: in their order; None: the texts of y, sorted.

    Raises:
        DataError: a text that is none of the classes, or that the loss cannot take.

    Example:
        >>> import cutaway as ct
        >>> from cutaway.train.labels import encoded
        >>> loss = ct.losses.sparse_categorical_cross_entropy_with_logits
        >>> numbers, classes = encoded(["dog", "cat", "dog"], loss, None)
        >>> numbers.tolist(), classes
        ([1, 0, 1], ['cat', 'dog'])
    """
    texts = texts_of(y)
    if texts is None:
        return y, classes
    wants = expects(loss)
    if wants is None or wants.target not in OF_CLASSES:
        name = getattr(loss, "__name__", "an objective")
        raise DataError(
            f"y holds texts, like {_shown(texts)}, for {name}",
            expected="numbers"
            if wants is not None
            else "a loss of cutaway.losses that takes classes, which says how they are numbered",
            fix="for classes use ct.losses.sparse_categorical_cross_entropy_with_logits, or number "
            "them: classes, y = numpy.unique(y, return_inverse=True); numbers that are texts: "
            "y.astype(float)",
        )
    classes = [str(name) for name in np.unique(texts)] if classes is None else list(classes)
    if wants.target in ("binary", "sign") and len(classes) != 2:
        raise DataError(
            f"y has {len(classes)} classes for a loss of two: {_listed(classes)}",
            expected="two classes",
            fix="for more use sparse_categorical_cross_entropy_with_logits and one output for each",
        )
    number = {name: k for k, name in enumerate(classes)}
    unknown = [(k, name) for k, name in enumerate(texts.ravel()) if name not in number]
    if unknown:
        row, name = unknown[0]
        raise DataError(
            f"y holds {str(name)!r} in row {row}, which is none of the classes"
            + (f" ({len(unknown)} such rows)" if len(unknown) > 1 else ""),
            expected=f"one of {_listed(classes)}",
            fix="correct or drop these rows; to train on other classes set trainer.classes = None",
        )
    numbers = np.array([number[name] for name in texts.ravel()], np.int32).reshape(texts.shape)
    if wants.target == "one_hot":
        return np.eye(len(classes), dtype=np.float32)[numbers], classes
    return numbers, classes


def predicted_labels(outputs, loss, classes: list[str] | None) -> np.ndarray:
    """The class that each output of a network says: its name, or its number without classes.

    Args:
        outputs: of the network, (rows, ...).
        loss: that it was trained with.
        classes: names in their order, or None.

    Raises:
        OptionError: the loss is none of classes, or there are as many names as outputs.
    """
    wants = expects(loss)
    if wants is None or wants.target not in OF_CLASSES or not is_array(outputs):
        raise OptionError(
            "labels were asked of a training without a loss of classes",
            expected="a loss such as sparse_categorical_cross_entropy_with_logits",
            fix="take predict(x), and choose the class from it",
        )
    if wants.target in ("labels", "one_hot"):
        numbers, count = outputs.argmax(axis=-1), outputs.shape[-1]
    else:
        threshold = 0.5 if wants.output == "probability" else 0.0
        numbers, count = (outputs > threshold).astype(np.int64), 2
        numbers = numbers[..., 0] if numbers.ndim > 1 and numbers.shape[-1] == 1 else numbers
    if classes is None:
        return numbers
    if numbers.size and numbers.max() >= len(classes):
        raise OptionError(
            f"the network has {count} outputs, but there are {len(classes)} classes: "
            f"{_listed(classes)}",
            expected="a class for each output",
            fix="give the last layer as many outputs, or set trainer.classes to all names",
        )
    return np.array(classes)[numbers]


def _series(values):
    """Any one-dimensional data of pandas as a series."""
    import pandas as pd

    return pd.Series(values)


def _of_polars(y):
    """A series or a frame of one column of texts as objects; anything else as it is."""
    import polars as pl

    if isinstance(y, pl.LazyFrame):
        y = y.collect()
    if isinstance(y, pl.DataFrame):
        y = y.to_series() if y.width == 1 else y
    if isinstance(y, pl.Series) and isinstance(y.dtype, pl.String | pl.Categorical | pl.Enum):
        return np.array(y.cast(pl.String).to_list(), object)
    return y


def _first(values):
    """The first value that is not missing."""
    return next((value for value in values if not is_missing(value)), None)


def _shown(texts) -> str:
    return ", ".join(map(repr, map(str, texts.ravel()[:2])))


def _listed(classes) -> str:
    more = ", ..." if len(classes) > 8 else ""
    return ", ".join(map(repr, classes[:8])) + more

"""What users hand in for inputs and targets, as trees of arrays: lists, frames, tensors, arrays."""

import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from cutaway.data.pandas_frames import from_pandas, is_missing, is_pandas
from cutaway.engine import Tensor
from cutaway.errors import DataError, ShapeError

ARRAYS = Tensor | np.ndarray | jax.Array
SORTS = {"U": "texts", "S": "bytes", "M": "times", "m": "durations"}  # by the kind of a dtype


def as_tree(given, name: str = "the data") -> Any:
    """The tree with NumPy or JAX arrays as leaves.

    A list of numbers is an array, a list of arrays a tree. Frames of polars and pandas are arrays
    (rows, columns), their series (rows,); tensors of PyTorch come from wherever they are. Missing
    numbers become NaN.

    Args:
        given: an array, a list of numbers, a frame, a tensor; or a tuple, list or dict of them.
        name: of the whole, in errors.

    Raises:
        DataError: texts, times, or objects that are no numbers. ShapeError: a ragged list.

    Example:
        >>> from cutaway.train.given import as_tree
        >>> import polars as pl
        >>> as_tree({"table": pl.DataFrame({"a": [1, 2], "b": [0.5, None]})})["table"].tolist()
        [[1.0, 0.5], [2.0, nan]]
    """
    if isinstance(given, dict):
        return {key: as_tree(part, f"{name}[{key!r}]") for key, part in given.items()}
    if isinstance(given, tuple) or (isinstance(given, list) and any(map(_is_part, given))):
        parts = [as_tree(part, f"{name}[{k}]") for k, part in enumerate(given)]
        return getattr(given, "_make", type(given))(parts)  # also of a named tuple
    return _as_array(given, name)


def is_of(value, package: str) -> bool:
    """Whether a value's class, or one that it is derived from, is of a package; imports nothing."""
    return any(kind.__module__.partition(".")[0] == package for kind in type(value).__mro__)


def is_torch_tensor(value) -> bool:
    """Whether a value is a tensor of PyTorch."""
    return is_of(value, "torch") and hasattr(value, "detach")


def is_frame(value) -> bool:
    """Whether a value is a frame or a series of polars or pandas."""
    return is_pandas(value) or is_of(value, "polars")


def _is_part(value) -> bool:
    """Whether an element of a list makes the list a tree: an array with rows of its own."""
    if isinstance(value, ARRAYS) or is_torch_tensor(value):
        return value.ndim > 0
    return is_frame(value) and hasattr(value, "shape")


def _as_array(given, name: str):
    if isinstance(given, Tensor):
        return given.data
    if isinstance(given, jax.Array):
        return given
    if is_torch_tensor(given):
        given = _of_torch(given)
    elif is_of(given, "polars"):
        given = _of_polars(given, name)
    elif is_pandas(given):
        given = _of_pandas(given, name)
    elif isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        given = np.ma.filled(given.astype(np.float64), np.nan)
    elif not isinstance(given, np.ndarray):
        given = _of_objects(given, name)
    return _expect_numbers(np.asarray(given), name)


def _of_torch(tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":  # which NumPy does not have
        tensor = tensor.float()
    return tensor.numpy()


def _of_pandas(given, name: str):
    columns = getattr(given, "dtypes", None)
    dtypes = list(columns) if getattr(given, "ndim", 1) == 2 and columns is not None else None
    dtypes = [getattr(given, "dtype", None)] if dtypes is None else dtypes
    if dtypes and all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in dtypes):
        return given.to_numpy()
    if hasattr(given, "ndim") and given.ndim == 2:
        return _of_polars(from_pandas(given), name)
    pandas = sys.modules["pandas"]
    return _of_polars(from_pandas(pandas.Series(given)).to_series(), name)


def _of_polars(given, name: str) -> np.ndarray:
    """A frame or a series of numbers."""
    import polars as pl

    if isinstance(given, pl.LazyFrame):
        given = given.collect()
    columns = [given] if isinstance(given, pl.Series) else given.get_columns()
    columns = [c.cast(pl.Float64) if c.dtype.is_decimal() else c for c in columns]
    for column in columns:
        kind = column.dtype
        if not (kind.is_numeric() or kind == pl.Boolean or isinstance(kind, pl.Array)):
            named = "" if isinstance(given, pl.Series) else f"column {column.name!r} of "
            raise DataError(
                f"{named}{name} holds {kind}, like {column.drop_nulls().first()!r}"
                if column.null_count() < len(column)
                else f"{named}{name} has no values",
                expected="numbers",
                fix=_encode(name),
            )
    if isinstance(given, pl.Series):
        return _numbers_of(columns[0])
    if not columns:
        return np.zeros((0, 0), np.float32)
    return np.stack([_numbers_of(column) for column in columns], axis=1)


def _numbers_of(column) -> np.ndarray:
    """A column of numbers or truths; null is NaN."""
    import polars as pl

    if column.null_count() and not isinstance(column.dtype, pl.Array):
        column = column.cast(pl.Float64)
    return column.to_numpy()


def _of_objects(given, name: str) -> np.ndarray:
    """Nested lists, numbers, and what has an array protocol of its own."""
    if given is None:
        raise DataError(f"{name} is None", expected="an array, a frame, or a list of numbers")
    own = any(hasattr(given, a) for a in ("__array__", "__array_interface__", "__dlpack__"))
    if not own and not isinstance(given, Sequence | int | float | complex):
        raise DataError(
            f"{name} is a {type(given).__name__}",
            expected="an array, a list of numbers, a frame of polars or pandas, a tensor, or a "
            "tuple or dict of these",
            fix=_conversion(given, name),
        )
    try:
        return np.asarray(given)
    except ValueError as error:
        raise ShapeError(
            f"{name} is a list of rows of different lengths" + _lengths(given),
            expected="as many values in every row",
            fix="pad or cut the rows to one length",
        ) from error


def _conversion(given, name: str) -> str:
    """How to make an array of an object that is none."""
    if hasattr(given, "toarray"):
        return f"a sparse matrix as an array: {name}.toarray()"
    if hasattr(given, "__getitem__") and not hasattr(given, "shape"):
        return "for a data set of PyTorch pass a DataLoader of it"
    return "convert it: numpy.asarray(...)"


def _lengths(given) -> str:
    lengths = [len(row) if isinstance(row, Sequence) else 1 for row in given]
    other = next((k for k, length in enumerate(lengths) if length != lengths[0]), None)
    if other is None:
        return ""
    return f": row 0 has {lengths[0]}, row {other} has {lengths[other]}"


def _expect_numbers(array: np.ndarray, name: str) -> np.ndarray:
    """The array, objects as numbers.

    Raises:
        DataError: it holds anything else.
    """
    if array.dtype.kind == "O":
        flat = [np.nan if is_missing(value) else value for value in array.ravel()]
        wrong = next((k for k, v in enumerate(flat) if not isinstance(v, _NUMBERS)), None)
        if wrong is None:
            return np.array(flat, np.float64).reshape(array.shape)
        place = np.unravel_index(wrong, array.shape) if array.ndim else ()
        raise _no_numbers(name, f"a {type(flat[wrong]).__name__}", flat[wrong], place)
    if array.dtype.kind in SORTS:
        first = array.ravel()[0] if array.size else ""
        raise _no_numbers(name, SORTS[array.dtype.kind], first, (0,) if array.ndim else ())
    return array


_NUMBERS = (int, float, np.number, np.bool_)


def _no_numbers(name: str, sort: str, value, place) -> DataError:
    shown = repr(value.item() if isinstance(value, np.generic) else value)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    where = f" in row {place[0]}" if len(place) else ""
    return DataError(
        f"{name} holds {sort}, like {shown}{where}",
        expected="numbers",
        fix=_encode(name),
    )


def _encode(name: str) -> str:
    if name == "y" or name.startswith(("y[", "validation")):
        return (
            "for labels use one array of texts and a loss of classes, such as "
            "ct.losses.sparse_categorical_cross_entropy_with_logits; convert numbers that are "
            "texts: y.astype(float)"
        )
    return (
        "encode it first: tables with cutaway.data.TablePreprocessing or ct.train_table, texts "
        "with cutaway.data.Tokenizer; numbers that are texts: x.astype(float)"
    )

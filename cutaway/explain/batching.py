"""Running a network on one example or a batch, whichever the network accepts."""

import inspect
from typing import Any

import numpy as np

from cutaway.engine import Tensor
from cutaway.errors import CutawayError, DataError, OptionError, ShapeError
from cutaway.explain.examples import as_tree, chosen_leaf
from cutaway.nn.trees import (
    call,
    count_rows,
    is_array,
    leaves,
    map_leaves,
    named_leaves,
    subscripts,
)


def with_batch_axis(tree) -> Any:
    """One example as a batch of one."""
    return map_leaves(lambda leaf: leaf[None], tree)


def are_of_one_example(x) -> bool:
    """Whether several inputs can only be one example: they have no common batch axis.

    Vectors alone are the inputs of one example, as a vector alone is.
    """
    arrays = leaves(x)
    if any(array.ndim == 0 for array in arrays) or all(array.ndim == 1 for array in arrays):
        return True
    return len({len(array) for array in arrays}) > 1


def expect_arguments(net, x) -> None:
    """Raise OptionError unless x, a tree, has the inputs that the network's forward takes."""
    named = x if isinstance(x, dict) else {}
    given = x if isinstance(x, tuple) else () if named else (x,)
    signature = inspect.signature(net.forward)
    try:
        signature.bind(*given, **named)
    except TypeError as error:
        count = f"{len(given)} input{'s' * (len(given) != 1)}"
        raise OptionError(
            f"{type(net).__name__} got {', '.join(named) if named else count}: {error}",
            expected=f"the inputs of its forward{signature}",
            fix="pass a tuple of them in this order, a dict with these keys, or one array alone",
        ) from None


def about_unequal_rows(x, error: Exception) -> Exception:
    """The error to raise if a network rejects inputs as one example, as which they were taken."""
    rows = {f"x{subscripts(keys)}": leaf for keys, leaf in named_leaves(x).items()}
    if any(leaf.ndim < 2 for leaf in rows.values()) or len({len(r) for r in rows.values()}) == 1:
        return error
    counts = ", ".join(f"{name} has {len(leaf)}" for name, leaf in rows.items())
    came = getattr(error, "came", error)
    return ShapeError(
        f"the inputs have different numbers of rows: {counts}; as those of one example the network "
        f"rejects them\n  {came}",
        expected="as many rows in each input, or those of one example, without the batch axis",
    )


def as_numbers(x, *, what: str = "the input", mask: bool = False) -> np.ndarray:
    """x as an array of float64, or int64 for integers, without NaN and infinity.

    Args:
        mask: whether booleans stay as they are: beside other inputs they select.
    """
    x = np.asarray(x)
    if mask and x.dtype == bool:
        return x
    if x.dtype.kind in "bui":
        return x.astype(np.int64)
    if x.dtype.kind not in "fV":  # V: bfloat16
        raise ShapeError(
            f"{what} has dtype {x.dtype}",
            expected="numbers",
            fix="encode it the same way as for training",
        )
    x = x.astype(np.float64)
    if not np.isfinite(x).all():
        at = tuple(int(k) for k in np.argwhere(~np.isfinite(x))[0])
        raise DataError(
            f"{what} has {x[at]} at {list(at)}",
            expected="finite numbers",
            fix="impute or drop missing values the same way as for training",
        )
    return x


def run_as_batch(net, x, run=None):
    """Run `net` on x, as a batch if the network accepts that, else as one example.

    A vector is always one example, and so are several inputs without a common batch axis. Anything
    else is tried as a batch first; if the network rejects it, the batch axis is added.

    Args:
        x: an array, or a tuple or dict of arrays.
        run: function of x that runs the network; None: `net(x)` eagerly.

    Returns:
        (out, x with its batch axis, whether it is one example).
    """
    run = run or (lambda x: call(net, map_leaves(Tensor, x)))
    if is_array(x) and x.ndim == 0:
        raise ShapeError(
            "the input is a scalar",
            expected="an array of the shape that the network expects",
            fix="for a network with one input pass [x]",
        )
    expect_arguments(net, x)
    one = with_batch_axis(x)
    if are_of_one_example(x):
        try:
            return run(one), one, True
        except CutawayError as error:
            raise about_unequal_rows(x, error) from error
    try:
        return run(x), x, False
    except (TypeError, ValueError, IndexError) as as_batch:
        try:
            return run(one), one, True
        except (TypeError, ValueError, IndexError) as as_one:
            raise _rejection(x, as_batch, as_one) from None


def _rejection(x, as_batch, as_one) -> Exception:
    """The error to raise if the network accepts x neither as a batch nor as one example."""
    if isinstance(as_batch, ShapeError) and isinstance(as_one, ShapeError):
        if as_batch.expected == as_one.expected:
            return as_batch
        shapes = " and ".join(str(leaf.shape) for leaf in leaves(x))
        return ShapeError(
            f"the network accepts an input of shape {shapes} neither as a batch nor as one "
            f"input\n  as a batch: {as_batch.came}\n  as one input: {as_one.came}",
            expected=f"as a batch {as_batch.expected}; as one input {as_one.expected}",
            fix="use the shape that the network was trained with",
        )
    # an error that is not about shapes means that the shape was right
    return as_one if isinstance(as_one, CutawayError) else as_batch


def run_one(net, x, run=None):
    """(out, x) for one example, with its batch axis; x may lack it.

    Raises:
        ShapeError: x is a batch of several.
    """
    x = as_tree(x)
    x = map_leaves(lambda leaf: as_numbers(leaf, mask=not is_array(x)), x)
    shapes = " and ".join(str(leaf.shape) for leaf in leaves(x))
    if any(0 in leaf.shape for leaf in leaves(x)):
        raise ShapeError(f"the input has shape {shapes}: it is empty", expected="one input")
    out, batch, _ = run_as_batch(net, x, run)
    rows = count_rows(batch)
    if rows != 1:
        raise ShapeError(
            f"an input of shape {shapes}, a batch of {rows}",
            expected="one input, since this plot shows one",
            fix="choose one of them, for example x[:1]",
        )
    return out, batch


def expect_outputs(out) -> Tensor:
    """`out`; raise ShapeError unless it is one Tensor with a batch axis."""
    if not isinstance(out, Tensor) or out.ndim == 0:
        came = f"a {type(out).__name__}" if not isinstance(out, Tensor) else "a scalar"
        raise ShapeError(
            f"the network returns {came}",
            expected="one Tensor with the batch as its first axis",
            fix="end a recurrent network with LastStep() or AllSteps()",
        )
    return out


def expect_output(out, wanted, rows: int) -> tuple:
    """The keys of the output that is meant in what a network returned.

    Args:
        wanted: its key, or None for the only one.
        rows: of the batch.

    Raises:
        OptionError: no such output, or several. ShapeError: there is none with a batch axis, or
            something else beside it, such as the state of a recurrent layer.
    """
    found = leaves(out)
    if wanted is None and any(leaf.shape[:1] != (rows,) for leaf in found) and len(found) > 1:
        raise ShapeError(
            f"the network returns arrays of shapes {', '.join(str(leaf.shape) for leaf in found)}",
            expected=f"one Tensor with the batch as its first axis, {rows} here",
            fix="end a recurrent network with LastStep() or AllSteps(), or choose with output=",
        )
    return chosen_leaf(out, wanted, what="output") if found else ()


def shown_input(batch, wanted) -> np.ndarray:
    """The input of one example to draw beside what a layer saw; of several the one that is meant.

    Args:
        batch: a batch of one, an array or a tree.
        wanted: its key, or None for the only one with positions and channels.
    """
    if is_array(batch) and wanted is None:
        return batch[0]
    keys = chosen_leaf(batch, wanted, what="input", fits=lambda leaf: leaf.ndim > 2)
    return named_leaves(batch)[keys][0]

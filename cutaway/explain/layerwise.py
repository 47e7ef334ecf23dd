"""Running a network layer by layer in float64, for explanations without a trace."""

import contextlib
import functools

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, float64
from cutaway.errors import (
    CutawayError,
    DataError,
    GradientError,
    OptionError,
    ShapeError,
    did_you_mean,
    expect_range,
)
from cutaway.explain.examples import (
    about_unequal_rows,
    are_of_one_example,
    as_tree,
    chosen_leaf,
    expect_arguments,
    with_batch_axis,
)
from cutaway.nn import (
    Module,
    Parameter,
    in_mode,
    named_variables,
    replacing,
    snapshot,
    watch,
)
from cutaway.nn.trees import call, count_rows, is_array, leaves, map_leaves, named_leaves
from cutaway.story.text import subscript


@contextlib.contextmanager
def frozen(net: Module, *, gradients: bool = False):
    """Context in which this thread sees a copy of `net` in evaluation mode and in float64.

    If `gradients`, its parameters need gradients, frozen ones too; otherwise none does. Yields the
    ids of the Variables that needed none before. The network itself is not touched: another thread
    may train it meanwhile.
    """
    if not isinstance(net, Module):
        raise OptionError(
            f"cannot explain a {type(net).__name__}",
            expected="a network: a Module such as Sequential(Linear(4, 3), ReLU())",
            fix="pass the network itself, not its trainer, a step made by ct.jit or a function",
        )
    variables = list(named_variables(net).values())
    constants = {id(v) for v in variables if not v.requires_grad}
    flags = {
        v: gradients and isinstance(v, Parameter) and bool(jnp.issubdtype(v.dtype, jnp.floating))
        for v in variables
    }
    with float64(), in_mode(net, False), snapshot(net, dtype=jnp.float64, requires_grad=flags):
        yield constants


def replaced(hooks: dict):
    """Context in which each layer runs `hook(layer, *inputs, **named)` as its forward.

    Args:
        hooks: {layer: hook}; in a hook, `plain_forward` runs the layer's own forward.
    """
    return replacing({layer: functools.partial(hook, layer) for layer, hook in hooks.items()})


def plain_forward(layer: Module, *inputs, **named):
    """The forward of the class of `layer`, for use inside a hook that replaces it."""
    return type(layer).forward(layer, *inputs, **named)


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


def expect_finite(net, x, out) -> None:
    """Raise GradientError unless `out`, the output of net for x, is finite; names the layer."""
    if np.isfinite(out.numpy()).all():
        return
    origin = []

    def check(module, inputs, out):
        if isinstance(out, Tensor) and not origin and not np.isfinite(out.numpy()).all():
            origin.append(module)

    with watch(net, check):
        call(net, map_leaves(Tensor, x))
    paths = {id(module): path for path, module in net.modules().items()}
    where = ""
    if origin:
        path = paths.get(id(origin[0]), "")
        where = f"; it began in layer {path or 'of the network'}, {type(origin[0]).__name__}"
    raise GradientError(
        f"the output for this input is not finite{where}",
        expected="finite outputs",
        fix="check the weights: they may have diverged during training",
    )


def target_indices(shape: tuple, target, values: np.ndarray | None = None) -> np.ndarray:
    """The index of the target in the flattened output of each row: (batch,) integers.

    Args:
        shape: of the outputs, batch first.
        target: None (the only output, or the largest of a vector), an integer for a vector of
            outputs, a tuple of them for more axes, or a list with one for each row.
        values: the outputs, for None.
    """
    batch, *axes = shape
    size = int(np.prod(axes))
    if target is None:
        if size == 1:
            return np.zeros(batch, int)
        if len(axes) == 1:
            return np.asarray(values).argmax(axis=1)
        raise OptionError(
            f"target=None for a network with outputs of shape {tuple(axes)} for each input",
            expected="the index of one of them",
            fix=f"pass a tuple, for example target={(0,) * len(axes)}",
        )
    if isinstance(target, list | np.ndarray) and np.ndim(target) >= 1:
        if len(target) != batch:
            raise ShapeError(
                f"{len(target)} targets for a batch of {batch}",
                expected="one for all rows, or one per row",
            )
        return np.array([_target_index(one, axes) for one in target])
    return np.full(batch, _target_index(target, axes))


def _target_index(target, axes) -> int:
    parts = target if isinstance(target, tuple) else (target,)
    if not axes and len(parts) == 1:
        axes = [1]
    for part in parts:
        if isinstance(part, bool | np.bool_) or not isinstance(part, int | np.integer):
            raise OptionError(
                f"target is {target!r}",
                expected="the index of an output, counted from 0",
                fix="look up the index of the class in the list of classes",
            )
    if len(parts) != len(axes):
        raise OptionError(
            f"target is {target!r}, {len(parts)} integer{'s' * (len(parts) > 1)}",
            expected=f"{len(axes)}: an input has outputs of shape {tuple(axes)}",
            fix=f"pass for example target={tuple([0] * len(axes))}",
        )
    for part, size in zip(parts, axes, strict=True):
        expect_range(int(part), what="target", least=0, below=size)
    return int(np.ravel_multi_index(parts, axes))


def output_label(target: int, axes, names=None, symbol: str = "ŷ") -> str:
    """Name of output `target` of the flattened outputs of a row, counted from 1."""
    if names is not None:
        return names[target]
    if np.prod(axes) == 1:
        return symbol
    return f"{symbol}_{subscript(*np.unravel_index(target, axes))}"


def expect_output_names(names, axes) -> list | None:
    """The names as strings; raise ShapeError unless there is one per output."""
    if names is None:
        return None
    if len(names) != np.prod(axes):
        raise ShapeError(
            f"{len(names)} output_names were given for outputs of shape {tuple(axes)}",
            expected="a name for each output",
        )
    return [str(name) for name in names]


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


def find_layer(net, layer, kinds, *, what: str, last: bool):
    """(path, module) of the requested layer.

    Args:
        layer: its path, the module itself, or None for the first or last of `kinds`.
        kinds: class or classes of the default layer.
        what: their name in errors, like "convolution".
        last: whether the default is the last layer of these classes, not the first.
    """
    modules = net.modules()
    if layer is None:
        found = [(path, m) for path, m in modules.items() if isinstance(m, kinds)]
        if not found:
            raise OptionError(
                f"this network has no {what}",
                expected=f"a {what}, or an explicit layer",
                fix="pass layer=, the path of a layer: "
                + did_you_mean("", [path for path in modules if path]),
            )
        return found[-1 if last else 0]
    if isinstance(layer, Module):
        for path, module in modules.items():
            if module is layer:
                return path, module
        raise OptionError(
            f"the layer given, {type(layer).__name__}, is not in this network",
            expected="one of the network's own layers",
            fix=f"pass its path: {did_you_mean('', [path for path in modules if path])}",
        )
    path = str(layer)
    if path not in modules:
        raise OptionError(
            f"there is no layer {path!r}",
            expected="the path of a layer, as in net.summary()",
            fix=did_you_mean(path, [path for path in modules if path]),
        )
    return path, modules[path]


def output_of(net, module, path, x, run=None) -> tuple:
    """(output of the layer, output of net, x with batch axis) for one input."""
    caught = []

    def catch(called, inputs, out):
        if called is module:
            caught.append(out)

    def watched(batch):
        caught.clear()
        with watch(net, catch):
            return call(net, map_leaves(Tensor, batch))

    out, batch = run_one(net, x, run or watched)
    if not caught or not isinstance(caught[-1], Tensor):
        raise OptionError(
            f"layer {path!r}, {type(module).__name__}, did not run for this input",
            expected="a layer that the network's forward calls, outside of recompute",
            fix="choose another layer, as in net.summary()",
        )
    return caught[-1], out, batch

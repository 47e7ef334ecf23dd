"""Running a network layer by layer in float64, for explanations without a trace."""

import contextlib
import functools

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, float64
from cutaway.errors import (
    GradientError,
    OptionError,
    ShapeError,
    did_you_mean,
    expect_range,
)
from cutaway.explain.batching import run_one
from cutaway.nn import (
    Module,
    Parameter,
    in_mode,
    named_variables,
    replacing,
    snapshot,
    watch,
)
from cutaway.nn.trees import call, map_leaves
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
    by_rule = {id(v) for v in rule_variables(net).values()}
    constants -= by_rule
    flags = {
        v: gradients
        and (isinstance(v, Parameter) or id(v) in by_rule)
        and bool(jnp.issubdtype(v.dtype, jnp.floating))
        for v in variables
    }
    with float64(), in_mode(net, False), snapshot(net, dtype=jnp.float64, requires_grad=flags):
        yield constants


def rule_variables(net: Module) -> dict:
    """{path: Buffer} of what neurons with a learning rule learn, such as a perceptron's weight."""
    return {
        ".".join(filter(None, (path, name))): getattr(module, name)
        for path, module in net.modules().items()
        for name in module.rule_weights
    }


def replaced(hooks: dict):
    """Context in which each layer runs `hook(layer, *inputs, **named)` as its forward.

    Args:
        hooks: {layer: hook}; in a hook, `plain_forward` runs the layer's own forward.
    """
    return replacing({layer: functools.partial(hook, layer) for layer, hook in hooks.items()})


def plain_forward(layer: Module, *inputs, **named):
    """The forward of the class of `layer`, for use inside a hook that replaces it."""
    return type(layer).forward(layer, *inputs, **named)


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

"""Reads the structure of a network, by tracing it if an input shape is known or can be found."""

import jax
import numpy as np

from cutaway import nn
from cutaway.diagram.architecture.parts import INPUT, Part, Scope, is_leaf, part_of
from cutaway.diagram.architecture.trace import trace
from cutaway.errors import OptionError
from cutaway.nn.trees import leaves, map_leaves, named_leaves

# leading axes tried, in front of the features, if no input shape is given
TRIED = ((), (8,), (64,), (1024,), (32, 32), (64, 64), (28, 28), (128, 128), (224, 224), (16,) * 3)


def read(net: nn.Module, input_shape=None, x=None) -> tuple[Scope, dict]:
    """The parts of `net`, and {keys of an input: its shape without the batch}, {} if unknown.

    Args:
        input_shape: of one example, without the batch; a list or dict of shapes for several inputs.
        x: instead, a batch; a tuple or dict of batches for several inputs.

    Raises:
        OptionError: both are given, or one is invalid. Errors of the network's forward pass on.
    """
    if x is not None or input_shape is not None:
        inputs = _inputs(input_shape, x)
        scope = trace(net, inputs)
        shapes = {keys: tuple(one.shape[1:]) for keys, one in named_leaves(inputs).items()}
        return _whole(net, scope), shapes
    for shape in _likely_shapes(net):
        try:
            scope = trace(net, jax.ShapeDtypeStruct((2, *shape), np.float32))
        except Exception:  # any network may reject this size with any error
            continue
        if len(shape) == 1 and _first_leaf(net)[0] == "dense":
            return _whole(net, scope), {(): shape}  # set by the first layer
        _forget_shapes(scope)  # the connections are right, the sizes are made up
        return _whole(net, scope), {}
    return _whole(net, _tree(net, "")), {}


def _whole(net, scope) -> Scope:
    """The scope; for a network that is a single layer, one with that layer as its only part."""
    if not is_leaf(net):
        return scope
    part = part_of(net, "", "")
    shapes = [scope.parts[k].shape for k, _ in scope.outputs if k >= 0]
    part.shape = shapes[0] if shapes else None
    part.sources = [(INPUT, k) for k in range(scope.inputs)]
    return Scope([part], [(0, 0)], scope.inputs)


def _inputs(input_shape, x):
    if x is not None and input_shape is not None:
        raise OptionError(
            "draw: both input_shape and x were given",
            expected="one of them",
            fix="give x alone: it has a shape",
        )
    if x is not None:
        arrays = jax.tree.map(np.asarray, x, is_leaf=lambda v: not isinstance(v, tuple | dict))
        for array in leaves(arrays):
            if array.ndim == 0 or array.dtype.kind not in "biuf":
                raise OptionError(
                    f"draw: x is {array.dtype} of shape {array.shape}",
                    expected="arrays with the batch as their first axis",
                    fix="for one example pass x[None]",
                )
        return map_leaves(lambda a: a.astype(np.float32) if a.dtype == np.float64 else a, arrays)

    def shaped(shape):
        if not isinstance(shape, tuple) or any(int(n) != n or n < 1 for n in shape):
            raise OptionError(
                f"draw: input_shape is {input_shape!r}",
                expected="a tuple of integers without the batch; for several inputs a list or dict "
                "of them",
                fix="for example input_shape=(32, 32, 3)",
            )
        return jax.ShapeDtypeStruct((2, *shape), np.float32)

    if isinstance(input_shape, dict):
        return {name: shaped(shape) for name, shape in input_shape.items()}
    if isinstance(input_shape, list):
        return tuple(shaped(shape) for shape in input_shape)
    return shaped(input_shape)


def _first_leaf(net) -> tuple:
    """(kind, number of input features or None) of the first leaf module."""
    for path, module in net.modules().items():
        if not is_leaf(module):
            continue
        part = part_of(module, path, "")
        sizes = [getattr(module, name, None) for name in ("in_features", "in_channels", "features")]
        features = [n for n in sizes if isinstance(n, int)]
        weights = [p for p in nn.named_variables(module).values() if p.ndim]
        if part.kind in ("dense", "convolution") and not features:
            features = [module.weight.shape[-2] * getattr(module, "groups", 1)]
        elif part.kind == "attention":
            features = [module.out.weight.shape[1]]
        elif part.kind == "recurrent" and weights:
            features = [min(weights[0].shape)]
        elif weights and not features:
            features = [weights[0].shape[0 if weights[0].ndim == 1 else -1]]
        return part.kind, features[0] if features else None
    return "module", None


def _likely_shapes(net):
    kind, features = _first_leaf(net)
    if kind == "embedding":
        yield from ((8,), (32,))
    if features is not None:
        yield from ((*front, features) for front in TRIED)


def _forget_shapes(scope):
    for part in scope.parts:
        part.shape = None
        if part.inner is not None:
            _forget_shapes(part.inner)


def _tree(module, path) -> Scope:
    """The inside of a module by its class alone; unknown connections are guessed."""
    children = _children(module)
    parts = []
    for name, child in children.items():
        full = f"{path}.{name}" if path else name
        part = part_of(child, full, path)
        if not is_leaf(child):
            part.inner = _tree(child, full)
        parts.append(part)
    last = len(parts) - 1
    if isinstance(module, nn.Add):
        for part in parts:
            part.sources = [(INPUT, 0)]
        parts.append(Part("operation", "+", sources=[(k, 0) for k in range(last + 1)]))
        return Scope(parts, [(last + 1, 0)])
    known = isinstance(module, nn.Sequential | nn.Residual | nn.StochasticDepth | nn.Recompute)
    for k, part in enumerate(parts):
        part.sources = [(k - 1 if k else INPUT, 0)]
        part.guessed = not known
    if isinstance(module, nn.Residual):
        parts.append(Part("operation", "+", sources=[(last, 0), (INPUT, 0)]))
        last += 1
    return Scope(parts, [(last, 0)])


def _children(module) -> dict:
    """{name: module} of the modules directly inside."""
    found = {}
    for path, inner in module.modules().items():
        if path and not any(path.startswith(f"{outer}.") for outer in found):
            found[path] = inner
    return found

"""explain_update: the next step of an optimizer, for one weight, with its own arithmetic."""

import operator

import numpy as np

from cutaway.errors import GradientError, OptionError, ShapeError, did_you_mean, expect_integer
from cutaway.explain.update_story import UpdateStory, listed
from cutaway.story.text import subscript


def explain_update(
    optimizer, path, index=(), *, gradients=None, batches: int | None = None
) -> UpdateStory:
    """What the next `optimizer.step()` will do to one weight, and why. Nothing is modified.

    Call it after `loss.backward()` and before the step. The arithmetic is in float64, so a float32
    step differs from it in the last digits.

    Args:
        optimizer: an Optimizer.
        path: of the parameter, like "0.weight"; or the Parameter itself.
        index: of the element: an int for each axis; () for a scalar parameter.
        gradients: {path: array} to use instead of each parameter's `.grad`.
        batches: number of batches of an epoch, so that the number of the step is told in epochs.

    Raises:
        OptionError: no such parameter or element, or not an optimizer.
        GradientError: the parameter has no gradient; the message says why.

    Example:
        >>> import cutaway as ct
        >>> from cutaway import SGD, Parameter
        >>> w = Parameter(2.5)
        >>> (0.002 * w * w).backward()
        >>> print(ct.explain_update(SGD([w], lr=1.0), w))
        SGD, step 1: the update of parameter 0
        <BLANKLINE>
          w = 2.5   current weight
          g = 0.01  gradient ∂L/∂w
          η = 1     learning rate
        <BLANKLINE>
          w ← w - η g                           against the gradient
            = 2.5 - 1 · 0.01 = 2.49
        <BLANKLINE>
        The step is Δw = -0.01, 0.4% of the weight.
    """
    if batches is not None:
        expect_integer(batches, what="explain_update: batches", least=1)
    if not hasattr(optimizer, "spell_out"):
        inner = hasattr(getattr(optimizer, "optimizer", None), "spell_out")
        raise OptionError(
            f"explain_update was given a {type(optimizer).__name__}",
            expected="an optimizer, such as SGD or Adam",
            fix="pass its .optimizer" if inner else "pass the optimizer that trains the network",
        )
    place = _find(optimizer, path)
    parameter, path = optimizer.parameters[place], optimizer.paths[place]
    index = _expect_index(index, parameter.shape, path)
    grads = _gradients(optimizer, gradients)
    if grads[place] is None:
        _raise_no_gradient(parameter, path, grads)
    move = optimizer.spell_out(place, index, grads)
    return UpdateStory(move, *_names(optimizer, path, index), batches=batches)


def _find(optimizer, path) -> int:
    """Number of the parameter in the optimizer."""
    if not isinstance(path, str):
        for place, parameter in enumerate(optimizer.parameters):
            if parameter is path:
                return place
        raise OptionError(
            f"this {type(path).__name__} is not among the parameters of the optimizer",
            expected="one of the Parameters that the optimizer updates",
            fix="pass a Parameter of its network, or " + did_you_mean("", optimizer.paths),
        )
    if path not in optimizer.paths:
        raise OptionError(
            f"the optimizer holds no parameter {path!r}",
            expected="the path of a parameter that it updates",
            fix=did_you_mean(path, optimizer.paths),
        )
    return optimizer.paths.index(path)


def _expect_index(index, shape, path) -> tuple:
    try:
        index = tuple(operator.index(i) for i in (index if np.iterable(index) else (index,)))
    except TypeError:
        index_fits = False
    else:
        index_fits = len(index) == len(shape)
    if not index_fits:
        raise OptionError(
            f"the index {index!r} does not name one element of {path}, of shape {shape}",
            expected="an int for each axis" if shape else "(): it is a scalar",
            fix=f"for example {(0,) * len(shape)}",
        )
    if not all(-size <= i < size for i, size in zip(index, shape, strict=True)):
        raise OptionError(
            f"the index {index} is outside {path}, of shape {shape}",
            expected=f"from {(0,) * len(shape)} to {tuple(size - 1 for size in shape)}",
            fix="count from 0; (i, j) of a Linear's weight connects input i to neuron j",
        )
    return tuple(i % size for i, size in zip(index, shape, strict=True))


def _gradients(optimizer, given) -> list:
    """The gradient of each parameter, or None."""
    if given is None:
        return [p.grad for p in optimizer.parameters]
    unknown = [path for path in given if path not in optimizer.paths]
    if unknown:
        raise OptionError(
            f"gradients has {unknown[0]!r}, which the optimizer does not update",
            expected="paths of the optimizer's parameters",
            fix=did_you_mean(unknown[0], optimizer.paths),
        )
    for path, p in zip(optimizer.paths, optimizer.parameters, strict=True):
        if given.get(path) is not None and np.shape(given[path]) != p.shape:
            raise ShapeError(
                f"the gradient of {path} has shape {np.shape(given[path])}",
                expected=f"the shape of the parameter, {p.shape}",
            )
    return [given.get(path) for path in optimizer.paths]


def _raise_no_gradient(parameter, path, grads):
    if not parameter.requires_grad:
        raise GradientError(
            f"{path} has no gradient: it is frozen, so no step changes it",
            expected="a parameter with requires_grad",
            fix="unfreeze it: module.unfreeze() or parameter.requires_grad = True",
        )
    if all(g is None for g in grads):
        raise GradientError(
            f"{path} has no gradient, and neither has any other parameter",
            expected="loss.backward() before, and no optimizer.step() since",
            fix="call backward on a loss; a step, compiled or not, clears the gradients",
        )
    raise GradientError(
        f"{path} has no gradient, though other parameters have one",
        expected="a parameter that the loss was computed from",
        fix="use it for this loss without detaching the result; until then no step changes it",
    )


def _names(optimizer, path, index) -> tuple:
    """(name, LaTeX name): w_ij^(l) if the network is a stack of linear layers."""
    owner, _, own = path.rpartition(".")
    layers = {}
    for other, p in zip(optimizer.paths, optimizer.parameters, strict=True):
        parent, _, name = other.rpartition(".")
        if name == "weight" and p.ndim > 1:
            layers[parent] = p.ndim
        elif name not in ("weight", "bias"):
            layers[parent] = None  # a layer of another kind: its weights have no such names
    stack = all(ndim == 2 for ndim in layers.values())
    if stack and owner in layers and len(index) == {"weight": 2, "bias": 1}.get(own):
        letter, ij = own[0], subscript(*index)
        layer = list(layers).index(owner) + 1
        return f"{letter}_{ij}^({layer})", f"{letter}_{{{ij}}}^{{({layer})}}"
    name = f"parameter {path}" if path.isdecimal() else path  # of a plain list
    name += f"[{listed(index)}]" if index else ""
    escaped = name.replace("_", r"\_")
    return name, rf"\mathtt{{{escaped}}}"

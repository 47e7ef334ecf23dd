"""Surgery: layers of a network found by running it, replaced, or put in."""

import copy

import numpy as np

from cutaway.doctor.program import rebuilt
from cutaway.engine import Operation, no_grad
from cutaway.errors import OptionError
from cutaway.nn import Flatten, Identity, Linear, Module, Sequential
from cutaway.nn.module import watch
from cutaway.nn.state import Parameter, Stateful

RUN_ROWS = 2  # enough to see the order of the layers


def calls(trainer, x) -> list:
    """[(module, output Tensor)] of the innermost modules, in the order in which they finish."""
    net, seen = trainer.net, []
    state, training = net.state_dict(), net.training

    def note(module, inputs, out):
        if is_activation(module) or not _parts(module):
            seen.append((module, out))

    x = np.asarray(x[:RUN_ROWS])
    prepared = x if trainer.prepare is None else trainer.prepare.eval()(x)
    net.eval()
    try:
        with no_grad(), watch(net, note):
            net(prepared)
    finally:
        net.train(training)
        net.load_state_dict(state)
    return seen


def is_activation(module) -> bool:
    return module.activation_function is not None


def is_weighted(module) -> bool:
    """Whether it is a layer with a matrix or kernel (no normalization, no activation)."""
    return not is_activation(module) and any(
        isinstance(v, Parameter) and v.ndim > 1 for v in module.__dict__.values()
    )


def hidden_and_output(trainer, x) -> tuple:
    """(hidden activations, the output's activation or None): modules, in order, each once."""
    seen = [module for module, _ in calls(trainer, x)]
    last = max((i for i, module in enumerate(seen) if holds_weights(module)), default=-1)
    hidden = list(dict.fromkeys(m for m in seen[:last] if is_activation(m)))
    after = [m for m in seen[last + 1 :] if is_activation(m) and m not in hidden]
    return hidden, after[-1] if after else None


def last_without_weights(trainer, x):
    """The innermost module that finishes last; None if it has parameters or only passes on."""
    module = calls(trainer, x)[-1][0]
    passes_on = isinstance(module, Flatten | Identity)
    return None if module.parameters() or passes_on else module


def with_outputs(trainer, x, count: int):
    """The trainer with a last Linear of `count` outputs in place of its one, newly drawn.

    Raises:
        OptionError: the network does not end in a Linear of one output.
    """
    last = calls(trainer, x)[-1][0]
    if not isinstance(last, Linear) or last.weight.shape[1] != 1:
        raise OptionError(
            f"the network ends in {type(last).__name__}, not in a Linear of one output",
            expected=f"a last layer that can be given {count} outputs",
            fix="change the network by hand",
        )
    net = copy.deepcopy(trainer.net)
    paths = {id(module): path for path, module in trainer.net.modules().items()}
    old = net.modules()[paths[id(last)]]
    replace(net, old, Linear(old.weight.shape[0], count))
    return rebuilt(trainer, net=net, optimizer=trainer.optimizer.over)


def holds_weights(module) -> bool:
    return not is_activation(module) and any(p.ndim > 1 for p in module.parameters())


def functional_activations(net: Module) -> dict:
    """{path: Module} of layers whose `activation` is an Operation, as in RNN and Transformer."""
    return {
        path: module
        for path, module in net.modules().items()
        if isinstance(getattr(module, "activation", None), Operation)
    }


def replace(net: Module, old: Module, new: Module) -> None:
    """Put `new` wherever `old` is an attribute, or an item of one, of a module in net."""
    for module in net.modules().values():
        for name, value in list(module.__dict__.items()):
            if value is old:
                setattr(module, name, new)
            elif isinstance(value, list | tuple) and any(v is old for v in value):
                setattr(module, name, type(value)(new if v is old else v for v in value))


def insert_after(net: Module, layers: list, make) -> int:
    """Put make(layer) right after each of `layers` that stands in a Sequential; returns how many.

    Paths of what comes later move on.
    """
    chosen, count = {id(layer) for layer in layers}, 0
    for module in list(net.modules().values()):
        if not isinstance(module, Sequential):
            continue
        parts = []
        for part in module.layers():
            parts.append(part)
            if id(part) in chosen:
                parts.append(make(part))
                count += 1
        for name in [name for name in module.__dict__ if name.isdigit()]:
            delattr(module, name)
        for i, part in enumerate(parts):
            setattr(module, str(i), part)
    return count


def hidden_layers(trainer, x) -> list:
    """Layers with weights but the last, in order; not embeddings."""
    weighted = [m for m, _ in calls(trainer, x) if is_weighted(m)]
    layers = list(dict.fromkeys(weighted))[:-1]
    return [m for m in layers if type(m).__name__ not in ("Embedding", "LearnedPositions")]


def expect_some(count: int, what: str) -> None:
    """Raise unless something was found to change."""
    if not count:
        raise OptionError(
            f"the network has no {what} that can be found",
            expected="layers that are Modules, in a Sequential or as attributes",
            fix="make this change by hand",
        )


def _parts(module) -> bool:
    """Whether other modules that have a forward of their own are in it."""
    return any(isinstance(v, Module) for v in _inside(module))


def _inside(module):
    for value in module.__dict__.values():
        if isinstance(value, list | tuple):
            yield from value
        elif isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, Stateful):
            yield value

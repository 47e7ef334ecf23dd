"""Surgery: find layers of a network by running it, replace them, or insert new ones."""

import copy
import math

from cutaway.engine import Operation, Tensor
from cutaway.errors import OptionError
from cutaway.nn import (
    Embedding,
    Flatten,
    Identity,
    LearnedPositions,
    Linear,
    Module,
    Sequential,
    named_variables,
)
from cutaway.nn.module import watch
from cutaway.nn.state import Held, Parameter, Stateful, values_of
from cutaway.nn.trees import call, leaves, take_rows

RUN_ROWS = 2  # enough to learn the order of the layers


def calls(program, x) -> list:
    """[(module, output Tensor)] of the innermost modules, in the order in which they return."""
    return _run(program, x)[0]


def outputs(program, x) -> list:
    """The outputs of the network for two rows, Tensors."""
    return _run(program, x)[1]


def _run(program, x) -> tuple:
    """(calls, outputs), with the tape of how the outputs came about."""
    net, seen = program.net, []

    def note(module, inputs, out):
        if isinstance(out, Tensor) and (is_activation(module) or not _parts(module)):
            seen.append((module, out))

    variables = list(named_variables(net).values())
    with program.in_mode(False), Held(variables, values_of(variables)), watch(net, note):
        out = call(net, program.inputs(take_rows(x, slice(RUN_ROWS))))
    return seen, leaves(out)


def _endings(program, x) -> tuple[list, list]:
    """(the layers with weights, the activations) from which the outputs of a network come.

    Without other layers with weights in between.
    """
    seen, ends = _run(program, x)
    made = {out.record.serial: m for m, out in seen if out.record is not None}
    layers, activations = [], []
    waiting, visited = [end.record for end in ends], set()
    while waiting:
        record = waiting.pop()
        if record is None or record.serial in visited:
            continue
        visited.add(record.serial)
        module = made.get(record.serial)
        if module is not None and is_weighted(module):
            layers.append(module)
            continue
        if module is not None and is_activation(module):
            activations.append(module)
        waiting += [t.record for t in record.inputs if t is not None]
    return layers, activations


def is_activation(module) -> bool:
    return module.activation_function is not None


def is_weighted(module) -> bool:
    """Whether it is a layer with a weight matrix or kernel (no normalization, no activation)."""
    return not is_activation(module) and any(
        isinstance(v, Parameter) and v.ndim > 1 for v in module.__dict__.values()
    )


def hidden_and_output(program, x) -> tuple:
    """(hidden activations, the output activation or None): modules, in order, each once.

    None too for a network of several outputs.
    """
    seen = [module for module, _ in calls(program, x)]
    if len(outputs(program, x)) > 1:
        _, at_ends = _endings(program, x)
        return [m for m in dict.fromkeys(seen) if is_activation(m) and m not in at_ends], None
    last = max((i for i, module in enumerate(seen) if holds_weights(module)), default=-1)
    hidden = list(dict.fromkeys(m for m in seen[:last] if is_activation(m)))
    after = [m for m in seen[last + 1 :] if is_activation(m) and m not in hidden]
    return hidden, after[-1] if after else None


def last_without_weights(program, x):
    """The innermost module that returns last; None if it has parameters or changes no values."""
    module = calls(program, x)[-1][0]
    is_neutral = isinstance(module, Flatten | Identity)
    return None if module.parameters() or is_neutral else module


def with_outputs(program, x, count: int):
    """The program with a new last Linear of `count` outputs instead of one.

    Raises:
        OptionError: the network does not end in a Linear of one output.
    """
    last = calls(program, x)[-1][0]
    if not isinstance(last, Linear) or last.weight.shape[1] != 1:
        raise OptionError(
            f"the network ends in {type(last).__name__}, not in a Linear of one output",
            expected=f"a Linear that can be replaced by one with {count} outputs",
            fix="change the network yourself",
        )
    net = copy.deepcopy(program.net)
    paths = {id(module): path for path, module in program.net.modules().items()}
    old = net.modules()[paths[id(last)]]
    replace(net, old, Linear(old.weight.shape[0], count))
    return program.copied(net=net, optimizer=program.optimizer.over)


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
    """Put `new` wherever `old` is an attribute, or an item of one, of a module in the network."""
    for module in net.modules().values():
        for name, value in list(module.__dict__.items()):
            if value is old:
                setattr(module, name, new)
            elif isinstance(value, list | tuple) and any(v is old for v in value):
                setattr(module, name, type(value)(new if v is old else v for v in value))


def insert_after(net: Module, layers: list, make) -> int:
    """Insert make(layer) right after each of `layers` that is in a Sequential; return how many.

    Paths of later layers change.
    """
    chosen, count = {id(layer) for layer in layers}, 0
    for module in list(net.modules().values()):
        if not isinstance(module, Sequential):
            continue
        for i, part in reversed(list(enumerate(module.layers()))):
            if id(part) in chosen:
                module.insert(i + 1, make(part))
                count += 1
    return count


def hidden_layers(program, x) -> list:
    """Layers with weights except the last, in order, without embeddings."""
    weighted = [m for m, _ in calls(program, x) if is_weighted(m)]
    layers = list(dict.fromkeys(weighted))
    if len(outputs(program, x)) > 1:
        at_ends, _ = _endings(program, x)
        layers = [m for m in layers if m not in at_ends]
    else:
        layers = layers[:-1]
    return [m for m in layers if embedding_std(m) is None]


def embedding_std(module) -> float | None:
    """Standard deviation with which a table of vectors is initialized; None for other modules."""
    if isinstance(module, Embedding):
        return 1 / math.sqrt(module.weight.shape[-1])
    return 0.02 if isinstance(module, LearnedPositions) else None


def expect_some(count: int, what: str) -> None:
    """Raise OptionError unless there is something to change."""
    if not count:
        raise OptionError(
            f"no {what} was found in the network",
            expected="layers that are Modules, in a Sequential or as attributes",
            fix="make this change yourself",
        )


def _parts(module) -> bool:
    """Whether it contains other modules."""
    return any(isinstance(v, Module) for v in _inside(module))


def _inside(module):
    for value in module.__dict__.values():
        if isinstance(value, list | tuple):
            yield from value
        elif isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, Stateful):
            yield value

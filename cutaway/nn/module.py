"""Module: an ordinary Python object whose attributes are parameters and other modules."""

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Operation, Tensor, module_scope
from cutaway.errors import RunError, ShapeError
from cutaway.nn.state import Parameter, Stateful, Variable, named_variables, walk


class Module(Stateful):
    """Base of layers and networks. A subclass sets its parts in `__init__` and has `forward`.

    Example:
        >>> class Doubled(Module):
        ...     def __init__(self):
        ...         self.inner = Linear(2, 1)
        ...     def forward(self, x):
        ...         return 2 * self.inner(x)
        >>> sorted(Doubled().state_dict())
        ['inner.bias', 'inner.weight']
    """

    training: bool
    keeps_features = False  # whether the last axis has the same size in input and output
    activation_function: Operation | None = None  # what it computes, if it is an activation
    stays_in_eval = False  # whether `train()` leaves it in evaluation mode, as a frozen one

    def __new__(cls, *args, **options):
        module = super().__new__(cls)
        module.__dict__["training"] = True  # before __init__, which need not call super's
        return module

    def __call__(self, *inputs, **named):
        inputs = [Tensor(x) if isinstance(x, _ARRAYS) else x for x in inputs]
        named = {k: Tensor(x) if isinstance(x, _ARRAYS) else x for k, x in named.items()}
        call = _Call.running
        if call is None:
            with _Call(self):
                return self(*inputs, **named)
        with module_scope(call.path_of(self)):
            out = self.forward(*inputs, **named)
        for watch in call.watchers:
            watch(self, _tensors([*inputs, *named.values()]), _first(out))
        return out

    def forward(self, *inputs):
        raise TypeError(
            f"{type(self).__name__} has no forward: define `def forward(self, x)` in the class"
        )

    def modules(self) -> dict:
        """{path: Module} of this module ("") and all inside it, in order."""
        return {path: value for path, value in walk(self) if isinstance(value, Module)}

    def named_parameters(self) -> dict:
        """{path: Parameter}, each once."""
        return {k: v for k, v in named_variables(self).items() if isinstance(v, Parameter)}

    def parameters(self) -> list:
        """The parameters in order, each once."""
        return list(self.named_parameters().values())

    def train(self, mode: bool = True):
        """Set training mode (dropout drops, batch norm learns its statistics); returns self.

        Modules that have `stays_in_eval` stay in evaluation mode.
        """
        for module in self.modules().values():
            module.training = mode and not module.stays_in_eval
        return self

    def eval(self):
        """Set evaluation mode; returns self."""
        return self.train(False)

    def state_dict(self) -> dict:
        """{path: NumPy array}: copies of all parameters and buffers."""
        return {path: np.array(v.data) for path, v in named_variables(self).items()}

    def load_state_dict(self, state: dict) -> None:
        """Take over the values of `state`, which must name every parameter and buffer.

        Raises:
            RunError: a path is missing or unknown.
            ShapeError: a value has another shape. In both cases nothing was changed.
        """
        own = named_variables(self)
        missing = [path for path in own if path not in state]
        unknown = sorted(path for path in state if path not in own)  # a file keeps no order
        if missing or unknown:
            parts = [
                f"{word} {', '.join(paths[:5])}{' ...' if len(paths) > 5 else ''}"
                for word, paths in (("no value for", missing), ("no place for", unknown))
                if paths
            ]
            raise RunError(
                f"these weights belong to another architecture: {'; '.join(parts)}",
                expected=f"exactly the {len(own)} paths of this network's state_dict()",
                fix="build the network with the same layers as the one that was saved",
            )
        for path, variable in own.items():
            shape = np.shape(state[path])
            if shape != variable.shape:
                raise ShapeError(
                    f"the value for {path} has shape {shape}",
                    expected=f"shape {variable.shape}",
                    fix="build the network with the same sizes as the one that was saved",
                )
        for path, variable in own.items():
            variable.data = jnp.array(state[path], dtype=variable.dtype)

    def astype(self, dtype):
        """Give every floating-point parameter and buffer this type; returns self."""
        for variable in named_variables(self).values():
            if jnp.issubdtype(variable.dtype, jnp.floating):
                variable.data = variable.data.astype(dtype)
        return self

    def __setattr__(self, name, value):
        held = self.__dict__.get(name)
        if isinstance(held, Variable) and not isinstance(value, Variable | None.__class__):
            raise TypeError(
                f"{type(self).__name__}.{name} is a {type(held).__name__}: "
                f"write `.{name}.data = ...` to give it a new value"
            )
        super().__setattr__(name, value)

    def freeze(self):
        """Stop training the parameters in this module; returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = False
        return self

    def unfreeze(self):
        """Train the parameters in this module again; returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = True
        return self

    def label(self) -> str:
        """How errors name this module: its path in the network that runs now, and its class."""
        path = _Call.running.path_of(self) if _Call.running is not None else ""
        name = type(self).__name__
        return f"layer {path}, {name}" if path and path != name else name

    def __repr__(self):
        parts = [(k, v) for k, v in self.__dict__.items() if isinstance(v, Module)]
        if not parts:
            return f"{type(self).__name__}({self.describe()})"
        lines = [f"  ({k}): " + repr(v).replace("\n", "\n  ") for k, v in parts]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"

    def describe(self) -> str:
        """The options of this layer, for its repr."""
        return ""


_ARRAYS = (np.ndarray, list, jnp.ndarray)


def _first(value):
    """Of several results in a tuple (a recurrent layer's outputs and state) the first."""
    return value[0] if isinstance(value, tuple) and value else value


def _tensors(values) -> list:
    return [first for first in map(_first, values) if isinstance(first, Tensor)]


class _Call:
    """The forward pass that runs now: knows the paths of the modules under its root."""

    running = None

    def __init__(self, root: Module, watchers=()):
        self.paths = {id(module): path for path, module in root.modules().items()}
        self.watchers = tuple(watchers)

    def path_of(self, module) -> str:
        return self.paths.get(id(module), type(module).__name__)

    def __enter__(self):
        self.before = _Call.running
        _Call.running = self
        return self

    def __exit__(self, *exc):
        _Call.running = self.before


def watch(root: Module, watcher):
    """Context in which `watcher(module, inputs, out)` is told of every call below `root`.

    inputs: the Tensors that came; out: the Tensor that was returned, of several the first.
    """
    return _Call(root, (watcher,))

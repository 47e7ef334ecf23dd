"""Module: an ordinary Python object whose attributes are parameters and other modules."""

import threading
from collections.abc import Callable
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Operation, Tensor, module_scope, on_device
from cutaway.errors import OptionError, RunError, ShapeError
from cutaway.nn.modes import forward_of, mode_of, set_mode
from cutaway.nn.sharing import lock
from cutaway.nn.state import (
    Parameter,
    Stateful,
    Variable,
    named_variables,
    note_change,
    walk,
)
from cutaway.nn.units import Units
from cutaway.runtime import sharding
from cutaway.supplied import supplied


class Module(Stateful):
    """Base class of layers and networks. A subclass sets its parts in `__init__` and has `forward`.

    Example:
        >>> import cutaway as ct
        >>> class Doubled(ct.Module):
        ...     def __init__(self):
        ...         self.inner = ct.Linear(2, 1)
        ...     def forward(self, x):
        ...         return 2 * self.inner(x)
        >>> sorted(Doubled().state_dict())
        ['inner.bias', 'inner.weight']
    """

    layer_kind = "module"  # what it is drawn as, a key of story.svg.KINDS; "module": by its parts
    is_wrapper = False  # whether it stands around a block that needs no frame of its own
    rule_weights: tuple[str, ...] = ()  # Buffers that a learning rule changes, not a gradient
    keeps_features = False  # whether the last axis has the same size in input and output
    is_per_feature = False  # whether it has no weights and treats each feature by itself
    activation_function: Operation | None = None  # its operation, if it is an activation layer
    stays_in_eval = False  # whether `train()` leaves it in evaluation mode, if frozen
    summary: Callable[..., Any]  # a method, defined in network_summary, which imports layers

    def __new__(cls, *args, **options):
        module = super().__new__(cls)
        module.__dict__["training"] = True  # before __init__, which need not call super's
        return module

    @property
    def training(self) -> bool:
        """Whether it is in training mode: its own, or the one of this thread (nn.in_mode)."""
        mode = mode_of(self)
        return self.__dict__["training"] if mode is None else mode

    @training.setter
    def training(self, training: bool):
        if not set_mode(self, training) and self.__dict__["training"] is not training:
            self.__dict__["training"] = training
            note_change()

    def _attributes(self):
        mode = mode_of(self)
        if mode is None:
            return self.__dict__.items()
        return [(k, mode if k == "training" else v) for k, v in self.__dict__.items()]

    def __call__(self, *inputs, **named) -> Any:
        inputs = [Tensor(x) if isinstance(x, _ARRAYS) else x for x in inputs]
        named = {k: Tensor(x) if isinstance(x, _ARRAYS) else x for k, x in named.items()}
        call = _thread.call
        if call is None:
            with _Call(self):
                return self(*inputs, **named)
        with module_scope(call.path_of(self)):
            out = forward_of(self)(*inputs, **named)
        for watch in call.watchers:
            watch(self, _tensors([*inputs, *named.values()]), _first(out))
        return out

    def forward(self, *inputs) -> Any:
        raise TypeError(
            f"{type(self).__name__} has no forward: define `def forward(self, x)` in the class"
        )

    def output_units(self) -> Units | None:
        """Where the units of its output stand in its Variables; None: it makes none of its own."""
        return None

    def input_units(self) -> Units | None:
        """Where the features of its input stand in its Variables; None: it has no weights there."""
        return None

    def feature_units(self) -> Units | None:
        """What it has for each feature, if it passes each one on by itself; None: it does not."""
        return Units(()) if self.is_per_feature else None

    def become_identity(self) -> None:
        """Set its parameters so that its output is its input.

        Raises:
            OptionError: it has none that do this.
        """
        raise OptionError(
            f"{type(self).__name__}({self.describe()}) cannot begin as the identity",
            expected="a Linear or convolution with as many outputs as inputs, a Residual around "
            "one, an activation that changes nothing there, or a dropout",
            fix="insert Residual(Sequential(Linear(n, n), Tanh())), which begins by adding 0",
        )

    def become_zero(self) -> None:
        """Set its parameters so that its output is 0.

        Raises:
            OptionError: it has none that do this.
        """
        raise OptionError(
            f"{type(self).__name__}({self.describe()}) cannot begin with outputs of 0",
            expected="a Linear or convolution, and after it layers that keep 0",
            fix="end the inner module of a Residual with a Linear or a convolution",
        )

    def modules(self) -> "dict[str, Module]":
        """{path: Module} of this module ("") and all inside it, in order."""
        return {path: value for path, value in walk(self) if isinstance(value, Module)}

    def named_parameters(self) -> dict[str, Parameter]:
        """{path: Parameter}, each once."""
        return {k: v for k, v in named_variables(self).items() if isinstance(v, Parameter)}

    def parameters(self) -> list[Parameter]:
        """The parameters in order, each once."""
        return list(self.named_parameters().values())

    def train(self, mode: bool = True) -> Self:
        """Set training mode (active dropout, batch norm with batch statistics); returns self.

        Modules with `stays_in_eval` stay in evaluation mode.
        """
        for module in self.modules().values():
            module.training = mode and not module.stays_in_eval
        return self

    def eval(self) -> Self:
        """Set evaluation mode; returns self."""
        return self.train(False)

    def state_dict(self) -> dict[str, np.ndarray]:
        """{path: NumPy array}: copies of all parameters and buffers."""
        with lock:  # between two steps of a training in another thread
            found = named_variables(self).items()
            return {path: np.array(sharding.whole(v.data)) for path, v in found}

    def load_state_dict(self, state: dict) -> None:
        """Load the values of `state`, which must contain every parameter and buffer.

        Raises:
            RunError: a missing or unknown path.
            ShapeError: a value of another shape. In both cases nothing is changed.
        """
        own = named_variables(self)
        missing = [path for path in own if path not in state]
        unknown = sorted(path for path in state if path not in own)  # files do not preserve order
        if missing or unknown:
            parts = [
                f"{word} {', '.join(paths[:5])}{' ...' if len(paths) > 5 else ''}"
                for word, paths in (("missing", missing), ("unexpected", unknown))
                if paths
            ]
            raise RunError(
                f"these weights do not match this architecture: {'; '.join(parts)}",
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
        values = {
            path: sharding.placed(on_device(np.array(state[path], v.dtype)))
            for path, v in own.items()
        }
        with lock:
            for path, variable in own.items():
                variable.data = values[path]

    def astype(self, dtype) -> Self:
        """Convert every floating-point parameter and buffer to this dtype; returns self."""
        for variable in named_variables(self).values():
            if jnp.issubdtype(variable.dtype, jnp.floating):
                variable.data = variable.data.astype(dtype)
        return self

    def __setattr__(self, name, value):
        current = self.__dict__.get(name)
        if isinstance(current, Variable) and not isinstance(value, Variable | None.__class__):
            raise TypeError(
                f"{type(self).__name__}.{name} is a {type(current).__name__}: "
                f"assign to `.{name}.data` to change its value"
            )
        if name == "training":  # a property: Stateful's way would not see what it changes
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def freeze(self) -> Self:
        """Stop training the parameters in this module; returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = False
        return self

    def unfreeze(self) -> Self:
        """Train the parameters in this module again; returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = True
        return self

    def label(self) -> str:
        """Name of this module in errors: its path in the running network, and its class."""
        path = _thread.call.path_of(self) if _thread.call is not None else ""
        name = type(self).__name__
        return f"layer {path}, {name}" if path and path != name else name

    def __repr__(self):
        parts = [(k, v) for k, v in self.__dict__.items() if isinstance(v, Module)]
        if not parts:
            return f"{type(self).__name__}({self.describe()})"
        lines = [f"  ({k}): " + repr(v).replace("\n", "\n  ") for k, v in parts]
        return f"{type(self).__name__}(\n" + "\n".join(lines) + "\n)"

    def _repr_html_(self):
        return supplied("network_html")(self)

    def describe(self) -> str:
        """The options of this layer, for its repr."""
        return ""


_ARRAYS = (np.ndarray, list, jnp.ndarray)


def _first(value):
    """The first of several results in a tuple (such as a recurrent layer's outputs and state)."""
    return value[0] if isinstance(value, tuple) and value else value


def _tensors(values) -> list:
    return [first for first in map(_first, values) if isinstance(first, Tensor)]


class _Call:
    """The running forward pass of a thread, with the paths of the modules under its root."""

    def __init__(self, root: Module, watchers=()):
        self.paths = {id(module): path for path, module in root.modules().items()}
        self.watchers = tuple(watchers)

    def path_of(self, module) -> str:
        return self.paths.get(id(module), type(module).__name__)

    def __enter__(self):
        self.before, _thread.call = _thread.call, self
        return self

    def __exit__(self, *exc):
        _thread.call = self.before


class _Thread(threading.local):
    call: _Call | None = None


_thread = _Thread()


def watch(root: Module, watcher):
    """Context in which `watcher(module, inputs, out)` is called after every call below `root`.

    inputs: the input Tensors; out: the returned Tensor, the first of several.
    """
    return _Call(root, (watcher,))

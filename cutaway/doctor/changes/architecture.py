"""Changes to the network: its activations, weights and layers."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np

from cutaway import nn, ops
from cutaway.doctor import surgery
from cutaway.doctor.changes.base import Change, with_new_parameters
from cutaway.doctor.outputs import ending
from cutaway.errors import OptionError, expect_choice, expect_range
from cutaway.nn.recurrent import Recurrent


@dataclasses.dataclass(frozen=True)
class ReplaceActivations(Change):
    """Replace the hidden activations.

    A network without any gets them after its hidden layers.

    Args:
        to: name in nn.ACTIVATIONS: "relu", "tanh", ...
        where: path of an activation (or of a module that contains it), or several; None: all
            hidden ones.
    """

    to: str
    where: str | tuple | None = None

    @property
    def text(self) -> str:
        which = "hidden activations" if self.where is None else f"activation {self._paths()}"
        return f"replace the {which} with {nn.ACTIVATIONS[self.to].__name__}"

    def _paths(self):
        return self.where if isinstance(self.where, str) else ", ".join(self.where or ())

    def _apply(self, plan):
        expect_choice(self.to, nn.ACTIVATIONS, what="activation")
        program, make = plan.program, nn.ACTIVATIONS[self.to]
        net = program.net
        found, _ = surgery.hidden_and_output(program, plan.x)
        paths = {id(module): path for path, module in net.modules().items()}
        chosen = [m for m in found if self._meant(paths[id(m)])]
        for module in chosen:
            surgery.replace(net, module, make())
        functional = surgery.functional_activations(net)
        changed = [module for path, module in functional.items() if self._meant(path)]
        for module in changed:
            module.activation = getattr(ops, "linear" if self.to == "linear" else self.to)
        if not found and not functional:
            layers = surgery.hidden_layers(program, plan.x)
            chosen = [None] * surgery.insert_after(net, layers, lambda layer: make())
        surgery.expect_some(len(chosen) + len(changed), "hidden activation")
        return with_new_parameters(plan)

    def _meant(self, path):
        wanted = (self.where,) if isinstance(self.where, str) else self.where
        return wanted is None or any(f"{path}.".startswith(f"{w}.") for w in wanted)


@dataclasses.dataclass(frozen=True)
class OutputActivation(Change):
    """Replace the activation after the last layer, or remove it.

    Args:
        name: in nn.ACTIVATIONS; None: no activation.
    """

    name: str | None

    @property
    def text(self) -> str:
        if self.name is None:
            return "remove the activation after the last layer"
        return f"use {nn.ACTIVATIONS[self.name].__name__} after the last layer"

    def _apply(self, plan):
        program = plan.program
        if self.name is not None:
            expect_choice(self.name, nn.ACTIVATIONS, what="activation")
        if len(surgery.outputs(program, plan.x)) > 1:
            raise OptionError(
                "the network has several outputs",
                expected="one output, after which an activation can be replaced",
                fix="change the activation of the output yourself",
            )
        new = nn.Identity() if self.name is None else nn.ACTIVATIONS[self.name]()
        _, output = surgery.hidden_and_output(program, plan.x)
        if output is None and ending(program, plan.x).activation:
            output = surgery.last_without_weights(program, plan.x)
        if output is not None:
            surgery.replace(program.net, output, new)
        elif self.name is None:
            surgery.expect_some(0, "activation after its last layer")
        elif isinstance(program.net, nn.Sequential):
            setattr(program.net, str(len(program.net)), new)
        else:
            net = nn.Sequential(program.net, new)
            program = program.copied(net=net, optimizer=program.optimizer.over)
            plan = dataclasses.replace(plan, program=program)
        return with_new_parameters(plan)


@dataclasses.dataclass(frozen=True)
class Reinitialize(Change):
    """Reinitialize the weights; biases become 0, normalizations scale by 1 and shift by 0.

    Args:
        name: in nn.init.INITIALIZERS; None: what fits the activations (He for rectifiers, LeCun
            for SELU, otherwise Glorot). Embeddings keep their own distribution.
        where: path of a layer, or several; None: all.
    """

    name: str | None = None
    where: str | tuple | None = None

    @property
    def text(self) -> str:
        how = "to fit the activations" if self.name is None else f"with {self.name}"
        which = "the weights" if self.where is None else f"the weights of {self.where}"
        return f"reinitialize {which} {how} and set the biases to 0"

    def _apply(self, plan):
        program = plan.program
        draw = nn.init.INITIALIZERS[self.name or _fitting(program, plan.x)]
        wanted = (self.where,) if isinstance(self.where, str) else self.where
        for path, module in program.net.modules().items():
            if wanted is None or any(f"{path}.".startswith(f"{w}.") for w in wanted):
                _reinitialize(module, draw)
        if program.average is not None:
            program.average.restart()
        return plan


def _fitting(program, x) -> str:
    hidden, _ = surgery.hidden_and_output(program, x)
    fitting = {
        module.activation_function.traits.activation.fitting_initializer for module in hidden
    }
    special = [name for name in ("lecun_normal", "he_normal") if name in fitting]
    return special[0] if special else "glorot_uniform"


def _reinitialize(module, draw):
    if surgery.is_activation(module):
        return
    parts = dict(module.__dict__)
    if isinstance(module, Recurrent):  # its weights are in lists, per layer and direction
        for direction in (*module.layers, *module.reversed_layers):
            parts |= {f"{id(direction)}.{name}": value for name, value in vars(direction).items()}
    for name, value in parts.items():
        if not isinstance(value, nn.Parameter):
            continue
        if value.ndim > 1:
            std = surgery.embedding_std(module)
            new = draw(value.shape) if std is None else nn.init.normal(value.shape, std)
        else:
            new = np.full(value.shape, 0.0 if "bias" in name else 1.0)
        value.data = jnp.asarray(new, value.dtype)


@dataclasses.dataclass(frozen=True)
class OrthogonalRecurrence(Change):
    """Initialize the recurrent weights of each gate as an orthogonal matrix.

    Such a matrix preserves the norm of the state.
    """

    text = "make the recurrent weights orthogonal"

    def _apply(self, plan):
        named = plan.program.net.named_parameters()
        found = [p for path, p in named.items() if path.split(".")[-1] == "hidden_weight"]
        surgery.expect_some(len(found), "recurrent layer")
        for p in found:
            rows, columns = p.shape
            gates = [nn.init.orthogonal((rows, rows)) for _ in range(columns // rows)]
            p.data = jnp.asarray(np.concatenate(gates, axis=1), p.dtype)
        return plan


@dataclasses.dataclass(frozen=True)
class SetDropout(Change):
    """Set the rate of all dropout layers; without any, add them after the hidden activations.

    Args:
        p: probability of dropping a unit.
    """

    p: float

    @property
    def text(self) -> str:
        return "remove dropout" if self.p == 0 else f"set dropout to {self.p:g}"

    def _apply(self, plan):
        expect_range(self.p, what="p", least=0, below=1)
        program = plan.program
        kinds = (nn.Dropout, nn.SpatialDropout)
        found = [m for m in program.net.modules().values() if isinstance(m, kinds)]
        for module in found:
            module.p = self.p
        if not found:
            hidden, _ = surgery.hidden_and_output(program, plan.x)
            count = 0
            if self.p:
                make = functools.partial(nn.Dropout, self.p)
                count = surgery.insert_after(program.net, hidden, lambda layer: make())
            surgery.expect_some(count, "dropout or hidden activation")
        return plan


@dataclasses.dataclass(frozen=True)
class InsertLayerNorm(Change):
    """Add a LayerNorm after each hidden layer, before its activation."""

    text = "add a LayerNorm after each hidden layer"

    def _apply(self, plan):
        program = plan.program
        layers = surgery.hidden_layers(program, plan.x)
        count = surgery.insert_after(
            program.net, layers, lambda layer: nn.LayerNorm(layer.weight.shape[-1])
        )
        surgery.expect_some(count, "hidden layer in a Sequential")
        return with_new_parameters(plan)


@dataclasses.dataclass(frozen=True)
class MinimumNormMomentum(Change):
    """Raise the momentum of batch norms' running averages to at least this value."""

    momentum: float = 0.1

    @property
    def text(self) -> str:
        return f"set the momentum of batch norm to at least {self.momentum:g}"

    def _apply(self, plan):
        modules = plan.program.net.modules().values()
        slow = [m for m in modules if isinstance(m, nn.BatchNorm) and m.momentum < self.momentum]
        surgery.expect_some(len(slow), f"batch norm with a momentum below {self.momentum:g}")
        for norm in slow:
            norm.momentum = self.momentum
        return plan


@dataclasses.dataclass(frozen=True)
class Widen(Change):
    """Widen hidden dense layers to at least this many units and reinitialize all weights.

    Works for a Sequential of dense layers, activations and dropout.
    """

    units: int = 64

    @property
    def text(self) -> str:
        return f"give each hidden layer at least {self.units} units"

    def _apply(self, plan):
        program = plan.program
        layers = program.net.layers() if isinstance(program.net, nn.Sequential) else []
        dense = [k for k, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
        others = [m for k, m in enumerate(layers) if k not in dense and m.parameters()]
        narrow = [k for k in dense[:-1] if layers[k].weight.shape[1] < self.units]
        surgery.expect_some(
            0 if others else len(narrow), f"hidden dense layer with fewer than {self.units} units"
        )
        draw = nn.init.INITIALIZERS[_fitting(program, plan.x)]
        size = layers[dense[0]].weight.shape[0]
        for k in dense:
            old = layers[k]
            wanted = old.weight.shape[1] if k == dense[-1] else max(self.units, old.weight.shape[1])
            new = nn.Linear(size, wanted, bias=old.bias is not None, init=draw)
            surgery.replace(program.net, old, new)
            size = wanted
        return with_new_parameters(plan)

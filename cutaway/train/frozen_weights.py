"""FrozenWeights: single weights that keep their values while the others of their layer train."""

import contextlib
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from cutaway.nn import Module, StructureChange
from cutaway.nn.state import Buffer, Parameter, Stateful


class FrozenWeights(Stateful):
    """Which weights of a network keep their values.

    Whole parameters are frozen by `requires_grad = False`, which also saves their gradients; here
    the step is computed as always and undone where a mask is 1.

    Attributes:
        parameters: those with frozen weights.
        masks: of each, an array of its shape: 1 where a weight is frozen, otherwise 0.
    """

    def __init__(self):
        self.parameters: list[Parameter] = []
        self.masks: list[Buffer] = []

    def set(self, parameter: Parameter, index: tuple[int, ...], frozen: bool) -> None:
        """Freeze one weight of a parameter, or let it train again."""
        place = next((k for k, p in enumerate(self.parameters) if p is parameter), None)
        if place is None:
            place = len(self.parameters)
            self.parameters.append(parameter)
            self.masks.append(Buffer(np.zeros(parameter.shape, np.float32)))
        mask = self.masks[place].numpy().copy()
        mask[index] = float(frozen)
        self.masks[place].data = jnp.asarray(mask)

    def indices(self, parameter) -> list[tuple[int, ...]]:
        """Of the frozen weights of a parameter."""
        for p, mask in zip(self.parameters, self.masks, strict=True):
            if p is parameter:
                return [tuple(map(int, index)) for index in np.argwhere(mask.numpy() > 0)]
        return []

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Context of an optimizer's step, after which the frozen weights are as before."""
        before = [p.data for p in self.parameters]
        yield
        for p, mask, old in zip(self.parameters, self.masks, before, strict=True):
            p.data = jnp.where(mask.data > 0, old, p.data)

    def follow(self, change: StructureChange, net: Module) -> None:
        """Go on with a network whose layers were changed; new weights are not frozen."""
        for p, mask in zip(self.parameters, self.masks, strict=True):
            mask.data = change.carried(p, mask.data)
        own = {id(p) for p in net.parameters()}
        kept = [k for k, p in enumerate(self.parameters) if id(p) in own]
        self.parameters = [self.parameters[k] for k in kept]
        self.masks = [self.masks[k] for k in kept]

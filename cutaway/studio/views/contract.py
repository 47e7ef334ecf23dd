"""What a view of the studio is: what frames hold of a network while it is on the screen."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

import jax.numpy as jnp
import numpy as np

from cutaway.engine import Tensor, no_grad
from cutaway.nn import watch
from cutaway.nn.trees import call, leaves, map_leaves
from cutaway.studio.look import Look
from cutaway.studio.subject import Subject
from cutaway.train import Program, StepwiseTraining

GRID = 100  # points along each side of the plane
THUMBNAIL = 34  # points along each side of a neuron's picture

Fact = TypeVar("Fact")


@dataclasses.dataclass
class Scene:
    """A network in training, and what is looked at of it.

    Attributes:
        subject: data and names.
        training: the StepwiseTraining of the network.
        look: the Look.
        row: index of the row that is looked at, in the subject's arrays.
    """

    subject: Subject
    training: StepwiseTraining
    look: Look
    row: int

    def __post_init__(self):
        self.facts: dict[Callable, Any] = {}  # see once_per_scene

    @property
    def program(self) -> Program:
        return self.training.program

    @property
    def net(self) -> Any:
        return self.program.net

    def example(self) -> Any:
        """x of the row that is looked at, with a batch axis of 1, raw as the program takes it."""
        return map_leaves(lambda leaf: leaf[self.row : self.row + 1], self.subject.x)

    def target(self) -> Any:
        """y of that row, with a batch axis of 1."""
        return map_leaves(lambda leaf: leaf[self.row : self.row + 1], self.subject.y)

    def plane(self, points: int) -> np.ndarray:
        """(points², inputs) the encoded inputs on the plane of the two columns, top row first.

        Only for subjects with `inputs`.
        """
        columns = self.subject.inputs
        assert columns is not None  # views of the plane fit only then
        base = np.array([float(c.encoded(c.mean)) for c in columns], np.float32)
        if self.look.others == "row":
            base = np.asarray(leaves(self.example())[0], np.float32)[0]
        along, up = self.look.columns
        sides = []
        for place in (along, up):
            low, high = self.limits(place)
            sides.append(columns[place].encoded(np.linspace(low, high, points)))
        x = np.tile(base, (points * points, 1))
        x[:, along] = np.tile(sides[0], points)
        x[:, up] = np.repeat(sides[1][::-1], points)
        return x

    def limits(self, place: int) -> tuple[float, float]:
        """(low, high) of the plane along a column, in the table's unit, a margin included."""
        assert self.subject.inputs is not None
        column = self.subject.inputs[place]
        margin = 0.1 * (column.high - column.low) or 1.0
        return column.low - margin, column.high + margin


def once_per_scene(function: Callable[[Scene], Fact]) -> Callable[[Scene], Fact]:
    """A function of what stays the same while a network trains: frames share what it returned."""

    @functools.wraps(function)
    def known(scene: Scene) -> Fact:
        if function not in scene.facts:
            scene.facts[function] = function(scene)
        return scene.facts[function]

    return known


class LayerOutputs:
    """What the modules of a network returned in one forward pass.

    Attributes:
        out: what the network returned.
        of: {path: output Tensor of the last call of the module}, of several results the first.
        into: {path: the first input Tensor of that call}.
    """

    def __init__(self, net, x):
        self.of: dict[str, Tensor] = {}
        self.into: dict[str, Tensor] = {}
        with no_grad(), watch(net, self._keep) as found:
            self._paths = found
            self.out = call(net, x)

    def _keep(self, module, inputs, out):
        if isinstance(out, tuple) and out:
            out = out[0]
        path = self._paths.path_of(module)
        if isinstance(out, Tensor):
            self.of[path] = out
        if inputs:
            self.into[path] = inputs[0]


class Passes:
    """The passes through a network that the views of a frame ask for, each made once.

    Made while the frame's one program is traced; the arrays in it are traced ones.
    """

    def __init__(self, program: Program, given: dict[str, Any]):
        self.program = program
        self._given = given
        self._made: dict[str, Any] = {}

    @property
    def row(self) -> LayerOutputs:
        """The pass of the row that is looked at."""
        return self._pass("row")

    @property
    def plane(self) -> LayerOutputs:
        """The pass of GRID² points of the plane of two columns."""
        return self._pass("plane")

    @property
    def thumbnail(self) -> LayerOutputs:
        """The pass of THUMBNAIL² points of that plane."""
        return self._pass("thumbnail")

    @property
    def slopes(self) -> dict[str, Tensor]:
        """{path of a parameter: ∂L/∂parameter} of the batch of the next step."""
        if "slopes" not in self._made:
            with self.program.in_mode(True):
                self._made["slopes"] = self.program.gradients(*self._given["batch"])
        return self._made["slopes"]

    def inputs(self, name: str) -> Any:
        """What the network gets in the pass "row", "plane" or "thumbnail", for passes of one's own.

        Such a pass belongs into `evaluating`.
        """
        return self.program.inputs(self._given[name])

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Context of a pass in evaluation mode that records no tape."""
        with no_grad(), self.program.in_mode(False):
            yield

    def _pass(self, name: str) -> LayerOutputs:
        if name not in self._made:
            with self.evaluating():
                self._made[name] = LayerOutputs(self.program.net, self.inputs(name))
        return self._made[name]


class View:
    """A view: the base class of the leaves in this folder, each of which is found by being there.

    A view says whether it fits a network, which passes it needs, and what its arrays are. `traced`
    runs inside the one compiled program of a frame; `looked` runs beside it, on the thread that
    owns the network, and may call `ct.explain`; `header` says what the arrays mean.

    Attributes:
        name: in Look.views and in the names of the arrays, "LANE/NAME/ARRAY".
        title: on the page.
        needs: the passes, of "row", "plane", "thumbnail" and "batch".
        has_row: whether it is of the row that is looked at.
        has_layer: whether it is of one layer, which the page lets choose of `layers`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    has_row: ClassVar[bool] = False
    has_layer: ClassVar[bool] = False

    def fits(self, scene: Scene) -> bool:
        """Whether there is something to see."""
        raise NotImplementedError

    def layers(self, scene: Scene) -> list[str]:
        """Paths of the layers that it can show, if `has_layer`."""
        return []

    def layer(self, scene: Scene) -> str:
        """Path of the layer that it shows: the one looked at, if it can, otherwise its first."""
        found = self.layers(scene)
        return scene.look.layer if scene.look.layer in found else found[0]

    def traced(self, passes: Passes, scene: Scene) -> dict[str, Any]:
        """{name: array} computed in the frame's program; of `scene`, only what it is made of."""
        return {}

    def looked(self, scene: Scene) -> dict[str, np.ndarray]:
        """{name: array} computed beside it: uint8, int32 or float32."""
        return {}

    def header(self, scene: Scene, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """What the page has to know: plain JSON values.

        Args:
            arrays: all that `traced` and `looked` gave.
        """
        return {}

    def sent(self, scene: Scene, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{name: array} of the frame: without those that the header alone needs, or drawn of them.

        Args:
            arrays: as for `header`.
        """
        return arrays


def quantized(values, low, high) -> Any:
    """Values as uint8: low is 0, high 255; traced arrays."""
    span = jnp.where(high > low, high - low, 1)
    return jnp.clip(jnp.round((values - low) / span * 255), 0, 255).astype(jnp.uint8)

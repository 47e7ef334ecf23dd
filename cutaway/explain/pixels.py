"""pixel_evidence: what the output of a network at one place rests on.

With F an output of the network at a position p and x its input, the evidence at each place of the
input is Σ_channels |∂F/∂x|. Where it is 0, the input has no influence: the rest is the receptive
field, measured instead of computed from the layers' windows. How far most of the evidence reaches
is usually much less [1].

References:
    [1] Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural
        networks", arXiv:1701.04128.
"""

import dataclasses

import numpy as np

from cutaway.engine import Tensor, gradients
from cutaway.errors import OptionError, ShapeError
from cutaway.nn import Module, in_mode
from cutaway.story.design import ORANGE
from cutaway.story.panels import amount_map, new_axes
from cutaway.story.text import WIDTH, Story, number

PARTS = (0.5, 0.9)  # of the evidence, whose reach is told
SMALLEST = 1e-4  # of the largest value, in a plot


def pixel_evidence(net: Module, x, position, *, target: int | None = None) -> "PixelEvidence":
    """What the output at one position rests on, by the gradient.

    Computed in evaluation mode; the network is not modified.

    Args:
        net: a network that returns (batch, *sizes, outputs) of the sizes of its input.
        x: one input (*sizes, channels), without its batch axis.
        position: index along each of the sizes.
        target: which output; None: the largest at that position.

    Raises:
        ShapeError: outputs of other sizes than the input.
        OptionError: no such position or output.

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.explain import pixel_evidence
        >>> net = ct.Sequential(ct.Conv2d(1, 4, 3, padding=1), ct.Conv2d(4, 2, 3, padding=1))
        >>> pixel_evidence(net, np.ones((9, 9, 1)), (4, 4)).field
        [(2, 7), (2, 7)]
    """
    x = np.asarray(x, np.float32)
    sizes = x.shape[:-1]
    position = tuple(int(n) for n in position)
    if len(position) != len(sizes) or any(
        not 0 <= p < n for p, n in zip(position, sizes, strict=False)
    ):
        raise OptionError(
            f"pixel_evidence: the position {position} of an input of {_by(sizes)}",
            expected=f"{len(sizes)} indices from 0 on, within these sizes",
        )
    with in_mode(net, False):
        leaf = Tensor(x[None], requires_grad=True)
        out = net(leaf)
        if out.shape[1:-1] != sizes:
            raise ShapeError(
                f"pixel_evidence: an output of shape {out.shape} for an input of {_by(sizes)}",
                expected="an output for each place of the input",
                fix="use grad_cam, or attribute, for a network with one output per input",
            )
        values = out.numpy()[(0, *position)]
        which = int(values.argmax()) if target is None else target
        if not 0 <= which < len(values):
            raise OptionError(
                f"pixel_evidence: target {target}", expected=f"0 to {len(values) - 1}"
            )
        seed = np.zeros(out.shape, np.float32)
        seed[(0, *position, which)] = 1
        found = {id(tensor): np.asarray(g) for tensor, g in gradients(out, seed)}
    slopes = np.abs(found[id(leaf)][0]).sum(axis=-1)
    return PixelEvidence(position, which, float(values[which]), slopes)


@dataclasses.dataclass(frozen=True, repr=False)
class PixelEvidence(Story):
    """What the output at one position rests on. Made by `pixel_evidence`.

    Attributes:
        position: index along each of the sizes.
        target: which output.
        output: its value.
        values: (*sizes) Σ_channels |∂F/∂x|.
        name: of the output; "": its number is shown.
    """

    position: tuple[int, ...]
    target: int
    output: float
    values: np.ndarray
    name: str = ""

    @property
    def field(self) -> list[tuple[int, int]]:
        """[(first, end)] along each axis of what has an influence: the receptive field."""
        found = []
        for axis in range(self.values.ndim):
            others = tuple(k for k in range(self.values.ndim) if k != axis)
            places = np.flatnonzero(self.values.max(axis=others) > 0)
            found.append((int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0))
        return found

    def reach(self, part: float) -> int:
        """The smallest distance (the largest of the axes) within which this part of it lies."""
        grids = np.indices(self.values.shape)
        places = np.array(self.position).reshape(-1, *[1] * self.values.ndim)
        distance = np.abs(grids - places).max(axis=0)
        sums = np.bincount(distance.ravel(), self.values.ravel())
        return int(np.searchsorted(np.cumsum(sums), part * sums.sum() * (1 - 1e-9)))

    def text(self, width: int = WIDTH) -> str:
        axes = ("rows", "columns") if self.values.ndim == 2 else ("axis 0", "axis 1", "axis 2")
        edges = ", ".join(
            f"{name}: {first} to {end - 1} ({end - first})"
            for name, (first, end) in zip(axes, self.field, strict=False)
        )
        lines = [
            f"{self.name or f'Output {self.target}'} at {self.position}: {number(self.output)}",
            f"Receptive field, where ∂F/∂x is not 0: {edges}",
        ]
        lines += [
            f"{part:.0%} of Σ|∂F/∂x| lies within {self.reach(part)} of the position"
            for part in PARTS
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict:
        return {
            "position": list(self.position),
            "target": self.target,
            "output": self.output,
            "field": [list(edge) for edge in self.field],
            "reach": {str(part): self.reach(part) for part in PARTS},
        }

    def plot(self, axes=None):
        axes = new_axes(axes, width=6.4, height=4.8)
        (top, bottom), (left, right) = self.field[:2]
        flat = self.values[top:bottom, left:right]
        while flat.ndim > 2:
            flat = flat.sum(axis=-1)
        if flat.size:
            shown = np.log10(np.maximum(flat, SMALLEST * flat.max()) / flat.max())
            extent = (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5)
            image = axes.imshow(shown, cmap=amount_map(), extent=extent)
            axes.figure.colorbar(image, ax=axes, label="log10 of Σ|∂F/∂x| over the largest")
        axes.plot(self.position[1], self.position[0], "+", color=ORANGE)
        return axes


def _by(sizes) -> str:
    return " x ".join(map(str, sizes))

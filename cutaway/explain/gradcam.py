"""grad_cam: the regions of an image that support an output, by the channels of a convolution.

With A_k the map of channel k of a layer, n its positions, and F one output of the network:

    w_k = 1/n Σ_positions ∂F/∂A_k,   map = relu(Σ_k w_k A_k)

w_k is the importance of channel k for the output; the map shows where these channels are active. It
has the resolution of the layer, and is resized to the image by linear interpolation.

References:
    Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based
    localization", arXiv:1610.02391, eq. 1 and 2.
"""

import dataclasses
import textwrap

import jax
import numpy as np

from cutaway.engine import Tensor, gradients
from cutaway.errors import GradientError, OptionError
from cutaway.explain.attribution_story import segment_sums
from cutaway.explain.batching import expect_output, expect_outputs, run_one, shown_input
from cutaway.explain.convolution_views import CONVOLUTIONS
from cutaway.explain.layerwise import (
    expect_finite,
    expect_output_names,
    find_layer,
    frozen,
    output_label,
    plain_forward,
    replaced,
    target_indices,
)
from cutaway.nn import Module
from cutaway.nn.trees import call, map_leaves, named_leaves, subscripts
from cutaway.story import panels
from cutaway.story.text import WIDTH, Story, align, number

REGIONS = 8  # along each side of an image, in a text


def grad_cam(
    net: Module, x, *, target=None, output=None, layer=None, input=None, output_names=None
) -> "GradCam":
    """The regions of the input that support an output, as seen by one layer.

    Computed in evaluation mode and in float64; the network is not modified.

    Args:
        x: one input, with or without its batch axis: (height, width, channels), or (time,
            channels) for a network of Conv1d; of several inputs a tuple or dict.
        target: index in the output; None: the largest, or the only one.
        output: key of the output, for a network that returns several.
        layer: path of the layer, or the layer; None: the last convolution. Its output has axes of
            positions, and channels last.
        input: key of the input that the layer sees, of several; None: the only one with positions
            and channels.
        output_names: of the outputs, for example the classes.

    Example:
        >>> import numpy as np
        >>> from cutaway.explain import grad_cam
        >>> from cutaway.nn import Conv2d, GlobalAvgPool, Linear, ReLU, Sequential
        >>> net = Sequential(Conv2d(3, 4, 3, stride=2), ReLU(), GlobalAvgPool(), Linear(4, 2))
        >>> found = grad_cam(net, np.ones((16, 16, 3)))
        >>> found.layer, found.map.shape, found.values.shape
        ('0', (7, 7), (16, 16))
    """
    with frozen(net):
        path, module = find_layer(net, layer, CONVOLUTIONS, what="convolution", last=True)
        leaves = []

        def cut(layer, *inputs, **named):
            out = plain_forward(layer, *inputs, **named)
            _expect_maps(out, path, layer)
            # a leaf: the backward pass ends here
            leaves.append(Tensor(out.data, requires_grad=True))
            return leaves[-1]

        def run(batch):
            leaves.clear()
            with replaced({module: cut}):
                return call(net, map_leaves(Tensor, batch))

        out, batch = run_one(net, x, run)
        image = shown_input(batch, input)
        keys = expect_output(out, output, 1)
        out = expect_outputs(named_leaves(out).get(keys, out))
        expect_finite(net, batch, out)
        values = out.numpy().reshape(1, -1)
        output_names = expect_output_names(output_names, out.shape[1:])
        which = int(target_indices(out.shape, target, values)[0])
        seed = np.zeros(values.shape)
        seed[0, which] = 1
        found = gradients(out, seed.reshape(out.shape)) if out.requires_grad else []
        found = {id(leaf): np.asarray(g) for leaf, g in found}
        leaf = leaves[-1] if leaves else None
        if leaf is None or id(leaf) not in found:
            raise GradientError(
                f"no gradient reaches layer {path!r}, {type(module).__name__}",
                expected="a layer from which differentiable operations compute the output",
                fix="choose a layer that the network's forward calls, outside of recompute and "
                "no_grad()",
            )
        maps, slopes = leaf.numpy()[0], found[id(leaf)][0]  # (*positions, channels)
    name = output_label(which, out.shape[1:], output_names, f"ŷ{subscripts(keys)}")
    output = float(values[0, which])
    return cam_of(maps, slopes, image, path, target=which, output=output, name=name)


def cam_of(maps, slopes, image, layer: str, *, target: int, output: float, name: str) -> "GradCam":
    """The GradCam of the maps of a layer and the derivatives of an output by them.

    Args:
        maps, slopes: (*positions, channels).
        image: the input.
        layer: path of the layer.
        target, output, name: of the output: its index, value and name.
    """
    weights = slopes.mean(axis=tuple(range(slopes.ndim - 1)))
    raw = maps @ weights
    sizes = image.shape[:-1] if image.ndim == raw.ndim + 1 else raw.shape
    resized = np.asarray(jax.image.resize(np.maximum(raw, 0), sizes, "linear"))
    return GradCam(
        layer=layer,
        values=resized,
        map=np.maximum(raw, 0),
        raw=raw,
        weights=weights,
        x=image,
        target=target,
        output=output,
        name=name,
    )


def _expect_maps(out, path, layer):
    if not isinstance(out, Tensor) or out.ndim < 3:
        shape = f" of shape {out.shape}" if isinstance(out, Tensor) else ""
        raise OptionError(
            f"layer {path!r}, {type(layer).__name__}, returns a {type(out).__name__}{shape}",
            expected="a layer that returns (batch, positions, ..., channels)",
            fix="choose a convolution, or an activation or normalization right after one",
        )


@dataclasses.dataclass(frozen=True, repr=False)
class GradCam(Story):
    """The regions of the input that support an output, as seen by one layer.

    Attributes:
        layer: path of the layer.
        values: the map resized to x, (height, width), nonnegative.
        map: the map in the layer's resolution.
        raw: the map before negative values are set to 0.
        weights: (channels,) w_k.
        x: the input.
        target: index of the output.
        output: its value.
        name: its name.
    """

    layer: str
    values: np.ndarray
    map: np.ndarray
    raw: np.ndarray
    weights: np.ndarray
    x: np.ndarray
    target: int
    output: float
    name: str

    def text(self, width: int = WIDTH) -> str:
        size = " x ".join(map(str, self.map.shape))
        said = f"Regions that support {self.name} = {number(self.output)}, layer {self.layer}: "
        lines = [
            *textwrap.wrap(said + "Grad-CAM", width, break_on_hyphens=False),
            f"{size} positions, {self.weights.size} channels",
            "",
        ]
        largest = self.map.max()
        if largest == 0:
            return "\n".join(
                [
                    *lines,
                    "None: everything that its channels respond to counts against this output.",
                ]
            )
        heat = self.values if self.values.ndim == 2 else self.values.reshape(1, -1)
        heat = _means(_means(heat, min(REGIONS, heat.shape[0]), 0), min(REGIONS, heat.shape[1]), 1)
        lines.append("Percent of the maximum, over the image:")
        cells = [[f"{100 * v / heat.max():.0f}" for v in row] for row in heat]
        lines += [line for line in align(cells, sides=">" * heat.shape[1])]
        order = np.argsort(-np.abs(self.weights), kind="stable")[:4]
        channels = ", ".join(f"{k} ({self.weights[k]:+.2g})" for k in order)
        return "\n".join([*lines, "", f"largest channel weights: {channels}"])

    def to_dict(self) -> dict:
        return {
            "layer": self.layer,
            "target": self.target,
            "name": self.name,
            "output": self.output,
            "weights": self.weights.tolist(),
            "map": self.map.tolist(),
            "values": self.values.tolist(),
        }

    def plot(self, axes=None):
        """The map over the image, and in a new figure the image beside it."""
        if self.values.ndim != 2:
            return self._plot_line(axes)
        axes, result = panels.beside_input(axes, self.x)
        strong = self.values.max() or 1.0
        panels.overlay(
            axes,
            self.x,
            self.values,
            0.85 * self.values / strong,
            title=f"{self.name} = {number(self.output)}: Grad-CAM, layer {self.layer}",
            color_label="support for the output",
            beside=result,
            cmap=panels.amount_map(),
            vmin=0,
            vmax=strong,
        )
        return result

    def _plot_line(self, axes):
        if self.values.ndim != 1:
            return super().plot(axes)
        axes = panels.new_axes(axes, width=7.0, height=3.2)
        axes.plot(self.x[:, 0], color=panels.UP, lw=1.4, label="input, first channel")
        right = axes.twinx()
        right.fill_between(
            np.arange(len(self.values)), self.values, color=panels.DOWN, alpha=0.35, lw=0
        )
        right.set_ylim(0, 2 * (self.values.max() or 1.0))
        right.set_ylabel("support for the output (area)")
        axes.set_ylabel("input (line)")
        axes.set_xlabel("time step")
        axes.set_title(
            panels.plain(f"{self.name} = {number(self.output)}: Grad-CAM, layer {self.layer}")
        )
        return axes

    def html(self) -> str:
        if self.values.ndim > 2:
            return super().html()
        return panels.as_svg(self.plot(), f"Grad-CAM of {self.name}, layer {self.layer}")


def _means(values, parts, axis):
    counts = segment_sums(np.ones_like(values), parts, axis)
    return segment_sums(values, parts, axis) / counts

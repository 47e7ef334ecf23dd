"""feature_maps and filters: the output channels of a convolution, and its kernels."""

import dataclasses

import numpy as np

from cutaway.errors import OptionError, ShapeError, expect_range
from cutaway.explain.batching import shown_input
from cutaway.explain.layerwise import find_layer, frozen, output_of
from cutaway.nn import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Module,
)
from cutaway.story import panels
from cutaway.story.text import WIDTH, Story, align, number

SHOWN = 64  # pictures in a plot
LINES = 16  # channels in a text
CONVOLUTIONS = (Conv1d, Conv2d, Conv3d)
WITH_KERNELS = (*CONVOLUTIONS, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


def feature_maps(net: Module, x, layer=None, *, input=None) -> "FeatureMaps":
    """The feature map of each channel of a layer for one image.

    Args:
        x: one input, with or without its batch axis; of several inputs a tuple or dict.
        layer: path of the layer, or the layer; None: the first convolution. It returns
            (batch, height, width, channels), or (batch, time, channels).
        input: key of the input that the layer sees, of several; None: the only one with positions
            and channels.

    Example:
        >>> import numpy as np
        >>> from cutaway.explain import feature_maps
        >>> from cutaway.nn import Conv2d, ReLU, Sequential
        >>> net = Sequential(Conv2d(1, 4, 3), ReLU())
        >>> feature_maps(net, np.ones((8, 8, 1)), "1").values.shape
        (6, 6, 4)
    """
    with frozen(net):
        path, module = find_layer(net, layer, CONVOLUTIONS, what="convolution", last=False)
        out, _, batch = output_of(net, module, path, x)
        values, image = out.numpy()[0], shown_input(batch, input)
    if values.ndim not in (2, 3):
        raise OptionError(
            f"layer {path!r}, {type(module).__name__}, returns shape {out.shape}",
            expected="a layer that returns (batch, height, width, channels) or (batch, time, "
            "channels)",
            fix="choose a convolution, or an activation, normalization or pooling after one",
        )
    return FeatureMaps(path, type(module).__name__, values, image)


@dataclasses.dataclass(frozen=True, repr=False)
class FeatureMaps(Story):
    """The feature map of each channel of a layer for one image.

    Attributes:
        layer: path of the layer.
        kind: its class.
        values: (height, width, channels), or (time, channels).
        x: the input.
    """

    layer: str
    kind: str
    values: np.ndarray
    x: np.ndarray

    def text(self, width: int = WIDTH) -> str:
        *positions, channels = self.values.shape
        flat = self.values.reshape(-1, channels)
        lines = [
            f"Feature maps of layer {self.layer}, {self.kind}: {channels} channels of "
            f"{' x '.join(map(str, positions))}",
            "",
        ]
        order = np.argsort(-np.abs(flat).mean(axis=0), kind="stable")
        rows = [["channel", "smallest", "mean", "largest", "fraction of 0"]]
        for k in order[:LINES]:
            column = flat[:, k]
            zeros = f"{100 * np.mean(column == 0):.0f}%"
            rows.append(
                [str(k), number(column.min()), number(column.mean()), number(column.max()), zeros]
            )
        lines += align(rows, sides=">>>>>")
        if channels > LINES:
            lines.append(f"({channels - LINES} more channels, with smaller values)")
        silent = [int(k) for k in range(channels) if not flat[:, k].any()]
        if silent:
            listed = ", ".join(map(str, silent[:12])) + (", ..." if len(silent) > 12 else "")
            lines += ["", f"0 everywhere for this input: {len(silent)} channels ({listed})"]
        return "\n".join(lines)

    def to_dict(self) -> dict:
        return {"layer": self.layer, "kind": self.kind, "values": self.values.tolist()}

    def plot(self, axes=None):
        """A picture for each channel, the first 64; of a series a heat map of channels by time.

        Args:
            axes: only for a series; images need a new figure.
        """
        if self.values.ndim == 2:
            return panels.heat_map(
                axes,
                self.values.T,
                title=f"layer {self.layer}, {self.kind}",
                down="channel",
                along="position",
                color_label="value",
            )
        _expect_new_figure(axes)
        count = min(self.values.shape[-1], SHOWN)
        few = f", {count} of {self.values.shape[-1]}" if count < self.values.shape[-1] else ""
        colors = panels.signed_range(self.values)
        if self.values.min() >= 0:
            colors = {"cmap": panels.amount_map(), "vmin": 0, "vmax": self.values.max() or 1.0}
        return panels.grid(
            [self.values[..., k] for k in range(count)],
            titles=[str(k) for k in range(count)],
            title=f"layer {self.layer}, {self.kind}: feature maps{few}",
            color_label="value",
            **colors,
        )

    def html(self) -> str:
        return panels.as_svg(self.plot(), f"feature maps of layer {self.layer}")


def filters(net: Module, layer=None, *, channel: int | None = None) -> "Filters":
    """The kernels of a convolution: the patterns that its channels respond to.

    Args:
        layer: path of the convolution, or the layer; None: the first one.
        channel: of which input channel; None: kernels for 3 channels are colors, of others the
            sum over the input channels is shown.

    Example:
        >>> from cutaway.explain import filters
        >>> from cutaway.nn import Conv2d, Sequential
        >>> filters(Sequential(Conv2d(3, 8, 5))).values.shape
        (5, 5, 3, 8)
    """
    with frozen(net):
        path, module = find_layer(net, layer, WITH_KERNELS, what="convolution", last=False)
        if not isinstance(module, WITH_KERNELS):
            raise OptionError(
                f"layer {path!r} is a {type(module).__name__}",
                expected="a convolution, which has kernels",
                fix="pass the path of a Conv1d, Conv2d or Conv3d, as in net.summary()",
            )
        values = module.weight.numpy().copy()
    if channel is not None:
        expect_range(channel, what="channel", least=0, below=values.shape[-2])
    return Filters(path, type(module).__name__, values, channel)


@dataclasses.dataclass(frozen=True, repr=False)
class Filters(Story):
    """The kernels of a convolution.

    Attributes:
        layer: path of the convolution.
        kind: its class.
        values: (*window, in, out).
        channel: the input channel that is shown, or None.
    """

    layer: str
    kind: str
    values: np.ndarray
    channel: int | None = None

    def text(self, width: int = WIDTH) -> str:
        *window, inputs, outputs = self.values.shape
        lines = [
            f"Filters of layer {self.layer}, {self.kind}: {outputs} kernels of "
            f"{' x '.join(map(str, window))} for {inputs} channel{'s' * (inputs > 1)}",
            "",
        ]
        flat = self.values.reshape(-1, outputs)
        lengths = np.sqrt((flat**2).sum(axis=0))
        rows = [["kernel", "length", "smallest", "largest", "sum"]]
        for k in np.argsort(-lengths, kind="stable")[:LINES]:
            column = flat[:, k]
            rows.append(
                [
                    str(k),
                    number(lengths[k]),
                    number(column.min()),
                    number(column.max()),
                    number(column.sum()),
                ]
            )
        lines += align(rows, sides=">>>>>")
        if outputs > LINES:
            lines.append(f"({outputs - LINES} more kernels with smaller norms)")
        return "\n".join(lines)

    def to_dict(self) -> dict:
        return {
            "layer": self.layer,
            "kind": self.kind,
            "channel": self.channel,
            "values": self.values.tolist(),
        }

    def plot(self, axes=None):
        """A picture for each kernel, the first 64.

        Kernels for 3 channels are shown as colors, scaled for each kernel by itself, with 0 as
        medium gray.

        Args:
            axes: None, since the pictures need a new figure.
        """
        _expect_new_figure(axes)
        *window, inputs, outputs = self.values.shape
        if len(window) > 2:
            raise ShapeError(
                f"cannot plot kernels of size {' x '.join(map(str, window))}",
                expected="kernels of one or two axes",
                fix="plot slices of .values",
            )
        count = min(outputs, SHOWN)
        few = f", {count} of {outputs}" if count < outputs else ""
        title = f"layer {self.layer}, {self.kind}: filters{few}"
        kernels = self.values if len(window) == 2 else self.values[None]
        titles = [str(k) for k in range(count)]
        if self.channel is None and inputs == 3 and len(window) == 2:
            largest = np.abs(kernels).max(axis=(0, 1, 2), keepdims=True)
            colors = 0.5 + 0.5 * kernels / np.where(largest == 0, 1, largest)
            return panels.grid(
                [colors[..., k] for k in range(count)],
                titles=titles,
                title=f"{title}, in color",
                color_label=None,
            )
        if self.channel is None:
            shown, label = kernels.sum(axis=2), "weight"
            if inputs > 1:
                label = f"sum over {inputs} channels"
        else:
            shown, label = kernels[:, :, self.channel], f"channel {self.channel}"
        return panels.grid(
            [shown[..., k] for k in range(count)],
            titles=titles,
            title=title,
            color_label=label,
            **panels.signed_range(shown),
        )

    def html(self) -> str:
        if self.values.ndim > 4:
            return super().html()
        return panels.as_svg(self.plot(), f"filters of layer {self.layer}")


def _expect_new_figure(axes):
    if axes is not None:
        raise OptionError(
            "a grid of pictures cannot be drawn into one axes",
            expected="axes=None, for a figure of its own",
        )

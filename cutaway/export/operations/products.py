"""Matrix products and convolutions, in ONNX."""

from cutaway import ops
from cutaway.errors import OptionError
from cutaway.export.graph import Value
from cutaway.export.operations.registry import exports
from cutaway.ops.windows import padding_pairs, per_axis


@exports(ops.matmul)
def _matmul(g, a, b):
    return g.out("MatMul", a, b)


@exports(ops.convolution)
def _convolution(g, x, weight, *, stride=1, padding=((0, 0),), dilation=1, groups=1):
    axes = x.ndim - 2
    stride, dilation = (per_axis(n, axes, what="window") for n in (stride, dilation))
    sizes, kernel = x.shape[1:-1], weight.shape[:-2]
    pairs = padding_pairs(padding, sizes, kernel, stride, dilation)
    first = g.node(
        "Conv",
        g.channels_first(x),
        _kernel(g, weight, (axes + 1, axes, *range(axes))),
        kernel_shape=list(kernel),
        strides=list(stride),
        dilations=list(dilation),
        pads=pads(pairs),
        group=groups,
    )
    return g.result(first=first)


@exports(ops.transposed_convolution)
def _transposed_convolution(
    g, x, weight, *, stride=1, padding=((0, 0),), output_padding=0, dilation=1, groups=1
):
    axes = x.ndim - 2
    kernel = weight.shape[:-2]
    pairs = tuple(padding) * axes if len(padding) == 1 else padding
    if weight.array is None:
        raise OptionError(
            "a transposed convolution whose kernel is computed",
            expected="a kernel that is fixed, for ONNX",
        )
    # (*kernel, in / groups, out) -> (in, out / groups, *kernel)
    inner, out = weight.shape[-2:]
    split = weight.array.reshape(*kernel, inner, groups, out // groups)
    order = (axes + 1, axes, axes + 2, *range(axes))
    turned = split.transpose(order).reshape(groups * inner, out // groups, *kernel)
    first = g.node(
        "ConvTranspose",
        g.channels_first(x),
        g.constant(turned, weight.hint or "constant"),
        kernel_shape=list(kernel),
        strides=list(per_axis(stride, axes, what="stride")),
        dilations=list(per_axis(dilation, axes, what="dilation")),
        output_padding=list(per_axis(output_padding, axes, what="output_padding", least=0)),
        pads=pads(pairs),
        group=groups,
    )
    return g.result(first=first)


def _kernel(g, weight: Value, order) -> str:
    if weight.array is not None:
        return g.constant(weight.array.transpose(order), weight.hint or "constant")
    return g.node("Transpose", weight, perm=list(order))


def pads(pairs) -> list:
    return [before for before, _ in pairs] + [after for _, after in pairs]

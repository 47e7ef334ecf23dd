"""What networks for images share: a convolution with its norm, weights, and the least image."""

from cutaway.errors import ShapeError, expect_axis, expect_range
from cutaway.nn import BatchNorm, Conv2d, ReLU, Sequential, init
from cutaway.ops.windows import expect_window_axes

IMAGENET_CLASSES = 1000


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    padding=None,
    groups: int = 1,
    activation=ReLU,
    eps: float = 1e-5,
) -> Sequential:
    """Convolution, batch norm and an activation: the paths end in "0", "1" and "2".

    Args:
        padding: see Conv2d; None: half the kernel on both sides.
        activation: its class; None: none, as before an addition.
        eps: of the batch norm.
    """
    padding = kernel_size // 2 if padding is None else padding
    layers = [
        # batch norm takes the mean away, and with it any bias
        Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            groups=groups,
            bias=False,
            init=init.he_normal,
        ),
        BatchNorm(out_channels, eps=eps),
    ]
    return Sequential(*layers, *([] if activation is None else [activation()]))


def smallest_side(halvings: int) -> int:
    """Least height and width that can be halved so often, an odd last position kept each time."""
    return 2 ** (halvings - 1) + 1 if halvings else 1


def expect_images(net, x, *, channels: int, smallest: int) -> None:
    """Raise ShapeError unless x is a batch of images that `net`'s stages can make smaller.

    Args:
        smallest: height and width below which a stage would halve a map of one position.
    """
    name = type(net).__name__
    expect_window_axes(x, 2, where=name)
    expect_axis(x, -1, channels, where=name, name="in_channels")
    height, width = x.shape[1:3]
    if min(height, width) < smallest:
        raise ShapeError(
            f"{name}: images of {height} x {width} are too small for its stages",
            expected=f"at least {smallest} x {smallest}: below that a stage has a single position "
            "left to make smaller",
            fix="enlarge the images, or build the network for small ones (a stem without stride, "
            "fewer stages)",
        )


def build(network, num_classes: int | None, pretrained, names, known=None, *, fresh=()):
    """A variant of a known network, with published weights if they are asked for.

    Args:
        network: function of the number of classes.
        num_classes: None: as many as ImageNet's, and as the weights must have. A number: where
            the weights have another, the head stays as it was drawn.
        pretrained: path of a file, URL, `known` or "imagenet", which means the same; None: all
            weights are drawn.
        names: weights.WeightNames, from the names in the file to the network's.
        known: name of its published weights in weights.KNOWN, None if there are none.
        fresh: what else stays as it was drawn when the head does.
    """
    if num_classes is not None:
        expect_range(num_classes, what="num_classes", least=1)
    net = network(IMAGENET_CLASSES if num_classes is None else num_classes)
    if pretrained is not None:
        fresh = () if num_classes is None else ("head", *fresh)
        load_pretrained(net, pretrained, names, known, fresh=fresh)
    return net


def load_pretrained(net, pretrained, names, known=None, *, fresh=()) -> None:
    """Give `net` published weights; where their head has other outputs, all but `fresh`."""
    from cutaway.weights import load_into

    weights = _weights(pretrained, known)
    load_into(net, weights, names, but=fresh if fresh and not _fits(net, weights, names) else ())


def _weights(pretrained, known) -> dict:
    if isinstance(pretrained, dict):
        return pretrained
    from cutaway.weights import KNOWN, fetch, read_weights

    here = {name: KNOWN[known] for name in ("imagenet", known)} if known is not None else {}
    return read_weights(fetch(pretrained, here))


def _fits(net, weights, names) -> bool:
    """Whether the weights' head has as many outputs as the net's."""
    outputs = net.head.bias.shape
    for name, array in weights.items():
        for path, *_ in names.targets(name) or ():
            if path == "head.bias":
                return array.shape == outputs
    return True  # no head at all: the error of a missing tensor says so

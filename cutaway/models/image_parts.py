"""What image networks share: convolution with batch norm, pretrained weights, minimum size."""

from cutaway.errors import ShapeError, expect_axis, expect_range
from cutaway.nn import BatchNorm, Conv2d, Module, ReLU, Sequential, init
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
    activation: type[Module] | None = ReLU,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> Sequential:
    """Convolution, batch norm and an activation, under the paths "0", "1" and "2".

    Args:
        padding: see Conv2d; None: half the kernel on both sides.
        activation: its class; None: no activation, as before a residual addition.
        eps, momentum: of the batch norm.
    """
    padding = kernel_size // 2 if padding is None else padding
    layers = [
        # batch norm subtracts the mean, and with it any bias
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
        BatchNorm(out_channels, eps=eps, momentum=momentum),
    ]
    return Sequential(*layers, *([] if activation is None else [activation()]))


def smallest_side(halvings: int) -> int:
    """Minimum height and width for this number of halvings, each rounded up."""
    return 2 ** (halvings - 1) + 1 if halvings else 1


def expect_images(net, x, *, channels: int, smallest: int) -> None:
    """Raise ShapeError unless x is a batch of images large enough for `net`'s stages.

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
            expected=f"at least {smallest} x {smallest}: smaller maps cannot be downsampled in "
            "every stage",
            fix="resize the images, or build the network for small ones (a stem without stride, "
            "fewer stages)",
        )


def build(network, num_classes: int | None, pretrained, names, published=None, *, fresh=()):
    """A variant of an architecture, with pretrained weights if requested.

    Args:
        network: function of the number of classes.
        num_classes: None: that of ImageNet, which the weights must have too. A number: if the
            weights have another, the head keeps its random initialization.
        pretrained: path of a file, URL, `published` or "imagenet", which are synonyms; None:
            random initialization.
        names: weights.WeightNames, from the names in the file to those of the network.
        published: name of its weights in weights.PUBLISHED, None if there are none.
        fresh: what else keeps its initialization when the head does.
    """
    if num_classes is not None:
        expect_range(num_classes, what="num_classes", least=1)
    net = network(IMAGENET_CLASSES if num_classes is None else num_classes)
    if pretrained is not None:
        fresh = () if num_classes is None else ("head", *fresh)
        load_pretrained(net, pretrained, names, published, fresh=fresh)
    return net


def load_pretrained(net, pretrained, names, published=None, *, fresh=()) -> None:
    """Load pretrained weights into `net`; if their head has other outputs, all but `fresh`."""
    from cutaway.weights import load_into

    weights = _weights(pretrained, published)
    load_into(net, weights, names, but=fresh if fresh and not _fits(net, weights, names) else ())


def _weights(pretrained, published) -> dict:
    if isinstance(pretrained, dict):
        return pretrained
    from cutaway.weights import PUBLISHED, fetch, read_weights

    choices = {}
    if published is not None:
        choices = {name: PUBLISHED[published] for name in ("imagenet", published)}
    return read_weights(fetch(pretrained, choices))


def _fits(net, weights, names) -> bool:
    """Whether the head of the weights has as many outputs as that of the net."""
    from cutaway.weights import OwnWeights

    outputs = net.head.bias.shape
    if isinstance(weights, OwnWeights):
        return "head.bias" not in weights or weights["head.bias"].shape == outputs
    for name, array in weights.items():
        for path, *_ in names.targets(name) or ():
            if path == "head.bias":
                return array.shape == outputs
    return True  # no head at all: the error of a missing tensor says so

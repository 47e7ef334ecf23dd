"""LeNet-5, the network that read checks.

LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition",
Proc. IEEE 86, sec. II.B and fig. 2. Images of 32 x 32 (28 x 28 digits with 2 pixels of padding):

    layer    output        what                                             parameters
    c1       28 x 28, 6    5x5 convolution                                  156
    s2       14 x 14, 6    2x2 mean, times a coefficient, plus a bias       12
    c3       10 x 10, 16   5x5 convolutions, each of some of the maps       1,516
    s4       5 x 5, 16     as s2                                            32
    c5       1 x 1, 120    5x5 convolution of all maps                      48,120
    f6       84            dense                                            10,164
    body                                                                    60,000
    head     10            dense                                            850

The activation is A tanh(2/3 z), A = 1.7159. Table I lists which maps of s2 each map of c3 reads,
which saves multiplications and breaks the symmetry between them.

Differences: the paper's last layer outputs distances to ten hand-drawn images of characters (RBF
units, trained with a loss of their own); here it outputs logits. `lenet5_modern` is what the name
usually means today: c3 reads all maps, pools have no weights, plain tanh. 61,706 parameters.
"""

from collections.abc import Callable

from cutaway import ops
from cutaway.errors import ShapeError
from cutaway.models.backbone import Backbone
from cutaway.models.image_parts import expect_images
from cutaway.nn import (
    AvgPool,
    Conv2d,
    Flatten,
    Linear,
    Module,
    Parameter,
    Sequential,
    Tanh,
    init,
)

TABLE_1 = (  # the maps of s2 that each map of c3 reads
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)


class ScaledTanh(Module):
    """1.7159 tanh(2/3 z): 1 at 1 and -1 at -1, its second derivative largest there. App. A."""

    keeps_features = True

    def forward(self, z):
        return 1.7159 * ops.tanh(z * (2 / 3))


class Subsampling(Module):
    """The mean of 2x2 positions, times a coefficient, plus a bias; one of each per map.

    Parameters:
        weight: (channels,), ones.
        bias: (channels,), zeros.
    """

    keeps_features = True

    def __init__(self, channels: int):
        self.pool = AvgPool(2)
        self.weight = Parameter(init.constant((channels,), 1.0))
        self.bias = Parameter(init.zeros((channels,)))

    def forward(self, x):
        return self.pool(x) * self.weight + self.bias


class PartialConv2d(Module):
    """A convolution in which each output map reads only some of the input maps.

    Args:
        connections: for each output map, the indices of the input maps it reads.
        kernel_size: of all kernels.
    """

    def __init__(self, connections, kernel_size: int):
        self.connections = tuple(connections)
        self.maps = [
            Conv2d(len(maps), 1, kernel_size, init=init.lecun_uniform) for maps in connections
        ]

    def forward(self, x):
        by_map = ops.split(x, x.shape[-1], axis=-1)
        out = []
        for conv, maps in zip(self.maps, self.connections, strict=True):
            out.append(conv(ops.concatenate([by_map[i] for i in maps], axis=-1)))
        return ops.concatenate(out, axis=-1)


class LeNet5(Backbone):
    """LeNet-5 with the paper's layers, or with others.

    Args:
        num_classes: outputs.
        in_channels: of the images.
        c3: Module from 6 maps to 16; None: the paper's, of table I.
        subsampling: function of the channels -> Module.
        activation: class of all activations.

    Shapes:
        x: (batch, 32, 32, in_channels)
        y: (batch, num_classes) logits
    """

    stages = ("c1", "c3", "c5", "f6")
    side = 32

    def __init__(
        self,
        num_classes: int = 10,
        *,
        in_channels: int = 1,
        c3: Module | None = None,
        subsampling: Callable[[int], Module] = Subsampling,
        activation: type[Module] = ScaledTanh,
    ):
        self.in_channels = in_channels
        weights = init.lecun_uniform
        c3 = PartialConv2d(TABLE_1, 5) if c3 is None else c3
        self.c1 = Sequential(Conv2d(in_channels, 6, 5, init=weights), activation(), subsampling(6))
        self.c3 = Sequential(c3, activation(), subsampling(16))
        self.c5 = Sequential(Conv2d(16, 120, 5, init=weights), activation())
        self.f6 = Sequential(Flatten(), Linear(120, 84, init=weights), activation())
        self.num_features = 84
        self.pool = Sequential()
        self.head = Linear(84, num_classes)

    def maps(self, x):
        expect_images(self, x, channels=self.in_channels, smallest=self.side)
        if x.shape[1:3] != (self.side, self.side):
            raise ShapeError(
                f"LeNet5: images of {x.shape[1]} x {x.shape[2]}",
                expected=f"{self.side} x {self.side}, which c5 reduces to a single position",
                fix="resize the images, or pad 28 x 28 digits by 2",
            )
        return super().maps(x)


def lenet5(num_classes: int = 10, *, in_channels: int = 1) -> LeNet5:
    """LeNet-5 of 1998, with a dense output layer: 60,000 + 850 parameters.

    Example:
        >>> from cutaway.models import lenet5
        >>> sum(p.size for p in lenet5().parameters())
        60850
    """
    return LeNet5(num_classes, in_channels=in_channels)


def lenet5_modern(num_classes: int = 10, *, in_channels: int = 1) -> LeNet5:
    """LeNet-5 as it is usually implemented: full convolutions, average pooling, tanh.

    Example:
        >>> from cutaway.models import lenet5_modern
        >>> sum(p.size for p in lenet5_modern().parameters())
        61706
    """
    return LeNet5(
        num_classes,
        in_channels=in_channels,
        c3=Conv2d(6, 16, 5, init=init.lecun_uniform),
        subsampling=lambda channels: AvgPool(2),
        activation=Tanh,
    )

"""Feature pyramid: maps of several scales with the same channels, each with the meaning of the
smallest.

Lin et al. 2017, "Feature pyramid networks for object detection", arXiv:1612.03144.

    from the smallest map to the largest
    lateral     1x1 to 256 channels, plus the pyramid's map below, upsampled by 2 (nearest)
    output      3x3 to 256 channels
    extra       every second position of the smallest output: one map more, for large anchors

Weights are uniform with variance 1 / fan-in, biases 0, as in torchvision.
"""

from cutaway.errors import expect_integer
from cutaway.nn import Conv2d, Module, Upsample, init


class FeaturePyramid(Module):
    """A feature pyramid over maps of falling size, each about half as large as the one before.

    Args:
        channels: of each map.
        out_channels: of each output.
        extra: whether there is one map more, half as large as the smallest.

    Shapes:
        maps: (batch, height, width, channels[0]), (batch, height / 2, width / 2, channels[1]), ...
        out: [the same sizes with out_channels, and the extra one]

    Example:
        >>> import numpy as np
        >>> import cutaway as ct
        >>> from cutaway.models import FeaturePyramid
        >>> maps = [ct.Tensor(np.zeros((1, n, n, c))) for n, c in ((8, 3), (4, 5))]
        >>> [out.shape for out in FeaturePyramid((3, 5), 6)(*maps)]
        [(1, 8, 8, 6), (1, 4, 4, 6), (1, 2, 2, 6)]
    """

    def __init__(self, channels, out_channels: int = 256, *, extra: bool = True):
        expect_integer(out_channels, what="FeaturePyramid: out_channels", least=1)
        self.count, self.extra = len(channels), extra
        self.out_channels = out_channels
        self.rise = Upsample(2)
        for place, width in enumerate(channels, 1):
            lateral = Conv2d(width, out_channels, 1, init=init.lecun_uniform)
            output = Conv2d(out_channels, out_channels, 3, padding=1, init=init.lecun_uniform)
            setattr(self, f"lateral{place}", lateral)
            setattr(self, f"output{place}", output)

    def forward(self, *maps) -> list:
        found, below = [], None
        for place in range(self.count, 0, -1):
            own = getattr(self, f"lateral{place}")(maps[place - 1])
            if below is not None:
                height, width = own.shape[1:3]  # an odd size was rounded up below
                own = own + self.rise(below)[:, :height, :width]
            below = own
            found.append(getattr(self, f"output{place}")(own))
        found.reverse()
        if self.extra:
            found.append(found[-1][:, ::2, ::2])
        return found

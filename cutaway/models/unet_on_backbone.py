"""A U-Net whose contracting path is a backbone: one of the pretrained networks for images.

The maps of the backbone's stages are the skip connections; an expanding path as in U-Net leads from
the smallest of them back to the size of the image:

    stage     scale     operations
    (backbone)          its last stage of each scale, 1/2 to 1/32
    up5       1/16      twice as large (nearest), joined with the map of this scale; 3x3, 3x3: 256
    up4       1/8       the same: 128
    up3       1/4       the same: 64
    up2       1/2       the same: 32
    up1       1         twice as large; 3x3, 3x3: 16
    head      1         3x3 to the classes

    convolutions 3x3 with padding 1, each with batch norm and ReLU; weights He normal

    parameters for one class: ResNet-18 14,328,209, ResNet-34 24,436,369, EfficientNet-Lite0
    5,198,161

Ronneberger et al. 2015, arXiv:1505.04597, with an encoder trained on other images as in Iglovikov &
Shvets 2018, "TernausNet: U-Net with VGG11 encoder pre-trained on ImageNet for image segmentation",
arXiv:1801.05746. The sizes are those of segmentation-models-pytorch, and so are the counts, except
that its EfficientNet-Lite0 has 416,768 more: it reads the stem instead of stage1, and keeps the
unused 1x1 convolution at the top.
"""

from cutaway import ops
from cutaway.errors import OptionError, ShapeError, expect_integer
from cutaway.models.backbone import Backbone, freeze_body, last_of_each_scale, map_scales
from cutaway.models.image_parts import conv_norm
from cutaway.models.pretrained import backbone_with_inputs
from cutaway.nn import Conv2d, Module, Sequential, Upsample, init

WIDTHS = (256, 128, 64, 32, 16)


class BackboneUNet(Module):
    """A U-Net on the stages of a Backbone.

    The stages are shared with `backbone`, not copied; its head and what follows the last stage in
    use are left out.

    Args:
        backbone: a Backbone for images.
        num_classes: outputs per position.
        stages: the backbone's stages whose maps are used, from the input on, each half as large as
            the one before; None: the last one of each scale, without a final 1x1 convolution "top".
        widths: channels of the expanding path's stages, from the smallest map up.
        inputs: Module applied to the images first, for example Standardize; None: none.

    Attributes:
        stages: names of all parts in order.
        multiple: of what height and width must be a multiple.

    Shapes:
        x: (batch, height, width, channels of the backbone)
        y: (batch, height, width, num_classes) logits

    Example:
        >>> import numpy as np
        >>> from cutaway.models import BackboneUNet, BasicBlock, ResNet
        >>> net = BackboneUNet(ResNet(BasicBlock, (1, 1), widths=(4, 8)), 2, widths=(8, 4, 4))
        >>> net.multiple, net(np.zeros((1, 16, 24, 3))).shape
        (8, (1, 16, 24, 2))
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int = 1,
        *,
        stages: tuple[str, ...] | None = None,
        widths: tuple[int, ...] = WIDTHS,
        inputs: Module | None = None,
    ):
        if not isinstance(backbone, Backbone):
            raise OptionError(
                f"BackboneUNet: the backbone is a {type(backbone).__name__}",
                expected="a Backbone: a network with named stages",
                fix="use one of cutaway.models, or derive yours from models.Backbone",
            )
        expect_integer(num_classes, what="BackboneUNet: num_classes", least=1)
        scales = map_scales(backbone)
        used = last_of_each_scale(scales) if stages is None else tuple(stages)
        _expect_scales(scales, used, widths)
        self.inputs = inputs
        self.body = backbone.up_to(used[-1])
        self.used = used
        up = [f"up{len(used) - place}" for place in range(len(used))]
        self.stages = (*self.body.stages, *up)
        self.multiple = 2 ** len(used)
        self.rise = Upsample(2)
        skips = [*reversed(used[:-1]), None]
        channels = scales[used[-1]][1]
        for name, skip, width in zip(up, skips, widths, strict=True):
            joined = channels + (0 if skip is None else scales[skip][1])
            layers = [conv_norm(n, width, 3) for n in (joined, width)]
            setattr(self, name, Sequential(*layers))
            channels = width
        self.head = Conv2d(channels, num_classes, 3, padding=1, init=init.glorot_uniform)

    def maps(self, x) -> dict:
        """{stage: its output}, those of the backbone first."""
        height, width = x.shape[1:3]
        if height % self.multiple or width % self.multiple or not height * width:
            high, wide = (self.input_size(max(n, 1)) for n in (height, width))
            raise ShapeError(
                f"{self.label()}: images of {height} x {width}",
                expected=f"multiples of {self.multiple}, so that maps of equal scale fit",
                fix=f"resize or pad them to {high} x {wide}",
            )
        found = self.body.maps(x if self.inputs is None else self.inputs(x))
        skips = [found[name] for name in self.used]
        x = skips.pop()
        for name in self.stages[len(self.body.stages) :]:
            x = self.rise(x)
            x = ops.concatenate([x, skips.pop()], axis=-1) if skips else x
            found[name] = x = getattr(self, name)(x)
        return found

    def forward(self, x):
        return self.head(self.maps(x)[self.stages[-1]])

    def input_size(self, output: int) -> int:
        """The smallest size of an input for which the output has at least this size."""
        expect_integer(output, what="input_size: output", least=1)
        return -(-output // self.multiple) * self.multiple

    def freeze_backbone(self, *, batch_statistics: bool = False) -> "BackboneUNet":
        """Train the expanding path alone; returns self.

        The backbone keeps its weights and stays in evaluation mode, also after `train()`.

        Args:
            batch_statistics: whether its batch norms go on following the batches.
        """
        freeze_body(self.body, batch_statistics=batch_statistics)
        return self


def _expect_scales(scales, used, widths) -> None:
    found = [scales[name][0] if name in scales else None for name in used]
    if not used or found != [2 ** (place + 1) for place in range(len(used))]:
        raise OptionError(
            f"BackboneUNet: stages {', '.join(used)}",
            expected="stages whose maps are 1/2, 1/4, 1/8, ... of the image; this backbone's are "
            + ", ".join(f"{name} 1/{scale}" for name, (scale, _) in scales.items()),
            fix="name one stage for each scale, from the input on",
        )
    if len(widths) != len(used):
        raise OptionError(
            f"BackboneUNet: widths {widths} for {len(used)} stages",
            expected="one number of channels for each stage in use",
            fix=f"use widths={WIDTHS[-len(used) :]}",
        )


def backbone_unet(
    source: str = "efficientnet-lite0", num_classes: int = 1, *, pretrained: bool = True, **options
) -> BackboneUNet:
    """A U-Net on a pretrained backbone, for pixels from 0 to 255. EfficientNet-Lite0: 5,198,161.

    Args:
        source: name of a backbone for images, see `models.PRETRAINED_BACKBONES`; with weights of
            your own: "resnet18:weights.pth".
        num_classes: outputs per position.
        pretrained: whether the backbone's weights are loaded; otherwise they are random.
        options: of BackboneUNet: stages, widths.

    Raises:
        OptionError: no such backbone.
        RunError: its weights are not available.
    """
    backbone, inputs = backbone_with_inputs(source, pretrained=pretrained)
    net = BackboneUNet(backbone, num_classes, inputs=inputs, **options)
    return net.train()

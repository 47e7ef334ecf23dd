"""Networks that predict something for each pixel or voxel, from their specs, and what they take."""

from cutaway.errors import expect_integer
from cutaway.models import padded_unet
from cutaway.nn import Sequential, Standardize

DEEPEST = 16  # levels: each halves the pieces, whose edges have at most 2 ** 16 pixels


def levels_of(spec) -> int:
    """Number of scales of a network.

    Raises:
        OptionError: more than any piece can be halved.
    """
    expect_integer(spec["levels"], what="levels", least=1, most=DEEPEST)
    return spec["levels"]


def unet_of(spec):
    """Standardization, and a padded U-Net."""
    return Sequential(
        Standardize(spec["mean"], spec["std"]),
        padded_unet(
            spec["outputs"],
            in_channels=spec["channels"],
            base=spec["base"],
            levels=levels_of(spec),
            dropout=spec["dropout"],
        ),
    )


def describe_classes(rows) -> list[str]:
    """What the outputs of a segmentation network mean."""
    classes = ", ".join(rows.names)
    found = [f"for each pixel and class a logit; softmax gives probabilities; in order: {classes}"]
    if len(rows.names) == 2:
        found.append(
            f"{rows.names[1]} is predicted where its probability is at least {rows.threshold:g}"
        )
    return found


def backbone_unet_of(spec, source: str | None = None):
    """A U-Net on a backbone.

    Args:
        source: a pretrained backbone with the weights it begins with; None: random ones.
    """
    from cutaway.models import backbone_unet

    pretrained = source is not None
    net = backbone_unet(source or spec["from"], spec["outputs"], pretrained=pretrained)
    return net if spec["unfrozen"] else net.freeze_backbone()


def vnet_of(spec):
    """A V-Net of 3x3x3 convolutions, with batch norm."""
    from cutaway.models import normalized_vnet

    return normalized_vnet(
        spec["outputs"],
        in_channels=spec["channels"],
        base=spec["base"],
        left=(1, *[2] * (levels_of(spec) - 1)),
        right=(1,) * (levels_of(spec) - 1),
        kernel_size=3,
    )


def unet_3d_of(spec):
    """A padded U-Net in three dimensions."""
    return padded_unet(
        spec["outputs"],
        in_channels=spec["channels"],
        axes=3,
        base=spec["base"],
        levels=levels_of(spec),
        dropout=spec["dropout"],
    )


def generator_of(spec):
    """The generator of pix2pix."""
    from cutaway.models import pix2pix_generator

    return pix2pix_generator(
        spec["channels"],
        spec["outputs"],
        base=spec["base"],
        levels=levels_of(spec),
        dropout=spec["dropout"],
    )

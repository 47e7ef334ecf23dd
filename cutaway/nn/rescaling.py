"""Layers that rescale: a smooth clip, a learned factor, a learned share of an activation."""

from cutaway import ops
from cutaway.errors import OptionError, expect_axis, expect_integer, expect_range
from cutaway.nn.init import constant
from cutaway.nn.module import Module
from cutaway.nn.state import Parameter
from cutaway.nn.units import assign_arrays, units_along


class SmoothClip(Module):
    """y = x / √(1 + (x / limit)²): x near 0, never beyond ±limit, ever with a slope.

    For columns with heavy tails, after they were centered and divided by their spread.

    Args:
        limit: which |y| stays below.

    Shapes:
        x and y: any, the same

    Raises:
        OptionError: a limit that is not positive.

    References:
        Holzmüller, Grinsztajn & Steinwart 2024, "Better by default: strong pre-tuned MLPs and
        boosted trees on tabular data", arXiv:2407.04491, sec. 3.

    Example:
        >>> import cutaway as ct
        >>> round(ct.nn.SmoothClip()([4.0]).item(), 6)  # 4 / √(1 + 16/9) = 12/5
        2.4
    """

    layer_kind = "normalization"

    keeps_features = True
    is_per_feature = True

    def __init__(self, limit: float = 3.0):
        expect_range(limit, what="SmoothClip: limit", above=0)
        self.limit = limit

    def forward(self, x):
        return ops.smooth_clip(x, limit=self.limit)

    def become_zero(self):
        """0 stays 0."""

    def describe(self):
        return f"limit={self.limit:g}"


class LearnedScale(Module):
    """y = x · factor, with a learned factor for each feature that begins at 1.

    In front of a network the factors learn which inputs matter. Spare them weight decay, which
    would shrink them all to 0: the layer behind can make up for that, so it costs no loss.

    Args:
        features: size of the last axis.

    Shapes:
        x and y: (..., features)

    Parameters:
        factor: (features,), ones.

    Raises:
        ShapeError: the last axis of x has another size.

    References:
        Holzmüller, Grinsztajn & Steinwart 2024, arXiv:2407.04491, sec. 3, "scaling layer".

    Example:
        >>> import cutaway as ct
        >>> ct.nn.LearnedScale(2)([[3.0, 4.0]]).tolist()
        [[3.0, 4.0]]
    """

    layer_kind = "normalization"

    keeps_features = True

    def __init__(self, features: int):
        expect_integer(features, what="LearnedScale: features", least=1)
        self.factor = Parameter(constant((features,), 1.0))

    def forward(self, x):
        expect_axis(x, -1, self.factor.shape[0], where=self.label(), name="features")
        return x * self.factor

    def feature_units(self):
        return units_along((self.factor, 0, 1.0))

    def become_identity(self):
        assign_arrays(self, factor=constant(self.factor.shape, 1.0))

    def become_zero(self):
        """0 stays 0."""

    def describe(self):
        return f"{self.factor.shape[0]}"


class Blend(Module):
    """y = (1 - a) z + a act(z), with a learned share a for each unit that begins at 1.

    A unit whose share falls becomes linear. The share may leave [0, 1].

    Args:
        activation: the layer act, whose output has the shape of its input, such as nn.SELU().
        units: size of the last axis of z.

    Shapes:
        z and y: (..., units)

    Parameters:
        share: (units,), ones.

    Raises:
        ShapeError: the last axis of z has another size.
        OptionError: an activation that is no layer.

    References:
        Holzmüller, Grinsztajn & Steinwart 2024, arXiv:2407.04491, sec. 3, "parametric
        activations".

    Example:
        >>> import cutaway as ct
        >>> layer = ct.nn.Blend(ct.ReLU(), 2)
        >>> layer.share.data = layer.share.data * 0.75
        >>> layer([[-4.0, 2.0]]).tolist()
        [[-1.0, 2.0]]
    """

    is_wrapper = True

    keeps_features = True

    def __init__(self, activation: Module, units: int):
        expect_integer(units, what="Blend: units", least=1)
        if not isinstance(activation, Module):
            raise OptionError(
                f"Blend: activation is {activation!r}",
                expected="a layer",
                fix="pass an object, such as nn.SELU()",
            )
        self.activation = activation
        self.share = Parameter(constant((units,), 1.0))

    def forward(self, z):
        expect_axis(z, -1, self.share.shape[0], where=self.label(), name="units")
        return (1 - self.share) * z + self.share * self.activation(z)

    def feature_units(self):
        inner = self.activation.feature_units()
        if inner is None:
            return None
        return units_along(
            (self.share, 0, 1.0), *((u.variable, u.axis, u.fill) for u in inner.axes)
        )

    def become_identity(self):
        assign_arrays(self, share=constant(self.share.shape, 0.0))

    def become_zero(self):
        self.activation.become_zero()

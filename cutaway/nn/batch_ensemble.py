"""BatchEnsemble: many networks in one, which share their weight matrices."""

import math

from cutaway.errors import ShapeError, expect_integer
from cutaway.nn import init as initializers
from cutaway.nn.module import Module
from cutaway.nn.random import generator
from cutaway.nn.state import Parameter
from cutaway.nn.units import assign_arrays, units_along


class BatchEnsembleLinear(Module):
    """Linear layers of an ensemble with one weight: y_m = ((x_m ∘ r_m) W) ∘ s_m + b_m [1].

    All members share W; each has vectors r, s and b of its own, a small part of the parameters.
    They become different networks by their r in the first layer, and by what they learn from
    there on [2].

    Args:
        in_features: size of the last axis of x.
        out_features: size of the last axis of y.
        members: number of networks.
        bias: whether b is added.
        random_signs: whether r begins as +1 or -1 at random, for the first layer; else as 1.

    Shapes:
        x: (batch, members, in_features), or (batch, in_features): the same rows for all
        y: (batch, members, out_features)

    Parameters:
        weight: (in_features, out_features), uniform in ±1/√in_features.
        r: (members, in_features), ones, or random signs.
        s: (members, out_features), ones.
        bias: (members, out_features), uniform in ±1/√in_features, at first the same for all.

    Raises:
        ShapeError: x has other members or features.
        OptionError: a size below 1.

    References:
        [1] Wen, Tran & Ba 2020, "BatchEnsemble: an alternative approach to efficient ensemble and
        lifelong learning", arXiv:2002.06715, eq. 5.
        [2] Gorishniy, Kotelnikov & Babenko 2025, "TabM: advancing tabular deep learning with
        parameter-efficient ensembling", arXiv:2410.24210, sec. 3.

    Example:
        >>> import cutaway as ct
        >>> import numpy as np
        >>> first = ct.nn.BatchEnsembleLinear(4, 8, 32, random_signs=True)
        >>> second = ct.nn.BatchEnsembleLinear(8, 1, 32)
        >>> second(first(np.ones((2, 4)))).shape
        (2, 32, 1)
    """

    layer_kind = "dense"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        members: int,
        *,
        bias: bool = True,
        random_signs: bool = False,
    ):
        expect_integer(in_features, what="BatchEnsembleLinear: in_features", least=1)
        expect_integer(out_features, what="BatchEnsembleLinear: out_features", least=1)
        expect_integer(members, what="BatchEnsembleLinear: members", least=1)
        limit = 1 / math.sqrt(in_features)
        self.weight = Parameter(initializers.uniform((in_features, out_features), limit))
        r = initializers.constant((members, in_features), 1.0)
        if random_signs:
            r *= generator().choice((-1, 1), r.shape)
        self.r = Parameter(r)
        self.s = Parameter(initializers.constant((members, out_features), 1.0))
        shared = initializers.uniform((1, out_features), limit).repeat(members, axis=0)
        self.bias = Parameter(shared) if bias else None

    def forward(self, x):
        members, in_features = self.r.shape
        if x.ndim == 2:
            x = x[:, None]  # (batch, 1, in_features)
        if x.ndim != 3 or x.shape[2] != in_features or x.shape[1] not in (1, members):
            raise ShapeError(
                f"{self.label()}: the input has shape {x.shape}",
                expected=f"(batch, {members}, {in_features}), or (batch, {in_features}) for "
                "members that all read the same rows",
                fix="build the layer with as many members as the one before and with the "
                "features of its output",
            )
        y = ((x * self.r) @ self.weight) * self.s  # (batch, members, out_features)
        return y if self.bias is None else y + self.bias

    def output_units(self):
        fresh = initializers.uniform_fan_in
        return units_along(
            (self.weight, 1, fresh), (self.s, 1, 1.0), (self.bias, 1), count=self.weight.shape[1]
        )

    def input_units(self):
        return units_along((self.weight, 0), (self.r, 1, 1.0))

    def become_zero(self):
        shape = (self.r.shape[0], self.weight.shape[1])
        zeros = initializers.zeros
        assign_arrays(self, weight=zeros(self.weight.shape), bias=zeros(shape))

    def describe(self):
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, {self.r.shape[0]}{bias}"

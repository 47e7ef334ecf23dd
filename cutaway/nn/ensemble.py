"""Ensemble: several networks whose outputs are averaged."""

from collections.abc import Iterable

from cutaway.errors import OptionError
from cutaway.nn.module import Module


class Ensemble(Module):
    """y = (f_1(x) + ... + f_n(x)) / n: the mean of the outputs of several networks.

    The errors of networks that were trained from different weights, or on different rows, differ,
    and in the mean a part of them cancels. What is averaged is what the networks return: logits,
    if their loss works on logits.

    Args:
        members: networks with the same inputs and outputs.

    Shapes:
        x and y: as those of each member

    Raises:
        OptionError: no member, or one that is no Module.

    References:
        Hansen & Salamon 1990, "Neural network ensembles", IEEE PAMI 12(10).
        Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using
        deep ensembles", arXiv:1612.01474.

    Example:
        >>> from cutaway.nn import Ensemble, Linear
        >>> net = Ensemble([Linear(3, 1), Linear(3, 1)])
        >>> list(net.state_dict())
        ['members.0.weight', 'members.0.bias', 'members.1.weight', 'members.1.bias']
    """

    def __init__(self, members: Iterable[Module]):
        self.members = tuple(members)
        if not self.members:
            raise OptionError("an Ensemble of no members", expected="at least one network")
        for k, member in enumerate(self.members):
            if not isinstance(member, Module):
                raise OptionError(
                    f"Ensemble: member {k} is a {type(member).__name__}",
                    expected="a Module",
                    fix="pass the networks themselves: Ensemble([net, other])",
                )

    def forward(self, *inputs):
        total = self.members[0](*inputs)
        for member in self.members[1:]:
            total = total + member(*inputs)
        return total / len(self.members)

    def describe(self):
        return f"{len(self.members)} members"

"""The perceptron, and the multilayer perceptron.

    Perceptron    z = Σ_i w_i x_i + b,  ŷ = 1 if z >= 0, otherwise 0
      rule        after each example w ← w + η (y - ŷ) x,  b ← b + η (y - ŷ): no gradient
      numbers     n + 1;  2 inputs: 3

    mlp           z_j^(l) = Σ_i w_ij^(l) O_i^(l-1) + b_j^(l),  O_j^(l) = act(z_j^(l))
      parameters  Σ_l (n_{l-1} + 1) n_l;  4-3-2-1: 15 + 8 + 3 = 26

Rosenblatt 1958, "The perceptron: a probabilistic model for information storage and organization in
the brain", Psychological Review 65(6). If the classes are linearly separable, one neuron finds a
separating line in at most (R / γ)² updates (Novikoff 1962; R the longest example, γ the margin).
XOR is not: it takes a hidden layer, and the chain rule to train it.
Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors",
Nature 323.
"""

import itertools

from cutaway.errors import OptionError
from cutaway.nn import Dropout, Linear, Module, Perceptron, ReLU, Sequential, init

__all__ = ["Perceptron", "mlp"]


def mlp(
    sizes,
    *,
    activation: type[Module] | None = ReLU,
    output: type[Module] | None = None,
    dropout: float = 0.0,
    weights=None,
) -> Sequential:
    """Dense layers of the given sizes, with an activation after each but the last.

    Args:
        sizes: (inputs, hidden, ..., outputs), at least two.
        activation: class of the hidden activation layers; None for none.
        output: class of the activation layer after the last, for example Sigmoid; None for none.
        dropout: fraction of units dropped after each hidden activation.
        weights: initializer of the weights (see cutaway.init); None: the uniform one that
            fits the activation, He before ReLU and its relatives, otherwise Glorot.

    Example:
        >>> from cutaway.models import mlp
        >>> mlp((4, 3, 2, 1)).summary().total
        26
    """
    sizes = tuple(sizes)
    if len(sizes) < 2 or any(int(n) != n or n < 1 for n in sizes):
        raise OptionError(
            f"layer sizes {sizes}",
            expected="at least two integers >= 1: inputs, hidden layers, outputs",
            fix="for example (4, 3, 2, 1)",
        )
    if weights is None:
        weights = _fitting_initializer(activation)
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        is_last = i == len(sizes) - 2
        layers.append(Linear(n_in, n_out, init=init.glorot_uniform if is_last else weights))
        act = output if is_last else activation
        if act is not None:
            layers.append(act())
        if dropout and not is_last:
            layers.append(Dropout(dropout))
    return Sequential(*layers)


def _fitting_initializer(layer):
    """The uniform one of the kind that an activation's traits name."""
    function = getattr(layer, "activation_function", None)
    if function is None:
        return init.glorot_uniform
    name = function.traits.activation.fitting_initializer
    return getattr(init, name.replace("_normal", "_uniform"))

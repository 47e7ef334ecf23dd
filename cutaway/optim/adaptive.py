"""Optimizers with a learning rate per weight, adapted to the size of its past gradients."""

import jax.numpy as jnp

from cutaway.optim.hyperparameters import DecayRate, Hyperparameter
from cutaway.optim.optimizer import Optimizer
from cutaway.optim.terms import constant, named, sqrt

OWN_RATE = "effective learning rate of this weight"


class Adagrad(Optimizer):
    """Adagrad: G ← G + g²;  w ← w - η g / (√G + ε).

    G only grows, so the effective rate η / √G only decreases. ε is outside the root, as in most
    implementations; some textbooks write √(G + ε), which differs where G is not far above ε.

    Args:
        parameters, lr, schedule, clip, groups: see Optimizer.
        eps: ε > 0.

    References:
        Duchi, Hazan & Singer 2011, "Adaptive subgradient methods", JMLR 12.
    """

    name = "adagrad"
    slots = ("total",)
    symbols = ("G",)
    usual_lr = 0.02
    steps = "shrinking"

    eps = Hyperparameter(above=0)

    def __init__(
        self,
        parameters,
        lr: float = 1e-2,
        *,
        eps: float = 1e-10,
        schedule=None,
        clip=None,
        groups=None,
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip, groups=groups)
        self.eps = eps

    def update(self, p, g, total):
        total = total + g**2
        return p - self.lr * g / (jnp.sqrt(total) + self.eps), total

    def effective_rate(self, total):
        return self._by_size(jnp.sqrt(total))

    def terms(self, w, g, G):
        G = yield "G", G + g**2, "sum of all squared gradients so far"
        rate = yield "η_eff", self.eta / (sqrt(G) + constant("ε", self.eps)), OWN_RATE
        yield "w", w - rate * g, "against the gradient"

    def variants(self, w, g, G):
        G = named("G", (G + g**2).value)
        moved = w - self.eta / sqrt(G + constant("ε", self.eps)) * g
        yield "w", moved, "with ε inside of the root, as in some textbooks (here it is outside)"


class Adadelta(Optimizer):
    """Adadelta: steps in the units of the weights, from running means of g² and of Δw².

    E[g²] ← ρ E[g²] + (1 - ρ) g²;  Δ = √(E[Δ²] + ε) / √(E[g²] + ε) · g
    E[Δ²] ← ρ E[Δ²] + (1 - ρ) Δ²;  w ← w - η Δ

    Textbooks that describe it with one average, of g², and the rate η / √(E[g²] + ε) describe
    RMSprop; what is Adadelta's own is the second average, which takes the place of η.

    Args:
        parameters, lr, schedule, clip, groups: see Optimizer; the paper's η is 1.
        rho: ρ in [0, 1).
        eps: ε > 0; it also determines the size of the first steps.

    References:
        Zeiler 2012, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, Algorithm 1.
    """

    name = "adadelta"
    remark = (
        "This is Zeiler's Adadelta, with a second running mean, of Δw², in the place of a learning "
        "rate; textbooks often call RMSprop so."
    )
    slots = ("mean_g2", "mean_d2")
    symbols = ("E[g²]", "E[Δ²]")
    usual_lr = 1.0
    steps = "own"

    rho = DecayRate()
    eps = Hyperparameter(above=0)

    def __init__(
        self,
        parameters,
        lr: float = 1.0,
        *,
        rho: float = 0.9,
        eps: float = 1e-6,
        schedule=None,
        clip=None,
        groups=None,
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip, groups=groups)
        self.rho = rho
        self.eps = eps

    def update(self, p, g, mean_g2, mean_d2):
        mean_g2 = self.rho * mean_g2 + (1 - self.rho) * g**2
        delta = jnp.sqrt(mean_d2 + self.eps) / jnp.sqrt(mean_g2 + self.eps) * g
        mean_d2 = self.rho * mean_d2 + (1 - self.rho) * delta**2
        return p - self.lr * delta, mean_g2, mean_d2

    def effective_rate(self, mean_g2, mean_d2):
        past = jnp.sqrt(mean_d2 + self.eps)
        # ε is inside the root
        return self.lr * past / jnp.sqrt(mean_g2 + self.eps), (mean_g2 < self.eps).mean()

    def terms(self, w, g, mean_g2, mean_d2):
        rho, eps = constant("ρ", self.rho), constant("ε", self.eps)
        mean_g2 = yield "E[g²]", rho * mean_g2 + (1 - rho) * g**2, "running mean of g²"
        ratio = yield (
            "r",
            sqrt(mean_d2 + eps) / sqrt(mean_g2 + eps),
            "RMS step per RMS gradient",
        )
        delta = yield "Δ", ratio * g, "in the units of the weight"
        yield "E[Δ²]", rho * mean_d2 + (1 - rho) * delta**2, "running mean of Δ², for the next step"
        yield "w", w - self.eta * delta, "against the gradient"


class RMSprop(Optimizer):
    """RMSprop: v ← β v + (1 - β) g²;  w ← w - η g / (√v + ε).

    Adagrad with a running mean instead of the sum, so the effective rate can increase again.

    Args:
        parameters, lr, schedule, clip, groups: see Optimizer.
        beta: β in [0, 1).
        eps: ε > 0.

    References:
        Tieleman & Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning".
    """

    name = "rmsprop"
    remark = (
        "Some textbooks call this Adadelta; Zeiler's Adadelta has a second running mean, of Δw², "
        "in the place of a learning rate."
    )
    slots = ("v",)
    steps = "length"

    beta = DecayRate()
    eps = Hyperparameter(above=0)

    def __init__(
        self,
        parameters,
        lr: float = 1e-2,
        *,
        beta: float = 0.99,
        eps: float = 1e-8,
        schedule=None,
        clip=None,
        groups=None,
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip, groups=groups)
        self.beta = beta
        self.eps = eps

    def update(self, p, g, v):
        v = self.beta * v + (1 - self.beta) * g**2
        return p - self.lr * g / (jnp.sqrt(v) + self.eps), v

    def effective_rate(self, v):
        return self._by_size(jnp.sqrt(v))

    def terms(self, w, g, v):
        beta = constant("β", self.beta)
        v = yield "v", beta * v + (1 - beta) * g**2, "running mean of g²"
        rate = yield "η_eff", self.eta / (sqrt(v) + constant("ε", self.eps)), OWN_RATE
        yield "w", w - rate * g, "against the gradient"

    def variants(self, w, g, v):
        beta = self.beta
        v = named("v", (beta * v + (1 - beta) * g**2).value)
        moved = w - self.eta / sqrt(v + constant("ε", self.eps)) * g
        yield "w", moved, "with ε inside of the root, as in some textbooks (here it is outside)"

"""Gradient descent: plain, and with three kinds of momentum.

With weight decay λ, g stands for g + λ w throughout, as in PyTorch.
"""

from cutaway.optim.hyperparameters import DecayRate, Hyperparameter
from cutaway.optim.optimizer import Optimizer
from cutaway.optim.terms import constant


class SGD(Optimizer):
    """Gradient descent: w ← w - η (g + λ w), λ the weight decay, 0 by default.

    The batch size decides which of the textbooks' three variants it is: all rows (full-batch
    gradient descent), one row (stochastic), or some rows (mini-batch).

    Args:
        parameters, lr, schedule, clip, groups, weight_decay, decays, decay_schedule: see
            Optimizer.

    References:
        Robbins & Monro 1951, "A stochastic approximation method", Ann. Math. Statist. 22(3).
    """

    name = "sgd"
    usual_lr = 0.1
    takes_decay = True

    weight_decay = Hyperparameter(least=0)

    def __init__(
        self,
        parameters,
        lr: float,
        *,
        schedule=None,
        clip=None,
        groups=None,
        weight_decay: float = 0.0,
        decays=None,
        decay_schedule=None,
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip, groups=groups)
        self._decay_by(weight_decay, decays, decay_schedule)

    def update(self, p, g):
        return (p - self.lr * self.with_decay(p, g),)

    def terms(self, w, g):
        g = yield from self.decay_terms(w, g)
        yield "w", w - self.eta * g, "against the gradient"


class _WithVelocity(Optimizer):
    slots = ("v",)
    takes_decay = True

    beta = DecayRate()
    weight_decay = Hyperparameter(least=0)

    def __init__(
        self,
        parameters,
        lr: float,
        *,
        beta: float = 0.9,
        schedule=None,
        clip=None,
        groups=None,
        weight_decay: float = 0.0,
        decays=None,
        decay_schedule=None,
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip, groups=groups)
        self._decay_by(weight_decay, decays, decay_schedule)
        self.beta = beta


class Momentum(_WithVelocity):
    """Classical momentum: v ← β v + g;  w ← w - η v.

    With a constant gradient g, steps grow to η g / (1 - β). PyTorch's SGD(momentum=β).

    Args:
        parameters, lr, schedule, clip, groups, weight_decay, decays, decay_schedule: see
            Optimizer.
        beta: β in [0, 1), the fraction of the velocity that is kept.

    References:
        Polyak 1964, "Some methods of speeding up the convergence of iteration methods".
    """

    name = "momentum"
    usual_lr = 0.02

    def update(self, p, g, v):
        g = self.with_decay(p, g)
        v = self.beta * v + g
        return p - self.lr * v, v

    def terms(self, w, g, v):
        g = yield from self.decay_terms(w, g)
        v = yield "v", constant("β", self.beta) * v + g, "velocity: decayed, plus g"
        yield "w", w - self.eta * v, "against the velocity"


class AveragedMomentum(_WithVelocity):
    """Exponentially weighted momentum: v ← β v + (1 - β) g;  w ← w - η v.

    v is a running mean of the gradients, so η has the same meaning for every β. Equal to Momentum
    with η (1 - β).

    Args:
        parameters, lr, schedule, clip, groups, weight_decay, decays, decay_schedule: see
            Optimizer.
        beta: β in [0, 1); the mean covers about 1 / (1 - β) steps.

    References:
        The form used in textbooks and in Ng's Deep Learning course; Sutskever et al. 2013 discuss
        the variants.
    """

    name = "averaged_momentum"
    remark = "v starts at 0, so the first steps are short: v = (1 - β) g in the first."
    usual_lr = 0.1

    def update(self, p, g, v):
        g = self.with_decay(p, g)
        v = self.beta * v + (1 - self.beta) * g
        return p - self.lr * v, v

    def terms(self, w, g, v):
        g = yield from self.decay_terms(w, g)
        beta = constant("β", self.beta)
        v = yield "v", beta * v + (1 - beta) * g, "velocity: running mean of g"
        yield "w", w - self.eta * v, "against the velocity"

    def variants(self, w, g, v):
        if int(self.t) == 1 and not self.decay:
            yield "w", w - self.eta * g, "if v started at the first gradient, as in some textbooks"


class Nesterov(_WithVelocity):
    """Nesterov's momentum: v ← β v + g;  w ← w - η (g + β v).

    The gradient is evaluated as if the step along the velocity had already been taken. PyTorch's
    SGD(momentum=β, nesterov=True).

    Args:
        parameters, lr, schedule, clip, groups, weight_decay, decays, decay_schedule: see
            Optimizer.
        beta: β in [0, 1).

    References:
        Nesterov 1983; Sutskever, Martens, Dahl & Hinton 2013, "On the importance of
        initialization and momentum in deep learning".
    """

    name = "nesterov"
    usual_lr = 0.02

    def update(self, p, g, v):
        g = self.with_decay(p, g)
        v = self.beta * v + g
        return p - self.lr * (g + self.beta * v), v

    def terms(self, w, g, v):
        g = yield from self.decay_terms(w, g)
        beta = constant("β", self.beta)
        v = yield "v", beta * v + g, "velocity: decayed, plus g"
        yield "w", w - self.eta * (g + beta * v), "with Nesterov's look-ahead"

"""Adam and its relatives."""

import jax.numpy as jnp

from cutaway.optim.adaptive import OWN_RATE
from cutaway.optim.hyperparameters import DecayRate, Hyperparameter
from cutaway.optim.optimizer import Optimizer
from cutaway.optim.terms import constant, named, sqrt


class Adam(Optimizer):
    """Adam: m and v are running means of g and g², with bias correction.

    m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²
    m̂ = m / (1 - β₁ᵗ);  v̂ = v / (1 - β₂ᵗ);  w ← w - η m̂ / (√v̂ + ε)

    Args:
        parameters, lr, schedule, clip, groups: see Optimizer.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε > 0.

    References:
        Kingma & Ba 2015, "Adam: a method for stochastic optimization", arXiv:1412.6980,
        Algorithm 1; symbols as in the paper.
    """

    name = "adam"
    slots = ("m", "v")
    steps = "length"

    betas = DecayRate(2)
    eps = Hyperparameter(above=0)

    def __init__(
        self,
        parameters,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        schedule=None,
        clip=None,
        groups=None,
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip, groups=groups)
        self.betas = betas
        self.eps = eps

    def update(self, p, g, m, v):
        beta1, beta2 = self.betas
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**self.t)  # bias correction: m and v start at zero
        v_hat = v / (1 - beta2**self.t)
        return p - self.lr * m_hat / (jnp.sqrt(v_hat) + self.eps), m, v

    def effective_rate(self, m, v):
        return self._by_size(jnp.sqrt(v / (1 - self.betas[1] ** self.t)))

    def terms(self, w, g, m, v):
        beta1, beta2 = constant("β₁", self.betas[0]), constant("β₂", self.betas[1])
        t = named("t", float(self.t))
        m = yield "m", beta1 * m + (1 - beta1) * g, "running mean of g"
        v = yield "v", beta2 * v + (1 - beta2) * g**2, "running mean of g²"
        m_hat = yield "m̂", m / (1 - beta1**t), "bias correction of m"
        v_hat = yield "v̂", v / (1 - beta2**t), "bias correction of v"
        rate = yield "η_eff", self.eta / (sqrt(v_hat) + constant("ε", self.eps)), OWN_RATE
        yield "w", w - rate * m_hat, "against the mean gradient"

    def variants(self, w, g, m, v):
        beta1, beta2 = self.betas
        m = named("m", (beta1 * m + (1 - beta1) * g).value)
        v = named("v", (beta2 * v + (1 - beta2) * g**2).value)
        moved = w - self.eta * m / (sqrt(v) + constant("ε", self.eps))
        yield "w", moved, "without bias correction, as some textbooks have it"


class AdamW(Adam):
    """Adam with decoupled weight decay: before Adam's step, w ← w - η λ w.

    With an L2 penalty the decay would be divided by √v̂ too, which weakens it where gradients are
    large; decoupled weight decay is not.

    Args:
        parameters, lr, betas, eps, schedule, clip, groups: see Adam.
        weight_decay: λ >= 0.
        decays: selects the parameters that decay, see Optimizer; all by default.
        decay_schedule: scales λ by the number of the step, beside the schedule of η.

    References:
        Loshchilov & Hutter 2019, "Decoupled weight decay regularization", arXiv:1711.05101,
        Algorithm 2.
    """

    name = "adamw"
    takes_decay = True

    weight_decay = Hyperparameter(least=0)

    def __init__(
        self,
        parameters,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        decays=None,
        decay_schedule=None,
        schedule=None,
        clip=None,
        groups=None,
    ):
        super().__init__(
            parameters, lr, betas=betas, eps=eps, schedule=schedule, clip=clip, groups=groups
        )
        self._decay_by(weight_decay, decays, decay_schedule)

    def update(self, p, g, m, v):
        return super().update(p * (1 - self.lr * self.decay), g, m, v)

    def terms(self, w, g, m, v):
        if self.decay:
            shrunk = w * (1 - self.eta * named("λ", self.decay))
            w = yield "w", shrunk, "weight decay, before Adam's step"
        yield from super().terms(w, g, m, v)

    def variants(self, w, g, m, v):
        shrunk = w * (1 - self.eta * named("λ", self.decay))
        yield from super().variants(named("w", shrunk.value, digits=w.digits), g, m, v)


class Nadam(Optimizer):
    """Nadam: Adam with Nesterov momentum.

    μ_t = β₁ (1 - ½ 0.96^{t ψ});  m, v as in Adam
    m̂ = μ_{t+1} m / (1 - Π_{i≤t+1} μ_i) + (1 - μ_t) g / (1 - Π_{i≤t} μ_i);  v̂ = v / (1 - β₂ᵗ)
    w ← w - η m̂ / (√v̂ + ε)

    Args:
        parameters, lr, betas, eps, schedule, clip, groups: see Adam.
        momentum_decay: ψ.

    References:
        Dozat 2016, "Incorporating Nesterov momentum into Adam", ICLR workshop.
    """

    # the product of all μ so far is one number; kept per parameter so frozen ones may join later
    slots = ("m", "v", "decay")
    symbols = ("m", "v", "d")
    name = "nadam"
    steps = "length"

    betas = DecayRate(2)
    eps = Hyperparameter(above=0)
    momentum_decay = Hyperparameter(least=0)

    def __init__(
        self,
        parameters,
        lr: float = 2e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        momentum_decay: float = 4e-3,
        schedule=None,
        clip=None,
        groups=None,
    ):
        super().__init__(parameters, lr, schedule=schedule, clip=clip, groups=groups)
        self.betas = betas
        self.eps = eps
        self.momentum_decay = momentum_decay

    def update(self, p, g, m, v, decay):
        beta1, beta2 = self.betas
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        mu = beta1 * (1 - 0.5 * 0.96 ** (self.t * self.momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((self.t + 1) * self.momentum_decay))
        # the slot is 1 - Π μ: slots start at zero, like 1 - 1 for the empty product
        product = (1 - decay) * mu
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        v_hat = v / (1 - beta2**self.t)
        return p - self.lr * m_hat / (jnp.sqrt(v_hat) + self.eps), m, v, 1 - product

    def effective_rate(self, m, v, decay):
        return self._by_size(jnp.sqrt(v / (1 - self.betas[1] ** self.t)))

    def terms(self, w, g, m, v, d):
        beta1, beta2 = constant("β₁", self.betas[0]), constant("β₂", self.betas[1])
        t, psi = named("t", float(self.t)), constant("ψ", self.momentum_decay)
        m = yield "m", beta1 * m + (1 - beta1) * g, "running mean of g"
        v = yield "v", beta2 * v + (1 - beta2) * g**2, "running mean of g²"
        mu = yield "μ", beta1 * (1 - 0.5 * 0.96 ** (t * psi)), "momentum of this step"
        next_mu = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))
        next_mu = yield "μ₊", next_mu, "momentum of the next step"
        product = yield "P", (1 - d) * mu, "product of all μ so far"
        yield "d", 1 - product, "its complement, the stored slot"
        m_hat = next_mu * m / (1 - product * next_mu) + (1 - mu) * g / (1 - product)
        m_hat = yield "m̂", m_hat, "Nesterov's look-ahead"
        v_hat = yield "v̂", v / (1 - beta2**t), "bias correction of v"
        rate = yield "η_eff", self.eta / (sqrt(v_hat) + constant("ε", self.eps)), OWN_RATE
        yield "w", w - rate * m_hat, "against m̂"
